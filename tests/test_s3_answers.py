"""What the operator is told of each answer that an S3 service may give, and whether it is asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loganon.buckets import Bucket, Location
from loganon.errors import CannotWriteError, ConfigurationError, InputOutputError, LoganonError
from loganon.s3service import S3
from support.object_server import CREDENTIALS, require_server

Act = Callable[[Bucket], object]
ACTS: dict[str, Act] = {
    "get": lambda bucket: bucket.get("k"),
    "read": lambda bucket: bucket.read("k", 1, 2, "tag"),
    "head": lambda bucket: bucket.head("k"),
    "create": lambda bucket: bucket.create("k", b"x"),
    "replace": lambda bucket: bucket.replace("k", b"x", "tag"),
    "delete": lambda bucket: bucket.delete("k"),
    "list": lambda bucket: bucket.list(""),
}
CONDITIONAL = ("read", "create", "replace")


@dataclass(slots=True)
class Service:
    """Gives every request the same answer; `asked`: how many there were."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    address: str = field(default="", init=False)

    def bucket(self) -> Bucket:
        options = (("endpoint", self.address), *CREDENTIALS.items())
        location = Location("bucket", "st", options)
        return Bucket(S3(location), location, lanes=1, pause=lambda _seconds: None)


@pytest.fixture
def service() -> Iterator[Service]:
    require_server()
    found = Service()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.asked += 1
            self.send_response_only(found.status)
            self.send_header("Content-Length", str(len(found.body)))
            for header in found.headers.items():
                self.send_header(*header)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def error_of(act: Act, bucket: Bucket) -> LoganonError | None:
    try:
        act(bucket)
    except LoganonError as error:
        return error
    return None


@pytest.mark.parametrize("name", ACTS)
def test_every_status(service: Service, name: str) -> None:
    """Whatever the status, the end is an answer or an error of loganon's own. Only a request with a condition can be
    refused (409, 412): any other one is asked again. What is denied is said to be, also of a listing."""
    act, bucket = ACTS[name], service.bucket()
    writing = name in ("create", "replace", "delete")
    for status in (301, 400, 401, 403, 404, 405, 408, 409, 411, 412, 416, 425, 429, 500, 501, 502, 503, 504):
        service.status, service.asked = status, 0
        error = error_of(act, bucket)
        again = status in (408, 409, 425, 429) or status >= 500
        if status in (401, 403):
            assert isinstance(error, CannotWriteError if writing else InputOutputError), status
            assert "permits no" in error.what
        elif status in (409, 412) and name in CONDITIONAL:
            assert error is None, status
            again = False
        elif status == 404 and name != "list":
            assert error is None, status
        elif status == 412 and name != "list":
            assert error is not None
            again = True
        else:
            assert isinstance(error, InputOutputError), status
        assert service.asked == (10 if again else 1), status


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDenied", "permits no writing"), ("NoSuchKey", ""), ("InternalError", "does not answer")],
)
def test_one_key_of_a_deletion(service: Service, code: str, expected: str) -> None:
    """The client deletes by lists of keys, of which each has its own answer within a 200: the right to delete may be
    missing where all others are there, and what is gone already is gone."""
    reason = f"<Error><Key>st/k</Key><Code>{code}</Code><Message>why</Message></Error>"
    service.body = f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult>{reason}</DeleteResult>'.encode()
    error = error_of(ACTS["delete"], service.bucket())
    assert (expected in error.what) if error else not expected
    assert isinstance(error, CannotWriteError) == (code == "AccessDenied")


def test_a_stalled_request(service: Service) -> None:
    """The 400 by which S3 says that a connection stood still is asked again, as S3 means it."""
    service.status, service.body = 400, b"<Error><Code>RequestTimeout</Code></Error>"
    error = error_of(ACTS["create"], service.bucket())
    assert error is not None
    assert (service.asked, "does not answer" in error.what) == (10, True)


def test_another_region(service: Service) -> None:
    """A bucket of another region answers with a redirect: one request says so, and the region is named."""
    service.status = 301
    error = error_of(ACTS["get"], service.bucket())
    assert error is not None
    assert (service.asked, "region" in str(error)) == (1, True)


@pytest.mark.parametrize("key", ["st//x", "st/./x", "st/a\tb"])
def test_a_name_that_cannot_be_read(service: Service, key: str) -> None:
    """One object with a name that the client does not read ends a listing at once, and the error says why."""
    entry = f'<Key>{key}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>3</Size>'
    service.body = f"<ListBucketResult><Contents>{entry}</Contents></ListBucketResult>".encode()
    error = error_of(ACTS["list"], service.bucket())
    assert isinstance(error, InputOutputError)
    assert ("name that cannot be read" in error.what, key in str(error), service.asked) == (True, False, 1)


@pytest.mark.parametrize("tag", ['"tag"', "tag", 'W/"tag"', '"other"'])
def test_a_condition_that_is_not_heeded(service: Service, tag: str) -> None:
    """Part of an object is of the version that was asked for, also from a service that does not look at the condition:
    parts of two versions make no log."""
    when = "Sat, 21 Nov 2026 12:00:00 GMT"
    service.status, service.body = 206, b"xy"
    service.headers = {"ETag": tag, "Content-Range": "bytes 1-2/9", "Last-Modified": when}
    assert service.bucket().read("k", 1, 2, '"tag"') == (None if "other" in tag else b"xy")


def test_no_bucket(service: Service) -> None:
    """That there is no such bucket is a matter of configuration (78), whatever is asked."""
    service.status, service.body = 404, b"<Error><Code>NoSuchBucket</Code></Error>"
    for name in set(ACTS) - {"head", "replace"}:  # the one has no body to say it, of the other a condition failed
        assert isinstance(error_of(ACTS[name], service.bucket()), ConfigurationError), name
