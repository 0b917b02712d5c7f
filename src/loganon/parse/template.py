"""Chunks of a template format (Apache's LogFormat, nginx's log_format) as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.parse.clock import dated
from loganon.parse.directives import pieces
from loganon.parse.escapes import UNESCAPES
from loganon.parse.lines import Lines, Rows, full_lines, joined, plain_lines
from loganon.parse.marks import find_marks
from loganon.parse.mask import mask
from loganon.parse.parsed import Parsed, ParseState, Reject
from loganon.parse.quotes import MARKS, Quotes


class TemplateParser:
    """Chunks of a template format as `Parsed`; `needs` are the raw columns to give, of which time always is one.

    Times without an offset are in `timezone`, UTC without one. What the fast way can take
    goes that way, the rest line by line; without `fast` all does. Both give the same.
    """

    def __init__(
        self,
        fmt: Format,
        *,
        needs: frozenset[str],
        timezone: tzinfo | None = None,
        max_rejects: int = 0,
        fast: bool = True,
    ) -> None:
        parts = pieces(fmt)
        if fmt.day is None and not dated(fmt.time):
            raise ConfigurationError(
                f"the times of the format {fmt.name} have no year",
                where="--date",
                fix="Name a day of the log with --date",
            )
        timezone = timezone or UTC
        self.raw = frozenset(column for part in parts for column in part.columns)
        wanted = (needs | {"time"}) & self.raw
        self._max_rejects = max_rejects
        self._lines = Lines(fmt, columns=wanted, timezone=timezone)
        self.size = self._lines.size
        self._quotes = None
        self._mark, _ = UNESCAPES[fmt.escape] or (b"\\", None)
        if fast:
            self._quotes = Quotes(parts, time=fmt.time, columns=wanted, timezone=timezone, day=fmt.day)

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines; never raises on data."""
        marks = find_marks(chunk.data, MARKS | {self._mark})
        text = plain_lines(chunk.data, marks)
        quick = self._quotes.read(text, marks) if self._quotes is not None else None
        left = list(enumerate(full_lines(text))) if quick is None else quick.left
        lines = len(left) if quick is None else quick.lines
        rows, rejected = self._lines.read(left)
        if rejected.get(lines - 1) == "malformed" and _ends_in_line(chunk):
            rejected[lines - 1] = "partial"
        return Parsed(
            columns=dict(rows.columns if quick is None else _merged(quick.rows, rows)),
            rows=lines - len(rejected),
            lines=lines,
            rejected=dict(Counter(rejected.values())),
            rejects=self._described(dict(left), rejected) if self._max_rejects else (),
            state=state,
            exact=len(left),
        )

    def _described(self, lines: Mapping[int, bytes], rejected: Mapping[int, str]) -> tuple[Reject, ...]:
        shown = []
        for number in sorted(rejected)[: self._max_rejects]:
            line, reason = lines[number], rejected[number]
            at = self._lines.failure(line) if reason in ("malformed", "partial") else 0
            shown.append(Reject(line=number, reason=reason, at=at or 0, shape=mask(line)))
        return tuple(shown)


def _ends_in_line(chunk: Chunk) -> bool:
    """The chunk's last line has no LF, and is a line."""
    return chunk.unterminated and bool(chunk.data[chunk.data.rfind(b"\n") + 1 :].removesuffix(b"\r"))


def _merged(first: Rows, second: Rows) -> dict[str, pa.Array]:
    """The columns of both, in the order of the lines."""
    if not len(second.numbers):
        return dict(first.columns)
    order = pc.array_sort_indices(pa.concat_arrays([first.numbers, second.numbers]))
    return {name: joined(column, second.columns[name]).take(order) for name, column in first.columns.items()}
