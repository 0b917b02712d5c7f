"""What is laid before a data-protection officer, as frozen values: what loganon found, apart from what people say.

`generated` is what the program, the store and its checks say. `attested` is what the policy's author wrote or only
people can promise; where nobody has said it, it is empty and `open`. Nothing in here is a value from a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from loganon.policy.clauses import Clause
from loganon.policy.outline import Kept
from loganon.verify import BROKEN, HELD, NOT_CHECKED, Check

VERSION = 1
"""Of the JSON form."""
IN_PART = "held in part"
_OF_CELLS = frozenset(("columns", "values", "address", "hidden", "totals", "dates", "minimum", "sealed", "stamp"))
"""The checks that look into cells."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the record of processing: which (`30(1)(b)`), what it asks for, and both kinds of answers.

    `open`: what is left for people to say; "" where nothing is.
    """

    reference: str
    asks: str
    generated: str = ""
    attested: str = ""
    open: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the deletion concept, in the words of DIN 66398; `owner`: "" where nobody is named.

    `generated`: loganon carries it out or checks it; else only people see to it.
    """

    data_type: str
    start: str
    period: str
    rule: str
    owner: str
    generated: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry of the deletion log; `done`: None where the end was not recorded; `result`: in words."""

    partition: str
    rows: int
    bytes: int
    files: int
    rule: str
    policy_sha256: str
    begun: str
    done: str | None
    result: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """What had to be gone, or could not be judged; `due`: None where no day is known; `clauses`: that it breaks."""

    what: str
    due: date | None
    why: str
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Figures: `lines` by outcome; `answers`: by column the accesses that have an answer in place of a value.

    `lists`: versions of lists and databases that the cells name, with how many cells name each; `databases`: each
    provider database with the day it was built and its age in days.
    """

    lines: Mapping[str, int]
    requests: int
    sizes: Mapping[str, int]
    domains: Mapping[str, float]
    answers: Mapping[str, Mapping[str, int]]
    lists: Mapping[str, Mapping[str, int]]
    databases: tuple[tuple[str, date, int], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What store, under which policy, at what time."""

    store: str
    uuid: str
    created: datetime
    now: datetime
    policy: str
    title: str
    derived_from: str
    version: int
    valid_from: date
    sha256: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one store at one time."""

    head: Head
    clauses: tuple[Clause, ...]
    fields: tuple[Kept, ...]
    record: tuple[Item, ...]
    concept: tuple[Rule, ...]
    deletions: tuple[Deletion, ...]
    overdue: tuple[Overdue, ...]
    checks: tuple[Check, ...]
    coverage: Coverage
    last_trace: str
    limits: tuple[str, ...]

    def outcome(self, clause: Clause) -> str:
        """What the checks of a clause say: `held`, `broken`, `not checked`; "" for one that none proves.

        `held in part`: one of its checks was not made, or a cell could not be read.
        """
        found = {check.id: check.outcome for check in self.checks}
        own = {found[check] for check in clause.rule.checks}
        named = {key for check in self.checks for finding in check.findings for key in finding.clauses}
        if clause.key in named:
            return BROKEN
        if own <= {NOT_CHECKED}:
            return NOT_CHECKED if own else ""
        blind = found["readable"] != HELD and _OF_CELLS & set(clause.rule.checks)
        return IN_PART if blind or NOT_CHECKED in own else HELD

    def as_dict(self) -> dict[str, Any]:
        """The store's object in the JSON file."""
        return {
            **_plain(asdict(self.head)),
            "generated": {
                "clauses": [
                    {
                        "key": each.key,
                        "value": each.value,
                        "enforced": each.rule.enforced or None,
                        "checks": list(each.rule.checks),
                        "outcome": self.outcome(each) or None,
                    }
                    for each in self.clauses
                    if each.rule.enforced or each.rule.checks
                ],
                "fields": [_plain(asdict(each)) for each in self.fields],
                "record_of_processing": [
                    {"item": each.reference, "asks": each.asks, "says": each.generated}
                    for each in self.record
                    if each.generated
                ],
                "deletion_concept": [_rule(each) for each in self.concept if each.generated],
                "deletion_log": [_plain(asdict(each)) for each in self.deletions],
                "last_trace": self.last_trace,
                "overdue": [_plain(asdict(each)) for each in self.overdue],
                "checks": [check.as_dict() for check in self.checks],
                "coverage": _plain(asdict(self.coverage)),
            },
            "attested": {
                "clauses": [
                    {"key": each.key, "value": each.value, "says": each.rule.attested}
                    for each in self.clauses
                    if each.rule.attested
                ],
                "record_of_processing": [
                    {
                        "item": each.reference,
                        "asks": each.asks,
                        "says": each.attested or None,
                        "open": each.open or None,
                    }
                    for each in self.record
                    if each.attested or each.open
                ],
                "deletion_concept": [_rule(each) for each in self.concept if not each.generated],
            },
            "limits": list(self.limits),
        }


@dataclass(frozen=True, slots=True)
class Unread:
    """A store of which there is no evidence, and why."""

    store: str
    error: str

    def as_dict(self) -> dict[str, Any]:
        """The store's object in the JSON file."""
        return {"store": self.store, "error": self.error}


def _rule(each: Rule) -> dict[str, Any]:
    return {
        "data_type": each.data_type,
        "start": each.start,
        "period": each.period,
        "rule": each.rule,
        "owner": each.owner or None,
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it: dates as texts, tuples as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
