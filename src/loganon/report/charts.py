"""Which pictures a report has: what each shows, in bars and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from loganon.pages import count, plural, size
from loganon.report.pictures import NARROW, WIDE, Bar, Box, draw_bars, sparse
from loganon.report.tally import Tally
from loganon.report.times import Profile, Series

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_MOST = 400
_STEPS = {"hour": (1, 2, 3, 6, 12, 24), "day": (1, 2, 7, 14, 28), "week": (1, 2, 4, 13, 26), "month": (1, 3, 6, 12)}
"""Of how many spans one has its label."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture (SVG), what is written above it, and the same for a phone; `legend`: the parts of a bar."""

    title: str
    wide: str
    narrow: str
    legend: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """What the bars are called, what can stand below each, and of how many one has that, `first` among them."""

    names: tuple[str, ...]
    short: tuple[str, ...]
    steps: tuple[int, ...]
    first: int = 0


def pictures_over_time(series: Series) -> Iterator[Picture]:
    """Accesses, and bytes where they are kept, of each span; nothing without accesses, or for too many spans."""
    if len(series.buckets) > _MOST or not any(bucket.tally.requests for bucket in series.buckets):
        return
    unit, starts = series.unit, [bucket.start for bucket in series.buckets]
    first = next((index for index, start in enumerate(starts) if _is_first(start, unit)), 0)
    below = tuple(_below(start, unit) for start in starts)
    axis = Axis(tuple(map(series.label, series.buckets)), below, _STEPS[unit], first)
    tallies = [bucket.tally for bucket in series.buckets]
    yield _accesses(f"Accesses by {series.unit}", axis, tallies, wide=True)
    if tallies[0].bytes is not None:
        yield _data(f"Data sent by {series.unit}", axis, tallies)


def picture_of_profile(profile: Profile) -> Picture:
    """Accesses by hour of the day, or by weekday."""
    names = tuple(name for name, _ in profile.values)
    axis = Axis(names, tuple(name[:3] for name in names), _STEPS["hour"])
    return _accesses(f"Accesses by {profile.unit}", axis, [tally for _, tally in profile.values], wide=False)


def day_and_month(moment: datetime) -> str:
    """`3 Nov`."""
    return f"{moment.day} {MONTHS[moment.month - 1]}"


def _accesses(title: str, axis: Axis, tallies: Sequence[Tally], *, wide: bool) -> Picture:
    split = tallies[0].succeeded is not None
    parts = [(tally.succeeded or 0, tally.failed or 0) if split else (tally.requests,) for tally in tallies]
    told = [
        plural(tally.requests, "access", "accesses") + (f", {count(tally.failed or 0)} failed" if split else "")
        for tally in tallies
    ]
    alternative = _alternative(title, axis, [tally.requests for tally in tallies], count)
    legend = ("succeeded", "failed") if split else ()
    return _picture(title, axis, told, parts, count, alternative, legend, wide=wide)


def _data(title: str, axis: Axis, tallies: Sequence[Tally]) -> Picture:
    amounts = [tally.bytes or 0 for tally in tallies]
    alternative = _alternative(title, axis, amounts, size)
    told, parts = [size(amount) for amount in amounts], [(amount,) for amount in amounts]
    return _picture(title, axis, told, parts, _round_size, alternative, (), wide=True)


def _picture(
    title: str,
    axis: Axis,
    told: Sequence[str],
    parts: Sequence[tuple[int, ...]],
    amount: Callable[[int], str],
    alternative: str,
    legend: tuple[str, ...],
    *,
    wide: bool,
) -> Picture:
    told = [f"{name}: {text}" for name, text in zip(axis.names, told, strict=True)]

    def draw(box: Box) -> str:
        labels = sparse(axis.short, box.labels, axis.steps, axis.first)
        bars = [Bar(*each) for each in zip(labels, told, parts, strict=True)]
        return draw_bars(bars, box, alternative=alternative, amount=amount)

    return Picture(title, draw(WIDE) if wide else "", draw(NARROW), legend)


def _alternative(title: str, axis: Axis, amounts: Sequence[int], amount: Callable[[int], str]) -> str:
    """What the picture shows, in words."""
    most = max(range(len(amounts)), key=lambda index: amounts[index])
    span = " to ".join(dict.fromkeys((axis.names[0], axis.names[-1])))
    mean = amount(round(sum(amounts) / len(amounts)))
    return (
        f"{title}, {span}: the most is {amount(amounts[most])} ({axis.names[most]}), the mean {mean}. "
        "The table below it has all figures."
    )


def _round_size(octets: int) -> str:
    return size(octets).replace(".0 ", " ")


def _is_first(start: datetime, unit: str) -> bool:
    """Whether a larger unit begins with the span: a day, a week, a year."""
    return {"hour": not start.hour, "day": not start.weekday(), "month": start.month == 1}.get(unit, False)


def _below(start: datetime, unit: str) -> str:
    """What can stand below the bar of a span."""
    if unit == "hour" and start.hour:
        return f"{start:%H:%M}"
    return f"{MONTHS[start.month - 1]} {start.year}" if unit == "month" else day_and_month(start)
