"""Chunks of JSON lines, one object each, as columns.

What a line is, the exact way says: line by line, with the standard library's scanner. What the cut at the quotes can
take goes that way. `pyarrow.json` is 0.8 to 1.7 times as fast as the scanner, polars' `json_decode` 0.2 to 0.9 times;
both read the lines of a block as one text, in which one line can take from the next, and accept what is no JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo

import pyarrow as pa

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.formats.columns import spread
from loganon.parse.clock import parse_times
from loganon.parse.json_cut import JsonCut
from loganon.parse.json_object import finder, is_path, read_object, to_bytes
from loganon.parse.layouts import LAYOUT, json_layouts
from loganon.parse.lines import NUMBER, Rows, count_up, plain_lines
from loganon.parse.mask import mask
from loganon.parse.moments import read_times
from loganon.parse.parsed import Parsed, ParseState, Reject
from loganon.parse.typed import JUDGED, MISSING, merged, typed

_LEAST = 16
"""Fewer lines are not worth a cut."""
_UNASKED = 7
"""So many chunks are not asked whether their lines have one shape, after one whose lines had not."""


class JsonLinesParser:
    """Chunks of a JSON lines format as `Parsed`; `needs` are the raw columns to give, of which time always is one.

    With `layout` among the needs each line's layout is a column, too, and all are read the exact way; so they are
    without `fast`. Both ways give the same. A line without a time, or without a raw column that the format requires,
    is malformed; another that is not there is `-`.
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
        columns = fmt.columns
        if columns is None or not all(is_path(path, dated=raw == "time") for raw, ps in columns.names for path in ps):
            raise ConfigurationError(f"a key of format {fmt.name} is no path", fix='Write it as `a.b[0]` or `"a.b"`')
        apart = spread(columns)
        self.raw = frozenset(raw for raw, _ in apart.names)
        required = {"time"}.union(*columns.requires)
        wanted = (needs & self.raw) | {"time"}
        named = ((raw, paths) for raw, paths in apart.names if raw in wanted | required | JUDGED)
        self._finds = tuple((raw, finder(paths, dated=raw == "time")) for raw, paths in named)
        self._required = tuple(raw in required for raw, _ in self._finds)
        self._wanted = wanted
        self.size = len(required)
        self._zone = UTC if columns.utc or timezone is None else timezone
        self._form = fmt.time
        self._decode = dict(apart.decode)
        self._max_rejects = max_rejects
        self._layout = json_layouts(columns) if LAYOUT in needs else None
        self._unasked = 0
        self._cut = JsonCut(self._finds, frozenset(required)) if fast and self._layout is None else None

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines; never raises on data."""
        text = plain_lines(chunk.data)
        alike = None if chunk.unterminated else self._alike(text, state)
        if alike is not None:
            return alike
        lines = text.split(b"\n")[:-1]
        rows, rejected, exact = self._rows(lines)
        last = len(lines) - 1
        if rejected.get(last) == "malformed" and chunk.unterminated:
            rejected[last] = "partial"
        count = len(lines) - lines.count(b"")
        shown = sorted(rejected)[: self._max_rejects]
        return Parsed(
            columns=dict(rows.columns) | self._layouts(lines, rows),
            rows=len(rows.numbers),
            lines=count,
            rejected=dict(Counter(rejected.values())),
            rejects=tuple(self._reject(number, lines[number], rejected[number]) for number in shown),
            state=state,
            exact=exact,
        )

    def _alike(self, text: bytes, state: ParseState) -> Parsed | None:
        """What the lines of a text are that have one shape; None for another text, after which some are not asked."""
        if self._cut is None or self._unasked:
            self._unasked = max(0, self._unasked - 1)
            return None
        plain = self._wanted - JUDGED - self._decode.keys()
        columns = self._cut.whole(text, plain=plain)
        if columns is not None:
            rows, bad = self._typed(count_up(len(columns["time"])), columns)
            if not bad:
                return Parsed(dict(rows.columns), len(rows.numbers), len(rows.numbers), {}, (), state, 0)
        self._unasked = _UNASKED
        return None

    def _rows(self, lines: Sequence[bytes]) -> tuple[Rows, dict[int, str], int]:
        """The lines of the format, the numbers of the others with the reason, and how many were read one by one."""
        numbers: Sequence[int] = range(len(lines)) if b"" not in lines else [n for n, line in enumerate(lines) if line]
        if self._cut is None or len(numbers) < _LEAST:
            rows, rejected = self._read((number, lines[number]) for number in numbers)
            return rows, rejected, len(numbers)
        left, cut = self._cut([lines[number] for number in numbers] if len(numbers) < len(lines) else lines)
        rows, rejected = self._read((numbers[index], lines[numbers[index]]) for index in left)
        parts = [rows]
        for indices, columns in cut:
            own = indices if len(numbers) == len(lines) else pa.array(numbers, NUMBER).take(indices)
            part, bad = self._typed(own, columns)
            parts.append(part)
            rejected.update(dict.fromkeys(bad, "malformed"))
        return merged([part for part in parts if len(part.numbers)] or [rows]), rejected, len(left)

    def _layouts(self, lines: Sequence[bytes], rows: Rows) -> dict[str, pa.Array]:
        """The column `layout`, if it is asked for."""
        if self._layout is None:
            return {}
        found = (read_object(lines[number], typed=True) for number in rows.numbers.to_pylist())
        layouts = [self._layout(each) for each in found if not isinstance(each, int)]
        return {LAYOUT: pa.array(layouts, pa.binary()).dictionary_encode()}

    def failure(self, line: bytes) -> int | None:
        """The offset at which a line failed (its end where a value is missing); None where it is one of the format."""
        if len(line) > MAX_LINE_BYTES or b"\0" in line:
            return 0
        found = read_object(line)
        if isinstance(found, int):
            return found
        return None if len(self._read([(0, line)])[0].numbers) else len(line)

    def _reject(self, number: int, line: bytes, reason: str) -> Reject:
        at = self.failure(line) if reason in ("malformed", "partial") else 0
        return Reject(line=number, reason=reason, at=at or 0, shape=mask(line))

    def _read(self, lines: Iterable[tuple[int, bytes]]) -> tuple[Rows, dict[int, str]]:
        """The lines of the format, and the numbers of the others with the reason."""
        numbers: list[int] = []
        rejected: dict[int, str] = {}
        values: list[list[str | None]] = []
        for number, line in lines:
            if len(line) > MAX_LINE_BYTES:
                rejected[number] = "too_long"
            elif b"\0" in line:
                rejected[number] = "binary"
            elif (row := self._values(line)) is None:
                rejected[number] = "malformed"
            else:
                numbers.append(number)
                values.append(row)
        by_raw = zip(*values, strict=True) if values else ((),) * len(self._finds)
        columns = {
            raw: _column(column)
            for (raw, _), column in zip(self._finds, by_raw, strict=True)
            if raw in self._wanted | JUDGED
        }
        rows, bad = self._typed(pa.array(numbers, NUMBER), columns)
        rejected.update(dict.fromkeys(bad, "malformed"))
        return rows, rejected

    def _typed(self, numbers: pa.Array, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> tuple[Rows, list[int]]:
        """The lines whose time, status and size are such, and the numbers of the others."""
        time = columns["time"]
        if self._form == "any":
            moments = read_times(time.dictionary, self._zone).take(time.indices)
        else:
            moments = parse_times(time.dictionary, self._form, self._zone).take(time.indices)
        others = {raw: column for raw, column in columns.items() if raw != "time" and raw in self._wanted | JUDGED}
        return typed(numbers, others, moments, wanted=self._wanted, decode=self._decode)

    def _values(self, line: bytes) -> list[str | None] | None:
        """The values of a line; None where it is no object, or lacks a required one."""
        record = read_object(line)
        if isinstance(record, int):
            return None
        row = [find(record) for _, find in self._finds]
        if None in row and any(value is None and need for value, need in zip(row, self._required, strict=True)):
            return None
        return row


def _column(values: Sequence[str | None]) -> pa.DictionaryArray:
    """The values as bytes, each distinct one once; `-` for one that is not there."""
    try:
        found = pa.array(values, pa.string())
    except UnicodeEncodeError:  # a value that is no UTF-8; the error holds it: it goes no further
        plain = [MISSING if value is None else to_bytes(value) for value in values]
        return pa.array(plain, pa.binary()).dictionary_encode()
    codes = found.fill_null(MISSING.decode()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(codes.indices, codes.dictionary.cast(pa.binary()))
