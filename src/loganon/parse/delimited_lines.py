"""Delimited lines read one at a time: the exact way, which says what a line of the format is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from loganon.chunks import MAX_LINE_BYTES
from loganon.formats.columns import Columns

Split = Callable[[bytes, int], list[bytes] | None]
"""A line and the number of its values to the values as they are written; None where it has not as many."""

_TEXT = rb'"([^"]*+(?>(?:""[^"]*+)*))"'
_VALUES = {
    b" ": re.compile(rb" *+(?:" + _TEXT + rb"(?= |\Z)|([^ ]*+))"),
    b"\t": re.compile(_TEXT + rb"(?=\t|\Z)|([^\t]*+)"),
    b",": re.compile(_TEXT + rb'(?=,|\Z)|([^",]*+)(?=,|\Z)'),
}


def splitter(columns: Columns) -> Split:
    """What cuts the lines of a format into values.

    Spaces: a run of them is one border; tabs and commas: each is. A value in quotes may hold the delimiter, and `""`
    for a quote. In blank-separated lines a quote is one only where the line has not enough values otherwise: a visitor
    may have sent it.
    """
    if columns.delimiter == "comma":
        return lambda line, width: _fitting(_quoted(line, b",") if b'"' in line else line.split(b","), width)
    tabs = columns.delimiter == "tab"
    quotes = columns.quotes

    def split(line: bytes, width: int) -> list[bytes] | None:
        if tabs or b"\t" in line:
            delimiter, values = b"\t", line.split(b"\t")
        else:
            delimiter, values = b" ", [value for value in line.split(b" ") if value]
        if quotes and b'"' in line:
            if len(values) == width:
                return [_unquoted(value) for value in values]
            return _fitting(_quoted(line, delimiter), width)
        return values if len(values) == width else None

    return split


def read_lines(
    lines: Iterable[tuple[int, bytes]], split: Split, *, width: int, places: Sequence[int]
) -> tuple[list[int], list[pa.DictionaryArray], dict[int, str]]:
    """The numbers of lines of `width` values, their values at `places`, and the other lines with the reason."""
    numbers: list[int] = []
    rows: list[list[bytes]] = []
    rejected: dict[int, str] = {}
    for number, line in lines:
        if len(line) > MAX_LINE_BYTES:
            rejected[number] = "too_long"
        elif b"\0" in line:
            rejected[number] = "binary"
        elif (values := split(line, width)) is None:
            rejected[number] = "malformed"
        else:
            numbers.append(number)
            rows.append(values)
    columns = [pa.array([row[place] for row in rows], pa.binary()).dictionary_encode() for place in places]
    return numbers, columns, rejected


def failure(line: bytes, columns: Columns, width: int) -> int:
    """The offset at which a line that has not `width` values stopped to be one: its end, or where it has too many."""
    delimiter = {"comma": b",", "tab": b"\t"}.get(columns.delimiter, b"\t" if b"\t" in line else b" ")
    at = -1
    for _ in range(width):
        at = line.find(delimiter, at + 1)
        if at < 0:
            return len(line)
    return at


def _fitting(values: list[bytes] | None, width: int) -> list[bytes] | None:
    return values if values is not None and len(values) == width else None


def _quoted(line: bytes, delimiter: bytes) -> list[bytes] | None:
    """The values of a line with quotes; None where, between commas, one is not closed or goes on behind its end."""
    line = line.strip(b" ") if delimiter == b" " else line
    match = _VALUES[delimiter].match
    values = []
    at = 0
    while (found := match(line, at)) is not None:
        values.append(found[2] if found[1] is None else found[1].replace(b'""', b'"'))
        at = found.end() + 1
        if at > len(line):
            return values
    return None


def _unquoted(value: bytes) -> bytes:
    quoted = len(value) > 1 and value[:1] == value[-1:] == b'"'
    return value[1:-1].replace(b'""', b'"') if quoted else value
