"""Deletion: which partitions go is a pure plan; carrying it out touches nothing that is not this store's.

Only regular files go that have a cell's name, carry this store's UUID and lie on the store's device; no link is
followed and nothing is deleted recursively. Whatever fails is reported and stops nothing else; it is tried again at
the next run. That the lines are deleted is already in the records: the cutoff rises together with them, in one commit.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path

from loganon.periods import Spans, within
from loganon.store.cell import read_footer
from loganon.store.cells import Partition
from loganon.store.deletions import DeletionLog
from loganon.store.files import Files, is_full, open_regular
from loganon.store.layout import CellName, Layout, parse_cell
from loganon.store.quarantine import Quarantine

PAST = "damaged, and its day is over"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Drop:
    """A partition that goes: its files, rows (of readable cells) and bytes, and the rule by which it goes."""

    day: date
    files: int
    rows: int
    bytes: int
    rule: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deletion with this cutoff deletes, oldest first.

    `held`: spans of days (first, last) that are not deleted, whatever the cutoff; `kept`: those of them that stand.
    """

    cutoff: date | None
    drops: tuple[Drop, ...]
    held: Spans = ()
    kept: tuple[date, ...] = ()

    def holds(self, day: date) -> bool:
        """Whether the day stays."""
        return within(day, self.held)


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be deleted, as a path under the store, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the partitions that are gone, what is left and why."""

    partitions: tuple[date, ...]
    failures: tuple[Failure, ...]


def plan_retention(
    partitions: Iterable[Partition],
    cutoff: date | None,
    rule: str = "",
    held: Spans = (),
) -> Plan:
    """The partitions before the cutoff, oldest first; `rule` as the deletion record will name it.

    `held`: spans of days (first, last) that stay.
    """
    if cutoff is None:
        return Plan(None, (), held)
    none = Plan(cutoff, (), held)
    past = sorted((found for found in partitions if found.day < cutoff), key=lambda found: found.day)
    drops = (
        Drop(found.day, len(found.cells), found.rows, found.bytes, rule or f"before {cutoff.isoformat()}")
        for found in past
        if not none.holds(found.day)
    )
    return Plan(cutoff, tuple(drops), held, tuple(found.day for found in past if none.holds(found.day)))


@dataclass(slots=True)
class Retention:
    """Carries a plan out on one store, under its lock."""

    files: Files
    layout: Layout
    uuid: str
    policy_sha256: str
    _failures: list[Failure] = field(default_factory=list)

    def apply(self, plan: Plan, cutoff: date, now: datetime) -> Deleted:
        """Deletes the plan's partitions that are before the store's own `cutoff`, and quarantined cells as old."""
        gone = []
        log = DeletionLog(self.files, self.layout.deletions, self.policy_sha256)
        for drop in plan.drops:
            if drop.day >= cutoff or plan.holds(drop.day):
                continue
            begin = partial(
                log.begin, drop.day, files=drop.files, rows=drop.rows, size=drop.bytes, rule=drop.rule, now=now
            )
            with self._reporting(self.layout.deletions), _room_or_not():
                begin()
            dropped = self._drop(drop.day, now)
            gone += [drop.day] if dropped else []
            with self._reporting(self.layout.deletions):
                begin()  # now, if it could not be recorded before
                if dropped:
                    log.finish(drop.day, now)
        with self._reporting(self.layout.deletions):
            for day in log.unfinished():  # begun by a process that was killed before it could say that all is gone
                if not os.path.lexists(self.layout.partition(day)):
                    log.finish(day, now)
        self._empty_quarantine(plan, cutoff)
        return Deleted(tuple(gone), tuple(self._failures))

    def _drop(self, day: date, now: datetime) -> bool:
        """True if the partition is gone."""
        path = self.layout.partition(day)
        with self._reporting(path):
            table = os.open(self.layout.table, _DIRECTORY)
            try:
                device = os.fstat(table).st_dev
                if self._clear(table, day, device, now):
                    self.files.rmdir(path, at=table)
                    self.files.sync_directory(self.layout.table)
                    return True
            except FileNotFoundError:
                return True  # a directory that is gone needs nothing
            finally:
                os.close(table)
        return False

    def _clear(self, table: int, day: date, device: int, now: datetime) -> bool:
        """True if nothing is left in the partition's directory."""
        path = self.layout.partition(day)
        folder = os.open(path.name, _DIRECTORY, dir_fd=table)
        try:
            if os.fstat(folder).st_dev != device:
                self._fail(path, "lies on another device")
                return False
            left = [
                name
                for name in sorted(entry.name for entry in os.scandir(folder))
                if not self._remove(folder, day, name, device, now)
            ]
            self.files.sync_directory(path)
            return not left
        finally:
            os.close(folder)

    def _remove(self, folder: int, day: date, name: str, device: int, now: datetime) -> bool:
        """True if the file was this store's and is gone."""
        cell = parse_cell(day, name)
        if cell is None:
            self._fail(self.layout.partition(day), "holds something that is no cell")
            return False
        path = self.layout.root / cell.path
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_dev != device:
                self._fail(path, "is no regular file of this device")
                return False
            if self._is_sound(folder, cell):
                self.files.unlink(path, at=folder)
            else:
                self._remove_damaged(folder, cell, now)
        except OSError as error:
            self._fail(path, error.strerror or "failed")
            return False
        return True

    def _is_sound(self, folder: int, cell: CellName) -> bool:
        """True for a readable cell of this store, False for a damaged one; OSError for another store's."""
        path = self.layout.root / cell.path
        try:
            with open_regular(cell.file, at=folder) as file:
                footer = read_footer(file)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            footer = None  # a bad sector does not keep a cell past its day
        if footer is None:
            return False
        if footer.store != self.uuid:
            raise OSError(errno.EXDEV, "is another store's cell", str(path))
        return True

    def _remove_damaged(self, folder: int, cell: CellName, now: datetime) -> None:
        """The damaged cell is recorded and lies in quarantine, from where it goes at once; or it is gone."""
        try:
            Quarantine(self.files, self.layout).take(cell, reason=PAST, now=now)
        except OSError:  # such as a full disk
            self.files.unlink(self.layout.root / cell.path, at=folder)

    def _empty_quarantine(self, plan: Plan, cutoff: date) -> None:
        """Quarantined cells of days before the cutoff are gone, but for those that are held."""
        quarantine = Quarantine(self.files, self.layout)
        for day, folder in quarantine.folders():
            if day < cutoff and not plan.holds(day):
                with self._reporting(folder):
                    quarantine.drop(folder)

    @contextmanager
    def _reporting(self, path: Path) -> Iterator[None]:
        """A block whose OSError is one more failure of this deletion."""
        try:
            yield
        except OSError as error:
            self._fail(Path(error.filename) if isinstance(error.filename, str) else path, error.strerror or "failed")

    def _fail(self, path: Path, reason: str) -> None:
        known = path if path.is_relative_to(self.layout.root) else self.layout.root / path
        failure = Failure(str(known.relative_to(self.layout.root)), reason)
        if failure not in self._failures:
            self._failures.append(failure)


@contextmanager
def _room_or_not() -> Iterator[None]:
    """A block that a full disk may stop: it must not keep a partition past its day."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
