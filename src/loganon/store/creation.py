"""A store is made: in a directory that is missing or empty, so that an interrupted creation can be taken up again."""

from __future__ import annotations

import grp
import os
import uuid
from dataclasses import replace
from pathlib import Path

from loganon.errors import ConfigurationError
from loganon.store.files import PRIVATE, Files, Modes, put_by
from loganon.store.layout import PRIVATE_NAME, TABLE, Layout, is_staged
from loganon.store.manifest import Manifest, State, encode_manifest, encode_state


def check_place(path: Path) -> None:
    """Nothing where a store may be made; 78 where something else stands. It makes nothing."""
    if path.exists() and not path.is_dir():
        raise ConfigurationError("the store is not a directory", where=str(path), fix="Choose another --store")
    target = path.resolve()
    if target.is_dir() and not _is_ours(Layout(target)):
        raise ConfigurationError(
            "the directory is not empty and holds no store", where=str(path), fix="Choose another --store"
        )


def make_root(files: Files, path: Path, modes: Modes) -> None:
    """The store's directory, empty but for what an interrupted creation left; 78 where it holds anything else.

    Directories above it that are missing are made for whoever may read the table: its group can pass through them.
    """
    check_place(path)
    above = PRIVATE if modes.gid is None else replace(modes, directory=0o710)
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        files.mkdir(folder, above)
        files.sync_directory(folder.parent)
    target = path.resolve()
    new = not target.exists()
    files.mkdir(target, modes)
    if new:
        files.sync_directory(target.parent)


def _is_ours(layout: Layout) -> bool:
    """True for an empty directory, a store, and one whose creation was interrupted, or goes on meanwhile.

    A store's own file comes last and stays: whatever another process made between two looks, it is there by then.
    """
    return layout.store.exists() or _is_begun(layout) or layout.store.exists()


def _is_begun(layout: Layout) -> bool:
    """True for an empty directory, and one in which a creation was interrupted."""
    names = {entry.name for entry in os.scandir(layout.root)}
    if not names <= {PRIVATE_NAME, TABLE} or (layout.table.exists() and any(layout.table.iterdir())):
        return False
    if not layout.private.is_dir():
        return not layout.private.exists()
    known = {path.name for path in (layout.lock, layout.staging, layout.sources, layout.state, layout.reserve)}
    return {entry.name for entry in os.scandir(layout.private)} <= known and not _holds_records(layout)


def _holds_records(layout: Layout) -> bool:
    """True where sources or staging hold what no creation leaves there."""
    sources = list(layout.sources.iterdir()) if layout.sources.is_dir() else []
    staged = list(layout.staging.iterdir()) if layout.staging.is_dir() else []
    return bool(sources) or not all(is_staged(path.name) for path in staged)


def furnish(files: Files, layout: Layout, manifest: Manifest, modes: Modes) -> None:
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


def table_modes(group: str | None) -> Modes:
    """The modes of the table; 78 for a group that this system does not know."""
    if group is None:
        return PRIVATE
    try:
        return Modes(0o640, 0o2750, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise ConfigurationError(f"this system has no group {group}", fix="Choose another --group") from None
