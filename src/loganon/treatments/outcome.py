"""How an access ended: success as a flag, its bytes to be summed."""

from __future__ import annotations

import polars as pl

from loganon.masks import sure


def success_flag(statuses: pl.Series) -> tuple[pl.Series, ...]:
    """True for a status of 100 to 399; 0, and null where the format has none, stand for a missing status."""
    return (sure(statuses.cast(pl.Int16).is_between(100, 399)),)


def as_it_is(values: pl.Series) -> tuple[pl.Series, ...]:
    """The numbers themselves, 0 for null, where the format has none: they are summed before they are stored."""
    return (values.cast(pl.Int64).fill_null(0),)
