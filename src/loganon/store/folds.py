"""Which values of a field become `other`: a day's rare ones, ones new to a sealed day, ones beyond a cell's cap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import OTHER, Fold, TableSpec, is_named, merge
from loganon.store.cell import REQUESTS

FILE = "file"
SUCCESS = "success"
_FILE = Fold((FILE,), 0, (OTHER,))
_HIT = "_hit"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one cell holds."""

    rows: int = 1_000_000
    files: int = 100_000


def frame_of(table: pa.Table, columns: Sequence[str]) -> pl.DataFrame:
    """These columns of the table."""
    frame = pl.from_arrow(table.select(list(columns)))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - from_arrow's type is wider than a table's answer
    return frame


def count_values(table: pa.Table, fold: Fold) -> pl.DataFrame:
    """The field's distinct values in the table, each with its requests."""
    frame = frame_of(table, (*fold.columns, REQUESTS))
    return frame.group_by(fold.columns).agg(pl.col(REQUESTS).sum())


def rare_values(counts: Sequence[pl.DataFrame], fold: Fold) -> pl.DataFrame:
    """Of the values counted in all of `counts` together those below the fold's minimum, and named."""
    together = pl.concat(counts).group_by(fold.columns).agg(pl.col(REQUESTS).sum())
    return _named(together.filter(pl.col(REQUESTS) < fold.minimum).select(fold.columns))


def unknown_values(table: pa.Table, standing: pl.DataFrame, fold: Fold) -> pl.DataFrame:
    """The table's named values that are not among `standing`."""
    values = frame_of(table, fold.columns).unique()
    return _named(values.join(standing, on=fold.columns, how="anti"))


def replace_values(table: pa.Table, fold: Fold, values: pl.DataFrame) -> pa.Table:
    """The table, in the same order, with each of `values` written as the fold's `other`; rows are not yet summed."""
    if values.is_empty() or not table.num_rows:
        return table
    hits = values.select(fold.columns).with_columns(pl.lit(value=True).alias(_HIT))
    joined = frame_of(table, fold.columns).join(hits, on=fold.columns, how="left", maintain_order="left")
    hit = joined[_HIT].is_not_null()
    if not hit.any():
        return table
    mask = hit.to_arrow()
    for name, other in zip(fold.columns, fold.other, strict=True):
        position = table.schema.get_field_index(name)
        kind = table.schema.field(name)
        column = pc.if_else(mask, pa.scalar(other, kind.type), table[name])
        table = table.set_column(position, kind, column)
    return table


def cap_cell(table: pa.Table, spec: TableSpec, limits: Limits) -> tuple[pa.Table, int]:
    """The merged table within the limits, and how many of its rows went into `other`.

    Files without a successful access go first, then the rarest; what is no particular file stays. A table without the
    column `file` has nothing that could go.
    """
    if FILE not in table.schema.names or (table.num_rows <= min(limits.rows, limits.files)):
        return table, 0
    frame = frame_of(table, table.schema.names)
    if table.num_rows <= limits.rows and frame[FILE].n_unique() <= limits.files:
        return table, 0
    served = pl.col(SUCCESS).any() if SUCCESS in frame.columns else pl.lit(value=True)
    files = frame.group_by(FILE).agg(
        served.alias("served"), pl.col(REQUESTS).sum(), pl.len().cast(pl.Int64).alias("rows")
    )
    ranked = _named(files).sort("served", REQUESTS, FILE, descending=[True, True, False])
    unnamed = files.join(ranked, on=FILE, how="anti")
    rest = [key for key in spec.keys if key != FILE]
    shared = frame.select(rest).n_unique() if rest else 1  # the most rows that `other` can take
    room_rows = limits.rows - int(unnamed["rows"].sum()) - shared
    room_files = limits.files - len(unnamed.filter(pl.col(FILE) != OTHER)) - 1
    kept = ranked["rows"].cum_sum().le(room_rows).to_list()[: max(room_files, 0)].count(True)
    gone = ranked[kept:]
    return merge([replace_values(table, _FILE, gone.select(FILE))], spec), int(gone["rows"].sum())


def _named(values: pl.DataFrame) -> pl.DataFrame:
    """Those whose name (the first column) stands for something particular."""
    return values.filter(pl.Series([is_named(name) for name in values.to_series(0).to_list()], dtype=pl.Boolean))
