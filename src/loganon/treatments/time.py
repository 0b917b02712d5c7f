"""The time of an access, its precision degraded to the start of the UTC hour or day (RFC 6235)."""

from __future__ import annotations

import polars as pl

from loganon.treatments import Treatment

_MILLISECONDS = {"hour": 3_600_000, "day": 86_400_000}


def make_time(unit: str) -> Treatment:
    """A treatment: `datetime[ms, UTC]` in, the start of each value's `unit` ("hour" or "day") out."""
    step = _MILLISECONDS[unit]

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        moments = values.cast(pl.Int64)
        return ((moments - moments % step).cast(values.dtype),)

    return treat
