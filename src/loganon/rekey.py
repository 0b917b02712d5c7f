"""A standing store under a new key: after the old one is lost, or source records that cannot be made again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from loganon.errors import LoganonError
from loganon.keys import create_key, load_key
from loganon.policy import from_canonical
from loganon.store import WAIT, LocalStore, Reset


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What was done: the store's `reset`, whether the key is a new one, and what else was found in the store."""

    reset: Reset
    made: bool
    findings: tuple[LoganonError, ...]


def reset_key(store: Path, key: Path, *, now: datetime, wait: timedelta = WAIT) -> Rekeyed:
    """The store goes by the key in `key`, which is made if it is missing, and no log is recognised any more.

    The key is on the disk before the store knows of it; run again, an interrupted reset is a whole one.
    """
    standing = LocalStore.open(store)
    policy = from_canonical(standing.policy.text, where=str(store))
    found = load_key(key, store=store)
    with standing.locked(wait) as held:
        secret = found or create_key(key)
        reset = held.reset_key(secret.check, unit=policy.spec.unit, now=now)
    return Rekeyed(reset, found is None, tuple(standing.findings))
