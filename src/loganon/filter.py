"""Log lines in, anonymised lines out, in the same format: the loop over one log, which keeps nothing.

One thread reads and parses a chunk while another treats the one before, and the one before that is written: chunks stay
in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from itertools import chain
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from loganon.chunks import Chunk, Window
from loganon.errorlog import ErrorLog
from loganon.errors import LoganonError, UnreadableDataError
from loganon.formats import Format, load_formats, with_examples, with_fields
from loganon.lookups import Lookups
from loganon.parse import Parsed, ParseState, whole_lines
from loganon.parse.detect import SAMPLE_LINES, detect, sample_lines
from loganon.pipeline import REASONS, UNREAD, Result, build
from loganon.refusals import error_log, unknown_format, zone_note
from loganon.render import Lines, Writer, Written, make_writer
from loganon.sources import Source

if TYPE_CHECKING:
    from loganon.policy import Policy

_CHUNK_BYTES = 16 << 20  # the larger, the fewer values are treated twice
_HELD_BYTES = 4 << 20  # of a beginning that no format fits yet

_AHEAD = 1  # chunks that wait, besides those that are worked on

Stages: TypeAlias = Sequence[Callable[[Iterable[Any]], Iterable[Any]]]
"""What is done with the chunks of a log, in turn: each takes what the one before gives; the last gives Written.

They run at the same time, each on another chunk, so that none touches what another does.
"""


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
    """The stages of an access log: each line's permitted values, written in its format again.

    What each needs is made when it begins, so while the first chunk is parsed. None holds what it has given on: memory
    that is used again is cheaper than more of it.
    """

    def __init__(self, policy: Policy, fmt: Format, lookups: Lookups, timezone: tzinfo | None) -> None:
        self._format = fmt
        self._pipeline = build(policy, fmt, lookups, coded=True, timezone=timezone, layouts=True)

    @property
    def stages(self) -> Stages:
        """From chunks to what is written of them."""
        return self._parsed, self._treated, self._written

    def _parsed(self, chunks: Iterable[Chunk]) -> Iterator[Parsed]:
        state: ParseState = ()
        for chunk in chunks:
            parsed = self._pipeline.parse(chunk, state)
            state = parsed.state
            del chunk
            yield parsed
            del parsed

    def _treated(self, each: Iterable[Parsed]) -> Iterator[tuple[Result, Writer]]:
        write = make_writer(self._format, self._pipeline.kept)
        for parsed in each:
            result = self._pipeline.treat(parsed, Window(None, None))
            del parsed
            yield result, write
            del result

    def _written(self, each: Iterable[tuple[Result, Writer]]) -> Iterator[Written]:
        for result, write in each:
            text = write(result.table, result.layouts)
            written = Written(text, result.lines, result.counted, result.rejected, result.redacted)
            del result, text
            yield written
            del written


def filter_access(
    log: str,
    source: Source,
    write: Callable[[Lines], None],
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
    formats = [with_fields(each, fields) for each in ([fmt] if fmt else load_formats(examples=False).values())]

    def begin(held: Chunk) -> Stages | None:
        found = formats[0] if fmt else _found(log, held, formats)
        summary.format = found.name if found else None
        summary.warnings += zone_note(log, found, timezone) if found else []
        return Access(policy, found, lookups, timezone).stages if found else None

    return _filtered(source, write, begin, summary, given=fmt is not None)


def filter_errors(log: str, source: Source, write: Callable[[Lines], None], *, server: str) -> FilterSummary:
    """Write the lines of an error log of `server` ("apache", "nginx") again, with what tells of a person masked."""
    summary = FilterSummary(log, None, f"{server} error log")
    return _filtered(source, write, lambda _: (iter, partial(map, ErrorLog(server))), summary, given=True)


def _filtered(
    source: Source,
    write: Callable[[Lines], None],
    begin: Callable[[Chunk], Stages | None],
    summary: FilterSummary,
    *,
    given: bool,
) -> FilterSummary:
    """`begin` gives the stages for a log that begins so, or None: more of it must be seen."""
    stages: Stages | None = None
    held: Chunk | None = None
    try:
        chunks = source.chunks(final=True, chunk_bytes=_CHUNK_BYTES, whole=whole_lines)
        while stages is None and (chunk := next(chunks, None)) is not None:
            held = _joined(held, chunk)
            stages = begin(held)
        if held is not None and stages is None:
            raise _unknown(summary.log, held)
        if held is not None and stages is not None:
            first, held = iter([held]), None
            _written(chain(first, chunks), stages, write, summary)
        if source.damaged is not None:
            what = f"damaged from offset {source.damaged} on"
            raise UnreadableDataError(what, where=summary.log, fix="The lines before that were written")
        if given and summary.lines_read and not summary.written:
            what = f"no line of the format {summary.format}; nothing was written"
            raise UnreadableDataError(what, where=summary.log, fix="Give the log's own format")
    except LoganonError as error:
        summary.errors.append(error)
    return summary


def _written(chunks: Iterator[Chunk], stages: Stages, write: Callable[[Lines], None], summary: FilterSummary) -> None:
    *before, last = stages
    with ExitStack() as running:
        items: Iterable[Any] = chunks
        for stage in before:
            items = running.enter_context(closing(_Ahead(stage(items))))
        part: Written
        for part in last(items):
            summary.add(part)
            if part.text:
                write(part.text)
            del part


class _Ahead:
    """The items, for which a thread asks ahead. Once it is closed no more are asked for, and none is waited for."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._ready: SimpleQueue[Any] = SimpleQueue()
        self._room = Semaphore(_AHEAD)
        self._closed = False
        Thread(target=self._run, name="stage", daemon=True).start()

    def __iter__(self) -> Iterator[Any]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
            del item
            self._room.release()

    def close(self) -> None:
        """Whoever still takes items gets no more."""
        self._closed = True
        self._room.release()
        self._ready.put(None)

    def _run(self) -> None:
        try:
            for item in self._items:
                self._ready.put(item)
                del item
                self._room.acquire()
                if self._closed:
                    return
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            self._ready.put(error)


def _found(log: str, held: Chunk, formats: Sequence[Format]) -> Format | None:
    """The format of a log that begins so; None: more of it must be seen. UnreadableDataError (65) if no use."""
    sample = sample_lines(held.data, complete=True)
    found = detect(sample, formats)
    if found.error_log:
        raise error_log(log, found.error_log, f"Use --error-log {found.error_log.lower()}")
    if found.format is None and (len(sample) >= SAMPLE_LINES or len(held.data) >= _HELD_BYTES):
        raise unknown_format(log, found)
    return found.format and with_examples(found.format)


def _unknown(log: str, held: Chunk) -> UnreadableDataError:
    return unknown_format(log, detect(sample_lines(held.data, complete=True), load_formats().values()))


def _joined(held: Chunk | None, chunk: Chunk) -> Chunk:
    return chunk if held is None else Chunk(held.data + chunk.data, held.start, chunk.end)
