"""The cells of a store in a bucket: what they hold, and which batches they hold.

A footer says, source by source, up to which offset the batches that touch its cell are in it. Batches of a source come
into a cell in their order, so that one number says it, however many there were, and it is never forgotten.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from loganon.aggregate import TableSpec
from loganon.buckets import Bucket, Listed
from loganon.errors import InputOutputError
from loganon.store.cell import Footer, decode_cell, encode_cell, read_footer
from loganon.store.cells import CellInfo, Partition
from loganon.store.documents import parse_json
from loganon.store.layout import TABLE, CellName, partition_name
from loganon.store.manifest import PolicyStamp
from loganon.store.s3.names import parse_cell_key

HELD = "batches"
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it stands. `held`: the offset up to which it holds each source; `notes`: the footer's others."""

    table: pa.Table
    lines: Mapping[str, int]
    sealed: bool
    held: Mapping[str, int]
    notes: Mapping[str, str]


@dataclass(slots=True)
class Table:
    """The cells of the store `uuid`. A cell that has not changed is not read again for its footer.

    `failed`: why cells could not be had when all were looked at last, by key.
    """

    bucket: Bucket
    uuid: str
    policy: PolicyStamp
    failed: dict[str, InputOutputError] = field(default_factory=dict)
    _footers: dict[str, tuple[str, Footer | None]] = field(default_factory=dict)

    def listed(self, day: date | None = None) -> list[Listed]:
        """The objects of the table, or of one day of it."""
        return self.bucket.list(TABLE if day is None else f"{TABLE}/{partition_name(day)}")

    def decode(self, name: CellName, data: bytes, spec: TableSpec) -> Cell:
        """A cell that was read; 74 if it is damaged or another store's."""
        where = self.bucket.where(name.path)
        try:
            table, footer = decode_cell(data, Path(where), self.uuid, spec)
        except InputOutputError as error:
            raise InputOutputError(error.what, where=where, fix=error.fix) from None
        notes = dict(footer.notes)
        return Cell(table, footer.lines, footer.sealed, _offsets(notes.pop(HELD, "{}"), where), notes)

    def encode(self, name: CellName, cell: Cell) -> bytes:
        """The cell's next version."""
        held = json.dumps(dict(sorted(cell.held.items())), separators=(",", ":"))
        footer = Footer(
            store=self.uuid,
            policy=self.policy.name,
            policy_sha256=self.policy.sha256,
            lines=cell.lines,
            sealed=cell.sealed,
            rows=cell.table.num_rows,
            writer=name.writer,
            notes={**cell.notes, HELD: held},
        )
        return encode_cell(cell.table, footer)

    def is_foreign(self, each: Listed) -> bool:
        """True for a readable cell of another store."""
        found = self._read(each)
        return found is not None and found[1] is not None and found[1].store != self.uuid

    def partitions(self, listed: Iterable[Listed]) -> Iterator[Partition]:
        """The days of listed objects, oldest first. Another store's cell counts as one that cannot be read, as does one
        that is not given out, such as one that was archived: it keeps no day from being deleted, not even its own.
        """
        self.failed.clear()
        cells = [(name, each) for each in listed if (name := parse_cell_key(each.key))]
        footers = self.bucket.map(self._read, [each for _, each in cells])
        days: dict[date, list[CellInfo]] = {}
        for (name, _), found in zip(cells, footers, strict=True):
            if found is not None:
                size, footer = found
                own = footer if footer is not None and footer.store == self.uuid else None
                days.setdefault(name.day, []).append(CellInfo(name, size, own))
        for day in sorted(days):
            yield Partition(day, tuple(sorted(days[day], key=lambda info: info.name)))

    def _read(self, each: Listed) -> tuple[int, Footer | None] | None:
        """Size and footer (None: it cannot be read) of a listed object; None if it is gone."""
        known = self._footers.get(each.key)
        try:
            if known is None or known[0] != each.tag:
                known = self._footers[each.key] = each.tag, read_footer(cast("BinaryIO", _Remote(self.bucket, each)))
            return each.size, known[1]
        except InputOutputError as error:
            self.failed[each.key] = error
            return each.size, None
        except _ChangedError:  # written again since it was listed
            return self._read_whole(each)

    def _read_whole(self, each: Listed) -> tuple[int, Footer | None] | None:
        try:
            found = self.bucket.get(each.key)
        except InputOutputError as error:
            self.failed[each.key] = error
            return each.size, None
        return (len(found.data), read_footer(io.BytesIO(found.data))) if found else None


def held_by(footer: Footer) -> Mapping[str, int]:
    """The offset up to which a cell with this footer holds each source."""
    return _offsets(footer.notes.get(HELD, "{}"), footer.store)


def add_lines(old: Mapping[str, int], source: str, lines: int) -> dict[str, int]:
    """Lines by source with those of one more batch."""
    return dict(Counter(old) + Counter({source: lines}))


def _offsets(text: str, where: str) -> dict[str, int]:
    try:
        return {str(source): int(end) for source, end in parse_json(text).items()}
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise InputOutputError("a cell is damaged", where=where, fix="Restore it from a backup") from None


class _Remote(io.RawIOBase):
    """A listed object as a file: its end is read at once, which holds the footer."""

    def __init__(self, bucket: Bucket, listed: Listed) -> None:
        self._bucket = bucket
        self._listed = listed
        self._at = 0
        self._start = max(0, listed.size - _TAIL)
        self._tail: bytes | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._listed.size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._listed.size if size < 0 else min(self._at + size, self._listed.size)
        start, self._at = self._at, max(self._at, end)
        if start >= end:
            return b""
        if self._tail is None:
            self._tail = self._read(self._start, self._listed.size)
        if start < self._start:
            return self._read(start, end)
        return self._tail[start - self._start : end - self._start]

    def _read(self, start: int, end: int) -> bytes:
        data = self._bucket.read(self._listed.key, start, end - start, self._listed.tag)
        if data is None:
            raise _ChangedError
        return data


class _ChangedError(Exception):
    """The object is gone, or is another than was listed."""
