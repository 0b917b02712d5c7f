"""The commit point: one object a batch, put where nothing stands; and what comes before it for a new source.

A source that no record knows is first entered among the births, in place of exactly the births that were read together
with the records: so two writers that take the same log for new cannot both enter it.
"""

from __future__ import annotations

from collections.abc import Mapping

from loganon.buckets import Bucket
from loganon.errors import BusyError
from loganon.store.s3.batches import StoredBatch, decode_batch, encode_batch
from loganon.store.s3.names import BIRTHS, batch_key
from loganon.store.s3.sources import Birth, decode_births, encode_births
from loganon.store.s3.view import View, drop_batch, is_taken_in, is_void

_ROUNDS = 40


def enter_births(bucket: Bucket, view: View, new: Mapping[str, Birth]) -> bool:
    """True if the sources are entered, in place of the births that `view` holds; False if others were faster.

    Births whose sources have a record by now are left out.
    """
    if not new:
        return True
    kept = {source: birth for source, birth in view.births.items() if source not in view.entries}
    data = encode_births(kept | dict(new))
    tag = view.births_tag
    if (bucket.create(BIRTHS, data) if tag is None else bucket.replace(BIRTHS, data, tag)) is not None:
        return True
    found = bucket.get(BIRTHS)
    standing = decode_births(found.data if found else None, bucket.where(BIRTHS))
    return standing.keys() >= new.keys()  # the reply was lost: they are random ids


def put_batch(bucket: Bucket, batch: StoredBatch) -> bool:
    """True if the batch is committed; False if another one has gone on at its offset, or its source has ended."""
    key, data = batch_key(batch.source, batch.start), encode_batch(batch)
    for round_ in range(_ROUNDS):
        if bucket.create(key, data) is not None:
            return _is_committed(bucket, batch)
        found = bucket.get(key)
        if found is not None:
            return decode_batch(found.data, bucket.where(key)).id == batch.id and _is_committed(bucket, batch)
        if is_void(bucket, batch):  # nothing stands there any more: it was taken in, this one or another
            return is_taken_in(bucket, batch)
        bucket.wait(round_)
    raise BusyError("other processes keep changing the store", where=bucket.where(key), fix="Run it again")


def _is_committed(bucket: Bucket, batch: StoredBatch) -> bool:
    """True for a batch that stood at its key, unless the source's record had gone past it before."""
    if not is_void(bucket, batch):
        return True
    taken = is_taken_in(bucket, batch)
    drop_batch(bucket, batch)
    return taken
