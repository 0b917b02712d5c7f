"""Live logs by identity: one descriptor each, held through renaming, truncation and unlinking until its end is read.

What a log is, its content tells when it is read (`sources.identity`); the watch only sees to it that nothing is missed
and says what has changed. `Watch.scan` may be called from a thread of its own.
"""

from __future__ import annotations

import glob
import os
import resource
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from loganon.errors import MissingInputError
from loganon.following.watched import SLACK, Look, ObstacleError, Stamp, Watched, stamp_of
from loganon.patterns import unreadable_folder
from loganon.sources.files import check_regular
from loganon.sources.identity import stream_name
from loganon.sources.inflate import MAGIC_BYTES, compression

QUIET = 60.0
"""Seconds without growth after which a log to which no path leads any more is let go, once it is read."""

_SPARE = 64  # descriptors that are not for logs: a commit, the metrics and what is loaded late need some
_LEAST_SPARE = 16  # the same where few may be open: with nine the engine ends the process as it begins
_FINAL = frozenset({"set_aside", "no_format", "error_log", "empty", "damaged"})


class Watch:
    """The logs that `paths` lead to, wild cards included, now or later.

    `troubles`: why a path leads to none that can be read. `quiet`: seconds, as `QUIET`.
    """

    def __init__(self, paths: Sequence[str], *, quiet: float = QUIET) -> None:
        self.troubles: dict[str, ObstacleError] = {}
        self._paths: tuple[str, ...] = ()
        self._unless: dict[str, Callable[[str], bool]] = {}
        self._quiet = quiet
        self._held: dict[tuple[int, int], Watched] = {}
        self._crowded: dict[tuple[str, str], float] = {}  # beside which more lies than could be held
        self._finished: dict[tuple[int, int], tuple[str, Stamp]] = {}
        self._lock = threading.Lock()
        self._scanned = self._taken = self._before = Look(0.0, 0.0)
        self.extend(paths)

    def scan(self, moment: float, wall: float) -> None:
        """Look at all paths and all held logs; `moment`: seconds of any clock, `wall`: of the file system's."""
        with self._lock:
            before, self._scanned = self._scanned, Look(moment, wall)
            troubles: dict[str, ObstacleError] = {}
            named = self._name(moment, troubles)
            truncated, self._crowded = self._crowded, {}
            for watched in list(self._held.values()):
                watched.named = watched.identity in named
                try:
                    written = self._look(watched, moment)
                except OSError as error:
                    self._lose(watched, error, troubles)
                    continue
                if written is not None:
                    log = watched.log, watched.pattern
                    since = min(self._scanned.since(before), written / 1e9 - SLACK)
                    truncated[log] = min(since, truncated.get(log, since))
                self._release(watched, moment)
            self._search(
                truncated, troubles
            )  # not before all were looked at: of each that was truncated the copy is there now
            self._finished = {known: each for known, each in self._finished.items() if known in named}
            self.troubles = troubles

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
            self._search({(log, pattern): since(pattern, stream_name(log)) for log, pattern in named.items()})

    def search_beside(self, watched: Watched) -> None:
        """As `search`, for one log that was found to be another than at the last scan."""
        with self._lock:
            self._search({(watched.log, watched.pattern): self._scanned.since(self._before)})

    @property
    def held(self) -> tuple[Watched, ...]:
        """All logs that are held."""
        with self._lock:
            return tuple(self._held.values())

    @property
    def logs(self) -> set[str]:
        """The paths by which logs were found that are held, or are let go and lie there as they were read."""
        with self._lock:
            return {watched.log for watched in self._held.values()} | {log for log, _ in self._finished.values()}

    @property
    def failed_copies(self) -> set[str]:
        """The paths of the logs of which a rotated form is held that could not be read."""
        with self._lock:
            return {watched.log for watched in self._held.values() if watched.copy and watched.failed}

    @property
    def leading_nowhere(self) -> list[str]:
        """The patterns that led to nothing at the last scan, though their folders can be read."""
        with self._lock:
            led = {each for watched in self._held.values() for each in (watched.pattern, *watched.others)}
            patterns = (path for path in self._paths if glob.has_magic(path))
            return [path for path in patterns if path not in led and path not in self.troubles]

    def take(self, *, final: bool = False) -> list[tuple[Watched, Stamp]]:
        """The logs to be read, each with its stamp; none of them is let go until it is given back.

        `final`: nothing comes after this, so that logs that failed are left out, but for those that were only empty.
        """
        with self._lock:
            due = [each for each in self._held.values() if each.due]
            taken = [(each, each.stamp) for each in due if not final or each.failed in ("", "empty")]
            self._before, self._taken = self._taken, self._scanned
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

    def _name(self, moment: float, troubles: dict[str, ObstacleError]) -> set[tuple[int, int]]:
        """The identities to which paths lead; new ones are held."""
        named = set()
        for pattern, path in self._found(troubles):
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
                elif self._finished.get(identity, ("", None))[1] != stamp_of(status) and not self._unless[pattern](
                    path
                ):
                    _require_regular(path, status)
                    self._hold(path, pattern, moment)
            except FileNotFoundError:
                what, ended = "there is no such log yet; it is waited for", "the log is there"
                troubles[path] = ObstacleError(what, where=path, ended=ended)
            except OSError as error:
                what = f"this log cannot be opened: {error.strerror}"
                fix = "Check its permissions and those of its directories; it is tried again"
                troubles[path] = ObstacleError(what, where=path, fix=fix, ended="the log can be opened, or is gone")
            except ObstacleError as error:
                troubles[error.where] = error
        return named

    def _found(self, troubles: dict[str, ObstacleError]) -> Iterator[tuple[str, str]]:
        for path in self._paths:
            if glob.has_magic(path) and not os.path.lexists(path):
                found = sorted(glob.glob(path))  # noqa: PTH207 - a pattern may be absolute
                yield from ((path, each) for each in found if not os.path.isdir(each))  # noqa: PTH112 - paths are text
                if not found and (folder := unreadable_folder(path)):
                    what, ended = "the folder of the logs cannot be read", "its folder is no longer closed to this user"
                    troubles[path] = ObstacleError(what, where=folder, fix="Let this user read it", ended=ended)
            else:
                yield path, path

    def _hold(self, path: str, pattern: str, moment: float, *, copy_of: str | None = None) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if descriptor >= _most_open():
                what, fix = "more logs are here than can be held open", "Raise the limit of open files (LimitNOFILE=)"
                folder, ended = str(Path(path).parent), "all of its logs are held open"
                raise ObstacleError(what, where=folder, fix=fix, ended=ended)  # noqa: TRY301 - as below; said of a folder, not of each log
            status = os.fstat(descriptor)
            identity = (status.st_dev, status.st_ino)
            if identity in self._held:
                os.close(descriptor)
                return
            _require_regular(path, status)
            packed = compression(os.pread(descriptor, MAGIC_BYTES, 0)) is not None
        except BaseException:
            os.close(descriptor)
            raise
        watched = Watched(copy_of or path, pattern, descriptor, identity, stamp_of(status), moment, compressed=packed)
        if copy_of is not None:
            watched.copy, watched.named, watched.settled = True, False, False
        self._held[identity] = watched

    def _look(self, watched: Watched, moment: float) -> int | None:
        """Notes how the log is now; if it was truncated, when it was last written to before (ns)."""
        status = os.fstat(watched.descriptor)
        before, stamp, watched.linked = watched.stamp, stamp_of(status), status.st_nlink > 0
        watched.stamp, watched.settled = stamp, not watched.copy or stamp == before
        if stamp != before:
            watched.grown = moment
        if not watched.compressed and stamp[0] < max(before[0], watched.done):
            watched.done, watched.seen = 0, None
            return before[1]
        return None

    def _search(self, logs: Mapping[tuple[str, str], float], troubles: dict[str, ObstacleError] | None = None) -> None:
        """Holds what lies beside these logs, each with its pattern, as a rotated form and was changed since so then.

        A folder is listed once for all of its logs. What cannot be held yet is searched for again at the next scan.
        """
        folders: dict[Path, dict[str, list[os.DirEntry[str]]]] = {}
        for (log, pattern), since in logs.items():
            real = Path(os.path.realpath(log))  # of a link whose file has been renamed, too
            if real.parent not in folders:
                folders[real.parent] = _streams_of(real.parent)
            for entry in folders[real.parent].get(stream_name(real.name), ()):
                try:
                    status = entry.stat(follow_symlinks=False)
                    held = self._held.get((status.st_dev, status.st_ino))
                    if held is not None and held.copy and held.failed:  # what it was held against may have changed
                        held.seen, held.grown = None, self._scanned.moment
                    elif held is None and stat.S_ISREG(status.st_mode) and status.st_mtime >= since:
                        self._hold(entry.path, pattern, self._scanned.moment, copy_of=log)
                except OSError:  # gone meanwhile, or not ours to read
                    continue
                except ObstacleError as error:
                    self._crowded[log, pattern] = since
                    if troubles is not None:
                        troubles[error.where] = error

    def _release(self, watched: Watched, moment: float) -> None:
        """Lets go of a log that is read to its end and does not grow, if no path leads to it or it is compressed.

        A rotated form of which nothing could be read is held until it is gone.
        """
        tried = watched.failed in _FINAL and watched.tries > 1  # what is set aside is told if it stays so
        read = watched.settled and (not watched.due or tried)
        if watched.busy or not read or moment - watched.grown < self._quiet:
            return
        if watched.copy and watched.failed and watched.linked:  # what is wrong with it is not over
            watched.seen, watched.done = watched.stamp, watched.stamp[0]
            return
        if watched.named and watched.compressed:
            self._finished[watched.identity] = watched.log, watched.stamp
        elif watched.named:
            return
        self._let_go(watched)

    def _lose(self, watched: Watched, error: OSError, troubles: dict[str, ObstacleError]) -> None:
        """A log of a file system that has gone: what its path leads to later is another file."""
        what, fix = f"this log cannot be read: {error.strerror}", "Check the disk and the mount"
        troubles[watched.log] = ObstacleError(what, where=watched.log, fix=fix, ended="the log can be read, or is gone")
        if not watched.busy:
            self._let_go(watched)

    def _let_go(self, watched: Watched) -> None:
        os.close(self._held.pop(watched.identity).descriptor)


def _require_regular(path: str, status: os.stat_result) -> None:
    """Nothing for a file; a pipe is not even opened: who waits to write into it would be told that nobody reads."""
    try:
        check_regular(path, status)
    except MissingInputError as error:
        raise ObstacleError(error.what, where=path, fix=error.fix, ended="this is a log, or gone") from None


def _most_open() -> int:
    """The number of a descriptor from which on the rest is left for stores and libraries."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - max(_LEAST_SPARE, min(_SPARE, limit // 4))


def _streams_of(folder: Path) -> dict[str, list[os.DirEntry[str]]]:
    """What lies in a folder, by the log of which it may be a rotated form."""
    found: dict[str, list[os.DirEntry[str]]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found.setdefault(stream_name(entry.name), []).append(entry)
    return found
