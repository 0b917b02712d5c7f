"""Logs into a store: identify each, read and transform it without the lock, commit many of them together.

Nothing of a log is kept that cannot be told apart from what was counted before; a batch that another process has
overtaken is dropped and read again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from loganon.admission import Admission
from loganon.ahead import Ahead
from loganon.batching import Fill, account, gather, share_of, versions
from loganon.chunks import Chunk, Window
from loganon.errors import BusyError, GoneInputError, MissingInputError, UnreadableDataError, UnreadableInputError
from loganon.keys import Key
from loganon.openlog import OpenLog, Rest, texts_of
from loganon.parse import Parsed, ParseState
from loganon.pipeline import Pipeline, build
from loganon.reading import Input, Reading
from loganon.refusals import SkippedError, other_format, set_aside
from loganon.sightings import Sighting
from loganon.sources import STDIN, Source, open_source
from loganon.spent import Spent, find_left_behind
from loganon.store import Batch, Committed, ConflictError, HeldStore, OutdatedError, Record, Store
from loganon.summary import LogSummary, Summary
from loganon.threads import Aside
from loganon.twins import find_twins, one_stream

if TYPE_CHECKING:
    from loganon.policy import Policy

_ATTEMPTS = 20


class Ingest:
    """Reads logs into one store under one policy, in one round or in many.

    `writer`: the name of this writer's cells. `progress` is told a log and the bytes of it that are read; where `ended`
    says so, nothing more is read and what was read is committed. `timer`: seconds, by which commits are measured.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        key: Key,
        *,
        writer: str | None,
        progress: Callable[[str, int], None] | None = None,
        ended: Callable[[], bool] = lambda: False,
        timer: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store = store
        self._policy = policy
        self._key = key
        self._writer = writer
        self._progress = progress or (lambda _log, _bytes: None)
        self._ended = ended
        self._timer = timer
        self._pipelines: dict[tuple[str, str, Reading], Pipeline] = {}
        self._inputs: dict[str, Input] = {}
        self._logs: dict[str, LogSummary] = {}
        self._batch: list[OpenLog] = []
        self._taken: set[str] = set()
        self._handed: list[OpenLog] = []
        self._aside = Aside()
        self._distinct = False
        self._fill = Fill()
        self._spent = Spent()
        self._admission = Admission(key)
        self._records: Mapping[str, Record] = {}
        self._seen: Mapping[str, Sighting] = {}

    def forget(self, reading: Reading) -> None:
        """Nothing is read so any more: its caches go."""
        self._pipelines = {name: kept for name, kept in self._pipelines.items() if name[2] is not reading}

    @property
    def logs(self) -> Mapping[str, LogSummary]:
        """What the last round did with each of its logs, by where it lies."""
        return self._logs

    def __call__(
        self, inputs: Sequence[Input], *, window: Window, now: datetime, wait: timedelta, summary: Summary
    ) -> None:
        """One round: each of `inputs`, once; all that is usable is committed, and what was done is in `summary`.

        `wait`: how long to wait for another process.
        """
        self._window, self._now, self._wait, self._summary = window, now, wait, summary
        self._batch.clear()
        self._spent.clear()
        self._records = self._store.records()
        self._inputs = {}
        for each in (*inputs, *find_left_behind(inputs)):
            self._inputs.setdefault(each.place, each)
        self._inputs = one_stream(self._inputs, {record.stream for record in self._records.values()})
        self._logs = {place: LogSummary(each.log) for place, each in self._inputs.items()}
        self._summary.logs += self._logs.values()
        twins = find_twins(self._inputs)
        self._seen = twins.seen
        for path, other in twins.unclear.items():
            what = f"it agrees with {self._logs[other].log} over its first 4,096 bytes and differs later"
            fix = "Run again with the one of them that is whole"
            self._skip(path, "set_aside", set_aside(self._logs[path].log, what, fix))
        others = twins.unclear.keys() | twins.within.keys() | twins.equal.keys()
        self._all([path for path in self._logs if path not in others and path != STDIN])
        self._all([path for path in self._logs if path == STDIN])  # alone: a stream cannot be read again
        for path, longer in twins.within.items():
            if self._logs[longer].source:  # its lines are read in the longer one, and counted there
                self._logs[path].source, self._logs[path].format = self._logs[longer].source, self._logs[longer].format
            else:
                self._all([path])
        self._all(list(twins.equal))  # by now it is known
        self._spent.remove(self._inputs, self._logs, self._records, self._summary)

    def _all(self, paths: Sequence[str]) -> None:
        queue = deque(paths)
        attempts = 0
        while queue:
            try:
                while queue and not self._ended():
                    self._one(queue[0])
                    queue.popleft()
                self._flush()
                if self._ended():
                    return
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
            with open_source(self._inputs[path].log, at=self._inputs[path].at) as source:
                rotated = path != STDIN and not (path in self._seen and self._seen[path].holds(source))
                if rotated:  # it may be what was read under another name: once that is committed, its record tells
                    self._flush()
                log = self._admit(path, source)
                if log is not None:
                    self._taken.add(log.id)
                    self._read(log, source)
                    self._spent.note(path, source, whole=not self._ended())
                if rotated:
                    self._flush()
        except MissingInputError as error:
            gone = self._inputs[path].found and isinstance(error, GoneInputError)
            self._skip(path, "missing", None if gone else error)
        except UnreadableInputError as error:  # what was committed of it stands, the rest is for the next run
            self._batch = [log for log in self._batch if log.summary is not summary]
            summary.fail("unreadable", error)
            self._summary.report(error)
        except SkippedError as error:
            listed = self._inputs[path].found or len(self._logs) > 1
            fine = error.reason == "empty" or (error.reason == "error_log" and listed)
            self._skip(path, error.reason, None if fine else error)

    def _admit(self, path: str, source: Source) -> OpenLog | None:
        """The log, as it is admitted. In a batch one log goes on from a record: where two begin with what was counted
        of it, both agree with it, and what the first makes of it, once that is committed, tells the other.
        """
        given, summary, notes = self._inputs[path], self._logs[path], self._summary.warnings
        log = self._admission.open(given, source, summary, self._records, notes)
        if log is not None and log.id in self._taken:
            self._flush()
            source.seek(0)
            log = self._admission.open(given, source, summary, self._records, notes)
        return log

    def _skip(self, path: str, reason: str, error: UnreadableDataError | MissingInputError | None) -> None:
        skipped = self._logs[path]
        skipped.fail(reason, error)
        if not skipped.lines:  # else a part of it was committed, and stands
            self._summary.logs = [log for log in self._summary.logs if log is not skipped]
            self._summary.skipped.append((skipped.log, reason))
        if error is not None:
            self._summary.report(error)

    def _read(self, log: OpenLog, source: Source) -> None:
        """All new lines of one log into the batch; commits where the batch is full."""

        def parse(chunk: Chunk, state: ParseState) -> Parsed:
            return self._pipeline(log).parse(chunk, state)

        self._batch.append(log)
        try:
            with Ahead(source, parse, log.state, final=log.reading.final) as ahead:
                for piece in ahead:
                    result = self._pipeline(log).treat(piece.parsed, self._window)
                    log.add(result, end=piece.end, tail=piece.tail)
                    self._progress(log.summary.log, piece.position)
                    if self._ended():
                        break
                    if self._fill.is_full(self._batch, result.table):
                        self._make_room(log, ahead)
        finally:
            self._settle(log, last=True)
        self._judge(log, same=source.retest())
        self._note_rest(log, source)

    def _pipeline(self, log: OpenLog) -> Pipeline:
        """The log's steps, made when its first line comes: a run with nothing to do loads no lists."""
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
        return self._pipelines[name]

    def _make_room(self, log: OpenLog, ahead: Ahead) -> None:
        """The batch's rows are counted together; where that is still half of what it may hold, it is committed.

        Where it was so the last time they are counted together beside the reading, as part of the commit. That is asked
        when the last commit has ended, so that the same log always has the same commits.
        """
        self._settle(log)
        if not self._distinct:
            log.compact(self._policy.spec)
            self._distinct = self._fill.of(self._batch) >= 1 / 2
        if self._distinct:
            self._judge(log, same=ahead.retest())
            self._flush_aside(log)

    def _judge(self, log: OpenLog, *, same: bool) -> None:
        """Whether what was read of a log may be committed; SkippedError, and it leaves the batch, where not.

        `same`: it still is the file that is read.
        """
        path = log.summary.log
        error = None
        if not same:
            error = set_aside(path, "it changed while it was read", "Run again")
        elif log.lines and not log.fits and (log.before is None or log.format.name != log.before.format):
            error = other_format(path, log.format)
            if not log.lines.total():  # a header, and no line yet
                error = SkippedError("empty", "the log has no line", where=path)
        if error is not None:
            self._batch.remove(log)
            raise error

    def _note_rest(self, log: OpenLog, source: Rest) -> None:
        damage = log.note_rest(source)
        if damage is not None:
            self._summary.errors.append(damage)

    def _flush(self) -> None:
        """Commit the cells and records of all logs in the batch at once."""
        self._handed, self._batch = self._batch, []
        self._taken.clear()
        with self._returned():
            self._commit([log for log in self._handed if log.lines])

    def _flush_aside(self, keep: OpenLog) -> None:
        """As `_flush`, in a thread of its own, while `keep` is read on; one commit at a time.

        Until it is settled nothing else asks the store, or what is known of its records.
        """
        self._handed = [log.hand_over() if log is keep else log for log in self._batch]
        self._batch = [keep]
        self._aside.begin(partial(self._commit, [log for log in self._handed if log.lines]))

    def _settle(self, keep: OpenLog, *, last: bool = False) -> None:
        """No commit is under way; its error is raised here. `keep` goes on from what was committed of it.

        `last`: no other will be of this log.
        """
        with self._returned():
            self._aside.close() if last else self._aside.settle()
            for log in self._handed:
                if log.id == keep.id:
                    keep.before = log.before

    @contextmanager
    def _returned(self) -> Iterator[None]:
        """A block after whose failure the logs that were handed over for a commit are in the batch again."""
        try:
            yield
        except BaseException:
            self._batch += self._handed
            self._fill.of(self._batch)
            raise
        finally:
            self._handed = []

    def _commit(self, parts: Sequence[OpenLog]) -> None:
        if not parts:
            return
        begun = self._timer()
        spec = self._policy.spec
        rows = gather(parts, spec)
        alone = len(parts) == 1 or self._store.exclusive
        self._distinct = share_of(rows.num_rows, texts_of(rows)) >= 1 / 2
        if alone:
            for log in parts:
                log.tables.clear()
        sources = (log.part(self._key, None if alone else gather([log], spec)) for log in parts)
        with self._store.locked(self._wait) as held:
            done = self._put(held, parts, Batch(rows, tuple(sources)))
            self._records = {**self._records, **done.records}
        overtaken = [log for log in parts if log.id not in done.records]
        if overtaken:
            parts = [log for log in parts if log.id in done.records]
            rows = gather(parts, spec)
        account(parts, rows, done, self._summary)
        self._summary.commit_seconds += self._timer() - begun
        if overtaken:
            self._handed = overtaken
            raise ConflictError("another run has counted this log", where=str(self._store.path), fix="Run again")

    def _put(self, held: HeldStore, parts: Sequence[OpenLog], batch: Batch) -> Committed:
        """What the commit did; ConflictError where what the store knows of a log has changed since it was read."""
        for _ in range(_ATTEMPTS):
            self._records = held.records()
            for log in parts:
                self._recheck(log)
            try:
                return held.commit(batch, self._policy.spec, now=self._now, writer=self._writer, footer=versions(parts))
            except OutdatedError:  # another log has become known; perhaps it is none of these
                continue
        raise BusyError("other processes keep changing the store", where=str(self._store.path), fix="Run it again")

    def _recheck(self, log: OpenLog) -> None:
        """ConflictError where the records no longer say of a log what they said when it was read."""
        if not self._admission.stands(log, self._records):
            where = str(self._store.path)
            raise ConflictError("another run has counted this log", where=where, fix="Run again")

    def _drop(self) -> list[str]:
        """Forget the batch; the paths that must be read again, from the records as they now stand."""
        paths = [place for place, summary in self._logs.items() if any(log.summary is summary for log in self._batch)]
        self._batch.clear()
        self._records = self._store.records()
        return paths
