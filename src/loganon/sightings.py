"""Which file lay where when a round began: what a path leads to may have been rotated before it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from loganon.sources import Source
from loganon.sources.files import BEGINNING_BYTES, Log
from loganon.sources.identity import Beginning


@dataclass(frozen=True, slots=True)
class Sighting:
    """A log as it was seen: device and inode, size and time of change, and a digest of the first `length` bytes of its
    content, which is 0 where no line tells it from others yet.
    """

    file: tuple[int, int]
    size: int
    modified: int
    length: int
    digest: bytes

    def holds(self, source: Source) -> bool:
        """Whether it still is that log, grown or not; one of which nothing was seen has not grown."""
        if not isinstance(source, Log) or (source.device, source.inode) != self.file or source.size < self.size:
            return False
        if (source.size, source.modified) == (self.size, self.modified):
            return True
        return self.length > 0 and _digest(source.beginning(BEGINNING_BYTES)[: self.length]) == self.digest


def sight(log: Log, start: bytes, beginning: Beginning) -> Sighting:
    """The log as it is; `start`: the first bytes of its content, and what of them tells it from others."""
    told = start if beginning.lines else b""
    return Sighting((log.device, log.inode), log.size, log.modified, len(told), _digest(told))


def _digest(start: bytes) -> bytes:
    return hashlib.blake2b(start, digest_size=16).digest()
