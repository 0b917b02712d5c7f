"""The directory of a store: nothing foreign in it, nothing that leads out of it, everything with its own rights."""

from __future__ import annotations

import os
from collections.abc import Iterator

from loganon.errors import ConfigurationError
from loganon.keys import make_key
from loganon.store.files import Files
from loganon.store.layout import PRIVATE_NAME, TABLE
from loganon.store.tree import DIRECTORY, FILE, LINK, Entry, belongs, find_wrong_modes, find_wrong_owners
from loganon.verify.findings import Findings, count_of, count_personal
from loganon.verify.view import View

_LONGEST_KEY = 4096
_OF_USERS = "user."
_DATA = (f"{TABLE}/", f"{PRIVATE_NAME}/staging/", f"{PRIVATE_NAME}/quarantine/")


def check_place(view: View, findings: Findings) -> None:
    """Every name under the store."""
    foreign = ""
    for entry in view.entries:
        if entry.kind not in (FILE, DIRECTORY):
            findings.add("kinds", entry.path, "a link" if entry.kind == LINK else "a device, a pipe or a socket")
        elif not belongs(entry) and not (foreign and entry.path.startswith(foreign)):
            findings.add("foreign", entry.path, f"a {entry.kind} that is none of loganon's")
            foreign = f"{entry.path}/"
        if entry.device != view.entries[0].device:
            findings.add("device", entry.path, "a part of the store lies on another file system")
        if entry.kind == FILE and entry.links > 1 and entry.path.startswith(_DATA):
            findings.add("copies", entry.path, f"a cell has {count_of(entry.links, 'name')}")
        if count_personal(list(_attributes(view, entry))):
            findings.add("address", entry.path, "an extended attribute shaped like an address or an e-mail")
        if _is_key(view, entry):
            findings.add("key", entry.path, "a file holds the key of this store's fingerprints")
    shared = ("purpose.share",) if view.policy.purpose.share == "none" else ()
    for check, faults in (
        ("modes", find_wrong_modes(view.entries, view.store.modes)),
        ("owner", find_wrong_owners(view.entries, view.store.modes)),
    ):
        for fault in faults:
            findings.add(check, fault.path or ".", fault.what, clauses=shared)


def _attributes(view: View, entry: Entry) -> Iterator[str]:
    """The names and texts of the attributes that users may give a file; none where the system has no such thing."""
    if entry.kind not in (FILE, DIRECTORY) or not hasattr(os, "listxattr"):
        return
    path = view.store.path / entry.path
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            if name.startswith(_OF_USERS):
                yield name
                yield os.getxattr(path, name, follow_symlinks=False).decode("utf-8", "replace")
    except OSError:  # it went meanwhile, or its file system has none
        return


def _is_key(view: View, entry: Entry) -> bool:
    """True for a file that is none of the store's own and holds its key."""
    if entry.kind != FILE or belongs(entry) or entry.size > _LONGEST_KEY:
        return False
    try:
        view.store.check_key(make_key(Files().read(view.store.path / entry.path)).check)
    except (ConfigurationError, OSError):
        return False
    return True
