"""Lines of a JSON lines format: the keys that the format knows, as the line had them, and no other.

A number stays a number, `null` stays `null`. What the format does not know is left out with its name: both are data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loganon.formats import Format
from loganon.parse.json_object import Steps
from loganon.parse.layouts import NULL, NUMBER, Leaf, leaves_of, read_json_layout
from loganon.render.rows import Lines, by_layout, join_rows, text_of
from loganon.render.values import SUCCESS, Kept, Writer, each, read_text

_PLACE = re.compile(r'"\\u0000([0-9]+)"')
_NUMBERS = frozenset({"status", "bytes"})
_PLACES = list[tuple[Leaf, str, str]]


def write_json(fmt: Format, kept: Kept) -> Writer:
    """A writer of the format's lines."""
    assert fmt.columns is not None  # noqa: S101 - a format of this dialect has them
    leaves = leaves_of(fmt.columns)

    def lines(table: pa.Table) -> Callable[[bytes, int, int], pa.Array]:
        texts = _Texts(table, kept)
        return lambda layout, begin, end: _lines(read_json_layout(layout, leaves), texts, begin, end)

    def write(table: pa.Table, layouts: pa.Array | None = None) -> Lines:
        assert layouts is not None  # noqa: S101 - a table of this dialect comes with them
        return text_of(by_layout(table, layouts, lines)) if table.num_rows else b""

    return write


class _Texts:
    """What the rows of a table say at a place: made once for the whole table, however many layouts have that place."""

    def __init__(self, table: pa.Table, kept: Kept) -> None:
        self._table = table
        self.kept = kept
        self._known: dict[tuple[str, bool, str], pa.Array] = {}

    def at(self, leaf: Leaf, kind: str, form: str) -> pa.Array:
        """The text of each row, as JSON writes it."""
        number = kind == NUMBER and leaf.raw in (_NUMBERS | {"time"}) and not leaf.form
        raw = "request" if leaf.request else leaf.raw
        key = (raw, number, form if raw == "time" else "")
        if key not in self._known:
            value = read_text(raw, self._table, self.kept[leaf.raw], time=form)
            self._known[key] = join_rows(value.pieces(each(str if number else json.dumps)))
        return self._known[key]


def _lines(places: _PLACES, texts: _Texts, begin: int, end: int) -> pa.Array:
    """The text of the rows from `begin` to `end`, all of one layout."""
    parts: list[pa.Array | pa.Scalar] = []
    text = ""
    for index, piece in enumerate(_PLACE.split(_skeleton(places) + "\n")):
        if index % 2 == 0:
            text += piece
            continue
        leaf, kind, form = places[int(piece)]
        if kind == NULL or leaf.raw not in texts.kept:
            text += _stand_in(leaf, kind)
            continue
        parts += [pa.scalar(text), texts.at(leaf, kind, form).slice(begin, end - begin)]
        text = ""
    if not parts:
        return pa.array([text] * (end - begin))
    return pc.binary_join_element_wise(*parts, pa.scalar(text), "")


def _stand_in(leaf: Leaf, kind: str) -> str:
    if kind == NULL:
        return "null"
    text = str(SUCCESS) if leaf.raw == "status" else "0" if leaf.raw == "bytes" or kind == NUMBER else "-"
    return text if kind == NUMBER else json.dumps(text)


def _skeleton(places: Sequence[tuple[Leaf, str, str]]) -> str:
    """The object as JSON, the number of each place in its stead."""
    record: dict[str, Any] = {}
    for number, (leaf, _, _) in enumerate(places):
        _put(record, leaf.steps, f"\0{number}")
    return json.dumps(record, separators=(",", ":"))


def _put(record: Any, steps: Steps, value: str) -> None:
    """Set what stands at `steps`, with all objects and lists on the way; what a list skips is null."""
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        if isinstance(step, int):
            record += [None] * (step + 1 - len(record))
        empty: Any = value if after is None else [] if isinstance(after, int) else {}
        if isinstance(step, int):
            record[step] = empty if record[step] is None else record[step]
        else:
            record.setdefault(step, empty)
        record = record[step]
