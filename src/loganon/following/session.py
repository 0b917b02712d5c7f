"""A store that is followed into, while it is open: one attempt after another to store what is new.

It keeps what lasts from round to round: the `Ingest` with its caches, what live sources gave and is not stored yet,
the databases. When an attempt is due, and what becomes of one that fails, is the follower's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from loganon import job
from loganon.chunks import Window
from loganon.clock import AHEAD, Clock, next_cutoff
from loganon.errors import CannotWriteError, CheckError, LoganonError
from loganon.following.databases import Databases
from loganon.following.intake import Intake
from loganon.following.troubles import Teller, Troubles
from loganon.following.watch import Watch
from loganon.following.watched import Stamp, Watched
from loganon.ingest import Ingest
from loganon.keys import Key
from loganon.policy import Policy
from loganon.reading import Input, Reading
from loganon.recognition import last_of
from loganon.sources.live import Live
from loganon.store import Place, Store, open_or_none
from loganon.summary import LogSummary, Summary

_PAST = timedelta(days=1)  # a rotated log that is older than the stream's last commit by this is known
_LOOKED_EVERY = 3600.0  # seconds: the days of a store in a bucket are a list of thousands of objects
_RETENTION = "retention "
LIVE, LOG, ROTATED = "live ", "log ", "rotated log "
"""How the subjects of troubles begin, before the name of what is in trouble."""
_DONE = frozenset({"empty", "error_log", "damaged"})  # nothing more is to be had of such a log as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where lines go: the store at `path`; `policy`, `key`, `group` and `writer` as in `job.run`."""

    path: Place
    policy: Policy | str | None
    key: Key | Path
    writer: str | None = None
    group: str | None = None


@dataclass(slots=True)
class _Opened:
    store: Store
    policy: Policy
    ingest: Ingest


