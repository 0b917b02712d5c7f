"""Delimited lines cut by column: the fast way.

It takes a line only if the exact way reads the same values from it, and leaves all others. What makes this hold: the
cut knows no quotes, so that each LF ends a row and each delimiter a value; what the exact way does besides (runs of
spaces, quotes, lines that hold a CR or a NUL) is looked for before, and left.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import csv

from loganon.chunks import MAX_LINE_BYTES
from loganon.formats.columns import Columns
from loganon.parse.lines import BOM, whole_column
from loganon.parse.marks import find_marks, has_blanks_together, has_long_line

_UNIT = b"\x1f"  # stands for the delimiter and the quotes around it
_CODES = pa.dictionary(pa.int32(), pa.binary())
_MOST_BYTES = 1 << 30
_BLOCK_BYTES = 2 * MAX_LINE_BYTES
"""What is read at a time: a line, and little enough to stay near the processor (a third less time than 16 MiB)."""


class Cut:
    """Cuts lines of a format into columns."""

    def __init__(self, columns: Columns) -> None:
        self._delimiter = columns.delimiter
        self._quotes = columns.quotes or columns.delimiter == "comma"

    def __call__(
        self, lines: Sequence[bytes], *, width: int, places: Sequence[int]
    ) -> tuple[list[int], list[pa.DictionaryArray]]:
        """The indices of the lines that are left, and the values at `places` of the others, in their order."""
        first = lines[0] if lines else b""
        delimiter = self._border(first)
        quoted = self._quotes and first.startswith(b'"')
        whole = b"\n".join(lines)
        left = _marked(lines, whole, self._marks(delimiter, quoted=quoted))
        if quoted:
            left |= {i for i, line in enumerate(lines) if len(line) < 2 or not line[:1] == line[-1:] == b'"'}
        elif delimiter == b" " and (b" \n" in whole or b"\n " in whole or b" " in (whole[:1], whole[-1:])):
            left |= {i for i, line in enumerate(lines) if line[:1] == b" " or line[-1:] == b" "}
        taken = _without(lines, left)
        text = b"\n".join(taken) if left else whole
        text = _plain(text, delimiter) if quoted else text
        border = _UNIT if quoted else delimiter
        table = None if quoted and b'"' in text else _read(text, border, width, places)
        if table is None and taken:
            left, text = self._uneven(lines, left, (border, delimiter), width, quoted=quoted)
            table = _read(text, border, width, places)
        if table is None:
            return list(range(len(lines))), []
        return sorted(left), [whole_column(table[f"f{place}"]) for place in places]

    def whole(
        self, text: bytes, *, width: int, places: Sequence[int], plain: frozenset[int]
    ) -> list[pa.Array | pa.ChunkedArray] | None:
        """The values at `places` of all lines of a text that holds no header and no empty line; None where one of them
        may be left. Those at `plain` places are as they are cut, the others dictionaries.
        """
        border = self._border(text[: text.find(b"\n")])
        marks = {mark for mark in self._marks(border, quoted=False) if len(mark) == 1}
        if border == b"," or find_marks(text, marks) or has_long_line(text):
            return None
        if border == b" " and has_blanks_together(text):  # which a line that begins or ends with one has, too
            return None
        table = _read(text, border, width, places, plain)
        if table is None:
            return None
        columns = ((place, table[f"f{place}"]) for place in places)
        return [column if place in plain else whole_column(column) for place, column in columns]

    def _border(self, line: bytes) -> bytes:
        if self._delimiter == "comma":
            return b","
        return b"\t" if self._delimiter == "tab" or b"\t" in line else b" "

    def _marks(self, delimiter: bytes, *, quoted: bool) -> tuple[bytes, ...]:
        """What a line to be cut does not hold."""
        marks = [b"\0", b"\r", BOM]
        if delimiter == b" ":
            marks += [b"\t"] if quoted else [b"\t", b"  "]
        if quoted:
            marks.append(_UNIT)
        elif self._quotes:
            marks.append(b'"')
        return tuple(marks)

    def _uneven(
        self, lines: Sequence[bytes], left: set[int], borders: tuple[bytes, bytes], width: int, *, quoted: bool
    ) -> tuple[set[int], bytes]:
        """Leave the lines that have not `width` values, too."""
        border, delimiter = borders
        found, kept = set(left), []
        for index, line in enumerate(lines):
            if index in left:
                continue
            text = _plain(line, delimiter) if quoted else line
            if text.count(border) == width - 1 and not (quoted and b'"' in text):
                kept.append(text)
            else:
                found.add(index)
        return found, b"\n".join(kept)


def _marked(lines: Sequence[bytes], text: bytes, marks: Sequence[bytes]) -> set[int]:
    """The indices of the lines (of `text`) with one of the marks, or too long."""
    found = set()
    if max(map(len, lines), default=0) > MAX_LINE_BYTES:
        found = {index for index, line in enumerate(lines) if len(line) > MAX_LINE_BYTES}
    for mark in marks:
        if mark in text:
            found.update(index for index, line in enumerate(lines) if mark in line)
    return found


def _without(lines: Sequence[bytes], left: set[int]) -> Sequence[bytes]:
    return [line for index, line in enumerate(lines) if index not in left] if left else lines


def _plain(text: bytes, delimiter: bytes) -> bytes:
    """Lines of values in quotes, with `_UNIT` between the values and without the quotes around them."""
    return text[1:-1].replace(b'"\n"', b"\n").replace(b'"' + delimiter + b'"', _UNIT)


def _read(
    text: bytes, delimiter: bytes, width: int, places: Sequence[int], plain: frozenset[int] = frozenset()
) -> pa.Table | None:
    """The values at `places` of lines without quotes; None where a line has not `width` values, or there is none."""
    wanted = {f"f{place}": pa.binary() if place in plain else _CODES for place in places}
    if not text or len(text) > _MOST_BYTES or text.startswith(BOM):
        return None
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=[f"f{index}" for index in range(width)]
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter.decode("ascii"), quote_char=False, escape_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                check_utf8=False,
                column_types=wanted,
                include_columns=list(wanted),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:  # its message holds the line: it goes no further
        return None
