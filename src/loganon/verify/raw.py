"""Raw logs: what the policy says of them, held against their age and their names."""

from __future__ import annotations

import glob
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from loganon.patterns import unreadable_folder, unreadable_folders
from loganon.periods import parse_period
from loganon.policy import Policy
from loganon.verify.findings import Findings, shown

AFTER_INGEST = timedelta(days=2)
"""A log that nobody has written for this long was to be ingested, and removed, by a nightly run."""
_FIX = "Run as a user who may, or name another"
_NAME_DATE = re.compile(r"(?<![0-9])(20[0-9]{2})([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])(?![0-9]{3})")
_ERROR = re.compile(r"(?<![a-z])err(?:or)?s?(?![a-z])", re.IGNORECASE)


def check_raw(policy: Policy, findings: Findings, patterns: Sequence[str], now: datetime) -> None:
    """The files that the patterns match are no older than `[raw]` says; their newest line counts, not their oldest."""
    if not patterns:
        findings.skip("raw", "no --raw was given")
        return
    for pattern in patterns:
        found = list(_files(pattern))
        closed = unreadable_folder(pattern)
        if closed is not None:
            findings.add(
                "raw",
                str(Path(closed).absolute()),
                "this user may not read the folder of raw logs",
                clauses=(),
                fix=_FIX,
            )
        elif not found:
            findings.note("raw", f"no file matches {shown(pattern)}")
        for folder in unreadable_folders(pattern):
            findings.note("raw", f"this user may not read {shown(folder)}")
        for path, newest, size in found:
            is_error = _ERROR.search(path.name) is not None
            rule = policy.raw.error if is_error else policy.raw.access
            what = _breach(rule, newest, now) if size else ""
            if what:
                findings.add("raw", str(path.absolute()), what, clauses=("raw.error" if is_error else "raw.access",))


def _files(pattern: str) -> Iterator[tuple[Path, datetime | None, int]]:
    """Each regular file with its newest moment (None: not known) and its size; of a link what it leads to."""
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - the pattern is the operator's, from any root
        path = Path(name)
        try:
            found = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield path, _newest(path.name, found.st_mtime), found.st_size


def _newest(name: str, changed: float) -> datetime | None:
    """When the last line was written: the last change, or the end of the day in the name where that is earlier.

    The end is still of that day: by the calendar an age from the first of March ends days later than one from 28
    February. None: no name says it, and the last change is in no year of the calendar.
    """
    try:
        moment = datetime.fromtimestamp(changed, UTC)
    except (ValueError, OverflowError, OSError):  # file systems know years beyond 9999, and before 1
        moment = None
    match = _NAME_DATE.search(name)
    try:
        named = date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:  # 31 February
        named = None
    if named is None:
        return moment
    end = datetime.combine(named, time.max, UTC)
    return end if moment is None else min(moment, end)


def _breach(rule: str, newest: datetime | None, now: datetime) -> str:
    """What of the rule a file breaks; nothing if it holds."""
    if rule == "never written":
        return f'a raw log stands, and the policy says "{rule}"'
    if newest is None:
        return f'a raw log was last changed in no year of the calendar, and the policy says "{rule}"'
    last = f"a raw log has its last line of {newest:%Y-%m-%d}"
    if rule == "removed after ingest":
        return f'{last}, and the policy says "{rule}"' if now - newest > AFTER_INGEST else ""
    gone = parse_period(rule.removeprefix("kept ")).after(newest.date())
    due = datetime.combine(gone, newest.timetz()) if gone < date.max else datetime.max.replace(tzinfo=UTC)
    over = now - due > timedelta.resolution  # the end of a day in a name is that much before 24:00
    return f'{last}, and the policy says "{rule}"' if over else ""
