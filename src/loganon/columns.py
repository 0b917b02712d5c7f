"""Columns that somebody else has parsed, as `Parsed`: what a log line would have given, judged and treated alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import MAX_LINE_BYTES
from loganon.errors import ConfigurationError
from loganon.exclude import SIGNALS
from loganon.fields import FIELDS
from loganon.parse import Parsed
from loganon.parse.clock import MOMENT, parse_times
from loganon.parse.moments import read_times
from loganon.parse.typed import JUDGED, MISSING, typed

COLUMNS = frozenset({"time", "host", *SIGNALS.values(), *(raw for row in FIELDS.values() for raw in row.raw)})
"""The names under which columns are taken; all others are dropped unread."""
LINE = "line"
_NUMBERS = JUDGED - {"time"}  # which have no empty answer: where they are left out, each row is as if it had `-`
_FLAGS = frozenset(SIGNALS.values())
_SECONDS = 1e11
"""A larger time since 1970 is in ms, us or ns, of which a fraction says nothing that is kept."""
_CALENDAR = (-62_135_596_800, 253_402_300_799)
"""The first and the last second of the years 1 to 9999."""
_PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EMPTY = pa.scalar(MISSING)


class ColumnParser:
    """`parser(table)` -> Parsed: the columns of `needs` that a table of parsed columns has.

    `time`: a timestamp (without a zone: of `timezone`, UTC unless given), ISO 8601, the Common Log Format's time, or
    the time since 1970 in s, ms, us or ns. `status`, `bytes`: numbers or texts. The rest: texts, also numbers;
    `cookie`, `dnt` and `gpc` may be bools. A null is what `-` is in a log; a row without a time, or whose status or
    size is none, is `malformed`, one with a NUL `binary`, one with a value over 1 MiB `too_long`.
    """

    def __init__(self, names: frozenset[str], *, needs: frozenset[str], timezone: tzinfo | None = None) -> None:
        if "time" not in names:
            fix = f"Name the columns {', '.join(sorted(COLUMNS))}, or give lines in a column `{LINE}`"
            raise ConfigurationError("the table has no column `time`", where="lines", fix=fix)
        self._given = names & COLUMNS
        self.raw = self._given | _NUMBERS
        self._needs = needs | {"time"}
        self._zone = timezone or UTC

    def __call__(self, table: pa.Table) -> Parsed:
        """The table's rows; ConfigurationError where a column is of a type that is not taken."""
        columns = {name: plain(table[name]) for name in self._given & (self._needs | JUDGED)}
        texts = {name: pa.repeat(_EMPTY, table.num_rows) for name in _NUMBERS - self._given}
        texts |= {name: _text(name, column) for name, column in columns.items() if name != "time"}
        moments = _moments(columns["time"], self._zone)
        rejected, good = _refused(texts, table.num_rows)
        numbers = pa.array(range(table.num_rows), pa.int32())
        if good is not None:
            numbers, moments = numbers.filter(good), moments.filter(good)
            texts = {name: column.filter(good) for name, column in texts.items()}
        values = {name: column.dictionary_encode() for name, column in texts.items()}
        rows, bad = typed(numbers, values, moments, wanted=self._needs & self.raw, decode={})
        if bad:
            rejected["malformed"] = len(bad)
        return Parsed(
            columns=dict(rows.columns),
            rows=len(rows.numbers),
            lines=table.num_rows,
            rejected=rejected,
            rejects=(),
            state=(),
            exact=0,
        )


def _refused(texts: Mapping[str, pa.Array], rows: int) -> tuple[dict[str, int], pa.Array | None]:
    """How many rows are `too_long` or `binary`, by reason, and which are neither (None: all)."""
    long = binary = pa.repeat(pa.scalar(value=False), rows)
    for column in texts.values():
        long = pc.or_(long, pc.greater(pc.binary_length(column), MAX_LINE_BYTES))
        binary = pc.or_(binary, pc.match_substring(column, b"\0"))
    binary = pc.and_not(binary, long)
    found = {"too_long": long.true_count, "binary": binary.true_count}
    bad = pc.or_(long, binary)
    return {reason: count for reason, count in found.items() if count}, pc.invert(bad) if bad.true_count else None


