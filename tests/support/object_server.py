"""S3 on loopback for tests: moto's server, a proxy before it that breaks what passes, and a service in memory."""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import io
import os
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest

from loganon.buckets import Found, Listed, MissingError, Options, RefusedError, Written

CREDENTIALS = {"access_key_id": "tester", "secret_access_key": "secret", "region": "us-east-1"}
_numbers = count(1)


def require_server() -> None:
    """The test is skipped where obstore or moto is not installed, and fails with LOGANON_SERVERS."""
    for name in ("obstore", "moto", "flask"):
        if importlib.util.find_spec(name) is None:
            assert not os.environ.get("LOGANON_SERVERS"), (
                f"{name} is not installed, and LOGANON_SERVERS says that it is"
            )
            pytest.skip(f"{name} is not installed")


@dataclass(frozen=True, slots=True)
class Server:
    """An S3 server: `endpoint`, and `client` (boto3's) for what loganon itself does not do."""

    endpoint: str
    client: Any

    @property
    def options(self) -> Options:
        return (("endpoint", self.endpoint), *CREDENTIALS.items())

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{next(_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name


@contextmanager
def moto_server() -> Iterator[Server]:
    """moto's server in a thread; its buckets are its own."""
    import boto3  # noqa: PLC0415 - only where the server can be had
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - as above

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = _one_write_at_a_time(server._server.app)
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
            region_name=CREDENTIALS["region"],
        )
        yield Server(endpoint, client)
    finally:
        server.stop()


def _one_write_at_a_time(app: Any) -> Any:
    """The WSGI application, its writes one after the other: S3 looks at a condition and writes in one step. moto takes
    two, and of two writers that meet there both are told that they were the first.
    """
    lock = threading.Lock()

    def call(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # none waits for another's client
        with lock:
            return app(environ | {"wsgi.input": io.BytesIO(body)}, start)

    return call


# --- faults between a client and a server -------------------------------------------------------------------------

FAULTS = ("lost_reply", "lost_request", "reset", "409", "412", "429", "500", "503", "slow", "late_503", "late_twice")
"""`lost_reply`, `late_503`: the server has acted, and the client gets no answer, or a wrong one. `lost_request`,
`reset`, 409, 412, 429, 500, 503: it has not; `slow` is the 503 by which S3 throttles. `late_twice`: it acts twice, as
after a repeat on the way.
"""
_SLOW = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(slots=True)
class Faults:
    """Which requests go wrong and how: each with the probability `rate`, by a seed; only writes get 409 and 412."""

    rate: float
    seed: int
    met: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self, method: str) -> str | None:
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < self.rate else None
            if fault in ("409", "412") and method != "PUT":
                fault = None
            if fault:
                self.met[fault] += 1
            return fault


@contextmanager
def fault_proxy(server: Server, faults: Faults) -> Iterator[Server]:  # noqa: C901 - one small server
    """The server as seen through a proxy that breaks some requests."""
    host, port = server.endpoint.removeprefix("http://").split(":")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = faults.next(self.command)
            if fault in ("409", "412", "429", "500", "503", "slow"):
                status, body = (503, _SLOW) if fault == "slow" else (int(fault), b"")
                self.answer(status, [("Content-Type", "application/xml")], body)
                return
            if fault in ("lost_request", "reset"):
                self.drop(hard=fault == "reset")
                return
            status, headers, data = self.forward(body)
            if fault == "late_twice":
                status, headers, data = self.forward(body)
            if fault == "lost_reply":
                self.drop(hard=False)
            elif fault == "late_503":
                self.answer(503, [], b"")
            else:
                self.answer(status, headers, data)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - the server's names

        def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            onward = http.client.HTTPConnection(host, int(port), timeout=60)
            try:
                onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    onward.putheader(name, value)
                onward.endheaders(body)
                reply = onward.getresponse()
                data = reply.read()
                return reply.status, reply.getheaders(), data
            finally:
                onward.close()

        def answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response_only(status)
            length = next((v for k, v in headers if k.lower() == "content-length"), str(len(data)))
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def drop(self, *, hard: bool) -> None:
            if hard:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR) if not hard else self.connection.close()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                self.rfile.close()

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A connection that is cut is no news."""

    proxy = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{proxy.server_address[1]}", server.client)
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


# --- in memory ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Memory:
    """`buckets.Service` on a dictionary: strongly consistent, with conditions, as S3 promises.

    `modified`: when everything was written, as a listing has it.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    modified: datetime | None = None

    def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
        if key not in self.objects:
            raise MissingError
        data = self.objects[key]
        if tag is not None and tag != tag_of(data):
            raise RefusedError
        return Found(data[start : None if length is None else start + length], tag_of(data))

    def head(self, key: str) -> Listed:
        found = self.get(key)
        return Listed(key, len(found.data), found.tag)

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        standing = self.objects.get(key)
        if (standing and tag_of(standing)) != tag:
            raise RefusedError
        self.objects[key] = data
        return Written(tag_of(data))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def list(self, prefix: str) -> list[Listed]:
        return [
            Listed(key, len(data), tag_of(data), self.modified)
            for key, data in self.objects.items()
            if not prefix or key.startswith(f"{prefix}/")
        ]


def tag_of(data: bytes) -> str:
    """As S3: the MD5 of the content."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


Hook = Callable[[str, str], None]


@dataclass(slots=True)
class Hooked:
    """A service before and after each of whose operations something is called: with its name and key."""

    service: Memory
    before: Hook = lambda _name, _key: None
    after: Hook = lambda _name, _key: None

    def _do(self, name: str, key: str, act: Callable[[], Any]) -> Any:
        self.before(name, key)
        try:
            return act()
        finally:
            self.after(name, key)

    def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
        found: Found = self._do("get", key, lambda: self.service.get(key, start=start, length=length, tag=tag))
        return found

    def head(self, key: str) -> Listed:
        found: Listed = self._do("head", key, lambda: self.service.head(key))
        return found

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        done: Written = self._do("put", key, lambda: self.service.put(key, data, tag=tag))
        return done

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self.service.delete(key))

    def list(self, prefix: str) -> list[Listed]:
        found: list[Listed] = self._do("list", prefix, lambda: self.service.list(prefix))
        return found
