"""A progress bar for a run, on a terminal only: bytes, rate, time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


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

    sizes = {log: Path(log).stat().st_size for log in logs if Path(log).is_file()}
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
