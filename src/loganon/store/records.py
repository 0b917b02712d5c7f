"""Source records: what a store knows of one log, through every renaming and compression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from loganon.errors import InputOutputError
from loganon.periods import Period
from loganon.store.documents import Document, damaged, dump, load, moment
from loganon.store.files import Files
from loganon.store.layout import Layout, parse_record

VERSION = 1
COUNTED = "counted"
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Record:
    """One source.

    `prefix`: (length, keyed fingerprint) of its beginning at line borders; `marker`: keyed fingerprint of the bytes
    before `done`; `done`: decompressed bytes read, from 0; `lines`: by outcome, "counted" and every reason;
    `deleted`: of the counted lines those that are past the cutoff; `newest`: newest counted line (UTC); `committed`:
    last commit (UTC); `generation`: commits so far.
    """

    id: str
    stream: str
    prefix: tuple[tuple[int, str], ...] = ()
    marker: str = ""
    done: int = 0
    format: str = ""
    timezone: str | None = None
    state: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    newest: datetime | None = None
    committed: datetime | None = None
    generation: int = 0


def encode_record(record: Record) -> bytes:
    """The record as its file holds it."""
    return dump(
        {
            "version": VERSION,
            "id": record.id,
            "stream": record.stream,
            "prefix": [list(item) for item in record.prefix],
            "marker": record.marker,
            "done": record.done,
            "format": record.format,
            "timezone": record.timezone,
            "state": list(record.state),
            "lines": {reason: count for reason, count in record.lines.items() if count},
            "deleted": record.deleted,
            "newest": record.newest and record.newest.isoformat(),
            "committed": record.committed and record.committed.isoformat(),
            "generation": record.generation,
        }
    )


def decode_record(data: bytes, path: Path) -> Record:
    """The record of a file; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, path, version=VERSION)
    try:
        record = _record(document)
    except (KeyError, TypeError, ValueError):
        raise damaged(path) from None
    if record.id != parse_record(path.name):
        raise damaged(path)
    return record


def read_record(files: Files, layout: Layout, source: str) -> Record | None:
    """The record of a source; None if the store has none."""
    path = layout.record(source)
    try:
        return decode_record(files.read(path), path)
    except FileNotFoundError:
        return None


def record_ids(layout: Layout) -> list[str]:
    """The ids of all records, in order."""
    return sorted(filter(None, (parse_record(path.name) for path in layout.sources.iterdir())))


def read_records(files: Files, layout: Layout) -> dict[str, Record]:
    """All records by id, in the order of their ids."""
    found = ((source, read_record(files, layout, source)) for source in record_ids(layout))
    return {source: record for source, record in found if record is not None}


def readable_record(files: Files, layout: Layout, source: str) -> Record | None:
    """The record of a source; None also where it is damaged, which must stop no deletion."""
    try:
        return read_record(files, layout, source)
    except InputOutputError:
        return None


def has_gone(record: Record, cutoff: date, age: Period) -> bool:
    """True if the newest line and the last commit are both one age before the cutoff."""
    return all(age.after(found.date()) <= cutoff for found in (record.newest, record.committed) if found is not None)


def _record(document: Document) -> Record:
    newest, committed = document["newest"], document["committed"]
    return Record(
        id=_text(document["id"]),
        stream=_text(document["stream"]),
        prefix=tuple((_count(length), _text(print_)) for length, print_ in document["prefix"]),
        marker=_text(document["marker"]),
        done=_count(document["done"]),
        format=_text(document["format"]),
        timezone=None if document["timezone"] is None else _text(document["timezone"]),
        state=tuple(_text(name) for name in document["state"]),
        lines={_text(reason): _count(count) for reason, count in document["lines"].items()},
        deleted=_count(document["deleted"]),
        newest=None if newest is None else moment(newest),
        committed=None if committed is None else moment(committed),
        generation=_count(document["generation"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no count")
    return value
