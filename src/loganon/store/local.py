"""A store in a local directory: created once, read by anyone, changed by whoever holds its lock."""

from __future__ import annotations

import grp
import hmac
import math
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from loganon.errors import BusyError, ConfigurationError, InputOutputError
from loganon.store.balance import Balance, balances
from loganon.store.cells import Cells, Partition
from loganon.store.deletions import DeletionLog
from loganon.store.documents import Document
from loganon.store.files import PRIVATE, Files, Modes, put_by, reported
from loganon.store.folds import Limits
from loganon.store.held import Held
from loganon.store.journal import Journal
from loganon.store.layout import PRIVATE_NAME, TABLE, Layout, is_staged
from loganon.store.manifest import (
    Manifest,
    PolicyStamp,
    State,
    decode_manifest,
    decode_state,
    encode_manifest,
    encode_state,
)
from loganon.store.records import Record, read_records

WAIT = timedelta(seconds=60)
_PAUSE = 0.05


class LocalStore:
    """An existing store. What it reads without the lock may be of the moment before or after a commit.

    `uuid`, `path`, `policy` (frozen), `created`, `group`; `limits`: the most that one cell holds.
    """

    def __init__(
        self, path: Path, manifest: Manifest, *, files: Files | None = None, limits: Limits | None = None
    ) -> None:
        self.path = path
        self.uuid = manifest.uuid
        self.policy = manifest.policy
        self.created = manifest.created
        self.group = manifest.group
        self.limits = limits or Limits()
        self._manifest = manifest
        self._files = files or Files()
        self._layout = Layout(path)
        self._modes = _modes(manifest.group)

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
        path, files = path.absolute(), files or Files()
        modes = _modes(group)
        manifest = Manifest(str(uuid.uuid4()), now.astimezone(UTC), stamp, key_check, group)
        with reported(path):
            _make_root(files, path, modes)
            layout = Layout(path)
            files.mkdir(layout.private, PRIVATE)
            lock = _lock(files, layout, wait)
            try:
                standing = _read_manifest(files, layout)
                if standing is None:
                    _furnish(files, layout, manifest, modes)
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
        path, files = path.absolute(), files or Files()
        with reported(path):
            manifest = _read_manifest(files, Layout(path))
        return None if manifest is None else cls(path, manifest, files=files, limits=limits)

    def check_key(self, value: str) -> None:
        """Nothing if the key is the one the store was made with; 78 otherwise."""
        if not hmac.compare_digest(value.encode(), self._manifest.key_check.encode()):
            raise ConfigurationError(
                "the key is not the one that this store was made with",
                where=str(self.path),
                fix="Give its key by --key-file; with another key every log would look new",
            )

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

    def partitions(self) -> Iterator[Partition]:
        """Every day that has a directory, oldest first."""
        with reported(self.path):
            yield from self._cells().partitions()

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id; exact while no one holds the lock and no commit stands unfinished."""
        return balances(self.partitions(), self.records(), self.cutoff())

    def deletions(self) -> list[Document]:
        """The deletion record, oldest first."""
        with reported(self.path):
            return DeletionLog(self._files, self._layout.deletions, self.policy.sha256).entries()

    def _state(self) -> State:
        with reported(self.path):
            return decode_state(self._files.read(self._layout.state), self._layout.state)

    def _cells(self) -> Cells:
        return Cells(self._files, self._layout, self.uuid, self.policy)

    def _held(self) -> Held:
        manifest = _read_manifest(self._files, self._layout)
        if manifest is None or manifest.uuid != self.uuid:
            raise InputOutputError("the store is gone or another", where=str(self.path), fix="Run again")
        journal = Journal(self._files, self._layout, self._modes)
        return Held(
            self._files,
            self._layout,
            journal,
            uuid=self.uuid,
            policy=self.policy,
            frozen=manifest.policy,
            limits=self.limits,
        )


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


def _make_root(files: Files, path: Path, modes: Modes) -> None:
    """The store's directory, empty but for what an interrupted creation left; 78 where it holds anything else."""
    if path.exists() and not path.is_dir():
        raise ConfigurationError("the store is not a directory", where=str(path), fix="Choose another --store")
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        files.mkdir(folder, PRIVATE)
        files.sync_directory(folder.parent)
    target = path.resolve()
    if target.is_dir() and not _is_ours(Layout(target)):
        raise ConfigurationError(
            "the directory is not empty and holds no store", where=str(path), fix="Choose another --store"
        )
    new = not target.exists()
    files.mkdir(target, modes)
    if new:
        files.sync_directory(target.parent)


def _is_ours(layout: Layout) -> bool:
    """True for an empty directory, a store, and one whose creation was interrupted."""
    if layout.store.exists():
        return True
    names = {entry.name for entry in os.scandir(layout.root)}
    if not names <= {PRIVATE_NAME, TABLE} or (layout.table.exists() and any(layout.table.iterdir())):
        return False
    if not layout.private.is_dir():
        return not layout.private.exists()
    known = {path.name for path in (layout.lock, layout.staging, layout.sources, layout.state)}
    return {entry.name for entry in os.scandir(layout.private)} <= known and not _holds_records(layout)


def _holds_records(layout: Layout) -> bool:
    """True where sources or staging hold what no creation leaves there."""
    sources = list(layout.sources.iterdir()) if layout.sources.is_dir() else []
    staged = list(layout.staging.iterdir()) if layout.staging.is_dir() else []
    return bool(sources) or not all(is_staged(path.name) for path in staged)


def _furnish(files: Files, layout: Layout, manifest: Manifest, modes: Modes) -> None:
    """A whole store; its own file comes last, so that without it there is none."""
    files.mkdir(layout.table, modes)
    files.mkdir(layout.staging, PRIVATE)
    files.mkdir(layout.sources, PRIVATE)
    for path in layout.staging.iterdir():
        files.unlink(path)
    batch = uuid.uuid4().hex
    put_by(files, layout.staging / f"{batch}-state", layout.state, encode_state(State()))
    for folder in (layout.table, layout.staging, layout.sources, layout.private, layout.root):
        files.sync_directory(folder)
    put_by(files, layout.staging / f"{batch}-store", layout.store, encode_manifest(manifest))


def _modes(group: str | None) -> Modes:
    """The modes of the table; 78 for a group that this system does not know."""
    if group is None:
        return PRIVATE
    try:
        return Modes(0o640, 0o2750, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise ConfigurationError(f"this system has no group {group}", fix="Choose another --group") from None
