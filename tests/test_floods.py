"""Floods, in small: right counts in bounded memory. `benchmarks/floods.py` does the same with a million."""

from __future__ import annotations

from pathlib import Path

import pytest

import floods
from loganon.lookups import agents as lookup
from loganon.treatments import held


@pytest.mark.parametrize(
    ("name", "count"), [("agents", 20_000), ("paths", 20_000), ("clients", 20_000), ("long line", 40_000)]
)
def test_a_flood_is_counted_in_bounded_memory(tmp_path: Path, name: str, count: int) -> None:
    """Unique agents, paths, clients; a line of 40 MB: right counts, and no more memory than for any other log."""
    measured = floods.measure(name, count, tmp_path)
    assert measured.right, measured
    assert measured.peak < 500, measured
    if name != "paths":
        assert measured.rows <= 24, "nothing of what a visitor made up is a row of its own"


def test_the_caches_are_bounded() -> None:
    """What is remembered of distinct values has a limit, so that a flood costs a cache and not the memory."""
    ask = lookup.Agents(capacity=10)
    for number in range(100):
        ask(f"agent {number}")
        assert len(ask._known) <= 10
    assert held.MOST_VALUES <= 400_000
