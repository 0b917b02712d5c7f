"""Rows -> counts: the shape of a policy's table, and sums over rows that agree on every key.

Strings are compared as bytes. Counts and bytes are int64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

OTHER = "other"
_PACKED = 1 << 64


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
        key.coded(rank) if coded and pa.types.is_string(kind) else key.values.take(rank)
        for key, rank, kind in zip(keys, ranks, types, strict=True)
    ]
    table = pa.table([*columns, *sums], [*spec.keys, *spec.measures]).select(spec.schema.names)
    return table if coded else table.cast(spec.schema)


@dataclass(frozen=True, slots=True)
class _Key:
    """One key column: its distinct values in their order, and chunk by chunk the ranks of a chunk's own dictionary
    among them and the rows' codes into that.
    """

    values: pa.Array
    chunks: Sequence[tuple[pa.Array, pa.Array]]

    @classmethod
    def of(cls, column: Sequence[pa.DictionaryArray]) -> _Key:
        given = pa.chunked_array([chunk.dictionary for chunk in column])
        values = pl.Series(given.unique()).sort().to_arrow().cast(given.type)
        return cls(values, [(pc.index_in(c.dictionary, value_set=values), c.indices) for c in column])

    def ranks(self, stride: int = 1) -> list[pa.Array]:
        """`stride` times the rank of each row's value, by chunk (uint64)."""
        factor = pa.scalar(stride, pa.uint64())
        return [pc.multiply(ranks.cast(pa.uint64()), factor).take(codes) for ranks, codes in self.chunks]

    def coded(self, ranks: pa.Array) -> pa.DictionaryArray:
        """The column in which these ranks stand, as a dictionary."""
        return pa.DictionaryArray.from_arrays(ranks.cast(pa.int32()), self.values)


def _summed(keys: Sequence[_Key], measures: Sequence[pa.Array]) -> tuple[list[pa.Array], list[pa.Array]]:
    """The ranks of the distinct rows in order, key by key, and their sums."""
    strides = [math.prod(len(key.values) for key in keys[at + 1 :]) for at in range(len(keys))]
    if strides[0] * len(keys[0].values) >= _PACKED:
        return _summed_wide(keys, measures)
    parts = zip(*(key.ranks(stride) for key, stride in zip(keys, strides, strict=True)), strict=True)
    packed = pl.Series(pa.chunked_array([reduce(pc.add, part) for part in parts])).rechunk()
    at, ordered = _sorted(packed, strides[0] * len(keys[0].values))
    runs = pc.run_end_encode(ordered.to_arrow())
    last = pc.subtract(runs.run_ends, pa.scalar(1, runs.run_ends.type))
    rest, ranks = pl.Series(runs.values), []
    for stride in strides:
        ranks.append((rest // stride).cast(pl.UInt32).to_arrow())
        rest = rest % stride
    return ranks, [_sums(column.take(at), last) for column in measures]


def _sorted(packed: pl.Series, size: int) -> tuple[pa.Array, pl.Series]:
    """Where each number stands, in the order of the numbers (all below `size`), and the numbers in that order.

    The place is packed, too, if it fits in: sorting plain numbers takes a quarter of the time.
    """
    rows = len(packed)
    if size * rows >= _PACKED:
        at = packed.arg_sort()
        return at.to_arrow(), packed.gather(at)
    both = (packed * rows + pl.int_range(rows, dtype=pl.UInt64, eager=True)).sort()
    return (both % rows).cast(pl.UInt32).to_arrow(), both // rows


def _sums(values: pa.Array, last: pa.Array) -> pa.Array:
    """The sum of each run of the values; `last`: where the runs end. A sum over all may overflow, none of a run may."""
    until = pc.cumulative_sum(values).take(last)
    return pa.concat_arrays([until[:1], pc.subtract(until[1:], until[:-1])])


def _summed_wide(keys: Sequence[_Key], measures: Sequence[pa.Array]) -> tuple[list[pa.Array], list[pa.Array]]:
    """As `_summed`, of keys that do not fit into one number."""
    names = [f"key {n}" for n in range(len(keys))]
    sums = [f"sum {n}" for n in range(len(measures))]
    frame = pl.DataFrame(
        {name: pl.Series(pa.chunked_array(key.ranks())) for name, key in zip(names, keys, strict=True)}
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
    return pa.table(columns, spec.schema.names)


def is_named(value: str) -> bool:
    """True for a value that stands for something particular.

    `unknown`, `other`, `other-bot`, a public suffix (`.de`) and `{…}` do not: they are never folded.
    """
    return not (value in ("unknown", OTHER) or value.startswith(("other-", ".", "{")))
