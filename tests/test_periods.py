"""Ages by the calendar, and the cutoff that follows from them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loganon.periods import Period, parse_duration, parse_period

ages = st.builds(Period, st.integers(1, 3000), st.sampled_from(["day", "week", "month", "year"]))
dates = st.dates(date(1900, 1, 1), date(2200, 1, 1))
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "day", "goes"),
    [
        ("6 weeks", "2026-10-10", "2026-11-21"),
        ("42 days", "2026-10-10", "2026-11-21"),
        ("1 day", "2024-02-28", "2024-02-29"),
        ("1 month", "2026-01-31", "2026-02-28"),
        ("1 month", "2024-01-31", "2024-02-29"),
        ("1 month", "2026-02-28", "2026-03-28"),
        ("13 months", "2026-12-31", "2028-01-31"),
        ("3 months", "2026-11-30", "2027-02-28"),
        ("1 year", "2024-02-29", "2025-02-28"),
        ("4 years", "2024-02-29", "2028-02-29"),
        ("10 years", "2026-11-21", "2036-11-21"),
        ("99999 years", "2026-11-21", "9999-12-31"),
        ("99999 days", "9999-01-01", "9999-12-31"),
    ],
)
def test_calendar_ages(age: str, day: str, goes: str) -> None:
    """Something of `day` goes on the day `goes`: months and years are the calendar's, ending at its last day."""
    assert parse_period(age).after(date.fromisoformat(day)) == date.fromisoformat(goes)


@pytest.mark.parametrize(
    ("age", "today", "cutoff"),
    [
        ("6 weeks", "2026-11-21", "2026-10-11"),
        ("1 day", "2026-11-21", "2026-11-21"),
        ("1 month", "2026-02-28", "2026-02-01"),
        ("1 month", "2026-03-01", "2026-02-02"),
        ("1 year", "2025-02-28", "2024-03-01"),
        ("10 years", "2026-11-21", "2016-11-22"),
        ("unlimited", "2026-11-21", "0001-01-01"),
        ("99999 years", "2026-11-21", "0001-01-01"),
    ],
)
def test_the_cutoff(age: str, today: str, cutoff: str) -> None:
    """The oldest date that may exist; for 42 days that of 41 days ago."""
    assert parse_period(age).cutoff(date.fromisoformat(today)) == date.fromisoformat(cutoff)


@given(ages, dates)
@example(Period(1, "month"), date(2026, 2, 28))
@example(Period(1, "month"), date(2026, 3, 31))
@example(Period(1, "year"), date(2024, 2, 29))
def test_the_cutoff_is_the_smallest_day_that_has_not_gone(age: Period, today: date) -> None:
    """cutoff(today) is the smallest day whose after() is later than today."""
    cutoff = age.cutoff(today)
    assert age.after(cutoff) > today
    assert cutoff == date.min or age.after(cutoff - DAY) <= today
    assert cutoff <= today


@given(ages, dates)
def test_both_are_monotone(age: Period, day: date) -> None:
    """A later day never goes earlier, and the cutoff never moves back from one day to the next."""
    assert day < age.after(day) <= age.after(day + DAY)
    assert age.cutoff(day) <= age.cutoff(day + DAY)


@given(ages, dates)
def test_a_longer_age_keeps_longer(age: Period, day: date) -> None:
    """One unit more: goes no earlier, and the cutoff is no later."""
    longer = Period(age.count + 1, age.unit)
    assert longer.after(day) > age.after(day)
    assert longer.cutoff(day) <= age.cutoff(day)


@given(ages)
def test_written_as_read(age: Period) -> None:
    """An age's text reads as the same age."""
    assert parse_period(str(age)) == age
    assert parse_period("unlimited").after(date(2026, 1, 1)) == date.max
    assert str(parse_period("unlimited")) == "unlimited"


@pytest.mark.parametrize(
    "text",
    ["", "6", "weeks", "0 days", "-1 days", "6  weeks", " 6 weeks", "6 weeks ", "6 Weeks", "6w", "1.5 years", "6 hours",
     "06 weeks", "٦ weeks", "100000 days", "Unlimited", "6 weeks\n"],
)  # fmt: skip
def test_what_is_no_age(text: str) -> None:
    """It is refused with an example of what is one."""
    with pytest.raises(ValueError, match="6 weeks"):
        parse_period(text)


def test_durations() -> None:
    """An integer and s, m, h or d; nothing else."""
    assert parse_duration("90s") == timedelta(seconds=90)
    assert parse_duration("5m") == timedelta(minutes=5)
    assert parse_duration("2h") == timedelta(hours=2)
    assert parse_duration("1d") == timedelta(days=1)
    assert parse_duration("0s") == timedelta()
    for text in ("", "5", "s", "1.5h", "-1s", "1 h", "1w", "1H", "٣s", "1s\n"):
        with pytest.raises(ValueError, match="60s"):
            parse_duration(text)
