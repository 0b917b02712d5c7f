"""How long an answer took, in whole milliseconds, to be summed."""

from __future__ import annotations

import polars as pl

from loganon.masks import sure
from loganon.treatments import Treatment

UNITS = {"duration_us": 1000.0, "duration_ms": 1.0, "duration_s": 0.001, "duration_ns": 1_000_000.0}
"""Raw columns in order of preference, and how many of their units are a millisecond."""
_NUMBER = r"^([0-9]{1,18}(?:\.[0-9]{1,9})?)$"
LONGEST_MS = 86_400_000
"""A day: no server answers for longer, and no sum comes near the limits of int64."""


def make_duration(raw: str) -> Treatment:
    """A treatment: texts in the unit of the raw column in, milliseconds (Int64) out; 0 for what is no duration."""
    unit = UNITS[raw]

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        texts = values.cast(pl.String).str.strip_chars(" ").str.strip_chars_start("+")
        shaped = texts.str.extract(_NUMBER)  # null for what is none
        found = (shaped.cast(pl.Float64, strict=False) / unit).round()
        good = sure(found.is_between(0, LONGEST_MS))
        return (pl.select(pl.when(good).then(found).otherwise(0.0)).to_series().cast(pl.Int64),)

    return treat
