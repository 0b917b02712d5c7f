"""The whole table under another policy: every cell anew, one day at a time, into a table that waits to be exchanged.

How one row becomes another is the caller's; here the rows are summed, a sealed day is folded by the new minima, and the
cells of a day become one where time is by day from now on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import Fold, TableSpec, merge
from loganon.errors import InputOutputError
from loganon.store.cell import DamagedCellError, Footer, decode_cell, encode_cell, join_notes
from loganon.store.cells import Cells
from loganon.store.change import Change
from loganon.store.documents import damaged
from loganon.store.folds import Limits, cap_cell, count_values, rare_values, replace_values
from loganon.store.layout import CellName, Layout, parse_cell, parse_partition
from loganon.store.manifest import PolicyStamp, State
from loganon.store.quarantine import Quarantine
from loganon.store.records import Record
from loganon.store.snapshots import join_snapshots
from loganon.store.swap import WaitingTable


@dataclass(frozen=True, slots=True)
class Rewrite:
    """From one policy to another: the shapes of both tables, and the new policy.

    `convert` gives the rows of the old shape the columns and values of the new one, in whatever order, not yet summed.
    """

    old: TableSpec
    new: TableSpec
    convert: Callable[[pa.Table], pa.Table]
    stamp: PolicyStamp


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    cells: int = 0
    rows: int = 0

    def with_rows(self, rows: int) -> Size:
        """With one more cell of so many rows."""
        return Size(self.cells + 1, self.rows + rows)


@dataclass(frozen=True, slots=True)
class Replaced:
    """The table before and after; `capped`: rows that went into `other` because their cell was full."""

    before: Size
    after: Size
    capped: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One cell of the new table; `capped`: rows that went into `other` because it was full."""

    name: CellName
    table: pa.Table
    footer: Footer
    capped: int


def require_whole(layout: Layout, quarantine: Quarantine) -> None:
    """Nothing if the table holds this store's cells alone and no damaged one lies aside; 74 otherwise."""
    for path in _foreign(layout):
        raise InputOutputError(
            "the table holds something that is no cell, and cannot be brought under another policy",
            where=str(path),
            fix="Move it out of the store",
        )
    for lying in quarantine.cells():
        raise InputOutputError(
            "a damaged cell lies in quarantine, and cannot be brought under another policy",
            where=f"{lying.day} {lying.file}",
            fix="Restore it from a backup or delete it",
        )


def stage_table(cells: Cells, waiting: WaitingTable, rewrite: Rewrite, limits: Limits) -> Replaced:
    """The whole table waits under the new policy."""
    replaced = measure(cells, rewrite, limits, lambda rebuilt: _write(waiting, rebuilt, rewrite.new))
    waiting.finish()
    return replaced


def measure(cells: Cells, rewrite: Rewrite, limits: Limits, each: Callable[[Rebuilt], None] | None = None) -> Replaced:
    """How much the table is under either policy; `each` is given every cell of the new one."""
    before, after, capped = Size(), Size(), 0
    for day in cells.days():
        for name in cells.names(day):
            before = before.with_rows(cells.footer(name).rows)
        for rebuilt in rebuild(cells, day, rewrite, limits):
            after = after.with_rows(rebuilt.table.num_rows)
            capped += rebuilt.capped
            if each is not None:
                each(rebuilt)
    return Replaced(before, after, capped)


def plan_replacement(state: State, records: Mapping[str, Record], change: Change, unit: str, now: datetime) -> Change:
    """`change` and what follows from the new policy: no record is more exact than a cell of `unit`."""
    coarse = {source: coarsen(change.records.get(source, record), unit) for source, record in records.items()}
    changed = {source: record for source, record in coarse.items() if record != records[source]}
    last = max(filter(None, (state.last_commit, now.astimezone(UTC))))
    return Change(replace(change.state, last_commit=last), changed)


