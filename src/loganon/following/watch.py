"""Live logs by identity: one descriptor each, held through renaming, truncation and unlinking until its end is read.

What a log is, its content tells when it is read (`sources.identity`); the watch only sees to it that nothing is missed
and says what has changed. `Watch.scan` may be called from a thread of its own.
"""

from __future__ import annotations

import glob
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loganon.errors import LoganonError, MissingInputError
from loganon.sources.identity import stream_name
from loganon.sources.inflate import MAGIC_BYTES, compression

QUIET = 60.0
"""Seconds without growth after which a log to which no path leads any more is let go, once it is read."""

_SLACK = 5.0  # seconds by which the clock of a file system may differ from ours
_HELD = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"  # noqa: PTH112 - a constant of the system
_FINAL = frozenset({"set_aside", "no_format", "error_log", "empty", "damaged"})

Stamp = tuple[int, int]
"""Size and mtime in ns."""


@dataclass(slots=True, eq=False)
class Watched:
    """A log that is held. `log`: the watched path by which it was found, `pattern`: what led to that path, `others`:
    what led to its other names; `stamp`: as at the last scan; `done`: bytes of it that are read.

    `named`: a watched path leads to it; `copy`: it was found beside that path, as a rotated form of its log, and is
    read once it is `settled`, the same at two scans. `failed`: why it could not be read the
    last time. `source`: what it was identified as.
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
    done: int = 0
    seen: Stamp | None = None
    failed: str = ""
    source: str | None = None
    busy: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def at(self) -> str:
        """Where it can be opened, whatever its name is by now."""
        return f"{_HELD}/{self.descriptor}"

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
        self.seen, self.done, self.source, self.failed = stamp, done, source or self.source, ""
        return other


class Watch:
    """The logs that `paths` lead to, wild cards included, now or later.

    `troubles`: why a path leads to none that can be read. `quiet`: seconds, as `QUIET`.
    """

    def __init__(self, paths: Sequence[str], *, quiet: float = QUIET) -> None:
        self.troubles: dict[str, LoganonError] = {}
        self._paths: tuple[str, ...] = ()
        self._unless: dict[str, Callable[[str], bool]] = {}
        self._quiet = quiet
        self._held: dict[tuple[int, int], Watched] = {}
        self._finished: dict[tuple[int, int], Stamp] = {}
        self._lock = threading.Lock()
        self._scanned = 0.0
        self._wall = self._taken = self._before = 0.0
        self.extend(paths)

    def scan(self, moment: float, wall: float) -> None:
        """Look at all paths and all held logs; `moment`: seconds of any clock, `wall`: of the file system's."""
        with self._lock:
            troubles: dict[str, LoganonError] = {}
            named = self._name(moment, troubles)
            for watched in list(self._held.values()):
                watched.named = watched.identity in named
                self._look(watched, moment)
                self._release(watched, moment)
            self._finished = {known: stamp for known, stamp in self._finished.items() if known in named}
            self.troubles = troubles
            self._scanned, self._wall = moment, wall

    def extend(self, paths: Sequence[str], unless: Callable[[str], bool] = lambda _path: False) -> None:
        """From the next scan on look at these, too, but not at logs to which `unless` says no.

        Of two that lead to one log the first that found it stands for it.
        """
        with self._lock:
            new = dict.fromkeys(path for path in paths if path not in self._paths)
            self._paths += tuple(new)
            self._unless |= dict.fromkeys(new, unless)

    def search(self, since: Callable[[str, str], float]) -> None:
        """Hold also the rotated forms of the watched logs that changed since `since(pattern, stream)`, beside them.

        A log that was renamed or copied while nobody watched is found so; its content tells what of it is counted.
        """
        with self._lock:
            named = {path: path for path in self._paths if not glob.has_magic(path)}  # also what is not there by now
            named |= {watched.log: watched.pattern for watched in self._held.values() if not watched.copy}
            for log, pattern in named.items():
                self._search(log, pattern, since(pattern, stream_name(log)), self._scanned)

    def search_beside(self, watched: Watched) -> None:
        """As `search`, for one log that was found to be another than at the last scan."""
        with self._lock:
            self._search(watched.log, watched.pattern, self._before - _SLACK, self._scanned)

    @property
    def held(self) -> tuple[Watched, ...]:
        """All logs that are held."""
        with self._lock:
            return tuple(self._held.values())

    @property
    def lag(self) -> int:
        """Bytes of all logs that are not read."""
        return sum(watched.lag for watched in self.held)

    def take(self, *, final: bool = False) -> list[tuple[Watched, Stamp]]:
        """The logs to be read, each with its stamp; none of them is let go until it is given back.

        `final`: nothing comes after this, so that logs that failed are left out, but for those that were only empty.
        """
        with self._lock:
            due = [each for each in self._held.values() if each.due]
            taken = [(each, each.stamp) for each in due if not final or each.failed in ("", "empty")]
            self._before, self._taken = self._taken, self._wall
            for watched, _ in taken:
                watched.busy = True
            return taken

    def give_back(self, taken: Sequence[tuple[Watched, Stamp]]) -> None:
        """They are not being read any more."""
        with self._lock:
            for watched, _ in taken:
                watched.busy = False

    def close(self) -> None:
        """Let go of all logs."""
        with self._lock:
            for watched in self._held.values():
                os.close(watched.descriptor)
            self._held.clear()

    def _name(self, moment: float, troubles: dict[str, LoganonError]) -> set[tuple[int, int]]:
        """The identities to which paths lead; new ones are held."""
        named = set()
        for pattern, path in self._found():
            try:
                status = os.stat(path)  # noqa: PTH116 - paths are text here, as given
                identity = (status.st_dev, status.st_ino)
                named.add(identity)
                known = self._held.get(identity)
                if known is not None and known.copy:
                    known.copy = False
                elif known is not None:
                    if pattern not in (known.pattern, *known.others) and not self._unless[pattern](path):
                        known.others.append(pattern)
                elif self._finished.get(identity) != _stamp(status) and not self._unless[pattern](path):
                    self._hold(path, pattern, moment)
            except FileNotFoundError:
                troubles[path] = MissingInputError("there is no such log yet; it is waited for", where=path)
            except OSError as error:
                what = f"this log cannot be opened: {error.strerror}"
                fix = "Check its permissions and those of its directories; it is tried again"
                troubles[path] = MissingInputError(what, where=path, fix=fix)
            except MissingInputError as error:
                troubles[path] = error
        return named

    def _found(self) -> Iterator[tuple[str, str]]:
        for path in self._paths:
            if glob.has_magic(path) and not os.path.lexists(path):
                yield from ((path, found) for found in sorted(glob.glob(path, recursive=True)))  # noqa: PTH207 - a pattern may be absolute
            else:
                yield path, path

    def _hold(self, path: str, pattern: str, moment: float, *, copy_of: str | None = None) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            identity = (status.st_dev, status.st_ino)
            if identity in self._held:
                os.close(descriptor)
                return
            if not stat.S_ISREG(status.st_mode):
                fix = "Name the log file itself; a pipe goes to standard input, `-`"
                raise MissingInputError("this is not a regular file", where=path, fix=fix)  # noqa: TRY301 - the descriptor is closed once
            packed = compression(os.pread(descriptor, MAGIC_BYTES, 0)) is not None
        except BaseException:
            os.close(descriptor)
            raise
        watched = Watched(copy_of or path, pattern, descriptor, identity, _stamp(status), moment, compressed=packed)
        if copy_of is not None:
            watched.copy, watched.named, watched.settled = True, False, False
        self._held[identity] = watched

    def _look(self, watched: Watched, moment: float) -> None:
        """Notes how the log is now; of one that was truncated the copy is looked for."""
        before, stamp = watched.stamp, _stamp(os.fstat(watched.descriptor))
        watched.stamp, watched.settled = stamp, not watched.copy or stamp == before
        if stamp != before:
            watched.grown = moment
        if not watched.compressed and stamp[0] < max(before[0], watched.done):
            watched.done, watched.seen = 0, None
            self._search(watched.log, watched.pattern, min(self._wall, before[1] / 1e9) - _SLACK, moment)

    def _search(self, log: str, pattern: str, since: float, moment: float) -> None:
        real = Path(os.path.realpath(log))  # of a link whose file has been renamed, too
        folder, label = real.parent, stream_name(real.name)
        try:
            entries = [entry for entry in os.scandir(folder) if stream_name(entry.name) == label]
        except OSError:
            return
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                new = (status.st_dev, status.st_ino) not in self._held
                if stat.S_ISREG(status.st_mode) and new and status.st_mtime >= since:
                    self._hold(entry.path, pattern, moment, copy_of=log)
            except (OSError, MissingInputError):  # gone meanwhile, or not ours to read
                continue

    def _release(self, watched: Watched, moment: float) -> None:
        """Lets go of a log that is read to its end and does not grow, if no path leads to it or it is compressed."""
        read = watched.settled and (not watched.due or watched.failed in _FINAL)
        if watched.busy or not read or moment - watched.grown < self._quiet:
            return
        if watched.named and watched.compressed:
            self._finished[watched.identity] = watched.stamp
        elif watched.named:
            return
        os.close(watched.descriptor)
        del self._held[watched.identity]


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns
