"""A batch: what one or many logs give, and how it is laid out in cells once the cutoff is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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
    """Rows of many sources as `aggregate.merge` gives them (unique, in order), and the sources they come from."""

    rows: pa.Table
    sources: tuple[SourceBatch, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A batch laid out: rows and lines by source of each cell from the cutoff on, and the lines that are expired."""

    cells: dict[CellName, pa.Table]
    lines: dict[CellName, Counter[str]]
    expired: Counter[str]


def place(batch: Batch, spec: TableSpec, cutoff: date | None, writer: str, *, floor: datetime | None = None) -> Placed:
    """The batch's cells in order; ValueError if its rows and its lines do not agree, cell by cell.

    What is before the cutoff, and cells that begin before the floor, are expired.
    """
    rows = dict(_split(batch.rows, spec, writer))
    lines: dict[CellName, Counter[str]] = {}
    for part in batch.sources:
        for start, count in part.cells.items():
            if count:
                lines.setdefault(cell_of(start, spec.unit, writer), Counter())[part.after.id] += count
    sums = {name: pc.sum(table[REQUESTS]).as_py() for name, table in rows.items()}
    if sums != {name: counter.total() for name, counter in lines.items()}:
        raise ValueError("a batch's requests are not its counted lines")
    gone = {
        name
        for name in rows
        if (cutoff is not None and name.day < cutoff) or (floor is not None and name.start < floor)
    }
    expired = sum((lines[name] for name in gone), Counter[str]())
    kept = sorted(rows.keys() - gone)
    return Placed({name: rows[name] for name in kept}, {name: lines[name] for name in kept}, expired)


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


def _split(rows: pa.Table, spec: TableSpec, writer: str) -> Iterable[tuple[CellName, pa.Table]]:
    """The rows by cell."""
    if not rows.num_rows:
        return
    start = 0
    runs = pc.run_end_encode(rows[TIME].combine_chunks())
    for moment, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield cell_of(moment, spec.unit, writer), rows.slice(start, end - start)
        start = end