def rebuild(cells: Cells, day: date, rewrite: Rewrite, limits: Limits) -> Iterator[Rebuilt]:
    """The day's cells under the new policy, in order; 74 where one cannot be read."""
    names = cells.names(day)
    sealed = cells.sealed(day)
    rare = _rare(cells, names, rewrite) if sealed else {}
    for target, group in _targets(names, rewrite.new.unit).items():
        table, footers = rewrite.new.schema.empty_table(), []
        for name in group:
            found, footer = _read(cells, name, rewrite)
            table = merge([table, found], rewrite.new)
            footers.append(footer)
        for fold, values in rare.items():
            table = replace_values(table, fold, values)
        table, capped = cap_cell(merge([table], rewrite.new), rewrite.new, limits)
        yield Rebuilt(target, table, _footer(footers, rewrite, table, sealed=sealed), capped)


def _write(waiting: WaitingTable, rebuilt: Rebuilt, spec: TableSpec) -> None:
    """The cell lies in the waiting table; read back, its rows and footer are those that were meant."""

    def check(data: bytes) -> None:
        where = Path(rebuilt.name.path)
        try:
            found, footer = decode_cell(data, where, rebuilt.footer.store, spec)
        except DamagedCellError:
            raise damaged(where) from None
        if found != rebuilt.table or footer != rebuilt.footer:
            raise damaged(where)

    waiting.add(rebuilt.name, encode_cell(rebuilt.table, rebuilt.footer), check)


def coarsen(record: Record, unit: str) -> Record:
    """The record, its newest line no more exact than a cell of `unit`."""
    if record.newest is None or unit != "day":
        return record
    return replace(record, newest=datetime.combine(record.newest.date(), time(), record.newest.tzinfo))


def _targets(names: list[CellName], unit: str) -> dict[CellName, list[CellName]]:
    """The new cells, and of each the old ones that it is made of."""
    targets: dict[CellName, list[CellName]] = {}
    for name in names:
        target = CellName(name.day, -1, name.writer) if unit == "day" else name
        targets.setdefault(target, []).append(name)
    return targets


def _rare(cells: Cells, names: list[CellName], rewrite: Rewrite) -> Mapping[Fold, pl.DataFrame]:
    """The values of the day that are rare under the new policy."""
    counts: dict[Fold, list[pl.DataFrame]] = {fold: [] for fold in rewrite.new.folds}
    for name in names:
        table, _ = _read(cells, name, rewrite)
        for fold, counted in counts.items():
            counted.append(count_values(table, fold))
    return {fold: rare_values(counted, fold) for fold, counted in counts.items()}


def _read(cells: Cells, name: CellName, rewrite: Rewrite) -> tuple[pa.Table, Footer]:
    """The cell's rows under the new policy, summed, and its footer; ValueError if a request is lost or won."""
    found = cells.read(name, rewrite.old)
    if found is None:
        raise FileNotFoundError(name.path)
    table = merge([rewrite.convert(found[0])], rewrite.new)
    if _requests(table) != _requests(found[0]):
        raise ValueError("a rewritten cell has not the requests of the standing one")
    return table, found[1]


def _requests(table: pa.Table) -> int:
    return int(pc.sum(table["requests"]).as_py() or 0)


def _footer(footers: list[Footer], rewrite: Rewrite, table: pa.Table, *, sealed: bool) -> Footer:
    """One footer for several, under the new policy."""
    notes: dict[str, str] = {}
    for footer in footers:
        notes = join_notes(notes, footer.notes)
    records = join_snapshots(footer.records for footer in footers)
    return replace(
        footers[0],
        policy=rewrite.stamp.name,
        policy_sha256=rewrite.stamp.sha256,
        lines=dict(sum((Counter(footer.lines) for footer in footers), Counter[str]())),
        sealed=sealed,
        rows=table.num_rows,
        notes=notes,
        records={source: coarsen(record, rewrite.new.unit) for source, record in records.items()},
    )


def _foreign(layout: Layout) -> Iterator[Path]:
    """What lies in the table and is no partition, or in a partition and is no cell."""
    with os.scandir(layout.table) as partitions:
        for partition in sorted(partitions, key=lambda entry: entry.name):
            day = parse_partition(partition.name)
            if day is None or not partition.is_dir(follow_symlinks=False):
                yield Path(partition.path)
                continue
            with os.scandir(partition.path) as entries:
                for entry in entries:
                    if parse_cell(day, entry.name) is None or not entry.is_file(follow_symlinks=False):
                        yield Path(entry.path)
