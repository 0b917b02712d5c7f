"""A descriptor of a regular file read from where it stands, in blocks that end with a line."""

from __future__ import annotations

import os

_LINE_BYTES = 1 << 14


class Regular:
    """`read(limit)` gives what comes next, at most `limit` bytes and up to a line that ends near; b"" at the end.

    Such a block is whole lines: it is a chunk as it is, without a copy.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, limit: int) -> bytes:
        """The next block; OSError where the descriptor cannot be read."""
        near = min(limit, _LINE_BYTES)
        begin = limit - near
        end = os.pread(self._descriptor, near, os.lseek(self._descriptor, 0, os.SEEK_CUR) + begin).rfind(b"\n") + 1
        return os.read(self._descriptor, begin + end if end else limit)

    def stop(self) -> None:
        """Nothing: all that comes is there."""
