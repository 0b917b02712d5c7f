"""The browser's family and major version, from a closed list (PRIVACY.md, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from loganon.lookups.agents import Agents
from loganon.treatments import Treatment


def make_browser(*, major: bool, agents: Callable[[str | None], tuple[str, str]] | None = None) -> Treatment:
    """A treatment that gives the family (String) and, with `major`, the major version (String, may be empty).

    `agents` answers for one agent string; by default the closed list does, with a bounded memory of its own.
    """
    ask = Agents() if agents is None else agents

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        answers = [ask(agent) for agent in values.cast(pl.String)]
        family = pl.Series("browser", [name for name, _ in answers], dtype=pl.String)
        if not major:
            return (family,)
        return family, pl.Series("browser_version", [version for _, version in answers], dtype=pl.String)

    return treat
