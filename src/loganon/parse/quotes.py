"""Lines of a template format read by column: cut at their quotes, the rest judged by distinct value. The fast way.

It takes a line only if the exact way takes it, with the same values; whatever else it meets it leaves to that. What
makes this hold: in a line without backslash a text in quotes ends at the next quote, so that a line with as many
quotes as the format has, whose parts between them are those of the format, is one of it and can be read in no other
way. The cut itself knows no quoting: each LF ends a row, and no row can reach into the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from loganon.chunks import MAX_LINE_BYTES
from loganon.parse.clock import parse_times
from loganon.parse.directives import Piece
from loganon.parse.judges import Judged, judge_distinct, judge_literal, judge_numbers, judge_time
from loganon.parse.lines import BOM, NUMBER, Rows, count_up, full_lines
from loganon.parse.marks import has_long_line

MARKS = frozenset({b"\\", b"\0", b"\r"})
"""A line with one of these, or with what begins an escape of its format, is left to the exact way."""

_MOST_BYTES = 1 << 30
_MOST_MARKED = 10_000  # lines of a chunk; with more of them it is not worth the cut
_BLOCK_BYTES = MAX_LINE_BYTES + 2
"""Cut at a time: what the longest line needs, and no more than the processor's cache holds."""


@dataclass(frozen=True, slots=True)
class Quick:
    """What the fast way took of a text: `rows`, and the lines that it left, numbered, of `lines` in all."""

    rows: Rows
    left: list[tuple[int, bytes]] = field(repr=False)
    lines: int


