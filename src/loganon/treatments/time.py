"""The time of an access, its precision degraded to the start of the UTC hour or day (RFC 6235)."""

from __future__ import annotations

import polars as pl

from loganon.treatments import Treatment

_STEP = {"hour": "1h", "day": "1d"}


def make_time(unit: str) -> Treatment:
    """A treatment: `datetime[ms, UTC]` in, the start of each value's `unit` ("hour" or "day") out."""
    step = _STEP[unit]

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        return (values.dt.truncate(step),)

    return treat
