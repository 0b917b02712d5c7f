"""Lines put together from the texts of their parts: the rows of all parts are joined at once, into one buffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def join_rows(parts: Sequence[pa.Array]) -> pa.Array:
    """The text of each row: that of its parts, one behind the other."""
    return pc.binary_join_element_wise(*parts, "") if len(parts) > 1 else parts[0]


def text_of(lines: pa.Array) -> bytes:
    """The text of all lines: the one buffer that holds them, one behind the other."""
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]])


Write = Callable[[pa.Table], Callable[[bytes, int, int], pa.Array]]
"""From a table to what gives the text of its rows from one place to another, which are all of one layout."""


def by_layout(table: pa.Table, layouts: pa.DictionaryArray, write: Write) -> pa.Array:
    """The text of each row in the order of the table.

    The rows of a layout are brought together by sorting once: there may be as many layouts as rows.
    """
    kinds = layouts.dictionary.to_pylist()
    if len(kinds) == 1:
        return write(table)(kinds[0], 0, table.num_rows)
    order = pc.array_sort_indices(layouts.indices)
    sorted_codes = layouts.indices.take(order)
    borders = [0, *(at + 1 for at in pc.indices_nonzero(pc.not_equal(sorted_codes[1:], sorted_codes[:-1])).to_pylist())]
    text = write(table.take(order))
    codes = sorted_codes.take(pa.array(borders)).to_pylist()
    ends = [*borders[1:], table.num_rows]
    parts = [text(kinds[code], begin, end) for code, begin, end in zip(codes, borders, ends, strict=True)]
    return pa.concat_arrays(parts).take(pc.array_sort_indices(order))
