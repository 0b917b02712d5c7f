"""Pieces of logs that executors read themselves: planned on the driver, told apart on both sides by salted digests.

A plain log is cut at line borders; a compressed one, and one whose lines depend on those before, is one piece.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from loganon.buckets import is_object
from loganon.errors import InputOutputError, LoganonError, MissingInputError
from loganon.openlog import OpenLog
from loganon.parse import whole_lines
from loganon.parse.detect import sample_lines
from loganon.parse.wrappers import wrapper_of
from loganon.sources import open_log
from loganon.sources.cutter import TAIL_BYTES
from loganon.sources.files import Log
from loganon.spark.books import Book
from loganon.spark.carried import Carried, Engine, How, load_engine
from loganon.spark.counting import Batches, Rows, books_batch

RANGE_BYTES = 128 << 20
"""How much of a plain log one task reads, about."""

_BORDER_BYTES = 1 << 16
_BEGINNING_BYTES = 4096
_COMPRESSED = 8  # how many times as much work a byte of a compressed log is
_JOINED = ("cri", "docker")  # wrappers that cut long lines into parts


@dataclass(frozen=True, slots=True)
class Seen:
    """Some bytes of a log as the driver saw them: how many, and their digest under a salt of the job."""

    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """What one executor reads of a log of `size` bytes: from `start` to `end`, or as far as it has whole lines (None).

    `first`, `before`, `behind`: its beginning, and the bytes before `start` and `end`. `pad`: random bytes under which
    the last bytes read go back to the driver, who needs them for the log's marker: no raw text travels.
    """

    source: int
    log: str
    how: How
    size: int
    start: int
    end: int | None
    state: tuple[str, ...]
    final: bool
    first: Seen
    before: Seen
    behind: Seen | None
    salt: bytes = field(repr=False)
    pad: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Planned:
    """A log's pieces, and the bytes before the end of the last where the driver knows them already."""

    pieces: tuple[Piece, ...]
    tail: bytes | None = field(repr=False)


def plan_pieces(log: OpenLog, source: Log, *, range_bytes: int = RANGE_BYTES) -> Planned:
    """The pieces of a log that is open at `source`, from what is done of it on; none where nothing is new."""
    salt = secrets.token_bytes(16)
    path = log.summary.log
    piece = Piece(
        source=0,
        log=path if is_object(path) else str(Path(path).absolute()),
        how=How(replace(log.format, examples=()), log.timezone),
        size=source.size,
        start=log.done,
        end=None,
        state=tuple(log.state),
        final=log.reading.final,
        first=_seen(salt, log.start[:_BEGINNING_BYTES]),
        before=_seen(salt, source.seek(log.done) or b""),
        behind=None,
        salt=salt,
        pad=secrets.token_bytes(TAIL_BYTES),
    )
    if source.compression is None and source.size == log.done:
        return Planned((), b"")
    if source.compression or source.size - log.done <= range_bytes or not _can_be_cut(log):
        return Planned((piece,), None)
    pieces, start, before = [], log.done, piece.before
    tail = b""
    for end, tail in _borders(source, log.done, range_bytes, final=log.reading.final):
        behind = _seen(salt, tail)
        pieces.append(replace(piece, start=start, end=end, before=before, behind=behind))
        start, before = end, behind
    return Planned(tuple(pieces), tail)


def tasks_of(pieces: Iterable[Piece], *, range_bytes: int = RANGE_BYTES) -> list[list[Piece]]:
    """The pieces in groups of about equal work, each for one task."""
    groups: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        work = piece.end - piece.start if piece.end is not None else piece.size * _COMPRESSED
        if work > room:
            groups.append([])
            room = range_bytes
        groups[-1].append(piece)
        room -= work
    return groups


def unsealed(book: Book, pad: bytes) -> bytes:
    """The last bytes that an executor read, which came back under the pad."""
    return _padded(bytes.fromhex(book.sealed), pad)


