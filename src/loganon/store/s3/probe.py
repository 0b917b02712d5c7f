"""How a bucket behaves: whether it keeps conditions of writes, and whether what is deleted there is gone."""

from __future__ import annotations

import secrets

from loganon.buckets import Bucket, Written
from loganon.errors import ConfigurationError
from loganon.store.s3.names import PROBES

_TRIES = 3


def probe(bucket: Bucket, *, accept_versioned: bool) -> None:
    """Nothing where a store can be kept in the bucket; 78 where it cannot.

    Without conditional writes two writers would count the same lines. A bucket that has or had versioning (object lock
    needs it) answers a write with a version, and keeps what is deleted; `accept_versioned` lets that go by.
    """
    for _ in range(_TRIES):  # a request that was lost on the way is no answer
        written, kept = _try(bucket, f"{PROBES}/{secrets.token_hex(16)}")
        if kept:
            break
    else:
        raise ConfigurationError(
            "this object store does not keep the conditions of a write (If-Match, If-None-Match)",
            where=bucket.where(),
            fix="Take one that does, such as S3 or MinIO, or a directory",
        )
    if written.version is not None and not accept_versioned:
        raise ConfigurationError(
            "the bucket keeps old versions of its objects (versioning is on or suspended): deletion would not delete",
            where=bucket.where(),
            fix="Take a bucket without; or, if a lifecycle rule deletes old versions in time, say --accept-versioned",
        )


def _try(bucket: Bucket, key: str) -> tuple[Written, bool]:
    """What the first write of `key` gave, and whether those whose condition did not hold were refused."""
    written = _write(bucket, key)
    try:
        bucket.create(key, b"2")
        bucket.replace(key, b"3", '"0"')
        refused = bucket.get(key)
        if refused is not None:
            bucket.replace(key, b"4", refused.tag)
        replaced = bucket.get(key)
    finally:
        bucket.delete(key)
    kept = refused is not None and replaced is not None and (refused.data, replaced.data) == (b"1", b"4")
    return written, kept


def _write(bucket: Bucket, key: str) -> Written:
    for _ in range(_TRIES):
        written = bucket.create(key, b"1")
        if written is not None:
            return written
        found = bucket.get(key)  # it stands, and the reply was lost
        if found is not None and (written := bucket.replace(key, b"1", found.tag)) is not None:
            return written
    raise bucket.busy(key)
