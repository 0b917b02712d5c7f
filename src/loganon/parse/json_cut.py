"""JSON lines cut at their quotes: the fast way.

It takes a line only if the exact way reads the same values from it, and leaves all others. What makes this hold: in a
line without backslash a text ends at the next quote, so that each quote is a border of a text. Of one line the exact
way says what it is; another line whose keys and whose pieces between the texts are the same, but for its numbers, has
the same values in the same places. A line with a control character, which JSON permits in no text, is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from loganon.chunks import MAX_LINE_BYTES
from loganon.parse.escapes import recode
from loganon.parse.json_object import DATED, LISTED, Find, read_object, target, to_bytes
from loganon.parse.lines import BOM, whole_column
from loganon.parse.marks import count_controls, find_marks, has_long_line
from loganon.parse.typed import MISSING, constant

_CODES = pa.dictionary(pa.int32(), pa.binary())
_MOST_BYTES = 1 << 30
_BLOCK_BYTES = 2 * MAX_LINE_BYTES
"""What is read at a time: a line, and little enough to stay near the processor (a third less time than 16 MiB)."""
_LEAST = 16
"""Fewer lines are not worth a cut."""
_MOST_CUTS = 12
"""Of a chunk: lines of ever new keys are read one by one."""
_WORTH = 8
"""A cut must take one in so many lines of its group to be followed by one for the others."""
_TRIED = 4
"""Lines of a group of which one must have a shape."""

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_IN_PIECE = re.compile(rb"(?<![0-9A-Za-z])" + _NUMBER.encode() + rb"(?![0-9A-Za-z])")
_USUAL_REQUEST = r"^(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH) (?P<target>/[!-~]*) HTTP/[0-9.]{1,8}$"
_CONTROL = re.compile(rb"[\x00-\x1f]")
_BLANK = b" \t\r"
_MARK = re.compile("/[0-9]+", re.ASCII)


Part = tuple[pa.Array, dict[str, pa.DictionaryArray]]
"""The indices of some lines, and their columns."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: the piece between two quotes, or several `between` which there is a text.

    `asks`: it is a request line, of which the target is read.
    """

    pieces: tuple[int, ...]
    between: bytes = b""
    asks: bool = False


@dataclass(frozen=True, slots=True)
class _Shape:
    """What lines have in common: pieces that are alike, pieces with a number (before and behind it), and the places."""

    size: int
    same: Mapping[int, bytes]
    numbers: Mapping[int, tuple[bytes, bytes]]
    places: Mapping[str, _Place | None]


class JsonCut:
    """`cut(lines)` -> the indices of lines that are left, and for the others their indices and columns, in parts.

    `finds`: what finds the value of each raw column; of those that are `required` none is missing in a line that is
    taken.
    """

    def __init__(self, finds: Sequence[tuple[str, Find]], required: frozenset[str]) -> None:
        self._finds = finds
        self._required = required

    def whole(self, text: bytes, *, plain: frozenset[str]) -> dict[str, pa.Array | pa.ChunkedArray] | None:
        """The columns of a text, each line ended by LF, of which all lines have one shape; None for another text.

        Those of the raw columns `plain` are as they are cut, the others dictionaries.
        """
        if text.startswith(BOM) or find_marks(text, (b"\\", b"\r")) or has_long_line(text):
            return None
        first = text[:MAX_LINE_BYTES].split(b"\n")[:_TRIED]
        shape = next(filter(None, map(self._shape, first)), None)
        table = None if shape is None else _read(text, shape, plain)
        if shape is None or table is None or count_controls(text) != table.num_rows:  # each row has its LF
            return None
        good, columns = _columns(table, shape)
        return columns if good.true_count == len(good) else None

    def __call__(self, lines: Sequence[bytes]) -> tuple[list[int], list[Part]]:
        """The lines are not empty."""
        whole = b"\n".join(lines)
        marked = _marked(lines, whole)
        left = sorted(marked)
        rest = [index for index in range(len(lines)) if index not in marked] if marked else range(len(lines))
        groups: list[Sequence[int]] = [rest]
        parts: list[Part] = []
        for turn in range(_MOST_CUTS):
            if not groups:
                break
            group = groups.pop()
            mine = [lines[index] for index in group] if len(group) < len(lines) else lines
            shape = next(filter(None, map(self._shape, mine[:_TRIED])), None) if len(mine) >= _LEAST else None
            table = None if shape is None else _read(whole if mine is lines else b"\n".join(mine), shape)
            if shape is None or table is None:
                alike = _by_quotes(group, mine) if turn == 0 else []
                groups += alike
                left += [] if alike else group
                continue
            part, others = _taken(pa.array(group, pa.int32()), *_columns(table, shape))
            parts.append(part)
            if len(others) * _WORTH <= len(group) * (_WORTH - 1):
                groups += [others] if others else []
            else:
                left += others
        return sorted(left + [index for group in groups for index in group]), parts

    def _shape(self, line: bytes) -> _Shape | None:
        """The shape of a line; None where it is no object, lacks what is required, or cannot be told apart so."""
        if isinstance(read_object(line), int):
            return None
        pieces = line.split(b'"')
        same: dict[int, bytes] = {}
        numbers: dict[int, tuple[bytes, bytes]] = {}
        for index, piece in enumerate(pieces):
            if index % 2:
                if pieces[index + 1].lstrip(_BLANK).startswith(b":"):
                    same[index] = piece
                continue
            found = list(_IN_PIECE.finditer(piece))
            if len(found) > 1:
                return None
            if found:
                numbers[index] = piece[: found[0].start()], piece[found[0].end() :]
            else:
                same[index] = piece
        plain, other = (_marks(pieces, same, numbers, mark) for mark in ("\\u0000{}", "/{}"))
        marked = {raw: (find(plain), find(other)) for raw, find in self._finds}
        places = {raw: _place(*marks) for raw, marks in marked.items()}
        lost = any(places[raw] is None and marks != (None, None) for raw, marks in marked.items())
        if lost or any(places[raw] is None for raw in self._required):
            return None
        return _Shape(len(pieces), same, numbers, places)


def _marks(
    pieces: Sequence[bytes], same: Mapping[int, bytes], numbers: Mapping[int, tuple[bytes, bytes]], mark: str
) -> Mapping[str, object]:
    """The object that the pieces are with each value's number instead of the value."""
    text = []
    for index, piece in enumerate(pieces):
        if index in numbers:
            before, behind = numbers[index]
            text.append(before + b'"' + mark.format(index).encode() + b'"' + behind)
        elif index % 2:
            text.append(b'"' + (piece if index in same else mark.format(index).encode()) + b'"')
        else:
            text.append(piece)
    found = read_object(b"".join(text))
    return {} if isinstance(found, int) else found


