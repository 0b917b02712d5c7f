"""Lines put together from the texts of their parts: the texts of all rows are gathered at once, into one buffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Lines: TypeAlias = bytes | memoryview
"""The text of some lines, each ended by LF; a view of the buffer in which it was put together is not copied again."""

_ROWS_OF_A_TEXT = 8
"""Of so many rows for a text, making texts for the pairs of two parts costs less than gathering a part more."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of each row: `texts[codes]`; the codes are UInt32."""

    texts: pa.StringArray
    codes: pl.Series

    def within(self, before: str, behind: str) -> Part:
        """The part with a text before and one behind it."""
        return Part(pc.binary_join_element_wise(before, self.texts, behind, ""), self.codes)

    def with_next(self, part: Part) -> Part:
        """Both as one, with a text for each pair of theirs."""
        count = len(part.texts)
        pairs = pl.int_range(len(self.texts) * count, dtype=pl.UInt32, eager=True).to_arrow()
        first = pc.divide(pairs, pa.scalar(count, pairs.type))
        second = pc.subtract(pairs, pc.multiply(first, pa.scalar(count, pairs.type)))
        texts = pc.binary_join_element_wise(self.texts.take(first), part.texts.take(second), "")
        return Part(texts, self.codes * count + part.codes)


def gathered(pieces: Sequence[Part | str]) -> pa.StringArray:
    """The texts of the first row's pieces, then those of the second's, and so on; those of few texts are made one.

    A text among the pieces is the same for all rows. One gather over all texts costs a third of one for each part and
    a join of what these give.
    """
    return _in_turn(_fewer(_parts(pieces)))


def join_rows(pieces: Sequence[Part | str]) -> pa.StringArray:
    """The text of each row: that of its pieces, one behind the other."""
    parts = _fewer(_parts(pieces))
    texts = _in_turn(parts)
    _, offsets, data = texts.buffers()
    every = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets])
    ends = pl.Series(every).gather_every(len(parts)).to_arrow()
    return pa.Array.from_buffers(pa.string(), len(ends) - 1, [None, ends.buffers()[1], data])


def text_of(lines: pa.StringArray) -> Lines:
    """The text of all lines: the one buffer that holds them, one behind the other."""
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]


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


def _parts(pieces: Sequence[Part | str]) -> list[Part]:
    """The parts, each text that is the same for all rows joined to the one beside it that has fewer texts."""
    found: list[Part] = []
    between = ""
    for piece in pieces:
        if isinstance(piece, str):
            between += piece
            continue
        part = piece
        if between and found and len(found[-1].texts) < len(part.texts):
            found[-1] = found[-1].within("", between)
        elif between:
            part = part.within(between, "")
        found.append(part)
        between = ""
    found[-1] = found[-1].within("", between) if between else found[-1]
    return found


def _fewer(parts: Sequence[Part]) -> list[Part]:
    """The parts, those of few texts made one with those beside them."""
    most = len(parts[0].codes) // _ROWS_OF_A_TEXT
    found: list[Part] = []
    for part in parts:
        if found and len(found[-1].texts) * len(part.texts) <= most:
            found[-1] = found[-1].with_next(part)
        else:
            found.append(part)
    return found


def _in_turn(parts: Sequence[Part]) -> pa.StringArray:
    starts = accumulate((len(part.texts) for part in parts[:-1]), initial=0)
    codes = {str(number): part.codes + start for number, (part, start) in enumerate(zip(parts, starts, strict=True))}
    in_turn = pl.DataFrame(codes).select(pl.concat_arr(pl.all())).to_series()
    return pa.concat_arrays([part.texts for part in parts]).take(in_turn.to_arrow().flatten())
