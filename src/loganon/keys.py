"""The key of the fingerprints: 32 random bytes in a file outside every store.

Whoever holds the key and a store can tell whether a log he already has was counted; without it the fingerprints say
nothing. A lost key stops ingestion rather than making every log look new.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from loganon.errors import CannotWriteError, ConfigurationError, InputOutputError
from loganon.paths import require_path

_LEAST = 16
_MOST = 4096
"""A longer file is something else, given by mistake: a log, which changes, or a device that never ends."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key; its bytes never show in a repr. `shared`: where it lies, if every user of the system may read it there."""

    secret: bytes = field(repr=False)
    shared: str = field(default="", compare=False)

    @property
    def check(self) -> str:
        """What a store keeps to recognise its key: HMAC-SHA-256 of a constant, in hex."""
        return hmac.new(self.secret, b"loganon key check 1", hashlib.sha256).hexdigest()


def make_key(secret: bytes, *, where: str = "key", shared: bool = False) -> Key:
    """The key of these bytes, without blanks around them; ConfigurationError where they are too few."""
    secret = secret.strip()
    if len(secret) < _LEAST:
        raise ConfigurationError(
            f"the key is shorter than {_LEAST} bytes", where=where, fix="Restore it from your backup"
        )
    return Key(secret, where if shared else "")


def load_key(path: Path, *, store: Path | None = None) -> Key | None:
    """The key in `path`, None where there is no such file. A key inside `store` is refused (ConfigurationError)."""
    require_path(path, "the key")
    if store is not None and path.resolve().is_relative_to(store.resolve()):
        raise ConfigurationError(
            "the key lies inside the store", where=str(path), fix="Keep it elsewhere: --key-file /etc/loganon/key"
        )
    try:
        with path.open("rb") as file:
            secret = file.read(_MOST + 1)
            shared = bool(os.fstat(file.fileno()).st_mode & stat.S_IRWXO)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            raise InputOutputError("the key cannot be read: the disk fails", where=str(path), fix="Run again") from None
        raise ConfigurationError(
            f"cannot read the key ({error.strerror})", where=str(path), fix="Make it readable, or give --key-file"
        ) from None
    if len(secret) > _MOST:
        raise ConfigurationError(
            f"this is no key: it is longer than {_MOST} bytes", where=str(path), fix="Name the key with --key-file"
        )
    return make_key(secret, where=str(path), shared=shared)


def create_key(path: Path) -> Key:
    """A new key, written to `path` (0600, its directory 0700) before it is used; an existing one wins a race."""
    text = secrets.token_hex(32).encode()
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)  # unlike a rename, it never replaces another process's key
        except FileExistsError:
            pass
        finally:
            partial.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write the key ({error.strerror})",
            where=str(path),
            fix="Give --key-file a path that can be written",
        ) from None
    key = load_key(path)
    if key is None:
        raise ConfigurationError("the key vanished while it was made", where=str(path), fix="Try again")
    return key
