"""Closed lists: what a field's value may be, as a data file in the package, one a line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
"""The folder of the data files."""


@cache
def load_list(name: str) -> tuple[str, ...]:
    """The values of a list, in the order of its file."""
    text = (DATA / f"{name}.txt").read_text(encoding="ascii")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
