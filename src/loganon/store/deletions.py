"""The deletion record: one JSON line when a partition's deletion begins and one when it is done.

A deletion that was interrupted has begun once, however often it is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

from loganon.store.documents import Document
from loganon.store.files import Files
from loganon.store.layout import parse_partition
from loganon.store.logfile import LogFile

VERSION = 1
BEGUN = "begun"
DONE = "done"
MEMBERS = frozenset(("partition", "state"))


def unfinished(entries: Iterable[Document]) -> list[date]:
    """The days of which a deletion has begun and is not done, by the entries of a record."""
    last = {entry["partition"]: entry["state"] for entry in entries}
    days = (parse_partition(f"date={day}") for day, state in last.items() if state == BEGUN)
    return sorted(day for day in days if day is not None)


class DeletionLog:
    """The record at `path`; `policy_sha256`: the policy under which is deleted."""

    def __init__(self, files: Files, path: Path, policy_sha256: str) -> None:
        self._log = LogFile(files, path, MEMBERS)
        self._policy = policy_sha256

    def begin(self, day: date, *, files: int, rows: int, size: int, rule: str, now: datetime) -> None:
        """The partition's deletion is recorded as begun, unless it already is."""
        if self._last(day) is None:
            entry: Document = {"partition": day.isoformat(), "files": files, "rows": rows, "bytes": size, "rule": rule}
            self._append(entry | {"policy_sha256": self._policy}, BEGUN, now)

    def finish(self, day: date, now: datetime) -> None:
        """The partition's deletion is recorded as done, with what it was when it began."""
        begun = self._last(day)
        if begun is not None:
            self._append(begun, DONE, now)

    def entries(self) -> list[Document]:
        """All entries, oldest first; a line that was cut short by a crash is left out."""
        return self._log.entries()

    def unfinished(self) -> list[date]:
        """The days of which a deletion has begun and is not done."""
        return unfinished(self.entries())

    def _last(self, day: date) -> Document | None:
        """The partition's entry that has begun and is not done."""
        found = [entry for entry in self.entries() if entry["partition"] == day.isoformat()]
        return found[-1] if found and found[-1]["state"] == BEGUN else None

    def _append(self, entry: Document, state: str, now: datetime) -> None:
        self._log.append(entry | {"version": VERSION, "state": state, "time": now.astimezone(UTC).isoformat()})
