"""How a line is laid out, in words of a closed list: what is needed to write it again, and nothing of what it says.

A parser that is asked for the raw column `layout` gives one of these for each line. They are made of the names that
the format knows, of kinds, and of the written forms of times; unknown names and all values stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loganon.formats.columns import Columns
from loganon.parse.json_object import EVERY, Number, Steps, to_bytes, ways_of
from loganon.parse.moments import form_of
from loganon.parse.parsed import ParseState

LAYOUT = "layout"
STRING, NUMBER, NULL = "s", "n", "z"
TAB, QUOTED = "t", "q"
DATE, CLOCK = "%Y-%m-%d", "%H:%M:%S"
"""The written forms of the two parts of a time."""
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place in an object where a raw column may stand; `request`: within a request line; `form`: that of a time of
    which only a part, the date or the time of day, stands there.
    """

    raw: str
    steps: Steps
    request: bool
    form: str = ""


@dataclass(frozen=True, slots=True)
class Delimited:
    """The columns of a delimited line, and how it is written: with tabs, in quotes, its time's form."""

    state: ParseState
    tabs: bool
    quoted: bool
    form: str


def leaves_of(columns: Columns) -> tuple[Leaf, ...]:
    """All places at which a JSON lines format knows a raw column, none twice; of a list of texts the first."""
    found: dict[Steps, Leaf] = {}
    for raw, paths in columns.names:
        for way in (way for path in paths for way in ways_of(path, dated=raw == "time")):
            forms = ("",) if len(way.parts) == 1 else (DATE, CLOCK)
            for part, form in zip(way.parts, forms, strict=True):
                steps = tuple(0 if step == EVERY else step for step in part)
                found.setdefault(steps, Leaf(raw, steps, way.asks, form))
    return tuple(found.values())


def json_layouts(columns: Columns) -> Callable[[Mapping[str, Any]], bytes]:
    """A callable from an object to its layout: which places have a value, of which kind, a time in which form."""
    leaves = leaves_of(columns)

    def layout(record: Mapping[str, Any]) -> bytes:
        parts = []
        for number, leaf in enumerate(leaves):
            there, value = _at(record, leaf.steps)
            kind = _kind(value) if there else ""
            if kind:
                form = leaf.form or (_form(value, kind) if leaf.raw == "time" else "")
                parts.append(f"{number}{kind}{form}")
        return _BETWEEN.join(parts).encode("ascii")

    return layout


def read_json_layout(layout: bytes, leaves: Sequence[Leaf]) -> list[tuple[Leaf, str, str]]:
    """The places of a layout, each with the kind of its value and a time's form."""
    parts = []
    for part in layout.decode("ascii").split(_BETWEEN) if layout else ():
        digits = len(part) - len(part.lstrip("0123456789"))
        parts.append((leaves[int(part[:digits])], part[digits], part[digits + 1 :]))
    return parts


def delimited_layout(state: ParseState, line: bytes, form: str) -> bytes:
    """The layout of a delimited line under the columns that `state` holds."""
    flags = (TAB if b"\t" in line else "") + (QUOTED if line.startswith(b'"') else "")
    return _BETWEEN.join((*state, flags, form)).encode("utf-8", "surrogateescape")


def read_delimited_layout(layout: bytes) -> Delimited:
    """What `delimited_layout` wrote."""
    *state, flags, form = layout.decode("utf-8", "surrogateescape").split(_BETWEEN)
    return Delimited(tuple(state), TAB in flags, QUOTED in flags, form)


def _at(record: Any, steps: Sequence[str | int]) -> tuple[bool, Any]:
    for step in steps:
        keyed = isinstance(record, dict) and step in record
        listed = isinstance(record, list) and isinstance(step, int) and step < len(record)
        if not (keyed or listed):
            return False, None
        record = record[step]
    return True, record


def _form(value: str | None, kind: str) -> str:
    """The form in which a time is written again; that of a number is one of a number, whatever it was."""
    form = form_of(to_bytes(value)) if value is not None else ""
    return "epoch_s" if kind == NUMBER and not form.startswith("epoch") else form


def _kind(value: object) -> str:
    if isinstance(value, Number):
        return NUMBER
    if isinstance(value, str):
        return STRING
    return NULL if value is None else ""
