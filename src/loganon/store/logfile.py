"""A file of JSON lines that only grows: what was done to a store, for those who ask later."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from loganon.store.documents import Document, dump, parse_json
from loganon.store.files import PRIVATE, Files


class LogFile:
    """The file at `path`; an entry is an object that has a text for all of `members`."""

    def __init__(self, files: Files, path: Path, members: AbstractSet[str]) -> None:
        self._files = files
        self._path = path
        self._members = members

    def entries(self) -> list[Document]:
        """All entries, oldest first; a line that was cut short by a crash is left out."""
        try:
            lines = self._files.read(self._path).splitlines()
        except FileNotFoundError:
            return []
        return parse_entries(lines, self._members)

    def append(self, entry: Document) -> None:
        """One more entry, on the disk."""
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


def parse_entries(lines: Iterable[bytes], members: AbstractSet[str]) -> list[Document]:
    """The entries of these lines, in order; what is no object with all of `members` is left out."""
    return [entry for entry in map(_parse, lines) if entry is not None and _has(entry, members)]


def _has(entry: Document, members: AbstractSet[str]) -> bool:
    return all(isinstance(entry.get(name), str) for name in members)


def _parse(line: bytes) -> Document | None:
    try:
        entry = parse_json(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
