"""Everything that lies in a store's directory: what of it belongs there, and what has other rights than it should.

Read with `lstat` alone: no link is followed, no other device entered, no file opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loganon.store import layout
from loganon.store.files import PRIVATE, Modes
from loganon.store.layout import is_staged, is_staged_table, is_table_file, parse_cell, parse_partition, parse_record

FILE, DIRECTORY, LINK, OTHER = "file", "directory", "link", "other"
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: LINK}
_FILES = frozenset(
    ("store.json", "state.json", "lock", "commit.json", "deletions.jsonl", "quarantine.jsonl", "reserve")
)
_FOLDERS = frozenset(("sources", "staging", "quarantine"))
_QUARANTINED = re.compile(r"[0-9a-f]{16}\.(.+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name under the store: `path` relative to it ("" is the store itself), its kind and what `lstat` says."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    device: int
    inode: int
    links: int
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the tree that is not as it should be: the path under the store, and what of it."""

    path: str
    what: str


def read_tree(root: Path) -> tuple[Entry, ...]:
    """All entries, parents first, in the order of their names; what goes meanwhile is left out."""
    return tuple(_walk(root, ""))


def belongs(entry: Entry) -> bool:
    """True if something of this name and kind has its place in a store."""
    parts = tuple(entry.path.split("/")) if entry.path else ()
    return _is_folder(parts) if entry.kind == DIRECTORY else entry.kind == FILE and _is_file(parts)


def find_wrong_modes(entries: Iterable[Entry], table: Modes) -> Iterator[Fault]:
    """What of the store's own has other permissions than it was made with; `table`: those of the table."""
    for entry in entries:
        if not belongs(entry):
            continue
        possible = (PRIVATE, table) if _may_be_either(entry.path) else (PRIVATE if _is_private(entry.path) else table,)
        wanted = [modes.directory if entry.kind == DIRECTORY else modes.file for modes in possible]
        if entry.mode not in wanted:
            yield Fault(entry.path, f"mode {entry.mode:04o} instead of {wanted[0]:04o}")


def find_wrong_owners(entries: Iterable[Entry], table: Modes) -> Iterator[Fault]:
    """What of the store's own has another owner than the store itself, or another group than its table should have."""
    owner = None
    for entry in entries:
        if owner is None:
            owner = entry.uid
        if not belongs(entry):
            continue
        if entry.uid != owner:
            yield Fault(entry.path, f"owner {entry.uid} instead of {owner}")
        if table.gid not in (None, entry.gid) and not _is_private(entry.path):
            yield Fault(entry.path, f"group {entry.gid} instead of {table.gid}")


def _walk(root: Path, path: str, device: int | None = None) -> Iterator[Entry]:
    try:
        entry = _entry(path, (root / path).lstat())
        inside = entry.kind == DIRECTORY and device in (None, entry.device)
        names = sorted(each.name for each in (root / path).iterdir()) if inside else []
    except FileNotFoundError:
        return
    yield entry
    for name in names:
        yield from _walk(root, f"{path}/{name}" if path else name, entry.device)


def _entry(path: str, found: os.stat_result) -> Entry:
    return Entry(
        path,
        _KINDS.get(stat.S_IFMT(found.st_mode), OTHER),
        stat.S_IMODE(found.st_mode),
        found.st_uid,
        found.st_gid,
        found.st_dev,
        found.st_ino,
        found.st_nlink,
        found.st_size,
        found.st_mtime_ns,
    )


def _is_folder(parts: tuple[str, ...]) -> bool:
    match parts:
        case () | (layout.TABLE,) | (layout.PRIVATE_NAME,):
            return True
        case (layout.PRIVATE_NAME, name):
            return name in _FOLDERS
        case (layout.PRIVATE_NAME, "staging", name):
            return is_staged_table(name)
        case (
            (layout.TABLE, name) | (layout.PRIVATE_NAME, "quarantine", name) | (layout.PRIVATE_NAME, "staging", _, name)
        ):
            return parse_partition(name) is not None
    return False


def _is_file(parts: tuple[str, ...]) -> bool:
    match parts:
        case (layout.PRIVATE_NAME, name):
            known = name in _FILES
        case (layout.PRIVATE_NAME, "sources", name):
            known = parse_record(name) is not None
        case (layout.PRIVATE_NAME, "staging", name):
            known = is_staged(name)
        case (layout.TABLE, name) | (layout.PRIVATE_NAME, "staging", _, name):
            known = name == layout.TABLE_ID
        case (layout.PRIVATE_NAME, "staging", _, folder, name):
            known = is_table_file(f"{layout.TABLE}/{folder}/{name}")
        case (layout.PRIVATE_NAME, "quarantine", folder, name):
            known = _is_quarantined(folder, name)
        case _:
            known = is_table_file("/".join(parts))
    return known


def _is_quarantined(folder: str, name: str) -> bool:
    day, found = parse_partition(folder), _QUARANTINED.fullmatch(name)
    return day is not None and found is not None and parse_cell(day, found[1]) is not None


def _is_private(path: str) -> bool:
    return path.partition("/")[0] == layout.PRIVATE_NAME


def _may_be_either(path: str) -> bool:
    """True for files that wait for the table or come out of it: they have its permissions behind a closed directory."""
    return path.startswith((f"{layout.PRIVATE_NAME}/staging/", f"{layout.PRIVATE_NAME}/quarantine/"))
