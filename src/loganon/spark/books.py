"""What one task counted of one source, as data among its rows: whatever is retried or speculated, it counts once.

(Accumulators count again what a task does again, and are not used.)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from loganon.aggregate import TableSpec
from loganon.pipeline import Result


@dataclass(slots=True)
class Book:
    """Counts only, no value of a line.

    `parts`: of how many books it is made. `rejected`: lines by reason; `cells`: counted lines by the start of their
    cell, and `newest`, in milliseconds. Of a piece of a log: `end`, where it ended, with `pending` bytes after it;
    `state` of the parser there; `sealed`: the bytes before `end`, which only the driver can read; `damaged`: where the
    log could not be read on. `failed`: why the log cannot be counted: reason, what, where, what to do.
    """

    source: int = 0
    parts: int = 1
    lines: int = 0
    counted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    cells: Counter[int] = field(default_factory=Counter)
    newest: int | None = None
    redacted: int = 0
    exact: int = 0
    end: int = 0
    pending: int = 0
    position: int = 0
    state: tuple[str, ...] = ()
    sealed: str = ""
    damaged: int | None = None
    failed: tuple[str, str, str, str] | None = None

    def add(self, result: Result) -> None:
        """Take what a chunk gave."""
        self.lines += result.lines
        self.counted += result.counted
        self.rejected.update(result.rejected)
        self.cells.update({_milliseconds(start): lines for start, lines in result.cells.items()})
        if result.newest is not None:
            self.newest = _later(self.newest, _milliseconds(result.newest))
        self.redacted += result.redacted
        self.exact += result.exact
        self.state = tuple(result.state)

    def result(self, spec: TableSpec) -> Result:
        """The same as a chunk would give it, without its rows."""
        return Result(
            spec.schema.empty_table(),
            self.lines,
            self.counted,
            self.rejected,
            self.redacted,
            {_moment(start): lines for start, lines in self.cells.items()},
            None if self.newest is None else _moment(self.newest),
            self.state,
            exact=self.exact,
        )


def encode_book(book: Book) -> bytes:
    """The book as it travels: JSON."""
    return json.dumps({each.name: getattr(book, each.name) for each in fields(book)}, separators=(",", ":")).encode()


def decode_book(data: bytes) -> Book:
    """The book that was sent."""
    found: dict[str, Any] = json.loads(data)
    found["rejected"] = Counter(found["rejected"])
    found["cells"] = Counter({int(start): lines for start, lines in found["cells"].items()})
    found["state"] = tuple(found["state"])
    found["failed"] = tuple(found["failed"]) if found["failed"] else None
    return Book(**found)


def join_books(books: Iterable[Book]) -> Book:
    """Several books of one source as one; where the pieces end is the last one's."""
    joined = Book(parts=0)
    for book in sorted(books, key=lambda each: each.end):
        joined.source = book.source
        joined.parts += book.parts
        joined.lines += book.lines
        joined.counted += book.counted
        joined.rejected += book.rejected
        joined.cells += book.cells
        joined.newest = _later(joined.newest, book.newest)
        joined.redacted += book.redacted
        joined.exact += book.exact
        joined.end, joined.pending, joined.position = book.end, book.pending, book.position
        joined.state, joined.sealed = book.state, book.sealed
        joined.damaged = joined.damaged if book.damaged is None else book.damaged
        joined.failed = joined.failed or book.failed
    return joined


def _later(one: int | None, other: int | None) -> int | None:
    """The later of both, of which 0 and those below are moments, too."""
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
