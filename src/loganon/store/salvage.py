"""New versions of cells are written over what is sound: a damaged cell that they meet is put aside first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from loganon.errors import InputOutputError, LoganonError
from loganon.store.cell import DamagedCellError
from loganon.store.journal import Journal, Staging
from loganon.store.layout import Layout, parse_table_file
from loganon.store.quarantine import Quarantine


class Salvage:
    """Puts damaged cells of one store aside; each is one more of `findings`."""

    def __init__(self, layout: Layout, journal: Journal, quarantine: Quarantine, findings: list[LoganonError]) -> None:
        self._layout = layout
        self._journal = journal
        self._quarantine = quarantine
        self._findings = findings

    def stage(self, write: Callable[[Staging], int], now: datetime) -> tuple[Staging, int]:
        """What `write` stages and answers; each damaged cell that it meets lies in quarantine, and it begins again."""
        while True:
            staging = self._journal.begin()
            try:
                return staging, write(staging)
            except DamagedCellError as error:
                self._take(error.path, now)
                self._journal.recover()  # what was staged until then goes

    def _take(self, path: Path, now: datetime) -> None:
        name = parse_table_file(str(path.relative_to(self._layout.root)))
        if name is None:
            raise DamagedCellError(path)
        taken = self._quarantine.take(name, reason="damaged", now=now)
        self._findings.append(
            InputOutputError(
                "a damaged cell was put into quarantine, and what it held is missing from the table",
                where=str(path),
                fix=f"Put a good copy from a backup beside it as {taken.restored}",
            )
        )
