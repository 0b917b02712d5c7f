"""A change of what a store knows: its state and some of its records, set together by one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from loganon.store.cells import Partition
from loganon.store.manifest import State
from loganon.store.records import Record


@dataclass(frozen=True, slots=True)
class Change:
    """The new state and the records that are set, by id."""

    state: State
    records: Mapping[str, Record] = field(default_factory=dict)


def sum_generations(records: Iterable[Record]) -> int:
    """What `State.generations` is while these are all the records."""
    return sum(record.generation for record in records)


def live_lines(partitions: Iterable[Partition], cutoff: date | None) -> Counter[str]:
    """Counted lines by source of the days that may exist."""
    return sum((found.lines for found in partitions if cutoff is None or found.day >= cutoff), Counter[str]())
