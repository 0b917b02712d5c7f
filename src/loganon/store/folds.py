"""Which values of a field become `other`: a day's rare ones, ones new to a sealed day, ones beyond a cell's cap.

Tables may have dictionaries in place of strings; each distinct value is looked at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.aggregate import OTHER, Fold, TableSpec, are_named, drop_unused, merge
from loganon.store.cell import REQUESTS

FILE = "file"
SUCCESS = "success"
_FILE = Fold((FILE,), 0, (OTHER,))
_HIT = "_hit"
_NUMBER = "_number"
_TOGETHER = 100_000
"""Values that are counted together at a time: of more the sums take four times the values' memory."""
_SUM = f"{REQUESTS}_sum"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one cell holds."""

    rows: int = 1_000_000
    files: int = 100_000


def distinct_values(table: pa.Table, columns: Sequence[str]) -> tuple[pa.Array, pl.DataFrame]:
    """Of each row the number of its values in these columns; by number the values, each once, as they first come."""
    encoded = [_whole(table[name]) for name in columns]
    if len(encoded) == 1:
        own = drop_unused(encoded[0])
        return own.indices, pl.DataFrame({columns[0]: pl.Series(own.dictionary)})
    numbers = encoded[0].indices
    for column in encoded[1:]:
        both = pc.add(pc.multiply(numbers.cast(pa.int64()), len(column.dictionary)), column.indices)
        numbers = both.dictionary_encode().indices
    first = pc.index_in(pc.unique(numbers), value_set=numbers)
    values = [column.dictionary.take(column.indices.take(first)) for column in encoded]
    return numbers, pl.DataFrame([pl.Series(name, each) for name, each in zip(columns, values, strict=True)])


def count_values(table: pa.Table, fold: Fold) -> pl.DataFrame:
    """The field's distinct values in the table by number (see `distinct_values`), each with its requests."""
    numbers, values = distinct_values(table, fold.columns)
    rows = pa.table([numbers, table[REQUESTS]], [_NUMBER, REQUESTS])
    sums = rows.group_by(_NUMBER, use_threads=False).aggregate([(REQUESTS, "sum")])  # in no order that is promised
    requests = pl.Series(REQUESTS, [0], dtype=pl.Int64).new_from_index(0, len(values))
    return values.hstack([requests.scatter(pl.Series(sums[_NUMBER]), pl.Series(sums[_SUM]))])


def rare_values(counts: Sequence[pl.DataFrame], fold: Fold) -> pl.DataFrame:
    """Of the values counted in all of `counts` together those below the fold's minimum, and named."""
    together = pl.concat(counts).group_by(fold.columns).agg(pl.col(REQUESTS).sum())
    return _named(together.filter(pl.col(REQUESTS) < fold.minimum).select(fold.columns))


def find_rare(counts: Sequence[pl.DataFrame], fold: Fold) -> list[pl.Series]:
    """Of each of `counts` which of its values are rare in all of them together, and named."""
    together = pl.concat(counts)
    parts = 1 + together.height // _TOGETHER
    part = together.to_series(0).hash() % parts  # equal values are in the same part
    rare = pl.repeat(value=False, n=together.height, eager=True)
    for number in range(parts):
        places = (part == number).arg_true()
        some = together[places]
        few = some.select(pl.col(REQUESTS).sum().over(fold.columns) < fold.minimum).to_series()
        rare[places.filter(few & are_named(some.to_series(0), fold.columns[0]))] = True
    starts = accumulate((each.height for each in counts), initial=0)
    return [rare.slice(start, each.height) for start, each in zip(starts, counts, strict=False)]


def unknown_values(table: pa.Table, standing: pl.DataFrame, fold: Fold) -> pl.DataFrame:
    """The table's named values that are not among `standing`."""
    return _named(distinct_values(table, fold.columns)[1].join(standing, on=fold.columns, how="anti"))


