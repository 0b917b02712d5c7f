"""A log from a binary stream, read once: standard input."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from types import TracebackType
from typing import Protocol, Self

from loganon.chunks import Chunk
from loganon.errors import UnreadableInputError
from loganon.sources.cutter import Cutter, Whole
from loganon.sources.files import BEGINNING_BYTES, CHUNK_BYTES
from loganon.sources.inflate import MAGIC_BYTES, Inflater, compression

_BLOCK_BYTES = 1 << 19
_HELD_BYTES = 8 << 20
"""Of a stream, which cannot be read again, no more is held before its format is told."""


class Readable(Protocol):
    """What a stream is read from."""

    def read(self, limit: int, /) -> bytes:
        """At most `limit` bytes; none at the end."""
        ...


class Stream:
    """The interface of `files.Log` over a stream: it cannot be read again, so its unterminated end is a line."""

    def __init__(self, stream: Readable) -> None:
        self.damaged: int | None = None
        self._stream = stream
        self._cutter = Cutter(0, b"")
        self._ahead = self._raw(MAGIC_BYTES)
        self.compression = compression(self._ahead)
        self._inflater: Inflater | None = None
        if self.compression is not None:
            compressed = self._ahead
            self._ahead = b""

            def read(limit: int) -> bytes:
                nonlocal compressed
                block, compressed = compressed, b""
                return block or self._raw(limit)

            self._inflater = Inflater(self.compression, read)

    @property
    def tail(self) -> bytes:
        """The last 256 bytes before the end of the last chunk given."""
        return self._cutter.tail

    @property
    def pending(self) -> int:
        """How many bytes came after the last chunk: no whole line."""
        return self._cutter.pending

    @property
    def position(self) -> int:
        """Bytes of the content that were read."""
        return self._cutter.seen

    def beginning(self, limit: int = BEGINNING_BYTES) -> bytes:
        """The first `limit` bytes of the content, or all of a shorter one; `chunks` gives them again."""
        while len(self._ahead) < limit and (block := self._more(limit - len(self._ahead))):
            self._ahead += block
        return self._ahead[:limit]

    def seek(self, done: int) -> bytes | None:
        """No bytes before the beginning; None for any other offset: a stream cannot be positioned."""
        return b"" if done == 0 else None

    def following(self, limit: int = BEGINNING_BYTES) -> bytes:
        """As `beginning`: what is before that was not given yet, either."""
        return self.beginning(limit)

    def blocks(self) -> Iterator[bytes]:
        """The content from its beginning, in blocks, as far as it is held in memory; `chunks` gives it again."""
        seen = 0
        while seen < _HELD_BYTES and (block := self.beginning(seen + _BLOCK_BYTES)[seen:]):
            seen += len(block)
            yield block

    def chunks(
        self,
        *,
        final: bool = True,  # noqa: ARG002 - as in Log
        first: Iterable[int] = (),
        chunk_bytes: int = CHUNK_BYTES,
        whole: Whole = len,
    ) -> Iterator[Chunk]:
        """The content as chunks of about `chunk_bytes`, the `first` ones of so many, that end at LF, and where `whole`
        lets them, then the rest.
        """
        cutter = self._cutter.reading(whole)
        sizes = chain(first, repeat(chunk_bytes))
        while block := self._block(min(next(sizes), chunk_bytes)):
            chunk = cutter.push(block)
            if chunk is not None:
                yield chunk
            del block, chunk  # memory that is used again is cheaper than more of it
        if self._inflater is not None and self._inflater.damaged:
            self.damaged = cutter.seen
            return
        last = cutter.finish()
        if last is not None:
            yield last

    def retest(self) -> bool:
        """True: a stream is read once."""
        return True

    def close(self) -> None:
        """Nothing: the stream is its owner's to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _block(self, size: int) -> bytes:
        block, self._ahead = self._ahead[:size], self._ahead[size:]
        return block or self._more(size)

    def _more(self, limit: int) -> bytes:
        return self._raw(limit) if self._inflater is None else self._inflater.read(limit)

    def _raw(self, limit: int) -> bytes:
        try:
            return waited(self._stream, limit)
        except OSError as error:
            what = f"standard input cannot be read: {error.strerror}"
            raise UnreadableInputError(what, fix="Check the command before the pipe") from None


def waited(stream: Readable, limit: int) -> bytes:
    """What the stream gives, at most `limit` bytes; none at its end, which an empty pipe is not.

    Of a descriptor that others have made non-blocking Python gives None where nothing has come yet.
    """
    while True:
        block: bytes | None = stream.read(limit)
        if block is not None:
            return block
        _wait(stream)


def _wait(stream: Readable) -> None:
    """Nothing, once something has come or the stream has ended; OSError where that cannot be told."""
    try:
        descriptor = stream.fileno()  # type: ignore[attr-defined]  # asked for only of what said that it would block
    except (AttributeError, ValueError):
        raise BlockingIOError(errno.EAGAIN, "nothing has come yet, and it has no descriptor to wait for") from None
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
