"""A store in a local directory: created once, read by anyone, changed by whoever holds its lock."""

from __future__ import annotations

import hmac
import math
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from loganon.errors import BusyError, ConfigurationError, InputOutputError, LoganonError
from loganon.periods import Spans
from loganon.store.balance import Balance, balances
from loganon.store.cells import Cells, Partition
from loganon.store.change import sum_generations
from loganon.store.creation import check_place, furnish, make_root, table_modes
from loganon.store.deletions import DeletionLog
from loganon.store.documents import Document
from loganon.store.files import PRIVATE, Files, Modes, missing_part, open_regular, reported
from loganon.store.folds import Limits
from loganon.store.footers import Footers
from loganon.store.held import Held
from loganon.store.journal import Journal, Unfinished, read_commit
from loganon.store.layout import STORE_FILE, CellName, Layout
from loganon.store.manifest import (
    Manifest,
    PolicyStamp,
    State,
    decode_manifest,
    decode_state,
)
from loganon.store.quarantine import Quarantine, Quarantined
from loganon.store.records import Record, read_records, read_records_safely
from loganon.store.replacement import Replaced, Rewrite, measure, require_whole
from loganon.store.tallies import Tallies
from loganon.store.tree import Entry, read_tree

WAIT = timedelta(seconds=60)
_PAUSE = 0.05


