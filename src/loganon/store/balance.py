"""Conservation, source by source: what is stored, deleted and rejected is what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loganon.store.cells import Partition
from loganon.store.manifest import State
from loganon.store.records import COUNTED, Record


@dataclass(frozen=True, slots=True)
class Balance:
    """Lines of one source: `live` by footers of days from the cutoff on, `deleted`, `rejected`, and `done` in all."""

    live: int
    deleted: int
    rejected: int
    done: int

    @property
    def holds(self) -> bool:
        """True if no line is lost or counted twice."""
        return self.live + self.deleted + self.rejected == self.done


def balances(partitions: Iterable[Partition], records: Mapping[str, Record], state: State) -> dict[str, Balance]:
    """The balance of every source that has a record or live lines; one without a record has done nothing.

    A source without a record whose lines all lie before the floor is left out: its record has expired.
    """
    live: Counter[str] = Counter()
    open_to: set[str] = set()
    for found in partitions:
        if state.cutoff is None or found.day >= state.cutoff:
            live += found.lines
            open_to |= _after(found, state)
    known = {source for source in live if source in records or source in open_to} | records.keys()
    return {source: _balance(live[source], records.get(source), state.owed.get(source, 0)) for source in sorted(known)}


def _after(found: Partition, state: State) -> set[str]:
    """The sources that have lines after the floor in this day."""
    return {
        source
        for cell in found.cells
        if cell.footer and (state.floor is None or cell.name.end > state.floor)
        for source in cell.footer.lines
    }


def _balance(live: int, record: Record | None, owed: int) -> Balance:
    if record is None:
        return Balance(live, owed, 0, 0)
    done = sum(record.lines.values())
    return Balance(live, record.deleted + owed, done - record.lines.get(COUNTED, 0), done)
