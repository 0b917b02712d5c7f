"""How much of a column says something: the shares of `unknown`, `other`, `{redacted}` and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from loganon.aggregate import SUFFIXED

NAMED, SUFFIX = "named", "suffix"
KINDS: Mapping[str, str] = {
    NAMED: "named",
    SUFFIX: "suffix only",
    "other": "other",
    "unknown": "unknown",
    "invalid": "{invalid}",
    "redacted": "{redacted}",
}
"""The kinds of a value, and what each is called: a value of its own; of a domain no more than the public suffix."""
_VALUES = {"other": "other", "unknown": "unknown", "{invalid}": "invalid", "{redacted}": "redacted"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Accesses of one column by kind; every kind is there."""

    column: str
    requests: Mapping[str, int]


def coverage_of(column: str, sums: pl.DataFrame) -> Coverage:
    """The coverage out of a column's sums."""
    value = pl.col("value")
    suffix = value.str.starts_with(".") if column in SUFFIXED else pl.lit(value=False)
    kind = (
        pl.when(suffix)
        .then(pl.lit(SUFFIX))
        .otherwise(value.replace_strict(_VALUES, default=pl.lit(NAMED), return_dtype=pl.String))
    )
    found = sums.group_by(kind.alias("kind")).agg(pl.col("requests").sum())
    requests = dict(found.iter_rows())
    return Coverage(column, {name: int(requests.get(name, 0)) for name in KINDS})