def plain(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array, and no dictionary."""
    chunks = [_spelled(chunk) if pa.types.is_dictionary(chunk.type) else chunk for chunk in column.chunks]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return pa.concat_arrays(chunks) if chunks else pa.array([], kind)


def _spelled(chunk: pa.DictionaryArray) -> pa.Array:
    """The values of a dictionary's rows; views as what they show, since Arrow takes none of a dictionary of views."""
    kind = chunk.type.value_type
    views = pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)
    return (chunk.dictionary.cast(pa.large_binary()) if views else chunk.dictionary).take(chunk.indices)


def _text(name: str, column: pa.Array) -> pa.Array:
    """A column as what a log would say (binary, no nulls)."""
    kind = column.type
    if pa.types.is_boolean(kind) and name in _FLAGS:
        return pc.if_else(pc.fill_null(column, fill_value=False), pa.scalar(b"1"), _EMPTY)
    if pa.types.is_floating(kind):
        column = _whole(name, _double(column))
        kind = column.type
    read = next((read for test, read in _READERS if test(kind)), None)
    if read is None:
        raise unfit(name, f"is of the type {kind}")
    return pc.fill_null(read(column), _EMPTY)


def _whole(name: str, column: pa.Array) -> pa.Array:
    """Numbers without a fraction, as pandas has them where one is missing; another is no status and no size."""
    if name not in JUDGED:
        raise unfit(name, f"is of the type {column.type}")
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), pa.scalar(1e15, column.type)))
    numbers = pc.if_else(whole, column, pa.scalar(-2.0, column.type)).cast(pa.int64())  # -2: no status, no size
    return pc.if_else(column.is_null(), pa.scalar(None, pa.int64()), numbers)


def _double(column: pa.Array) -> pa.Array:
    """Floats of 64 bits: Arrow cannot reckon with those of 16."""
    return column.cast(pa.float64())


def _as_binary(column: pa.Array) -> pa.Array:
    return column.cast(pa.binary())


def _as_written(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()).cast(pa.binary())


_Reader = tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]]
_READERS: tuple[_Reader, ...] = (
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), _as_binary),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind), _as_binary),
    (pa.types.is_fixed_size_binary, _as_binary),
    (lambda kind: pa.types.is_string_view(kind) or pa.types.is_binary_view(kind), _as_binary),
    (pa.types.is_integer, _as_written),
    (pa.types.is_null, _as_binary),
)


def _moments(column: pa.Array, zone: tzinfo) -> pa.Array:
    """timestamp[ms, UTC], null where there is none."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        try:
            return _as_moments(column, zone)
        except pa.ArrowException:
            raise unfit("time", "holds moments that no calendar has") from None
    if pa.types.is_floating(kind):
        column = _double(column)
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        column = pc.if_else(pc.greater(column, _SECONDS), pc.floor(column), column)
        texts = column.cast(pa.string()).cast(pa.binary())
    elif pa.types.is_boolean(kind):
        raise unfit("time", f"is of the type {kind}")
    else:
        texts = _text("time", column)
    encoded = pc.fill_null(texts, _EMPTY).dictionary_encode()
    return read_times(encoded.dictionary, zone).take(encoded.indices)


def _as_moments(column: pa.Array, zone: tzinfo) -> pa.Array:
    column = _within(column)
    if column.type.unit in ("us", "ns"):
        same = column.cast(pa.timestamp(column.type.unit, column.type.tz and "UTC"))
        column = pc.floor_temporal(same, unit="millisecond")
    if column.type.tz is not None or zone is UTC:
        return column.cast(MOMENT)
    shown = column.cast(pa.timestamp("ms")).dictionary_encode()  # read as a log's times are, by the same zones
    texts = pc.strftime(shown.dictionary, format="%Y-%m-%dT%H:%M:%S").cast(pa.binary())
    return parse_times(texts, "iso", zone).take(shown.indices)


def _within(column: pa.Array) -> pa.Array:
    """The moments of the years 1 to 9999, as a text can name them; null in place of others."""
    parts = _PARTS[column.type.unit]
    first, last = _CALENDAR[0] * parts, _CALENDAR[1] * parts + parts - 1
    number = column.cast(pa.int64())
    inside = pc.and_(pc.greater_equal(number, max(first, 10**6 - 2**63)), pc.less_equal(number, min(last, 2**63 - 1)))
    return pc.if_else(inside, column, pa.scalar(None, column.type))


def unfit(name: str, what: str) -> ConfigurationError:
    """The error of a column that is not taken."""
    fix = "Give texts or whole numbers, and the time as a timestamp, a text or the time since 1970"
    return ConfigurationError(f"the column `{name}` {what}", where="lines", fix=fix)