def _place(plain: str | None, other: str | None) -> _Place | None:
    """Where the value was found: `plain` is its mark, or what is read of it as a target; `other` its mark as a path.

    None where there is no value, and where it is none of the pieces, nor some of them one after another.
    """
    if plain is None or other is None:
        return None
    between = next((text for text in (LISTED, DATED) if text in other), "")
    marks = other.split(between) if between else [other]
    if not all(_MARK.fullmatch(mark) for mark in marks):
        return None
    pieces = tuple(int(mark[1:]) for mark in marks)
    return _Place(pieces, between.encode(), asks=not plain.startswith("\0"))


def _marked(lines: Sequence[bytes], whole: bytes) -> set[int]:
    """The indices of the lines with a backslash or a control character, or too long."""
    found = set()
    if max(map(len, lines), default=0) > MAX_LINE_BYTES:
        found = {index for index, line in enumerate(lines) if len(line) > MAX_LINE_BYTES}
    if b"\\" in whole:
        found |= {index for index, line in enumerate(lines) if b"\\" in line}
    if count_controls(whole) != len(lines) - 1:
        found |= {index for index, line in enumerate(lines) if _CONTROL.search(line)}
    if whole.startswith(BOM):
        found.add(0)
    return found


def _by_quotes(group: Sequence[int], lines: Sequence[bytes]) -> list[Sequence[int]]:
    """The group in parts of lines with equally many quotes, the largest last; none where it would stay as it is."""
    found: dict[int, list[int]] = {}
    for index, line in zip(group, lines, strict=True):
        found.setdefault(line.count(b'"'), []).append(index)
    return sorted(found.values(), key=len) if len(found) > 1 else []


