"""The browser's family and major version, from a closed list (PRIVACY.md, section 3)."""

from __future__ import annotations

import polars as pl

from loganon.lookups.agents import Agents
from loganon.treatments import Treatment


def make_browser(*, major: bool) -> Treatment:
    """A treatment that gives the family (String) and, with `major`, the major version (String, may be empty)."""
    agents = Agents()

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        family, version = agents.column(values.cast(pl.String))
        family = family.rename("browser")
        return (family, version.rename("browser_version")) if major else (family,)

    return treat
