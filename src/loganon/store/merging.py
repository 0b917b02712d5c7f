"""A batch merged into the standing cells: the next version of every cell that it touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from loganon.aggregate import TableSpec, merge, own_values
from loganon.store.batch import Placed
from loganon.store.cell import Footer
from loganon.store.cells import Cells, Version, add_lines, merge_notes
from loganon.store.folds import Limits, cap_cell
from loganon.store.journal import Staging
from loganon.store.layout import CellName
from loganon.store.mend import LostRecordsError
from loganon.store.records import Record
from loganon.store.sealing import SealedDays, is_due
from loganon.store.snapshots import join_snapshots, may_be_copied


def stage_cells(
    cells: Cells,
    staging: Staging,
    *,
    placed: Placed,
    spec: TableSpec,
    limits: Limits,
    notes: Mapping[str, str],
    records: Mapping[str, Record],
    now: datetime,
) -> int:
    """The rows that did not fit; the next versions of all cells touched wait in `staging`.

    The newest cell that a source touches takes a copy of its record, out of `records`. What is due by `now` is likely
    to be sealed next.
    """
    days = SealedDays(cells, spec)
    homes = _homes(placed)
    capped = 0

    def versions() -> Iterator[Version]:
        nonlocal capped
        for name, rows in placed.cells():
            sealed = days.is_sealed(name.day)
            table = days.fold(own_values(rows), name.day) if sealed else rows
            standing = cells.read(name, spec, coded=True)
            old = standing[1] if standing else None
            if old and _knows_more(old, records):
                raise LostRecordsError(name.path)
            if standing:
                table = merge([standing[0], own_values(table)], spec, coded=True)
            table, over = cap_cell(table, spec, limits)
            capped += over
            copies = {s: records[s] for s, home in homes.items() if home == name and may_be_copied(records[s])}
            yield Version(
                name,
                table,
                lines=add_lines(old.lines if old else {}, placed.lines[name]),
                sealed=sealed,
                notes=merge_notes(old, notes),
                records=join_snapshots([old.records if old else {}, copies]),
                counted=is_due(name.day, now) and not sealed,
            )

    cells.stage(staging, versions(), spec)
    return capped


def _knows_more(footer: Footer, records: Mapping[str, Record]) -> bool:
    """True if a cell knows this commit of a source before it is made: the records are of an older backup."""
    return any(
        source in records and records[source].generation <= copy.generation for source, copy in footer.records.items()
    )


def _homes(placed: Placed) -> dict[str, CellName]:
    """Of each source the newest cell that it touches."""
    homes: dict[str, CellName] = {}
    for name in sorted(placed.lines, key=lambda cell: cell.start):
        homes |= dict.fromkeys((source for source, count in placed.lines[name].items() if count), name)
    return homes
