"""A store in a bucket as a directory, as it is once all that is committed is in its table; the bucket stays as it is.

What can be proved of a directory, file by file, can so be proved of a bucket. An object whose name is none of a store's
becomes an empty file of that name. Names of objects are free where those of files are not: one may have the name of a
folder, which as an empty object is how other tools mark a folder and is nothing here; or a name that is too long.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from loganon.buckets import Bucket, Listed
from loganon.periods import Spans
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
    is_folder,
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
_NO_SUCH_NAME = frozenset((errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG))
_LONGEST = 200  # bytes of a name that stands for one that is too long


def copy_store(bucket: Bucket, folder: Path, held: Spans = ()) -> None:
    """The store lies in `folder`, an empty directory; 78 where the bucket holds none. `held`: as of the store."""
    rehearsed = bucket.over(Rehearsal)
    store = S3Store.open(rehearsed)
    store.held = held
    store.recover()
    files, layout = Files(), Layout(folder)
    for made in (layout.table, layout.private, layout.sources, layout.staging):
        files.mkdir(made, PRIVATE)
    listed = rehearsed.list("")
    for key in [each.key for each in listed if _is_copied(each.key)]:
        found = rehearsed.get(key)
        _put(files, folder / key, folder, found.data if found else b"")
    view = Viewer(rehearsed)()
    records = view.records()
    for source, record in records.items():
        put(files, folder / SOURCES / f"{source}.json", encode_record(record))
    generations = sum(record.generation for record in records.values())
    put(files, layout.state, encode_state(replace(view.state, generations=generations)))
    put(files, layout.lock, b"")
    for each in listed:  # last: what has a name of the store's stands by now
        if not _is_copied(each.key) and not _is_known(each.key):
            _put_foreign(files, folder, each)


def _is_copied(key: str) -> bool:
    return key in _AS_IT_IS or parse_cell_key(key) is not None


def _is_known(key: str) -> bool:
    named = parse_source(key) or parse_batch(key) or parse_seal(key)
    return key in _NOT_COPIED or key.startswith(f"{PROBES}/") or named is not None


def _put(files: Files, path: Path, folder: Path, data: bytes) -> None:
    """The file, and its directories below `folder`; OSError where there can be none of this name."""
    for parent in [each for each in reversed(path.parents) if folder in each.parents]:
        files.mkdir(parent, PRIVATE)
    put(files, path, data)


def _put_foreign(files: Files, folder: Path, each: Listed) -> None:
    """An empty file in place of the object, unless it marks a folder; one with a name that no file can have lies at
    the top, under as much of its name as fits.
    """
    path = folder.joinpath(*(part for part in each.key.split("/") if part not in ("", ".", "..")))
    spare = folder / f"{quote(each.key, safe=' ')[:_LONGEST]} (object)"
    try:
        if each.size or not (is_folder(each.key) or path.is_dir()):
            _put(files, path, folder, b"")
    except OSError as error:
        if error.errno not in _NO_SUCH_NAME:
            raise
        if not spare.exists():
            put(files, spare, b"")
