"""Rows -> counts: the shape of a policy's table, and sums over rows that agree on every key.

Strings are compared as bytes. Counts and bytes are int64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

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
    rows = [table for table in tables if table.num_rows]
    if not rows:
        empty = spec.schema.empty_table()
        return _encoded(empty, spec, strings=True) if coded else empty
    whole = pa.concat_tables([_encoded(table, spec) for table in rows]).unify_dictionaries()
    keys = [_Key.of(whole[name]) for name in spec.keys]
    measures = pl.DataFrame({name: pl.Series(whole[name]) for name in spec.measures})
    del whole
    ranks, sums = _summed(keys, measures)
    types = [spec.schema.field(name).type for name in spec.keys]
    columns = [
        key.coded(rank, kind) if coded and pa.types.is_string(kind) else key.values.gather(rank).to_arrow()
        for key, rank, kind in zip(keys, ranks, types, strict=True)
    ]
    columns += [sums[name].to_arrow() for name in spec.measures]
    table = pa.table(columns, [*spec.keys, *spec.measures]).select(spec.schema.names)
    return table if coded else table.cast(spec.schema)


def _summed(keys: Sequence[_Key], measures: pl.DataFrame) -> tuple[list[pl.Series], pl.DataFrame]:
    """The ranks of the distinct rows in order, key by key, and their sums."""
    if math.prod(len(key.values) for key in keys) < _PACKED:
        return _summed_packed(keys, measures)
    names = [f"key {n}" for n in range(len(keys))]
    frame = measures.with_columns(*(key.ranks.alias(name) for name, key in zip(names, keys, strict=True)))
    summed = frame.group_by(names).agg(pl.col(measures.columns).sum()).sort(names)
    return [summed[name] for name in names], summed.select(measures.columns)


@dataclass(frozen=True, slots=True)
class _Key:
    """One key column: its distinct values in their order, and the rank of each row's value among them."""

    values: pl.Series
    ranks: pl.Series

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Key:
        given = pl.Series(column.chunk(0).dictionary)  # a treatment may give one value for several raw ones
        values = given.unique().sort()
        order = pl.DataFrame({"value": values}).with_row_index("rank")
        ranks = pl.DataFrame({"value": given}).join(order, on="value", how="left", maintain_order="left")["rank"]
        return cls(
            values,
            ranks.cast(pl.UInt32).gather(pl.Series(pa.chunked_array([chunk.indices for chunk in column.chunks]))),
        )

    def coded(self, ranks: pl.Series, kind: pa.DataType) -> pa.DictionaryArray:
        """The column in which these ranks stand, as a dictionary of values of that type."""
        return pa.DictionaryArray.from_arrays(ranks.cast(pl.Int32).to_arrow(), self.values.to_arrow().cast(kind))


def _summed_packed(keys: Sequence[_Key], measures: pl.DataFrame) -> tuple[list[pl.Series], pl.DataFrame]:
    """The ranks of the distinct rows in order, key by key, and their sums."""
    packed = pl.zeros(measures.height, dtype=pl.UInt64, eager=True)
    for key in keys:
        packed = packed * len(key.values) + key.ranks.cast(pl.UInt64)
    frame = measures.lazy().with_columns(packed.alias("key")).sort("key").with_columns(pl.col("key").set_sorted())
    summed = frame.group_by("key", maintain_order=True).agg(pl.col(measures.columns).sum()).collect()
    rest, ranks = summed["key"], []
    for key in reversed(keys):
        ranks.append((rest % len(key.values)).cast(pl.UInt32))
        rest = rest // len(key.values)
    return ranks[::-1], summed.drop("key")


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
