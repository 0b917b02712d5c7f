"""Sealing: the rare values of a past day become `other`, in all its cells and in one commit; late lines follow it.

It bounds rarity; it is not k-anonymity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pyarrow as pa

from loganon.aggregate import Fold, TableSpec, merge
from loganon.store.cell import Footer
from loganon.store.cells import Cells, Version
from loganon.store.folds import count_values, frame_of, rare_values, replace_values, unknown_values
from loganon.store.journal import Staging
from loganon.store.layout import CellName

DELAY = timedelta(days=3)
"""A day is due this long after its beginning (UTC): its late lines have come."""

_KEPT_ROWS = 500_000
"""Rows of a day that are kept in memory between its two passes, about 50 MB; the cells beyond are read twice."""


def is_due(day: date, now: datetime) -> bool:
    """True once the day may be sealed."""
    return datetime.combine(day, time(), UTC) + DELAY <= now


def seal_day(cells: Cells, staging: Staging, day: date, spec: TableSpec) -> int:
    """How many cells the day has; their sealed versions wait in `staging`."""
    names = cells.names(day)
    counts: dict[Fold, list[pl.DataFrame]] = {fold: [] for fold in spec.folds}
    kept: dict[CellName, tuple[pa.Table, Footer]] = {}
    room = _KEPT_ROWS
    for name in names:
        found = cells.read(name, spec)
        if found is not None:
            for fold, counted in counts.items():
                counted.append(count_values(found[0], fold))
            if found[0].num_rows <= room:
                kept[name] = found
                room -= found[0].num_rows
    rare = {fold: rare_values(counted, fold) for fold, counted in counts.items()}

    def versions() -> Iterator[Version]:
        for name in names:
            found = kept.pop(name, None) or cells.read(name, spec)
            if found is not None:
                table, footer = found
                folded = _replace(table, rare, spec)
                yield Version(name, folded, lines=footer.lines, sealed=True, notes=footer.notes, records=footer.records)

    cells.stage(staging, versions(), spec)
    return len(names)


class SealedDays:
    """The values that stand in sealed days, each day read once; None for a day that is not sealed."""

    def __init__(self, cells: Cells, spec: TableSpec) -> None:
        self._cells = cells
        self._spec = spec
        self._days: dict[date, Mapping[Fold, pl.DataFrame] | None] = {}

    def is_sealed(self, day: date) -> bool:
        """True if late lines of the day are to be folded."""
        return self._values(day) is not None

    def fold(self, table: pa.Table, day: date) -> pa.Table:
        """The rows as a late batch stores them: in a sealed day a value stays only if it stands there."""
        standing = self._values(day)
        if standing is None:
            return table
        strangers = {fold: unknown_values(table, values, fold) for fold, values in standing.items()}
        return _replace(table, strangers, self._spec)

    def _values(self, day: date) -> Mapping[Fold, pl.DataFrame] | None:
        if day not in self._days:
            self._days[day] = self._read(day) if self._cells.sealed(day) else None
        return self._days[day]

    def _read(self, day: date) -> Mapping[Fold, pl.DataFrame]:
        tables = [found[0] for name in self._cells.names(day) if (found := self._cells.read(name, self._spec))]
        return {
            fold: pl.concat([frame_of(table, fold.columns).unique() for table in tables]).unique()
            for fold in self._spec.folds
        }


def _replace(table: pa.Table, values: Mapping[Fold, pl.DataFrame], spec: TableSpec) -> pa.Table:
    """The rows with these values as `other`, in order and summed again; as they stand where there are none."""
    replaced = table
    for fold, gone in values.items():
        replaced = replace_values(replaced, fold, gone)
    return table if replaced is table else merge([replaced], spec)
