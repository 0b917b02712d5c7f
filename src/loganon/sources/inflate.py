"""Compressed bytes as plain ones: recognised by content, in bounded memory, with what is damaged said."""

from __future__ import annotations

import bz2
import importlib
import lzma
import re
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

from loganon.errors import ConfigurationError

MAGIC_BYTES = 16
_XZ_MEMORY = 1 << 27  # bytes; `xz -9` needs 65 MiB, and a file that asks for more counts as damaged
_ZSTD_WINDOW = 1 << 27  # bytes; what `zstd --ultra --long` writes by default

_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
_STEP = {"gzip": 1 << 16, "bzip2": 1 << 12, "xz": 1 << 12, "zstd": 1 << 9}
"""Compressed bytes given to the engine at once. gzip saves what came before an error; the others lose the output of
the call that fails, so theirs are small; zstd's engine knows no limit of output, and 512 bytes are 16 MiB at most."""

Read = Callable[[int], bytes]
"""At most so many bytes from where the last call ended; none at the end."""


def compression(beginning: bytes) -> str | None:
    """Which compression, "gzip", "bzip2", "xz" or "zstd", by a file's first 16 bytes; None: it is not compressed."""
    return next((kind for kind, magic in _MAGIC.items() if magic.match(beginning)), None)


class _DamageError(Exception):
    """The compressed bytes are not what their format says; `saved` is what came before. Never leaves this module."""

    def __init__(self, saved: bytes = b"") -> None:
        self.saved = saved
        super().__init__()


class _Member(Protocol):
    """One compressed stream of the several that a file may hold, one after the other."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused(self) -> bytes: ...

    @property
    def hungry(self) -> bool: ...

    def feed(self, data: bytes, limit: int) -> bytes: ...


class _FastGzip:
    """A member of a gzip file, as the `isal` package reads it: in a third of the time.

    What it inflated before an error is lost with it.
    """

    def __init__(self, isal: Any) -> None:  # an optional package without types of ours
        self._engine = isal.decompressobj(wbits=31)
        self._error = isal.error

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._engine.unused_data)

    @property
    def hungry(self) -> bool:
        return not self._engine.unconsumed_tail

    def feed(self, data: bytes, limit: int) -> bytes:
        try:
            return bytes(self._engine.decompress(self._engine.unconsumed_tail + data, limit))
        except self._error:
            raise _DamageError from None


class _Gzip:
    """A member of a gzip file."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def unused(self) -> bytes:
        return self._engine.unused_data

    @property
    def hungry(self) -> bool:
        return not self._engine.unconsumed_tail

    def feed(self, data: bytes, limit: int) -> bytes:
        data = self._engine.unconsumed_tail + data
        before = self._engine.copy()
        try:
            return self._engine.decompress(data, limit)
        except zlib.error:
            pass
        saved = []
        try:  # the call that failed gives nothing: all before the error comes out byte by byte
            for index in range(len(data)):
                saved.append(before.decompress(data[index : index + 1]))  # noqa: PERF401 - a comprehension would lose all
        except zlib.error:
            pass
        raise _DamageError(b"".join(saved))


class _Engine:
    """A member that one of the engines with the interface of `bz2` reads."""

    def __init__(self, engine: Any) -> None:  # bz2, lzma and compression.zstd share an interface, not a type
        self._engine = engine

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._engine.unused_data)

    @property
    def hungry(self) -> bool:
        return bool(getattr(self._engine, "needs_input", True))

    def feed(self, data: bytes, limit: int) -> bytes:
        try:
            return bytes(self._engine.decompress(data, limit))
        except Exception:  # noqa: BLE001 - each engine has an error class of its own; all mean damage
            raise _DamageError from None


class _Unlimited:
    """The `zstandard` package's engine: as that of `bz2`, without a limit of output."""

    needs_input = True

    def __init__(self, engine: Any) -> None:  # an optional package without types of ours
        self._engine = engine
        self.decompress = lambda data, _limit: engine.decompress(data)

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._engine.unused_data)


@cache
def _isal() -> Any:
    """The optional package's module with the interface of `zlib`; None where it is not installed."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None


def _zstd() -> Any:
    for module in ("compression.zstd", "zstandard"):  # the standard library's from Python 3.14 on
        try:
            zstd = importlib.import_module(module)
        except ImportError:
            continue
        if module == "zstandard":
            return _Unlimited(zstd.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj())
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})
    raise ConfigurationError(
        "this log is compressed with zstd, which this Python cannot read",
        fix="Install the package `zstandard`, or decompress it and give it to standard input: `zstd -dc LOG | …`",
    )


_MEMBERS: dict[str, Callable[[], _Member]] = {
    "gzip": _Gzip,
    "bzip2": lambda: _Engine(bz2.BZ2Decompressor()),
    "xz": lambda: _Engine(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
    "zstd": lambda: _Engine(_zstd()),
}


class Inflater:
    """The plain bytes of a compressed input, in order. `damaged`: it ended, or went on, against its format's rules.

    Several members are read as one; zero bytes after a member are padding, anything else there is damage. `again`: a
    reader of the same input from its beginning; with one gzip is read by a fast engine, and at damage once more by the
    exact one, so that all before the damage is given either way.
    """

    def __init__(self, kind: str, read: Read, again: Callable[[], Read] | None = None) -> None:
        self.damaged = False
        self._kind = kind
        self._read = read
        isal = _isal() if kind == "gzip" and again is not None else None
        self._again = None if isal is None else again
        self._make: Callable[[], _Member] = _MEMBERS[kind] if isal is None else partial(_FastGzip, isal)
        self._input = b""
        self._member: _Member | None = self._make()
        self._ended = False
        self._given = 0

    def read(self, limit: int) -> bytes:
        """At least one byte and about `limit` at most; none at the end or at damage."""
        while not self._ended:
            member = self._member or self._next()
            if member is None:
                return b""
            try:
                output = self._feed(member, limit)
            except _DamageError as damage:
                if self._again is not None:
                    self._restart(self._again())
                    continue
                self._ended = self.damaged = True
                return damage.saved
            if output:
                self._given += len(output)
                return output
        return b""

    def _restart(self, read: Read) -> None:
        """From here on the exact engine reads: from the beginning, up to where the fast one was."""
        exact = Inflater(self._kind, read)
        missing = self._given
        while missing > 0 and (block := exact.read(missing)):
            missing -= len(block)
        self._again = None
        self._read, self._make, self._input = exact._read, exact._make, exact._input
        self._member, self._ended, self.damaged = exact._member, exact._ended, exact.damaged

    def _feed(self, member: _Member, limit: int) -> bytes:
        data = b""
        if member.hungry:
            data = self._input or self._read(_STEP[self._kind])
            self._input = b""
        ended = member.hungry and not data
        output = member.feed(data, limit)
        if member.eof:
            self._input = member.unused + self._input
            self._member = None
        elif ended and not output:
            self._ended = self.damaged = True
        return output

    def _next(self) -> _Member | None:
        """The member that follows; None where there is none."""
        while len(self._input) < MAGIC_BYTES:
            self._input = self._input.lstrip(b"\0")
            more = self._read(_STEP[self._kind])
            if not more:
                break
            self._input += more
        self._input = self._input.lstrip(b"\0")
        if _MAGIC[self._kind].match(self._input):
            self._member = self._make()
            return self._member
        self._ended = True
        self.damaged = bool(self._input)
        return None
