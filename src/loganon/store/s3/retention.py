"""Deletion in a bucket: only objects that have a cell's name and this store's UUID, or a cell's name and no footer.

Whatever fails is reported and stops nothing else; every run tries again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from loganon.buckets import Bucket, Listed
from loganon.errors import CannotWriteError, InputOutputError, LoganonError
from loganon.periods import Spans, within
from loganon.store.layout import TABLE, partition_name
from loganon.store.retention import Deleted, Drop, Failure, Plan
from loganon.store.s3.batches import Part, decode_batch, encode_batch
from loganon.store.s3.deletions import Deletions
from loganon.store.s3.names import (
    BATCHES,
    DELETIONS,
    SEALS,
    is_folder,
    parse_batch,
    parse_cell_key,
    parse_seal,
    seal_key,
)
from loganon.store.s3.table import Table, held_by


@dataclass(slots=True)
class Retention:
    """Carries a plan out on one store."""

    bucket: Bucket
    table: Table
    deletions: Deletions
    _failures: list[Failure] = field(default_factory=list)

    def apply(self, plan: Plan, cutoff: date, now: datetime) -> Deleted:
        """Deletes the plan's partitions that are before the store's own `cutoff`, and the seals of all such days."""
        gone: list[date] = []
        for drop in plan.drops:
            if drop.day >= cutoff or plan.holds(drop.day):
                continue
            begun = self._begin(drop, now)
            with self._reporting(f"{TABLE}/{partition_name(drop.day)}"):
                if self._drop(drop.day):
                    gone.append(drop.day)
            if not begun:
                self._begin(drop, now)  # now, if it could not be recorded before
        with self._reporting(DELETIONS):
            for day in self.deletions.unfinished():
                if day in gone or (day < cutoff and not self.table.listed(day)):  # another died before it could say so
                    self.deletions.finish(day, now)
        with self._reporting(SEALS):
            for sealed in filter(None, (parse_seal(each.key) for each in self.bucket.list(SEALS))):
                if sealed < cutoff and not plan.holds(sealed):
                    self.bucket.delete(seal_key(sealed))
        return Deleted(tuple(gone), tuple(self._failures))

    def _begin(self, drop: Drop, now: datetime) -> bool:
        """True if it is recorded that the deletion has begun; what cannot be recorded goes all the same."""
        try:
            self.deletions.begin(drop, now)
        except LoganonError as error:
            self._fail(DELETIONS, error.what)
            return False
        return True

    def _drop(self, day: date) -> bool:
        """True if nothing is left of the partition."""
        return not [each for each in self.table.listed(day) if not self._remove(each)]

    def _remove(self, each: Listed) -> bool:
        """True if the object was this store's and is gone, or only marks a folder."""
        if not each.size and is_folder(each.key):
            return True
        if parse_cell_key(each.key) is None:
            self._fail(each.key, "is no cell")
            return False
        if self.table.is_foreign(each):
            self._fail(each.key, "is another store's cell")
            return False
        try:
            self.bucket.delete(each.key)
        except LoganonError as error:
            self._fail(each.key, error.what)
            return False
        return True

    @contextmanager
    def _reporting(self, key: str) -> Iterator[None]:
        """A block whose error is one more failure of this deletion."""
        try:
            yield
        except LoganonError as error:
            self._fail(key, error.what)

    def _fail(self, key: str, reason: str) -> None:
        failure = Failure(key, reason)
        if failure not in self._failures:
            self._failures.append(failure)


def trim_batches(bucket: Bucket, table: Table, cutoff: date, held: Spans = ()) -> Iterator[LoganonError]:
    """Batches that could not be brought into the table, or follow one that is lost, hold no rows before the cutoff but
    those of days that are held; their lines stay counted. What went wrong.

    Of a batch that cannot be read nobody knows the days: it goes whole, once the last that it can be of is over.
    """
    for each in [each for each in bucket.list(BATCHES) if parse_batch(each.key)]:
        try:
            _trim(bucket, table, each, cutoff, held)
        except (CannotWriteError, InputOutputError) as error:
            yield error


def _trim(bucket: Bucket, table: Table, each: Listed, cutoff: date, held: Spans) -> None:
    try:
        found = bucket.get(each.key)
        batch = decode_batch(found.data, bucket.where(each.key)) if found else None
    except InputOutputError:
        if _is_over(each, table, cutoff, held):
            bucket.delete(each.key)
        raise
    gone = {name for name in batch.cells if name.day < cutoff and not within(name.day, held)} if batch else set()
    if found and batch and any(batch.cells[name].rows.num_rows for name in gone):
        cells = {n: Part(p.lines, p.rows.slice(0, 0) if n in gone else p.rows) for n, p in batch.cells.items()}
        bucket.replace(each.key, encode_batch(replace(batch, cells=cells)), found.tag)


def _is_over(each: Listed, table: Table, cutoff: date, held: Spans) -> bool:
    """True for a batch all of whose lines are before the cutoff and of no held day: none was later than a day after it
    was put, and no cell that stands holds any. Its log is read again then, and what of it was in the batch is expired.
    """
    source, start = parse_batch(each.key) or ("", 0)
    last = each.modified.astimezone(UTC).date() + timedelta(days=1) if each.modified else date.max
    if last >= cutoff or any(first <= last for first, _ in held):
        return False
    cells = [cell for found in table.partitions(table.listed()) if found.day >= cutoff for cell in found.cells]
    return all(cell.footer is not None and held_by(cell.footer).get(source, 0) <= start for cell in cells)
