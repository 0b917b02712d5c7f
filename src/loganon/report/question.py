"""What is asked of a store: from when on, in which zone, by which columns; and how those are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from loganon.aggregate import TableSpec
from loganon.errors import ConfigurationError
from loganon.periods import parse_duration
from loganon.spelling import nearest

TIME = "time"
VERSION = "version"
"""A browser's family and major version together; the column alone says nothing."""
UNITS = ("hour", "day", "week", "month")
_DAY, _LONGEST = timedelta(days=1), timedelta(days=100 * 366)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""No log is older."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_APART = frozenset((TIME, "browser_version"))
TITLES: Mapping[str, str] = {
    "domain": "Domains of the providers",
    "network": "Networks",
    "file": "Files",
    "browser": "Browsers",
    VERSION: "Browser versions",
    "success": "Success",
    "method": "Methods",
    "protocol": "Protocols",
    "status": "Status codes",
    "referrer": "Referring domains",
    "system": "Operating systems",
    "country": "Countries",
    "host": "Sites",
}
"""What the table of a column is headed with; another column by its own name."""
_ORDER = ("file", "browser", "domain", "network", VERSION, "success")


@dataclass(frozen=True, slots=True)
class Since:
    """The beginning of what is asked for: a date in the zone, or a time back from now."""

    day: date | None = None
    back: timedelta | None = None

    def start(self, now: datetime, zone: tzinfo) -> datetime:
        """The first hour (UTC) that begins in it: after midnight of the date; whole days back are days of the zone, of
        which today is the last.
        """
        local = now.astimezone(zone)
        day = self.day
        if self.back is not None and self.back % _DAY == timedelta() and self.back < _LONGEST:
            day = local.date() - self.back + _DAY
        try:
            start = datetime.combine(day, time(), zone) if day is not None else now - (self.back or timedelta())
            start = max(start.astimezone(UTC), _EPOCH)
        except OverflowError:
            return _EPOCH
        hour = start.replace(minute=0, second=0, microsecond=0)
        return hour if hour >= start else hour + timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Question:
    """`by`: columns, units of time and `time`; none means all that the policy keeps. `sealed`: only sealed days."""

    now: datetime
    zone: tzinfo = UTC
    since: Since | None = None
    by: tuple[str, ...] = ()
    sealed: bool = False


def parse_since(text: str) -> Since:
    """`7d`, `36h`, or `2026-11-01`; ValueError with what was expected."""
    if _DATE.fullmatch(text):
        return Since(day=date.fromisoformat(text))
    try:
        back = parse_duration(text)
    except ValueError:
        back = timedelta()
    if not back:
        raise ValueError('expected a duration such as "7d" or "36h", or a date such as "2026-11-01"')
    return Since(back=back)


def columns_of(spec: TableSpec) -> tuple[str, ...]:
    """The columns that a table can be counted by, in the order in which they are shown."""
    found = [name for name in spec.keys if name not in _APART]
    if "browser_version" in spec.keys:
        found.append(VERSION)
    return tuple(sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)))


def units_of(spec: TableSpec) -> tuple[str, ...]:
    """The units of time that can be told apart."""
    return UNITS if spec.unit == "hour" else UNITS[1:]


def check_by(by: Sequence[str], spec: TableSpec, *, policy: str, store: str) -> None:
    """Nothing, or 78 for a name that is none of the table's."""
    known = (TIME, *units_of(spec), *columns_of(spec))
    for name in by:
        if name not in known:
            raise ConfigurationError(
                f'there is nothing to count by as "{name}" under the policy {policy}',
                where=store,
                fix=nearest(name, known) or f"Take {', '.join(known)}",
            )
