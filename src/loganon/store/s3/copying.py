"""A store in a bucket as a directory, as it is once all that is committed is in its table; the bucket stays as it is.

What can be proved of a directory, file by file, can so be proved of a bucket. An object whose name is none of a store's
becomes an empty file of that name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from loganon.buckets import Bucket
from loganon.store.files import PRIVATE, Files, put
from loganon.store.layout import Layout
from loganon.store.manifest import encode_state
from loganon.store.records import encode_record
from loganon.store.s3.names import (
    BIRTHS,
    DELETIONS,
    PROBES,
    SOURCES,
    STATE,
    STORE,
    parse_batch,
    parse_cell_key,
    parse_seal,
    parse_source,
)
from loganon.store.s3.rehearsal import Rehearsal
from loganon.store.s3.store import S3Store
from loganon.store.s3.view import Viewer

_AS_IT_IS = frozenset((STORE, DELETIONS))
_NOT_COPIED = frozenset((STATE, BIRTHS))


def copy_store(bucket: Bucket, folder: Path) -> None:
    """The store lies in `folder`, an empty directory; 78 where the bucket holds none."""
    rehearsed = bucket.over(Rehearsal)
    store = S3Store.open(rehearsed)
    store.recover()
    files, layout = Files(), Layout(folder)
    for made in (layout.table, layout.private, layout.sources, layout.staging):
        files.mkdir(made, PRIVATE)
    for each in rehearsed.list(""):
        key = each.key
        if key in _AS_IT_IS or parse_cell_key(key):
            found = rehearsed.get(key)
            _put(files, folder, key, found.data if found else b"")
        elif not _is_known(key):
            _put(files, folder, key, b"")
    view = Viewer(rehearsed)()
    records = view.records()
    for source, record in records.items():
        put(files, folder / SOURCES / f"{source}.json", encode_record(record))
    generations = sum(record.generation for record in records.values())
    put(files, layout.state, encode_state(replace(view.state, generations=generations)))
    put(files, layout.lock, b"")


def _is_known(key: str) -> bool:
    named = parse_source(key) or parse_batch(key) or parse_seal(key)
    return key in _NOT_COPIED or key.startswith(f"{PROBES}/") or named is not None


def _put(files: Files, folder: Path, key: str, data: bytes) -> None:
    """The file, and its directories."""
    parts = [part for part in key.split("/") if part not in ("", ".", "..")]
    path = folder
    for part in parts[:-1]:
        path /= part
        files.mkdir(path, PRIVATE)
    put(files, path / parts[-1], data)
