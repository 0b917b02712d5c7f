"""Logs into a store: identify each, read and transform it without the lock, commit many of them together.

Nothing of a log is kept that cannot be told apart from what was counted before; a batch that another process has
overtaken is dropped and read again.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce

import pyarrow.compute as pc

from loganon.aggregate import merge
from loganon.chunks import Window
from loganon.errors import BusyError, MissingInputError, UnreadableDataError, UnreadableInputError, printable
from loganon.formats import Format, load_formats, with_fields
from loganon.keys import Key
from loganon.openlog import OpenLog
from loganon.parse import whole_lines
from loganon.parse.detect import SHARE, detect, sample_lines
from loganon.pipeline import Pipeline, build
from loganon.policy import Policy
from loganon.reading import Input, Reading
from loganon.refusals import (
    SkippedError,
    error_log,
    other_format,
    recorded_zone,
    set_aside,
    unknown_format,
    zone_note,
)
from loganon.sources import STDIN, Source, open_source
from loganon.sources.files import BEGINNING_BYTES
from loganon.sources.identity import (
    ENDS_EARLY,
    GOES_ON_DIFFERENTLY,
    Answer,
    identify,
    marker,
    stream_name,
)
from loganon.sources.stdin import Stream
from loganon.store import Batch, ConflictError, LocalStore, Record, join_notes
from loganon.summary import LogSummary, Summary
from loganon.twins import find_twins

FLUSH_ROWS = 500_000
"""Rows that a batch may hold before it is committed: what bounds the memory of a run."""

SAMPLE_BYTES = 1 << 19
"""Detection looks at the first 1,000 lines, within this many bytes."""

_LEAST = 4096
_ATTEMPTS = 20


class Ingest:
    """Reads logs into one store under one policy; what it did goes into `summary`.

    `writer`: the name of this writer's cells; `wait`: how long to wait for another process.
    """

    def __init__(
        self,
        store: LocalStore,
        policy: Policy,
        key: Key,
        *,
        writer: str | None,
        wait: timedelta,
        window: Window,
        now: datetime,
        summary: Summary,
        progress: Callable[[str, int], None] | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._key = key
        self._writer = writer
        self._wait = wait
        self._window = window
        self._now = now
        self._summary = summary
        self._progress = progress or (lambda _log, _bytes: None)
        self._pipelines: dict[tuple[str, str, Reading], Pipeline] = {}
        self._inputs: dict[str, Input] = {}
        self._logs: dict[str, LogSummary] = {}
        self._batch: list[OpenLog] = []
        self._records: Mapping[str, Record] = store.records()

    def __call__(self, inputs: Sequence[Input]) -> None:
        """Each of `inputs`, once; all that is usable is committed."""
        for each in inputs:
            self._inputs.setdefault(each.log, each)
        self._logs.update((path, LogSummary(path)) for path in self._inputs)
        self._summary.logs += self._logs.values()
        twins = find_twins({path: each.at or path for path, each in self._inputs.items()})
        for path, other in twins.unclear.items():
            what = f"it agrees with {other} over its first 4,096 bytes and differs later"
            self._skip(path, "set_aside", set_aside(path, what, "Run again with the one of them that is whole"))
        others = twins.unclear.keys() | twins.within.keys() | twins.equal.keys()
        self._all([path for path in self._logs if path not in others and path != STDIN])
        self._all([path for path in self._logs if path == STDIN])  # alone: a stream cannot be read again
        for path, longer in twins.within.items():
            if self._logs[longer].source:  # its lines are read in the longer one, and counted there
                self._logs[path].source, self._logs[path].format = self._logs[longer].source, self._logs[longer].format
            else:
                self._all([path])
        self._all(list(twins.equal))  # by now it is known

    def _all(self, paths: Sequence[str]) -> None:
        queue = deque(paths)
        attempts = 0
        while queue:
            try:
                while queue:
                    self._one(queue[0])
                    queue.popleft()
                self._flush()
            except ConflictError:  # another process was faster: all since the last commit is read again
                attempts += 1
                if attempts == _ATTEMPTS:
                    where = str(self._store.path)
                    raise BusyError(
                        "other processes keep changing the store", where=where, fix="Run it again"
                    ) from None
                queue.extendleft(path for path in reversed(self._drop()) if path not in queue)

    def _one(self, path: str) -> None:
        """One log into the batch, or into the summary's list of those that are skipped."""
        summary = self._logs[path]
        try:
            with open_source(path, at=self._inputs[path].at) as source:
                log = self._begin(self._inputs[path], source, summary)
                if log is not None:
                    self._read(log, source)
        except MissingInputError as error:
            self._skip(path, "missing", error)
        except UnreadableInputError as error:  # what was committed of it stands, the rest is for the next run
            self._batch = [log for log in self._batch if log.summary is not summary]
            self._summary.report(error)
        except SkippedError as error:
            fine = error.reason == "empty" or (error.reason == "error_log" and len(self._logs) > 1)
            self._skip(path, error.reason, None if fine else error)

    def _skip(self, path: str, reason: str, error: UnreadableDataError | MissingInputError | None) -> None:
        if not self._logs[path].lines:  # else a part of it was committed, and stands
            self._summary.logs = [log for log in self._summary.logs if log.log != path]
            self._summary.skipped.append((path, reason))
        if error is not None:
            self._summary.report(error)

    def _begin(self, given: Input, source: Source, summary: LogSummary) -> OpenLog | None:
        """The log, told apart from all known ones, behind what was counted; None: it has no whole line yet."""
        path, reading = given.log, given.reading
        start = source.beginning(SAMPLE_BYTES)
        if not start and source.damaged is None:
            raise SkippedError("empty", "the log is empty", where=path)
        if _waits(source, start, final=reading.final):
            summary.pending_bytes = len(start)
            return None
        if source.damaged is not None and len(start) < _LEAST:
            raise set_aside(path, "a compressed log that ends early", "Run again once it is whole")
        stream = printable(reading.stream or stream_name(path))
        before = None if path == STDIN else self._known(given, source, start, stream)
        summary.already_counted = sum(before.lines.values()) - summary.lines.total() if before else 0
        last = before or self._last_of(stream)
        fmt = _format(given, start, before, last)
        zone = reading.timezone or recorded_zone(path, last)
        self._summary.warnings += zone_note(path, fmt, zone)
        summary.source, summary.format = before.id if before else secrets.token_hex(16), fmt.name
        state, done = (before.state, before.done) if before else ((), 0)
        return OpenLog(
            summary, reading, stream, summary.source, start[:BEGINNING_BYTES], before, fmt, zone, state, done
        )

    def _last_of(self, stream: str) -> Record | None:
        """The record of the stream that was committed last: what a new log of it is likely to be like."""
        records = [record for record in self._records.values() if record.stream == stream and record.committed]
        return max(records, key=lambda record: record.committed or self._now, default=None)

    def _identify(self, start: bytes, stream: str, reading: Reading) -> Answer:
        named = reading.stream is not None
        return identify(self._key.secret, start, stream, named=named, records=self._records.values())

    def _known(self, given: Input, source: Source, start: bytes, stream: str) -> Record | None:
        """The record that a log goes on from, None for a new log; SkippedError where that is not certain."""
        answer = self._identify(start[:BEGINNING_BYTES], stream, given.reading)
        before = self._records[answer.record] if answer.kind == "known" and answer.record else None
        if before is not None:
            tail = source.seek(before.done)
            if tail is None:
                answer = ENDS_EARLY
            elif marker(self._key.secret, tail) != before.marker:
                answer = GOES_ON_DIFFERENTLY
        if answer.kind == "set_aside":
            raise set_aside(given.log, answer.reason, answer.fix)
        return before

    def _read(self, log: OpenLog, source: Source) -> None:
        """All new lines of one log into the batch; commits where the batch is full."""
        name = (log.format.name, str(log.timezone), log.reading)
        if name not in self._pipelines:
            self._pipelines[name] = build(
                self._policy,
                log.format,
                log.reading.lookups,
                coded=True,
                rules=log.reading.exclude,
                timezone=log.timezone,
            )
        pipeline = self._pipelines[name]
        self._batch.append(log)
        for chunk in source.chunks(final=log.reading.final, whole=whole_lines):
            log.add(pipeline(chunk, self._window, log.state), end=chunk.end, tail=source.tail)
            self._progress(log.summary.log, source.position)
            if self._rows() >= FLUSH_ROWS:
                log.compact(self._policy.spec)
                if self._rows() >= FLUSH_ROWS // 2:
                    self._judge(log, source)
                    self._flush(keep=log)
        self._judge(log, source)

    def _rows(self) -> int:
        return sum(log.rows for log in self._batch)

    def _judge(self, log: OpenLog, source: Source) -> None:
        """Whether what was read of a log may be committed; SkippedError, and it leaves the batch, where not."""
        log.summary.pending_bytes = source.pending
        path = log.summary.log
        error = None
        if not source.retest():
            error = set_aside(path, "it changed while it was read", "Run again")
        elif log.before is None and log.lines and not log.fits:
            error = other_format(path, log.format)
            if not log.lines.total():  # a header, and no line yet
                error = SkippedError("empty", "the log has no line", where=path)
        if error is not None:
            self._batch.remove(log)
            raise error
        if source.damaged is not None:
            self._summary.errors.append(
                UnreadableDataError(
                    "the log is damaged; the lines before that were counted",
                    where=f"{path}, decompressed offset {source.damaged}",
                    fix="Run again with a whole copy: it is gone on from there",
                )
            )

    def _flush(self, keep: OpenLog | None = None) -> None:
        """Commit the cells and records of all logs in the batch at once; `keep` stays in it, to be read on."""
        parts = [log for log in self._batch if log.lines]
        if parts:
            self._commit(parts)
        self._batch = [keep] if keep else []

    def _commit(self, parts: Sequence[OpenLog]) -> None:
        spec = self._policy.spec
        tables = [table for log in parts for table in log.tables]
        rows = tables[0] if len(tables) == 1 and parts[0].compacted else merge(tables, spec)
        sources = tuple(log.part(self._key) for log in parts)
        with self._store.locked(self._wait) as held:
            self._records = held.records()
            for log in parts:
                self._recheck(log)
            done = held.commit(Batch(rows, sources), spec, now=self._now, writer=self._writer, footer=_versions(parts))
            self._records = {**self._records, **done.records}
        for log in parts:
            self._summary.redacted += log.redacted
            log.committed(done.records[log.id], done.expired.get(log.id, 0))
        self._summary.cells_written += done.cells_written
        self._summary.capped += done.capped
        if "domain" in rows.schema.names:
            unknown = rows.filter(pc.equal(rows["domain"], "unknown"))
            self._summary.unknown_domains += pc.sum(unknown["requests"]).as_py() or 0

    def _recheck(self, log: OpenLog) -> None:
        """ConflictError where the records no longer say of a log what they said when it was read."""
        if log.summary.log == STDIN:
            return
        answer = self._identify(log.start, log.stream, log.reading)
        if answer.kind == "set_aside" or answer.record != (log.before.id if log.before else None):
            where = str(self._store.path)
            raise ConflictError("another run has counted this log", where=where, fix="Run again")

    def _drop(self) -> list[str]:
        """Forget the batch; the paths that must be read again, from the records as they now stand."""
        paths = [log.summary.log for log in self._batch]
        self._batch.clear()
        self._records = self._store.records()
        return paths


