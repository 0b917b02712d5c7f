"""Log lines in, anonymised lines out, in the same format: the loop over one log, which keeps nothing.

A thread reads and parses the next chunk while the one before is treated and written; chunks stay in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import chain
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, Protocol

from loganon.chunks import Chunk, Window
from loganon.errorlog import ErrorLog
from loganon.errors import LoganonError, UnreadableDataError
from loganon.formats import Format, load_formats, with_fields
from loganon.lookups import Lookups
from loganon.parse import Parsed, ParseState, whole_lines
from loganon.parse.detect import SAMPLE_LINES, detect, sample_lines
from loganon.pipeline import REASONS, UNREAD, build
from loganon.policy import Policy
from loganon.refusals import error_log, unknown_format, zone_note
from loganon.render import Written, make_writer
from loganon.sources import Source

_CHUNK_BYTES = 16 << 20  # the larger, the fewer values are treated twice
_HELD_BYTES = 4 << 20  # of a beginning that no format fits yet

_AHEAD = 2  # chunks that are prepared, or being prepared, besides the one that is written


class Step(Protocol):
    """What is done with each chunk of a log, in two halves, of which the first touches nothing that the second does."""

    def prepare(self, chunk: Chunk) -> Any:
        """What `write` is given of a chunk; called for one after the other, in their order."""
        ...

    def write(self, prepared: Any) -> Written:
        """The chunk's lines."""
        ...


@dataclass(slots=True)
class FilterSummary:
    """What became of a log's lines: `lines_read` = `written` + the sum of `rejected`."""

    log: str
    policy: str | None
    format: str | None = None
    lines_read: int = 0
    written: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    redacted: int = 0
    errors: list[LoganonError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, part: Written) -> None:
        """Count what a chunk gave."""
        self.lines_read += part.lines
        self.written += part.written
        self.rejected.update(part.rejected)
        self.redacted += part.redacted

    def exit_code(self, *, strict: bool) -> int:
        """That of the first error; 1 with `strict` where a line could not be read or a value was redacted; 0."""
        if self.errors:
            return self.errors[0].exit_code
        return int(strict and (self.redacted > 0 or any(self.rejected[reason] for reason in UNREAD)))

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "log": self.log,
            "policy": self.policy,
            "format": self.format,
            "lines_read": self.lines_read,
            "written": self.written,
            "rejected": {reason: self.rejected[reason] for reason in REASONS},
            "redacted": self.redacted,
        }


class Access:
    """The step of an access log: each line's permitted values, written in its format again. `state` as a parser's."""

    def __init__(self, policy: Policy, fmt: Format, lookups: Lookups, timezone: tzinfo | None) -> None:
        self._pipeline = build(policy, fmt, lookups, coded=True, timezone=timezone, layouts=True)
        self._write = make_writer(fmt, self._pipeline.kept)
        self._state: ParseState = ()

    def prepare(self, chunk: Chunk) -> Parsed:
        """The chunk's lines as columns."""
        parsed = self._pipeline.parse(chunk, self._state)
        self._state = parsed.state
        return parsed

    def write(self, prepared: Parsed) -> Written:
        """The chunk's lines with their permitted values."""
        result = self._pipeline.treat(prepared, Window(None, None))
        text = self._write(result.table, result.layouts)
        return Written(text, result.lines, result.counted, result.rejected, result.redacted)


class Errors:
    """The step of an error log."""

    def __init__(self, server: str) -> None:
        self._masked = ErrorLog(server)

    def prepare(self, chunk: Chunk) -> Chunk:
        """The chunk."""
        return chunk

    def write(self, prepared: Chunk) -> Written:
        """The chunk's lines, masked."""
        return self._masked(prepared)


