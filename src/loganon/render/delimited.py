"""Lines of a delimited format (W3C extended, tab-separated, CSV), under a header that names the columns which stand.

The header is the format's own: as its example writes it, with names that the format knows. Columns of other names are
left out, unless they are those that the format gives to logs without a header; then their values are stand-ins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from loganon.formats import Format
from loganon.formats.columns import Columns
from loganon.parse.delimited_header import UNKNOWN, Header
from loganon.parse.layouts import CLOCK, DATE, Delimited, read_delimited_layout
from loganon.parse.parsed import ParseState
from loganon.render.rows import Lines, Part, by_layout, join_rows, text_of
from loganon.render.values import SUCCESS, Kept, Writer, each, read_text

_FIELDS = re.compile(r"[ \t]*#[ \t]*fields(?::[ \t]*|[ \t]+)", re.IGNORECASE)
_KEPT_HEADS = re.compile(r"[ \t]*#(?!\s*(?:date|software|fields)\b)", re.IGNORECASE)
_DAYS = 1_000_000  # more than a date has


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is written: its name, the raw column that is read from it, or the form of its part of the time."""

    name: str
    raw: str | None = None
    form: str = ""


class _Layouts:
    """What is written for the columns of a line."""

    def __init__(self, fmt: Format, columns: Columns) -> None:
        self._header = Header(columns)
        self._given = self._header.state(columns.fields)
        self._fields = columns.fields
        named = [*columns.fields, *(n for names in columns.requires for n in names)]
        self._spelled = {name.lower(): name for name in named}
        self._raws: dict[str, str] = {}
        for raw, texts in columns.names:
            for text in texts:
                self._spelled.update((name.lower(), name) for name in text.split())
                if raw != "time":
                    self._raws.setdefault(text.lower(), raw)
        self._row = columns.header == "row"
        self._head, self._tabbed = _style(fmt)

    def columns(self, layout: Delimited) -> list[_Column]:
        """The columns that are written for lines of a layout, in the log's order."""
        names = _names(layout.state)
        known = self._header.layout(layout.state)
        whole = bool(self._fields) and tuple(names) == self._given
        times = known.time if known is not None else ()
        forms = (DATE, CLOCK) if len(times) == 2 else (CLOCK,) if self.dated(layout.state) else (layout.form,)
        found = []
        for index, name in enumerate(names):
            if index in times:
                found.append(_Column(self._spelled[name], form=forms[times.index(index)]))
            elif whole:
                found.append(_Column(self._fields[index], self._raws.get(name)))
            elif name != UNKNOWN:
                found.append(_Column(self._spelled[name], self._raws.get(name)))
        return found

    def dated(self, state: ParseState) -> bool:
        """Whether the date stands in the header only."""
        known = self._header.layout(state)
        return known is not None and bool(known.date)

    def text(self, layout: Delimited, day: date | None) -> str:
        """The header of lines of a layout; `day`: that of lines that have the time of day only."""
        names = [column.name for column in self.columns(layout)]
        if self._row:
            return ",".join(f'"{name}"' if layout.quoted else name for name in names) + "\n"
        dated = f"#Date: {day}\n" if day is not None else ""
        return self._head[0] + dated + self._head[1] + ("\t" if self._tabbed else " ").join(names) + "\n"


def write_delimited(fmt: Format, kept: Kept) -> Writer:
    """A writer of the format's lines; it writes a header before the first and wherever the columns change."""
    columns = fmt.columns
    assert columns is not None  # noqa: S101 - a format of this dialect has them
    known = _Layouts(fmt, columns)
    last = ""

    def rows(table: pa.Table) -> Callable[[bytes, int, int], pa.Array]:
        return lambda layout, begin, end: _lines(
            known, read_delimited_layout(layout), table.slice(begin, end - begin), kept, columns
        )

    def write(table: pa.Table, layouts: pa.Array | None = None) -> Lines:
        nonlocal last
        assert layouts is not None  # noqa: S101 - a table of this dialect comes with them
        if not table.num_rows:
            return b""
        lines = by_layout(table, layouts, rows)
        text: list[Lines] = []
        for begin, end, header in _runs(known, layouts, table):
            text += [header.encode()] if header != last else []
            text.append(text_of(lines.slice(begin, end - begin)))
            last = header
        return b"".join(text)

    return write


