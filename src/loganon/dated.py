"""Dated files outside the store that the policy gives an age: those that are past it, and their deletion.

Only regular files go that lie in the directory the policy names and whose whole name matches; no link is followed,
neither in the directory's path nor below it, no directory below is entered, no other device, and nothing of the store.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loganon.errors import printable

if TYPE_CHECKING:
    from loganon.policy import Policy
    from loganon.policy.elsewhere import AlsoExpire

_DATE = re.compile(
    r"(?<![0-9])(19[7-9][0-9]|[2-9][0-9]{3})([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])(?![0-9]{3})"
)
"""A date from 1970 on: an earlier one is a serial number, or seconds since 1970 (1801012345 is in 2027)."""
_NO_START = {
    "name": "has no date in its name, or several",
    "modified": "was last changed in no year of the calendar",
}
"""Why the age of a file cannot be said, by from when it runs."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class DatedFile:
    """A file past its age: the `entry` of the policy by name, its path, the day on which it was to go, what is done.

    `path` is for people, `name` is the file's own in its directory, whatever bytes it has. `held`: the day until which
    a hold keeps it; `stamp`: what it was when it was found.
    """

    entry: str
    name: str
    path: str
    due: date
    delete: bool
    held: date | None
    stamp: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Blind:
    """A path of an `entry` of the policy that could not be judged, and why; `missing`: there is no such directory."""

    entry: str
    path: str
    reason: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """What was found: files past their age, in order, and what could not be judged."""

    files: tuple[DatedFile, ...] = ()
    blind: tuple[Blind, ...] = ()

    @property
    def overdue(self) -> tuple[DatedFile, ...]:
        """The files that no hold keeps."""
        return tuple(file for file in self.files if file.held is None)


def load_dated(policy: Policy, *, today: date, due: date | None = None, store: Path | None = None) -> Dated:
    """The files that the policy's `[[also_expire]]` lets stand no longer on `today`; `store` is no place for them.

    `due`: those, too, whose age comes until that day; a hold keeps what it keeps on `today` all the same.
    """
    files: list[DatedFile] = []
    blind: list[Blind] = []
    for entry in policy.also_expire:
        try:
            with _folder(entry, store) as folder:
                files += _past(policy, entry, folder, (today, due or today), blind)
        except OSError as error:
            blind.append(
                Blind(
                    entry.name, entry.folder, error.strerror or "cannot be read", isinstance(error, FileNotFoundError)
                )
            )
    return Dated(tuple(files), tuple(blind))


def apply_dated(policy: Policy, found: Dated, *, store: Path | None = None) -> tuple[Sequence[str], Sequence[Blind]]:
    """The paths of the files that are gone, and what could not be deleted; only what the policy says to delete goes."""
    gone: list[str] = []
    left: list[Blind] = []
    for entry in policy.also_expire:
        due = [file for file in found.overdue if file.delete and file.entry == entry.name]
        if not due:
            continue
        try:
            with _folder(entry, store) as folder:
                gone += [file.path for file in due if _delete(folder, file, left)]
                os.fsync(folder)
        except OSError as error:
            left.append(Blind(entry.name, entry.folder, error.strerror or "failed"))
    return gone, left


@contextmanager
def _folder(entry: AlsoExpire, store: Path | None) -> Iterator[int]:
    """The directory that the entry names, opened step by step, so that no link is on the way to it."""
    home = store.stat() if store is not None and store.is_dir() else None
    at = os.open("/", _DIRECTORY)
    try:
        for part in entry.folder.split("/")[1:]:
            try:
                below = os.open(part, _DIRECTORY, dir_fd=at)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise OSError(0, "is a link, or its path has one: name it by its real path") from None
                raise
            os.close(at)
            at = below
            found = os.fstat(at)
            if home is not None and (found.st_dev, found.st_ino) == (home.st_dev, home.st_ino):
                raise OSError(0, "lies in the store, which has its own age")
        yield at
    finally:
        os.close(at)


def _past(
    policy: Policy, entry: AlsoExpire, folder: int, days: tuple[date, date], blind: list[Blind]
) -> Iterator[DatedFile]:
    (today, last), device = days, os.fstat(folder).st_dev
    ends = [hold.until for hold in policy.hold if hold.scope == entry.name and hold.stands(today)]
    for name in sorted(filter(entry.matches, os.listdir(folder))):
        path = printable(f"{entry.folder}/{name}")
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:  # gone since the directory was read
            continue
        if not stat.S_ISREG(found.st_mode) or found.st_dev != device:
            blind.append(Blind(entry.name, path, "is no regular file of its directory's device"))
            continue
        start = _start(entry, name, found)
        if start is None:
            blind.append(Blind(entry.name, path, _NO_START[entry.start]))
            continue
        due = entry.age.after(start)
        if due <= last:
            delete = entry.action == "delete"
            yield DatedFile(entry.name, name, path, due, delete, max(ends, default=None), _stamp(found))


def _start(entry: AlsoExpire, name: str, found: os.stat_result) -> date | None:
    if entry.start == "modified":
        try:
            return datetime.fromtimestamp(found.st_mtime, UTC).date()
        except (ValueError, OverflowError, OSError):  # file systems know years beyond 9999, and before 1
            return None
    days = set()
    for match in _DATE.finditer(name):
        try:
            days.add(date(int(match[1]), int(match[3]), int(match[4])))
        except ValueError:  # 31 February
            return None
    return days.pop() if len(days) == 1 else None


def _delete(folder: int, file: DatedFile, left: list[Blind]) -> bool:
    """True if the file that was found is gone."""
    try:
        if _stamp(os.stat(file.name, dir_fd=folder, follow_symlinks=False)) != file.stamp:
            left.append(Blind(file.entry, file.path, "has changed since it was looked at"))
            return False
        os.unlink(file.name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        left.append(Blind(file.entry, file.path, error.strerror or "failed"))
        return False
    return True


def _stamp(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
