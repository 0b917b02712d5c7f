"""Which log a file is: by its content, never by a guess."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.sources import identity
from loganon.sources.identity import (
    PREFIX_BYTES,
    Answer,
    Catalogue,
    Prints,
    beginning_of,
    compare,
    fingerprint,
    goes_on_with_known,
    identify,
    marker,
    stream_name,
)

KEY = bytes(32)
LONG = b"".join(b"line %d of this log, long enough for a few of them\n" % i for i in range(200))
OTHER = LONG.replace(b"line 3 ", b"LINE 3 ")


@dataclass(frozen=True)
class Record:
    """A record of a log that was read up to `done`."""

    id: str
    stream: str = "access.log"
    prefix: Prints = field(default=())


def known(data: bytes, done: int | None = None, *, id: str = "r", stream: str = "access.log") -> Record:  # noqa: A002 - as the record calls it
    return Record(id, stream, fingerprint(KEY, data, done=len(data) if done is None else done))


def answer(data: bytes, *records: Record, stream: str = "access.log", named: bool = False) -> Answer:
    return identify(KEY, data, stream, named=named, records=records)


def first(count: int, data: bytes = LONG) -> bytes:
    """The first lines of `data`."""
    return b"".join(data.splitlines(keepends=True)[:count])


def test_prints_stand_at_line_borders() -> None:
    """A fingerprint at each line border within 4,096 bytes, and at 4,096 where a line straddles it."""
    lengths = [length for length, _ in fingerprint(KEY, LONG)]
    borders = [len(first(count)) for count in range(1, 201)]
    assert lengths == [border for border in borders if border < PREFIX_BYTES] + [PREFIX_BYTES]
    assert [length for length, _ in fingerprint(KEY, b"x" * 9000)] == [PREFIX_BYTES]
    assert fingerprint(KEY, b"") == ()


def test_headers_do_not_count() -> None:
    """`#` lines change no fingerprint, wherever they stand beside others."""
    assert fingerprint(KEY, b"#Fields: a b\n" + first(3) + b"#x\n" + b"end\n") == fingerprint(KEY, first(3) + b"end\n")


HASHES = b"".join(b"#%d of a log of which each line begins so\n" % i for i in range(2000))  # more than 64 KiB


@pytest.mark.parametrize("size", [42, 84, 4200, len(HASHES)])
def test_nothing_but_hashes(size: int) -> None:
    """A log that has only `#` lines has fingerprints, too: it is found again, also when it has grown, and as a part of
    it is set aside. They are none of those that other lines have.
    """
    record = known(HASHES[:size])
    for more in (b"", HASHES[size:], LONG):
        assert answer(HASHES[:size] + more, record) == Answer("known", "r")
    assert answer(HASHES[: size - 1], record).kind == "set_aside" or size > PREFIX_BYTES
    assert answer(b"#0 of another log\n", record).kind == "new"
    assert answer(LONG, record).kind == "new"
    assert set(fingerprint(KEY, first(1))).isdisjoint(fingerprint(KEY, b"#" + first(1)))


@given(data=st.lists(st.sampled_from([b"a", b"b", b"\n", b"#", b"#x\n"])).map(b"".join), done=st.integers(0, 40))
def test_prints_only_grow(data: bytes, done: int) -> None:
    """What a record holds of a log up to a line border are the first of the fingerprints of the log; that of one with
    nothing but `#` lines is known by them.
    """
    border = data[:done].rfind(b"\n") + 1
    recorded = fingerprint(KEY, data, done=border)
    if all(line.startswith(b"#") for line in data[:border].splitlines()):
        assert answer(data, Record("r", prefix=recorded)) == (Answer("known", "r") if border else Answer("new"))
    else:
        assert recorded == fingerprint(KEY, data)[: len(recorded)]


def test_keyed() -> None:
    """Another key gives other fingerprints, and a marker is none of the fingerprints."""
    assert set(fingerprint(KEY, LONG)).isdisjoint(fingerprint(b"k" * 32, LONG))
    assert marker(KEY, b"a\n") != fingerprint(KEY, b"a\n")[0][1]
    assert marker(KEY, LONG) == marker(KEY, LONG[-256:]) != marker(b"k" * 32, LONG)


def test_new() -> None:
    """A log that no record begins like is new, also where it merely begins with the same lines."""
    assert answer(LONG).kind == "new"
    assert answer(LONG, known(OTHER)).kind == "new"
    assert answer(first(5), known(OTHER)).kind == "new"
    assert answer(first(4, OTHER), known(LONG)).kind == "new"


@pytest.mark.parametrize("lines", [1, 3, 50, 200])
def test_known(lines: int) -> None:
    """A log that begins with all that a record stands for is that one, grown or not."""
    assert answer(LONG, known(first(lines))) == Answer("known", "r")
    assert answer(first(lines), known(first(lines))) == Answer("known", "r")


def test_known_within_a_line() -> None:
    """A record that ends within its first line, by --final, is found again when the line has grown."""
    assert answer(b"abc\n", known(b"ab")) == Answer("known", "r")
    assert answer(b"aXc\n", known(b"ab")).kind == "new"


@pytest.mark.parametrize("size", [60, 100, 2000, 4095])
def test_it_ends_before_the_record(size: int) -> None:
    """A log whose bytes so far are a record's, but that ends before its beginning does, is set aside."""
    found = answer(LONG[:size], known(LONG))
    assert (found.kind, found.record) == ("set_aside", "r")
    assert "--stream" in found.fix


