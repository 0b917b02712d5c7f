"""The columns of a delimited log: from its header lines, from the operator, and what may be remembered of them.

https://www.w3.org/TR/WD-logfile.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loganon.formats.columns import Columns
from loganon.parse.marks import begins_below
from loganon.parse.parsed import ParseState

UNKNOWN = "-"
_MOST_NAMES = 256
_FIELDS = re.compile(rb"[ \t]*#[ \t]*fields(?::[ \t]*|[ \t]+)(.*)", re.IGNORECASE | re.DOTALL)
_DATE = re.compile(rb"[ \t]*#[ \t]*date:[ \t]*([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_BLANKS = re.compile(rb"[ \t]+")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.()-]*")
_FIRST = operator.itemgetter(slice(1))
_ODD = frozenset({b"", b"#", b" ", b"\t"})
_HEAD_DATE = "#date"
_BEHIND_HEADERS = ord("#") + 1
"""What a header begins with, `#` or a blank, and the end of an empty line are below; values rarely begin so."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where values stand in a line of `width` values: `places` by raw column, `time` one place or those of a date and
    a time of day. `local`: the time is in the log's own zone. `date`: from the header, where only the time of day
    stands in the line.
    """

    width: int
    places: tuple[tuple[str, int], ...]
    time: tuple[int, ...]
    local: bool
    date: bytes = b""


class Header:
    """Reads the header lines of a format. What it gives as state holds names of a closed list, and a date."""

    def __init__(self, columns: Columns) -> None:
        self._header = columns.header
        self._names = tuple((raw, tuple(text.lower() for text in texts)) for raw, texts in columns.names)
        self._times = tuple(text.split() for text in dict(self._names)["time"])
        self._requires = tuple(frozenset(name.lower() for name in names) for names in columns.requires)
        every = {name for _, texts in self._names for text in texts for name in text.split()}
        self._known = every.union(*self._requires) - {_HEAD_DATE}
        self._dated = _HEAD_DATE in every

    def state(self, names: Sequence[str]) -> ParseState:
        """The state that the column `names` make; a name that the format does not know is `-`."""
        return tuple(name.lower() if name.lower() in self._known else UNKNOWN for name in names[:_MOST_NAMES])

    def read(self, line: bytes, state: ParseState) -> ParseState | None:
        """The state behind a header line (a comment, or nothing but blanks: the same), None if `line` is none."""
        if self._header == "row":
            return self._row(line)
        begins = line.lstrip(b" \t")[:1]
        if begins != b"#":
            return None if begins else state
        found = _FIELDS.fullmatch(line)
        if found is not None:
            return self.state(_words(found[1])) + tuple(name for name in state if name.startswith("#"))
        dated = _DATE.fullmatch(line) if self._dated else None
        if dated is None:
            return state
        return (*(name for name in state if not name.startswith("#")), "#" + dated[1].decode("ascii"))

    def runs(self, lines: Sequence[bytes], state: ParseState) -> Iterator[tuple[ParseState, int, int]]:
        """The lines that are no headers, as state and range of indices; the last has the state at the end."""
        begin = 0
        for index in self._odd(lines):
            changed = self.read(lines[index], state) if lines[index] else state
            if changed is not None:
                if index > begin:
                    yield state, begin, index
                state, begin = changed, index + 1
        yield state, begin, len(lines)

    def skip(self, text: bytes, state: ParseState) -> tuple[bytes, ParseState]:
        """The text behind the header lines that it begins with, and the state behind them."""
        at = 0
        while self._header == "fields" and text.startswith(b"#", at):
            end = text.find(b"\n", at) + 1
            state = self.read(text[at : end - 1], state) or state
            at = end
        return text[at:] if at else text, state

    def may_stand_in(self, text: bytes) -> bool:
        """Whether a line of the text may be a header or is empty; False only where none is."""
        return self._header == "row" or begins_below(text, _BEHIND_HEADERS)

    def layout(self, state: ParseState) -> Layout | None:
        """The places of the raw columns; None where a header is missing, or names no time."""
        date = next((name[1:].encode() for name in state if name.startswith("#")), b"")
        names = [name for name in state if not name.startswith("#")]
        first = {name: index for index, name in reversed(list(enumerate(names))) if name != UNKNOWN}
        places = []
        for raw, wanted in self._names:
            found = next((first[name] for name in wanted if name in first), None)
            if found is not None and raw != "time":
                places.append((raw, found))
        for parts in self._times:
            dated = parts[0] == _HEAD_DATE and bool(date)
            if all(part in first for part in parts[dated:]):
                time = tuple(first[part] for part in parts[dated:])
                return Layout(len(names), tuple(places), time, parts[-1].endswith("-local"), date if dated else b"")
        return None

    def fits(self, state: ParseState) -> bool:
        """The header has what the format requires to be told from others."""
        return all(not names.isdisjoint(state) for names in self._requires)

    def _odd(self, lines: Sequence[bytes]) -> list[int]:
        """The indices of lines that may be headers, or are empty."""
        if self._header == "row":
            return [index for index, line in enumerate(lines) if not line or line[:2].strip(b'"')[:1].isalpha()]
        begins = set(map(_FIRST, lines))
        return [index for index, line in enumerate(lines) if line[:1] in b"# \t"] if begins & _ODD else []

    def _row(self, line: bytes) -> ParseState | None:
        """A line of nothing but names, some of them known; a line with a time is none."""
        names = [name.strip(b'"') for name in line.split(b",")]
        if not all(_NAME.fullmatch(name) for name in names):
            return None
        state = self.state([name.decode("ascii") for name in names])
        return state if self.layout(state) is not None and self.fits(state) else None


def _words(text: bytes) -> list[str]:
    return [word.decode("latin-1") for word in _BLANKS.split(text.strip(b" \t\r"))]
