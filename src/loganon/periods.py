"""Ages of stored data, by the calendar ("6 weeks", "1 month", "10 years", "unlimited"), and durations ("90s", "2h")."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

_AGE = re.compile(r"([1-9][0-9]{0,4}) (day|week|month|year)s?")
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

YEARS = (1970, 9000)
"""The first and the last year that a clock may show."""

Spans: TypeAlias = tuple[tuple[date, date], ...]
"""Spans of days: the first and the last of each."""


@dataclass(frozen=True, slots=True)
class Period:
    """An age: a count of calendar units. `count` 0 is "unlimited"."""

    count: int
    unit: str

    def __str__(self) -> str:
        if not self.count:
            return "unlimited"
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def unlimited(self) -> bool:
        """True: nothing ever reaches this age."""
        return self.count == 0

    def after(self, day: date) -> date:
        """The date on which something of `day` has reached this age: the day on which it goes.

        Months and years are the calendar's: 31 January and 1 month is 28 or 29 February.
        """
        if self.unlimited:
            return date.max
        try:
            if self.unit in ("day", "week"):
                return day + timedelta(days=self.count * (7 if self.unit == "week" else 1))
            months = day.year * 12 + day.month - 1 + self.count * (12 if self.unit == "year" else 1)
            year, month = divmod(months, 12)
            return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
        except (ValueError, OverflowError):
            return date.max

    def cutoff(self, today: date) -> date:
        """The oldest date that may exist on `today`: the first whose age has not been reached.

        For 42 days this is `today - 41 days`.
        """
        if self.unlimited:
            return date.min
        low, high = date.min.toordinal(), today.toordinal()
        while low < high:  # `after` never falls, so the border is found by halving
            middle = (low + high) // 2
            if self.after(date.fromordinal(middle)) > today:
                high = middle
            else:
                low = middle + 1
        return date.fromordinal(low)


def within(day: date, spans: Spans) -> bool:
    """Whether one of the spans holds the day."""
    return any(first <= day <= last for first, last in spans)


def parse_period(text: str) -> Period:
    """The period that `text` writes; ValueError with what was expected."""
    if text == "unlimited":
        return Period(0, "day")
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError('expected an age such as "6 weeks", "60 days", "1 month", "10 years" or "unlimited"')
    return Period(int(match[1]), match[2])


def parse_duration(text: str) -> timedelta:
    """The duration that `text` writes (an integer and s, m, h or d); ValueError with what was expected."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError('expected a duration such as "60s", "5m", "2h" or "1d"')
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
