"""The family of the operating system that an agent string names, from a closed list."""

from __future__ import annotations

import polars as pl

from loganon.lookups.agents import Systems
from loganon.treatments import Treatment


def make_system() -> Treatment:
    """A treatment: a family of the list, `other`, or `unknown` where there is no agent."""
    ask = Systems()

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        return (pl.Series(values.name, [ask(agent) for agent in values.cast(pl.String)], dtype=pl.String),)

    return treat