def _waits(source: Source, start: bytes, *, final: bool) -> bool:
    """A plain file whose first line is not finished, and may still be."""
    whole = final or isinstance(source, Stream) or source.compression is not None
    return not whole and b"\n" not in start and len(start) < SAMPLE_BYTES


def _format(given: Input, start: bytes, before: Record | None, last: Record | None) -> Format:
    """The format given, or recorded for the log, or for its stream if it fits, or found in its first lines."""
    reading = given.reading
    if reading.format is not None:
        return with_fields(reading.format, reading.fields)
    formats = {name: with_fields(fmt, reading.fields) for name, fmt in load_formats().items()}
    recorded = formats.get(last.format) if last else None
    if recorded is not None and before is not None:
        return recorded
    lines = sample_lines(start)
    if recorded is not None and (found := detect(lines, [recorded])).format and found.share >= SHARE:
        return recorded
    found = detect(lines, formats.values())
    if found.error_log:
        raise error_log(given.log, found.error_log)
    if found.format is None:
        raise unknown_format(given.log, found)
    return found.format


def _versions(parts: Sequence[OpenLog]) -> Mapping[str, str]:
    """What the footers say of the look-ups that a batch was made with."""
    lookups = {id(log.reading.lookups): log.reading.lookups for log in parts}
    return reduce(join_notes, (each.versions for each in lookups.values()))