def filter_access(
    log: str,
    source: Source,
    write: Callable[[bytes], None],
    *,
    policy: Policy,
    lookups: Lookups,
    fmt: Format | None,
    timezone: tzinfo | None = None,
    fields: Sequence[str] = (),
) -> FilterSummary:
    """Write the lines of an access log again with the policy's values only; `fmt` None: find out by the first lines.

    `fields`: the columns of a delimited log without a header.

    Lines are held back only until their format is known: at most 1,000, or 4 MiB.
    """
    summary = FilterSummary(log, policy.name)
    formats = [with_fields(each, fields) for each in ([fmt] if fmt else load_formats().values())]

    def begin(held: Chunk) -> Step | None:
        found = formats[0] if fmt else _found(log, held, formats)
        summary.format = found.name if found else None
        summary.warnings += zone_note(log, found, timezone) if found else []
        return Access(policy, found, lookups, timezone) if found else None

    return _filtered(source, write, begin, summary, given=fmt is not None)


def filter_errors(log: str, source: Source, write: Callable[[bytes], None], *, server: str) -> FilterSummary:
    """Write the lines of an error log of `server` ("apache", "nginx") again, with what tells of a person masked."""
    summary = FilterSummary(log, None, f"{server} error log")
    return _filtered(source, write, lambda _: Errors(server), summary, given=True)


def _filtered(
    source: Source,
    write: Callable[[bytes], None],
    begin: Callable[[Chunk], Step | None],
    summary: FilterSummary,
    *,
    given: bool,
) -> FilterSummary:
    """`begin` gives the step for a log that begins so, or None: more of it must be seen."""
    step: Step | None = None
    held: Chunk | None = None
    try:
        chunks = source.chunks(final=True, chunk_bytes=_CHUNK_BYTES, whole=whole_lines)
        while step is None and (chunk := next(chunks, None)) is not None:
            held = _joined(held, chunk)
            step = begin(held)
        if held is not None and step is None:
            raise _unknown(summary.log, held)
        if held is not None and step is not None:
            _written(chain([held], chunks), step, write, summary)
        if source.damaged is not None:
            what = f"damaged from offset {source.damaged} on"
            raise UnreadableDataError(what, where=summary.log, fix="The lines before that were written")
        if given and summary.lines_read and not summary.written:
            what = f"no line of the format {summary.format}; nothing was written"
            raise UnreadableDataError(what, where=summary.log, fix="Give the log's own format")
    except LoganonError as error:
        summary.errors.append(error)
    return summary


def _written(chunks: Iterator[Chunk], step: Step, write: Callable[[bytes], None], summary: FilterSummary) -> None:
    with closing(_prepared(chunks, step)) as each:
        for prepared in each:
            part = step.write(prepared)
            summary.add(part)
            if part.text:
                write(part.text)


def _prepared(chunks: Iterator[Chunk], step: Step) -> Generator[Any, None, None]:
    """The chunks, each prepared. Once it is closed, nothing more is prepared; a reader that waits is not waited for."""
    ready: SimpleQueue[Any] = SimpleQueue()
    room = Semaphore(_AHEAD)
    left = False

    def run() -> None:
        try:
            for chunk in chunks:
                room.acquire()
                if left:
                    return
                ready.put(step.prepare(chunk))
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the chunks are taken
            ready.put(error)

    Thread(target=run, name="parser", daemon=True).start()
    try:
        while (prepared := ready.get()) is not None:
            if isinstance(prepared, BaseException):
                raise prepared
            yield prepared
            room.release()
    finally:
        left = True
        room.release()


def _found(log: str, held: Chunk, formats: Sequence[Format]) -> Format | None:
    """The format of a log that begins so; None: more of it must be seen. UnreadableDataError (65) if no use."""
    sample = sample_lines(held.data, complete=True)
    found = detect(sample, formats)
    if found.error_log:
        raise error_log(log, found.error_log, f"Use --error-log {found.error_log.lower()}")
    if found.format is None and (len(sample) >= SAMPLE_LINES or len(held.data) >= _HELD_BYTES):
        raise unknown_format(log, found)
    return found.format


def _unknown(log: str, held: Chunk) -> UnreadableDataError:
    return unknown_format(log, detect(sample_lines(held.data, complete=True), load_formats().values()))


def _joined(held: Chunk | None, chunk: Chunk) -> Chunk:
    return chunk if held is None else Chunk(held.data + chunk.data, held.start, chunk.end)
