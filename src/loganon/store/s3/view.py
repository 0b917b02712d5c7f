"""What stands in a bucket, read in an order in which nothing is taken for what it is not.

A batch counts where its start is the end of what its source's record, or the batch before it, has done. Batches are
therefore read before the records: a record read later that is not yet past a batch was not past it when that was put.
Births are read before the records too: a birth goes only after the record stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from loganon.buckets import Bucket, Listed
from loganon.store.layout import PRIVATE_NAME
from loganon.store.manifest import State, decode_state
from loganon.store.records import Record
from loganon.store.s3.batches import StoredBatch, decode_batch
from loganon.store.s3.names import BATCHES, BIRTHS, STATE, STORE, batch_key, parse_batch, parse_source, source_key
from loganon.store.s3.sources import Birth, Entry, decode_births, decode_entry


@dataclass(frozen=True, slots=True)
class View:
    """A bucket as it stood while it was read.

    `births_tag`: None where there is no such object; `pending`: batches that count and that no record holds yet, by
    source and in order; `ending`: sources that are being closed; `void`: batches that never count any more.
    """

    state: State
    births: Mapping[str, Birth]
    births_tag: str | None
    entries: Mapping[str, Entry]
    pending: Mapping[str, tuple[StoredBatch, ...]]
    ending: frozenset[str]
    void: tuple[StoredBatch, ...]

    @property
    def cutoff(self) -> date | None:
        """The oldest day that may exist."""
        return self.state.cutoff

    def records(self) -> dict[str, Record]:
        """All sources by id, with what is committed and not yet in their records."""
        born = {source: birth.record for source, birth in self.births.items()}
        found = born | {source: entry.seen_from(self.cutoff) for source, entry in self.entries.items()}
        for source, chain in self.pending.items():
            found[source] = _after(found[source], chain, self.cutoff)
        return {source: found[source] for source in sorted(found) if source not in self.ending}


@dataclass(slots=True)
class Viewer:
    """Reads a bucket again and again; records that have not changed are read once."""

    bucket: Bucket
    _entries: dict[str, tuple[str, Entry]] = field(default_factory=dict)

    def __call__(self) -> View:
        """What stands now."""
        bucket = self.bucket
        born = bucket.get(BIRTHS)
        births = decode_births(born.data if born else None, bucket.where(BIRTHS))
        batches = self._batches(bucket.list(BATCHES))
        entries = self._standing(bucket.list(PRIVATE_NAME, holding=STORE))  # taken for none, all logs would be new
        for source in {batch.source for batch in batches} - entries.keys():
            births.pop(source, None)  # it may have gone since
            entry, birth = look_up(bucket, source)
            if entry is not None:
                entries[source] = entry
            elif birth is not None:
                births[source] = birth
        pending, ending, void = _chains(batches, births, entries)
        return View(read_state(bucket), births, born.tag if born else None, entries, pending, ending, void)

    def _batches(self, listed: Iterable[Listed]) -> list[StoredBatch]:
        keys = [each.key for each in listed if parse_batch(each.key)]
        found = zip(keys, self.bucket.map(self.bucket.get, keys), strict=True)
        return [decode_batch(each.data, self.bucket.where(key)) for key, each in found if each]

    def _standing(self, listed: Iterable[Listed]) -> dict[str, Entry]:
        named = {source: each for each in listed if (source := parse_source(each.key))}
        new = [source for source, each in named.items() if self._entries.get(source, ("",))[0] != each.tag]
        for source, found in zip(new, self.bucket.map(self.bucket.get, map(source_key, new)), strict=True):
            self._entries.pop(source, None)
            if found is not None:
                self._entries[source] = found.tag, decode_entry(found.data, self.bucket.where(source_key(source)))
        self._entries = {source: each for source, each in self._entries.items() if source in named}
        return {source: entry for source, (_, entry) in self._entries.items()}


def read_state(bucket: Bucket) -> State:
    """The state; that of a new store where none stands."""
    found = bucket.get(STATE)
    return decode_state(found.data, bucket.where(STATE)) if found else State()


def look_up(bucket: Bucket, source: str) -> tuple[Entry | None, Birth | None]:
    """A source's entry, else its birth; neither: it is gone, or never was. The order of reading makes it certain."""
    for last in (False, True):
        found = bucket.get(source_key(source))
        if found is not None:
            return decode_entry(found.data, bucket.where(source_key(source))), None
        if not last:
            born = bucket.get(BIRTHS)
            birth = decode_births(born.data if born else None, bucket.where(BIRTHS)).get(source)
            if birth is not None:
                return None, birth
    return None, None


def is_void(bucket: Bucket, batch: StoredBatch) -> bool:
    """True if the batch does not count and never will; asked after it was seen or put."""
    entry, birth = look_up(bucket, batch.source)
    return entry.record.done > batch.start if entry else birth is None


def is_taken_in(bucket: Bucket, batch: StoredBatch) -> bool:
    """True if the source's record holds the batch."""
    found = bucket.get(source_key(batch.source))
    return found is not None and batch.id in decode_entry(found.data, bucket.where(source_key(batch.source))).recent


def drop_batch(bucket: Bucket, batch: StoredBatch) -> None:
    """The batch's object is gone: it is in table and record, or void. What follows at its key is void, too."""
    bucket.delete(batch_key(batch.source, batch.start))


def _chains(
    batches: Iterable[StoredBatch], births: Mapping[str, Birth], entries: Mapping[str, Entry]
) -> tuple[dict[str, tuple[StoredBatch, ...]], frozenset[str], tuple[StoredBatch, ...]]:
    """Pending batches in order, sources that end, void batches."""
    done = dict.fromkeys(births, 0) | {source: entry.record.done for source, entry in entries.items()}
    pending: dict[str, list[StoredBatch]] = {}
    ending, void = set(), []
    for batch in sorted(batches, key=lambda each: (each.source, each.start)):
        if batch.source not in done or batch.start < done[batch.source]:
            void.append(batch)
        elif batch.start == done[batch.source] and batch.ending:
            ending.add(batch.source)
        elif batch.start == done[batch.source]:
            pending.setdefault(batch.source, []).append(batch)
            done[batch.source] = batch.end
    return {source: tuple(chain) for source, chain in pending.items()}, frozenset(ending), tuple(void)


def _after(record: Record, chain: Iterable[StoredBatch], cutoff: date | None) -> Record:
    """The record after these batches."""
    for batch in chain:
        if batch.record is not None:
            gone = sum(lines for day, lines in batch.days.items() if cutoff is not None and day < cutoff)
            record = replace(batch.record, deleted=record.deleted + gone)
    return record
