"""What a follower looks like from outside: a server of `/metrics`, `/healthz` and `/readyz`. Nothing from a log.

It is the standard library's, for one scraper and one prober: few connections at once, little time for each, no request
is logged or looked at beyond its path.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from loganon.errors import ConfigurationError
from loganon.following.metrics import Figured, Look

STALE = 120.0
"""Seconds without a tick of the loop after which it is taken for dead: a round on a slow disk may take its time."""

MOST_CONNECTIONS = 8
REQUEST_SECONDS = 3.0
REQUEST_BYTES = 8192

_PATIENCE = 2.0  # seconds at most for a connection that was closed to be gone: its thread has only to wake up
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Server(ThreadingMixIn, HTTPServer):
    """Answers on `address`, few at once; one more closes the oldest that has not asked yet, or is closed itself."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, look: Look, seconds: Callable[[], float]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._silent: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
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
        """A thread for the request, if one is free: whoever connects and says nothing keeps none from one that asks."""
        if not self._free.acquire(blocking=False):
            self._close_oldest()
            if not self._free.acquire(timeout=_PATIENCE):
                self.shutdown_request(request)
                return
        with self._lock:
            self._silent[request] = None
        super().process_request(request, client_address)

    def has_asked(self, request: socket.socket) -> None:
        """It is not closed any more in favour of another."""
        with self._lock:
            self._silent.pop(request, None)

    def _close_oldest(self) -> None:
        with self._lock:
            oldest = next(iter(self._silent), None)
            if oldest is not None:
                del self._silent[oldest]
                with suppress(OSError):  # it has just gone by itself
                    oldest.shutdown(socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.has_asked(request)
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
        self.server.has_asked(self.connection)
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
