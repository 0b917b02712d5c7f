"""What a store is (`store.json`: identity, frozen policy) and how far it is (`state.json`: cutoff, last commit)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from loganon.store.documents import damaged, day, dump, load, moment

STORE_VERSION = 1
STATE_VERSION = 1


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
    """`cutoff`: the oldest day that may exist; `last_commit`: the clock at the last commit (UTC)."""

    cutoff: date | None = None
    last_commit: datetime | None = None


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


def decode_manifest(data: bytes, path: Path) -> Manifest:
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
        }
    )


def decode_state(data: bytes, path: Path) -> State:
    """The state; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, path, version=STATE_VERSION)
    try:
        cutoff, last = document["cutoff"], document["last_commit"]
        return State(None if cutoff is None else day(cutoff), None if last is None else moment(last))
    except (KeyError, TypeError, ValueError):
        raise damaged(path) from None
