"""A page's file: written whole or not at all, for its owner only, never into a store and never over a link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from loganon.errors import CannotWriteError, ConfigurationError

_MODE = 0o600


def write_page(path: Path, text: str, stores: Sequence[str], *, option: str) -> None:
    """The file at `path` has this text (UTF-8): a reader sees it before or after, never between.

    A new file is the owner's only (0600); one that is replaced keeps its mode, so that a page that was opened to others
    once stays so. `option` is the one that named the path. 78 for a path inside a store, for a link and whatever else
    is no regular file; 73 where it cannot be written.
    """
    if any(path.resolve().is_relative_to(Path(store).resolve()) for store in stores if "://" not in store):
        raise ConfigurationError("the file lies inside the store", where=str(path), fix=f"Give {option} another place")
    try:
        mode = _mode(path, option)
        waiting = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    except OSError as error:
        raise _refused(error, path, option) from None
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(descriptor)
        waiting.replace(path)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        raise _refused(error, path, option) from None


def _refused(error: OSError, path: Path, option: str) -> CannotWriteError:
    fix = f"Give {option} a path that can be written"
    return CannotWriteError(f"cannot write the file ({error.strerror})", where=str(path), fix=fix)


def _mode(path: Path, option: str) -> int:
    """The mode that the file is to have."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return _MODE
    if not stat.S_ISREG(found.st_mode):
        kind = "link" if stat.S_ISLNK(found.st_mode) else "directory" if stat.S_ISDIR(found.st_mode) else "device"
        raise ConfigurationError(
            f"the file is a {kind}, which is not written over", where=str(path), fix=f"Give {option} another path"
        )
    return stat.S_IMODE(found.st_mode) & 0o666
