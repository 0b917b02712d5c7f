"""Logs into a store by a Spark job: told apart and committed as `run` does, read by executors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from loganon.batching import account, coverage
from loganon.errors import LoganonError, MissingInputError, UnreadableInputError
from loganon.ingest import Ingest
from loganon.openlog import OpenLog
from loganon.refusals import SkippedError, set_aside
from loganon.sources import Source, open_log
from loganon.sources.files import Log
from loganon.spark.books import Book
from loganon.spark.carried import carry
from loganon.spark.cluster import Counted, Tables
from loganon.spark.pieces import RANGE_BYTES, Planned, count_pieces, plan_pieces, tasks_of, unsealed
from loganon.store import Batch, ConflictError

MOST_LOGS = 200
"""Logs of one job, which are open on the driver meanwhile."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a log was not read, as an executor found it."""

    pending: int
    compression: str | None
    position: int
    damaged: int | None


class SpreadIngest(Ingest):
    """`Ingest`, but for who reads: the lines of many logs are counted by one Spark job, and committed together.

    Where the store has no lock, each log is a job of its own.
    """

    def __init__(self, session: SparkSession, *args: Any, range_bytes: int = RANGE_BYTES, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._session = session
        self._range_bytes = range_bytes
        self._planned: dict[str, Planned] = {}
        self._open: dict[str, Log] = {}

    def _read(self, log: OpenLog, source: Source) -> None:
        """The log's pieces wait for the next job; it stays open until that is committed."""
        assert isinstance(source, Log)  # noqa: S101 - the command refuses standard input
        again = open_log(log.summary.log)
        if (again.device, again.inode, again.size >= source.size) != (source.device, source.inode, True):
            again.close()
            raise set_aside(log.summary.log, "it changed while it was read", "Run again")
        self._open[log.id] = again
        again.end_at(source.size)
        self._planned[log.id] = plan_pieces(log, again, range_bytes=self._range_bytes)
        self._batch.append(log)
        if len(self._batch) >= MOST_LOGS:
            self._flush()

    def _flush(self) -> None:
        """Count and commit what waits."""
        try:
            while self._batch:
                logs = list(self._batch) if self._store.exclusive else self._batch[:1]
                self._count(logs)
                done = {log.id for log in logs}
                self._batch = [log for log in self._batch if log.id not in done]
        finally:
            for each in self._open.values():
                each.close()
            self._open.clear()
            self._planned.clear()
            self._taken.clear()

    def _count(self, logs: Sequence[OpenLog]) -> None:
        """One job: what its logs give is committed; ConflictError where one of them turns out not to be usable."""
        pieces = [replace(p, source=n) for n, log in enumerate(logs) for p in self._planned[log.id].pieces]
        tasks = tasks_of(pieces, range_bytes=self._range_bytes)
        if not tasks:
            return
        reading = logs[0].reading
        carried = carry(self._policy, reading.lookups, reading.exclude, self._window)
        source = self._session.range(0, len(tasks), 1, len(tasks))
        with Counted(source, carried, partial(count_pieces, tasks)) as counted:
            usable = [self._take(log, counted.books.get(n)) for n, log in enumerate(logs)]
            if not all(usable):  # its rows are among those of the others, which are counted again without it
                raise ConflictError("a log cannot be counted", where=str(self._store.path), fix="Run again")
            for n, log in enumerate(logs):
                if n in counted.books:
                    self._note_rest(log, self._rest(log, counted.books[n]))
            self._commit_counted([log for log in logs if log.lines], counted)

    def _rest(self, log: OpenLog, book: Book) -> _Rest:
        planned, source = self._planned[log.id], self._open[log.id]
        pending = book.pending if planned.tail is None else source.size - book.end
        return _Rest(pending, source.compression, book.position, book.damaged)

    def _take(self, log: OpenLog, book: Book | None) -> bool:
        """True where the log may be committed, as far as its lines say; else it is out of the batch, and told."""
        if book is None:
            return True
        planned, source = self._planned[log.id], self._open[log.id]
        path = next(place for place, summary in self._logs.items() if summary is log.summary)
        try:
            _require_read(book, log.summary.log)
            if book.parts != len(planned.pieces):
                raise UnreadableInputError("not all parts of it were read", where=log.summary.log, fix="Run again")
            if book.lines or book.end > log.done:
                tail = unsealed(book, planned.pieces[-1].pad) if planned.tail is None else planned.tail
                log.add(book.result(self._policy.spec), end=book.end, tail=tail)
                log.tables.clear()
            self._judge(log, same=source.retest())
        except LoganonError as error:
            self._batch = [each for each in self._batch if each is not log]
            self._refuse(path, error)
            return False
        return True

    def _refuse(self, path: str, error: LoganonError) -> None:
        """Note why nothing of a log was counted."""
        if isinstance(error, SkippedError):
            fine = error.reason == "empty" or (error.reason == "error_log" and len(self._logs) > 1)
            self._skip(path, error.reason, None if fine else error)
        elif isinstance(error, MissingInputError):
            self._skip(path, "missing", error)
        else:
            self._logs[path].fail("unreadable", error)
            self._summary.report(error)

    def _commit_counted(self, parts: Sequence[OpenLog], counted: Counted) -> None:
        """All of the job is committed at once, one cell in memory at a time."""
        if not parts:
            return
        domains: Counter[str] = Counter()

        def look(table: pa.Table) -> None:
            if "domain" in table.schema.names:
                domains.update(coverage(table))

        rows = Tables(counted, domains.clear, look)
        with self._store.locked(self._wait) as held:
            done = self._put(held, parts, Batch(rows, tuple(log.part(self._key) for log in parts)))
            self._records = {**self._records, **done.records}
        account(parts, self._policy.spec.schema.empty_table(), done, self._summary)
        self._summary.domains.update(domains)


def _require_read(book: Book, log: str) -> None:
    """Nothing where executors could read the log."""
    if book.failed is None:
        return
    reason, what, where, fix = book.failed
    if "changed" in what:
        raise set_aside(log, what, fix)
    kind = MissingInputError if reason == "missing" else UnreadableInputError
    raise kind(what, where=where, fix=fix)
