"""The standing cells of one store: which there are, what they hold, and how a new version of one is made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from loganon.aggregate import TableSpec
from loganon.errors import InputOutputError
from loganon.store.cell import (
    DamagedCellError,
    Footer,
    decode_cell,
    decode_footer,
    decode_totals,
    encode_cell,
    encode_footer,
    join_notes,
    totals_of,
)
from loganon.store.documents import damaged
from loganon.store.files import Files
from loganon.store.folds import count_values
from loganon.store.footers import Footers
from loganon.store.journal import Staging
from loganon.store.layout import CellName, Layout, parse_cell, parse_partition
from loganon.store.manifest import PolicyStamp
from loganon.store.snapshots import Snapshots
from loganon.store.tallies import Tallies, Tally
from loganon.threads import in_order

_Found = TypeVar("_Found")
_FEW = 10_000


@dataclass(frozen=True, slots=True)
class CellInfo:
    """One file of a partition: its name, its size in bytes, its footer (None: it cannot be read)."""

    name: CellName
    size: int
    footer: Footer | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A cell as it stands: the file's bytes, and its rows (coded) and footer out of them.

    `tally`: what is known of its rows, where they were not read: `table` is None then.
    """

    name: CellName
    data: bytes = field(repr=False)
    table: pa.Table | None
    footer: Footer
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The next version of a cell: its rows, and what its footer says of them; `records` are those of the standing
    version among them; `data` is that version's file, where its rows stay as they are. `totals`: those of the rows,
    where the rows themselves were not read. `counted`: its tally is to be kept.
    """

    name: CellName
    table: pa.Table | None
    lines: Mapping[str, int]
    sealed: bool
    notes: Mapping[str, str]
    records: Snapshots = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    totals: tuple[int, ...] | None = None
    counted: bool = False


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
        """True if the day has readable cells and each says that it is sealed."""
        footers = [cell.footer for cell in self.cells if cell.footer]
        return bool(footers) and all(footer.sealed for footer in footers)

    @property
    def damaged(self) -> tuple[CellName, ...]:
        """The cells that cannot be read."""
        return tuple(cell.name for cell in self.cells if cell.footer is None)


class Cells:
    """The cells of the store `uuid` under its frozen policy; `footers` keeps what was read of them, `tallies` what was
    written.
    """

    def __init__(
        self, files: Files, layout: Layout, uuid: str, policy: PolicyStamp, footers: Footers, tallies: Tallies
    ) -> None:
        self._files = files
        self._layout = layout
        self._uuid = uuid
        self._policy = policy
        self._footers = footers
        self._tallies = tallies

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
                cells.append(CellInfo(name, self._size(name), None))
        return Partition(day, tuple(cells))

    def sealed(self, day: date) -> bool:
        """True if the day has cells and each is sealed: one that a backup brought back may not be.

        74 where one is damaged, or none is this store's.
        """
        failed, found = None, []
        for name in self.names(day):
            try:
                found.append(self.footer(name).sealed)
            except DamagedCellError:
                raise
            except InputOutputError as error:
                failed = failed or error
        if failed is not None and not found:
            raise failed
        return bool(found) and all(found)

    def read(self, name: CellName, spec: TableSpec, *, coded: bool = False) -> tuple[pa.Table, Footer] | None:
        """Rows and footer; None if there is no such cell; 74 if it is damaged. `coded` as in `decode_cell`."""
        data = self._data(name)
        return None if data is None else self._decoded(name, data, spec, coded=coded)

    def map(
        self,
        work: Callable[[Standing], _Found],
        names: Iterable[CellName],
        spec: TableSpec,
        *,
        whole: Container[CellName] = (),
    ) -> Iterator[_Found]:
        """What `work` gives of each of these cells, in order, by two threads: as `in_order`; 74 as `read`.

        It must touch no file: what is done with files is done in order, by the caller's thread. A cell of which there
        is a tally is read whole only where it is one of `whole`.
        """

        def each(cell: tuple[CellName, bytes]) -> _Found:
            name, data = cell
            tally = None if name in whole else self._tallies.find(name, data)
            if tally is None:
                return work(Standing(name, data, *self._decoded(name, data, spec, coded=True)))
            return work(Standing(name, data, None, self._footer_of(name, data), tally))

        return in_order(each, ((name, data) for name in names if (data := self._data(name)) is not None))

    def stage(self, staging: Staging, versions: Iterable[Version], spec: TableSpec) -> None:
        """The next versions of cells wait in `staging`; read back, their sums must be those of their rows."""
        for name, footer, tally, data, keep in in_order(partial(self._encoded, spec), versions):
            check = partial(self._check, self._path(name), footer, tally.totals, spec)
            sha256 = staging.add(name.path, data, check)
            if keep:
                self._tallies.add(name, sha256, tally)

    def forget(self, names: Iterable[CellName]) -> None:
        """Nothing is kept any more of what these cells were when they were written."""
        self._tallies.forget(names)

    def _encoded(self, spec: TableSpec, version: Version) -> tuple[CellName, Footer, Tally, bytes, bool]:
        table, totals = version.table, version.totals or totals_of(version.table, spec)
        footer = self._footer(version, totals[0])
        data = None if version.data is None else encode_footer(version.data, footer)
        if data is None:
            if table is None:
                table, _ = self._decoded(version.name, version.data or b"", spec, coded=True)
            data = encode_cell(table, footer)
        keep = version.counted and not self._tallies.full and _is_coarse(table, spec)
        tally = Tally(totals, [count_values(table, fold) for fold in spec.folds] if keep else ())
        return version.name, footer, tally, data, keep

    def _check(self, path: Path, footer: Footer, totals: tuple[int, ...], spec: TableSpec, data: bytes) -> None:
        try:
            found, read = decode_totals(data, path, self._uuid, spec)
        except DamagedCellError:  # it is the new version that is, not the standing one
            raise damaged(self._layout.staging) from None
        if found != totals or read != footer:
            raise damaged(self._layout.staging)

    def _data(self, name: CellName) -> bytes | None:
        try:
            return self._files.read(self._path(name))
        except FileNotFoundError:
            return None

    def _decoded(self, name: CellName, data: bytes, spec: TableSpec, *, coded: bool) -> tuple[pa.Table, Footer]:
        return decode_cell(data, self._path(name), self._uuid, spec, coded=coded)

    def _footer_of(self, name: CellName, data: bytes) -> Footer:
        return decode_footer(pa.BufferReader(data), self._path(name), self._uuid)

    def _footer(self, version: Version, rows: int) -> Footer:
        return Footer(
            store=self._uuid,
            policy=self._policy.name,
            policy_sha256=self._policy.sha256,
            lines=version.lines,
            sealed=version.sealed,
            rows=rows,
            writer=version.name.writer,
            notes=version.notes,
            records=version.records,
        )

    def _path(self, name: CellName) -> Path:
        return self._layout.root / name.path

    def _info(self, name: CellName) -> tuple[int, Footer]:
        return self._footers.read(self._path(name), self._uuid)

    def _size(self, name: CellName) -> int:
        try:
            return self._path(name).lstat().st_size
        except OSError:
            return 0


def _is_coarse(table: pa.Table | None, spec: TableSpec) -> bool:
    """False where a field with a minimum has more values than rows: many are rare, and the rows are read again anyway.

    Of a few values it is not asked.
    """
    columns = [] if table is None else [table[name] for fold in spec.folds for name in fold.columns]
    coded = [chunk for column in columns if pa.types.is_dictionary(column.type) for chunk in column.chunks]
    return all(len(chunk.dictionary) <= max(len(chunk), _FEW) for chunk in coded)


def add_lines(old: Mapping[str, int], new: Mapping[str, int]) -> Counter[str]:
    """Lines by source, summed."""
    return Counter(old) + Counter(new)


def merge_notes(old: Footer | None, new: Mapping[str, str]) -> dict[str, str]:
    """The notes of a cell's next version."""
    return join_notes(old.notes if old else {}, new)
