"""The command as a process of its own: what holds for a whole interpreter is set here, and nowhere else."""

from __future__ import annotations

import gc
import os
import sys

from loganon import cli
from loganon.cli.messages import Messages
from loganon.cli.output import cannot_print, hold_output, unprinted
from loganon.cli.unused import leave_out_unused

_BROKEN_PIPE = 141
_GENERATIONS = (100_000, 50, 1000)
"""Objects until a pass of the garbage collector: each of the last generation goes over all modules again."""


_MEMORY = {"MIMALLOC_PURGE_DELAY": "400", "MIMALLOC_ALLOW_THP": "0"}
"""pyarrow's allocator keeps freed pages for 400 ms: to get each anew at once took an eighth of a run's CPU
seconds. It asks for no huge pages: where memory is in pieces, one takes the system longer than 512 small ones."""


def main() -> None:
    """Run the command and exit, at once: what is written is flushed and synced by then.

    The libraries' own clean-up at the end of a process was seen to abort it (134), with a thread of theirs unended.
    """
    _hold_standard_streams()
    hold_output()
    for name, value in _MEMORY.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(*_GENERATIONS)
    leave_out_unused()
    try:
        cli.main()
    except SystemExit as ended:
        os._exit(_flushed(ended.code if isinstance(ended.code, int) else 0))


def _hold_standard_streams() -> None:
    """Descriptors 0 to 2 are open, those that were closed (`2>&-`) on /dev/null, and what is said there goes nowhere.

    Else the next file to be opened got the number, and whatever a library says on 2 would stand in the store. That
    standard input or output were closed, `sys.stdin` and `sys.__stdout__` tell: they stay None.
    """
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, mode)
            os.dup2(null, descriptor)
            if null != descriptor:
                os.close(null)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _flushed(code: int) -> int:
    """The exit code, once what was said is out of the process; what no command has said of its output is said here."""
    failed = unprinted()
    if failed is not None and not code:
        code = _BROKEN_PIPE
        if not isinstance(failed, BrokenPipeError):
            error = cannot_print(failed)
            Messages("text", quiet=False).error(error)
            code = error.exit_code
    sys.stderr.flush()
    return code
