"""What the cells hold that this process has written: whoever seals them in the same run does not decode them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from loganon.store.layout import CellName

MOST = 200_000
"""Values that are kept, some 20 MB; of the cells beyond the file is read."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Of a cell's rows the `totals` (see `totals_of`) and, fold by fold, the `counts` (see `count_values`)."""

    totals: tuple[int, ...]
    counts: Sequence[pl.DataFrame]


class Tallies:
    """The tallies of one store's cells, each good for the very bytes that it was made of."""

    def __init__(self, most: int = MOST) -> None:
        self._room = most
        self._known: dict[CellName, tuple[str, Tally]] = {}

    @property
    def full(self) -> bool:
        """True if no more are kept."""
        return self._room <= 0

    def add(self, name: CellName, sha256: str, tally: Tally) -> None:
        """The file with this hash has this tally."""
        self.forget([name])
        self._known[name] = sha256, tally
        self._room -= _size(tally)

    def find(self, name: CellName, data: bytes) -> Tally | None:
        """The tally of the file with these bytes; None where it is not known."""
        sha256, tally = self._known.get(name, ("", None))
        return tally if tally is not None and hashlib.sha256(data).hexdigest() == sha256 else None

    def forget(self, names: Iterable[CellName]) -> None:
        """The tallies of these cells are no longer kept."""
        for name in names:
            known = self._known.pop(name, None)
            self._room += _size(known[1]) if known else 0


def _size(tally: Tally) -> int:
    return 1 + sum(len(counts) for counts in tally.counts)
