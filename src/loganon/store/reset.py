"""A new key for a standing store: no record recognises a log any more, so the past is closed for all logs at once.

Every record is retired: its counts stand, and its fingerprints, which only the old key could make, are gone. The floor
rises to the end of the newest cell that could hold a counted line. What is before it is expired from then on, in
whatever log it stands: nothing can be counted twice, at the price of lines of that time that were not counted yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loganon.store.cells import Partition
from loganon.store.change import Change, live_lines, sum_generations
from loganon.store.expiry import committed_at
from loganon.store.layout import CellName, cell_at, parse_record
from loganon.store.manifest import State
from loganon.store.records import COUNTED, Record, bury, retire


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset did: the floor (None: nothing was ever counted), and how many records it retired."""

    floor: datetime | None
    retired: int


def plan_reset(
    state: State,
    records: Mapping[str, Record],
    unreadable: Sequence[str],
    partitions: Sequence[Partition],
    quarantined: Iterable[CellName],
    *,
    unit: str,
    now: datetime,
) -> Change:
    """The state and the records of the store under its new key; `unit`: what one cell spans."""
    names = [cell.name for found in partitions for cell in found.cells]
    names += [name for found in partitions for name in _newest_of(found, unit)]
    names += [*quarantined, *(cell_at(record.newest, unit) for record in records.values() if record.newest)]
    ends = [name.end for name in names] + ([state.floor] if state.floor else [])
    changed = {
        source: replace(retire(record), deleted=record.deleted + state.owed.get(source, 0))
        for source, record in records.items()
        if record != bury(source)
    }
    changed |= _lost(state, {*records}, unreadable, partitions, committed_at(state, now))
    after = replace(
        state,
        generations=sum_generations(changed.values()),
        floor=max(ends, default=None),
        owed={},
    )
    return Change(after, changed)


def _newest_of(found: Partition, unit: str) -> list[CellName]:
    """The cells of the newest lines that the copies of records in footers speak of."""
    records = (record for cell in found.cells if cell.footer for record in cell.footer.records.values())
    return [cell_at(record.newest, unit) for record in records if record.newest]


def _lost(
    state: State, known: set[str], unreadable: Sequence[str], partitions: Sequence[Partition], now: datetime
) -> dict[str, Record]:
    """Records of the sources that have none, made of what the footers count; not of those that had expired.

    Their generation is beyond any that a backup could bring back: no copy is newer than the truth.
    """
    beyond = (1 << 32 if state.generations is None else state.generations) + 1
    newest: dict[str, CellName] = {}
    for found in partitions:
        for cell in found.cells:
            for source in cell.footer.lines if cell.footer else ():
                newest[source] = max(newest.get(source, cell.name), cell.name, key=lambda name: name.end)
    live = live_lines(partitions, state.cutoff)
    made = {source: Record(source, "", committed=now, generation=beyond) for source in unreadable}
    for source, count in live.items():
        past = state.floor is not None and newest[source].end <= state.floor
        if source not in known and count and not past and parse_record(f"{source}.json"):
            made[source] = Record(
                source,
                "",
                lines={COUNTED: count},
                newest=newest[source].start,
                committed=now,
                generation=beyond,
            )
    return made
