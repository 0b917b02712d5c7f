"""Blocks of bytes as chunks of whole lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

from loganon.chunks import MAX_LINE_BYTES, Chunk

TAIL_BYTES = 256
"""How many bytes before an offset tell whether a log still goes on there as it did (its marker)."""

_KEPT = MAX_LINE_BYTES + 2  # of a longer line only so much is kept: the parser still sees that it is too long

Whole = Callable[[bytes], int]
"""How many bytes of some lines may be read without those that follow; of what it holds back no line may be too long."""


class Cutter:
    """Takes a log's bytes block by block and gives chunks that end at LF, and where `whole` lets them end.

    `seen`: the offset behind all that was pushed; `given`: that behind the last chunk, or `start`.
    `tail`: the last 256 bytes before the end of the last chunk given, or before `start`.
    """

    def __init__(self, start: int, tail: bytes, whole: Whole = len) -> None:
        self._whole = whole
        self.tail = tail[-TAIL_BYTES:]
        self.given = start
        self.seen = start
        self._last = self.tail  # the last bytes seen
        self._held = b""  # lines that wait for others
        self._rest = b""  # the line not yet ended, cut to what is kept of it

    @property
    def pending(self) -> int:
        """How many bytes came after the last chunk: no whole line."""
        return self.seen - self.given

    def reading(self, whole: Whole) -> Cutter:
        """The cutter, which from now on lets chunks end where `whole` does."""
        self._whole = whole
        return self

    def push(self, block: bytes) -> Chunk | None:
        """The lines that end in `block`, which follows what was pushed before."""
        last = block.rfind(b"\n") + 1
        if not last:
            self._rest += block[: _KEPT - len(self._rest)]
            self._see(block)
            return None
        first = block.find(b"\n")
        if self.pending > len(self._held):  # the line that began in an earlier block
            head = self._rest + block[:first]
            data = b"".join((self._held, head[:_KEPT], memoryview(block)[first:last]))
        else:
            data = block[:last] if last < len(block) else block
            data = self._held + data if self._held else data
        self._rest = block[last:][:_KEPT]
        return self._given(data, block, last)

    def _given(self, data: bytes, block: bytes, last: int) -> Chunk | None:
        """The lines `data`, which end at `last` in `block`, up to where they may end; the others are held back."""
        ready = self._whole(data)
        back = len(data) - ready
        chunk = None
        if ready:
            chunk = Chunk(data[:ready] if back else data, self.given, self.seen + last - back)
            if back <= last:
                self.tail = (self._last + block[max(0, last - back - TAIL_BYTES) : last - back])[-TAIL_BYTES:]
            else:  # all of this block's lines, and some before them, are held back
                self.tail = (self.tail + data[max(0, ready - TAIL_BYTES) : ready])[-TAIL_BYTES:]
            self.given = chunk.end
        self._held = data[ready:]
        self._see(block)
        return chunk

    def finish(self) -> Chunk | None:
        """What is held back, and the unterminated end as a line, where there is one."""
        if not self.pending:
            return None
        chunk = Chunk(self._held + self._rest, self.given, self.seen)
        self.given, self.tail, self._held, self._rest = self.seen, self._last, b"", b""
        return chunk

    def _see(self, block: bytes) -> None:
        self.seen += len(block)
        self._last = (self._last + block[-TAIL_BYTES:])[-TAIL_BYTES:]
