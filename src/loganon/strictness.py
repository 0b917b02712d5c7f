"""An order on the values of a policy's keys: whether a change makes a policy tighter, looser or neither.

Each key carries its `Order` where the key is declared, in the annotation of its type. Where values cannot be compared
for every case, the worst case is said: looser.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from loganon.periods import Period, parse_period


class Direction(StrEnum):
    """What a change does to a policy."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    NEITHER = "neither"


Judge = Callable[[Any, Any], Direction]
"""From a key's old and new value, which differ, to what the change does."""

KEPT = "kept "
_MONTHS = {"month": 1, "year": 12}
_CYCLE_MONTHS, _CYCLE_DAYS = 4800, 146097
"""The calendar repeats itself after 400 years."""
_FOR_EVER = 1 << 40


@dataclass(frozen=True, slots=True)
class Order:
    """The order on one key.

    `tighter`, `looser`: what such a change does, a clause in which `{old}` and `{new}` stand for the values. `idle`: of
    the part of the policy in which the key stands, whether the key had no effect there, so that no change loosens;
    `mixed`: of the same, whether what is tighter loosens something else. `stored`: what is stored already can be
    brought to a tighter value.
    """

    judge: Judge
    tighter: str = ""
    looser: str = ""
    idle: Callable[[Any], bool] = lambda _: False
    mixed: Callable[[Any], bool] = lambda _: False
    stored: bool = True

    def of(self, old: object, new: object, part: object) -> Direction:
        """What a change does; `part`: the old policy's part in which the key stands."""
        if self.idle(part):
            return Direction.NEITHER
        found = self.judge(old, new)
        return Direction.LOOSER if found is Direction.TIGHTER and self.mixed(part) else found


def neither(_old: object, _new: object) -> Direction:
    """No value of the key is tighter than another."""
    return Direction.NEITHER


def more(old: float, new: float) -> Direction:
    """The greater value is tighter."""
    return _by(new - old)


def less(old: float, new: float) -> Direction:
    """The smaller value is tighter."""
    return _by(old - new)


def listed(*values: object) -> Judge:
    """The later in the list is tighter."""

    def judge(old: object, new: object) -> Direction:
        return more(values.index(old), values.index(new))

    return judge


def wider(old: Iterable[object], new: Iterable[object]) -> Direction:
    """Members that are added are tighter; one that goes is looser."""
    return fewer(new, old)


def fewer(old: Iterable[object], new: Iterable[object]) -> Direction:
    """Members that go are tighter; one that is added is looser."""
    before, after = set(old), set(new)
    if before == after:
        return Direction.NEITHER
    return Direction.TIGHTER if after < before else Direction.LOOSER


def shorter(old: Period, new: Period) -> Direction:
    """An age that is over no later, from whatever day, is tighter; one that is over later from any day is looser."""
    if old.unit in _MONTHS and new.unit in _MONTHS:
        return less(old.count * _MONTHS[old.unit], new.count * _MONTHS[new.unit])
    (least, most), (new_least, new_most) = _days(old), _days(new)
    if least == most == new_least == new_most:
        return Direction.NEITHER
    return Direction.TIGHTER if new_most <= least else Direction.LOOSER


def handling(old: str, new: str) -> Direction:
    """Of raw logs: never written is tightest, then removed after ingest, then kept, by its age."""
    before, after = _rank(old), _rank(new)
    if before != after or before:
        return less(before, after)
    return shorter(parse_period(old.removeprefix(KEPT)), parse_period(new.removeprefix(KEPT)))


def _by(difference: float) -> Direction:
    if not difference:
        return Direction.NEITHER
    return Direction.TIGHTER if difference > 0 else Direction.LOOSER


def _rank(value: str) -> int:
    return {"never written": -2, "removed after ingest": -1}.get(value, 0)


@lru_cache
def _days(age: Period) -> tuple[int, int]:
    """The fewest and the most days that an age can last."""
    if age.unlimited:
        return _FOR_EVER, _FOR_EVER
    if age.unit not in _MONTHS:
        days = age.count * (7 if age.unit == "week" else 1)
        return days, days
    cycles, months = divmod(age.count * _MONTHS[age.unit], _CYCLE_MONTHS)
    rest = Period(months, "month")
    found = {(rest.after(day) - day).days for day in _starts()} if months else {0}
    return cycles * _CYCLE_DAYS + min(found), cycles * _CYCLE_DAYS + max(found)


def _starts() -> Iterator[date]:
    """The days of one cycle that an age in months can begin on, as far as they differ."""
    for month in range(_CYCLE_MONTHS):
        year, index = 2000 + month // 12, month % 12 + 1
        for day in {1, 28, calendar.monthrange(year, index)[1]}:
            yield date(year, index, day)
