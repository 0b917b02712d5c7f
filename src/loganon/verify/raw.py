"""Raw logs: what the policy says of them, held against their age and their names."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from loganon.buckets import is_object
from loganon.periods import parse_period
from loganon.policy import Policy
from loganon.verify.findings import Findings, shown

AFTER_INGEST = timedelta(days=2)
"""A log that nobody has written for this long was to be ingested, and removed, by a nightly run."""
_CLAUSES = ("raw.access", "raw.error")
_LOOK = "Have the user look who may, or hold them to the policy by other means"
_NAME_DATE = re.compile(r"(?<![0-9])(20[0-9]{2})([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])(?![0-9]{3})")
_ERROR = re.compile(r"(?<![a-z])err(?:or)?s?(?![a-z])", re.IGNORECASE)


def check_raw(policy: Policy, findings: Findings, patterns: Sequence[str], now: datetime) -> None:
    """The files that the patterns match are no older than `[raw]` says; their newest line counts, not their oldest."""
    if not patterns:
        findings.skip("raw", "no --raw was given")
        return
    for pattern in patterns:
        blind = list(_blind(pattern))
        for place, why, meant in blind:
            if meant:
                findings.add("raw", _absolute(place), f"raw logs are not judged: {why}", fix=_LOOK, clauses=_CLAUSES)
            else:
                findings.note("raw", f"{shown(place)} is left out: {why}")
        found = [] if is_object(pattern) else list(_files(pattern))
        if not found and not blind:
            findings.note("raw", f"no file matches {shown(pattern)}")
        for path, newest, size in found:
            is_error = _ERROR.search(path.name) is not None
            rule = policy.raw.error if is_error else policy.raw.access
            what = _breach(rule, newest, now) if size else ""
            if what:
                findings.add("raw", str(path.absolute()), what, clauses=("raw.error" if is_error else "raw.access",))


def _blind(pattern: str) -> Iterator[tuple[str, str, bool]]:
    """Where logs of the pattern could lie and nobody can look, and why: a bucket, a folder that is closed to this user.

    A folder is looked at as far as the pattern leads through it; and said to be meant, or to be one among others that a
    wildcard finds.
    """
    if is_object(pattern):
        yield pattern, "they lie in a bucket, whose own rules delete them", True
        return
    steps = pattern.split("/")
    for count in range(1, len(steps)):
        above = "/".join(steps[:count]) or "/"
        meant = not glob.has_magic(above)
        for folder in [above] if meant else sorted(glob.glob(above, recursive=True)):  # noqa: PTH207 - as below
            try:
                if glob.has_magic(steps[count]):
                    os.scandir(folder).close()
                os.stat(f"{folder}/.")  # noqa: PTH116 - a path drops the dot, which asks for the right to enter
            except PermissionError as error:
                yield folder, f"the folder cannot be read ({error.strerror})", meant
                if meant:
                    return
            except OSError:  # it is not there, or no folder
                continue


def _absolute(place: str) -> str:
    return place if is_object(place) else str(Path(place).absolute())


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
