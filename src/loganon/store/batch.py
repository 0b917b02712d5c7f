"""A batch: what one or many logs give, and how it is laid out in cells once the cutoff is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import TableSpec
from loganon.store.cell import REQUESTS
from loganon.store.layout import CellName, cell_of
from loganon.store.records import COUNTED, EXPIRED, Record

TIME = "time"


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """One source's part: its record as it was read before the log (None: new) and as it is after.

    `after` is written as if nothing expired in the commit; the store sets `generation`, `committed` and `deleted`.
    `cells`: counted lines by the start of their cell (UTC). `rows`: its own rows, for a store that commits each source
    by itself, where the batch has more than one.
    """

    before: Record | None
    after: Record
    cells: Mapping[datetime, int]
    rows: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of many sources, and the sources they come from.

    `rows`: one table as `aggregate.merge` gives it (unique, in order; coded or not), or several, each the whole of one
    cell, in any order of the cells: they are taken one at a time, so that no two of them need to be in memory, and from
    the first again where a damaged cell is met.
    """

    rows: pa.Table | Iterable[pa.Table]
    sources: tuple[SourceBatch, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A batch laid out: lines by source of each cell from the cutoff on, in order, and the lines that are expired."""

    lines: dict[CellName, Counter[str]]
    expired: Counter[str]
    _all: Mapping[CellName, int]
    _rows: Callable[[], Iterator[tuple[CellName, pa.Table]]]

    def cells(self) -> Iterator[tuple[CellName, pa.Table]]:
        """The rows of each cell from the cutoff on, coded or not as they are given; ValueError where rows and lines do
        not agree, cell by cell.
        """
        left = dict(self._all)
        for name, rows in self._rows():
            if pc.sum(rows[REQUESTS]).as_py() != left.pop(name, None):
                raise ValueError("a batch's requests are not its counted lines")
            if name in self.lines:
                yield name, rows
        if left:
            raise ValueError("a batch's requests are not its counted lines")


def place(batch: Batch, spec: TableSpec, cutoff: date | None, writer: str, *, floor: datetime | None = None) -> Placed:
    """The batch's cells. What is before the cutoff, and cells that begin before the floor, are expired."""
    lines: dict[CellName, Counter[str]] = {}
    for part in batch.sources:
        for start, count in part.cells.items():
            if count:
                lines.setdefault(cell_of(start, spec.unit, writer), Counter())[part.after.id] += count
    gone = {
        name
        for name in lines
        if (cutoff is not None and name.day < cutoff) or (floor is not None and name.start < floor)
    }
    return Placed(
        {name: lines[name] for name in sorted(lines.keys() - gone)},
        sum((lines[name] for name in gone), Counter[str]()),
        {name: counter.total() for name, counter in lines.items()},
        lambda: _split(batch.rows, spec, writer),
    )


def settle(part: SourceBatch, current: Record | None, expired: int, now: datetime) -> Record:
    """The record to be written: `expired` of its counted lines counted as such, one generation on."""
    lines = Counter(part.after.lines)
    lines[COUNTED] -= expired
    lines[EXPIRED] += expired
    return replace(
        part.after,
        lines={reason: count for reason, count in lines.items() if count},
        deleted=current.deleted if current else 0,
        committed=now.astimezone(UTC),
        generation=current.generation + 1 if current else 1,
    )


def _split(given: pa.Table | Iterable[pa.Table], spec: TableSpec, writer: str) -> Iterator[tuple[CellName, pa.Table]]:
    """The rows by cell; coded ones share the dictionaries of all."""
    for rows in (given,) if isinstance(given, pa.Table) else given:
        if rows.num_rows:
            start = 0
            runs = pc.run_end_encode(rows[TIME].combine_chunks())
            for moment, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
                yield cell_of(moment, spec.unit, writer), rows.slice(start, end - start)
                start = end
