"""What a caller of the library gives, as feeds: each the lines of one log in chunks, or tables of parsed columns."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk
from loganon.columns import COLUMNS, LINE, plain
from loganon.errors import ConfigurationError, UnreadableDataError, UnreadableInputError
from loganon.parse import whole_lines
from loganon.sources import Source, open_log
from loganon.sources.cutter import Cutter
from loganon.sources.stdin import Stream, waited
from loganon.tables import ArrowStream, is_arrow, require_once, tables_of

BATCH_BYTES = 8 << 20
_SLICE_ROWS = 1 << 16
_SLICE_BYTES = 64 << 20
"""Far below the 2 GiB that a column of texts holds in Arrow; usual rows have a third of it."""
_MEASURED = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
_END = object()
_BYTES = (bytes, bytearray, memoryview)


@runtime_checkable
class BinaryFile(Protocol):
    """An open file that gives bytes."""

    def read(self, limit: int, /) -> bytes:
        """At most `limit` bytes; none at the end."""
        ...


Piece: TypeAlias = (
    str | bytes | Path | BinaryFile | ArrowStream | pa.Table | pa.RecordBatch | pl.DataFrame | Mapping[str, Any]
)
Given: TypeAlias = Piece | pa.RecordBatchReader | Iterable[Piece]


@dataclass(frozen=True, slots=True)
class LineFeed:
    """The lines of one log; `where` names it in errors. A W3C header holds for the chunks that follow it."""

    chunks: Iterator[Chunk]
    where: str = "lines"


@dataclass(frozen=True, slots=True)
class ColumnFeed:
    """Tables of parsed columns, all with the same names."""

    tables: Iterator[pa.Table]
    names: frozenset[str]


Feed: TypeAlias = LineFeed | ColumnFeed


def feeds_of(given: Given, *, blocks: bool = False, batch_bytes: int = BATCH_BYTES) -> Iterator[Feed]:
    """The feeds of what is given, read as they are asked for, about `batch_bytes` of lines at a time.

    With `blocks` the elements of an iterable are pieces of one stream of bytes, cut anywhere. TypeError and
    ConfigurationError for what is none of these are raised by the call.
    """
    if isinstance(given, str):
        raise TypeError('a str is neither lines nor a log: give bytes, a list of lines, or Path("access.log")')
    if isinstance(given, _BYTES):
        return iter((LineFeed(_cut([bytes(given)], batch_bytes)),))
    if isinstance(given, Mapping) or is_arrow(given):
        return (_tabular(each, batch_bytes) for each in (tables_of(given),))
    if isinstance(given, Path) or _is_file(given):
        return _log(given, batch_bytes)
    if isinstance(given, Iterable) and not hasattr(given, "columns"):  # of a frame these would be its columns' names
        return _of_elements(iter(given), blocks=blocks, batch_bytes=batch_bytes)
    raise TypeError(f"lines cannot be had from {type(given).__name__}")


def _of_elements(elements: Iterator[Any], *, blocks: bool, batch_bytes: int) -> Iterator[Feed]:
    first = next(elements, _END)
    if first is _END:
        return
    everything = chain([first], elements)
    if isinstance(first, Path) or _is_file(first):
        for each in everything:
            yield from _log(each, batch_bytes)
    elif isinstance(first, Mapping) or is_arrow(first):
        yield _tabular((table for each in everything for table in tables_of(each)), batch_bytes)
    elif blocks:
        yield LineFeed(_cut(map(_encoded, everything), batch_bytes))
    else:
        yield LineFeed(_cut(_joined(map(_encoded, everything), batch_bytes), batch_bytes))


# --- lines --------------------------------------------------------------------------------------------------------


def _log(given: Path | BinaryFile, batch_bytes: int) -> Iterator[Feed]:
    """A log file by its path, or as an open one; compressed ones are recognised by their content."""
    if isinstance(given, Path):
        with open_log(str(given)) as log:
            yield LineFeed(_read(log, str(given), batch_bytes), str(given))
        return
    if not _is_file(given):
        raise TypeError(f"the first element was a log, and this one is {type(given).__name__}")
    where = "the open file"
    yield LineFeed(_read(Stream(_Reader(given, where)), where, batch_bytes), where)


def _read(source: Source, where: str, batch_bytes: int) -> Iterator[Chunk]:
    yield from source.chunks(final=True, chunk_bytes=batch_bytes, whole=whole_lines)
    if source.damaged is not None:
        what = "the log is damaged; the lines before that were given"
        raise UnreadableDataError(what, where=f"{where}, decompressed offset {source.damaged}", fix="Give a whole copy")


class _Reader:
    """An open file whose failures are told as its own; bytes of any kind."""

    def __init__(self, file: BinaryFile, where: str) -> None:
        self._file = file
        self._where = where

    def read(self, limit: int, /) -> bytes:
        """At most `limit` bytes."""
        try:
            block: object = waited(self._file, limit)
        except OSError as error:
            what = f"it cannot be read: {error.strerror or type(error).__name__}"
            raise UnreadableInputError(what, where=self._where, fix="Open it again") from None
        if not isinstance(block, _BYTES):
            raise _as_text()
        return bytes(block)


def _cut(blocks: Iterable[bytes], batch_bytes: int) -> Iterator[Chunk]:
    """Bytes, cut anywhere, as chunks of whole lines; the last line may have no LF."""
    cutter = Cutter(0, b"", whole_lines)
    for block in blocks:
        size = -(-len(block) // max(1, len(block) // batch_bytes)) or 1  # equal parts: none is a mere rest
        for start in range(0, len(block), size):
            chunk = cutter.push(block[start : start + size])
            if chunk is not None:
                yield chunk
    last = cutter.finish()
    if last is not None:
        yield last


def _joined(lines: Iterable[bytes], batch_bytes: int) -> Iterator[bytes]:
    """Lines, each ended by LF, together."""
    buffer = bytearray()
    open_end = False
    for line in lines:
        if open_end:
            what = "an element holds several lines and no LF at its end: whether the last is whole is not known"
            fix = "End it with LF, or say blocks=True where the elements are pieces of one stream"
            raise ConfigurationError(what, where="lines", fix=fix)
        buffer += line
        if not line.endswith(b"\n"):
            open_end = b"\n" in line
            buffer += b"\n"
        if len(buffer) >= batch_bytes:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def _encoded(line: object) -> bytes:
    if isinstance(line, str):
        return line.encode(errors="surrogatepass")
    if isinstance(line, _BYTES):
        return bytes(line)
    raise TypeError(f"a line is bytes or str, not {type(line).__name__}")


# --- tables -------------------------------------------------------------------------------------------------------


def _tabular(tables: Iterator[pa.Table], batch_bytes: int) -> Feed:
    """The tables by the first one's columns: lines where there is a column `line`, or one of another name."""
    first = next(tables, None)
    if first is None:
        return LineFeed(iter(()))
    names = frozenset(first.column_names)
    line = LINE if LINE in names else None
    if line is None and len(names) == 1 and not names & COLUMNS:
        (line,) = names
    everything = chain([first], tables)
    if line is not None:
        return LineFeed(_cut(_joined(_lines_of(everything, line), batch_bytes), batch_bytes))
    known = sorted(names & COLUMNS)
    return ColumnFeed((part for table in everything for part in _slices(_only(table, known))), names)


