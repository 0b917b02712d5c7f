"""The footers of standing cells, each read once for as long as its file is the same."""

from __future__ import annotations

import os
from pathlib import Path

from loganon.store.cell import Footer, decode_footer
from loganon.store.files import open_regular

MOST = 5000
"""Footers that are kept: those of half a year of hours."""

_Stamp = tuple[int, int, int, int, int]


class Footers:
    """What was read of one store's cells: a run looks at all of them several times, a follower each hour.

    A cell is replaced whole, by another file; one that is written to in place has another time of its change.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[Path, tuple[str, _Stamp, Footer]] = {}

    def read(self, path: Path, store: str) -> tuple[int, Footer]:
        """Size and footer of a cell of this store; 74 if it is damaged or another store's."""
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[:2] == (store, stamp):
                return status.st_size, known[2]
            footer = decode_footer(file, path, store)
        self._known.pop(path, None)
        self._known[path] = (store, stamp, footer)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return status.st_size, footer
