"""Source records: what a store knows of one log, through every renaming and compression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from loganon.errors import InputOutputError
from loganon.periods import Period
from loganon.store.documents import Document, count, damaged, dump, load, moment
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
    return dump({"version": VERSION} | describe_record(record))


def decode_record(data: bytes, path: Path) -> Record:
    """The record of a file; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, path, version=VERSION)
    try:
        record = parse_record_document(document)
    except ValueError:
        raise damaged(path) from None
    if record.id != parse_record(path.name):
        raise damaged(path)
    return record


def describe_record(record: Record) -> Document:
    """The record as an object of JSON."""
    return {
        "id": record.id,
        "stream": record.stream,
        "prefix": [list(item) for item in record.prefix],
        "marker": record.marker,
        "done": record.done,
        "format": record.format,
        "timezone": record.timezone,
        "state": list(record.state),
        "lines": {reason: lines for reason, lines in record.lines.items() if lines},
        "deleted": record.deleted,
        "newest": record.newest and record.newest.isoformat(),
        "committed": record.committed and record.committed.isoformat(),
        "generation": record.generation,
    }


def parse_record_document(document: Document) -> Record:
    """The record that an object of JSON describes; ValueError for any other object."""
    try:
        return _record(document)
    except (AttributeError, KeyError, TypeError):
        raise ValueError("no record") from None


def retire(record: Record) -> Record:
    """The record as a new key leaves it: its counts stand, and no log is recognised by it."""
    return replace(record, prefix=(), marker="", generation=record.generation + 1)


def bury(source: str) -> Record:
    """What stands for a record that is gone until its file is: it counts nothing, and to lose it is no loss."""
    return Record(source, "")


def read_record(files: Files, layout: Layout, source: str) -> Record | None:
    """The record of a source; None if the store has none."""
    path = layout.record(source)
    try:
        return decode_record(files.read(path), path)
    except FileNotFoundError:
        return None


def record_ids(layout: Layout) -> list[str]:
    """The ids of all records, in order; none where the directory is lost."""
    try:
        return sorted(filter(None, (parse_record(path.name) for path in layout.sources.iterdir())))
    except FileNotFoundError:
        return []


def read_records(files: Files, layout: Layout) -> dict[str, Record]:
    """All records by id, in the order of their ids."""
    found = ((source, read_record(files, layout, source)) for source in record_ids(layout))
    return {source: record for source, record in found if record is not None}


def read_records_safely(files: Files, layout: Layout) -> tuple[dict[str, Record], tuple[str, ...]]:
    """The records by id, in order, and the ids of those that cannot be read, which must stop no deletion."""
    found, unreadable = {}, []
    for source in record_ids(layout):
        try:
            record = read_record(files, layout, source)
        except (InputOutputError, OSError):
            unreadable.append(source)
        else:
            if record is not None:
                found[source] = record
    return found, tuple(unreadable)


def has_gone(record: Record, cutoff: date, age: Period) -> bool:
    """True if the newest line and the last commit are both one age before the cutoff."""
    return all(age.after(found.date()) <= cutoff for found in (record.newest, record.committed) if found is not None)


def _record(document: Document) -> Record:
    newest, committed = document["newest"], document["committed"]
    return Record(
        id=_text(document["id"]),
        stream=_text(document["stream"]),
        prefix=tuple((count(length), _text(print_)) for length, print_ in document["prefix"]),
        marker=_text(document["marker"]),
        done=count(document["done"]),
        format=_text(document["format"]),
        timezone=None if document["timezone"] is None else _text(document["timezone"]),
        state=tuple(_text(name) for name in document["state"]),
        lines={_text(reason): count(lines) for reason, lines in document["lines"].items()},
        deleted=count(document["deleted"]),
        newest=None if newest is None else moment(newest),
        committed=None if committed is None else moment(committed),
        generation=count(document["generation"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