def count_pieces(tasks: list[list[Piece]], carried: Carried, batches: Batches) -> Batches:
    """What the tasks give whose numbers are in `batches`."""
    engine = load_engine(carried)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            rows = Rows(engine.spec)
            for piece in tasks[number]:
                book = Book(source=piece.source, end=piece.start, state=piece.state)
                try:
                    yield from _read(piece, engine, rows, book)
                except (MissingInputError, InputOutputError) as error:
                    book.failed = (_reason(error), error.what, error.where, error.fix)
                yield books_batch([book])
            yield from rows.rest()


def _reason(error: LoganonError) -> str:
    return "missing" if isinstance(error, MissingInputError) else "unreadable"


def _read(piece: Piece, engine: Engine, rows: Rows, book: Book) -> Batches:
    """The lines of a piece, into the rows and the book."""
    pipeline = engine.pipeline(piece.how, coded=True)
    with open_log(piece.log) as log:
        if log.size < piece.size or not _is(log.beginning(piece.first.length), piece.first, piece.salt):
            raise _changed(piece)
        log.end_at(piece.size if piece.end is None else piece.end)
        tail = log.seek(piece.start)
        if tail is None or not _is(tail, piece.before, piece.salt):
            raise _changed(piece)
        for chunk in log.chunks(final=piece.final or piece.end is not None, whole=whole_lines):
            result = pipeline(chunk, engine.window, book.state)
            book.add(result)
            book.end, tail = chunk.end, log.tail
            yield from rows.add(result.table)
        cut_short = piece.end is not None and book.end != piece.end
        moved = piece.behind is not None and not _is(tail, piece.behind, piece.salt)
        if cut_short or moved or not log.retest():
            raise _changed(piece)
        book.pending = log.pending
        book.position = log.position if log.compression else book.end
        book.damaged = log.damaged
        if piece.end is None:  # else the driver knows them, and a pad serves once
            book.sealed = _padded(tail, piece.pad).hex()


def _changed(piece: Piece) -> InputOutputError:
    return InputOutputError("it changed while it was read", where=piece.log, fix="Run again")


def _can_be_cut(log: OpenLog) -> bool:
    """Whether each line says the same wherever the log is cut: no header stands before it, and none is in parts."""
    return log.format.dialect != "delimited" and wrapper_of(sample_lines(log.start)) not in _JOINED


def _borders(source: Log, start: int, step: int, *, final: bool) -> Iterator[tuple[int, bytes]]:
    """Line ends about `step` bytes from one another and the last one, each with the bytes before it.

    With `final` the end of the log is the last.
    """
    at = start
    while source.size - at > step + _BORDER_BYTES:
        source.seek(at + step)
        chunk = next(source.chunks(chunk_bytes=_BORDER_BYTES), None)
        if chunk is None:  # no line ends any more
            break
        at = chunk.end
        yield at, source.tail
    if final:
        if source.size > at:
            yield source.size, source.seek(source.size) or b""
        return
    end, tail = _last_border(source, at)
    if end > at:
        yield end, tail


def _last_border(source: Log, start: int) -> tuple[int, bytes]:
    """Where the last line ends that begins at `start` or later, and the bytes before that; `start` where none does."""
    near = _BORDER_BYTES
    while True:
        begin = max(start, source.size - near)
        source.seek(begin)
        end, tail = start, b""
        for chunk in source.chunks():
            end, tail = chunk.end, source.tail
        if end > start or begin == start:
            return end, tail
        near *= 16


def _seen(salt: bytes, data: bytes) -> Seen:
    return Seen(len(data), hashlib.blake2b(data, key=salt, digest_size=16).digest())


def _is(data: bytes, seen: Seen, salt: bytes) -> bool:
    return len(data) == seen.length and hmac.compare_digest(_seen(salt, data).digest, seen.digest)


def _padded(data: bytes, pad: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(data, pad, strict=False))
