"""A DataFrame of lines: which column they stand in, which format they have, by a sample on the driver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from pyspark.sql import Column, DataFrame, functions

from loganon.errors import ConfigurationError
from loganon.formats import Format, with_fields
from loganon.lookups import Lookups
from loganon.parse.detect import SAMPLE_LINES
from loganon.reading import Input, Reading
from loganon.recognition import recognise
from loganon.spark.carried import How
from loganon.spark.cluster import translated

_NAMES = ("value", "line")
_TYPES = ("string", "binary")


def column_of(lines: DataFrame) -> Column:
    """The column that holds the lines, as bytes: `value`, `line`, or the only one; 78 where there is none."""
    name = next((name for name in _NAMES if name in lines.columns), None)
    if name is None and len(lines.columns) == 1:
        name = lines.columns[0]
    if name is None or dict(lines.dtypes)[name] not in _TYPES:
        what = "the DataFrame has no column of lines"
        fix = "Give one with a column `value` of strings or bytes, such as spark.read.text(…, lineSep='\\n')"
        raise ConfigurationError(what, where="lines", fix=fix)
    return functions.col(f"`{name}`").cast("binary").alias("value")


def how_of(
    lines: DataFrame, given: Format | None, timezone: tzinfo | None, fields: Sequence[str], label: str
) -> How | None:
    """How the lines are read; None where there are none. The format is the one given, or by the first lines.

    78 for a format whose lines cannot be read without a header before them; SkippedError (65) where none fits.
    """
    reading = Reading(lookups=Lookups(), format=given, timezone=timezone, fields=tuple(fields))
    if given is None:
        start = _sample(lines)
        if not start:
            return None
        found = recognise(Input(label, reading), start, None, None)
    else:
        found = with_fields(given, reading.fields)
    if found.dialect == "delimited" and found.columns is not None and not found.columns.fields:
        raise ConfigurationError(
            f"the format {found.name} names its columns in a header, which stands before one part of the lines only",
            where="the DataFrame",
            fix="Name them with fields=, or count the files themselves: python -m loganon.spark",
        )
    return How(found, timezone)


def _sample(lines: DataFrame) -> bytes:
    """The first lines that are not empty."""
    with translated():
        rows = lines.select(column_of(lines)).where("value NOT IN (X'', X'0D')").take(SAMPLE_LINES)  # nor null
    return b"".join(bytes(row["value"]) + b"\n" for row in rows)
