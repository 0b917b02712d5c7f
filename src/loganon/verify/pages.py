"""A cell's file, byte by byte: each belongs to a page that rows need or to the footer, and neither says more than they.

A reader of the rows sees none of it: what lies between pages, what a library leaves out because it does not know it,
and what indexes and statistics state, by which readers leave rows out.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loganon.verify.thrift import Struct, Value, read_struct, texts_in

_MAGIC = b"PAR1"
_TAIL = 4 + len(_MAGIC)
_STRAY = "bytes that belong to no column and no footer"
_MORE = "texts in a footer, or in the head of a page, besides names, keys and statistics"
_INDEX = "an index or a Bloom filter, which loganon does not write"
_NO_ROWS = "pages that no row needs"

# Numbers of fields, as Parquet's Thrift definition (parquet.thrift) has them.
_SCHEMA, _GROUPS, _KEYS, _MAKER = 2, 4, 5, 6
_NAME = 4
_CHUNKS, _GROUP_ROWS = 1, 3
_CHUNK, _INDEXES = 3, (4, 5, 6, 7)
_PATH, _SIZE, _DATA_AT, _DICTIONARY_AT, _STATISTICS = 3, 7, 9, 11, 12
_OTHER_INDEXES = (10, 14, 15)
_PAGE_SIZE, _DATA, _DICTIONARY, _DATA_2 = 3, 5, 7, 8
_PAGE_STATISTICS = {_DATA: 5, _DATA_2: 8}
_NULLS, _DISTINCT, _GREATEST, _LEAST = 3, 4, (1, 5), (2, 6)
_ENDS = (*_GREATEST, *_LEAST)

_OF_FOOTER = frozenset(
    (
        (_SCHEMA, _NAME),
        (_KEYS, 1),
        (_KEYS, 2),
        (_MAKER,),
        (_GROUPS, _CHUNKS, _CHUNK, _PATH),
        *((_GROUPS, _CHUNKS, _CHUNK, _STATISTICS, end) for end in _ENDS),
    )
)
_OF_PAGE = frozenset((kind, statistics, end) for kind, statistics in _PAGE_STATISTICS.items() for end in _ENDS)
"""Where texts may stand: what they say is held to the rows, the policy and loganon's keys."""


def find_hidden(data: bytes, table: pa.Table) -> list[str]:
    """What the file of these rows holds besides them, each kind once; of what cannot be followed, that it is stray."""
    try:
        return list(dict.fromkeys(_hidden(data, table)))
    except (ValueError, KeyError, TypeError, IndexError, struct.error):
        return [_STRAY]


def _hidden(data: bytes, table: pa.Table) -> Iterator[str]:
    length = int.from_bytes(data[-_TAIL : -len(_MAGIC)], "little")
    begin = len(data) - _TAIL - length
    footer, end = read_struct(data, begin)
    if data[: len(_MAGIC)] != _MAGIC or end != begin + length:
        yield _STRAY
    root = _structs(footer[_SCHEMA])[0].get(_NAME)
    keys = [each[1] for each in _structs(footer.get(_KEYS, []))]
    paths = {path for path, _ in texts_in(footer)}
    if paths - _OF_FOOTER or root != b"schema" or len(set(keys)) < len(keys):
        yield _MORE
    at, row, groups = len(_MAGIC), 0, _structs(footer[_GROUPS])
    for group in groups:
        rows = table.slice(row, _number(group, _GROUP_ROWS))
        row += rows.num_rows
        if not rows.num_rows and len(groups) > 1:
            yield _NO_ROWS
        for chunk in _structs(group[_CHUNKS]):
            if any(number in chunk for number in _INDEXES) or any(n in _struct(chunk[_CHUNK]) for n in _OTHER_INDEXES):
                yield _INDEX
            at = yield from _chunk(data, at, _struct(chunk[_CHUNK]), rows)
    if at != begin:
        yield _STRAY


def _chunk(data: bytes, at: int, chunk: Struct, rows: pa.Table) -> Generator[str, None, int]:
    """What is wrong with the pages of a column, which begin at `at`; returns where they end."""
    end = at + _number(chunk, _SIZE)
    if at != _number(chunk, _DICTIONARY_AT if _DICTIONARY_AT in chunk else _DATA_AT):
        yield _STRAY
    name = _name(chunk)
    stated = [(0, rows.num_rows, chunk.get(_STATISTICS, {}))]
    row, start = 0, at
    while at < end:
        begin = at
        head, at = read_struct(data, at)
        at += _number(head, _PAGE_SIZE)
        if {path for path, _ in texts_in(head)} - _OF_PAGE:
            yield _MORE
        kind = next((kind for kind in _PAGE_STATISTICS if kind in head), None)
        page = _struct(head[kind]) if kind else {}
        count = _number(page, 1) if kind else 0
        if not count and not (_DICTIONARY in head and begin == start):
            yield _NO_ROWS
        if kind:
            stated.append((row, count, page.get(_PAGE_STATISTICS[kind], {})))
        row += count
    if at != end:
        yield _STRAY
    if row != rows.num_rows:
        yield _NO_ROWS
    column = rows[name] if name in rows.column_names else None  # None: one within another, which no policy has
    if column is not None and not all(_bears_out(column.slice(first, n), _struct(said)) for first, n, said in stated):
        yield f"statistics of {name} that no row bears out"
    return at


def _name(chunk: Struct) -> str:
    """The column's name; that of one within another has dots."""
    path = chunk[_PATH]
    if not isinstance(path, list):
        raise TypeError("no list")
    return ".".join(name.decode() for name in path if isinstance(name, bytes))


def _bears_out(rows: pa.ChunkedArray, stated: Struct) -> bool:
    """Whether the rows are as stated, as far as a policy's columns have such a type: a cell of others is found anyway.

    Of texts, of which only older cells say it, an end must be the value of some row, since it may be cut; of all else
    it is what the rows give. Numbers are compared as they are stored: a time may be one that no calendar has.
    """
    if stated.get(_NULLS, rows.null_count) != rows.null_count:
        return False
    if pa.types.is_dictionary(rows.type):
        return _are_of(rows, stated)
    if pa.types.is_timestamp(rows.type):
        rows = rows.cast(pa.int64())
    if not (pa.types.is_int64(rows.type) or pa.types.is_boolean(rows.type)):
        return True
    if _DISTINCT in stated and stated[_DISTINCT] != pc.count_distinct(rows).as_py():
        return False
    ends, form = pc.min_max(rows).as_py(), "<?" if pa.types.is_boolean(rows.type) else "<q"
    return all(
        number not in stated or stated[number] == struct.pack(form, ends[end])
        for end, numbers in (("min", _LEAST), ("max", _GREATEST))
        for number in numbers
    )


def _are_of(rows: pa.ChunkedArray, stated: Struct) -> bool:
    """Whether each stated end is the value of a row, or empty."""
    ends = [stated[number] for number in _ENDS if number in stated]
    values = {text.encode() for text in rows.unify_dictionaries().unique().to_pylist() if text} if ends else set()
    return all(not end or end in values for end in ends)


def _structs(value: Value) -> list[Struct]:
    """The structs of a list; TypeError for anything else."""
    if not isinstance(value, list):
        raise TypeError("no list")
    return [_struct(each) for each in value]


def _struct(value: Value) -> Struct:
    if not isinstance(value, dict):
        raise TypeError("no struct")
    return value


def _number(found: Struct, number: int) -> int:
    """A number that cannot be below nothing; TypeError for anything else."""
    value = found[number]
    if not isinstance(value, int) or value < 0:
        raise TypeError("no number")
    return value