def _only(table: pa.Table, known: list[str]) -> pa.Table:
    """The columns that are taken of a table."""
    if missing := set(known) - set(table.column_names):
        what = f"a table lacks the column `{min(missing)}` that the first one has"
        raise ConfigurationError(what, where="lines", fix="Give tables of the same columns")
    require_once(name for name in table.column_names if name in COLUMNS)
    return table.select(known)


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, _SLICE_ROWS):
        yield from _bounded(table.slice(start, _SLICE_ROWS))


def _bounded(part: pa.Table) -> Iterator[pa.Table]:
    """The rows in pieces of which no column spells out to more than so many bytes, if it is not in one row."""
    if part.num_rows < 2 or all(_spelled(column) <= _SLICE_BYTES for column in part.columns):
        yield part
        return
    half = part.num_rows // 2
    yield from _bounded(part.slice(0, half))
    yield from _bounded(part.slice(half))


def _spelled(column: pa.ChunkedArray) -> int:
    """Bytes of a column's texts: those of a dictionary come as often as they are named. Views are not measured."""
    coded = pa.types.is_dictionary(column.type)
    kind = column.type.value_type if coded else column.type
    if not any(test(kind) for test in _MEASURED):
        return 0
    if not coded:
        return int(sum(chunk.nbytes for chunk in column.chunks))
    lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
    return int(sum(pc.sum(each, min_count=0).as_py() for each in lengths))


def _lines_of(tables: Iterable[pa.Table], name: str) -> Iterator[bytes]:
    """The lines of a column, each ended by LF: nulls and empty texts are no lines."""
    for table in tables:
        if name not in table.column_names:
            raise ConfigurationError(f"a table has no column `{name}`", where="lines", fix="Give tables alike")
        require_once(each for each in table.column_names if each == name)
        for part in _slices(table.select([name])):
            column = plain(part[name])
            if not _is_text(column.type):
                what = f"the column `{name}` is of the type {column.type}, and no text"
                raise ConfigurationError(what, where="lines", fix="Give lines as texts or bytes")
            values = column.cast(pa.large_binary()).drop_null()
            together = pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)
            yield pc.binary_join(together, pa.scalar(b"\n", pa.large_binary()))[0].as_py() + b"\n"


def _is_text(kind: pa.DataType) -> bool:
    tests: tuple[Callable[[pa.DataType], bool], ...] = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _is_file(given: object) -> TypeGuard[BinaryFile]:
    if isinstance(given, io.TextIOBase):
        raise _as_text()
    return hasattr(given, "read")


def _as_text() -> ConfigurationError:
    what = "the file is open as text, which changes line ends and fails on bytes that are none"
    return ConfigurationError(what, where="lines", fix='Open it with open(path, "rb")')
