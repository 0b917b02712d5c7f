"""A progress bar for a run, on a terminal only: bytes, rate, time left."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def progress_of(logs: Sequence[str], *, shown: bool) -> Iterator[Callable[[str, int], None] | None]:
    """A callable that is told a log and the bytes of it that are done; None where nothing is shown."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - start-up: not imported where nothing is shown
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    sizes = {log: _size_of(log) for log in logs}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=sum(sizes.values()) or None)
        done: dict[str, int] = {}

        def tell(log: str, position: int) -> None:
            done[log] = position
            bar.update(task, completed=sum(done.values()))

        yield tell


def _size_of(log: str) -> int:
    """Bytes of a file; 0 of anything else, and of what cannot be looked at: whoever opens it says so."""
    try:
        status = os.stat(log)  # noqa: PTH116 - an object's address is no path
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
