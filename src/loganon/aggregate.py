"""Rows -> counts: the shape of a policy's table, and sums over rows that agree on every key.

Strings are compared as bytes. Counts and bytes are int64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.treatments.identifiers import TEMPLATE

OTHER = "other"
SUFFIXED = frozenset(("domain", "referrer"))
"""The columns in which a value with a dot in front is a public suffix."""
_GENERAL = ["unknown", OTHER, f"{OTHER}-bot", "{invalid}", "{redacted}", "{own}"]
_BITS = 64


@dataclass(frozen=True, slots=True)
class Fold:
    """One field with a minimum: its columns, the requests below which a value is rare, and what replaces it."""

    columns: tuple[str, ...]
    minimum: int
    other: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableSpec:
    """The shape of one policy's table.

    `schema`: all columns in stored order, none nullable. `keys`: the columns before `requests`; the rows of a cell are
    unique on them and sorted by them. `measures`: the columns that are summed. `unit`: what one cell spans, "hour" or
    "day". `folds`: the fields whose rare values a sealed day shows as `other`.
    """

    schema: pa.Schema
    keys: tuple[str, ...]
    measures: tuple[str, ...]
    unit: str
    folds: tuple[Fold, ...]


def merge(tables: Sequence[pa.Table], spec: TableSpec, *, coded: bool = False) -> pa.Table:
    """One table of `spec.schema`: measures summed over equal keys, sorted by the keys.

    The columns of the tables are of the schema's types or dictionaries of them; with `coded` the answer's strings are
    dictionaries (int32), too, each distinct value once and in order. Rows are compared by the ranks of their values:
    each distinct value is looked at once, and the ranks of a row are packed into one 64-bit number where they fit into
    one.
    """
    rows = [_encoded(table, spec) for table in tables if table.num_rows]
    if not rows:
        empty = spec.schema.empty_table()
        return _encoded(empty, spec, strings=True) if coded else empty
    keys = [_Key.of([chunk for table in rows for chunk in table[name].chunks]) for name in spec.keys]
    measures = [pa.chunked_array([c for table in rows for c in table[name].chunks]) for name in spec.measures]
    ranks, sums = _summed(keys, [column.combine_chunks() for column in measures])
    types = [spec.schema.field(name).type for name in spec.keys]
    columns = [
        key.coded(rank) if coded and pa.types.is_string(kind) else _take(key.values, rank)
        for key, rank, kind in zip(keys, ranks, types, strict=True)
    ]
    found = dict(zip((*spec.keys, *spec.measures), (*columns, *sums), strict=True))
    schema = pa.schema([field.with_type(found[field.name].type) for field in spec.schema])
    return pa.table([found[field.name] for field in schema], schema=schema).cast(spec.schema if not coded else schema)


@dataclass(frozen=True, slots=True)
class _Key:
    """One key column: its distinct values in their order, and chunk by chunk the ranks of a chunk's own dictionary
    among them (uint64) and the rows' codes into that.
    """

    values: pa.Array
    chunks: Sequence[tuple[pa.Array, pa.Array]]

    @classmethod
    def of(cls, column: Sequence[pa.DictionaryArray]) -> _Key:
        given = pa.concat_arrays([chunk.dictionary for chunk in column])
        values = pl.Series(given.unique()).sort().to_arrow().cast(given.type)
        ranks = pc.index_in(given, value_set=values).cast(pa.uint64())  # of all chunks: one look-up table for all
        starts = accumulate((len(chunk.dictionary) for chunk in column), initial=0)
        return cls(
            values, [(ranks.slice(at, len(c.dictionary)), c.indices) for at, c in zip(starts, column, strict=False)]
        )

    @property
    def bits(self) -> int:
        """How many bits a rank takes."""
        return (len(self.values) - 1).bit_length()

    def ranks(self, shift: int = 0) -> Iterator[pa.Array]:
        """The rank of each row's value, so many bits to the left, chunk by chunk (uint64)."""
        by = pa.scalar(shift, pa.uint64())
        return (_take(pc.shift_left(ranks, by), codes) for ranks, codes in self.chunks)

    def coded(self, ranks: pa.Array) -> pa.DictionaryArray:
        """The column in which these ranks stand, as a dictionary."""
        codes = ranks.cast(pa.uint32(), safe=False).view(pa.int32())
        return pa.DictionaryArray.from_arrays(codes, self.values, safe=False)


