"""The metrics of followers, for Prometheus; labels are the store's path and words of closed lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loganon.following.figures import Figures

Look = Callable[[], Sequence[Figures]]
_COVERAGE = ("domain", "suffix", "unknown", "other")


class Figured(Collector):
    """The metrics of all followers, made of their figures at each scrape."""

    def __init__(self, look: Look, today: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._look = look
        self._now = today

    def collect(self) -> Iterator[Metric]:
        """All metrics; each store has its own sample of each."""
        stores = self._look()
        yield from _lines(stores)
        for name, text, value in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=["store"])
            for each in stores:
                counter.add_metric([each.store], value(each))
            yield counter
        for name, text, reading in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["store"])
            for each in stores:
                if (found := reading(each)) is not None:
                    gauge.add_metric([each.store], found)
            yield gauge
        yield self._ages(stores)

    def _ages(self, stores: Sequence[Figures]) -> Metric:
        gauge = GaugeMetricFamily(
            "loganon_oldest_partition_age_seconds", "Time since the oldest stored day began.", labels=["store"]
        )
        for each in stores:
            if each.oldest is not None:
                gauge.add_metric([each.store], (self._now() - _midnight(each.oldest)) / timedelta(seconds=1))
        return gauge


def _lines(stores: Sequence[Figures]) -> Iterator[Metric]:
    """Lines by outcome: read = counted + already counted + rejected."""
    read = CounterMetricFamily("loganon_lines_read", "Lines read, those known before included.", labels=["store"])
    counted = CounterMetricFamily("loganon_lines_counted", "Lines counted into the store.", labels=["store"])
    known = CounterMetricFamily("loganon_lines_already_counted", "Lines that an earlier process had.", labels=["store"])
    rejected = CounterMetricFamily("loganon_lines_rejected", "Lines rejected, by reason.", labels=["store", "reason"])
    domains = CounterMetricFamily(
        "loganon_lines_by_provider",
        "Lines counted, by what is kept of their provider: a domain, a public suffix, unknown, other.",
        labels=["store", "reason"],
    )
    dropped = CounterMetricFamily(
        "loganon_syslog_dropped", "Datagrams lost: in the kernel, or in our queue.", labels=["store", "reason"]
    )
    for each in stores:
        read.add_metric([each.store], sum(each.lines.values()))
        counted.add_metric([each.store], each.lines["counted"])
        known.add_metric([each.store], each.lines["already_counted"])
        for reason, lines in each.lines.items():
            if reason not in ("counted", "already_counted"):
                rejected.add_metric([each.store, reason], lines)
        for kind in _COVERAGE:
            domains.add_metric([each.store, kind], each.domains.get(kind, 0))
        for reason, datagrams in each.dropped.items():
            dropped.add_metric([each.store, reason], datagrams)
    yield from (read, counted, known, rejected, domains, dropped)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, day_time(), UTC)


_COUNTERS: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    ("loganon_lines_redacted", "Lines in which the gate replaced a value.", lambda f: f.redacted),
    ("loganon_read_bytes", "Bytes of log files read.", lambda f: f.bytes_read),
    ("loganon_failures", "Rounds that failed and were tried again.", lambda f: f.failures),
    ("loganon_syslog_received", "Datagrams received.", lambda f: f.received),
)
_GAUGES: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    ("loganon_lag_bytes", "Bytes written to logs that are not committed yet.", lambda f: f.lag),
    ("loganon_logs", "Logs that are held open.", lambda f: f.logs),
    ("loganon_troubles", "Logs, databases and stores that cannot be used now.", lambda f: f.troubles),
    ("loganon_backoff_seconds", "Pause after the last failure; 0: the last round succeeded.", lambda f: f.backoff),
    ("loganon_ready", "1 after the first round that succeeded.", lambda f: float(f.ready)),
    ("loganon_last_commit_timestamp_seconds", "When lines were last committed.", lambda f: _seconds(f.last_commit)),
    ("loganon_last_retention_timestamp_seconds", "When retention ran last.", lambda f: _seconds(f.last_retention)),
)
