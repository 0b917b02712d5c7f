"""What stands between two quotes of a line, by column: whether it is of the format, and the columns in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from loganon.parse.clock import parse_times
from loganon.parse.lines import to_numbers

_TIME_BYTES = 26
_ANY_TIME = b"01/Jan/2000:00:00:00 +0000"  # stands for every time of its shape
_STATUS = re.compile(rb" ([0-9]{3}) ")
_BYTES_DIGITS = 15
_MOST_BYTES = 1 << 30

Judged = tuple[pa.Array, dict[str, pa.Array]]
"""Which rows are of the format (bool), and the columns found in this part of them."""


def judge_time(
    values: pa.Array, *, pattern: re.Pattern[bytes], raws: Sequence[str], end: bytes, quote: bytes
) -> Judged:
    """Parts that end with a time and the literal after it; what stands before the time is judged by distinct value."""
    written = pc.binary_slice(values, -_TIME_BYTES - len(end), -len(end)).dictionary_encode()
    moments = parse_times(written.dictionary, "clf").take(written.indices)
    ended = pc.equal(pc.binary_slice(values, -len(end), None), end)
    before = pc.binary_slice(values, 0, -_TIME_BYTES - len(end))
    right, columns = judge_distinct(before, pattern=pattern, raws=raws, quote=_ANY_TIME + end + quote)
    return pc.and_(pc.and_(right, ended), moments.is_valid()), {**columns, "time": moments}


def judge_distinct(
    values: pa.Array,
    *,
    pattern: re.Pattern[bytes],
    raws: Sequence[str],
    quote: bytes,
    times: Callable[[pa.Array], pa.Array] | None = None,
) -> Judged:
    """Parts of any shape, each distinct one matched as it stands in the line, with `quote` behind it.

    Without `times` a time among them has been read already.
    """
    encoded = values.dictionary_encode()
    matches = [pattern.fullmatch(value + quote) for value in encoded.dictionary.to_pylist()]
    right = pa.array([match is not None for match in matches], pa.bool_()).take(encoded.indices)
    columns: dict[str, pa.Array] = {}
    for group, raw in enumerate(raws, start=1):
        if raw == "time" and times is None:
            continue
        found = pa.array([b"-" if m is None or m[group] is None else m[group] for m in matches], pa.binary())
        codes = found.dictionary_encode()
        column = pa.DictionaryArray.from_arrays(codes.indices.take(encoded.indices), codes.dictionary)
        if raw == "time" and times is not None:
            column = times(column.dictionary).take(column.indices)
            right = pc.and_(right, column.is_valid())
        elif raw in ("status", "bytes"):
            column = to_numbers(raw, column)
        columns[raw] = column
    return right, columns


def judge_numbers(values: pa.Array, *, end: bytes) -> Judged:
    """Parts ` 200 5120` and then `end`."""
    begun = pc.binary_slice(values, 0, 5).dictionary_encode()
    found = [_STATUS.fullmatch(value) for value in begun.dictionary.to_pylist()]
    status = pa.array([None if match is None else int(match[1]) for match in found], pa.int16()).take(begun.indices)
    written = pc.binary_slice(values, 5, -len(end) if end else _MOST_BYTES)  # None overflows in pyarrow
    length = pc.binary_length(written)
    digits = pc.and_(pc.ascii_is_decimal(written.view(pa.string())), pc.less_equal(length, _BYTES_DIGITS))
    number = pc.if_else(digits, written, pa.scalar(b"0")).cast(pa.string()).cast(pa.int64())
    right = pc.and_(status.is_valid(), pc.or_(digits, pc.equal(written, b"-")))
    if end:
        right = pc.and_(right, pc.equal(pc.binary_slice(values, -len(end), None), end))
        right = pc.and_(right, pc.greater(pc.binary_length(values), 5))
    return right, {"status": status, "bytes": number}
