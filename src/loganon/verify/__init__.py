"""Proof of the promises on one store: every file is opened, every value looked at, every sum made again.

Nothing is changed. The store is read without its lock, so that a verification of any length holds no run up. What is
found broken while the store changed is not believed: the store is read again, the last time while nobody else may
change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loganon.errors import InputOutputError, LoganonError
from loganon.policy import from_canonical
from loganon.store import WAIT, LocalStore, Place, as_directory, open_standing
from loganon.store.journal import Unfinished
from loganon.verify.books import (
    check_conservation,
    check_deletions,
    check_journal,
    check_policy,
    check_records,
)
from loganon.verify.cells import ANSWER
from loganon.verify.days import check_dates, figures_of, read_days
from loganon.verify.documents import check_documents, check_labels
from loganon.verify.elsewhere import check_elsewhere
from loganon.verify.findings import (
    BROKEN,
    CHECKS,
    FIGURES,
    HELD,
    NOT_CHECKED,
    PARTED,
    Check,
    Finding,
    Findings,
    Verification,
)
from loganon.verify.place import check_place
from loganon.verify.raw import check_raw
from loganon.verify.view import STAGING, View

__all__ = [
    "BROKEN",
    "CHECKS",
    "FIGURES",
    "HELD",
    "NOT_CHECKED",
    "Check",
    "Finding",
    "Verification",
    "verify",
]

_READINGS = 3
_OF_ANY_TABLE = frozenset(
    ("foreign", "kinds", "device", "modes", "owner", "copies", "key", "policy", "journal", "raw", "elsewhere")
)
"""The checks that need no table, and can be made while two stand."""
_DOMAINS = ("provider", "suffix", "unknown", "other", "redacted")


def verify(place: Place, *, now: datetime, raw: Sequence[str] = (), wait: timedelta = WAIT) -> Verification:
    """Every promise, held against the store at `place` as it is now; `raw`: patterns of raw logs' paths.

    Raises ConfigurationError (78) where there is no store, InputOutputError (74) where `store.json` or `state.json`
    cannot be read, BusyError (75) where the store changed in every reading and its lock was not free within `wait`.
    """
    if isinstance(place, Path):
        return _verify(place, now, raw, wait)
    policy = from_canonical(open_standing(place).policy.text, where=place.url)
    held = policy.held(now.astimezone(UTC).date())
    for _ in range(_READINGS):  # what others write while it is copied can look like a fault
        with as_directory(place, held) as path:
            found = replace(_verify(path, now, raw, wait), store=place.url)
        if found.holds:
            break
    return found


def _verify(path: Path, now: datetime, raw: Sequence[str], wait: timedelta) -> Verification:
    for _ in range(_READINGS):
        store = LocalStore.open(path)
        before = store.tree()
        found = _prove(store, now, raw)
        if found.holds or store.tree() == before:
            return found
    store = LocalStore.open(path)
    with store.still(wait):
        return _prove(store, now, raw)


def _prove(store: LocalStore, now: datetime, raw: Sequence[str]) -> Verification:
    findings = Findings()
    pending = _pending(store)
    moves = pending.moves if isinstance(pending, Unfinished) else ()
    entries = store.tree()
    present = {entry.path for entry in entries}
    waiting = {move.final: f"{STAGING}{move.staged}" for move in moves}
    staged = {final: source for final, source in waiting.items() if source in present}
    view = View(store, from_canonical(store.policy.text, where=str(store.path)), now, entries, staged)
    check_place(view, findings)
    check_policy(view, findings)
    check_journal(view, findings, pending)
    check_raw(view.policy, findings, raw, now)
    check_elsewhere(view, findings)
    if isinstance(pending, Unfinished) and pending.table is not None:  # two tables and two policies stand
        for check in CHECKS.keys() - _OF_ANY_TABLE:
            findings.skip(check, "a change of policy is unfinished")
    else:
        _check_table(view, findings)
    figures = {name: findings.figures.get(name, {} if name in PARTED else 0) for name in FIGURES}
    return Verification(str(store.path), store.uuid, store.policy.name, now, findings.checks(), figures)


def _check_table(view: View, findings: Findings) -> None:
    """The cells, the records and what they add up to."""
    state = view.state()
    days = read_days(view, findings)
    check_dates(view, findings, state)
    records = check_records(view, findings, state, days.partitions)
    check_conservation(findings, state, records, days.partitions)
    check_deletions(view, findings)
    check_documents(view, findings, records)
    check_labels(findings, records)
    counts = findings.counts
    findings.figures |= {**figures_of(days), "texts": counts["texts"], "domain": _shares(counts)}
    findings.figures |= {"requests": counts["requests"], "answers": _answers(counts)}


def _answers(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """By column: the accesses that have each answer in place of a value."""
    found: dict[str, dict[str, int]] = {}
    for name, count in sorted(counts.items()):
        kind, _, rest = name.partition(" ")
        if kind == ANSWER:
            column, _, answer = rest.partition(" ")
            found.setdefault(column, {})[answer] = count
    return found


def _pending(store: LocalStore) -> Unfinished | LoganonError | None:
    try:
        return store.pending()
    except InputOutputError as error:
        return error


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    """The share of each kind of domain among all accesses; nothing where there are none."""
    total = sum(counts.get(f"domain {kind}", 0) for kind in _DOMAINS)
    return {kind: round(counts.get(f"domain {kind}", 0) / total, 4) for kind in _DOMAINS} if total else {}
