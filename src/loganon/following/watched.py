"""A log that is watched: what is known of it from one look to the next, and what may stand in the way of looking."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from loganon.errors import MissingInputError
from loganon.sources.files import place_of

SLACK = 5.0  # seconds by which the clock of a file system may differ from ours

Stamp = tuple[int, int]
"""Size and mtime in ns."""


@dataclass(frozen=True, slots=True)
class Look:
    """When the logs were looked at: `moment`, in seconds of a clock that never steps, and `wall`, the file system's."""

    moment: float
    wall: float

    def since(self, before: Look) -> float:
        """The least that the file system's clock can have said since an earlier look, if it was set back, too."""
        return min(before.wall, self.wall - (self.moment - before.moment)) - SLACK


@dataclass(slots=True, eq=False)
class Watched:
    """A log that is held. `log`: the watched path by which it was found, `pattern`: what led to that path, `others`:
    what led to its other names; `stamp`: as at the last scan; `done`: bytes of it that are read.

    `named`: a watched path leads to it; `copy`: it was found beside that path, as a rotated form of its log, and is
    read once it is `settled`, the same at two scans. `failed`: why it could not be read the last `tries` times.
    `source`: what it was identified as; `linked`: a folder still holds it.
    """

    log: str
    pattern: str
    descriptor: int
    identity: tuple[int, int]
    stamp: Stamp
    grown: float
    named: bool = True
    copy: bool = False
    compressed: bool = False
    settled: bool = True
    linked: bool = True
    done: int = 0
    seen: Stamp | None = None
    failed: str = ""
    tries: int = 0
    source: str | None = None
    busy: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def at(self) -> str:
        """Where it can be opened, whatever its name is by now."""
        return place_of(self.descriptor)

    @property
    def due(self) -> bool:
        """It has changed since it was read."""
        return self.stamp != self.seen and self.settled

    @property
    def lag(self) -> int:
        """Bytes of it that are not read."""
        if self.compressed:
            return 0 if self.stamp == self.seen else self.stamp[0]
        return max(0, self.stamp[0] - self.done)

    def read(self, stamp: Stamp, *, done: int, source: str | None) -> bool:
        """It was read as it stood at `stamp`, up to `done`; whether it turned out to be another log than before."""
        other = self.source is not None and source is not None and source != self.source
        self.seen, self.done, self.source, self.failed, self.tries = stamp, done, source or self.source, "", 0
        return other


class ObstacleError(MissingInputError):
    """Why a path leads to no log that can be read; `ended`: what is to be said of the path once that is over."""

    def __init__(self, what: str, *, where: str, fix: str = "", ended: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.ended = ended


def stamp_of(status: os.stat_result) -> Stamp:
    """Size and mtime of a file."""
    return status.st_size, status.st_mtime_ns
