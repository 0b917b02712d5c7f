"""Permitted rows of what a caller gives, feed by feed: parsed, treated and gated; no minimum, no retention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import chain

from loganon.chunks import Chunk, Window
from loganon.columns import ColumnParser
from loganon.errors import LoganonError, UnreadableDataError
from loganon.exclude import Rule
from loganon.feeds import ColumnFeed, Feed, LineFeed
from loganon.formats import Format, load_formats, with_fields
from loganon.lookups import Lookups
from loganon.parse import ParseState
from loganon.parse.archives import archive_of
from loganon.parse.detect import archived, detect, sample_lines
from loganon.pipeline import Permit, Pipeline, Result, build, exclude_of, needs_of
from loganon.policy import Policy
from loganon.recognition import SAMPLE_BYTES, telling
from loganon.refusals import what_fits
from loganon.sources.inflate import MAGIC_BYTES, compression

_ANOTHER = "Give the access log"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLevel:
    """`treat(feeds)` -> a Result for each chunk or table, as they are asked for. `format` None: detected, log by log.

    `fields`: the columns of delimited logs without a header.
    """

    policy: Policy
    lookups: Lookups
    window: Window
    format: Format | None = None
    rules: tuple[Rule, ...] = ()
    timezone: tzinfo | None = None
    fields: tuple[str, ...] = ()
    _pipelines: dict[str, Pipeline] = field(default_factory=dict, repr=False)

    def __call__(self, feeds: Iterable[Feed]) -> Iterator[Result]:
        """The results; UnreadableDataError where no format fits any line of a log."""
        for feed in feeds:
            yield from self._rows(feed) if isinstance(feed, ColumnFeed) else self._lines(feed)

    def _lines(self, feed: LineFeed) -> Iterator[Result]:
        chunks = _readable(feed)
        first, sample, error = ([], b"", None) if self.format is not None else _beginning(chunks)
        fmt = self._format(sample, feed.where)
        if fmt is not None:
            pipeline = self._pipeline(fmt)
            state: ParseState = ()
            for chunk in chain(first, chunks):
                result = pipeline(chunk, self.window, state)
                state = result.state
                if result.lines:
                    yield result
        if error is not None:
            raise error

    def _rows(self, feed: ColumnFeed) -> Iterator[Result]:
        exclude = exclude_of(self.policy, self.rules, self.lookups)
        parser = ColumnParser(feed.names, needs=needs_of(self.policy, exclude), timezone=self.timezone)
        permit = Permit(self.policy, parser.raw, self.lookups, exclude, coded=False)
        for table in feed.tables:
            yield permit(parser(table), self.window)

    def _pipeline(self, fmt: Format) -> Pipeline:
        if fmt.name not in self._pipelines:
            self._pipelines[fmt.name] = build(
                self.policy, fmt, self.lookups, coded=False, rules=self.rules, timezone=self.timezone
            )
        return self._pipelines[fmt.name]

    def _format(self, sample: bytes, where: str) -> Format | None:
        """The format given, or that of a log's first lines; None where there are none."""
        if self.format is not None:
            return with_fields(self.format, self.fields)
        lines = sample_lines(sample, complete=len(sample) < SAMPLE_BYTES)
        if not lines:
            return None
        found = detect(lines, [with_fields(fmt, self.fields) for fmt in load_formats().values()])
        if found.error_log:
            what = f"an error log ({found.error_log}): it holds messages, not accesses"
            raise UnreadableDataError(what, where=where, fix=_ANOTHER)
        if found.format is None:
            fix = _ANOTHER if found.other else "Name one with format="
            raise UnreadableDataError(found.other or what_fits(found), where=where, fix=fix)
        return found.format


def _readable(feed: LineFeed) -> Iterator[Chunk]:
    """The chunks; UnreadableDataError where they begin as an archive does, in which lines of a log may stand as they
    are, or are compressed, which only files may be.
    """
    for number, chunk in enumerate(feed.chunks):
        if not number and (archive := archive_of(chunk.data)):
            raise UnreadableDataError(archived(archive), where=feed.where, fix=_ANOTHER)
        if not number and (kind := compression(chunk.data[:MAGIC_BYTES])):
            fix = "Give a Path, an open file, or io.BytesIO of the bytes"
            raise UnreadableDataError(f"it is compressed ({kind}), and no lines", where=feed.where, fix=fix)
        yield chunk


def _beginning(chunks: Iterator[Chunk]) -> tuple[list[Chunk], bytes, LoganonError | None]:
    """The first chunks that have a line, as many as it takes to tell the format; what it is told by; and the error that
    then ended them, if one did.
    """
    first: list[Chunk] = []
    try:
        return first, telling(_noted(chunks, first)), None
    except LoganonError as error:
        return first, telling(chunk.data for chunk in first), error


def _noted(chunks: Iterator[Chunk], taken: list[Chunk]) -> Iterator[bytes]:
    """The bytes of the chunks, which then are among those `taken`, unless all their lines are empty."""
    for chunk in chunks:
        if chunk.data.replace(b"\r\n", b"\n").strip(b"\n"):
            taken.append(chunk)
            yield chunk.data
