"""Accesses over time: in hours, days, weeks or months of a zone, without gaps; and over the hours of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby

from loganon.report.tally import Tally

Hours = tuple[tuple[datetime, Tally], ...]
"""Accesses by the start of the stored hour, or day (UTC), in order."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_ALIKE = 3
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A span of time: its start (of an hour with the zone's offset), what was counted, and whether days of it are
    left out.
    """

    start: datetime
    tally: Tally
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Several spans without an access, one after the other."""

    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Spans of one `unit`, in order and without gaps."""

    unit: str
    buckets: tuple[Bucket, ...]

    def lines(self) -> Iterator[Bucket | Gap]:
        """The spans as a table is to show them: more than three without an access, all alike, in one line."""
        for (empty, _), group in groupby(self.buckets, lambda each: (not each.tally.requests, each.left_out)):
            found = tuple(group)
            if empty and len(found) > _ALIKE:
                yield Gap(found)
            else:
                yield from found

    def label(self, bucket: Bucket) -> str:
        """The span as it is called: `2026-11-20 05:00`, `2026-11-20`, `2026-11`; a week by its Monday."""
        form = {"hour": "%Y-%m-%d %H:%M", "month": "%Y-%m"}.get(self.unit, "%Y-%m-%d")
        return bucket.start.strftime(form)

    def key(self, bucket: Bucket) -> str:
        """As `label`, for machines: an hour with its offset."""
        return bucket.start.isoformat(timespec="minutes") if self.unit == "hour" else self.label(bucket)


@dataclass(frozen=True, slots=True)
class Profile:
    """Accesses by hour of the day (`00` to `23`) or by weekday, over all days."""

    unit: str
    values: tuple[tuple[str, Tally], ...]


def unit_for(first: datetime, last: datetime, *, hours: bool) -> str:
    """The unit in which the span is easily read."""
    span = last - first
    if hours and span <= 3 * _DAY:
        return "hour"
    return "day" if span <= 120 * _DAY else "week" if span <= 3 * 366 * _DAY else "month"


def series_of(
    hours: Hours, unit: str, zone: tzinfo, *, start: datetime | None, left_out: Iterable[date], nothing: Tally
) -> Series:
    """The buckets from `start`, or the first access, to the last one; an hour counts where it begins."""
    found: dict[datetime, Tally] = {}
    for moment, tally in hours:
        key = _begin(moment, unit, zone).astimezone(UTC)  # two hours of one name, at the end of summer time, are two
        found[key] = found.get(key, nothing) + tally
    ends = [*([start] if start is not None else []), *(moment for moment, _ in hours[:1] + hours[-1:])]
    if not ends:
        return Series(unit, ())
    starts = list(_starts(min(ends), max(ends), unit, zone))
    closed = frozenset(left_out)
    return Series(
        unit,
        tuple(
            Bucket(each, found.get(each.astimezone(UTC), nothing), not closed.isdisjoint(_days(each, unit)))
            for each in starts
        ),
    )


def profiles_of(hours: Hours, zone: tzinfo, *, by_hour: bool, nothing: Tally) -> tuple[Profile, ...]:
    """By hour of the day, where hours are stored, and by weekday; nothing without accesses."""
    if not hours:
        return ()
    weekdays = dict.fromkeys(range(7), nothing)
    clock = dict.fromkeys(range(24), nothing)
    for moment, tally in hours:
        local = moment.astimezone(zone)
        weekdays[local.weekday()] += tally
        clock[local.hour] += tally
    profile = Profile("weekday", tuple((WEEKDAYS[day], tally) for day, tally in weekdays.items()))
    return (
        (Profile("hour of the day", tuple((f"{h:02}", t) for h, t in clock.items())), profile)
        if by_hour
        else (profile,)
    )


def _begin(moment: datetime, unit: str, zone: tzinfo) -> datetime:
    """The start of the span that a moment is in."""
    if unit == "hour":  # cells are hours of UTC; where the zone is half an hour off, they begin so
        return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0).astimezone(zone)
    day = moment.astimezone(zone).date()
    if unit == "week":
        day -= timedelta(days=day.weekday())
    if unit == "month":
        day = day.replace(day=1)
    return datetime.combine(day, time(), zone)


def _starts(first: datetime, last: datetime, unit: str, zone: tzinfo) -> Iterator[datetime]:
    """The starts of all spans from the one that holds `first` to the one that holds `last`.

    A day that the zone's calendar left out, as on the islands that went over the date line, begins when the next does:
    it is none.
    """
    current = _begin(first, unit, zone)
    end = last.astimezone(UTC)
    while current.astimezone(UTC) <= end:
        following = _next(current, unit)
        if current.astimezone(UTC) < following.astimezone(UTC):
            yield current
        current = following


def _next(start: datetime, unit: str) -> datetime:
    if unit == "hour":
        return (start.astimezone(UTC) + _HOUR).astimezone(start.tzinfo)
    step = {"day": 1, "week": 7, "month": 32}[unit]
    day = start.date() + timedelta(days=step)
    return datetime.combine(day.replace(day=1) if unit == "month" else day, time(), start.tzinfo)


def _days(start: datetime, unit: str) -> Iterator[date]:
    """The stored days (UTC) that the span is part of."""
    day = start.astimezone(UTC).date()
    last = (_next(start, unit).astimezone(UTC) - timedelta(microseconds=1)).date()
    while day <= last:
        yield day
        day += _DAY
