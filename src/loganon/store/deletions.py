"""The deletion record: one JSON line when a partition's deletion begins and one when it is done.

A deletion that was interrupted has begun once, however often it is tried again.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

from loganon.store.documents import Document, dump
from loganon.store.files import PRIVATE, Files

VERSION = 1
BEGUN = "begun"
DONE = "done"


class DeletionLog:
    """The record at `path`; `policy_sha256`: the policy under which is deleted."""

    def __init__(self, files: Files, path: Path, policy_sha256: str) -> None:
        self._files = files
        self._path = path
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
        try:
            lines = self._files.read(self._path).splitlines()
        except FileNotFoundError:
            return []
        return [entry for entry in map(_parse, lines) if entry is not None]

    def _last(self, day: date) -> Document | None:
        """The partition's entry that has begun and is not done."""
        found = [entry for entry in self.entries() if entry["partition"] == day.isoformat()]
        return found[-1] if found and found[-1]["state"] == BEGUN else None

    def _append(self, entry: Document, state: str, now: datetime) -> None:
        entry = entry | {"version": VERSION, "state": state, "time": now.astimezone(UTC).isoformat()}
        new = not self._path.exists()
        torn = not new and not self._files.read(self._path).endswith(b"\n")
        descriptor = self._files.append(self._path, PRIVATE)
        try:
            self._files.write(descriptor, (b"\n" if torn else b"") + dump(entry))
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        if new:
            self._files.sync_directory(self._path.parent)


def _parse(line: bytes) -> Document | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not {"partition", "state"} <= entry.keys():
        return None
    return entry
