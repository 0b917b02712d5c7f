"""The store as it is committed: where an unfinished commit stands, its staged files count as the ones they will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from loganon.errors import LoganonError
from loganon.policy import Policy
from loganon.store import LocalStore, Record
from loganon.store.files import Files, reported
from loganon.store.layout import (
    PRIVATE_NAME,
    SOURCES,
    STATE_FILE,
    TABLE,
    CellName,
    parse_cell,
    parse_partition,
    parse_record,
)
from loganon.store.manifest import State, decode_state
from loganon.store.records import bury, decode_record
from loganon.store.tree import FILE, Entry
from loganon.verify.findings import Findings

STAGING = f"{PRIVATE_NAME}/staging/"


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a store. `staged`: paths under the store whose next version waits in staging, and where."""

    store: LocalStore
    policy: Policy
    now: datetime
    entries: tuple[Entry, ...]
    staged: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        """The bytes of a file of the store; a link is an error."""
        return Files().read(self.where(path))

    def where(self, path: str) -> Path:
        """Where the file of that path lies."""
        return self.store.path / self.staged.get(path, path)

    def days(self) -> dict[date, list[CellName]]:
        """The cells of every partition that has some, in order."""
        found: dict[date, list[CellName]] = {}
        for path in self._files(TABLE):
            folder, _, file = path.removeprefix(f"{TABLE}/").partition("/")
            day = parse_partition(folder)
            cell = parse_cell(day, file) if day else None
            if cell:
                found.setdefault(cell.day, []).append(cell)
        return {day: sorted(cells) for day, cells in sorted(found.items())}

    def records(self, findings: Findings) -> dict[str, Record]:
        """The readable source records by id; of the others a finding each."""
        found = {}
        for path in self._files(SOURCES):
            source = parse_record(path.rpartition("/")[2])
            if source is None:
                continue
            try:
                record = decode_record(self.read(path), Path(path))
                if record != bury(source):  # its file is about to go
                    found[source] = record
            except LoganonError as error:
                findings.add("records", path, error.what)
            except OSError as error:
                findings.add("records", path, f"cannot be read ({error.strerror})")
        return found

    def state(self) -> State:
        """The cutoff and the last commit; 74 where they cannot be read."""
        path = self.where(STATE_FILE)
        with reported(path):
            return decode_state(self.read(STATE_FILE), path)

    def _files(self, folder: str) -> list[str]:
        """The paths of all regular files in it, those included that are still to come."""
        found = {each.path for each in self.entries if each.kind == FILE} | self.staged.keys()
        return sorted(path for path in found if path.startswith(f"{folder}/"))
