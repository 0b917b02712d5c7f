"""Live logs into one store for as long as they last: round after round, and what becomes of one that fails.

A round reads what is new in all logs and commits it at once. A log is known through rotation by its content, so that a
round is a run like any other; the watch holds what is renamed or unlinked until it is read. Standard input and syslog,
which cannot be read again, become rows as they come. No clock is read here: `pace.Ticker` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from loganon.errors import BusyError, ConfigurationError, InternalError, LoganonError, MissingInputError
from loganon.following.figures import Figures, Totals, figures_of
from loganon.following.pace import Pace, Terms, Ticker
from loganon.following.session import LOG, ROTATED, Session, Target
from loganon.following.troubles import Teller, Troubles
from loganon.following.watch import Watch
from loganon.following.watched import ObstacleError
from loganon.reading import Reading
from loganon.sources.live import Live
from loganon.sources.syslog import Syslog
from loganon.summary import Summary

_LOCK_WAIT = 2.0  # seconds of one attempt to take the store's lock: between attempts logs are watched
_MORE_ROUNDS = 3  # at the end, for what a live source holds by then: 16 MiB at most
_STORE = "store"
_RETENTION = "deletion"
_PATH = "path "


class Follower:
    """Follows `logs` (paths and globs) and `lives` into `target`; `tick` once a second or so.

    What fails is told once, tried again, and told when it is over. `figures`: how it stands.
    """

    def __init__(
        self,
        target: Target,
        logs: Sequence[str],
        lives: Sequence[Live],
        reading: Reading,
        *,
        ticker: Ticker,
        teller: Teller,
        terms: Terms,
    ) -> None:
        self.watch = Watch(())
        self.path = target.path
        self._logs: tuple[str, ...] = ()
        self._lives = tuple(lives)
        self._ticker = ticker
        self._terms = terms
        self._pace = Pace(terms, ticker)
        self._troubles = Troubles(teller)
        self._missing: dict[str, ObstacleError] = {}
        self._session = Session(
            target,
            self.watch,
            lives,
            reading,
            teller=teller,
            troubles=self._troubles,
            seconds=ticker.seconds,
            ended=lambda: self._pace.over,
            progress=self._progress,
        )
        self.add(logs, reading)
        self._totals = Totals("", str(target.path))
        self._running: Summary | None = None
        self.figures = self._figures()

    @property
    def ended(self) -> bool:
        """Nothing more can come, and all that came is stored."""
        return self._drained and not any(intake.waits for intake in self._session.intakes)

    @property
    def _drained(self) -> bool:
        return bool(self._lives) and not self._logs and all(live.ended for live in self._lives)

    @property
    def hurried(self) -> bool:
        """More waits than should until the next tick."""
        return any(live.feed.waiting > 1 << 20 for live in self._lives)

    def add(
        self, patterns: Sequence[str], reading: Reading, unless: Callable[[str], bool] = lambda _path: False
    ) -> None:
        """Logs to which one of `patterns` leads, `unless` they belong elsewhere, are read as `reading` says, too."""
        self._session.add(patterns, reading, unless)
        self._logs += tuple(patterns)

    def open(self, *, raising: bool = True) -> None:
        """The store is open; with `raising` what is wrong with its configuration is raised, all else is tried again."""
        try:
            self._session.open(self._ticker.now())
        except LoganonError as error:
            if raising and isinstance(error, ConfigurationError):
                raise
            self.fail(error)
        self._tell_missing()

    def tick(self, *, look: bool = True) -> None:
        """Look at the logs (unless another thread does), take what has come, and commit if that is due."""
        if look:
            self.look()
        self._tell_missing()
        self._take(hurry=False)
        if self._is_due():
            self._round()
        self.figures = self._figures()

    def look(self) -> None:
        """Only look at the logs; from a thread of its own none is missed while a round takes long."""
        self.watch.scan(self._ticker.seconds(), self._ticker.now().timestamp())

    def stop(self) -> None:
        """Nothing more is read after some seconds; may be called from a signal handler."""
        if self._pace.stop():
            for live in self._lives:
                live.feed.stop()

    def finish(self) -> Summary:
        """The last round is done, and everything is let go; what was done in all."""
        self.stop()
        self.look()
        while not self._pace.over and not all(live.feed.ended for live in self._lives):
            self._take(hurry=True)
            self._ticker.pause(0.05)
        waits = any(intake.waits for intake in self._session.intakes)  # and could not be read again
        failed = self._round() if waits or not self._pace.late else None
        for _ in range(_MORE_ROUNDS):  # where more had come than rows may wait
            if failed is None and not self._pace.late and any(live.feed.waiting for live in self._lives):
                failed = self._round()
        whole = self._totals.summary
        if failed is not None:
            whole.report(failed)
        self.figures = self._figures()
        if lost := sum(self.figures.dropped.values()):
            why = ", ".join(f"{count:,} by the {where}" for where, count in self.figures.dropped.items() if count)
            whole.warnings.append(f"{lost:,} datagrams were dropped unread: {why}.")
        whole.warn_of_caps()
        self.close()
        return whole

    def close(self) -> None:
        """All descriptors are free."""
        self.watch.close()
        for live in self._lives:
            live.feed.close()

    def _tell_missing(self) -> None:
        feeds = {live.log: live.feed for live in self._lives if isinstance(live.feed, Syslog)}
        for log, feed in feeds.items():
            if any(feed.dropped.values()):
                self._troubles.note(f"{log}: datagrams come faster than they are read, and are dropped")
        missing = self.watch.troubles | {log: _gone(found) for log, feed in feeds.items() if (found := feed.trouble)}
        for path, error in missing.items():
            self._troubles.met(_PATH + path, error)
        for subject in self._troubles.of(_PATH):
            path = subject.removeprefix(_PATH)
            if path not in missing:
                self._troubles.over(subject, f"{path}: {self._missing[path].ended}")
        self._missing = missing
        ends = (
            (LOG, self.watch.logs, "the log is no longer there"),
            (ROTATED, self.watch.failed_copies, "what was wrong with a rotated form of it is over"),
        )
        for kind, logs, ended in ends:
            for subject in self._troubles.of(kind):
                if (log := subject.removeprefix(kind)) not in logs:
                    self._troubles.over(subject, f"{log}: {ended}")

    def _take(self, *, hurry: bool) -> None:
        clock = replace(self._terms.clock, now=self._ticker.now())
        for error in self._session.take(clock, hurry=hurry):
            self._totals.summary.report(error)

    # --- when ---------------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        if self._pace.held_up:
            return False
        if self._pace.urgent or self._retention_due() or self._drained:
            return True
        if any(intake.full for intake in self._session.intakes):
            return True
        pending = self._pending()
        return pending is not None and self._pace.due(pending)

    def _retention_due(self) -> bool:
        return self._pace.retention_due(self._session.last_retention)

    def _pending(self) -> int | None:
        """Bytes that wait for a round; None: there is nothing to do."""
        due = [watched for watched in self.watch.held if watched.due]
        waiting = [intake for intake in self._session.intakes if intake.waits or intake.live.waiting]
        if not due and not waiting:
            return None
        return sum(watched.lag for watched in due) + sum(intake.pending for intake in waiting)

    # --- a round ------------------------------------------------------------------------------------------------------

    def _round(self) -> LoganonError | None:
        """One attempt; what fails is told, tried again later, and the answer."""
        failed: LoganonError | None = None
        now = self._ticker.now()
        self._pace.begin()
        try:
            summary = self._running = Summary(self._session.open(now), str(self.path))
            clock, wait = replace(self._terms.clock, now=now), timedelta(seconds=min(self._terms.wait, _LOCK_WAIT))
            final = self._pace.stopping
            self._session.attempt(summary, clock, wait, retain=self._retention_due(), final=final)
        except LoganonError as error:
            self.fail(error)
            failed = error
        else:
            self._pace.succeeded()
            self._troubles.over(_RETENTION)
            self._troubles.over(_STORE, f"{self.path}: the store can be used again")
        finally:
            self._end_round()
        return failed

    def _end_round(self) -> None:
        done, self._running = self._running, None
        if done is not None:
            self._totals.add(done)
        self._pace.end(done.commit_seconds if done is not None else 0.0)

    def fail(self, error: LoganonError) -> None:
        """It cannot go on now; that is told, and it is tried again after a pause."""
        told = self._pace.failed(busy=isinstance(error, BusyError))
        if isinstance(error, ConfigurationError | InternalError):  # such as a policy that was changed: look again
            self._session.close()
            self._prune()
        if told:
            self._troubles.met(_STORE, error)

    def _prune(self) -> None:
        """What is past its day goes although nothing can be stored; why it does not is said by what stands there."""
        summary = Summary(self._totals.summary.policy, str(self.path))
        if self._retention_due():
            now = self._ticker.now()
            try:
                self._session.prune(replace(self._terms.clock, now=now), timedelta(seconds=_LOCK_WAIT), summary)
            except LoganonError as error:
                self._troubles.met(_RETENTION, error)
            self._totals.add(summary)

    # --- seen from outside --------------------------------------------------------------------------------------------

    def _progress(self, _log: str, _position: int) -> None:
        """A piece of a log was read: those who look from outside see that."""
        self.figures = self._figures()

    def _figures(self) -> Figures:
        session = self._session
        held = self.watch.held
        return figures_of(
            self._totals,
            self._running,
            [live.feed for live in self._lives],
            bytes_read=session.bytes_read,
            lag=sum(watched.lag for watched in held) + sum(intake.pending for intake in session.intakes),
            logs=len(held),
            troubles=len(self._troubles),
            failures=self._pace.failures,
            backoff=self._pace.backoff,
            ready=self._pace.rounds > 0,
            ticked=self._ticker.seconds(),
            last_commit=session.last_commit,
            last_retention=session.last_retention,
            oldest=session.oldest,
        )


def _gone(error: MissingInputError) -> ObstacleError:
    """What is wrong with a socket, and its end."""
    return ObstacleError(error.what, where=error.where, fix=error.fix, ended="the socket is at its path again")
