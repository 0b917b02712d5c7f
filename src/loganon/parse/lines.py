"""Lines of a template format read one at a time: the exact way, which says what a line of the format is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import MAX_LINE_BYTES
from loganon.formats import Format
from loganon.parse.clock import parse_times, reader
from loganon.parse.directives import pieces
from loganon.parse.escapes import UNESCAPES, unescape_column

NUMBER = pa.int32()
_CR = b"\r"
BOM = b"\xef\xbb\xbf"
"""What may stand before a text in UTF-8 and is no part of it (RFC 3629, 6); pyarrow.csv would drop it."""
_STATUS = pa.int16()
_BYTES = pa.int64()


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines read: their `numbers` (int32) and typed columns by raw name, as in `Parsed`."""

    numbers: pa.Array
    columns: Mapping[str, pa.Array] = field(repr=False)


def plain_lines(data: bytes, marks: frozenset[bytes] = frozenset({_CR})) -> bytes:
    """`data` with each line ended by LF, the last too, and without the one CR before it; `marks`: those it may have."""
    text = data.replace(b"\r\n", b"\n") if _CR in marks and _CR in data else data
    return text if text.endswith(b"\n") else text.removesuffix(b"\r") + b"\n"


def full_lines(text: bytes) -> list[bytes]:
    """The lines of `text`, each ended by LF, that are not empty."""
    return [line for line in text.split(b"\n") if line]


def split_lines(data: bytes) -> list[bytes]:
    """The lines of `data`: each ends at LF; one CR before it is dropped; an empty line is none."""
    return full_lines(plain_lines(data))


class Lines:
    """Reads lines of a template format into the columns asked for.

    A line is matched from its start, piece by piece, each as long as it can be, without a second try: in linear time.
    """

    def __init__(self, fmt: Format, *, columns: Iterable[str] = (), timezone: tzinfo | None = None) -> None:
        self._pieces = pieces(fmt)
        self.size = len(self._pieces)
        wanted = frozenset(columns)
        self._columns = tuple(c for p in self._pieces for c in p.columns if c in wanted)
        whole = b"".join(p.pattern(wanted) for p in self._pieces)
        self._match = re.compile(whole, re.DOTALL).fullmatch
        self._time = next((i for i, p in enumerate(self._pieces) if p.column == "time"), None)
        self._form = fmt.time
        self._zone = timezone
        self._day = fmt.day
        self._unescape = UNESCAPES[fmt.escape]
        self._read_time = reader(fmt.time, timezone, fmt.day)

    @cached_property
    def _each(self) -> tuple[Callable[..., re.Match[bytes] | None], ...]:
        """Matches of each piece: made when a line is to be described, since most never are."""
        return tuple(re.compile(p.pattern(), re.DOTALL).match for p in self._pieces)

    @cached_property
    def _no_rows(self) -> Rows:
        return self._read(())[0]

    def read(self, lines: Sequence[tuple[int, bytes]]) -> tuple[Rows, dict[int, str]]:
        """The lines of the format, each given with its number, and the numbers of the others with the reason."""
        return self._read(lines) if lines else (self._no_rows, {})

    def _read(self, lines: Sequence[tuple[int, bytes]]) -> tuple[Rows, dict[int, str]]:
        numbers: list[int] = []
        rows: list[tuple[bytes, ...]] = []
        rejected: dict[int, str] = {}
        match, found, number_of = self._match, rows.append, numbers.append
        for number, line in lines:
            if len(line) > MAX_LINE_BYTES:
                rejected[number] = "too_long"
            elif b"\0" in line:
                rejected[number] = "binary"
            elif (fields := match(line)) is None:
                rejected[number] = "malformed"
            else:
                number_of(number)
                found(fields.groups(b"-"))
        by_column = zip(*rows, strict=True) if rows else ((),) * len(self._columns)
        columns = zip(self._columns, by_column, strict=True)
        values = {name: pa.array(list(column), pa.binary()).dictionary_encode() for name, column in columns}
        return self._typed(pa.array(numbers, NUMBER), values, rejected)

    def failure(self, line: bytes) -> int | None:
        """The offset in `line` at which the format failed; None where the line is one of the format."""
        at = 0
        time = None
        for index, match in enumerate(self._each):
            found = match(line, at)
            if found is None:
                return at
            if index == self._time:
                piece = self._pieces[index]
                inside = len(piece.before) > 0
                time = (at, line[at + inside : found.end() - inside])
            at = found.end()
        if at < len(line):
            return at
        return time[0] if time is not None and self._read_time(time[1]) is None else None

    def _typed(
        self, numbers: pa.Array, values: dict[str, pa.DictionaryArray], rejected: dict[int, str]
    ) -> tuple[Rows, dict[int, str]]:
        """The values as typed columns; a line whose time is no moment is malformed."""
        moments = parse_times(values["time"].dictionary, self._form, self._zone, self._day).take(values["time"].indices)
        if moments.null_count:
            good = moments.is_valid()
            rejected.update(dict.fromkeys(numbers.filter(moments.is_null()).to_pylist(), "malformed"))
            numbers, moments = numbers.filter(good), moments.filter(good)
            values = {name: _distinct(column.filter(good)) for name, column in values.items()}
        columns = {name: self._column(name, value) for name, value in values.items() if name != "time"}
        return Rows(numbers, columns | {"time": moments}), rejected

    def _column(self, name: str, column: pa.DictionaryArray) -> pa.Array:
        if name in ("status", "bytes"):
            return to_numbers(name, column)
        return unescape_column(column, self._unescape)


def to_numbers(name: str, column: pa.DictionaryArray) -> pa.Array:
    """A column of `status` or `bytes` as numbers, 0 where it has none."""
    numbers = [int(value) if value.isdigit() else 0 for value in column.dictionary.to_pylist()]
    return pa.array(numbers, _STATUS if name == "status" else _BYTES).take(column.indices)


def count_up(length: int) -> pa.Array:
    """The numbers of so many lines: 0, 1, 2, ..."""
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, NUMBER), length)), pa.scalar(1, NUMBER))


def joined(one: pa.Array | pa.ChunkedArray, other: pa.Array) -> pa.Array:
    """Both columns as one; of dictionaries each distinct value stands once."""
    if pa.types.is_binary(one.type):
        other = other.cast(one.type)
    both = pa.chunked_array([*getattr(one, "chunks", [one]), other])
    if pa.types.is_dictionary(both.type):
        both = both.unify_dictionaries()
    return both.combine_chunks()


def whole_column(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The column as one array, in which each distinct value stands once."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.unify_dictionaries().chunks)


def _distinct(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """`column` with a dictionary of no more than its values."""
    return column.cast(pa.binary()).dictionary_encode()
