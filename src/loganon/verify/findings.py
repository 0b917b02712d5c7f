"""What a verification says: one answer for each check, with what was found and the figures it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from loganon.buckets import is_object
from loganon.errors import CheckError, printable
from loganon.policy.clauses import CLOSED_LIST, FROZEN
from loganon.shapes import decode, holds_personal, personal

HELD, BROKEN, NOT_CHECKED = "held", "broken", "not checked"


class Promise(NamedTuple):
    """What a check proves: the promise's word, what must hold, the way out where it does not.

    `clauses`: the keys of the policy that a finding breaks where it does not say itself which.
    """

    word: str
    holds: str
    fix: str
    clauses: tuple[str, ...] = ()


_RESTORE = "Restore the store from a backup, or take a new one; docs/operations.md says how"
_DEFECT = "Report it as a defect of loganon; until it is mended take the cell out of the store"
_RETAIN = "Run `loganon retain`, and see that its timer runs"
_FOREIGN = "Find out who put it there, and take it out of the store"
_LISTED = (CLOSED_LIST,)
_AGED = ("keep_for",)
_RIGHTS = "Set mode and owner back as they were made, and find out who changed them"

CHECKS: Mapping[str, Promise] = {
    "columns": Promise(
        "closed list", "every cell has exactly the policy's columns and types, and no nulls", _DEFECT, _LISTED
    ),
    "values": Promise(
        "closed list", "values stand in the closed lists, or are of the form their field has", _DEFECT, _LISTED
    ),
    "keys": Promise(
        "closed list", "footers and private files hold loganon's keys only, each of its form", _DEFECT, _LISTED
    ),
    "address": Promise("no address", "no text of the store is shaped like an address or an e-mail", _DEFECT, _LISTED),
    "hidden": Promise("no address", "no cell holds bytes or values that none of its rows uses", _DEFECT, _LISTED),
    "key": Promise(
        "no address", "the key of the fingerprints lies outside the store", "Move it out, with --key-file", _LISTED
    ),
    "conservation": Promise(
        "counted once", "of every source: lines stored + deleted + rejected = lines done", _RESTORE
    ),
    "readable": Promise("counted once", "every cell can be read whole; its checksums hold", _RESTORE),
    "totals": Promise("counted once", "rows and requests of every cell are those that its footer names", _RESTORE),
    "rows": Promise("counted once", "rows of a cell are unique and in order", _DEFECT),
    "records": Promise("counted once", "every source has a readable record, which knows its newest line", _RESTORE),
    "generations": Promise("counted once", "the records are as many commits on as the store says", _RESTORE),
    "journal": Promise("counted once", "an unfinished commit can be finished", _RESTORE),
    "quarantine": Promise("counted once", "no damaged cell has been put aside", "It goes with its date"),
    "cutoff": Promise("gone on time", "no partition stands from before the cutoff", _RETAIN, _AGED),
    "elsewhere": Promise(
        "gone on time",
        "no file that `[[also_expire]]` names is past its age, and no hold has ended",
        "Run `loganon retain`; what the policy only reports is its owner's to delete",
    ),
    "age": Promise("gone on time", "nothing is older than the policy's age", _RETAIN, _AGED),
    "retention": Promise("gone on time", "retention has run: the cutoff is that of today or yesterday", _RETAIN, _AGED),
    "deletions": Promise("gone on time", "what the deletion record calls deleted is gone", _RETAIN, _AGED),
    "copies": Promise(
        "gone on time", "no cell has a second name, by which it would outlive its deletion", _FOREIGN, _AGED
    ),
    "dates": Promise(
        "gone on time", "every row lies in the partition and cell of its time", _DEFECT, ("fields.time", *_AGED)
    ),
    "clock": Promise(
        "gone on time", "no commit, cutoff or partition is ahead of the clock", "Set the clock right", _AGED
    ),
    "minimum": Promise("rare values", "in sealed days no value is rarer than the policy's minimum", _DEFECT),
    "sealed": Promise("rare values", "days that are due are sealed, each in all its cells", "Run `loganon run`"),
    "policy": Promise("one policy", "the frozen policy is the one whose hash the store bears", _RESTORE, (FROZEN,)),
    "stamp": Promise(
        "one policy", "every cell bears the store's UUID and schema version, and its policy", _FOREIGN, (FROZEN,)
    ),
    "foreign": Promise(
        "one store", "nothing lies in the store's directory that loganon did not make", _FOREIGN, _LISTED
    ),
    "kinds": Promise(
        "one store", "plain files and directories only: no link, device, pipe or socket", _FOREIGN, _LISTED
    ),
    "device": Promise("one store", "the store lies on one file system", "Unmount what is mounted within it", _AGED),
    "modes": Promise("one store", "files and directories have the modes they were made with", _RIGHTS),
    "owner": Promise("one store", "everything belongs to one user, and the table to its group", _RIGHTS),
    "raw": Promise("raw logs", "the logs given by --raw are no older than the policy says of them", "Delete them"),
}
"""Every check by its stable id, in the order of the report."""

FIGURES: Mapping[str, str] = {
    "sources": "logs that have a record, or lines in the table",
    "lines_done": "lines read, over all records",
    "lines_live": "of these counted, in days from the cutoff on",
    "lines_deleted": "of these counted, in days before the cutoff",
    "lines_rejected": "of these rejected, by reason",
    "partitions": "days that stand",
    "cells": "files of the table that were read",
    "rows": "their rows",
    "bytes": "their size on the disk",
    "texts": "distinct texts that were searched for addresses and e-mails, cell by cell",
    "domain": "share of all accesses whose domain is `unknown`, `other`, `{redacted}`, a public suffix",
    "requests": "accesses that the table counts",
    "answers": "of these, by column: those with `unknown`, `other`, `other-bot`, `{invalid}`, `{redacted}` for a value",
    "lists": "versions of lists and databases that the footers name, and how many cells name each",
}
"""The figures of the report, and what they say."""

PARTED = frozenset(("lines_rejected", "domain", "answers", "lists"))
"""Those that are several by name, of which there are none where nothing was measured; the others are numbers."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that breaks a promise: where, as a path under the store or of a raw log, and what; never a value.

    `fix`: the way out, where it is another than the check's; `clauses`: the keys of the policy that are broken, as
    `policy diff` writes them; none where it is the store that is damaged.
    """

    where: str
    what: str
    fix: str = ""
    clauses: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """What is wrong, and which clauses it breaks."""
        return f"{self.what}; this breaks {' and '.join(self.clauses)}" if self.clauses else self.what


@dataclass(frozen=True, slots=True)
class Check:
    """One check's answer. `why`: why it was not made; `notes`: what is worth knowing and breaks nothing."""

    id: str
    outcome: str
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The check's entry in the JSON report."""
        promise = CHECKS[self.id]
        return {
            "id": self.id,
            "promise": promise.word,
            "holds": promise.holds,
            "outcome": self.outcome,
            "findings": [
                {"where": each.where, "what": each.what, "clauses": list(each.clauses)} for each in self.findings
            ],
            "notes": list(self.notes),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks on one store at one moment."""

    store: str
    uuid: str
    policy: str
    now: datetime
    checks: tuple[Check, ...]
    figures: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """True if no promise is broken."""
        return not self.broken

    @property
    def broken(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == BROKEN)

    @property
    def errors(self) -> tuple[CheckError, ...]:
        """One error for each finding."""
        return tuple(
            CheckError(
                f"{check.id}: {found.says}",
                where=_address(self.store, found.where),
                fix=found.fix or CHECKS[check.id].fix,
            )
            for check in self.broken
            for found in check.findings
        )

    def as_dict(self) -> dict[str, Any]:
        """The object that `verify --json` prints."""
        return {
            "store": self.store,
            "uuid": self.uuid,
            "policy": self.policy,
            "now": self.now.isoformat(),
            "holds": self.holds,
            "broken": [check.id for check in self.broken],
            "checks": [check.as_dict() for check in self.checks],
            "figures": dict(self.figures),
        }


def _address(store: str, where: str) -> str:
    """What the operator finds it by: a path, or in a bucket the object's address."""
    inside = is_object(store) and not where.startswith("/")
    return f"{store}/{where}" if inside else str(Path(store) / where)


@dataclass(slots=True)
class Findings:
    """What is found while a store is read, by check."""

    broken: dict[str, list[Finding]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, check: str, where: str, what: str, *, fix: str = "", clauses: Iterable[str] | None = None) -> None:
        """A promise is broken; `clauses`: which of the policy, where the check alone does not say it."""
        broken = CHECKS[check].clauses if clauses is None else tuple(clauses)
        self.broken.setdefault(check, []).append(Finding(shown(where), what, fix, broken))

    def note(self, check: str, text: str) -> None:
        """Something worth knowing that breaks nothing."""
        self.notes.setdefault(check, []).append(text)

    def skip(self, check: str, why: str) -> None:
        """The check is not made."""
        self.skipped[check] = why

    def checks(self) -> tuple[Check, ...]:
        """Every check's answer, in the order of the report."""
        return tuple(map(self._check, CHECKS))

    def _check(self, name: str) -> Check:
        found, notes = tuple(sorted(self.broken.get(name, ()))), tuple(self.notes.get(name, ()))
        if found:
            return Check(name, BROKEN, found, notes)
        if name in self.skipped:
            return Check(name, NOT_CHECKED, (), notes, self.skipped[name])
        return Check(name, HELD, (), notes)


def shown(path: str) -> str:
    """The path as it may be printed: a name that is shaped like an address is not."""
    text = printable(path)
    if not is_personal(text):
        return text
    return "/".join("{redacted}" if is_personal(part) else part for part in text.split("/"))


def is_personal(text: str) -> bool:
    """Whether a short text holds the shape of an address or an e-mail, percent-decoded too."""
    return holds_personal(decode(text).text)


def count_personal(texts: Sequence[str]) -> int:
    """How many of the texts hold the shape of an address or an e-mail, percent-decoded too."""
    return int(personal(pl.Series(texts, dtype=pl.String)).sum()) if texts else 0


def count_of(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
