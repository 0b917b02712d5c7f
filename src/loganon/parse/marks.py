"""What stands in a text, asked of all its bytes at once."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from loganon.chunks import MAX_LINE_BYTES

_BLOCK_BYTES = 1 << 18
_LF = 0x0A
_BLANK = 0x20


def find_marks(text: bytes, marks: Iterable[bytes]) -> frozenset[bytes]:
    """Which of the marks, each one byte, stand in the text."""
    left, found = set(marks), set[bytes]()
    for start in range(0, len(text), _BLOCK_BYTES):  # once a block is in the processor's cache, all are looked for
        here = {mark for mark in left if text.find(mark, start, start + _BLOCK_BYTES) >= 0}
        found |= here
        left -= here
    return frozenset(found)


def has_long_line(text: bytes) -> bool:
    """Whether a line may be too long: one that is covers a block of half that length, at such a border, whole.

    So it is without a prefix that something before it has written.
    """
    half = MAX_LINE_BYTES // 2
    return any(text.find(b"\n", start, start + half) < 0 for start in range(0, len(text) - half + 1, half))


def count_controls(text: bytes) -> int:
    """How many bytes are control characters (below 0x20), the ends of lines among them."""
    return int((_codes(text) < _BLANK).sum())


def begins_below(text: bytes, limit: int) -> bool:
    """Whether the first byte of a line is below `limit`; an empty line's is its LF."""
    codes = _codes(text)
    return bool(text) and (text[0] < limit or _meet(codes == _LF, codes < limit))


def has_blanks_together(text: bytes) -> bool:
    """Whether two of its bytes are blanks, ends of lines or other control characters, one right behind the other."""
    blank = _codes(text) <= _BLANK
    return _meet(blank, blank)


def _meet(one: pl.Series, other: pl.Series) -> bool:
    """Whether a byte of the one mask stands right before one of the other."""
    return bool((one.slice(0, len(one) - 1) & other.slice(1)).any()) if len(one) > 1 else False


def _codes(text: bytes) -> pl.Series:
    """The bytes as numbers, not copied."""
    return pl.Series(pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)]), dtype=pl.UInt8)
