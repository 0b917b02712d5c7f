"""How an access ended: success as a flag, its bytes to be summed."""

from __future__ import annotations

import polars as pl


def success_flag(statuses: pl.Series) -> tuple[pl.Series, ...]:
    """True for a status of 100 to 399; 0 stands for a status that the log does not have."""
    return (statuses.is_between(100, 399),)


def as_it_is(values: pl.Series) -> tuple[pl.Series, ...]:
    """The numbers themselves: they are summed before they are stored."""
    return (values,)
