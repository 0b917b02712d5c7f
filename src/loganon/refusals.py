"""Why nothing of a log is read, in the operator's words: paths and offsets, never a line."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from loganon.errors import UnreadableDataError
from loganon.formats import Format
from loganon.parse.clock import has_offset
from loganon.parse.detect import SHARE, Detection

if TYPE_CHECKING:
    from loganon.store import Record


class SkippedError(UnreadableDataError):
    """A log of which nothing is read; `reason` as in the summary."""

    def __init__(self, reason: str, what: str, *, where: str, fix: str = "") -> None:
        self.reason = reason
        super().__init__(what, where=where, fix=fix)


def recorded_zone(path: str, last: Record | None) -> tzinfo | None:
    """The zone that a log's record names; SkippedError where this system does not know it."""
    if last is None or last.timezone is None:
        return None
    try:
        return ZoneInfo(last.timezone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        what = f"its recorded time zone {last.timezone} is not known here"
        raise SkippedError("no_format", what, where=path, fix="Install the tz database, or give --timezone") from None


def error_log(path: str, kind: str, fix: str = "Name the access log") -> SkippedError:
    """A log that holds messages, not accesses."""
    what = f"an error log ({kind}): it holds messages, not accesses"
    return SkippedError("error_log", what, where=path, fix=fix)


def unknown_format(path: str, found: Detection) -> SkippedError:
    """No format fits a log: the nearest ones, and where or how far each failed (offsets and shares, never text)."""
    if found.other:
        return no_log(path, found.other)
    fix = (
        "See `loganon formats`, and name one with --format, or say what it is: the server's own string (--format), "
        "the keys of your JSON (--format-file, docs/formats.md), a W3C log's missing header (--fields)"
    )
    return SkippedError("no_format", what_fits(found), where=path, fix=fix)


def what_fits(found: Detection) -> str:
    """That no format fits: where the nearest failed, or how many lines each takes where several take some."""
    first = found.candidates[:3]
    if partly := ", ".join(f"{each.name} {each.share:.0%}" for each in first if 0 < each.share < SHARE):
        return f"no known format fits 95 % of the first {found.lines} lines ({partly})"
    nearest = ", ".join(f"{each.name} fails at offset {each.at}" for each in first if each.at is not None)
    return "no known format fits any line" + (f" (in the first line {nearest})" if nearest else "")


def no_log(path: str, what: str) -> SkippedError:
    """Something known that is no access log: `what`."""
    return SkippedError("no_format", what, where=path, fix="Name the access log")


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
