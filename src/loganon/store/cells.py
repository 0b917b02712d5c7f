"""The standing cells of one store: which there are, what they hold, and how a new version of one is made."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import TableSpec
from loganon.errors import InputOutputError
from loganon.store.cell import Footer, damaged_cell, decode_cell, decode_footer, encode_cell, join_notes
from loganon.store.files import Files
from loganon.store.journal import Staging
from loganon.store.layout import CellName, Layout, parse_cell, parse_partition
from loganon.store.manifest import PolicyStamp


@dataclass(frozen=True, slots=True)
class CellInfo:
    """One file of a partition: its name, its size in bytes, its footer (None: it cannot be read)."""

    name: CellName
    size: int
    footer: Footer | None


@dataclass(frozen=True, slots=True)
class Partition:
    """One day as it stands: its cells, in the order of their names; none where only the directory is left."""

    day: date
    cells: tuple[CellInfo, ...]

    @property
    def rows(self) -> int:
        """Rows of all readable cells."""
        return sum(cell.footer.rows for cell in self.cells if cell.footer)

    @property
    def bytes(self) -> int:
        """Sizes of all files, summed."""
        return sum(cell.size for cell in self.cells)

    @property
    def lines(self) -> Counter[str]:
        """Counted lines by source id, of all readable cells."""
        return sum((Counter(cell.footer.lines) for cell in self.cells if cell.footer), Counter())

    @property
    def sealed(self) -> bool:
        """True if a cell says that the day is sealed."""
        return any(cell.footer.sealed for cell in self.cells if cell.footer)

    @property
    def damaged(self) -> tuple[CellName, ...]:
        """The cells that cannot be read."""
        return tuple(cell.name for cell in self.cells if cell.footer is None)


class Cells:
    """The cells of the store `uuid` under its frozen policy."""

    def __init__(self, files: Files, layout: Layout, uuid: str, policy: PolicyStamp) -> None:
        self._files = files
        self._layout = layout
        self._uuid = uuid
        self._policy = policy

    def days(self) -> list[date]:
        """The days that have a directory, in order."""
        try:
            with os.scandir(self._layout.table) as entries:
                found = [(parse_partition(e.name), e.is_dir(follow_symlinks=False)) for e in entries]
        except FileNotFoundError:
            return []
        return sorted(day for day, real in found if day is not None and real)

    def names(self, day: date) -> list[CellName]:
        """The day's cells, all writers', in order."""
        try:
            with os.scandir(self._layout.partition(day)) as entries:
                found = [(parse_cell(day, e.name), e.is_file(follow_symlinks=False)) for e in entries]
        except FileNotFoundError:
            return []
        return sorted(name for name, real in found if name is not None and real)

    def footer(self, name: CellName) -> Footer:
        """The cell's footer, without its rows; 74 if it is damaged or another store's."""
        return self._info(name)[1]

    def partitions(self) -> Iterator[Partition]:
        """Every day that has a directory, in order; what goes while it is read is left out."""
        for day in self.days():
            yield self.partition(day)

    def partition(self, day: date) -> Partition:
        """The day as it stands."""
        cells = []
        for name in self.names(day):
            try:
                size, footer = self._info(name)
                cells.append(CellInfo(name, size, footer))
            except FileNotFoundError:
                continue
            except (InputOutputError, OSError):  # one that cannot be read keeps no other from being deleted
                cells.append(CellInfo(name, self._path(name).lstat().st_size, None))
        return Partition(day, tuple(cells))

    def sealed(self, day: date) -> bool:
        """True if the day has cells and they are sealed: all are or none is, so the first readable one is asked.

        74 where the day has cells and none can be read.
        """
        failed = None
        for name in self.names(day):
            try:
                return self.footer(name).sealed
            except InputOutputError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return False

    def read(self, name: CellName, spec: TableSpec) -> tuple[pa.Table, Footer] | None:
        """Rows and footer; None if there is no such cell; 74 if it is damaged."""
        path = self._path(name)
        try:
            data = self._files.read(path)
        except FileNotFoundError:
            return None
        return decode_cell(data, path, self._uuid, spec)

    def stage(
        self,
        staging: Staging,
        name: CellName,
        table: pa.Table,
        spec: TableSpec,
        *,
        lines: Mapping[str, int],
        sealed: bool,
        notes: Mapping[str, str],
    ) -> None:
        """The next version of a cell waits in `staging`; read back, its sums must be those of `table`."""
        footer = Footer(
            store=self._uuid,
            policy=self._policy.name,
            policy_sha256=self._policy.sha256,
            lines=lines,
            sealed=sealed,
            rows=table.num_rows,
            writer=name.writer,
            notes=notes,
        )
        path, wanted = self._path(name), _totals(table, spec)

        def check(data: bytes) -> None:
            found, read = decode_cell(data, path, self._uuid, spec)
            if _totals(found, spec) != wanted or read != footer:
                raise damaged_cell(path)

        staging.add(name.path, encode_cell(table, footer), check)

    def _path(self, name: CellName) -> Path:
        return self._layout.root / name.path

    def _info(self, name: CellName) -> tuple[int, Footer]:
        path = self._path(name)
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise damaged_cell(path)
            return status.st_size, decode_footer(file, path, self._uuid)


def add_lines(old: Mapping[str, int], new: Mapping[str, int]) -> Counter[str]:
    """Lines by source, summed."""
    return Counter(old) + Counter(new)


def merge_notes(old: Footer | None, new: Mapping[str, str]) -> dict[str, str]:
    """The notes of a cell's next version."""
    return join_notes(old.notes if old else {}, new)


def _totals(table: pa.Table, spec: TableSpec) -> tuple[int, ...]:
    return (table.num_rows, *(pc.sum(table[measure]).as_py() or 0 for measure in spec.measures))
