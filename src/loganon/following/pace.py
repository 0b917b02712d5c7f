"""When a follower's rounds are due: how often, how long after one that failed, and how much time a stop leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from loganon.clock import Clock

COMMIT_SHARE = 20
"""Rounds begin at least so many times the duration of the last commit after it ended."""

LONGEST_APART = 3600.0
"""The same in seconds, at most: a commit that hung with a disk, or with the process, says nothing of the next."""

LONGEST_BACKOFF = 60.0
RETENTION_EVERY = timedelta(hours=1)
STOP_READING = 4.0
"""Seconds after a stop was asked for in which logs are still read; what was read then is committed."""

STOP_COMMITTING = 4.0
"""Seconds after these in which the last rounds of many stores still begin."""

_NEVER = float("-inf")


class Ticker(Protocol):
    """The clock of a follower."""

    def now(self) -> datetime:
        """The time, UTC."""
        ...

    def seconds(self) -> float:
        """Seconds of a clock that never steps."""
        ...

    def pause(self, seconds: float) -> None:
        """So much time passes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When a round is due, and by which clock. `wait`: how long another process may hold the store unremarked."""

    flush_interval: float = 60.0
    flush_bytes: int = 64 << 20
    retain: bool = True
    wait: float = 60.0
    clock: Clock = field(default_factory=lambda: Clock(datetime.fromtimestamp(0, UTC)))


class Pace:
    """By `terms` and `ticker`, one follower's rounds; `rounds` succeeded, `failures` did not, `backoff`: seconds."""

    def __init__(self, terms: Terms, ticker: Ticker) -> None:
        self.rounds = self.failures = 0
        self.backoff = 0.0
        self._terms = terms
        self._ticker = ticker
        self._deadline: float | None = None
        self._busy_since: float | None = None
        self._begun = self._ended = self._not_before = _NEVER
        self._commit_seconds = 0.0

    # --- a stop -------------------------------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """A stop was asked for."""
        return self._deadline is not None

    @property
    def over(self) -> bool:
        """After a stop was asked for: nothing more is to be read."""
        return self._deadline is not None and self._ticker.seconds() >= self._deadline

    @property
    def late(self) -> bool:
        """After a stop was asked for: no round is to begin any more."""
        return self._deadline is not None and self._ticker.seconds() >= self._deadline + STOP_COMMITTING

    def stop(self) -> bool:
        """A stop is asked for; whether it was not before."""
        if self._deadline is not None:
            return False
        self._deadline = self._ticker.seconds() + STOP_READING
        return True

    # --- a round ------------------------------------------------------------------------------------------------------

    @property
    def held_up(self) -> bool:
        """No round may begin: it is too early after one that failed, or the last one comes with the stop."""
        return self.stopping or self._ticker.seconds() < self._not_before

    @property
    def urgent(self) -> bool:
        """A round is due, whatever waits: none has succeeded yet, or the last one failed."""
        return not self.rounds or bool(self.backoff)

    def due(self, pending: int) -> bool:
        """Whether `pending` bytes that wait make a round due."""
        moment = self._ticker.seconds()
        if moment < self._ended + min(COMMIT_SHARE * self._commit_seconds, LONGEST_APART):
            return False
        return moment - self._begun >= self._terms.flush_interval or pending >= self._terms.flush_bytes

    def retention_due(self, last: datetime | None) -> bool:
        """At the start, each hour, and when a day begins: what is past its day goes at once."""
        now = self._ticker.now()
        if not self._terms.retain or self.stopping:
            return False
        return last is None or now.date() != last.date() or not timedelta() <= now - last < RETENTION_EVERY

    def begin(self) -> None:
        """A round begins."""
        self._begun = self._ticker.seconds()

    def end(self, commit_seconds: float) -> None:
        """A round has ended; `commit_seconds`: what its commits took, 0 where there was none."""
        self._commit_seconds = commit_seconds or self._commit_seconds
        self._ended = self._ticker.seconds()

    def succeeded(self) -> None:
        """The round did all that it should."""
        self.rounds += 1
        self.backoff, self._busy_since, self._not_before = 0.0, None, _NEVER

    def failed(self, *, busy: bool) -> bool:
        """The round failed: the next comes after a pause that grows. Whether that is to be said.

        `busy`: another process holds the store; it may for a while.
        """
        moment = self._ticker.seconds()
        self.failures += 1
        self.backoff = min(max(1.0, 2 * self.backoff), LONGEST_BACKOFF)
        self._not_before = moment + self.backoff
        if not busy:
            return True
        self._busy_since = moment if self._busy_since is None else self._busy_since
        return moment - self._busy_since >= self._terms.wait
