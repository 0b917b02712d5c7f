"""The table exchanged for another that waits in `staging/`, and what is left of the one that stood before.

A waiting table is the directory `staging/<id>-table`; the file `_table.json` in it carries its id. The table that
`access/` has become keeps that file only as long as a journal names it: readers of the directory need not know it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loganon.errors import CannotWriteError, InputOutputError
from loganon.store.cell import read_footer
from loganon.store.documents import dump, load
from loganon.store.files import Files, Modes, open_regular, put
from loganon.store.layout import (
    TABLE_ID,
    CellName,
    Layout,
    is_staged_table,
    parse_cell,
    parse_partition,
    partition_name,
)
from loganon.store.manifest import decode_manifest

VERSION = 1
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class WaitingTable:
    """A table in the making: every cell goes into it once, then it is finished; `modes`: those of the table."""

    def __init__(self, files: Files, layout: Layout, table: str, modes: Modes) -> None:
        self._files = files
        self._folder = layout.staged_table(table)
        self._id = table
        self._modes = modes
        self._partitions: set[Path] = set()
        check_exchange(files, layout, table, modes)

    def add(self, name: CellName, data: bytes, check: Callable[[bytes], None]) -> None:
        """The cell lies in the table; `check` is given its bytes as they are read back, and raises if it is not it."""
        partition = self._folder / partition_name(name.day)
        if partition not in self._partitions:
            self._files.mkdir(partition, self._modes)
            self._partitions.add(partition)
        put(self._files, partition / name.file, data, self._modes)
        check(self._files.read(partition / name.file))

    def finish(self) -> None:
        """The table carries its id and is on the disk, but for its own name."""
        put(self._files, self._folder / TABLE_ID, dump({"version": VERSION, "id": self._id}), self._modes)
        for folder in (*sorted(self._partitions), self._folder):
            self._files.sync_directory(folder)


def is_table(files: Files, folder: Path, table: str) -> bool:
    """True if the table in `folder` carries this id."""
    path = folder / TABLE_ID
    try:
        found = load(files.read(path), path, version=VERSION).get("id")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return isinstance(found, str) and found == table


def check_table(files: Files, layout: Layout, table: str) -> None:
    """Nothing if the table of this id waits or stands; 74 if it does neither."""
    if not any(is_table(files, folder, table) for folder in (layout.table, layout.staged_table(table))):
        raise InputOutputError(
            "the table of an unfinished change of policy is neither staged nor in place",
            where=str(layout.staged_table(table)),
            fix="Restore the whole store from a backup",
        )


def swap_table(files: Files, layout: Layout, table: str) -> None:
    """`access/` is the table of this id, and both directories' names are on the disk; may be repeated."""
    if not is_table(files, layout.table, table):
        files.exchange(layout.staged_table(table), layout.table)
    for folder in (layout.root, layout.staging):
        files.sync_directory(folder)


def check_exchange(files: Files, layout: Layout, table: str, modes: Modes) -> None:
    """An empty table of this id waits, and its file system can exchange names; 73 where it cannot."""
    waiting, probe = layout.staged_table(table), layout.staged_table(table[::-1])
    for folder in (waiting, probe):
        files.mkdir(folder, modes)
    try:
        _require_one_mount(layout.table, layout.staging)
        files.exchange(waiting, probe)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        raise CannotWriteError(
            "this file system cannot exchange two directories in one step (renameat2)",
            where=str(layout.root),
            fix="Move the store to one that can, such as ext4, xfs or btrfs; nothing was changed",
        ) from None
    files.rmdir(probe)


def _require_one_mount(*paths: Path) -> None:
    """Nothing if names can move between these directories; OSError (EXDEV) where one is a mount point of its own."""
    if len({_mount_of(path) for path in paths}) > 1:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def _mount_of(path: Path) -> str:
    """The mount on which a directory lies: the kernel's number, or that of the device where it tells none."""
    with _opened(path) as descriptor:
        try:
            facts = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii")
        except OSError:
            facts = ""
        numbers = [line for line in facts.splitlines() if line.startswith("mnt_id:")]
        return numbers[0] if numbers else str(os.fstat(descriptor).st_dev)


def clear_tables(files: Files, layout: Layout) -> tuple[tuple[str, str], ...]:
    """No table is left in staging; what could not be deleted, as a path under the store, and why.

    Only cells of this store go, and those that were never finished: no link is followed, nothing goes recursively.
    Only to be called while no journal stands. That none does is first put on the disk: one that came back after a power
    cut would look for its table by the id that goes here.
    """
    names = sorted(path.name for path in layout.staging.iterdir() if is_staged_table(path.name))
    marked = os.path.lexists(layout.table / TABLE_ID)
    if marked or names:
        files.sync_directory(layout.private)
    if marked:
        files.unlink(layout.table / TABLE_ID)
    if not names:
        return ()
    clearing = _Clearing(files, layout, decode_manifest(files.read(layout.store), layout.store).uuid)
    for name in names:
        clearing.table(layout.staging / name)
    return tuple(clearing.left)


@dataclass(slots=True)
class _Clearing:
    files: Files
    layout: Layout
    uuid: str
    left: list[tuple[str, str]] = field(default_factory=list)

    def table(self, path: Path) -> None:
        with self._reporting(path), _opened(path) as folder:
            device = os.fstat(folder).st_dev
            if device != os.lstat(self.layout.staging).st_dev:
                self._leave(path, "lies on another device")
                return
            for name in sorted(entry.name for entry in os.scandir(folder)):
                self._entry(path / name, folder, device)
            self.files.rmdir(path)
            self.files.sync_directory(self.layout.staging)

    def _entry(self, path: Path, folder: int, device: int) -> None:
        with self._reporting(path):
            if path.name == TABLE_ID:
                self.files.unlink(path, at=folder)
            elif parse_partition(path.name) is None:
                self._leave(path, "is no partition")
            else:
                self._partition(path, folder, device)

    def _partition(self, path: Path, table: int, device: int) -> None:
        with _opened(Path(path.name), at=table) as folder:
            if os.fstat(folder).st_dev != device:
                self._leave(path, "lies on another device")
                return
            for name in sorted(entry.name for entry in os.scandir(folder)):
                with self._reporting(path / name):
                    self._cell(path / name, folder, device)
        self.files.rmdir(path, at=table)

    def _cell(self, path: Path, folder: int, device: int) -> None:
        day = parse_partition(path.parent.name)
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if day is None or parse_cell(day, path.name) is None:
            self._leave(path, "is no cell")
        elif not stat.S_ISREG(found.st_mode) or found.st_dev != device:
            self._leave(path, "is no regular file of this device")
        else:
            with open_regular(path.name, at=folder) as file:
                footer = read_footer(file)
            if footer is not None and footer.store != self.uuid:
                self._leave(path, "is another store's cell")
            else:
                self.files.unlink(path, at=folder)

    @contextmanager
    def _reporting(self, path: Path) -> Iterator[None]:
        """A block whose OSError is one more thing that is left; that a directory is not empty follows from another."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not self.left:
                self._leave(path, error.strerror or "failed")

    def _leave(self, path: Path, reason: str) -> None:
        self.left.append((str(path.relative_to(self.layout.root)), reason))


@contextmanager
def _opened(path: Path, *, at: int | None = None) -> Iterator[int]:
    """A descriptor of the directory; a link is an error."""
    descriptor = os.open(path, _DIRECTORY, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