class Quotes:
    """Reads the lines of a template format that a cut at the quotes can take."""

    def __init__(
        self,
        parts: Sequence[Piece],
        *,
        time: str,
        columns: frozenset[str],
        timezone: tzinfo | None = None,
        day: date | None = None,
    ) -> None:
        self._columns = columns
        self._time, self._zone, self._day = time, timezone, day
        self._names: list[str] = []
        self._texts: list[str] = []
        self._judges: list[tuple[str, Callable[[pa.Array], Judged]]] = []
        self.possible = any(part.quoted for part in parts) and not any(_has_quote(part) for part in parts)
        segment: list[Piece] = []
        for part in parts:
            if part.quoted:
                self._segment(segment, quote=b'"')
                self._quoted(part)
                segment = []
            else:
                segment.append(part)
        self._segment(segment, quote=b"")
        self._wanted = [*self._texts, *(name for name, _ in self._judges)]

    def read(self, text: bytes, marks: frozenset[bytes]) -> Quick | None:
        """The lines of `text`, each ended by LF, that are surely of the format; None: all are left.

        A line with one of `marks` is left: those of `MARKS` and of the format's escapes that stand in `text`.
        """
        if not self.possible or len(text) > _MOST_BYTES or text.startswith(BOM) or has_long_line(text):
            return None
        marked = _marked(text, marks)
        if len(marked) > _MOST_MARKED:
            return None
        kept = _outside(text, marked)
        left = dict(_numbered(text, marked))
        table = self._cut(kept)
        if table is None:
            kept = self._leave_uneven(kept, left)
            table = self._cut(kept)
        return None if table is None else self._judged(table, left, kept)

    def _leave_uneven(self, kept: bytes, left: dict[int, bytes]) -> bytes:
        """`kept` without the lines that have another number of quotes than the format: they go to `left`."""
        quotes = len(self._names) - 1
        lines = full_lines(kept)
        uneven = [row for row, line in enumerate(lines) if line.count(b'"') != quotes]
        numbers = _without(count_up(len(left) + len(lines)), list(left)).take(pa.array(uneven, NUMBER)).to_pylist()
        left.update(zip(numbers, (lines[row] for row in uneven), strict=True))
        return b"\n".join([line for line in lines if line.count(b'"') == quotes]) + b"\n"

    def _judged(self, table: pa.Table, left: dict[int, bytes], kept: bytes) -> Quick:
        """The rows of `table`, which is `kept` cut, that are of the format; the others go to `left`."""
        good, columns = self._judge(table)
        lines = len(left) + table.num_rows
        numbers = _without(count_up(lines), list(left))
        if good.true_count < len(good):
            bad = pc.invert(good)
            each = full_lines(kept)
            rows = count_up(len(numbers)).filter(bad).to_pylist()
            left.update(zip(numbers.filter(bad).to_pylist(), (each[row] for row in rows), strict=True))
            columns = {name: _shortened(column.filter(good)) for name, column in columns.items()}
            numbers = numbers.filter(good)
        return Quick(Rows(numbers, columns), sorted(left.items()), lines)

    def _cut(self, text: bytes) -> pa.Table | None:
        """The lines as rows; None where one has not as many quotes as the format, or there is none.

        pyarrow's handler for such rows is not used: it decodes the text of the row, and where that is no UTF-8 it
        prints the failure and forgets the row.
        """
        try:
            return csv.read_csv(
                pa.BufferReader(text),
                read_options=csv.ReadOptions(
                    use_threads=False, block_size=min(len(text) + 1, _BLOCK_BYTES), column_names=self._names
                ),
                parse_options=csv.ParseOptions(delimiter='"', quote_char=False, escape_char=False),
                convert_options=csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(self._wanted, pa.binary()),
                    include_columns=self._wanted,
                    null_values=[],
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowException:  # its message holds the line: it goes no further
            return None

    def _judge(self, table: pa.Table) -> Judged:
        good = pa.repeat(pa.scalar(True), table.num_rows)
        columns = {name: table[name] for name in self._texts}
        for name, judge in self._judges:
            right, found = judge(table[name].combine_chunks())
            good = pc.and_(good, right)
            columns |= {raw: values for raw, values in found.items() if raw in self._columns}
        return good, columns

    def _quoted(self, part: Piece) -> None:
        name = part.column or f"quoted {len(self._names)}"
        if part.column in self._columns:
            self._texts.append(name)
        self._names.append(name)

    def _segment(self, parts: Sequence[Piece], quote: bytes) -> None:
        """What stands between two quotes: how it is judged."""
        name = f"part {len(self._names)}"
        self._names.append(name)
        if quote and not (parts and parts[-1].text.endswith(b" ")):
            self.possible = False
        pattern = re.compile(b"".join(p.pattern(self._columns) for p in parts) + quote, re.DOTALL)
        raws = [raw for part in parts for raw in part.columns if raw in self._columns]
        kinds = [part.kind for part in parts]
        texts = [part.text for part in parts if part.kind == "literal"]
        judge: Callable[[pa.Array], Judged]
        if self._time == "clf" and "time" in kinds and _ends_in_time(parts):
            end = b"]" + b"".join(part.text for part in parts[kinds.index("time") + 1 :])
            judge = partial(
                judge_time, pattern=pattern, raws=raws, end=end, quote=quote, client=_begins_with_client(parts)
            )
        elif _are_numbers(parts) and set(texts) == {b" "} and len(kinds) <= 5:
            judge = partial(judge_numbers, end=b" " if len(kinds) == 5 else b"")
        elif set(kinds) <= {"literal"}:
            judge = partial(judge_literal, text=b"".join(texts))
        else:
            judge = partial(judge_distinct, pattern=pattern, raws=raws, quote=quote, times=self._read_times)
        self._judges.append((name, judge))

    def _read_times(self, values: pa.Array) -> pa.Array:
        return parse_times(values, self._time, self._zone, self._day)


def _has_quote(part: Piece) -> bool:
    """The piece has a quote that is not its own enclosure."""
    return (
        b'"' in part.text
        or (part.before == b'"' and not part.quoted)
        or any(b'"' in p.text + p.before for p in part.parts)
    )


def _ends_in_time(parts: Sequence[Piece]) -> bool:
    """The parts end with the time, in brackets, and a literal."""
    kinds = [part.kind for part in parts]
    time = parts[kinds.index("time")]
    alone = kinds.count("time") == 1 and time.column == "time"
    return alone and time.before == rb"\[" and set(kinds[kinds.index("time") + 1 :]) <= {"literal"}


def _begins_with_client(parts: Sequence[Piece]) -> bool:
    """The parts begin with the client without an enclosure, and a blank; another address is not the client."""
    kinds = [part.kind for part in parts[:2]]
    mine = kinds == ["client", "literal"] and parts[0].column == "client"
    return mine and not parts[0].before and parts[1].text.startswith(b" ")


def _are_numbers(parts: Sequence[Piece]) -> bool:
    """The parts begin with a literal, the status, a literal and the size: those that are read, not others."""
    kinds = [part.kind for part in parts[:4]]
    return kinds == ["literal", "status", "literal", "bytes"] and all(p.column for p in parts[1:4:2])


def _marked(text: bytes, marks: Iterable[bytes]) -> list[tuple[int, int]]:
    """Where each line that has a mark begins, and where it ends behind its LF; a few more than may be, at most."""
    found: set[tuple[int, int]] = set()
    for mark in marks:
        at = text.find(mark)
        while at >= 0 and len(found) <= _MOST_MARKED:
            end = text.find(b"\n", at) + 1
            found.add((text.rfind(b"\n", 0, at) + 1, end))
            at = text.find(mark, end)
    return sorted(found)


def _outside(text: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """`text` without `spans`."""
    if not spans:
        return text
    begins = [0, *(end for _, end in spans)]
    ends = [*(begin for begin, _ in spans), len(text)]
    return b"".join([text[begin:end] for begin, end in zip(begins, ends, strict=True)])


def _numbered(text: bytes, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """The lines at `spans`, each with its number in `text`."""
    number = at = 0
    for begin, end in spans:
        number += len(full_lines(text[at:begin]))
        at = begin
        yield number, text[begin : end - 1]


def _without(numbers: pa.Array, indices: Sequence[int]) -> pa.Array:
    """`numbers` without those at `indices`."""
    if not indices:
        return numbers
    return numbers.filter(pc.invert(pc.is_in(count_up(len(numbers)), value_set=pa.array(indices, NUMBER))))


def _shortened(column: pa.Array) -> pa.Array:
    """A filtered column, its dictionary no longer than needed: no value of a line left to the exact way stays in it."""
    return column.cast(pa.binary()).dictionary_encode() if isinstance(column, pa.DictionaryArray) else column
