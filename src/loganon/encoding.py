"""Texts of a chunk as dictionaries: each distinct value once, and its number for each row."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

_MANY = 4096
_UNASKED = 7
"""So many chunks of a flood are taken as they are."""


def encoded(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column, one of texts (binary) as dictionary(int32, binary)."""
    if not pa.types.is_binary(column.type):
        return column
    codes = column.dictionary_encode()
    return codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes


class Encoding:
    """`encoding(name, column)` -> what `encoded` gives of the columns of one log, chunk by chunk.

    In a flood, in which nearly each value is another, it is not asked for a while which are equal: then a value may
    stand in the dictionary more than once.
    """

    def __init__(self) -> None:
        self._unasked: dict[str, int] = {}

    def __call__(self, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The column called `name`."""
        left = self._unasked.get(name, 0)
        if left and pa.types.is_binary(column.type):
            self._unasked[name] = left - 1
            numbers = pl.int_range(len(column), dtype=pl.Int32, eager=True).to_arrow()
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            return pa.DictionaryArray.from_arrays(numbers, whole)
        codes = encoded(column)
        if pa.types.is_dictionary(codes.type) and len(codes) >= _MANY and len(codes.dictionary) * 8 > len(codes) * 7:
            self._unasked[name] = _UNASKED
        return codes