def test_another_stream() -> None:
    """A match with a record of another stream is set aside, naming it, unless the operator named the stream."""
    record = known(LONG, stream="shop.log")
    found = answer(LONG, record)
    assert found.kind == "set_aside"
    assert "'shop.log'" in found.reason
    assert answer(LONG, record, stream="new.log", named=True).kind == "new"
    assert answer(LONG, record, stream="shop.log", named=True) == Answer("known", "r")
    assert answer(first(2), record).kind == "set_aside"


def test_two_records() -> None:
    """A log that two records of its stream stand for is set aside; a record of its own stream goes before others."""
    assert answer(LONG, known(first(2), id="a"), known(first(4), id="b")).kind == "set_aside"
    assert answer(LONG, known(LONG, id="a"), known(LONG, id="b", stream="x")) == Answer("known", "a")
    assert answer(LONG, known(LONG, id="a", stream="y"), known(LONG, id="b", stream="x")).kind == "set_aside"


STARTS = [LONG, OTHER, b"#Fields: a\n" + LONG, b"# x\n# y\n# z\n", b"# x\n# w\n", b"x" * 9000, b"x" * 5000 + b"\n"]


@given(
    records=st.lists(st.tuples(st.sampled_from(STARTS), st.integers(1, 9000)), max_size=8),
    start=st.sampled_from(STARTS),
    size=st.integers(1, 9000),
    named=st.booleans(),
)
def test_few_records_tell(records: list[tuple[bytes, int]], start: bytes, size: int, named: bool) -> None:
    """The records that a catalogue gives for a beginning answer as all of them do."""
    whole = [known(data, done, id=f"{place}", stream="ab"[place % 2]) for place, (data, done) in enumerate(records)]
    few = Catalogue(whole).alike(KEY, start[:size])
    assert answer(start[:size], *few, stream="a", named=named) == answer(start[:size], *whole, stream="a", named=named)


