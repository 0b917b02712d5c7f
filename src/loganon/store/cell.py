"""One cell: a Parquet file of counts, and what its footer says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loganon.aggregate import TableSpec, drop_unused
from loganon.errors import InputOutputError
from loganon.store.documents import parse_json
from loganon.store.snapshots import Snapshots, decode_snapshots, encode_snapshots

SCHEMA_VERSION = 1
REQUESTS = "requests"
_PREFIX = "loganon."
_OWN = ("store", "schema", "policy", "policy_sha256", "lines", "sealed", "rows", "writer", "records")
_JOIN = "; "
_DICTIONARY_BYTES = 1 << 20
"""From here on the writer gives a column's dictionary up, at some row."""
_THREADS_FROM = 1 << 20
"""Reading a small file by one thread takes a third of the time."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What a cell says of itself.

    `store`: the store's UUID; `lines`: counted lines by source id (their sum is the sum of `requests`); `rows`: rows of
    the file; `notes`: what the caller adds, such as versions of lists and build dates of databases; `records`: copies
    of source records (see `snapshots`).
    """

    store: str
    policy: str
    policy_sha256: str
    lines: Mapping[str, int]
    sealed: bool
    rows: int
    writer: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION
    records: Snapshots = field(default_factory=dict)


class DamagedCellError(InputOutputError):
    """A cell of the store cannot be read, or its totals do not hold; `path` is where it lies, or its URL."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        fix = "Restore it from a backup; a run that meets it puts it aside"
        if "://" in str(path):
            fix = "Restore it from a backup; it goes with its day"
        super().__init__("a cell is damaged", where=str(path), fix=fix)


def encode_cell(table: pa.Table, footer: Footer) -> bytes:
    """The file's bytes: zstd, rows as they stand, page checksums, no library's own metadata; equal in, equal out.

    Sums other than `requests` have no dictionary: most are distinct, and so are smaller, and made in half the time.
    Texts have no statistics: the least and the greatest of an hour's say nothing, and take a fifth of the time. Whether
    a column's texts are coded already, and how, changes no byte.
    """
    table = _used(table)
    sink = pa.BufferOutputStream()
    with _writer(sink, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(_encode(footer))
    return bytes(sink.getvalue())


def _used(table: pa.Table) -> pa.Table:
    """The table with coded texts as a cell has them: none that no row uses, in the order of their first rows.

    Written so, they are not hashed again: two thirds of the time. What has many texts for its rows is cheaper as plain
    texts; of what is too long for one dictionary page the writer itself decides which rows are coded.
    """
    columns = [_written(column) for column in table.columns]
    kinds = [column.type for column in columns]
    return pa.table(columns, schema=pa.schema([f.with_type(k) for f, k in zip(table.schema, kinds, strict=True)]))


def encode_footer(data: bytes, footer: Footer) -> bytes | None:
    """The file's bytes with another footer; its pages stay as they are. None where another program has written them."""
    standing = pq.read_metadata(pa.BufferReader(data))
    empty, sink = pa.BufferOutputStream(), pa.BufferOutputStream()
    with _writer(empty, standing.schema.to_arrow_schema().remove_metadata()) as writer:
        writer.add_key_value_metadata(_encode(footer))
    metadata = pq.read_metadata(pa.BufferReader(empty.getvalue()))
    if not metadata.schema.equals(standing.schema) or metadata.created_by != standing.created_by:
        return None
    metadata.append_row_groups(standing)
    metadata.write_metadata_file(sink)
    pages = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    return data[:pages] + bytes(sink.getvalue())[4:]  # after the four bytes that a file begins with


def _written(column: pa.ChunkedArray) -> pa.Array:
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_dictionary(whole.type):
        return whole
    if len(whole.dictionary) <= len(whole):
        whole = drop_unused(whole)
        if whole.dictionary.nbytes < _DICTIONARY_BYTES:
            return whole
    return whole.cast(whole.type.value_type)


def _writer(sink: pa.BufferOutputStream, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[field.name for field in schema if field.name == REQUESTS or field.type != pa.int64()],
        write_page_checksum=True,
        version="2.6",
        write_statistics=[f.name for f in schema if not (pa.types.is_string(f.type) or pa.types.is_dictionary(f.type))],
        store_schema=False,
        write_page_index=False,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
    )


