"""Rows -> counts: the shape of a policy's table, and sums over rows that agree on every key.

Strings are compared as bytes. Counts and bytes are int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import polars.selectors as cs
import pyarrow as pa

OTHER = "other"


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
    """One table of `spec.schema`: measures summed over equal keys, sorted by the keys."""
    if not tables:
        return spec.schema.empty_table()
    frame = pl.concat([_frame(table) for table in tables])
    grouped = frame.group_by(spec.keys).agg(pl.col(spec.measures).sum()).sort(spec.keys)
    return grouped.to_arrow().select(spec.schema.names).cast(spec.schema)


def is_named(value: str) -> bool:
    """True for a value that stands for something particular.

    `unknown`, `other`, `other-bot`, a public suffix (`.de`) and `{…}` do not: they are never folded.
    """
    return not (value in ("unknown", OTHER) or value.startswith(("other-", ".", "{")))


def _frame(table: pa.Table) -> pl.DataFrame:
    """The table; dictionaries as strings, since those of two tables differ."""
    return pl.DataFrame(pl.from_arrow(table)).with_columns(cs.categorical().cast(pl.String))
