"""An abstract disk: names and contents, what is safe of either, and what a power cut leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class File:
    """A file (its content) or a directory (None); `safe`: the content is on the disk."""

    content: object = None
    safe: bool = False


@dataclass(slots=True)
class Change:
    """Names that an operation set or removed; the sync of `folder` makes it safe."""

    folder: str
    names: dict[str, File | None]


def folder_of(path: str) -> str:
    """The directory that holds the name."""
    return path.rpartition("/")[0]


class Disk:
    """Names and contents as processes see them, and what of both is safe."""

    def __init__(self, files: dict[str, File]) -> None:
        self.live = dict(files)
        self._durable = dict(files)
        self._pending: list[Change] = []

    def read(self, path: str) -> object:
        """The content of the file."""
        return self.live[path].content

    def names(self, folder: str) -> list[str]:
        """The paths in a directory."""
        return sorted(path for path in self.live if folder_of(path) == folder)

    def create(self, path: str, content: object = None) -> None:
        """A new file, or a directory."""
        self._set(folder_of(path), {path: File(content)})

    def sync_file(self, path: str) -> None:
        """The file's content is safe."""
        self.live[path].safe = True

    def rename(self, source: str, target: str) -> None:
        """Another name for the file."""
        self._set(folder_of(target), {target: self.live[source], source: None})

    def remove(self, path: str) -> None:
        """The name is gone."""
        if path not in self.live:
            raise FileNotFoundError(path)
        self._set(folder_of(path), {path: None})

    def sync(self, folder: str) -> None:
        """The names in the directory are safe."""
        for change in [found for found in self._pending if found.folder == folder]:
            self._settle(change)

    def cut(self, survives: Iterator[bool]) -> Disk:
        """What is found after the power has failed."""
        for change in list(self._pending):
            if next(survives):
                self._settle(change)
        found = {}
        for path, file in sorted(self._durable.items()):
            if not folder_of(path) or folder_of(path) in found:
                whole = file.safe or file.content is None or next(survives)
                found[path] = File(file.content if whole else "torn", safe=True)
        return Disk(found)

    def _set(self, folder: str, names: dict[str, File | None]) -> None:
        self._pending.append(Change(folder, names))
        _enter(self.live, names)

    def _settle(self, change: Change) -> None:
        at = self._pending.index(change)
        for old in self._pending[:at]:
            old.names = {path: file for path, file in old.names.items() if path not in change.names}
        self._pending = [old for old in self._pending[:at] if old.names] + self._pending[at + 1 :]
        _enter(self._durable, change.names)


def _enter(table: dict[str, File], names: dict[str, File | None]) -> None:
    for path, file in names.items():
        if file is None:
            table.pop(path, None)
        else:
            table[path] = file
