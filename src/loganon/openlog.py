"""One log while it is read: what it was taken for, and what came since its last commit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Protocol

import pyarrow as pa

from loganon.aggregate import TableSpec, merge
from loganon.errors import UnreadableDataError
from loganon.formats import Format
from loganon.keys import Key
from loganon.pipeline import UNREAD, Result
from loganon.reading import Reading
from loganon.sources.identity import fingerprint, marker
from loganon.store import Record, SourceBatch
from loganon.summary import COUNTED, LogSummary


class Rest(Protocol):
    """What is known of a log where its reading ended: bytes after its last whole line, how it is compressed, how far it
    was read itself, where it is damaged.
    """

    @property
    def pending(self) -> int: ...  # noqa: D102 - as above

    @property
    def compression(self) -> str | None: ...  # noqa: D102 - as above

    @property
    def position(self) -> int: ...  # noqa: D102 - as above

    @property
    def damaged(self) -> int | None: ...  # noqa: D102 - as above


@dataclass(slots=True)
class OpenLog:
    """One log: where it stands in the store (`before`), and what has come since; `start` holds its first bytes.

    `texts`: bytes of the distinct texts of the rows that wait for a commit.
    """

    summary: LogSummary
    reading: Reading
    stream: str
    id: str
    start: bytes = field(repr=False)
    before: Record | None
    format: Format
    timezone: tzinfo | None
    state: tuple[str, ...]
    done: int
    tail: bytes = field(default=b"", repr=False)
    lines: Counter[str] = field(default_factory=Counter)
    cells: Counter[datetime] = field(default_factory=Counter)
    newest: datetime | None = None
    redacted: int = 0
    exact: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    texts: int = 0
    compacted: bool = False
    fits: bool = False

    @property
    def rows(self) -> int:
        """Rows that wait for a commit."""
        return sum(table.num_rows for table in self.tables)

    def add(self, result: Result, *, end: int, tail: bytes) -> None:
        """Take what a chunk gave; `end` and `tail` are where it ended and the bytes before that."""
        self.tables.append(result.table)
        self.texts += texts_of(result.table)
        self.compacted = False
        self.lines.update(result.rejected)
        self.lines[COUNTED] += result.counted
        self.cells.update(result.cells)
        self.redacted += result.redacted
        self.exact += result.exact
        self.newest = _later(self.newest, result.newest)
        self.state, self.done, self.tail = result.state, end, tail
        self.fits = self.fits or result.lines > sum(result.rejected[reason] for reason in UNREAD)

    def compact(self, spec: TableSpec) -> None:
        """Count the waiting rows together."""
        self.tables = [merge(self.tables, spec, coded=True)]
        self.texts, self.compacted = texts_of(self.tables[0]), True

    def hand_over(self) -> OpenLog:
        """The log as it stands, to be committed; what comes from here on waits in this one."""
        handed = replace(self)
        self.lines, self.cells, self.tables = Counter(), Counter(), []
        self._begin_anew()
        return handed

    def part(self, key: Key, rows: pa.Table | None = None) -> SourceBatch:
        """What a commit needs of this log; `rows`: its own, where the store commits each log by itself."""
        before = self.before
        after = Record(
            id=self.id,
            stream=self.stream,
            prefix=fingerprint(key.secret, self.start, done=self.done),
            marker=marker(key.secret, self.tail),
            done=self.done,
            format=self.format.name,
            timezone=str(self.timezone) if self.timezone else None,
            state=self.state,
            lines=dict(self.lines + Counter(before.lines if before else {})),
            newest=_later(self.newest, before.newest if before else None),
        )
        return SourceBatch(before=before, after=after, cells=dict(self.cells), rows=rows)

    def committed(self, record: Record, expired: int) -> None:
        """The store has it: account for it, and go on from there. `expired` of the counted lines came too late."""
        self.lines[COUNTED] -= expired
        self.lines["expired"] += expired
        self.summary.lines.update(self.lines)
        self.summary.exact += self.exact
        self.before = record
        self.lines.clear()
        self.cells.clear()
        self.tables.clear()
        self._begin_anew()

    def note_rest(self, source: Rest) -> UnreadableDataError | None:
        """What of the log was not read: its unfinished line, and what is damaged, which is the error."""
        self.summary.pending_bytes = source.pending
        self.summary.position = source.position if source.compression else self.done
        if source.damaged is None:
            return None
        damage = UnreadableDataError(
            "the log is damaged; the lines before that were counted",
            where=f"{self.summary.log}, decompressed offset {source.damaged}",
            fix="Run again with a whole copy: it is gone on from there",
        )
        self.summary.fail("damaged", damage)
        return damage

    def _begin_anew(self) -> None:
        self.newest, self.redacted, self.exact, self.texts, self.compacted = None, 0, 0, 0, False


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment), default=None)


def texts_of(table: pa.Table) -> int:
    """Bytes of the distinct texts of a coded table."""
    chunks = (chunk for column in table.columns if pa.types.is_dictionary(column.type) for chunk in column.chunks)
    return sum(chunk.dictionary.nbytes for chunk in chunks)
