"""Treatments: how a raw value becomes a permitted one. One module a field.

A treatment takes distinct raw values as one polars series (null: the bytes were no valid UTF-8) and gives one series
for each stored column, of the same length and without nulls. It never raises on data, and what it does not understand
becomes its field's empty answer, never the value.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

Treatment = Callable[[pl.Series], tuple[pl.Series, ...]]
