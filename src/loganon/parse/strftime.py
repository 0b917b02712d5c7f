"""Times in a written form that strftime's conversions describe (Apache's `%{…}t`), names in English only.

`%f` is a fraction of a second of any length, `%3f`, `%6f` and `%9f` one of that length (Apache's msec_frac, usec_frac).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo

from loganon.errors import ConfigurationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = b"January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = b"Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_PARTS: Mapping[str, tuple[str, bytes]] = {
    "Y": ("year", rb"[0-9]{4}"),
    "y": ("short_year", rb"[0-9]{2}"),
    "m": ("month", rb"[0-9]{2}"),
    "b": ("name", b"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"),
    "h": ("name", b"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"),
    "B": ("name", _LONG),
    "d": ("day", rb"[0-9]{2}"),
    "e": ("day", rb"[ 0-9][0-9]"),
    "j": ("day_of_year", rb"[0-9]{3}"),
    "H": ("hour", rb"[0-9]{2}"),
    "k": ("hour", rb"[ 0-9][0-9]"),
    "I": ("hour12", rb"[0-9]{2}"),
    "l": ("hour12", rb"[ 0-9][0-9]"),
    "p": ("half", b"AM|PM|am|pm"),
    "M": ("minute", rb"[0-9]{2}"),
    "S": ("second", rb"[0-9]{2}"),
    "s": ("epoch", rb"[0-9]{1,15}"),
    "z": ("offset", rb"Z|[+-][0-9]{2}:?[0-9]{2}"),
    "Z": ("zone", rb"[A-Za-z]{1,5}|[+-][0-9]{2,4}"),
    "f": ("fraction", rb"[0-9]{1,9}"),
    "3f": ("fraction", rb"[0-9]{3}"),
    "6f": ("fraction", rb"[0-9]{6}"),
    "9f": ("fraction", rb"[0-9]{9}"),
}
_SKIPPED = {"a": _DAYS, "A": b"Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday", "u": b"[1-7]", "w": b"[0-6]"}
_SHORT = {
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "X": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "c": "%a %b %e %H:%M:%S %Y",
    "n": "\n",
    "t": "\t",
}
_CONVERSION = re.compile(r"%([0-9]?[a-zA-Z%])")
_UTC = (b"Z", b"UTC", b"GMT", b"UT")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI = timedelta(milliseconds=1)


def shape_of(form: str) -> bytes:
    """The form as a pattern without groups."""
    return _compiled(form, capture=False)[0]


def dated(form: str) -> bool:
    """The form says its year and month; one that does not needs a day to go by."""
    names = _compiled(form, capture=True)[1]
    return bool({"epoch"} & names) or bool({"year", "short_year"} & names and {"month", "name", "day_of_year"} & names)


def has_offset(form: str) -> bool:
    """The form says its offset, or needs none. A zone's name (`%Z`) is none: `CST` is one of three; only UTC's are read
    for themselves.
    """
    return bool({"epoch", "offset"} & _compiled(form, capture=True)[1])


def strftime_reader(form: str, zone: tzinfo | None, day: date | None) -> Callable[[bytes], int | None]:
    """A callable from a time of that form to milliseconds since 1970 in UTC; None where it is no moment.

    `zone` is for times without an offset (of an hour shown twice the first; one that no clock showed is an hour
    later). Without a year, or a month, the time is that of the year (month) that brings it nearest to `day`.
    """
    pattern = re.compile(_compiled(form, capture=True)[0])

    def read(value: bytes) -> int | None:
        found = pattern.fullmatch(value)
        if found is None:
            return None
        parts = {name: text for name, text in found.groupdict().items() if text is not None}
        try:
            return _moment(parts, zone, day)
        except (ValueError, OverflowError):
            return None

    return read


def _compiled(form: str, *, capture: bool) -> tuple[bytes, frozenset[str]]:
    """The pattern of a form, and the names of its parts."""
    for short, long in _SHORT.items():
        form = re.sub(rf"(?<!%)((?:%%)*)%{short}", rf"\g<1>{long}", form)
    pattern, names, end = b"", set(), 0
    for found in _CONVERSION.finditer(form):
        pattern += re.escape(form[end : found.start()].encode())
        end = found.end()
        letter = found[1]
        if letter == "%":
            pattern += b"%"
        elif letter in _SKIPPED:
            pattern += b"(?:" + _SKIPPED[letter] + b")"
        elif letter in _PARTS:
            name, shape = _PARTS[letter]
            first = capture and name not in names
            pattern += (b"(?P<" + name.encode() + b">" if first else b"(?:") + shape + b")"
            names.add(name)
        else:
            raise ConfigurationError(f"the time conversion %{letter} is not known", fix="Use conversions of strftime")
    return pattern + re.escape(form[end:].encode()), frozenset(names)


def _moment(parts: dict[str, bytes], zone: tzinfo | None, day: date | None) -> int | None:
    millis = int((parts.get("fraction", b"") + b"000")[:3])
    if "epoch" in parts:
        return int(parts["epoch"]) * 1000 + millis
    hour, minute, second = _hour(parts), int(parts.get("minute", b"0")), int(parts.get("second", b"0"))
    if second == 60:  # a leap second stays in its minute
        second = 59
    date_ = _date(parts, day)
    if date_ is None:
        return None
    shown = datetime(date_.year, date_.month, date_.day, hour, minute, second, tzinfo=UTC)
    offset = _offset(parts, shown, zone)
    return None if offset is None else (shown - _EPOCH) // _MILLI + millis - offset // _MILLI


def _hour(parts: dict[str, bytes]) -> int:
    if "hour12" not in parts:
        return int(parts.get("hour", b"0"))
    hour = int(parts["hour12"])
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if parts.get("half", b"AM").upper() == b"PM" else 0)


def _date(parts: dict[str, bytes], day: date | None) -> date | None:
    month = int(parts["month"]) if "month" in parts else None
    if "name" in parts:
        month = _MONTHS.index(parts["name"].decode().lower()[:3]) + 1
    number = int(parts.get("day", b"1"))
    year = int(parts["year"]) if "year" in parts else None
    if year is None and "short_year" in parts:
        short = int(parts["short_year"])
        year = short + (1900 if short >= 69 else 2000)  # POSIX strptime
    if year is not None and "day_of_year" in parts:
        found = date(year, 1, 1) + timedelta(days=int(parts["day_of_year"]) - 1)
        return found if found.year == year else None
    if year is not None and month is not None:
        return date(year, month, number)
    return None if day is None else _nearest(day, month, number, day_known="day" in parts)


def _nearest(day: date, month: int | None, number: int, *, day_known: bool) -> date | None:
    """Of the days that the written part may mean the nearest to `day`; of two as near the earlier."""
    if not day_known and month is None:
        return day
    candidates = []
    for step in (-1, 0, 1):
        year, which = (
            (day.year + step, month) if month is not None else divmod(day.year * 12 + day.month - 1 + step, 12)
        )
        which = which if month is not None else (which or 0) + 1
        try:
            candidates.append(date(year, which or 1, number))
        except ValueError:
            continue
    return min(candidates, key=lambda each: abs((each - day).days), default=None)


def _offset(parts: dict[str, bytes], shown: datetime, zone: tzinfo | None) -> timedelta | None:
    written = parts.get("offset", parts.get("zone", b""))
    if written in _UTC:
        return timedelta()
    if written[:1] in (b"+", b"-"):
        digits = written[1:].replace(b":", b"").ljust(4, b"0")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if hours > 23 or minutes > 59:
            return None
        return timedelta(hours=hours, minutes=minutes) * (-1 if written[:1] == b"-" else 1)
    return None if zone is None else shown.replace(tzinfo=zone).utcoffset()
