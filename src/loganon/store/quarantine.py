"""Damaged cells: each lies aside under its date, is recorded, and is deleted when its date goes.

A good copy from a backup goes back as `hour-HH.restored.parquet`, as if a writer of that name had written it: the
store's own cell of that hour may exist again by then.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from loganon.store.documents import Document
from loganon.store.files import PRIVATE, Files
from loganon.store.layout import RESTORED, CellName, Layout, parse_cell, parse_partition, partition_name
from loganon.store.logfile import LogFile

VERSION = 1
_MARK = 16
_MEMBERS = frozenset(("partition", "cell", "file"))


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A damaged cell that lies aside: its day, its name as a cell's file, its size in bytes."""

    day: date
    file: str
    size: int

    @property
    def restored(self) -> str:
        """The name by which a good copy of it goes back into its partition."""
        return restored_file(parse_cell(self.day, self.file) or CellName(self.day))


class Quarantine:
    """The damaged cells of one store; it changes only under the store's lock."""

    def __init__(self, files: Files, layout: Layout) -> None:
        self._files = files
        self._layout = layout
        self._log = LogFile(files, layout.quarantine_log, _MEMBERS)

    def take(self, name: CellName, *, reason: str, now: datetime) -> Quarantined:
        """The cell lies aside, durably, recorded before it is moved."""
        path = self._layout.root / name.path
        size = path.lstat().st_size
        file = self._begun(name, size) or f"{secrets.token_hex(_MARK // 2)}.{name.file}"
        entry: Document = {"partition": name.day.isoformat(), "cell": name.file, "file": file, "size": size}
        if self._begun(name, size) is None:
            self._log.append(entry | {"version": VERSION, "reason": reason, "time": now.astimezone(UTC).isoformat()})
        target = self._layout.quarantine / partition_name(name.day)
        self._files.mkdir(self._layout.quarantine, PRIVATE)
        self._files.mkdir(target, PRIVATE)
        for folder in (self._layout.quarantine, self._layout.private):
            self._files.sync_directory(folder)
        self._files.rename(path, target / file)
        for folder in (target, path.parent):
            self._files.sync_directory(folder)
        return Quarantined(name.day, name.file, size)

    def entries(self) -> list[Document]:
        """Whatever was put there, oldest first."""
        return self._log.entries()

    def cells(self) -> list[Quarantined]:
        """What lies there, by day and name."""
        found = []
        for day, folder in self.folders():
            for path in _files_of(folder):
                name = parse_cell(day, path.name[_MARK + 1 :]) or parse_cell(day, path.name)
                found += [Quarantined(day, name.file, path.lstat().st_size)] if name else []
        return sorted(found, key=lambda each: (each.day, each.file))

    def names(self) -> Iterator[CellName]:
        """The cells that lie there or were recorded as put there."""
        for each in self.cells():
            name = parse_cell(each.day, each.file)
            if name is not None:
                yield name
        for entry in self.entries():
            day = parse_partition(f"date={entry['partition']}")
            name = parse_cell(day, str(entry["cell"])) if day else None
            if name is not None:
                yield name

    def folders(self) -> list[tuple[date, Path]]:
        """The days that have a directory there, oldest first."""
        try:
            found = [(parse_partition(path.name), path) for path in self._layout.quarantine.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted((day, path) for day, path in found if day is not None and path.is_dir() and not path.is_symlink())

    def drop(self, folder: Path) -> None:
        """One day's directory is gone with what lies in it; OSError for what is not the store's."""
        for file in _files_of(folder):
            self._files.unlink(file)
        self._files.sync_directory(folder)
        self._files.rmdir(folder)
        self._files.sync_directory(self._layout.quarantine)

    def _begun(self, name: CellName, size: int) -> str | None:
        """The name that was recorded for this very cell and not yet given to it: the move was interrupted."""
        for entry in self.entries():
            if (entry["partition"], entry["cell"], entry.get("size")) == (name.day.isoformat(), name.file, size):
                file = str(entry["file"])
                if not (self._layout.quarantine / partition_name(name.day) / file).exists() and file.endswith(
                    f".{name.file}"
                ):
                    return file
        return None


def restored_file(name: CellName) -> str:
    """The name by which a good copy of a damaged cell goes back into its partition."""
    return CellName(name.day, name.hour, RESTORED).file


def _files_of(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