class LocalStore:
    """An existing store. What it reads without the lock may be of the moment before or after a commit.

    `uuid`, `path`, `policy` (frozen), `created`, `group`; `limits`: the most that one cell holds; `held`: spans of days
    that stay, whatever the cutoff, as the caller knows them from the policy (here nothing waits that could lose their
    rows); `findings` and `notes`: what the holders of its lock have found: errors, and what was made good.
    """

    exclusive = True
    """Whoever holds the lock is alone: a batch of many sources is committed whole."""

    def __init__(
        self, path: Path, manifest: Manifest, *, files: Files | None = None, limits: Limits | None = None
    ) -> None:
        self.path = path
        self.uuid = manifest.uuid
        self.policy = manifest.policy
        self.created = manifest.created
        self.group = manifest.group
        self._footers = Footers()
        self._tallies = Tallies()
        self.limits = limits or Limits()
        self.held: Spans = ()
        self.findings: list[LoganonError] = []
        self.notes: list[str] = []
        self._lost: LoganonError | None = None
        self._manifest = manifest
        self._files = files or Files()
        self._layout = Layout(path)
        self._modes = table_modes(manifest.group)

    @classmethod
    def create(
        cls,
        path: Path,
        stamp: PolicyStamp,
        *,
        key_check: str,
        now: datetime,
        group: str | None = None,
        wait: timedelta = WAIT,
        files: Files | None = None,
        limits: Limits | None = None,
    ) -> LocalStore:
        """A new store at `path`, in a missing or empty directory; an interrupted creation is taken up again.

        78 where the directory holds anything else, or where another process has meanwhile made another store there.
        """
        path, files = _directory(path), files or Files()
        modes = table_modes(group)
        manifest = Manifest(str(uuid.uuid4()), now.astimezone(UTC), stamp, key_check, group)
        with reported(path):
            make_root(files, path, modes)
            layout = Layout(path)
            files.mkdir(layout.private, PRIVATE)
            lock = _lock(files, layout, wait)
            try:
                standing = _read_manifest(files, layout)
                if standing is None:
                    furnish(files, layout, manifest, modes)
            finally:
                os.close(lock)
        if standing and (standing.policy.sha256, standing.key_check) != (stamp.sha256, key_check):
            raise ConfigurationError("another store was made here", where=str(path), fix="Choose another --store")
        return cls(path, standing or manifest, files=files, limits=limits)

    @classmethod
    def open(cls, path: Path, *, files: Files | None = None, limits: Limits | None = None) -> LocalStore:
        """The store at `path`; 78 if there is none or a newer program made it."""
        store = cls.open_or_none(path, files=files, limits=limits)
        if store is None:
            raise ConfigurationError("there is no store", where=str(path), fix="Check --store; `loganon run` makes one")
        return store

    @classmethod
    def open_or_none(cls, path: Path, *, files: Files | None = None, limits: Limits | None = None) -> LocalStore | None:
        """The store at `path`; None if there is none, or one whose creation was interrupted."""
        path, files = _directory(path), files or Files()
        with reported(path):
            manifest = _read_manifest(files, Layout(path))
        return None if manifest is None else cls(path, manifest, files=files, limits=limits)

    @staticmethod
    def check_place(path: Path, group: str | None = None) -> None:
        """Nothing where `create` could make a store for `group`; 78 where it could not. It makes nothing."""
        table_modes(group)
        path = path.absolute()
        with reported(path):
            check_place(path)

    def catch_up(self) -> None:
        """What is known of the store is what an unfinished commit makes of it: it may bring another policy or key."""
        pending = self.pending()
        if pending is not None and any(move.final == STORE_FILE for move in pending.moves):
            with self.locked() as held:
                self._manifest, self.policy = held.manifest, held.policy

    def check_key(self, value: str) -> None:
        """Nothing if the key is the one the store was made with; 78 otherwise."""
        if not self._is_key(value):
            self.catch_up()
        if not self._is_key(value):
            raise ConfigurationError(
                "the key is not the one that this store was made with",
                where=str(self.path),
                fix="Give its key by --key-file; if it is lost, see `loganon key reset --help`",
            )

    def _is_key(self, value: str) -> bool:
        return hmac.compare_digest(value.encode(), self._manifest.key_check.encode())

    @contextmanager
    def locked(self, wait: timedelta = WAIT) -> Iterator[Held]:
        """The store to change; 75 if another process holds it for longer than `wait`.

        An interrupted commit is finished first.
        """
        with reported(self.path):
            lock = _lock(self._files, self._layout, wait)
        try:
            with reported(self.path):
                held = self._held()
            held.recover()
            try:
                yield held
            finally:
                self._lost = held.lost
                held.close()
        finally:
            os.close(lock)

    def cutoff(self) -> date | None:
        """The oldest day that may exist; None before the first is set."""
        return self._state().cutoff

    def last_commit(self) -> datetime | None:
        """The clock at the last commit (UTC)."""
        return self._state().last_commit

    def records(self) -> dict[str, Record]:
        """All source records by id."""
        with reported(self.path):
            return read_records(self._files, self._layout)

    def records_safely(self) -> tuple[dict[str, Record], tuple[str, ...]]:
        """The source records that can be read, by id, and the ids of those that cannot."""
        with reported(self.path):
            return read_records_safely(self._files, self._layout)

    def check_records(self) -> None:
        """Nothing if the last holder of the lock found all source records or could make them again; 74 otherwise, and
        where the table is missing, which a store has from its beginning on.
        """
        if self._lost is not None:
            raise self._lost
        if not self.has_table:
            raise missing_part(self._layout.table)

    @property
    def has_table(self) -> bool:
        """Whether the table is there, as it is from a store's beginning on."""
        return os.path.lexists(self._layout.table)

    def generations(self) -> tuple[int, int]:
        """What the generations of all records are to add up to, and what those that can be read do."""
        found = sum_generations(self.records_safely()[0].values())
        stated = self._state().generations
        return found if stated is None else stated, found

    def floor(self) -> datetime | None:
        """The moment (UTC) before which lines are expired, whatever the cutoff; None: no such moment."""
        return self._state().floor

    def quarantined(self) -> list[Quarantined]:
        """The damaged cells that lie in quarantine."""
        with reported(self.path):
            return Quarantine(self._files, self._layout).cells()

    def quarantine_log(self) -> list[Document]:
        """What was ever put into quarantine, oldest first."""
        with reported(self.path):
            return Quarantine(self._files, self._layout).entries()

    def partitions(self) -> Iterator[Partition]:
        """Every day that has a directory, oldest first."""
        with reported(self.path):
            yield from self._cells().partitions()

    def open_cell(self, name: CellName) -> BinaryIO:
        """A cell's file, to read; OSError if it has gone."""
        return open_regular(self.path / name.path)

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id; exact while no one holds the lock and no commit stands unfinished.

        A record that cannot be read has done nothing.
        """
        return balances(self.partitions(), self.records_safely()[0], self._state())

    def measure(self, rewrite: Rewrite) -> Replaced:
        """How much the table is, and how much it would be under another policy; nothing is changed."""
        with reported(self.path):
            require_whole(self._layout, Quarantine(self._files, self._layout))
            return measure(self._cells(), rewrite, self.limits)

    def deletions(self) -> list[Document]:
        """The deletion record, oldest first."""
        with reported(self.path):
            return DeletionLog(self._files, self._layout.deletions, self.policy.sha256).entries()

    def tree(self) -> tuple[Entry, ...]:
        """Everything that lies in the store's directory."""
        with reported(self.path):
            return read_tree(self.path)

    @property
    def modes(self) -> Modes:
        """The permissions of the table; all else is private."""
        return self._modes

    def pending(self) -> Unfinished | None:
        """The commit that stands unfinished, if one does; whoever takes the lock next finishes it."""
        with reported(self.path):
            return read_commit(self._files, self._layout)

    @contextmanager
    def still(self, wait: timedelta = WAIT) -> Iterator[None]:
        """A block in which nobody changes the store, and neither does the caller: an unfinished commit stays one."""
        with reported(self.path):
            lock = _lock(self._files, self._layout, wait)
        try:
            yield
        finally:
            os.close(lock)

    def _state(self) -> State:
        with reported(self.path):
            return decode_state(self._files.read(self._layout.state), self._layout.state)

    def _cells(self) -> Cells:
        return Cells(self._files, self._layout, self.uuid, self.policy, self._footers, self._tallies)

    def _held(self) -> Held:
        manifest = _read_manifest(self._files, self._layout)
        if manifest is None or manifest.uuid != self.uuid:
            raise InputOutputError("the store is gone or another", where=str(self.path), fix="Run again")
        journal = Journal(self._files, self._layout, self._modes)
        return Held(
            self._files,
            self._layout,
            journal,
            known=self._manifest,
            standing=manifest,
            limits=self.limits,
            findings=self.findings,
            notes=self.notes,
            footers=self._footers,
            tallies=self._tallies,
        )


def _directory(path: Path) -> Path:
    """The store's directory, absolute. Where the operator's path is a link, what it leads to: nothing of a store is
    reached through a link, neither to be synced nor to be looked at.
    """
    path = path.absolute()
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - Path.is_symlink raises in a closed folder


def _lock(files: Files, layout: Layout, wait: timedelta) -> int:
    """A descriptor that holds the store's lock for as long as it is open; 75 after `wait`."""
    descriptor = files.open_lock(layout.lock)
    try:
        for _ in range(math.ceil(wait.total_seconds() / _PAUSE)):
            if files.try_lock(descriptor):
                return descriptor
            files.pause(_PAUSE)
        if files.try_lock(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise BusyError(
        "another process holds the store", where=str(layout.root), fix="Run again later, or give a longer --wait"
    )


def _read_manifest(files: Files, layout: Layout) -> Manifest | None:
    try:
        return decode_manifest(files.read(layout.store), layout.store)
    except (FileNotFoundError, NotADirectoryError):
        return None
