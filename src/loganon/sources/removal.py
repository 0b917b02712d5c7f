"""A log that is wholly counted is removed, if it still is the file that was read and nobody writes to it.

It is renamed aside within its directory first, without replacing anything: from then on nobody finds it by its name, so
what is looked at is what goes. Whatever speaks against it puts it back. A process that is killed in between leaves the
file aside: `left_behind` finds it again by its name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import signal
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from loganon.errors import printable
from loganon.renames import rename_new

ASIDE = ".*.counted"
"""A glob of the names of what lies aside."""

_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]{16}\.counted")


@dataclass(frozen=True, slots=True)
class Counted:
    """A log as it was when it was read to its end: where it lies, device and inode, size in bytes, mtime in ns."""

    path: Path
    device: int
    inode: int
    size: int
    modified: int


def remove_counted(log: Counted) -> str | None:
    """None: the log is gone, durably. Else why it stays; it then lies where it lay."""
    try:
        path = log.path.resolve(strict=True)  # a link's own directory may be another
    except OSError as error:
        return f"it cannot be found ({_reason(error)})"
    reason = _objection(log, path)  # a log that is still written to is not even moved
    if reason is not None:
        return reason
    aside = path.with_name(f".{name_before(path.name)}.{secrets.token_hex(8)}.counted")
    try:
        rename_new(path, aside)
    except OSError as error:
        return f"it cannot be renamed ({_reason(error)})"
    reason = _objection(log, aside, remove=True)
    if reason is None:
        return None
    try:
        rename_new(aside, path)
    except OSError as error:
        return f"{reason}; it lies at {printable(str(aside))} and cannot be put back ({_reason(error)})"
    return reason


def name_before(name: str) -> str:
    """The name of a log before it was put aside; any other name as it is."""
    aside = _ASIDE.fullmatch(name)
    return aside[1] if aside else name


def left_behind(logs: Iterable[Path], stream: Callable[[str], str] = str) -> list[Path]:
    """What lies aside of any of these logs since a process that removed it was killed.

    `stream`: what has the same by its name, beside such a log, is of them, too: a date in a name does not come again.
    """
    names: dict[Path, set[str]] = {}
    for log in logs:
        path = log.resolve()
        names.setdefault(path.parent, set()).add(path.name)
    found = []
    for folder, wanted in names.items():
        try:
            here = sorted(entry.name for entry in os.scandir(folder))
        except OSError:  # whoever reads the log says so
            continue
        aside = [name for name in here if name_before(name) != name and name not in wanted]
        streams = set(map(stream, wanted))
        found += [folder / name for name in aside if stream(name_before(name)) in streams]
    return found


def _objection(log: Counted, path: Path, *, remove: bool = False) -> str | None:
    """Why the file at `path` is not to go; None: nothing speaks against it, and with `remove` it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be opened ({_reason(error)})"
    try:
        reason = _difference(log, descriptor)
        if reason is None and remove:
            path.unlink()
            _sync(path.parent)
    except OSError as error:
        return f"it cannot be removed ({_reason(error)})"
    finally:
        os.close(descriptor)
    return reason


def _difference(log: Counted, descriptor: int) -> str | None:
    """What differs from when the log was read, or who may yet write to it. The lease ends with the descriptor."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) != (log.device, log.inode):
        return "another file has taken its place"
    try:  # the kernel grants a read lease only where nobody has the file open for writing
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # who opens it meanwhile would send SIGIO, which ends us
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return "a writer has it open"
        return f"whether a writer has it open cannot be told ({_reason(error)})"
    found = os.fstat(descriptor)  # tested under the lease: nobody can write any more
    if (found.st_size, found.st_mtime_ns) != (log.size, log.modified):  # it may be others of the same length by now
        return "it has grown" if found.st_size > log.size else "it has changed"
    if fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK:  # whoever opens it waits for us
        return "a writer has it open"
    return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or "failed"
