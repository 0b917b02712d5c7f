"""The commit: new versions of many files become the store's all together, whatever is killed and whenever.

    1. every new version is written into `staging/` under a name never used again, and synced; then `staging/`;
    2. each is read back and checked;
    3. new partitions are made, and `access/` is synced;
    4. `commit.json` (staged name -> final name, size, SHA-256) is put in place and synced: the commit point;
    5. all are renamed into place, every directory touched is synced, `commit.json` is unlinked, `_loganon/` is synced.

A commit may bring a whole new table (see `swap`), which is exchanged for the standing one as the first part of step 5.

Whoever takes the lock repeats steps 3 and 5 whole. First it syncs `commit.json` and its name: after a kill in step 4
the journal may stand only in memory, and a file renamed on its word must not outlast it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loganon.errors import InputOutputError
from loganon.store.documents import Steps, damaged, dump, load
from loganon.store.files import PRIVATE, Files, Modes, put, put_by
from loganon.store.layout import Layout, is_committable, is_staged, is_staged_table, is_table_file
from loganon.store.swap import WaitingTable, check_table, clear_tables, swap_table
from loganon.threads import in_order

VERSION = 2
_STEPS: Steps = {1: lambda document: document | {"table": None}}
"""Version 1 knew of no table."""

Check = Callable[[bytes], None]
"""Raises if the bytes read back are not what was meant."""


@dataclass(frozen=True, slots=True)
class Move:
    """One file of a commit: its name in `staging/`, its path under the store, its bytes' length and SHA-256."""

    staged: str
    final: str
    size: int
    sha256: str

    def holds(self, data: bytes) -> bool:
        """True if these are the file's bytes."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


class Journal:
    """The commits of one store; only under its lock. `modes`: those of the table."""

    def __init__(self, files: Files, layout: Layout, modes: Modes) -> None:
        self._files = files
        self._layout = layout
        self._modes = modes
        self.left: tuple[tuple[str, str], ...] = ()
        """What could not be deleted of a table that stood before: paths under the store, and why."""

    def begin(self) -> Staging:
        """A new, empty batch."""
        return Staging(self, self._files, self._layout, self._modes)

    def recover(self) -> None:
        """No commit stands half done and `staging/` is empty; 74 if a file is neither staged nor in place."""
        try:
            data = self._files.read(self._layout.commit)
        except FileNotFoundError:
            pass
        else:
            self._repeat(_decode(data, self._layout.commit), _decode_table(data, self._layout.commit))
        self.clear()

    def clear(self) -> None:
        """Nothing is left in `staging/`, but for what of a table cannot be deleted, which is in `left`."""
        self.left = clear_tables(self._files, self._layout)
        for path in sorted(self._layout.staging.iterdir()):
            if not is_staged_table(path.name):
                self._files.unlink(path)

    def make_folders(self, moves: Iterable[Move]) -> None:
        """The partitions that `moves` need exist, on the disk: no file leaves staging for a directory that can be lost.

        They are made before the commit point: a full disk is to fail the batch, not its completion.
        """
        table = self._layout.table
        for folder in self._folders(moves):
            if folder.parent == table:
                self._files.mkdir(folder, self._modes)
        self._files.sync_directory(table)

    def _folders(self, moves: Iterable[Move]) -> list[Path]:
        return sorted({(self._layout.root / move.final).parent for move in moves})

    def _repeat(self, moves: tuple[Move, ...], table: str | None) -> None:
        self._sync_again(self._layout.commit)
        self._files.sync_directory(self._layout.private)
        pending = [move for move in moves if self._is_staged(move)]
        if table is not None:
            check_table(self._files, self._layout, table)
        self.make_folders(moves)
        self.apply(moves, pending, table)

    def _is_staged(self, move: Move) -> bool:
        """True if the file still waits in staging, False if it is in place; 74 if it is neither."""
        for path, staged in ((self._layout.staging / move.staged, True), (self._layout.root / move.final, False)):
            try:
                if move.holds(self._files.read(path)):
                    return staged
            except FileNotFoundError:
                continue
        raise InputOutputError(
            "a file of an unfinished commit is neither staged nor in place",
            where=str(self._layout.root / move.final),
            fix="Restore the whole store from a backup",
        )

    def _sync_again(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)

    def apply(self, moves: Iterable[Move], pending: Iterable[Move], table: str | None = None) -> None:
        """Step 5: the table is exchanged, `pending` are renamed, and whatever `moves` touch is synced."""
        layout = self._layout
        if table is not None:
            swap_table(self._files, layout, table)
        for move in pending:
            self._files.rename(layout.staging / move.staged, layout.root / move.final)
        for folder in (*self._folders(moves), layout.staging):
            self._files.sync_directory(folder)
        self._files.unlink(layout.commit)
        self._files.sync_directory(layout.private)


class Staging:
    """One batch in the making."""

    def __init__(self, journal: Journal, files: Files, layout: Layout, modes: Modes) -> None:
        self._journal = journal
        self._files = files
        self._layout = layout
        self._modes = modes
        self._batch = secrets.token_hex(16)
        self._moves: list[Move] = []
        self._checks: list[Check | None] = []
        self._table: str | None = None

    def begin_table(self) -> WaitingTable:
        """An empty table, which is to be filled and finished and then becomes the whole table with this batch."""
        self._table = self._batch
        return WaitingTable(self._files, self._layout, self._batch, self._modes)

    def add(self, final: str, data: bytes, check: Check | None = None) -> str:
        """`data` waits on the disk to become the file `final` (a path under the store); its SHA-256."""
        if not is_committable(final):
            raise ValueError("a commit sets cells, records and the store's own files")
        if any(move.final == final for move in self._moves):
            raise ValueError("a commit sets each file once")
        move = Move(f"{self._batch}-{len(self._moves):06d}", final, len(data), hashlib.sha256(data).hexdigest())
        put(self._files, self._layout.staging / move.staged, data, self._modes if is_table_file(final) else PRIVATE)
        self._moves.append(move)
        self._checks.append(check)
        return move.sha256

    def commit(self) -> None:
        """All added files are in place, on the disk."""
        layout, files = self._layout, self._files
        if self._table is not None:
            check_table(files, layout, self._table)
        files.sync_directory(layout.staging)
        for _ in in_order(self._check, self._read_back()):
            pass
        self._journal.make_folders(self._moves)
        waiting = layout.staging / f"{self._batch}-commit"
        put_by(files, waiting, layout.commit, _encode(self._moves, self._table))
        self._journal.apply(self._moves, self._moves, self._table)

    def _read_back(self) -> Iterator[tuple[Move, Check | None, bytes]]:
        for move, check in zip(self._moves, self._checks, strict=True):
            yield move, check, self._files.read(self._layout.staging / move.staged)

    def _check(self, found: tuple[Move, Check | None, bytes]) -> None:
        move, check, data = found
        if not move.holds(data):
            raise damaged(self._layout.staging / move.staged)
        if check is not None:
            check(data)


def _encode(moves: list[Move], table: str | None) -> bytes:
    entries = [{"staged": m.staged, "final": m.final, "size": m.size, "sha256": m.sha256} for m in moves]
    directories = sorted({str(Path(m.final).parent) for m in moves})
    return dump({"version": VERSION, "files": entries, "directories": directories, "table": table})


def _decode_table(data: bytes, path: Path) -> str | None:
    """The id of the table that a journal brings; None where it brings none."""
    table = load(data, path, version=VERSION, steps=_STEPS).get("table")
    if table is not None and not (isinstance(table, str) and is_staged_table(f"{table}-table")):
        raise damaged(path)
    return table


def _decode(data: bytes, path: Path) -> tuple[Move, ...]:
    document = load(data, path, version=VERSION, steps=_STEPS)
    try:
        moves = tuple(
            Move(entry["staged"], entry["final"], entry["size"], entry["sha256"]) for entry in document["files"]
        )
        sound = all(is_staged(move.staged) and is_committable(move.final) for move in moves)
    except (KeyError, TypeError):
        raise damaged(path) from None
    if not sound:
        raise damaged(path)
    return moves


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A commit that stands unfinished: its files, and the id of the table that it brings, if it does."""

    moves: tuple[Move, ...] = ()
    table: str | None = None


def read_commit(files: Files, layout: Layout) -> Unfinished | None:
    """The commit that stands unfinished, None where none does; 74 if its journal is damaged."""
    try:
        data = files.read(layout.commit)
    except FileNotFoundError:
        return None
    return Unfinished(_decode(data, layout.commit), _decode_table(data, layout.commit))