def replace_values(table: pa.Table, fold: Fold, values: pl.DataFrame) -> pa.Table:
    """The table, in the same order, with each of `values` written as the fold's `other`; rows are not yet summed."""
    if values.is_empty() or not table.num_rows:
        return table
    known = distinct_values(table, fold.columns)[1]
    hits = values.select(fold.columns).with_columns(pl.lit(value=True).alias(_HIT))
    joined = known.join(hits, on=fold.columns, how="left", maintain_order="left")
    return replace_numbers(table, fold, joined[_HIT].is_not_null())


def replace_numbers(table: pa.Table, fold: Fold, gone: pl.Series) -> pa.Table:
    """As `replace_values`; `gone`: which of the table's `distinct_values`."""
    if not gone.any():
        return table
    mask = gone.to_arrow().take(distinct_values(table, fold.columns)[0])
    for name, other in zip(fold.columns, fold.other, strict=True):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), _put(table[name], mask, other))
    return table


def _whole(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The column as one dictionary, each value in it once; some may be no row's."""
    whole = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return whole.chunk(0) if whole.num_chunks == 1 else whole.combine_chunks()


def _put(column: pa.ChunkedArray, mask: pa.Array, value: str) -> pa.Array:
    """The column with `value` where the mask is set."""
    if not pa.types.is_dictionary(column.type):
        return pc.if_else(mask, pa.scalar(value, column.type), column)
    encoded = _whole(column)
    place = encoded.dictionary.index(value).as_py()
    values = encoded.dictionary
    if place < 0:
        place, values = len(values), pa.concat_arrays([values, pa.array([value], values.type)])
    codes = pc.if_else(mask, pa.scalar(place, encoded.indices.type), encoded.indices)
    return drop_unused(pa.DictionaryArray.from_arrays(codes, values, safe=False))  # what is gone is not sorted again


def cap_cell(table: pa.Table, spec: TableSpec, limits: Limits) -> tuple[pa.Table, int]:
    """The merged table within the limits, and how many of its rows went into `other`.

    Files without a successful access go first, then the rarest; what is no particular file stays. A table without the
    column `file` has nothing that could go.
    """
    if FILE not in table.schema.names or (table.num_rows <= min(limits.rows, limits.files)):
        return table, 0
    numbers, values = distinct_values(table, [FILE])
    if table.num_rows <= limits.rows and len(values) <= limits.files:
        return table, 0
    served = table[SUCCESS] if SUCCESS in table.schema.names else pa.repeat(pa.scalar(value=True), table.num_rows)
    rows = pa.table([numbers, served, table[REQUESTS]], [_NUMBER, "served", REQUESTS])
    sums = rows.group_by(_NUMBER).aggregate([("served", "any"), (REQUESTS, "sum"), (REQUESTS, "count")])
    files = values[pl.Series(sums[_NUMBER])].with_columns(
        pl.Series(sums["served_any"]).alias("served"),
        pl.Series(sums[_SUM]).alias(REQUESTS),
        pl.Series(sums[f"{REQUESTS}_count"]).alias("rows"),
    )
    ranked = _named(files).sort("served", REQUESTS, FILE, descending=[True, True, False])
    unnamed = files.join(ranked, on=FILE, how="anti")
    rest = [key for key in spec.keys if key != FILE]
    shared = len(distinct_values(table, rest)[1]) if rest else 1  # the most rows that `other` can take
    room_rows = limits.rows - int(unnamed["rows"].sum()) - shared
    room_files = limits.files - len(unnamed.filter(pl.col(FILE) != OTHER)) - 1
    kept = ranked["rows"].cum_sum().le(room_rows).to_list()[: max(room_files, 0)].count(True)
    gone = ranked[kept:]
    coded = pa.types.is_dictionary(table.schema.field(FILE).type)
    return merge([replace_values(table, _FILE, gone.select(FILE))], spec, coded=coded), int(gone["rows"].sum())


def _named(values: pl.DataFrame) -> pl.DataFrame:
    """Those whose name (the first column) stands for something particular."""
    return values.filter(are_named(values.to_series(0), values.columns[0]))
