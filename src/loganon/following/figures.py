"""What a follower has done so far: totals over its rounds, and a picture of them for those who look from outside.

Nothing in it is a value from a log: counts, times, and the paths that the operator gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from loganon.errors import printable
from loganon.pipeline import REASONS
from loganon.sources.live import Feed
from loganon.sources.syslog import Syslog
from loganon.summary import COUNTED, LogSummary, Summary

MOST_LOGS = 1000
"""Logs that the totals tell apart; the oldest beyond are one entry, so that the memory of years is bounded."""

EARLIER = "earlier logs"
_MOST_SOURCES = 20_000
_DROPS = ("kernel", "queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One follower as it is: `lines` by outcome ("counted", "already_counted" and the reasons of rejection)."""

    store: str
    lines: Mapping[str, int]
    domains: Mapping[str, int]
    redacted: int
    bytes_read: int
    lag: int
    logs: int
    troubles: int
    failures: int
    backoff: float
    ready: bool
    ticked: float
    last_commit: datetime | None = None
    last_retention: datetime | None = None
    oldest: date | None = None
    received: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


class Totals:
    """The sum of many rounds on one store."""

    def __init__(self, policy: str, store: str) -> None:
        self.summary = Summary(policy, store)
        self.lines: Counter[str] = Counter()
        self._logs: dict[str, LogSummary] = {}
        self._sources: dict[str, None] = {}

    def add(self, found: Summary) -> None:
        """Take in what a round did."""
        whole = self.summary
        whole.policy = found.policy
        for log in found.logs:
            self._add_log(log)
        whole.logs = list(self._logs.values())
        whole.redacted += found.redacted
        whole.cells_written += found.cells_written
        whole.capped += found.capped
        whole.domains.update(found.domains)
        whole.sealed += [day for day in found.sealed if day not in whole.sealed][-MOST_LOGS:]
        whole.dropped += [day for day in found.dropped if day not in whole.dropped][-MOST_LOGS:]
        self.lines["already_counted"] = whole.already_counted

    def _add_log(self, log: LogSummary) -> None:
        """Lines that this process counted in an earlier round are not `already_counted`."""
        whole = self._logs.pop(log.log, None) or LogSummary(log.log)
        self._logs[log.log] = whole
        if log.source is not None and log.source not in self._sources:
            whole.already_counted += log.already_counted
        if log.source is not None:
            self._sources.pop(log.source, None)
            self._sources[log.source] = None
        whole.source, whole.format = log.source or whole.source, log.format or whole.format
        whole.lines.update(log.lines)
        whole.exact += log.exact
        whole.pending_bytes = log.pending_bytes
        self.lines.update(log.lines)
        while len(self._logs) > MOST_LOGS:
            self._fold(self._logs.pop(next(name for name in self._logs if name != EARLIER)))
        while len(self._sources) > _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]

    def _fold(self, log: LogSummary) -> None:
        whole = self._logs.setdefault(EARLIER, LogSummary(EARLIER))
        whole.lines.update(log.lines)
        whole.already_counted += log.already_counted
        whole.exact += log.exact


def figures_of(totals: Totals, running: Summary | None, feeds: Iterable[Feed], **rest: Any) -> Figures:
    """The totals, with what the round that is running has done, as a picture; every outcome is there."""
    lines, domains, redacted = Counter(totals.lines), Counter(totals.summary.domains), totals.summary.redacted
    if running is not None:
        for log in running.logs:
            lines.update(log.lines)
        domains.update(running.domains)
        redacted += running.redacted
    received, dropped = 0, Counter(dict.fromkeys(_DROPS, 0))
    for feed in feeds:
        if isinstance(feed, Syslog):
            received += feed.received
            dropped.update(feed.dropped)
    return Figures(
        store=printable(totals.summary.store),
        lines={name: lines[name] for name in (COUNTED, "already_counted", *REASONS)},
        domains=domains,
        redacted=redacted,
        received=received,
        dropped=dropped,
        **rest,
    )
