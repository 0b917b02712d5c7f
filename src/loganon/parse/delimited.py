"""Chunks of a delimited format (W3C extended, tab-separated, CSV) as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.formats.columns import Columns, spread
from loganon.parse.clock import MOMENT, parse_times
from loganon.parse.delimited_cut import Cut
from loganon.parse.delimited_header import Header, Layout
from loganon.parse.delimited_lines import failure, read_lines, splitter
from loganon.parse.layouts import LAYOUT, delimited_layout
from loganon.parse.lines import NUMBER, Rows, count_up, plain_lines
from loganon.parse.mask import mask
from loganon.parse.moments import form_of, read_dates, read_times
from loganon.parse.parsed import Parsed, ParseState, Reject
from loganon.parse.typed import JUDGED, MISSING, constant, merged, no_rows, typed

_LEAST = 16
"""Fewer lines are not worth a cut."""


class DelimitedParser:
    """Chunks of a delimited format as `Parsed`; `needs` are the raw columns to give, of which time always is one.

    The state holds the names of the columns as the last header gave them. Lines before any header are malformed, unless
    the format names its `fields`. With `layout` among the needs each line's layout is a column, too. What the fast way
    can take goes that way; without `fast` no line does. Both give the same. A reject's line is that of the chunk,
    headers and empty lines included.
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
        columns = _columns_of(fmt)
        self.raw = frozenset(raw for raw, _ in columns.names)
        self._columns = columns
        self._wanted = (needs | {"time"}) & self.raw
        self._local = timezone or UTC
        self._zone = UTC if columns.utc else self._local
        self._form = fmt.time
        self._decode = dict(columns.decode)
        self._max_rejects = max_rejects
        self._header = Header(columns)
        self._given = self._header.state(columns.fields)
        self.size = 1 + len(columns.requires)
        self._split = splitter(columns)
        self._cut = Cut(columns) if fast else None
        self._layouts = LAYOUT in needs

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines; never raises on data."""
        text, state = plain_lines(chunk.data), state or self._given
        alike = None if chunk.unterminated else self._alike(text, state)
        if alike is not None:
            return alike
        lines = text.split(b"\n")[:-1]
        groups: dict[ParseState, list[int]] = {}
        for names, begin, end in self._header.runs(lines, state):
            state = names
            if end > begin:
                groups.setdefault(names, []).extend(range(begin, end))
        parts, rejected, exact = [], {}, 0
        for names, numbers in groups.items():
            group, bad, slow = self._group(self._header.layout(names), numbers, lines)
            parts.append(group)
            rejected.update(bad)
            exact += slow
        last = len(lines) - 1
        if rejected.get(last) == "malformed" and chunk.unterminated:
            rejected[last] = "partial"
        count = sum(map(len, groups.values()))
        rows = merged(parts or [no_rows(self._wanted)])
        layouts = self._laid_out(lines, rows, groups) if self._layouts else {}
        return Parsed(
            columns=dict(rows.columns) | layouts,
            rows=count - len(rejected),
            lines=count,
            rejected=dict(Counter(rejected.values())),
            rejects=self._described(lines, rejected, groups) if self._max_rejects and rejected else (),
            state=state,
            exact=exact,
        )

    def _alike(self, text: bytes, state: ParseState) -> Parsed | None:
        """What the lines of a text are of which none behind its first headers needs a second look; None otherwise."""
        text, state = self._header.skip(text, state)
        layout = None if self._cut is None or self._layouts else self._header.layout(state)
        if self._cut is None or layout is None or layout.width < 2 or self._header.may_stand_in(text):
            return None
        places = self._places(layout)
        judged = {place for raw, place in layout.places if raw in JUDGED or raw in self._decode}.union(layout.time)
        values = self._cut.whole(text, width=layout.width, places=places, plain=frozenset(places) - judged)
        if values is None:
            return None
        count = len(values[0])
        rows, bad = self._typed(layout, count_up(count), dict(zip(places, values, strict=True)))
        return None if bad else Parsed(dict(rows.columns), count, count, {}, (), state, 0)

    def _places(self, layout: Layout) -> list[int]:
        """Where the values stand that are wanted, or say what a line is."""
        return sorted({place for raw, place in layout.places if raw in self._wanted | JUDGED} | set(layout.time))

    def _laid_out(
        self, lines: Sequence[bytes], rows: Rows, groups: dict[ParseState, list[int]]
    ) -> dict[str, pa.DictionaryArray]:
        """The column `layout`."""
        states = {number: state for state, numbers in groups.items() for number in numbers}
        found = [self._laid(states[number], lines[number]) for number in rows.numbers.to_pylist()]
        return {LAYOUT: pa.array(found, pa.binary()).dictionary_encode()}

    def _laid(self, state: ParseState, line: bytes) -> bytes:
        layout = self._header.layout(state)
        form = self._form
        if form == "any" and layout is not None and len(layout.time) == 1 and not layout.date:
            values = self._split(line, layout.width)
            form = form_of(values[layout.time[0]]) if values else form
        return delimited_layout(state, line, form)

    def knows(self, lines: Sequence[bytes]) -> bool:
        """Whether a header in a log's first lines, or the format's `fields`, names what the format is detected by."""
        states = {state for state, _, _ in self._header.runs(lines, self._given)}
        return any(self._header.layout(state) is not None and self._header.fits(state) for state in states)

    def failure(self, line: bytes, layout: Layout | None) -> int | None:
        """The offset at which a line failed; None where it is one of the format."""
        if layout is None:
            return 0
        values = self._split(line, layout.width)
        if values is None:
            return failure(line, self._columns, layout.width)
        rows, _, _ = self._group(layout, [0], [line])
        return None if len(rows.numbers) else max(line.find(values[layout.time[0]]), 0)

    def _group(
        self, layout: Layout | None, numbers: Sequence[int], lines: Sequence[bytes]
    ) -> tuple[Rows, dict[int, str], int]:
        """The lines at `numbers`, all of one layout: rows, the others with the reason, how many went the exact way."""
        if layout is None:
            bad = read_lines(((n, lines[n]) for n in numbers), lambda _line, _width: None, width=0, places=())[2]
            return no_rows(self._wanted), bad, len(numbers)
        places = self._places(layout)
        left: Sequence[int] = range(len(numbers))
        parts = []
        if self._cut is not None and len(numbers) >= _LEAST and layout.width > 1:
            mine = [lines[n] for n in numbers]
            left, cut = self._cut(mine, width=layout.width, places=places)
            if len(left) < len(numbers):
                gone = set(left)
                kept = [n for i, n in enumerate(numbers) if i not in gone] if gone else numbers
                parts.append((pa.array(kept, NUMBER), cut))
        found, columns, rejected = read_lines(
            ((numbers[i], lines[numbers[i]]) for i in left), self._split, width=layout.width, places=places
        )
        if found or not parts:
            parts.append((pa.array(found, NUMBER), columns))
        rows = []
        for each, values in parts:
            good, odd = self._typed(layout, each, dict(zip(places, values, strict=True)))
            rows.append(good)
            rejected.update(dict.fromkeys(odd, "malformed"))
        return merged(rows), rejected, len(left)

    def _typed(
        self, layout: Layout, numbers: pa.Array, values: Mapping[int, pa.Array | pa.ChunkedArray]
    ) -> tuple[Rows, list[int]]:
        places = dict(layout.places)
        columns = {
            raw: values[places[raw]] if raw in places else constant(MISSING, len(numbers))
            for raw in (self._wanted | JUDGED) & self.raw
            if raw != "time"
        }
        moments = self._moments(layout, [values[place] for place in layout.time])
        return typed(numbers, columns, moments, wanted=self._wanted, decode=self._decode)

    def _moments(self, layout: Layout, values: Sequence[pa.DictionaryArray]) -> pa.Array:
        zone = self._local if layout.local else self._zone
        if layout.date:
            return read_dates(constant(layout.date, len(values[0])), values[0], zone)
        if len(values) == 2:
            return read_dates(values[0], values[1], zone)
        distinct = values[0].dictionary
        known = read_times(distinct, zone) if self._form == "any" else parse_times(distinct, self._form, zone)
        return pc.take(known, values[0].indices) if len(distinct) else pa.array([], MOMENT)

    def _described(
        self, lines: Sequence[bytes], rejected: dict[int, str], groups: dict[ParseState, list[int]]
    ) -> tuple[Reject, ...]:
        shown = []
        for number in sorted(rejected)[: self._max_rejects]:
            line, reason = lines[number], rejected[number]
            at = 0
            if reason in ("malformed", "partial"):
                state = next(state for state, numbers in groups.items() if number in numbers)
                at = self.failure(line, self._header.layout(state)) or 0
            shown.append(Reject(line=number, reason=reason, at=at, shape=mask(line)))
        return tuple(shown)


def _columns_of(fmt: Format) -> Columns:
    if fmt.columns is None:
        raise ConfigurationError(f"format {fmt.name} names no columns", fix="Correct the format file")
    return spread(fmt.columns)
