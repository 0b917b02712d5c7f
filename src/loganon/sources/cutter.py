"""Blocks of bytes as chunks of whole lines, in bounded memory."""

from __future__ import annotations

from loganon.chunks import MAX_LINE_BYTES, Chunk

TAIL_BYTES = 256
"""How many bytes before an offset tell whether a log still goes on there as it did (its marker)."""

_KEPT = MAX_LINE_BYTES + 2  # of a longer line only so much is kept: the parser still sees that it is too long


class Cutter:
    """Takes a log's bytes block by block and gives chunks that end at LF.

    `seen`: the offset behind all that was pushed; `given`: that behind the last chunk, or `start`.
    `tail`: the last 256 bytes before the end of the last chunk given, or before `start`.
    """

    def __init__(self, start: int, tail: bytes) -> None:
        self.tail = tail[-TAIL_BYTES:]
        self.given = start
        self.seen = start
        self._last = self.tail  # the last bytes seen
        self._rest = b""  # the line not yet ended, cut to what is kept of it

    @property
    def pending(self) -> int:
        """How many bytes came after the last chunk: no whole line."""
        return self.seen - self.given

    def push(self, block: bytes) -> Chunk | None:
        """The lines that end in `block`, which follows what was pushed before."""
        last = block.rfind(b"\n") + 1
        if not last:
            self._rest += block[: _KEPT - len(self._rest)]
            self._see(block)
            return None
        first = block.find(b"\n")
        if self.pending:  # the line that began in an earlier block
            head = self._rest + block[:first]
            data = b"%b\n%b" % (head[:_KEPT], block[first + 1 : last])
        else:
            data = block[:last] if last < len(block) else block
        self._rest = block[last:][:_KEPT]
        end = self.seen + last
        chunk = Chunk(data, self.given, end)
        self.tail = (self._last + block[max(0, last - TAIL_BYTES) : last])[-TAIL_BYTES:]
        self.given = end
        self._see(block)
        return chunk

    def finish(self) -> Chunk | None:
        """The unterminated end as a line, where there is one."""
        if not self.pending:
            return None
        chunk = Chunk(self._rest, self.given, self.seen)
        self.given, self.tail, self._rest = self.seen, self._last, b""
        return chunk

    def _see(self, block: bytes) -> None:
        self.seen += len(block)
        self._last = (self._last + block[-TAIL_BYTES:])[-TAIL_BYTES:]
