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


def merge(tables: Sequence[pa.Table], spec: TableSpec) -> pa.Table:
    """One table of `spec.schema`: measures summed over equal keys, sorted by the keys.

    The columns of the tables are of the schema's types or dictionaries of them. Rows are compared by the ranks of their
    values: each distinct value is looked at once, and the ranks of a row are packed into one 64-bit number where they
    fit into one.
    """
    rows = [table for table in tables if table.num_rows]
    if not rows:
        return spec.schema.empty_table()
    whole = pa.concat_tables([_encoded(table, spec) for table in rows]).unify_dictionaries()
    keys = [_Key.of(whole[name]) for name in spec.keys]
    measures = pl.DataFrame({name: pl.Series(whole[name]) for name in spec.measures})
    if math.prod(len(key.values) for key in keys) < _PACKED:
        ranks = _summed_packed(keys, measures)
    else:
        names = [f"key {n}" for n in range(len(keys))]
        frame = measures.with_columns(*(key.ranks.alias(name) for name, key in zip(names, keys, strict=True)))
        summed = frame.group_by(names).agg(pl.col(spec.measures).sum()).sort(names)
        ranks = [summed[name] for name in names], summed.select(spec.measures)
    columns = [key.values.gather(rank).to_arrow() for key, rank in zip(keys, ranks[0], strict=True)]
    columns += [ranks[1][name].to_arrow() for name in spec.measures]
    return pa.table(columns, [*spec.keys, *spec.measures]).select(spec.schema.names).cast(spec.schema)


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
        return cls(values, ranks.gather(pl.Series(pa.chunked_array([chunk.indices for chunk in column.chunks]))))


def _summed_packed(keys: Sequence[_Key], measures: pl.DataFrame) -> tuple[list[pl.Series], pl.DataFrame]:
    """The ranks of the distinct rows in order, key by key, and their sums."""
    packed = pl.zeros(measures.height, dtype=pl.UInt64, eager=True)
    for key in keys:
        packed = packed * len(key.values) + key.ranks.cast(pl.UInt64)
    summed = measures.with_columns(packed.alias("key")).group_by("key").agg(pl.col(measures.columns).sum()).sort("key")
    rest, ranks = summed["key"], []
    for key in reversed(keys):
        ranks.append((rest % len(key.values)).cast(pl.UInt32))
        rest = rest // len(key.values)
    return ranks[::-1], summed.drop("key")


def _encoded(table: pa.Table, spec: TableSpec) -> pa.Table:
    """The table with each key as a dictionary of int32 codes."""
    columns = [table[name] for name in spec.schema.names]
    for index, name in enumerate(spec.schema.names):
        if name in spec.keys and not pa.types.is_dictionary(columns[index].type):
            columns[index] = columns[index].dictionary_encode()
    return pa.table(columns, spec.schema.names)


def is_named(value: str) -> bool:
    """True for a value that stands for something particular.

    `unknown`, `other`, `other-bot`, a public suffix (`.de`) and `{…}` do not: they are never folded.
    """
    return not (value in ("unknown", OTHER) or value.startswith(("other-", ".", "{")))
