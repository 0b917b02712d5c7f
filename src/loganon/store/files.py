"""The few operations by which a store changes a file system, in one class, so that each can be counted, failed or lost.

Modes are explicit: the umask neither widens nor narrows them. No operation follows a link in its last component.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loganon.errors import CannotWriteError, InputOutputError, LoganonError
from loganon.renames import exchange

_CANNOT_WRITE = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)
)

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def is_full(error: OSError) -> bool:
    """Whether the operation failed for want of room, which deleting gives back."""
    return error.errno in _FULL


@dataclass(frozen=True, slots=True)
class Modes:
    """Modes of files and directories, and the group they belong to (None: the process's)."""

    file: int = 0o600
    directory: int = 0o700
    gid: int | None = None


PRIVATE = Modes()


class Files:
    """The real file system. Every method raises OSError."""

    def create(self, path: Path, modes: Modes) -> int:
        """A descriptor of a new, empty file; the name must be free."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return _owned(os.open(path, flags, 0o600), modes)

    def append(self, path: Path, modes: Modes) -> int:
        """A descriptor of an existing or new file, writing at its end."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return _owned(os.open(path, flags, 0o600), modes)

    def write(self, descriptor: int, data: bytes) -> None:
        """All of `data` is handed to the system."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync(self, descriptor: int) -> None:
        """The file's bytes are on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """The descriptor is free."""
        os.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        """The directory's names are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """`target` is what `source` was."""
        source.replace(target)

    def exchange(self, one: Path, other: Path) -> None:
        """Each of the two names is what the other was, in one step."""
        exchange(one, other)

    def unlink(self, path: Path, *, at: int | None = None) -> None:
        """The name is gone; `at`: a descriptor of the directory that holds it."""
        os.unlink(path if at is None else path.name, dir_fd=at)

    def rmdir(self, path: Path, *, at: int | None = None) -> None:
        """The empty directory is gone; `at` as for `unlink`."""
        os.rmdir(path if at is None else path.name, dir_fd=at)

    def mkdir(self, path: Path, modes: Modes) -> None:
        """The directory exists with these modes; one that stood already is taken, a link or a file is not."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise
        found = path.lstat()
        if found.st_uid == os.geteuid():
            if modes.gid not in (None, found.st_gid):
                os.chown(path, -1, modes.gid or 0, follow_symlinks=False)
            if stat.S_IMODE(path.lstat().st_mode) != modes.directory:
                path.chmod(modes.directory)

    def read(self, path: Path) -> bytes:
        """The file's bytes; a link, a pipe or a device is an error."""
        with open_regular(path) as file:
            return file.read()

    def open_lock(self, path: Path) -> int:
        """A descriptor of the lock file, made if it is missing."""
        return _owned(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), PRIVATE)

    def try_lock(self, descriptor: int) -> bool:
        """True if this descriptor now holds the kernel's lock; it goes with the descriptor."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def pause(self, seconds: float) -> None:
        """Some time has passed."""
        time.sleep(seconds)


def open_regular(path: Path | str, *, at: int | None = None) -> BinaryIO:
    """The regular file at `path`, open to be read; OSError for anything else, which is neither followed nor waited for.

    `at`: a descriptor of the directory that holds it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(kind, "is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def put(files: Files, path: Path, data: bytes, modes: Modes = PRIVATE) -> None:
    """A new file with these bytes, on the disk; its name is not, until the directory is synced."""
    descriptor = files.create(path, modes)
    try:
        files.write(descriptor, data)
        files.sync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        files.close(descriptor)


def put_by(files: Files, waiting: Path, path: Path, data: bytes) -> None:
    """The file at `path` has these bytes, on the disk, by way of `waiting`: before or after, never between."""
    put(files, waiting, data)
    files.rename(waiting, path)
    files.sync_directory(path.parent)


@contextmanager
def reported(where: Path) -> Iterator[None]:
    """A block whose OSError becomes the error the operator sees: 73 where the store cannot be written, else 74."""
    try:
        yield
    except OSError as error:
        raise failure(error, where) from None


def failure(error: OSError, where: Path) -> LoganonError:
    """The operator's error for an OSError; it names the file, or else `where`."""
    name = str(error.filename or where)
    what = error.strerror or "an operation on a file failed"
    if error.errno in _CANNOT_WRITE:
        return CannotWriteError(
            f"cannot write the store: {what}",
            where=name,
            fix="Check owner, mode, free space and mount options; what was committed stands",
        )
    if error.errno == errno.ENOENT:
        return missing_part(Path(name))
    return InputOutputError(
        f"an operation on the store failed: {what}", where=name, fix="Check the disk, then run again"
    )


def missing_part(path: Path) -> InputOutputError:
    """The operator's error for a part of a store that was there and is not."""
    fix = "Restore the whole store from a backup, as docs/operations.md says; a part alone does not fit the rest"
    return InputOutputError("a part of the store is missing", where=str(path), fix=fix)


def _owned(descriptor: int, modes: Modes) -> int:
    """The descriptor, its file now with these modes; another user's file is left as it is."""
    try:
        found = os.fstat(descriptor)
        if found.st_uid == os.geteuid():
            if modes.gid not in (None, found.st_gid):
                os.fchown(descriptor, -1, modes.gid or 0)
            if stat.S_IMODE(found.st_mode) != modes.file:
                os.fchmod(descriptor, modes.file)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
