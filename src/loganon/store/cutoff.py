"""The cutoff rises: the lines of all days that thereby go are deleted lines of their sources, in the same commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from loganon.store.cells import Partition
from loganon.store.change import Change
from loganon.store.manifest import State
from loganon.store.records import Record


def plan_cutoff(state: State, day: date, gone: Iterable[Partition], records: Mapping[str, Record]) -> Change:
    """The state and the records with the cutoff at `day`; `gone`: the days that go.

    The lines of a source whose record is not among `records` are owed to it.
    """
    lines = sum((found.lines for found in gone), Counter[str]())
    owed = Counter(state.owed)
    changed = {}
    for source, count in lines.items():
        if source in records:
            changed[source] = replace(records[source], deleted=records[source].deleted + count)
        else:
            owed[source] += count
    return Change(replace(state, cutoff=day, owed=dict(owed)), changed)