def _names(state: ParseState) -> list[str]:
    return [name for name in state if not name.startswith("#")]


def _style(fmt: Format) -> tuple[tuple[str, str], bool]:
    """What stands before the names of a header as the format's example has it, and whether tabs are between them."""
    for example in fmt.examples:
        lines = example.line.split("\n")
        for number, line in enumerate(lines):
            found = _FIELDS.match(line)
            if found is not None and not line.startswith(" "):
                before = "".join(f"{each}\n" for each in lines[:number] if _KEPT_HEADS.match(each))
                tabbed = "\t" in line[found.end() - 1 :]
                return (before, line[: found.end()].rstrip(" \t") + ("\t" if tabbed else " ")), tabbed
    return ("", "#Fields: "), False


def _runs(known: _Layouts, layouts: pa.DictionaryArray, table: pa.Table) -> list[tuple[int, int, str]]:
    """The ranges of rows under one header, and that header."""
    kinds = [read_delimited_layout(layout) for layout in layouts.dictionary.to_pylist()]
    heads = [(known.text(kind, None), known.dated(kind.state)) for kind in kinds]
    ids = pa.array([heads.index(head) for head in heads], pa.int64())
    dated = pa.array([head[1] for head in heads], pa.bool_()).take(layouts.indices)
    days = pc.cast(table["time"].combine_chunks().cast(pa.timestamp("ms")), pa.date32()).cast(pa.int32())
    keys = pc.add(pc.multiply(ids.take(layouts.indices), _DAYS), pc.if_else(dated, days.cast(pa.int64()), 0))
    borders = [0, len(keys)]
    if len(keys) > 1:
        borders[1:1] = [at + 1 for at in pc.indices_nonzero(pc.not_equal(keys[1:], keys[:-1])).to_pylist()]
    runs = []
    for begin, end in pairwise(borders):
        kind = kinds[layouts.indices[begin].as_py()]
        moment: datetime = table["time"][begin].as_py()
        day = moment.astimezone(UTC).date() if known.dated(kind.state) else None
        runs.append((begin, end, known.text(kind, day)))
    return runs


def _lines(known: _Layouts, layout: Delimited, table: pa.Table, kept: Kept, columns: Columns) -> pa.Array:
    """The text of each row, all of one layout."""
    border = "," if columns.delimiter == "comma" else "\t" if columns.delimiter == "tab" or layout.tabs else " "
    decode = dict(columns.decode)
    quoted = layout.quoted and (columns.quotes or border == ",")
    written: list[Part | str] = []
    for column in known.columns(layout):
        written += [border] if written else []
        if column.form:
            encode = _encoder("", border, quoted=quoted)
            value = read_text("time", table, kept["time"], time=column.form)
        elif column.raw is None or column.raw not in kept:
            written.append(_encoder("", border, quoted=quoted)(_stand_in(column.raw)))
            continue
        else:
            encode = _encoder(decode.get(column.raw, ""), border, quoted=quoted)
            value = read_text(column.raw, table, kept[column.raw], time="")
        written += value.pieces(each(encode))
    return join_rows([*written, "\n"])


def _stand_in(raw: str | None) -> str:
    return str(SUCCESS) if raw == "status" else "0" if raw == "bytes" else "-"


def _encoder(decode: str, border: str, *, quoted: bool) -> Callable[[str], str]:
    """A callable that writes a value so that it ends where it is to end, and is read as itself."""
    safe = set(range(0x21, 0x7F)) | ({0x20} if quoted or border in "\t," else set())
    safe -= set() if quoted or border == "," else {0x22}
    escape = "\\x%02X" if decode == "escapes" else "%%%02X"
    if decode == "escapes":
        safe.discard(0x5C)
    table = [chr(byte) if byte in safe else escape % byte for byte in range(256)]

    def encode(value: str) -> str:
        if decode == "plus" and " " in value:
            value = value.replace(" ", "+")
        text = "".join(table[byte] for byte in (value or "-").encode())
        if text.startswith("#"):
            text = f"%23{text[1:]}"
        if quoted or (border == "," and ('"' in text or "," in text)):
            text = '"' + text.replace('"', '""') + '"'
        return text

    return encode
