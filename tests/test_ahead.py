"""A log parsed ahead gives what it gives when it is parsed in turn, and nothing reads it once its user has left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loganon import ahead as module
from loganon.ahead import Ahead
from loganon.chunks import Chunk
from loganon.formats import load_formats
from loganon.parse import Parsed, ParseState, make_parser
from loganon.sources.files import Log, open_log
from support.runs import lines


def parser_of(name: str) -> Callable[[Chunk, ParseState], Parsed]:
    return make_parser(load_formats()[name], needs=frozenset({"time", "client"}))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log of many small chunks, which a thread reads."""
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(lines(400)))
    chunks = Log.chunks
    monkeypatch.setattr(module, "_SMALL_BYTES", 0)
    monkeypatch.setattr(Log, "chunks", lambda self, **named: chunks(self, chunk_bytes=2000, **named))
    with open_log(path) as found:
        yield found


def test_the_same_as_in_turn(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks, their ends and the bytes before these are the same, in the same order."""
    with Ahead(log, parser_of("combined"), (), final=False) as found:
        pieces = [(piece.end, piece.tail, piece.position, piece.parsed.rows) for piece in found]
    monkeypatch.setattr(module, "_SMALL_BYTES", 1 << 20)
    log.seek(0)
    with Ahead(log, parser_of("combined"), (), final=False) as found:
        assert [(piece.end, piece.tail, piece.position, piece.parsed.rows) for piece in found] == pieces
    assert len(pieces) > 10
    assert sum(rows for *_, rows in pieces) == 400


def test_the_state_goes_from_chunk_to_chunk(log: Log) -> None:
    """What the parser knows after a chunk, it is given with the next."""
    given: list[ParseState] = []
    parse = parser_of("combined")

    def counting(chunk: Chunk, state: ParseState) -> Parsed:
        given.append(state)
        parsed = parse(chunk, ())
        return Parsed(**{name: getattr(parsed, name) for name in parsed.__slots__} | {"state": (*state, "x")})

    with Ahead(log, counting, ("x",), final=False) as found:
        ends = [piece.parsed.state for piece in found]
    assert given == [("x",) * n for n in range(1, len(given) + 1)]
    assert ends == [("x",) * n for n in range(2, len(given) + 2)]


def test_an_error_is_raised_where_the_pieces_are_taken(log: Log) -> None:
    """Whatever the parser or the source raises comes to the user, after what came before it."""
    parse, parsed, seen = parser_of("combined"), [], []

    def failing(chunk: Chunk, state: ParseState) -> Parsed:
        if len(parsed) == 3:
            raise OSError("the disk")
        parsed.append(chunk)
        return parse(chunk, state)

    with pytest.raises(OSError, match="the disk"), Ahead(log, failing, (), final=False) as found:
        seen.extend(found)
    assert len(seen) == 3
    assert not [thread for thread in threading.enumerate() if thread.name == "parser"]


def test_nothing_reads_on_after_the_end(log: Log) -> None:
    """Left early, by a break or an error, the thread has ended and the source can be closed."""
    with Ahead(log, parser_of("combined"), (), final=False) as found:
        piece = next(iter(found))
        assert found.retest()
    assert piece.end < log.size
    assert not [thread for thread in threading.enumerate() if thread.name == "parser"]


def test_a_change_is_seen_between_two_chunks(log: Log) -> None:
    """The retest looks at the file as it is read."""
    with Ahead(log, parser_of("combined"), (), final=False) as found:
        pieces = iter(found)
        next(pieces)
        assert found.retest()
        with log.path.open("r+b") as file:
            file.write(b"another")
        assert not found.retest()
