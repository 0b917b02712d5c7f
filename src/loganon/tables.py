"""What a caller's frames, streams and mappings are as Arrow tables. Errors on the way never quote a value.

pyarrow and its sources do: "Could not convert '203.0.113.9' with type str". What they say is dropped unread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any, Protocol, TypeGuard, runtime_checkable

import polars as pl
import pyarrow as pa

from loganon.columns import COLUMNS, LINE, unfit
from loganon.errors import ConfigurationError, UnreadableInputError

_ARROW = (pa.Table, pa.RecordBatch, pa.RecordBatchReader, pl.DataFrame)
_NO_COLUMN = (str, bytes, bytearray, memoryview, Mapping, AbstractSet)
"""What one could go through, but not as through the values of a column: its letters, keys, or values in any order."""
_MISSING = ("NAType", "NaTType")  # of pandas
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@runtime_checkable
class ArrowStream(Protocol):
    """What hands its rows to Arrow: tables of pandas, DuckDB and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, as Arrow's C interface has them."""
        ...


def is_arrow(given: object) -> TypeGuard[ArrowStream]:
    """Whether it is a table, or hands one out, as pandas has done since 2.2."""
    if isinstance(given, _ARROW) or hasattr(given, "__arrow_c_stream__"):
        return True
    return _is_pandas(given, "DataFrame") or _is_pandas(given, "Series")


def tables_of(given: Any) -> Iterator[pa.Table]:
    """The table, or one after another where it is a stream of them; TypeError where it is neither."""
    if isinstance(given, Mapping):
        yield make_table(given)
    elif isinstance(given, pa.RecordBatchReader):
        yield from _read(given)
    elif isinstance(given, pa.Table):
        yield given
    elif isinstance(given, pa.RecordBatch):
        yield pa.Table.from_batches([given])
    elif isinstance(given, pa.ChunkedArray):
        yield pa.table({LINE: given})
    elif isinstance(given, pl.DataFrame) or _is_pandas(given, "DataFrame"):
        yield _of_frame(given)
    elif _is_pandas(given, "Series"):
        yield make_table({LINE: given})
    elif is_arrow(given):
        yield from _of_stream(given)
    else:
        raise TypeError(f"the first element was a table, and this one is {type(given).__name__}")


def make_table(columns: Mapping[str, Any]) -> pa.Table:
    """The columns as a table, of those that are taken; ConfigurationError where one is no column."""
    taken = _taken(columns)
    return _table({name: values for name, values in columns.items() if name in taken})


def _of_frame(frame: Any) -> pa.Table:
    """The columns that are taken of a frame of polars or pandas, or its only one; the others are not looked at."""
    names = [str(name) for name in frame.columns]
    single = len(names) == 1
    wanted = _taken(names)
    taken = [(at, name) for at, name in enumerate(names) if single or name in wanted]
    require_once(name for _, name in taken)
    series = frame.to_series if isinstance(frame, pl.DataFrame) else lambda at: frame.iloc[:, at]
    return _table({name: series(at) for at, name in taken})


def _taken(names: Collection[str]) -> frozenset[str]:
    """The names that are taken: of lines no other column is looked at."""
    return frozenset({LINE}) if LINE in names else COLUMNS


def require_once(names: Iterable[str]) -> None:
    """ConfigurationError where two columns have the same name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"two columns are named `{name}`", where="lines", fix="Give the one that is meant")
        seen.add(name)


def _table(columns: Mapping[str, Any]) -> pa.Table:
    arrays: dict[str, Any] = {}
    for name, values in columns.items():
        given = list(values) if isinstance(values, Iterator) else values  # what it raises is its caller's own
        try:
            arrays[name] = _array(given)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):  # whose messages quote values
            raise unfit(name, "holds values of several types, or none that Arrow has") from None
    try:
        return pa.table(arrays)
    except (pa.ArrowException, TypeError, ValueError):
        fix = "Give one value for each access in each of them"
        raise ConfigurationError("the columns are not equally long", where="lines", fix=fix) from None


def _array(values: Any) -> Any:
    """The values as an array; TypeError, ValueError, OverflowError or ArrowException where they are none.

    Moments with an offset are made UTC here: pyarrow drops it if a variable says so, and takes it for that of moments
    without one.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, pl.Series):
        if values.dtype == pl.Object:  # of which Arrow would be given addresses in memory
            raise TypeError
        return values.to_arrow()
    if isinstance(values, _NO_COLUMN):
        raise TypeError
    if str(getattr(values, "dtype", "object")) == "object":
        values = list(values)
        if any(isinstance(each, datetime) and each.tzinfo for each in values):
            micros = [None if _is_missing(each) else (each - _EPOCH) // timedelta(microseconds=1) for each in values]
            return pa.array(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return pa.array(values, from_pandas=True)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in _MISSING or (isinstance(value, float) and isnan(value))


def _is_pandas(given: object, kind: str) -> bool:
    """Whether it is one of pandas' own; whoever has such a one has imported it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(given, getattr(pandas, kind, ()))


def _of_stream(given: ArrowStream) -> Iterator[pa.Table]:
    try:
        reader = pa.RecordBatchReader.from_stream(given)
    except pa.ArrowException:  # a column of its own, such as a Series
        try:
            column = pa.chunked_array(given)
        except pa.ArrowException as error:
            raise _unreadable(error) from None
        yield pa.table({LINE: column})
    else:
        yield from _read(reader)


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The batches as tables. A stream fails where it is read: DuckDB that casts in a query, CSV with an odd row."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error) from None
        yield pa.Table.from_batches([batch])


def _unreadable(error: Exception) -> UnreadableInputError:
    number = getattr(error, "errno", None)
    what = f"the tables cannot be read ({os.strerror(number) if number else type(error).__name__})"
    return UnreadableInputError(what, where="lines", fix="Read them without loganon to see why")
