"""What stands between two quotes of a line, by column: whether it is of the format, and the columns in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from loganon.parse.clock import parse_times
from loganon.parse.lines import joined, to_numbers

_TIME_BYTES = 26
_ANY_TIME = b"01/Jan/2000:00:00:00 +0000"  # stands for every time of its shape
_ADDRESS = "0123456789abcdefABCDEF.:"
_ANY_CLIENT = b"0"  # stands for every client of these characters
_STATUS = re.compile(rb" ([0-9]{3}) ")
_BYTES_DIGITS = 15
_MOST_BYTES = 1 << 30

_SEEN = 1000
"""Parts by which what follows the client is guessed."""

Judged = tuple[pa.Array, dict[str, pa.Array]]
"""Which rows are of the format (bool), and the columns found in this part of them."""


def judge_time(
    values: pa.Array, *, pattern: re.Pattern[bytes], raws: Sequence[str], end: bytes, quote: bytes, client: bool
) -> Judged:
    """Parts that end with a time and the literal after it; what stands before the time is judged by distinct value.

    `client`: the part begins with the client, and a blank follows it.
    """
    ended = -_TIME_BYTES - len(end)
    written = pc.binary_slice(values, ended, None).dictionary_encode()
    moments = parse_times(_without_end(written.dictionary, end), "clf").take(written.indices)
    before = pc.binary_slice(values, 0, ended)
    judge = judge_client if client else judge_distinct
    right, columns = judge(before, pattern=pattern, raws=raws, quote=_ANY_TIME + end + quote)
    return pc.and_(right, moments.is_valid()), {**columns, "time": moments}


def _without_end(values: pa.Array, end: bytes) -> pa.Array:
    """The distinct values without `end`; empty, which is no time, where one does not end so."""
    ended = pc.equal(pc.binary_slice(values, -len(end), None), pa.scalar(end, values.type))
    return pc.if_else(ended, pc.binary_slice(values, 0, -len(end)), pa.scalar(b"", values.type))


def judge_client(values: pa.Array, *, pattern: re.Pattern[bytes], raws: Sequence[str], quote: bytes) -> Judged:
    """As `judge_distinct`, for parts that begin with the client, and a blank behind it.

    A client of none but an address's characters ends at that blank whatever it is, and nothing behind it is matched in
    dependence of it. So of parts that are alike from there on one is matched, and stands for all.
    """
    usual = _usual(values.slice(0, _SEEN))
    match = pattern.fullmatch(_ANY_CLIENT + usual + quote)
    if match is None or not usual.startswith(b" "):
        return judge_distinct(values, pattern=pattern, raws=raws, quote=quote)
    alike = pc.and_(pc.equal(_behind_client(values), usual), pc.not_equal(values, usual))
    if alike.true_count < len(alike):
        return _judge_both(values, alike, pattern=pattern, raws=raws, quote=quote)
    clients = pc.binary_slice(values, 0, -len(usual))
    columns: dict[str, pa.Array] = {}
    for group, raw in enumerate(raws, start=1):
        if raw == "client":
            columns[raw] = clients
        elif raw != "time":
            same = pa.array([b"-" if match[group] is None else match[group]], pa.binary())
            column = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(values)), same)
            columns[raw] = to_numbers(raw, column) if raw in ("status", "bytes") else column
    return alike, columns


def _behind_client(values: pa.Array) -> pa.Array:
    """What follows the characters of an address at the beginning of each value."""
    return pc.ascii_ltrim(values.view(pa.string()), characters=_ADDRESS).view(pa.binary())


def _usual(values: pa.Array) -> bytes:
    """What most often stands behind the client; nothing of no values."""
    counts = _behind_client(values).value_counts()
    if not len(counts):
        return b""
    most = pc.index(counts.field("counts"), pc.max(counts.field("counts"))).as_py()
    return bytes(counts.field("values")[most].as_py())


def _judge_both(
    values: pa.Array, alike: pa.Array, *, pattern: re.Pattern[bytes], raws: Sequence[str], quote: bytes
) -> Judged:
    """`judge_client` of the parts that are `alike`, `judge_distinct` of the others, in the order of the lines."""
    odd = pc.invert(alike)
    one = judge_client(values.filter(alike), pattern=pattern, raws=raws, quote=quote)
    two = judge_distinct(values.filter(odd), pattern=pattern, raws=raws, quote=quote)
    order = pc.array_sort_indices(pa.concat_arrays([pc.indices_nonzero(alike), pc.indices_nonzero(odd)]))
    columns = {name: joined(column, two[1][name]).take(order) for name, column in one[1].items()}
    return pa.concat_arrays([one[0], two[0]]).take(order), columns


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


def judge_literal(values: pa.Array, *, text: bytes) -> Judged:
    """Parts that say `text` and nothing else."""
    return pc.equal(values, pa.scalar(text, values.type)), {}


def judge_numbers(values: pa.Array, *, end: bytes) -> Judged:
    """Parts ` 200 5120` and then `end`."""
    begun = pc.binary_slice(values, 0, 5).dictionary_encode()
    found = [_STATUS.fullmatch(value) for value in begun.dictionary.to_pylist()]
    status = pa.array([None if match is None else int(match[1]) for match in found], pa.int16()).take(begun.indices)
    written = pc.binary_slice(values, 5, -len(end) if end else _MOST_BYTES)  # None overflows in pyarrow
    length = pc.binary_length(written)
    digits = pc.and_(pc.ascii_is_decimal(written.view(pa.string())), pc.less_equal(length, _BYTES_DIGITS))
    plain = written if digits.true_count == len(digits) else pc.if_else(digits, written, pa.scalar(b"0"))
    number = plain.view(pa.string()).cast(pa.int64())
    if plain is not written:
        digits = pc.or_(digits, pc.equal(written, b"-"))
    right = pc.and_(status.is_valid(), digits)
    if end:
        right = pc.and_(right, pc.ends_with(values, end))
        right = pc.and_(right, pc.greater(pc.binary_length(values), 5))
    return right, {"status": status, "bytes": number}
