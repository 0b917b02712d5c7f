"""Standard output and error that never fail while a command is at work: what cannot be said changes nothing of it.

A full disk under `>>run.log`, or a reader that has gone, is told at the end and by the exit code. Were it raised where
something is printed, the first site of a run would keep all others from being counted and pruned, and a message of
`follow` would end it.
"""

from __future__ import annotations

import io
import select
import sys
from typing import TYPE_CHECKING, TextIO

from loganon.errors import CannotWriteError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Output(io.FileIO):
    """A descriptor that takes all that is written; `failed` is why something could not be, None where all could.

    After a failure an output that `ends` takes nothing more: half of it is of no use. The other is tried again.
    """

    def __init__(self, descriptor: int, *, ends: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failed: OSError | None = None
        self.ends = ends

    def write(self, data: ReadableBuffer, /) -> int:
        """The number of bytes: all, where they cannot be written."""
        size = memoryview(data).nbytes
        if self.ends and self.failed:
            return size
        try:
            while (written := super().write(data)) is None:  # others have made it non-blocking
                select.select([], [self.fileno()], [])
        except OSError as error:
            self.failed = error
            return size
        return written


def hold_output() -> None:
    """Standard output and error of this process are of that kind from now on."""
    sys.stdout = _text(sys.stdout, Output(1, ends=True))
    sys.stderr = _text(sys.stderr, Output(2, ends=False))


def _text(before: TextIO, output: Output) -> TextIO:
    before.flush()
    lines = not output.ends or output.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(output), encoding=before.encoding, errors=before.errors, line_buffering=lines
    )


def unprinted() -> OSError | None:
    """Why something could not be written to standard output; None where all of it was."""
    sys.stdout.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return output.failed if isinstance(output, Output) else None


def cannot_print(error: OSError) -> CannotWriteError:
    """The error (73) that says so."""
    what = f"standard output cannot be written: {error.strerror}"
    return CannotWriteError(what, fix="Make room, or send it elsewhere")
