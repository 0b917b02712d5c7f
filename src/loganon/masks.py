"""Masks over a series: which of its values are meant, and others in their place."""

from __future__ import annotations

import polars as pl


def sure(mask: pl.Series) -> pl.Series:
    """Where the mask (Boolean) holds: False where it is null.

    The engine's own `fill_null` hands the question to its threads and waits for them, even where nothing is null.
    """
    return mask.fill_null(value=False) if mask.null_count() else mask


def put(values: pl.Series, mask: pl.Series, into: pl.Series) -> pl.Series:
    """A new series: `values` with `into`, in its order, where `mask` holds (`Series.scatter` works in place)."""
    return values.clone().scatter(mask.arg_true(), into) if len(into) else values
