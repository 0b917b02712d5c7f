"""In an executor: lines -> rows with counts, cell by cell, and a book of each source. It imports no Spark.

What a task gives are record batches of `SCHEMA`: rows of one cell as bytes under the start of the cell, and books,
which have no cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import TableSpec, merge
from loganon.chunks import Chunk
from loganon.cli.messages import internal_error
from loganon.errors import ConfigurationError, LoganonError
from loganon.parse import whole_lines
from loganon.parse.delimited_header import Header
from loganon.sources.cutter import Cutter
from loganon.spark.books import Book, encode_book
from loganon.spark.carried import Carried, How, load_engine

SCHEMA = pa.schema([("cell", pa.int64()), ("rows", pa.int64()), ("payload", pa.binary())])
SCHEMA_TEXT = "cell long, rows long, payload binary"

MOST_ROWS = 500_000
"""Rows that a task holds before it sums them up, and gives them on where that does not help."""

_CHUNK_BYTES = 8 << 20
_JOINED_BYTES = 256 << 20
_SENT_BYTES = 16 << 20
_TIME = "time"

Batches = Iterator[pa.RecordBatch]
Step = Callable[[Batches], Batches]


class ExecutorError(RuntimeError):
    """A task failed: the exit code and the message of a LoganonError, or kind and place of an error of ours."""


def guarded(step: Step) -> Step:
    """The step, whose exceptions never hold a line: what they say is not passed on, nor what they were raised from."""

    def run(batches: Batches) -> Batches:
        try:
            yield from step(batches)
        except LoganonError as error:
            raise ExecutorError(f"loganon[{error.exit_code}] {error}") from None
        except BaseException as error:
            if isinstance(error, (GeneratorExit, KeyboardInterrupt, SystemExit)):
                raise
            # its text could be a line's, also that of a panic of polars, which is no Exception
            raise ExecutorError(f"loganon[70] {internal_error(error)}") from None

    return run


def count_lines(carried: Carried, how: How, batches: Batches) -> Batches:
    """What lines in the first column of `batches` give; their only source has the number 0."""
    engine = load_engine(carried)
    pipeline = engine.pipeline(how, coded=True)
    rows, book = Rows(engine.spec), Book()
    for chunk in chunks_of(batches):
        result = pipeline(chunk, engine.window)
        require_given(how, result.state)
        book.add(result)
        yield from rows.add(result.table)
    yield from rows.rest()
    yield books_batch([book])


def anonymize_lines(carried: Carried, how: How, schema: pa.Schema, batches: Batches) -> Batches:
    """The permitted rows of the lines in the first column of `batches`, with the columns of `schema`."""
    engine = load_engine(carried)
    pipeline = engine.pipeline(how, coded=False)
    for chunk in chunks_of(batches):
        result = pipeline(chunk, engine.window)
        require_given(how, result.state)
        yield from result.table.select(schema.names).cast(schema).to_batches()


def require_given(how: How, state: tuple[str, ...]) -> None:
    """Nothing while the columns are those that are given; 78 where a header names others: it does not reach all lines
    that it is meant for.
    """
    columns = how.format.columns
    if state and columns is not None and state != Header(columns).state(columns.fields):
        what = "a header among the lines names other columns than fields="
        raise ConfigurationError(what, where="the DataFrame", fix="Count the files themselves: python -m loganon.spark")


class Rows:
    """The rows of one task, summed up and cut by cell; `add` and `rest` give what can go on."""

    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec
        self._tables: list[pa.Table] = []
        self._count = 0

    def add(self, table: pa.Table) -> Batches:
        """Take some rows."""
        self._tables.append(table)
        self._count += table.num_rows
        if self._count >= MOST_ROWS:
            merged = merge(self._tables, self._spec, coded=True)
            self._tables, self._count = [merged], merged.num_rows
            if self._count >= MOST_ROWS // 2:
                yield from self.rest()

    def rest(self) -> Batches:
        """All that were taken and not yet given."""
        merged = merge(self._tables, self._spec)
        self._tables, self._count = [], 0
        yield from _batched(cells_of(merged))


def merge_cells(carried: Carried, batches: Batches) -> Batches:
    """Each cell once, of rows that come in the order of their cells."""
    spec = load_engine(carried).spec
    yield from _batched(_merged(batches, spec))


def _merged(batches: Batches, spec: TableSpec) -> Iterator[tuple[int, pa.Table]]:
    current: int | None = None
    waiting: list[pa.Table] = []
    for batch in batches:
        for cell, payload in zip(batch["cell"].to_pylist(), batch["payload"], strict=True):
            if current is not None and cell != current:
                yield current, merge(waiting, spec)
                waiting = []
            current = cell
            waiting.append(decode_rows(payload.as_buffer()))
            if sum(table.num_rows for table in waiting[1:]) >= MOST_ROWS:
                waiting = [merge(waiting, spec)]
    if current is not None:
        yield current, merge(waiting, spec)


def cells_of(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each cell, by its start in milliseconds; `table` is in order."""
    if not table.num_rows:
        return
    start = 0
    runs = pc.run_end_encode(table[_TIME].combine_chunks())
    for moment, end in zip(runs.values.cast(pa.int64()).to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield moment, table.slice(start, end - start)
        start = end


def encode_rows(table: pa.Table) -> bytes:
    """The rows as they travel: an Arrow stream, compressed."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def decode_rows(data: bytes | pa.Buffer) -> pa.Table:
    """The rows that were sent."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def books_batch(books: Iterable[Book]) -> pa.RecordBatch:
    """The books among the rows."""
    encoded = [encode_book(book) for book in books]
    empty = [None] * len(encoded)
    return pa.record_batch([pa.array(empty, pa.int64()), pa.array(empty, pa.int64()), pa.array(encoded)], schema=SCHEMA)


def chunks_of(batches: Batches) -> Iterator[Chunk]:
    """The lines in the first column, nulls left out, in chunks of whole lines."""
    cutter = Cutter(0, b"", whole_lines)
    held: list[bytes] = []
    size = 0
    for batch in batches:
        for data in _joined(batch.column(0).drop_null()):
            held.append(data)
            size += len(data)
        if size >= _CHUNK_BYTES:
            chunk = cutter.push(b"".join(held))
            held, size = [], 0
            if chunk is not None:
                yield chunk
    chunk = cutter.push(b"".join(held)) if held else None
    for each in (chunk, cutter.finish()):
        if each is not None:
            yield each


def _joined(values: pa.Array) -> Iterator[bytes]:
    """The values, each ended by LF."""
    if not len(values):
        return
    if len(values) > 1 and values.nbytes > _JOINED_BYTES:
        half = len(values) // 2
        yield from _joined(values.slice(0, half))
        yield from _joined(values.slice(half))
        return
    lines = values if pa.types.is_binary(values.type) else values.cast(pa.binary())
    together = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    yield pc.binary_join(together, b"\n")[0].as_py() + b"\n"


def _batched(cells: Iterable[tuple[int, pa.Table]]) -> Batches:
    """The cells as record batches of a bounded size."""
    waiting: list[tuple[int, int, bytes]] = []
    size = 0
    for cell, table in cells:
        payload = encode_rows(table)
        waiting.append((cell, table.num_rows, payload))
        size += len(payload)
        if size >= _SENT_BYTES:
            yield _batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting)


def _batch(cells: list[tuple[int, int, bytes]]) -> pa.RecordBatch:
    starts, rows, payloads = zip(*cells, strict=True)
    return pa.record_batch(
        [pa.array(starts, pa.int64()), pa.array(rows, pa.int64()), pa.array(payloads, pa.binary())], schema=SCHEMA
    )
