"""The end of a source whose record has had its time.

An object that holds nothing takes the place of the source's next batch. From then on no batch can go on from the
record, so it can be deleted: a writer that knew it is refused, or finds its batch void.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date

from loganon.buckets import Bucket
from loganon.periods import Period
from loganon.store.records import has_gone
from loganon.store.s3.batches import StoredBatch
from loganon.store.s3.commits import put_batch
from loganon.store.s3.names import BIRTHS, source_key
from loganon.store.s3.sources import decode_births, encode_births
from loganon.store.s3.view import View, drop_batch


def plan_endings(view: View, cutoff: date, age: Period) -> list[str]:
    """The sources whose newest line and last commit, or whose birth without any, are one age before the cutoff."""
    settled = view.entries.keys() - view.pending.keys()
    gone = [source for source in settled if has_gone(view.entries[source].record, cutoff, age)]
    unborn = view.births.keys() - view.entries.keys() - view.pending.keys()
    return sorted([*gone, *(source for source in unborn if age.after(view.births[source].day) <= cutoff)])


def end_sources(bucket: Bucket, view: View, sources: Iterable[str]) -> tuple[str, ...]:
    """Those of the sources that are gone; one that has gone on meanwhile stays."""
    return tuple(source for source in sources if _end(bucket, view, source))


def _end(bucket: Bucket, view: View, source: str) -> bool:
    start = view.entries[source].record.done if source in view.entries else 0
    ending = StoredBatch(secrets.token_hex(16), source, start)
    if source not in view.ending and not put_batch(bucket, ending):
        return False

    def change(data: bytes | None) -> bytes | None:
        births = decode_births(data, bucket.where(BIRTHS))
        return (
            encode_births({known: birth for known, birth in births.items() if known != source})
            if source in births
            else None
        )

    bucket.change(BIRTHS, change)  # before the record: else it would be born again
    bucket.delete(source_key(source))
    drop_batch(bucket, ending)
    return True
