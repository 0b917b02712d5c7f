"""What a follower looks like from outside: `/metrics` for Prometheus, `/healthz`, `/readyz`. Nothing from a log.

Labels are the store's path and reasons from closed lists. The server is the standard library's, for one scraper and one
prober: few connections at once, little time for each, no request is logged or looked at beyond its path.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loganon.errors import ConfigurationError
from loganon.figures import Figures

STALE = 120.0
"""Seconds without a tick of the loop after which it is taken for dead: a round on a slow disk may take its time."""

MOST_CONNECTIONS = 8
REQUEST_SECONDS = 3.0
REQUEST_BYTES = 8192

Look = Callable[[], Sequence[Figures]]
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
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


class Server(ThreadingMixIn, HTTPServer):
    """Answers on `address`; a connection beyond the eighth at once is closed without an answer."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, look: Look, seconds: Callable[[], float]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._look = look
        self._seconds = seconds
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Figured(look))
        ProcessCollector(registry=self._registry)
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """Where it listens, as in a URL."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and text for a path."""
        if path == "/metrics":
            return 200, generate_latest(self._registry)
        stores = self._look()
        if path == "/healthz":
            alive = self._seconds() - max((each.ticked for each in stores), default=self._seconds()) < STALE  # one loop
            return (200, b"alive\n") if alive else (503, b"the loop stands still\n")
        if path == "/readyz":
            ready = any(each.ready for each in stores) and all(each.ready or each.failures for each in stores)
            return (200, b"ready\n") if ready else (503, b"the first round is not done\n")
        return 404, b"see /metrics, /healthz, /readyz\n"

    def server_bind(self) -> None:
        """Binds, without asking the name service for its own name."""
        self.allow_reuse_address = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the request, if one is free."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is said: whoever asks could fill the log."""


class _Handler(BaseHTTPRequestHandler):
    """One request of at most 8 KiB within three seconds; its path is looked up, nothing of it is kept."""

    server: Server
    protocol_version = "HTTP/1.0"
    server_version = "loganon"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BytesIO(_head(self.connection))
        self.connection.settimeout(REQUEST_SECONDS)

    def do_GET(self) -> None:
        """The answer to the path."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without its text."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        status, text = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", _TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: requests are not logged."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - nothing of a request goes into the answer
        """The status alone."""
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.0 %d Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % code)


def _head(connection: socket.socket) -> bytes:
    """The request up to its empty line; what came of it, where it is too long or too slow."""
    head = b""
    until = time.monotonic() + REQUEST_SECONDS
    with suppress(OSError):
        while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) < REQUEST_BYTES:
            connection.settimeout(max(0.001, until - time.monotonic()))
            block = connection.recv(REQUEST_BYTES - len(head))
            if not block or time.monotonic() >= until:
                return b""
            head += block
        return head if len(head) < REQUEST_BYTES else b""
    return b""


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port in `127.0.0.1:9464`, `[::1]:9464`, or `:9464` and `9464`, which are of the loopback."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    try:
        host = str(ip_address("127.0.0.1" if host == "localhost" else host))
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 16:
        raise ConfigurationError(
            "this is no address to listen at", where=f"--listen {text}", fix="Write 127.0.0.1:9464"
        )
    return host, number


@contextmanager
def serve(listen: str, look: Look, seconds: Callable[[], float]) -> Iterator[Server]:
    """A server for the block; ConfigurationError (78) where the address cannot be had."""
    host, port = parse_listen(listen)
    try:
        server = Server(host, port, look, seconds)
    except OSError as error:
        what = f"metrics cannot be served here: {error.strerror}"
        raise ConfigurationError(what, where=f"--listen {listen}", fix="Take another address") from None
    with server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.5}, name="metrics", daemon=True
        ).start()
        try:
            yield server
        finally:
            server.shutdown()