def _summed(keys: Sequence[_Key], measures: Sequence[pa.Array]) -> tuple[list[pa.Array], list[pa.Array]]:
    """The ranks of the distinct rows in order, key by key, and their sums.

    The ranks of a row are the bits of one number, and its place is the lowest bits where they fit in, too: sorting
    plain numbers takes a quarter of the time.
    """
    rows = sum(len(codes) for _, codes in keys[0].chunks)
    place = (rows - 1).bit_length()
    bits = sum(key.bits for key in keys)
    if bits > _BITS:
        return _summed_wide(keys, measures)
    together = bits + place <= _BITS
    ends = list(accumulate((key.bits for key in reversed(keys)), initial=place if together else 0))[::-1]
    parts = zip(*(key.ranks(shift) for key, shift in zip(keys, ends[1:], strict=True)), strict=True)
    packed = pa.chunked_array([reduce(pc.add, part) for part in parts]).combine_chunks()
    if together:
        packed = pc.add(packed, pl.int_range(rows, dtype=pl.UInt64, eager=True).to_arrow())
        both = pl.Series(packed).sort(multithreaded=False).to_arrow()  # two threads save little, and cost half more
        del packed  # what is freed here is used again below: of fresh memory each page has a price
        at, ordered = _bits(both, 0, place), pc.shift_right(both, pa.scalar(place, pa.uint64()))
        ends = [end - place for end in ends]
    else:
        order = pl.Series(packed).arg_sort()
        at, ordered = order.to_arrow(), pl.Series(packed).gather(order).to_arrow()
    runs = pc.run_end_encode(ordered)
    last = pc.subtract(runs.run_ends, pa.scalar(1, runs.run_ends.type))
    ranks = [_bits(runs.values, shift, key.bits) for key, shift in zip(keys, ends[1:], strict=True)]
    return ranks, [_sums(_take(column, at), last) for column in measures]


def _take(values: pa.Array, places: pa.Array) -> pa.Array:
    """The values at these places, which are known to be some: to look at each again takes as long as to take them."""
    return pc.take(values, places, boundscheck=False)


def _bits(numbers: pa.Array, shift: int, width: int) -> pa.Array:
    """So many bits of each number, from `shift` on (uint32)."""
    moved = pc.shift_right(numbers, pa.scalar(shift, pa.uint64()))
    return pc.bit_wise_and(moved, pa.scalar((1 << width) - 1, pa.uint64())).cast(pa.uint32(), safe=False)


def _sums(values: pa.Array, last: pa.Array) -> pa.Array:
    """The sum of each run of the values; `last`: where the runs end. A sum over all may overflow, none of a run may."""
    until = _take(pc.cumulative_sum(values), last)
    return pa.concat_arrays([until[:1], pc.subtract(until[1:], until[:-1])])


def _summed_wide(keys: Sequence[_Key], measures: Sequence[pa.Array]) -> tuple[list[pa.Array], list[pa.Array]]:
    """As `_summed`, of keys that do not fit into one number."""
    names = [f"key {n}" for n in range(len(keys))]
    sums = [f"sum {n}" for n in range(len(measures))]
    frame = pl.DataFrame(
        {name: pl.Series(pa.chunked_array(list(key.ranks()))) for name, key in zip(names, keys, strict=True)}
        | {name: pl.Series(column) for name, column in zip(sums, measures, strict=True)}
    )
    summed = frame.group_by(names).agg(pl.col(sums).sum()).sort(names)
    return [summed[name].to_arrow() for name in names], [summed[name].to_arrow() for name in sums]


def _encoded(table: pa.Table, spec: TableSpec, *, strings: bool = False) -> pa.Table:
    """The table with each key, or only those that are `strings`, as a dictionary of int32 codes."""
    columns = [table[name] for name in spec.schema.names]
    for index, field in enumerate(spec.schema):
        wanted = pa.types.is_string(field.type) if strings else field.name in spec.keys
        if wanted and not pa.types.is_dictionary(columns[index].type):
            columns[index] = columns[index].dictionary_encode()
    kinds = [column.type for column in columns]
    return pa.table(columns, schema=pa.schema([f.with_type(k) for f, k in zip(spec.schema, kinds, strict=True)]))


def own_values(table: pa.Table) -> pa.Table:
    """The rows of one part of a coded table with dictionaries of their own: see `drop_unused`."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field, drop_unused(table[index].combine_chunks()))
    return table


def drop_unused(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The column with a dictionary of the values that its rows have, in the order in which they first come."""
    used = column.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(used.indices, _take(column.dictionary, used.dictionary), safe=False)


def are_named(values: pl.Series, column: str) -> pl.Series:
    """True for each value of a column that stands for something particular.

    `unknown`, `other`, `other-bot`, `{invalid}` and the like, and where domains stand a public suffix (`.de`) do not:
    they are never folded. A path that only begins like one of them does: some formats log paths without a slash.
    """
    text = pl.col("value")
    general = text.is_in(_GENERAL) | text.str.contains(f"^{TEMPLATE}$")
    if column in SUFFIXED:
        general |= text.str.starts_with(".")
    return values.to_frame("value").select(~general).to_series()
