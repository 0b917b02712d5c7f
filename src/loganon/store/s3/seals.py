"""Sealing without a lock: which values stand in a day is decided once, in an object; everyone then acts by it.

The values that are common enough in all cells of the day, as one writer counted them, are put where nothing stands yet.
Whoever seals a cell, or brings late lines into it, writes every other named value as `other`: two at once, or one after
the other's death, come to the same. A value that stands was common enough when it was counted, and cells only grow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import polars as pl
import pyarrow as pa

from loganon.aggregate import Fold, TableSpec, merge
from loganon.store.documents import damaged, dump, load
from loganon.store.folds import count_values, rare_values, replace_values, unknown_values

VERSION = 1
Standing = Mapping[tuple[str, ...], pl.DataFrame]
"""The values that stand, by the columns of their fold."""


def decide(tables: Iterable[pa.Table], spec: TableSpec) -> Standing:
    """The values that stand in a day with these cells."""
    counts: dict[Fold, list[pl.DataFrame]] = {fold: [] for fold in spec.folds}
    for table in tables:
        for fold, counted in counts.items():
            counted.append(count_values(table, fold))
    return {fold.columns: _common(counted, fold) for fold, counted in counts.items() if counted}


def apply_seal(table: pa.Table, standing: Standing, spec: TableSpec) -> pa.Table:
    """The rows with every named value that does not stand as `other`."""
    for fold in spec.folds:
        table = replace_values(table, fold, unknown_values(table, standing[fold.columns], fold))
    return merge([table], spec)


def encode_seal(standing: Standing) -> bytes:
    """`seals/date=...`."""
    folds = [[list(columns), [list(row) for row in values.rows()]] for columns, values in sorted(standing.items())]
    return zlib.compress(dump({"version": VERSION, "folds": folds}))


def decode_seal(data: bytes, where: str) -> Standing:
    """The values; 74 if the object is damaged, 78 if a newer program wrote it."""
    try:
        text = zlib.decompress(data)
    except zlib.error:
        raise damaged(where) from None
    document = load(text, where, version=VERSION)
    try:
        return {
            tuple(columns): pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
            for columns, rows in document["folds"]
        }
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError):
        raise damaged(where) from None


def _common(counts: list[pl.DataFrame], fold: Fold) -> pl.DataFrame:
    rare = rare_values(counts, fold)
    values = pl.concat([each.select(fold.columns) for each in counts]).unique()
    return values.join(rare, on=fold.columns, how="anti").sort(fold.columns)
