"""What comes while it is read and cannot be read again: standard input, syslog. In memory only, and not much of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from loganon.chunks import Chunk
from loganon.sources.cutter import Cutter, Whole
from loganon.sources.files import BEGINNING_BYTES, CHUNK_BYTES


class Feed(Protocol):
    """Where bytes come from, read ahead up to a bound by a thread of its own."""

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not taken."""
        ...

    @property
    def ended(self) -> bool:
        """Nothing more comes."""
        ...

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes of what has come; none if nothing has. OSError where it cannot be read."""
        ...

    def stop(self) -> None:
        """What has come is all that comes."""
        ...

    def close(self) -> None:
        """Its descriptors are free."""
        ...


class Live:
    """The lines of a feed as they come. `log`: what it is called.

    `beginning`: its first bytes, as far as they have come.
    """

    def __init__(self, log: str, feed: Feed) -> None:
        self.log = log
        self.feed = feed
        self.beginning = b""
        self._cutter = Cutter(0, b"")
        self._ahead = b""

    @property
    def tail(self) -> bytes:
        """The last 256 bytes before the end of the last chunk given."""
        return self._cutter.tail

    @property
    def given(self) -> int:
        """The offset of the end of the last chunk given."""
        return self._cutter.given

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not given, the unfinished line included."""
        return len(self._ahead) + self.feed.waiting + self._cutter.pending

    @property
    def ended(self) -> bool:
        """All that ever comes was given."""
        return self.feed.ended and not self.waiting

    def peek(self, limit: int) -> bytes:
        """The next bytes, at most `limit`, as far as they have come; `chunks` gives them again."""
        while len(self._ahead) < limit and (block := self._take(limit - len(self._ahead))):
            self._ahead += block
        return self._ahead[:limit]

    def discard(self, size: int) -> None:
        """The next `size` bytes, peeked at before, are not given."""
        self._ahead = self._ahead[size:]

    def chunks(self, whole: Whole = len) -> Iterator[Chunk]:
        """What has come as chunks that end at LF, and where `whole` lets them; at the end of the feed, the rest too."""
        cutter = self._cutter.reading(whole)
        while block := self._next():
            chunk = cutter.push(block)
            if chunk is not None:
                yield chunk
        if self.feed.ended and not self.feed.waiting:
            last = cutter.finish()
            if last is not None:
                yield last

    def _next(self) -> bytes:
        block, self._ahead = self._ahead, b""
        return block or self._take(CHUNK_BYTES)

    def _take(self, limit: int) -> bytes:
        block = self.feed.take(limit)
        if len(self.beginning) < BEGINNING_BYTES:
            self.beginning += block[: BEGINNING_BYTES - len(self.beginning)]
        return block
