"""Sums over the cells of a store, cell by cell: no more is kept than one row for each distinct value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import polars as pl
import pyarrow as pa

from loganon.aggregate import TableSpec
from loganon.report.question import TIME, VERSION
from loganon.report.tally import measures_of, sums_of
from loganon.threads import in_order

_In = TypeVar("_In")
Sums = Mapping[str, pl.DataFrame]
"""By column: a frame of `value` and one column for each measure."""

_READERS = 4
_ROWS = 500_000
"""Rows of partial sums, above which they are made into one."""


@dataclass(slots=True)
class Sum:
    """The sums of one column, in parts."""

    parts: list[pl.DataFrame] = field(default_factory=list)
    rows: int = 0

    def add(self, part: pl.DataFrame, measures: Sequence[str]) -> None:
        """The part counts."""
        self.parts.append(part)
        self.rows += part.height
        if self.rows > _ROWS:
            whole = self.whole(measures)
            self.parts, self.rows = [whole], whole.height // 2  # so that many distinct values are not summed each time

    def whole(self, measures: Sequence[str]) -> pl.DataFrame:
        """One row for each value."""
        return pl.concat(self.parts).group_by("value").agg(pl.col(name).sum() for name in measures)


def count_cells(
    cells: Iterable[_In],
    read: Callable[[_In], pa.Table],
    spec: TableSpec,
    columns: Sequence[str],
    start: datetime | None,
) -> Sums:
    """The sums by `time` and by each of the columns over all cells, of accesses from `start` on; no cell: no sum."""
    sums: dict[str, Sum] = {}
    measures = measures_of(spec)

    def count(cell: _In) -> Sums:
        return _count(read(cell), spec, (TIME, *columns), start)

    for found in in_order(count, cells, threads=_READERS):
        for name, part in found.items():
            sums.setdefault(name, Sum()).add(part, measures)
    return {name: each.whole(measures) for name, each in sums.items()}


def _count(table: pa.Table, spec: TableSpec, columns: Sequence[str], start: datetime | None) -> Sums:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - from_arrow's type is wider than a table's answer
    if start is not None:
        frame = frame.filter(pl.col(TIME) >= start)
    sums = sums_of(spec)
    return {name: frame.group_by(_value(name)).agg(sums) for name in columns}


def _value(name: str) -> pl.Expr:
    if name == VERSION:
        both = pl.concat_str("browser", "browser_version", separator=" ")
        return both.str.strip_chars_end(" ").alias("value")
    if name == "success":
        return pl.when("success").then(pl.lit("succeeded")).otherwise(pl.lit("failed")).alias("value")
    return pl.col(name).alias("value")
