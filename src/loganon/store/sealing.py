"""Sealing: the rare values of a past day become `other`, in all its cells and in one commit; late lines follow it.

It bounds rarity; it is not k-anonymity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import chain

import polars as pl
import pyarrow as pa

from loganon.aggregate import Fold, TableSpec, merge
from loganon.store.cells import Cells, Standing, Version
from loganon.store.folds import (
    count_values,
    distinct_values,
    find_rare,
    replace_numbers,
    replace_values,
    unknown_values,
)
from loganon.store.journal import Staging
from loganon.store.layout import CellName
from loganon.threads import in_order

DELAY = timedelta(days=3)
"""A day is due this long after its beginning (UTC): its late lines have come."""

_KEPT_ROWS = 500_000
"""Rows of a day that are kept in memory between its two passes, about 50 MB; the cells beyond are read twice."""


def is_due(day: date, now: datetime) -> bool:
    """True once the day may be sealed."""
    return datetime.combine(day, time(), UTC) <= now - DELAY


def seal_day(cells: Cells, staging: Staging, day: date, spec: TableSpec) -> int:
    """How many cells the day has; their sealed versions wait in `staging`."""
    names = cells.names(day)
    counts: dict[CellName, Sequence[pl.DataFrame]] = {}
    kept: list[Standing] = []
    room = _KEPT_ROWS
    for cell, counted in cells.map(partial(_counted, spec), names, spec):
        counts[cell.name] = counted
        if cell.table is not None and cell.table.num_rows <= room:
            kept.append(cell)
            room -= cell.table.num_rows
    rare = _rare(counts, spec)
    seal = partial(_sealed, spec, rare)
    again = sorted(counts.keys() - {cell.name for cell in kept})
    changed = {name for name, by_fold in rare.items() if any(gone.any() for gone in by_fold)}
    rest = cells.map(seal, again, spec, whole=changed)
    cells.stage(staging, chain(in_order(seal, _each(kept)), rest), spec)
    cells.forget(names)
    return len(names)


def _counted(spec: TableSpec, cell: Standing) -> tuple[Standing, Sequence[pl.DataFrame]]:
    return cell, cell.tally.counts if cell.tally else [count_values(cell.table, fold) for fold in spec.folds]


def _rare(counts: Mapping[CellName, Sequence[pl.DataFrame]], spec: TableSpec) -> dict[CellName, list[pl.Series]]:
    """Of each cell, fold by fold, which of its values are rare in the day."""
    by_fold = [
        find_rare(each, fold) for each, fold in zip(zip(*counts.values(), strict=True), spec.folds, strict=False)
    ]
    return {name: [rare[at] for rare in by_fold] for at, name in enumerate(counts)}


def _sealed(spec: TableSpec, rare: Mapping[CellName, list[pl.Series]], cell: Standing) -> Version:
    """The cell's sealed version; one in which nothing is rare keeps its pages."""
    table, footer = cell.table, cell.footer
    for fold, gone in zip(spec.folds, rare[cell.name], strict=True):
        if table is not None:
            table = replace_numbers(table, fold, gone)
        elif gone.any():  # it would keep them
            raise ValueError("a cell with rare values must be read")
    same = table is cell.table
    return Version(
        cell.name,
        table if same else merge([table], spec, coded=True),
        lines=footer.lines,
        sealed=True,
        notes=footer.notes,
        records=footer.records,
        data=cell.data if same else None,
        totals=cell.tally.totals if cell.tally else None,
    )


def _each(cells: list[Standing]) -> Iterator[Standing]:
    """Each, of which nothing is kept here any more."""
    while cells:
        yield cells.pop(0)


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
        cells = (self._cells.read(name, self._spec, coded=True) for name in self._cells.names(day))
        values = [
            {fold: distinct_values(found[0], fold.columns)[1] for fold in self._spec.folds} for found in cells if found
        ]
        return {fold: pl.concat([each[fold] for each in values]).unique() for fold in self._spec.folds}


def _replace(table: pa.Table, values: Mapping[Fold, pl.DataFrame], spec: TableSpec) -> pa.Table:
    """The rows with these values as `other`, in order and summed again; as they stand where there are none."""
    replaced = table
    for fold, gone in values.items():
        replaced = replace_values(replaced, fold, gone)
    return table if replaced is table else merge([replaced], spec, coded=True)
