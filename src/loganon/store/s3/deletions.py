"""The deletion record of a store in a bucket: one JSON line when a deletion begins and one when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from loganon.buckets import Bucket
from loganon.store.deletions import BEGUN, DONE, MEMBERS, VERSION, unfinished
from loganon.store.documents import Document, dump
from loganon.store.logfile import parse_entries
from loganon.store.retention import Drop
from loganon.store.s3.names import DELETIONS


@dataclass(frozen=True, slots=True)
class Deletions:
    """The record; `policy_sha256`: the policy under which is deleted."""

    bucket: Bucket
    policy_sha256: str

    def begin(self, drop: Drop, now: datetime) -> None:
        """The partition's deletion is recorded as begun, unless it already is."""
        entry: Document = {
            "partition": drop.day.isoformat(),
            "files": drop.files,
            "rows": drop.rows,
            "bytes": drop.bytes,
            "rule": drop.rule,
            "policy_sha256": self.policy_sha256,
        }

        def change(data: bytes | None) -> bytes | None:
            return None if _begun(data, drop.day) else _longer(data, entry, BEGUN, now)

        self.bucket.change(DELETIONS, change)

    def finish(self, day: date, now: datetime) -> None:
        """The partition's deletion is recorded as done, with what it was when it began."""

        def change(data: bytes | None) -> bytes | None:
            begun = _begun(data, day)
            return _longer(data, begun, DONE, now) if begun else None

        self.bucket.change(DELETIONS, change)

    def unfinished(self) -> list[date]:
        """The days of which a deletion has begun and is not done."""
        return unfinished(self.entries())

    def entries(self) -> list[Document]:
        """All entries, oldest first; a line that is no entry is left out."""
        found = self.bucket.get(DELETIONS)
        return _parse(found.data if found else None)


def _begun(data: bytes | None, day: date) -> Document | None:
    """The partition's entry that has begun and is not done."""
    found = [entry for entry in _parse(data) if entry["partition"] == day.isoformat()]
    return found[-1] if found and found[-1]["state"] == BEGUN else None


def _longer(data: bytes | None, entry: Document, state: str, now: datetime) -> bytes:
    entry = entry | {"version": VERSION, "state": state, "time": now.astimezone(UTC).isoformat()}
    known = data or b""
    torn = known and not known.endswith(b"\n")
    return known + (b"\n" if torn else b"") + dump(entry)


def _parse(data: bytes | None) -> list[Document]:
    """As of a directory's record: a line that is none of loganon's stops no deletion."""
    return parse_entries((data or b"").splitlines(), MEMBERS)
