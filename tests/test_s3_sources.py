"""Logs in a bucket, on a service in memory: ranges, what is replaced while it is read, addresses of several."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from loganon.buckets import Bucket, Location, parse_location
from loganon.errors import GoneInputError, MissingInputError, UnreadableInputError
from loganon.sources import objects, open_log
from loganon.sources.files import BEGINNING_BYTES, CHUNK_BYTES
from loganon.sources.objects import expand_objects
from support.object_server import Hooked, Memory
from support.runs import lines


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """All buckets are this one; keys are those below the bucket."""
    found = Memory()
    monkeypatch.setattr(objects, "open_bucket", lambda location: Bucket(_Folder(found, location), location, lanes=1))
    return found


class _Folder(Hooked):
    """The part of a memory that lies below a location."""

    def __init__(self, memory: Memory, location: Location) -> None:
        prefix = f"{location.key}/" if location.key else ""
        below = {key.removeprefix(prefix): data for key, data in memory.objects.items() if key.startswith(prefix)}
        super().__init__(Memory(below))


def content(url: str) -> bytes:
    with open_log(url) as log:
        return b"".join(chunk.data for chunk in log.chunks())


def test_a_plain_and_a_packed_log(memory: Memory) -> None:
    """The lines of an object are those of a file; its unterminated end stays unread, that of a packed one is a line."""
    text = b"".join(b"line %d\n" % n for n in range(100_000))
    memory.objects["logs/a.log"] = text + b"half"
    memory.objects["logs/a.log.gz"] = gzip.compress(text + b"half")
    assert content("s3://b/logs/a.log") == text
    assert content("s3://b/logs/a.log.gz") == text + b"half"
    with open_log("s3://b/logs/a.log") as log:
        assert log.seek(len(text) - 7) == text[-263:-7]
        assert b"".join(chunk.data for chunk in log.chunks()) == text[-7:]
        assert log.pending == 4
        assert log.retest()
        assert log.seek(len(text) + 5) is None


def test_ranges(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is read in ranges of the size of a chunk, each once, and never whole."""
    data = b"x" * (2 * CHUNK_BYTES) + b"\n" + b"y" * 1000 + b"\n"
    memory.objects["a.log"] = data
    asked: list[tuple[int, int]] = []
    read = Bucket.read

    def counting(bucket: Bucket, key: str, start: int, length: int, tag: str) -> Any:
        asked.append((start, length))
        return read(bucket, key, start, length, tag)

    monkeypatch.setattr(Bucket, "read", counting)
    assert len(content("s3://b/a.log")) < len(data)  # of the line that is too long only so much is kept
    assert max(length for _, length in asked) == CHUNK_BYTES
    assert sum(length for _, length in asked) <= len(data) + 2 * CHUNK_BYTES


def test_what_a_beginning_costs(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """To tell a log by its beginning, or where a known one goes on, no chunk is fetched; what is fetched is no more."""
    data = b"".join(b"line %07d\n" % n for n in range(300_000))
    memory.objects["a.log"] = data
    asked: list[int] = []
    read = Bucket.read

    def counted(self: Bucket, key: str, start: int, length: int, tag: str) -> bytes | None:
        asked.append(length)
        return read(self, key, start, length, tag)

    monkeypatch.setattr(Bucket, "read", counted)
    with open_log("s3://b/a.log") as log:
        assert log.beginning() == data[:BEGINNING_BYTES]
        assert sum(asked) == BEGINNING_BYTES
        assert log.seek(len(data) - 13) is not None
        assert b"".join(chunk.data for chunk in log.chunks()) == data[-13:]
        assert sum(asked) == BEGINNING_BYTES + 256 + 13
    asked.clear()
    memory.objects["small.log"] = data[:1300]
    assert content("s3://b/small.log") == data[:1300]
    assert asked == [1300]


def test_replaced_while_it_is_read(memory: Memory) -> None:
    """An object that becomes another one while it is read is an error (74), and nothing of two versions is mixed."""
    memory.objects["a.log"] = b"x" * CHUNK_BYTES + b"\n" + b"y" * CHUNK_BYTES
    with open_log("s3://b/a.log") as log:
        log._bucket._service.service.objects["a.log"] = b"z" * 3 * CHUNK_BYTES  # type: ignore[attr-defined]  # the test's own service
        with pytest.raises(UnreadableInputError, match="replaced or deleted"):
            list(log.chunks())


def test_missing(memory: Memory) -> None:
    """What is not there cannot be opened (66)."""
    for url in ("s3://b/none.log", "s3://b"):
        with pytest.raises(MissingInputError, match="no such log"):
            open_log(url)
    assert not memory.objects


def test_a_folder_is_not_the_object_of_its_name(memory: Memory) -> None:
    """Where nothing lies below an address that ends in a slash, it is missing (66): `ab` is not what `ab/` names."""
    memory.objects["ab"] = b"".join(lines(3))
    (url,) = expand_objects("s3://b/ab/")
    with pytest.raises(GoneInputError, match="no such log, and none below it"):
        open_log(url)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://b/logs/a.log", ["s3://b/logs/a.log"]),
        ("s3://b/logs/", ["logs/2/c.log", "logs/a.log", "logs/b.log.gz"]),
        ("s3://b/logs/*", ["logs/a.log", "logs/b.log.gz"]),
        ("s3://b/logs/*/*.log", ["logs/2/c.log"]),
        ("s3://b/*/[ab].log*", ["logs/a.log", "logs/b.log.gz"]),
        ("s3://b/logs/z*", ["s3://b/logs/z*"]),
        ("/var/log/*.log", ["/var/log/*.log"]),
        ("-", ["-"]),
    ],
)
def test_addresses(memory: Memory, address: str, expected: list[str]) -> None:
    """A slash at the end means all below; a pattern does not reach past a slash; what is empty is left out."""
    for key in ("logs/a.log", "logs/b.log.gz", "logs/2/c.log", "other/x.log"):
        memory.objects[key] = b"x"
    memory.objects["logs/empty"] = b""
    full = [each if "://" in each or each[0] in "/-" else f"s3://b/{each}" for each in expected]
    assert expand_objects(address) == full
    assert parse_location("s3://b/logs/").key == "logs"
