"""What a store is (`store.json`: identity, frozen policy) and how far it is (`state.json`: cutoff, last commit)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from loganon.store.documents import Document, Steps, count, damaged, day, dump, load, moment

STORE_VERSION = 1
STATE_VERSION = 2


@dataclass(frozen=True, slots=True)
class PolicyStamp:
    """A policy frozen into a store: its name, the SHA-256 of its meaning, and its text, which no store reads."""

    name: str
    sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`key_check`: a value of the key by which another key is recognised; `group`: who may read the table."""

    uuid: str
    created: datetime
    policy: PolicyStamp
    key_check: str
    group: str | None


@dataclass(frozen=True, slots=True)
class State:
    """How far a store is.

    `cutoff`: the oldest day that may exist; `last_commit`: the clock at the last commit (UTC); `generations`: the sum
    of all records' generations, by which a lost or an older one shows (None: not yet known); `floor`: lines before it
    are expired, since what would recognise them is gone; `owed`: deleted lines by source that could not be entered in
    its record; `expired`: records whose newest line and last commit are both no later than this day are gone.
    """

    cutoff: date | None = None
    last_commit: datetime | None = None
    generations: int | None = 0
    floor: datetime | None = None
    owed: Mapping[str, int] = field(default_factory=dict)
    expired: date | None = None


def encode_manifest(manifest: Manifest) -> bytes:
    """`store.json`."""
    policy = manifest.policy
    return dump(
        {
            "version": STORE_VERSION,
            "uuid": manifest.uuid,
            "created": manifest.created.isoformat(),
            "policy": {"name": policy.name, "sha256": policy.sha256, "text": policy.text},
            "key_check": manifest.key_check,
            "group": manifest.group,
        }
    )


def decode_manifest(data: bytes, path: Path | str) -> Manifest:
    """The manifest; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, path, version=STORE_VERSION)
    try:
        policy = document["policy"]
        texts = (document["uuid"], policy["name"], policy["sha256"], policy["text"], document["key_check"])
        created, group = moment(document["created"]), document["group"]
    except (KeyError, TypeError, ValueError):
        raise damaged(path) from None
    if not all(isinstance(text, str) for text in (*texts, group or "")):
        raise damaged(path)
    uuid, name, sha256, text, key_check = texts
    return Manifest(uuid, created, PolicyStamp(name, sha256, text), key_check, group)


def encode_state(state: State) -> bytes:
    """`state.json`."""
    return dump(
        {
            "version": STATE_VERSION,
            "cutoff": state.cutoff and state.cutoff.isoformat(),
            "last_commit": state.last_commit and state.last_commit.isoformat(),
            "generations": state.generations,
            "floor": state.floor and state.floor.isoformat(),
            "owed": {source: lines for source, lines in state.owed.items() if lines},
            "expired": state.expired and state.expired.isoformat(),
        }
    )


def decode_state(data: bytes, path: Path | str) -> State:
    """The state; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, path, version=STATE_VERSION, steps=_STATE_STEPS)
    try:
        cutoff, last, floor, expired = (document[name] for name in ("cutoff", "last_commit", "floor", "expired"))
        generations = document["generations"]
        return State(
            cutoff=None if cutoff is None else day(cutoff),
            last_commit=None if last is None else moment(last),
            generations=None if generations is None else count(generations),
            floor=None if floor is None else moment(floor),
            owed={str(source): count(lines) for source, lines in document["owed"].items()},
            expired=None if expired is None else day(expired),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged(path) from None


def _state_1(document: Document) -> Document:
    """Version 1 knew of no generations; they are counted under the lock, from the records."""
    return document | {"generations": None, "floor": None, "owed": {}, "expired": None}


_STATE_STEPS: Steps = {1: _state_1}
"""The next version's step is one more entry."""
