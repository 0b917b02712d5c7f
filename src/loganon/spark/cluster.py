"""On the driver: what the executors counted, taken once; books at once, rows one cell at a time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import SparkContext, StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from loganon.errors import ConfigurationError, InputOutputError, LoganonError, UnreadableDataError
from loganon.spark.books import Book, decode_book, join_books
from loganon.spark.carried import Carried
from loganon.spark.counting import MOST_ROWS, SCHEMA_TEXT, Batches, decode_rows, guarded, merge_cells

_FAILED = re.compile(r"loganon\[(\d+)\] ([^\n]*)")
_KINDS = {kind.exit_code: kind for kind in (ConfigurationError, UnreadableDataError)}


def context_of(session: SparkSession) -> SparkContext:
    """The session's context; 78 where it has none (Spark Connect): policy and databases travel by it."""
    try:
        return session.sparkContext
    except (PySparkException, AttributeError):
        what = "this Spark session has no context, as with Spark Connect"
        raise ConfigurationError(what, where="the Spark session", fix="Run in a classic session") from None


@contextmanager
def translated() -> Iterator[None]:
    """A block whose Spark errors become ours, with what an executor of ours said and nothing else."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError, EOFError) as error:
        raise _failure(error) from None


def _failure(error: Exception) -> LoganonError:
    said = _FAILED.search(str(error))
    if said is not None:
        kind = _KINDS.get(int(said[1]), InputOutputError)
        return kind("an executor failed", where=said[2])
    return InputOutputError(
        f"the Spark job failed ({type(error).__name__})",
        where="the Spark session",
        fix="See Spark's own log, then run again; nothing of this batch was counted",
    )


class Counted:
    """What the executors count of `source`, a DataFrame that `step` turns into rows and books.

    Within `with`: the books are there, and `tables` gives each cell once, merged, as often as it is gone through. Only
    data are relied on, no accumulator: whatever is retried, speculated or lost and made again gives the same rows, and
    a source of lines that does not is found out by the commit, which holds rows against books.
    """

    def __init__(self, source: DataFrame, carried: Carried, step: Callable[[Carried, Batches], Batches]) -> None:
        self._source = source
        self._carried = carried
        self._step = step
        self._held = ExitStack()
        self.books: dict[int, Book] = {}

    def __enter__(self) -> Self:
        with ExitStack() as held:
            self._held = held
            with translated():
                self._count()
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(PySparkException, Py4JError, ConnectionError):  # the cluster is gone, and what it held with it
            self._held.close()

    def _count(self) -> None:
        broadcast = context_of(self._source.sparkSession).broadcast(self._carried)
        self._held.callback(broadcast.destroy)
        step = self._step

        def count(batches: Batches) -> Batches:
            yield from guarded(lambda given: step(broadcast.value, given))(batches)

        def merge(batches: Batches) -> Batches:
            yield from guarded(lambda given: merge_cells(broadcast.value, given))(batches)

        counted = self._kept(self._source.mapInArrow(count, SCHEMA_TEXT))
        books: dict[int, list[Book]] = defaultdict(list)
        for row in counted.where("cell IS NULL").select("payload").collect():
            book = decode_book(bytes(row["payload"]))
            books[book.source].append(book)
        self.books = {source: join_books(found) for source, found in books.items()}
        rows = counted.where("cell IS NOT NULL")
        cells, total = rows.selectExpr("count(DISTINCT cell)", "coalesce(sum(rows), 0)").collect()[0]
        parts = max(1, min(cells, max(total // MOST_ROWS + 1, self._lanes())))
        together = rows.repartition(parts, "cell").sortWithinPartitions("cell")
        self._merged = self._kept(together.mapInArrow(merge, SCHEMA_TEXT))
        self._merged.count()  # in all executors; what follows takes one part after the other

    def tables(self) -> Iterator[pa.Table]:
        """Each cell's rows, in any order; one at a time in this process."""
        with translated():
            for row in self._merged.select("payload").toLocalIterator(prefetchPartitions=True):
                yield decode_rows(bytes(row["payload"]))

    def _kept(self, frame: DataFrame) -> DataFrame:
        """The DataFrame, made once and kept on the executors' disks until the end."""
        kept: Any = frame.persist(StorageLevel.DISK_ONLY)
        self._held.callback(kept.unpersist)
        return kept

    def _lanes(self) -> int:
        return int(self._source.sparkSession.sparkContext.defaultParallelism)


class Tables:
    """The tables of a job, to be gone through again from the first; `each` is told each of them."""

    def __init__(self, counted: Counted, begin: Callable[[], None], each: Callable[[pa.Table], None]) -> None:
        self._counted = counted
        self._begin = begin
        self._each = each

    def __iter__(self) -> Iterator[pa.Table]:
        self._begin()
        for table in self._counted.tables():
            self._each(table)
            yield table