class Session:
    """Into `target` goes what `watch` holds and `lives` give: these as `reading` says, those as it was `add`ed.

    `seconds` is the clock by which commits are measured; `ended`: nothing more is to be read; `progress`: called after
    each piece that was read. `last_commit`, `last_retention`, `oldest`: as they are known here.
    """

    def __init__(
        self,
        target: Target,
        watch: Watch,
        lives: Sequence[Live],
        reading: Reading,
        *,
        teller: Teller,
        troubles: Troubles,
        seconds: Callable[[], float],
        ended: Callable[[], bool],
        progress: Callable[[str, int], None],
    ) -> None:
        self.intakes: list[Intake] = []
        self.last_commit: datetime | None = None
        self.last_retention: datetime | None = None
        self.oldest: date | None = None
        self.bytes_read = 0
        self._target = target
        self._watch = watch
        self._lives = tuple(lives)
        self._reading = reading
        self._readings: dict[str, Reading] = {}
        self._searched = False
        self._teller = teller
        self._troubles = troubles
        self._databases = Databases(teller, troubles)
        self._seconds = seconds
        self._ended = ended
        self._progress = progress
        self._opened: _Opened | None = None
        self._window: Window | None = None
        self._looked = 0.0

    def open(self, now: datetime) -> str:
        """The name of the store's policy; the store is opened, or made, where the one that stands there is not open."""
        return self._current(now).policy.name

    def close(self) -> None:
        """At the next attempt the store is opened again, under the policy that it then has."""
        self._opened = None

    def add(self, patterns: Sequence[str], reading: Reading, unless: Callable[[str], bool]) -> None:
        """Logs to which one of `patterns` leads, `unless` they belong elsewhere, are watched, and read so."""
        for pattern in patterns:
            self._readings.setdefault(pattern, reading)
        self._watch.extend(patterns, unless)
        self._searched = False

    def prune(self, clock: Clock, wait: timedelta, summary: Summary) -> None:
        """What is due in a standing store is gone, though nothing can be stored in it as it is configured.

        The first of the errors by which something stays is raised, at the end.
        """
        if open_or_none(self._target.path) is None:
            return
        _, found = job.retain(self._target.path, clock=clock, wait=wait, dry_run=False, raising=False)
        summary.dropped += found.dropped
        summary.sealed += found.sealed
        self.last_retention = clock.now
        if found.errors:
            raise found.errors[0]

    def take(self, clock: Clock, *, hurry: bool) -> list[LoganonError]:
        """What has come by standard input and syslog becomes rows; why that of a source that has ended did not.

        By a clock that is not believed nothing is read: what it dated would be stored when it is right again. The next
        attempt says so.
        """
        failed: list[LoganonError] = []
        if self._window is None or not self._believes(clock, self._window):
            return failed
        window = replace(self._window, latest=clock.now + AHEAD)
        for intake in self.intakes:
            subject = f"{LIVE}{intake.live.log}"
            try:
                intake.take(window, hurry=hurry)
            except LoganonError as error:
                self._troubles.met(subject, error)
                failed += [error] if intake.live.feed.ended else []
            else:
                if intake.begun:
                    self._troubles.over(subject)
            for text in intake.notes:
                self._troubles.note(text)
            intake.notes = []
        return failed

    def attempt(self, summary: Summary, clock: Clock, wait: timedelta, *, retain: bool, final: bool) -> None:
        """Stores what is new, where `open` has opened; with `retain` deletes and seals what is due, whatever becomes of
        the rest.

        Each log's troubles are told by themselves; what concerns the store is raised. `final`: nothing comes after it.
        """
        opened = self._open(clock.now)
        self._renew_databases(opened)
        try:
            self._window = self._new_window(opened, clock, wait, summary, prune=retain)
            if not self._searched or (retain and self.last_retention is not None):
                self._search(opened)
            try:
                self._store_lives(clock, wait, summary)
                self._store_logs(opened, clock.now, wait, summary, final=final)
            finally:
                if retain:
                    self._retain(opened, clock, wait, summary)
            self._note_oldest(opened.store, anew=retain)
        finally:
            over = f"{self._target.path}: a cell holds more than it may; what is rarest goes into `other`"
            for text in (*summary.warnings, *([over] if summary.capped else [])):
                self._troubles.note(text)

    def _believes(self, clock: Clock, window: Window) -> bool:
        if self._opened is None:  # the next attempt opens it, and asks the same
            return True
        try:
            next_cutoff(window.cutoff, self.last_commit, self._opened.policy, clock)
        except CheckError:
            return False
        return True

    def _current(self, now: datetime) -> _Opened:
        """The open store, opened again where its policy has been changed, or another store has taken its place.

        What is past its day goes by the policy that stands there. Of another store nothing is known: it may hold what
        is overdue, and not what was rotated away before.
        """
        opened = self._open(now)
        standing = open_or_none(self._target.path)
        if standing is None:
            self.close()
            raise self._gone()
        if standing.uuid != opened.store.uuid:
            self.last_retention, self._searched = None, False
        if (standing.uuid, standing.policy.sha256) != (opened.store.uuid, opened.store.policy.sha256):
            self.close()
        return self._open(now)

    def _open(self, now: datetime) -> _Opened:
        if self._opened is None:
            target = self._target
            policy = target.policy
            if self._window is not None:  # by now it has a policy of its own, which may have been changed
                policy = None
                if open_or_none(target.path) is None:  # none is made in place of one that may come back as a mount does
                    raise self._gone()
            store, frozen, key = job.open_store(target.path, policy, target.key, now, target.group)
            ingest = Ingest(
                store,
                frozen,
                key,
                writer=target.writer,
                progress=self._progress,
                ended=self._ended,
                timer=self._seconds,
            )
            first = self.last_commit is None and not self.intakes and self._window is None
            last_commit = store.last_commit()  # it may fail: before it the store is not open
            self._opened, self.last_commit = _Opened(store, frozen, ingest), last_commit
            self._place_intakes(self._opened, key)
            if first:
                self._watch.scan(self._seconds(), now.timestamp())
                self._search(self._opened)
        return self._opened

    def _gone(self) -> CannotWriteError:
        fix = "Bring it back, or start again to make another"
        return CannotWriteError("the store is gone", where=str(self._target.path), fix=fix)

    def _place_intakes(self, opened: _Opened, key: Key) -> None:
        for intake in self.intakes:
            if lost := intake.move(opened.store, opened.policy):
                what = f"{lost:,} lines that waited are given up: the store has another policy now"
                self._teller.note(f"{intake.live.log}: {what}")
        if not self.intakes:
            writer = self._target.writer
            self.intakes = [
                Intake(opened.store, opened.policy, key, live, self._reading, writer=writer) for live in self._lives
            ]

    def _new_window(self, opened: _Opened, clock: Clock, wait: timedelta, summary: Summary, *, prune: bool) -> Window:
        """The times that may be stored; CheckError where the clock is not believed. With `prune` what is past goes."""
        store = opened.store
        if prune:
            cutoff = job.prune(store, opened.policy, clock, wait, summary)
            store.check_records()
        else:
            cutoff = next_cutoff(store.cutoff(), store.last_commit(), opened.policy, clock)
        return Window(cutoff, clock.now + AHEAD, store.floor())

    def _retain(self, opened: _Opened, clock: Clock, wait: timedelta, summary: Summary) -> None:
        job.finish(opened.store, opened.policy, clock, wait, summary)
        self.last_retention = clock.now
        again = f"{self._target.path}: retention succeeds again"
        standing = {f"{_RETENTION}{error.what}": error for error in summary.errors}
        for subject, error in standing.items():
            self._troubles.met(subject, error)
        over = [subject for subject in self._troubles.of(_RETENTION) if subject not in standing]
        for subject in over:
            self._troubles.over(subject, "" if standing or subject != over[-1] else again)

    def _note_oldest(self, store: Store, *, anew: bool) -> None:
        """What is known of the oldest day is no older than an hour, whoever deletes."""
        moment = self._seconds()
        if anew or self.oldest is None or moment - self._looked >= _LOOKED_EVERY:
            self.oldest, self._looked = next((found.day for found in store.partitions()), None), moment

    def _search(self, opened: _Opened) -> None:
        """Logs that were rotated while nobody looked: those that were changed since their stream's last commit."""
        records = opened.store.records().values()
        created = opened.store.created.timestamp()

        def since(pattern: str, stream: str) -> float:
            last = last_of(records, self._readings[pattern].stream or stream)
            return max(created, (last.committed - _PAST).timestamp() if last and last.committed else created)

        self._searched = True
        self._watch.search(since)

    def _store_lives(self, clock: Clock, wait: timedelta, summary: Summary) -> None:
        for error in self.take(clock, hurry=True):
            summary.report(error)
        for intake in self.intakes:
            if intake.waits:
                begun = self._seconds()
                intake.commit(now=clock.now, wait=wait, summary=summary)
                summary.commit_seconds += self._seconds() - begun
                self.last_commit = clock.now

    def _store_logs(self, opened: _Opened, now: datetime, wait: timedelta, summary: Summary, *, final: bool) -> None:
        taken = self._watch.take(final=final)
        if not taken:
            return
        errors = len(summary.errors)
        assert self._window is not None  # noqa: S101 - `attempt` has set it
        try:
            known = {record.stream for record in opened.store.records().values()}
            inputs = [Input(each.log, self._reading_of(each, known), at=each.at, found=True) for each, _ in taken]
            opened.ingest(inputs, window=self._window, now=now, wait=wait, summary=summary)
        finally:
            if any(log.lines for log in summary.logs):
                self.last_commit = now
            self._watch.give_back(taken)
        for watched, stamp in taken:
            self._note(watched, stamp, opened.ingest.logs[watched.at])
        del summary.errors[errors:]  # each log's is told by itself

    def _reading_of(self, watched: Watched, known: Collection[str]) -> Reading:
        """How the log is read: of its names as one whose stream is `known`, if there is such, else as the first."""
        readings = [self._readings[pattern] for pattern in (watched.pattern, *watched.others)]
        return next((each for each in readings if each.stream in known), readings[0])

    def _note(self, watched: Watched, stamp: Stamp, log: LogSummary) -> None:
        """What a round did with one log; a rotated form that was found beside it has troubles of its own."""
        subject = f"{ROTATED if watched.copy else LOG}{watched.log}"
        if log.failed:
            watched.failed, watched.tries = log.failed, watched.tries + 1
            if log.failed in _DONE:
                watched.seen, watched.done = stamp, stamp[0]
            if log.failed == "error_log":
                self._troubles.note(f"{watched.log}: an error log: it holds messages, not accesses, and is left out")
            if log.error is not None:  # what is only in the making is told if it stays so
                self._troubles.met(subject, log.error, times=2 if log.failed == "set_aside" else 1)
            return
        if self._ended() and log.position + log.pending_bytes < stamp[0]:
            return
        self._troubles.over(subject, f"{watched.log}: the log is read again")
        done = log.position if log.position or log.pending_bytes else stamp[0]  # a twin's lines are read in the other
        self.bytes_read += max(0, done - watched.done)
        if watched.read(stamp, done=done, source=log.source):
            self._watch.search_beside(watched)

    def _renew_databases(self, opened: _Opened) -> None:
        """Databases whose files have changed are opened anew, for all that use them."""
        fresh = self._databases.renewed((self._reading, *self._readings.values()))
        for before in fresh:
            opened.ingest.forget(before)
        self._readings = {pattern: fresh.get(reading, reading) for pattern, reading in self._readings.items()}
        if self._reading in fresh:
            self._reading = fresh[self._reading]
            for intake in self.intakes:
                intake.read_as(self._reading)