def decode_cell(
    data: bytes, path: Path, store: str, spec: TableSpec, *, coded: bool = False
) -> tuple[pa.Table, Footer]:
    """Rows and footer of a cell of this store; 74 if it is damaged, of another store, or not of this shape.

    With `coded` its strings are dictionaries, as they stand in the file.
    """
    footer = decode_footer(pa.BufferReader(data), path, store)
    texts = [field.name for field in spec.schema if coded and pa.types.is_string(field.type)]
    try:
        source = pa.BufferReader(data)
        with pq.ParquetFile(source, page_checksum_verification=True, read_dictionary=texts) as file:
            table = file.read(use_threads=len(data) >= _THREADS_FROM)
        if coded:
            table.validate(full=True)  # that each code has its value: nobody looks again
    except (pa.ArrowException, OSError, ValueError):
        raise DamagedCellError(path) from None
    table = table.replace_schema_metadata(None)
    if table.num_rows != footer.rows:
        raise DamagedCellError(path)
    if _plain(table.schema) != spec.schema:
        raise InputOutputError(
            "a cell has other columns than the policy", where=str(path), fix="Move it out of the store"
        )
    if (pc.sum(table[REQUESTS]).as_py() or 0) != sum(footer.lines.values()):
        raise DamagedCellError(path)
    return table, footer


def decode_totals(data: bytes, path: Path, store: str, spec: TableSpec) -> tuple[tuple[int, ...], Footer]:
    """The number of rows, the sum of each measure, and the footer of a cell of this store; 74 as `decode_cell`.

    Of the rows only the measures are read: a quarter of the time.
    """
    footer = decode_footer(pa.BufferReader(data), path, store)
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            same = file.schema_arrow.remove_metadata() == spec.schema
            table = file.read(columns=list(spec.measures), use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        raise DamagedCellError(path) from None
    if not same or table.num_rows != footer.rows:
        raise DamagedCellError(path)
    return totals_of(table, spec), footer


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema with the values' types in place of dictionaries, and without metadata."""
    kinds = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in schema]
    return pa.schema([field.with_type(kind) for field, kind in zip(schema, kinds, strict=True)])


def totals_of(table: pa.Table, spec: TableSpec) -> tuple[int, ...]:
    """The number of rows, and the sum of each measure."""
    return (table.num_rows, *(pc.sum(table[measure]).as_py() or 0 for measure in spec.measures))


def decode_footer(file: BinaryIO | pa.NativeFile, path: Path, store: str) -> Footer:
    """The footer of an open cell of this store; 74 if it is damaged or another store's."""
    footer = read_footer(file)
    if footer is None:
        raise DamagedCellError(path)
    if footer.store != store or footer.schema > SCHEMA_VERSION:
        raise InputOutputError(
            "a cell is another store's or a newer program's", where=str(path), fix="Move it out of the store"
        )
    return footer


def read_footer(file: BinaryIO | pa.NativeFile) -> Footer | None:
    """The footer of an open cell of any store; None if it is damaged; OSError where the disk fails."""
    try:
        metadata = pq.read_metadata(file)
        return _decode(metadata.metadata or {}, metadata.num_rows)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno:  # pyarrow's own have no number
            raise
        return None


def join_notes(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Both notes; where they differ, each distinct value once, sorted, joined by "; "."""
    joined = dict(old)
    for name, value in new.items():
        known = {part for text in (joined.get(name), value) if text for part in text.split(_JOIN)}
        joined[name] = _JOIN.join(sorted(known))
    return joined


def _encode(footer: Footer) -> dict[str, str]:
    own = {
        "store": footer.store,
        "schema": str(footer.schema),
        "policy": footer.policy,
        "policy_sha256": footer.policy_sha256,
        "lines": json.dumps(dict(sorted(footer.lines.items())), separators=(",", ":")),
        "sealed": "true" if footer.sealed else "false",
        "rows": str(footer.rows),
        "writer": footer.writer,
    }
    if footer.records:
        own["records"] = encode_snapshots(footer.records)
    if not footer.notes.keys().isdisjoint(_OWN):
        raise ValueError("a note has the name of one of the footer's own keys")
    return {_PREFIX + name: value for name, value in (own | dict(sorted(footer.notes.items()))).items()}


def _decode(metadata: Mapping[bytes, bytes], rows: int) -> Footer:
    found = {
        key.decode().removeprefix(_PREFIX): value.decode()
        for key, value in metadata.items()
        if key.startswith(_PREFIX.encode())
    }
    lines = parse_json(found["lines"])
    counts = {str(source): int(count) for source, count in lines.items()}
    if int(found["rows"]) != rows or min(counts.values(), default=0) < 0:
        raise ValueError("totals do not hold")
    return Footer(
        store=found["store"],
        policy=found["policy"],
        policy_sha256=found["policy_sha256"],
        lines=counts,
        sealed={"true": True, "false": False}[found["sealed"]],
        rows=rows,
        writer=found["writer"],
        notes={name: value for name, value in found.items() if name not in _OWN},
        schema=int(found["schema"]),
        records=decode_snapshots(found["records"]) if "records" in found else {},
    )
