"""The cutoff rises: the lines of all days that thereby go are deleted lines of their sources, in the same commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from loganon.store.cells import Partition
from loganon.store.change import Change
from loganon.store.manifest import State
from loganon.store.records import Record


def plan_cutoff(state: State, day: date, gone: Iterable[Partition], records: Mapping[str, Record]) -> Change:
    """The state and the records with the cutoff at `day`, unless that is higher; `gone`: the days that go.

    The lines of a source whose record is not among `records` are owed to it.
    """
    risen = day if day > (state.cutoff or date.min) else state.cutoff
    lines = sum((found.lines for found in gone), Counter[str]())
    owed = Counter(state.owed)
    changed = {}
    for source, count in lines.items():
        if source in records:
            changed[source] = replace(records[source], deleted=records[source].deleted + count)
        else:
            owed[source] += count
    return Change(replace(state, cutoff=risen, owed=dict(owed)), changed)


def is_another_day(state: State, now: datetime | None) -> bool:
    """True if the clock is to be kept though the cutoff stays: where nothing expires it would be as old as the last
    line, and a run of every night look like a step of the clock.
    """
    return now is not None and state.last_commit is not None and abs(now - state.last_commit) >= timedelta(days=1)
