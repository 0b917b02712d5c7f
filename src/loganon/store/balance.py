"""Conservation, source by source: what is stored, deleted and rejected is what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from loganon.store.cells import Partition
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


def balances(partitions: Iterable[Partition], records: Mapping[str, Record], cutoff: date | None) -> dict[str, Balance]:
    """The balance of every source that has a record or live lines; one without a record has done nothing."""
    live = sum((found.lines for found in partitions if cutoff is None or found.day >= cutoff), Counter[str]())
    return {source: _balance(live[source], records.get(source)) for source in sorted({*live, *records})}


def _balance(live: int, record: Record | None) -> Balance:
    if record is None:
        return Balance(live, 0, 0, 0)
    done = sum(record.lines.values())
    return Balance(live, record.deleted, done - record.lines.get(COUNTED, 0), done)
