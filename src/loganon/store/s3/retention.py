"""Deletion in a bucket: only objects that have a cell's name and this store's UUID, or a cell's name and no footer.

Whatever fails is reported and stops nothing else; every run tries again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from loganon.buckets import Bucket, Listed
from loganon.errors import InputOutputError, LoganonError
from loganon.periods import Spans, within
from loganon.store.layout import TABLE, partition_name
from loganon.store.retention import Deleted, Failure, Plan
from loganon.store.s3.batches import Part, decode_batch, encode_batch
from loganon.store.s3.deletions import Deletions
from loganon.store.s3.names import BATCHES, SEALS, is_folder, parse_batch, parse_cell_key, parse_seal, seal_key
from loganon.store.s3.table import Table


@dataclass(slots=True)
class Retention:
    """Carries a plan out on one store."""

    bucket: Bucket
    table: Table
    deletions: Deletions
    _failures: list[Failure] = field(default_factory=list)

    def apply(self, plan: Plan, cutoff: date, now: datetime) -> Deleted:
        """Deletes the plan's partitions that are before the store's own `cutoff`, and the seals of all such days."""
        gone = []
        for drop in plan.drops:
            if drop.day >= cutoff or plan.holds(drop.day):
                continue
            try:
                self.deletions.begin(drop, now)
                if self._drop(drop.day):
                    gone.append(drop.day)
                    self.deletions.finish(drop.day, now)
            except LoganonError as error:
                self._fail(f"{TABLE}/{partition_name(drop.day)}", error.what)
        try:
            for each in self.bucket.list(SEALS):
                day = parse_seal(each.key)
                if day is not None and day < cutoff and not plan.holds(day):
                    self.bucket.delete(seal_key(day))
        except LoganonError as error:
            self._fail(SEALS, error.what)
        return Deleted(tuple(gone), tuple(self._failures))

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

    def _fail(self, key: str, reason: str) -> None:
        self._failures.append(Failure(key, reason))


def trim_batches(bucket: Bucket, cutoff: date, held: Spans = ()) -> None:
    """Batches that cannot be brought into the table hold no rows before the cutoff but those of days that are held;
    their lines stay counted.

    Of a batch that cannot be read nobody can read a row either: it is left, and the others are looked at.
    """
    for key in [each.key for each in bucket.list(BATCHES) if parse_batch(each.key)]:
        found = bucket.get(key)
        try:
            batch = decode_batch(found.data, bucket.where(key)) if found else None
        except InputOutputError:
            continue
        gone = {name for name in batch.cells if name.day < cutoff and not within(name.day, held)} if batch else set()
        if found and batch and any(batch.cells[name].rows.num_rows for name in gone):
            cells = {n: Part(p.lines, p.rows.slice(0, 0) if n in gone else p.rows) for n, p in batch.cells.items()}
            bucket.replace(key, encode_batch(replace(batch, cells=cells)), found.tag)
