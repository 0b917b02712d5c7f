"""One log while it is read: what it was taken for, and what came since its last commit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pyarrow as pa

from loganon.aggregate import TableSpec, merge
from loganon.errors import ConfigurationError, UnreadableDataError
from loganon.exclude import Rule
from loganon.formats import Format
from loganon.keys import Key
from loganon.parse.clock import has_offset
from loganon.parse.detect import Detection
from loganon.pipeline import UNREAD, Result
from loganon.sources.identity import fingerprint, marker
from loganon.store import Record, SourceBatch
from loganon.summary import COUNTED, LogSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the logs of a run are read. `format` None: detect it; `stream` None: by the log's name.

    `fields`: the columns of delimited logs without a header.
    """

    format: Format | None = None
    timezone: tzinfo | None = None
    stream: str | None = None
    final: bool = False
    writer: str | None = None
    wait: timedelta = timedelta(seconds=60)
    fields: tuple[str, ...] = ()
    exclude: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if self.stream is not None and not self.stream.strip():  # such as a script's unset variable
            raise ConfigurationError(
                "the stream's label is empty", where="--stream", fix="Leave it out, or name the log"
            )


class SkippedError(UnreadableDataError):
    """A log of which nothing is read; `reason` as in the summary."""

    def __init__(self, reason: str, what: str, *, where: str, fix: str = "") -> None:
        self.reason = reason
        super().__init__(what, where=where, fix=fix)


@dataclass(slots=True)
class OpenLog:
    """One log: where it stands in the store (`before`), and what has come since; `start` holds its first bytes."""

    summary: LogSummary
    stream: str
    id: str
    start: bytes = field(repr=False)
    before: Record | None
    format: Format
    timezone: tzinfo | None
    state: tuple[str, ...]
    done: int
    tail: bytes = field(default=b"", repr=False)
    lines: Counter[str] = field(default_factory=Counter)
    cells: Counter[datetime] = field(default_factory=Counter)
    newest: datetime | None = None
    redacted: int = 0
    exact: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    compacted: bool = False
    fits: bool = False

    @property
    def rows(self) -> int:
        """Rows that wait for a commit."""
        return sum(table.num_rows for table in self.tables)

    def add(self, result: Result, *, end: int, tail: bytes) -> None:
        """Take what a chunk gave; `end` and `tail` are where it ended and the bytes before that."""
        self.tables.append(result.table)
        self.compacted = False
        self.lines.update(result.rejected)
        self.lines[COUNTED] += result.counted
        self.cells.update(result.cells)
        self.redacted += result.redacted
        self.exact += result.exact
        self.newest = _later(self.newest, result.newest)
        self.state, self.done, self.tail = result.state, end, tail
        self.fits = self.fits or result.lines > sum(result.rejected[reason] for reason in UNREAD)

    def compact(self, spec: TableSpec) -> None:
        """Count the waiting rows together."""
        self.tables = [merge(self.tables, spec)]
        self.compacted = True

    def part(self, key: Key) -> SourceBatch:
        """What a commit needs of this log."""
        before = self.before
        after = Record(
            id=self.id,
            stream=self.stream,
            prefix=fingerprint(key.secret, self.start, done=self.done),
            marker=marker(key.secret, self.tail),
            done=self.done,
            format=self.format.name,
            timezone=str(self.timezone) if self.timezone else None,
            state=self.state,
            lines=dict(self.lines + Counter(before.lines if before else {})),
            newest=_later(self.newest, before.newest if before else None),
        )
        return SourceBatch(before=before, after=after, cells=dict(self.cells))

    def committed(self, record: Record, expired: int) -> None:
        """The store has it: account for it, and go on from there. `expired` of the counted lines came too late."""
        self.lines[COUNTED] -= expired
        self.lines["expired"] += expired
        self.summary.lines.update(self.lines)
        self.summary.exact += self.exact
        self.before, self.newest, self.redacted, self.exact = record, None, 0, 0
        self.lines.clear()
        self.cells.clear()
        self.tables.clear()


def recorded_zone(path: str, last: Record | None) -> tzinfo | None:
    """The zone that a log's record names; SkippedError where this system does not know it."""
    if last is None or last.timezone is None:
        return None
    try:
        return ZoneInfo(last.timezone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        what = f"its recorded time zone {last.timezone} is not known here"
        raise SkippedError("no_format", what, where=path, fix="Install the tz database, or give --timezone") from None


def unknown_format(path: str, found: Detection) -> SkippedError:
    """No format fits any line of a log: the nearest ones, and where each failed (offsets, never text)."""
    if found.other:
        return SkippedError("no_format", found.other, where=path, fix="Name the access log")
    nearest = ", ".join(f"{c.name} fails at offset {c.at}" for c in found.candidates[:3] if c.at is not None)
    what = "no known format fits any line" + (f" (in the first line {nearest})" if nearest else "")
    fix = "See `loganon formats`, and name one with --format, or a W3C log's missing header with --fields"
    return SkippedError("no_format", what, where=path, fix=fix)


def other_format(path: str, fmt: Format) -> SkippedError:
    """The format given fits no line of a log."""
    what = f"the format {fmt.name} fits no line; nothing of it was stored"
    fix = "Leave --format out to have it detected"
    if fmt.dialect == "delimited":
        fix = "If it has no header, name its columns with --fields; if its times have no offset, give --timezone"
    return SkippedError("no_format", what, where=path, fix=fix)


def zone_note(path: str, fmt: Format, zone: tzinfo | None) -> list[str]:
    """What to tell the operator of a log whose times have no offset, where no zone is given."""
    if zone is not None or fmt.dialect != "template" or has_offset(fmt.time):
        return []
    return [f"{path}: its times have no offset and are read as UTC; see --timezone"]


def set_aside(path: str, what: str, fix: str) -> SkippedError:
    """A log that could be another than it seems: nothing of it is read."""
    return SkippedError("set_aside", f"set aside, nothing of it was read: {what}", where=path, fix=fix)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment), default=None)
