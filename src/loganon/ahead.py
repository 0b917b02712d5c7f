"""The chunks of one log, parsed: a thread reads and parses the next ones while its user treats and commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Queue
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from loganon.chunks import Chunk
from loganon.parse import Parsed, ParseState, whole_lines
from loganon.sources import Source
from loganon.sources.files import Log

_SMALL_BYTES = 1 << 20
"""A plain log up to this size is one chunk: a thread would have nothing to run ahead of."""

_FIRST_BYTES = (1 << 20, 4 << 20)
"""The first chunks are small: whoever treats them has much to load, and begins while the next ones are parsed."""

_WAITING = 3
"""Parsed chunks that wait, about 7 MB each: so parsing goes on while a batch is committed."""

Parse = Callable[[Chunk, ParseState], Parsed]


@dataclass(frozen=True, slots=True)
class Piece:
    """A parsed chunk: where it ends, the log's bytes before that, and how far the log itself was read for it."""

    parsed: Parsed
    end: int
    tail: bytes
    position: int


class Ahead:
    """The pieces of `source` from where it stands, in order; at most three wait and one is in the making.

    Within `with`: at its end nothing reads the source any more, however early that is.
    """

    def __init__(self, source: Source, parse: Parse, state: ParseState, *, final: bool) -> None:
        self._source = source
        self._parse = parse
        self._state = state
        self._final = final
        self._waiting: Queue[Piece | BaseException | None] = Queue(_WAITING)
        self._reading = Lock()
        self._left = False
        self._thread: Thread | None = None
        if not (isinstance(source, Log) and source.compression is None and source.size <= _SMALL_BYTES):
            self._thread = Thread(target=self._run, name="parser", daemon=True)

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        if self._thread is not None:
            while self._waiting.get() is not None:
                pass
            self._end()

    def __iter__(self) -> Iterator[Piece]:
        if self._thread is None:
            yield from self._pieces()
            return
        while (piece := self._waiting.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
        self._end()

    def retest(self) -> bool:
        """Whether the source still is the one that is read, asked between two of its chunks."""
        if not isinstance(self._source, Log):  # a stream, whose next chunk may be long in coming
            return self._source.retest()
        with self._reading:
            return self._source.retest()

    def _pieces(self) -> Iterator[Piece]:
        source, state = self._source, self._state
        chunks = source.chunks(final=self._final, first=_FIRST_BYTES, whole=whole_lines)
        while not self._left:
            with self._reading:
                chunk = next(chunks, None)
                if chunk is None:
                    return
                tail, position = source.tail, source.position
            parsed = self._parse(chunk, state)
            state = parsed.state
            yield Piece(parsed, chunk.end, tail, position)

    def _run(self) -> None:
        try:
            for piece in self._pieces():
                self._waiting.put(piece)
        except BaseException as error:  # noqa: BLE001 - raised again where the pieces are taken
            self._waiting.put(error)
        finally:
            self._waiting.put(None)

    def _end(self) -> None:
        """The thread has said its last."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