def _read(text: bytes, shape: _Shape, plain: frozenset[str] = frozenset()) -> pa.Table | None:
    """The pieces that are looked at, those of values as dictionaries, but for raw columns that are `plain`; None where
    a line has not as many.
    """
    places = ((place, place.asks or raw not in plain) for raw, place in shape.places.items() if place is not None)
    coded = {piece for place, numbered in places if numbered for piece in place.pieces}
    wanted = {
        f"f{index}": _CODES if index in coded or index in shape.numbers else pa.binary()
        for index in sorted({*shape.numbers, *_pieces(shape)})
    }
    wanted |= {f"f{index}": pa.binary() for index in shape.same}
    if len(text) > _MOST_BYTES:
        return None
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=[f"f{index}" for index in range(shape.size)]
            ),
            parse_options=csv.ParseOptions(
                delimiter='"', quote_char=False, escape_char=False, ignore_empty_lines=False
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


def _columns(table: pa.Table, shape: _Shape) -> tuple[pa.Array, dict[str, pa.Array | pa.ChunkedArray]]:
    """Which rows are of the shape, and the values of all."""
    good = pa.repeat(pa.scalar(value=True), table.num_rows)
    for index, text in shape.same.items():
        alike = pc.equal(table[f"f{index}"], pa.scalar(text, pa.binary()))
        if not pc.all(alike).as_py():
            good = pc.and_(good, alike.combine_chunks())
    pieces = {index: _whole(table[f"f{index}"]) for index in {*shape.numbers, *_pieces(shape)}}
    for index, (before, behind) in shape.numbers.items():
        known, values = _numbers(pieces[index].dictionary, before, behind)
        if known.true_count < len(known):
            good = pc.and_(good, known.take(pieces[index].indices))
        pieces[index] = pa.DictionaryArray.from_arrays(pieces[index].indices, values)
    columns = {raw: _column(pieces, place, table.num_rows) for raw, place in shape.places.items()}
    return good, columns


def _whole(column: pa.ChunkedArray) -> pa.DictionaryArray | pa.ChunkedArray:
    return whole_column(column) if pa.types.is_dictionary(column.type) else column


def _pieces(shape: _Shape) -> set[int]:
    """The pieces in which values stand."""
    return {piece for place in shape.places.values() if place is not None for piece in place.pieces}


def _taken(numbers: pa.Array, good: pa.Array, columns: dict[str, pa.DictionaryArray]) -> tuple[Part, list[int]]:
    """The rows that are `good`, and the indices of the others."""
    if good.true_count == len(good):
        return (numbers, columns), []
    kept = {raw: _shortened(column.filter(good)) for raw, column in columns.items()}
    return (numbers.filter(good), kept), numbers.filter(pc.invert(good)).to_pylist()


def _numbers(values: pa.Array, before: bytes, behind: bytes) -> tuple[pa.Array, pa.Array]:
    """Which of the distinct pieces are a number between these texts, and the numbers as they are written."""
    pattern = f"^{_NUMBER}$"
    numbers = pc.binary_slice(values, len(before), -len(behind) if behind else _MOST_BYTES)
    known = pc.and_(
        pc.and_(pc.starts_with(values, before), pc.ends_with(values, behind)),
        pc.match_substring_regex(numbers, pattern),
    )
    long = pc.greater_equal(pc.binary_length(values), pa.scalar(len(before) + 1 + len(behind)))
    return pc.and_(known, long), numbers


def _column(
    pieces: Mapping[int, pa.Array | pa.ChunkedArray], place: _Place | None, rows: int
) -> pa.Array | pa.ChunkedArray:
    """The values at a place; `-` for one that is not there."""
    if place is None:
        return constant(MISSING, rows)
    if len(place.pieces) > 1:
        texts = [pieces[piece].cast(pa.binary()) for piece in place.pieces]
        joined = pc.binary_join_element_wise(*texts, place.between)
        return joined if isinstance(joined, pa.ChunkedArray) else joined.dictionary_encode()
    column = pieces[place.pieces[0]]
    if not place.asks:
        return column
    return recode(column.indices, _targets(column.dictionary))


def _targets(requests: pa.Array) -> pa.Array:
    """The target of each request line; a usual one is cut out at once."""
    cut = pc.extract_regex(requests, _USUAL_REQUEST)
    usual = cut.is_valid()
    texts = [value.decode("utf-8", "surrogateescape") for value in requests.filter(pc.invert(usual)).to_pylist()]
    others = pa.array([to_bytes(target(text)) for text in texts], pa.binary())
    return pc.replace_with_mask(pc.struct_field(cut, "target"), pc.invert(usual), others)


def _shortened(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """A filtered column, its dictionary no longer than needed: no value of a line that is left stays in it."""
    return column.cast(pa.binary()).dictionary_encode()
