"""Source records go one age after what they speak of, so that a log that comes back later is expired, not new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from loganon.periods import Period
from loganon.store.change import Change, sum_generations
from loganon.store.manifest import State
from loganon.store.records import Record, bury, has_gone

UNLIMITED = Period(60, "day")
"""The age of records where the table has none."""


def plan_expiry(state: State, records: Mapping[str, Record], age: Period, today: date) -> Change | None:
    """The records that are gone, buried, and the state without them; None where none is.

    A record goes when its newest line and its last commit are both one `age` before the cutoff. Where nothing expires
    they go 60 days after both, and the floor rises above their lines: later lines of such dates are expired.
    """
    if age.unlimited:
        gone = [record for record in records.values() if has_gone(record, today, UNLIMITED)]
    elif state.cutoff is not None:
        gone = [record for record in records.values() if has_gone(record, state.cutoff, age)]
    else:
        gone = []
    if not gone:
        return None
    days = [moment.date() for record in gone for moment in (record.newest, record.committed) if moment]
    floors = [floor_over(gone) if age.unlimited else None, state.floor]
    buried = {record.id: bury(record.id) for record in gone if record != bury(record.id)}
    after = replace(
        state,
        generations=None if state.generations is None else state.generations - sum_generations(gone),
        floor=max(filter(None, floors), default=None),
        owed={source: lines for source, lines in state.owed.items() if source not in buried},
        expired=max([*days, *([state.expired] if state.expired else [])], default=None),
    )
    return Change(after, buried)


def floor_over(records: Iterable[Record]) -> datetime | None:
    """The beginning of the day (UTC) after all lines that these records count; None where they count none."""
    newest = (record.newest.astimezone(UTC).date() for record in records if record.newest)
    return max((datetime.combine(day + timedelta(days=1), time(), UTC) for day in newest), default=None)


def is_expired(record: Record, state: State) -> bool:
    """True if such a record has gone before: a backup or a footer brings it back."""
    return state.expired is not None and all(
        moment.date() <= state.expired for moment in (record.newest, record.committed) if moment
    )


def committed_at(state: State, now: datetime) -> datetime:
    """The clock of a commit as its records have it: `now`, but later than what has expired, whatever the clock says."""
    floor = None if state.expired is None else datetime.combine(state.expired + timedelta(days=1), time(), UTC)
    return now.astimezone(UTC) if floor is None else max(now.astimezone(UTC), floor)
