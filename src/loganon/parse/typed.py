"""Raw columns of delimited and JSON lines as typed ones; what is no status, size or moment makes a line malformed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc

from loganon.parse.clock import MOMENT
from loganon.parse.escapes import recode, unescape
from loganon.parse.lines import NUMBER, Rows

JUDGED = frozenset({"status", "bytes", "time"})
"""The raw columns that say whether a line is one, whatever is wanted of it."""
TYPES = {"status": pa.int16(), "bytes": pa.int64()}
MISSING = b"-"
_STATUS = re.compile(rb"([0-9]{3})(?:\.0)?|-|0|-1|")
_BYTES = re.compile(rb"([0-9]{1,15})(?:\.0)?|-|")
_PLAIN = {"status": "^[0-9]{3}$", "bytes": "^[0-9]{1,15}$"}


def read_status(value: bytes) -> int | None:
    """The status; 0 for `-`, `0`, `000`, `-1` and nothing, 200 for RTMP's `OK`, None for what is no status."""
    return 200 if value == b"OK" else _number(_STATUS, value)


def read_bytes(value: bytes) -> int | None:
    """The size; 0 for `-` and nothing, None for what is no size."""
    return _number(_BYTES, value)


def typed(
    numbers: pa.Array,
    values: Mapping[str, pa.Array | pa.ChunkedArray],
    moments: pa.Array,
    *,
    wanted: frozenset[str],
    decode: Mapping[str, str],
) -> tuple[Rows, list[int]]:
    """Lines as rows of the `wanted` columns, and the numbers of those of which a value has not its type.

    `moments` are their times. What a line is does not depend on what is wanted: all `values` are judged. Those that are
    judged or decoded are dictionaries.
    """
    columns: dict[str, pa.Array] = {"time": moments}
    good = moments.is_valid()
    for raw, column in values.items():
        if raw in TYPES:
            columns[raw] = _numbers(column.dictionary, raw).take(column.indices)
            good = pc.and_(good, columns[raw].is_valid())
        elif raw in wanted:
            columns[raw] = _decoded(column, _DECODE.get(decode.get(raw, "")))
    columns = {raw: column for raw, column in columns.items() if raw in wanted}
    if good.true_count == len(good):
        return Rows(numbers, columns), []
    bad = numbers.filter(pc.invert(good)).to_pylist()
    kept = {raw: _distinct(column.filter(good)) for raw, column in columns.items()}
    return Rows(numbers.filter(good), kept), bad


def constant(value: bytes, length: int) -> pa.DictionaryArray:
    """A column of one value."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), length), pa.array([value], pa.binary()))


def merged(parts: list[Rows]) -> Rows:
    """The rows of all parts, which have the same columns, in the order of their numbers."""
    if len(parts) == 1:
        return parts[0]
    numbers = pa.concat_arrays([part.numbers for part in parts])
    order = pc.array_sort_indices(numbers)
    columns = {}
    for name in parts[0].columns:
        both = pa.chunked_array([part.columns[name] for part in parts])
        if pa.types.is_dictionary(both.type):
            both = both.unify_dictionaries()
        columns[name] = pa.concat_arrays(both.chunks).take(order)
    return Rows(numbers.take(order), columns)


def no_rows(raws: frozenset[str]) -> Rows:
    """No rows, with the columns `raws`, typed."""
    empty = {raw: constant(MISSING, 0) for raw in raws if raw != "time"}
    return typed(pa.array([], NUMBER), empty, pa.array([], MOMENT), wanted=raws, decode={})[0]


def _numbers(values: pa.Array, raw: str) -> pa.Array:
    """The distinct values of `status` or `bytes` as numbers, null for what is none; plain ones are read at once."""
    plain = pc.match_substring_regex(values, _PLAIN[raw])
    numbers = pc.if_else(plain, values, pa.scalar(b"0", values.type)).cast(pa.string()).cast(TYPES[raw])
    if plain.true_count == len(plain):
        return numbers
    odd = pc.invert(plain)
    read = read_status if raw == "status" else read_bytes
    return pc.replace_with_mask(numbers, odd, pa.array([read(v) for v in values.filter(odd).to_pylist()], TYPES[raw]))


def _number(shape: re.Pattern[bytes], value: bytes) -> int | None:
    found = shape.fullmatch(value)
    return None if found is None else int(found[1] or 0)


def _distinct(column: pa.Array) -> pa.Array:
    """A filtered column, its dictionary no longer than needed: no value of a rejected line stays in it."""
    return column.cast(pa.binary()).dictionary_encode() if isinstance(column, pa.DictionaryArray) else column


def _decoded(column: pa.DictionaryArray, decode: Callable[[bytes], bytes] | None) -> pa.DictionaryArray:
    if decode is None:
        return column
    return recode(column.indices, pa.array([decode(value) for value in column.dictionary.to_pylist()], pa.binary()))


def _spaces(value: bytes) -> bytes:
    """IIS writes `+` for a space; a value with a space is not written so."""
    return value if b" " in value else value.replace(b"+", b" ")


def _twice(value: bytes) -> bytes:
    return unquote_to_bytes(unquote_to_bytes(value)) if b"%" in value else value


_DECODE: dict[str, Callable[[bytes], bytes]] = {"plus": _spaces, "percent_twice": _twice, "escapes": unescape}
