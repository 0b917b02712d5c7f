"""A committed batch as an object: the part of one source, whole, so that anyone can bring it into the table.

A Parquet file: the rows in order; in its metadata the source's record as it is afterwards, the lines of each cell, and
the shape of the table. Or, to end a source, an object that takes the place of its next batch and holds nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from loganon.aggregate import Fold, TableSpec
from loganon.store.documents import Document, count, damaged, dump, load
from loganon.store.layout import CellName
from loganon.store.records import Record, describe_record, parse_record_document
from loganon.store.s3.names import parse_cell_key

VERSION = 1
_NAME = b"loganon.batch"


@dataclass(frozen=True, slots=True)
class Part:
    """What a batch holds of one cell: counted lines and their rows."""

    lines: int
    rows: pa.Table = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """Bytes `start` to `record.done` of a source. `id`: random, by which a writer recognises its own; `notes`: for the
    footers of the cells. An `ending` one holds nothing: the source is closed.
    """

    id: str
    source: str
    start: int
    record: Record | None = None
    spec: TableSpec | None = None
    cells: Mapping[CellName, Part] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ending(self) -> bool:
        """True for one that closes its source."""
        return self.record is None

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.record.done if self.record else self.start

    @property
    def days(self) -> Counter[date]:
        """Counted lines by day."""
        sums: Counter[date] = Counter()
        for name, part in self.cells.items():
            sums[name.day] += part.lines
        return sums


def encode_batch(batch: StoredBatch) -> bytes:
    """The object's bytes."""
    if batch.record is None or batch.spec is None:
        return dump({"version": VERSION, "id": batch.id, "source": batch.source, "start": batch.start})
    spec = batch.spec
    document = {
        "version": VERSION,
        "id": batch.id,
        "source": batch.source,
        "start": batch.start,
        "record": describe_record(batch.record),
        "cells": [[name.path, part.lines, part.rows.num_rows] for name, part in batch.cells.items()],
        "notes": dict(batch.notes),
        "spec": {
            "keys": spec.keys,
            "measures": spec.measures,
            "unit": spec.unit,
            "folds": [[fold.columns, fold.minimum, fold.other] for fold in spec.folds],
        },
    }
    rows = pa.concat_tables([part.rows for part in batch.cells.values()] or [spec.schema.empty_table()])
    rows = rows.replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, compression="zstd", write_page_checksum=True, version="2.6") as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({_NAME: dump(document)})
    return bytes(sink.getvalue())


def decode_batch(data: bytes, where: str) -> StoredBatch:
    """The batch; 74 if it is damaged, 78 if a newer program wrote it."""
    if not data.startswith(b"PAR1"):
        document = load(data, where, version=VERSION)
        try:
            return StoredBatch(str(document["id"]), str(document["source"]), count(document["start"]))
        except (KeyError, ValueError):
            raise damaged(where) from None
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            rows, text = file.read(), (file.metadata.metadata or {})[_NAME]
    except (pa.ArrowException, OSError, ValueError, KeyError):
        raise damaged(where) from None
    document = load(text, where, version=VERSION)
    try:
        return _batch(document, rows.replace_schema_metadata(None))
    except (AttributeError, KeyError, TypeError, ValueError, json.JSONDecodeError):
        raise damaged(where) from None


def _batch(document: Document, rows: pa.Table) -> StoredBatch:
    cells, at = {}, 0
    for key, lines, length in document["cells"]:
        name = parse_cell_key(key)
        if name is None or at + length > rows.num_rows:
            raise ValueError("no cell")
        cells[name] = Part(count(lines), rows.slice(at, count(length)))
        at += length
    if at != rows.num_rows:
        raise ValueError("rows of no cell")
    shape = document["spec"]
    folds = tuple(Fold(tuple(columns), minimum, tuple(other)) for columns, minimum, other in shape["folds"])
    return StoredBatch(
        id=document["id"],
        source=document["source"],
        start=count(document["start"]),
        record=parse_record_document(document["record"]),
        spec=TableSpec(rows.schema, tuple(shape["keys"]), tuple(shape["measures"]), shape["unit"], folds),
        cells=cells,
        notes=document["notes"],
    )