def test_of_many_records_few_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes to tell a log does not grow with the records of the store."""
    starts = [b"log %d\n" % n + LONG for n in range(1000)]
    catalogue = Catalogue([known(start, id=f"{n}") for n, start in enumerate(starts)])
    taken = 0

    def digest(*args: object) -> bytes:
        nonlocal taken
        taken += 1
        return whole(*args)  # type: ignore[arg-type]  # as it was called

    whole = identity.hmac.digest
    monkeypatch.setattr(identity.hmac, "digest", digest)
    assert [record.id for record in catalogue.alike(KEY, starts[700])] == ["700"]
    assert taken < 10


def test_it_goes_on_with_a_known_log() -> None:
    """What follows a log's counted part tells of another log of its stream by 4,096 bytes, not by fewer."""
    before = known(OTHER, id="a")
    ask = lambda rest, *records: goes_on_with_known(KEY, rest, before, (before, *records))  # noqa: E731 - a local short form
    assert ask(LONG, known(LONG))
    assert ask(b"#Fields: a b\n" + LONG, known(LONG))
    assert not ask(LONG[: PREFIX_BYTES - 1], known(LONG))
    assert not ask(LONG, known(LONG[: PREFIX_BYTES - 1]))
    assert not ask(LONG, known(LONG, stream="shop.log"))
    assert not ask(OTHER)


@dataclass
class Content:
    """A log in memory."""

    data: bytes
    size: int

    def blocks(self) -> Iterator[bytes]:
        yield from (self.data[at : at + self.size] for at in range(0, len(self.data), self.size))


@pytest.mark.parametrize("sizes", [(7, 1000), (1000, 7), (64, 64)])
def test_compare(sizes: tuple[int, int]) -> None:
    """Two logs are compared to the end of the shorter, whatever the size of their blocks."""
    ask = lambda a, b: compare(Content(a, sizes[0]), Content(b, sizes[1]))  # noqa: E731 - a local short form
    assert ask(LONG, LONG) == "equal"
    assert ask(LONG, LONG[:-1]) == "second_begins_first"
    assert ask(LONG[:4096], LONG) == "first_begins_second"
    assert ask(LONG, LONG[:-1] + b"x") == "differ"
    assert ask(b"", b"") == "equal"


def begin_alike(first: bytes, second: bytes) -> bool:
    return beginning_of(first).is_alike(beginning_of(second))


def test_begin_alike() -> None:
    """Two logs begin alike if they agree over 4,096 bytes, or over the whole of the shorter, which is not empty."""
    assert begin_alike(LONG, LONG[:4096] + b"x")
    assert begin_alike(first(1), LONG)
    assert not begin_alike(LONG, OTHER)
    assert not begin_alike(b"", LONG)
    assert begin_alike(b"#h\n" + LONG, LONG)
    assert begin_alike(HASHES[:84], HASHES)
    assert not begin_alike(HASHES, HASHES[42:])
    assert not begin_alike(HASHES[:84], HASHES[:84] + LONG)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/log/nginx/access.log", "access.log"),
        ("access.log.1", "access.log"),
        ("access.log.12.gz", "access.log"),
        ("access.log-20261121", "access.log"),
        ("access.log-20261121.gz", "access.log"),
        ("access.log-2026-11-21.zst", "access.log"),
        ("access.log-20261121-1795221000.xz", "access.log"),
        ("access-20261121.log", "access.log"),
        ("access.2026-11-21.log.bz2", "access.log"),
        ("access.1.log", "access.log"),
        ("access.12.log.gz", "access.log"),
        ("access_log.1795221000", "access_log"),
        ("u_ex261121.log", "u_ex.log"),
        ("access.log-202611", "access.log"),
        ("access.log.2026-11.gz", "access.log"),
        ("access-2026_11.log", "access.log"),
        ("access.log-2026-W47", "access.log"),
        ("access.log.21-11-2026", "access.log"),
        ("access.log.20261121T143000Z.gz", "access.log"),
        ("access.log-20261121-14:30", "access.log"),
        ("access.log.2026-11-21T14:30:00+01:00", "access.log"),
        ("shop-202613.log", "shop-202613.log"),
        ("access.log-8080", "access.log-8080"),
        ("site2.log", "site2.log"),
        ("shop-1.log", "shop-1.log"),
        ("20261121.log", "20261121.log"),
        (".gz", ".gz"),
        ("-", "-"),
    ],
)
def test_stream_name(path: str, name: str) -> None:
    """A log keeps its name through rotation and compression."""
    assert stream_name(path) == name
