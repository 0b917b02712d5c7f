"""The clauses of a policy: what each key promises, and by what it is kept: enforced, verified, attested.

Enforced: loganon does it. Verified: a check of `verify` proves it on a store. Attested: only people can promise it. One
clause can be all three. Keys that promise nothing alone (`also_expire.path`) are parts of another clause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from loganon.fields import FIELDS
from loganon.policy.changes import written
from loganon.policy.model import Policy
from loganon.policy.parts import Entry


class Kind(StrEnum):
    """By what a clause is kept."""

    ENFORCED = "enforced"
    VERIFIED = "verified"
    ATTESTED = "attested"


@dataclass(frozen=True, slots=True)
class Rule:
    """What stands for the value of a key. `enforced`: what loganon does; `checks`: those of `verify` that prove it.

    `attested`: what only people can promise; "" where nothing is left to them.
    """

    enforced: str = ""
    checks: tuple[str, ...] = ()
    attested: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One key of one policy, its value as a policy writes it, and its rule."""

    key: str
    value: str
    rule: Rule

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """By what it is kept."""
        found = {
            Kind.ENFORCED: self.rule.enforced,
            Kind.VERIFIED: self.rule.checks,
            Kind.ATTESTED: self.rule.attested,
        }
        return tuple(kind for kind, says in found.items() if says)


Says = Callable[[object], Rule | None]
"""From a key's value to its rule; None where that value promises nothing."""

CLOSED_LIST = "fields"
FROZEN = "version"
_COPIES = "that copies elsewhere go in time: backups, snapshots, what readers of the table took out of it"


def _age(value: object) -> Rule:
    if str(value) == "unlimited":
        return Rule("accepted only where every field is anonymous", ("policy",), _COPIES)
    return Rule(
        "a partition goes at 00:00 UTC of its day; no line of such a day is counted any more, no backup revives one",
        ("cutoff", "age", "retention", "deletions", "copies", "clock", "device", "dates"),
        _COPIES,
    )


def _evaluate(value: object) -> Rule:
    if value:
        return Rule(attested="that the evaluation serves statistics only")
    return Rule("`loganon report` is refused", attested="that nobody evaluates the table by other means")


def _share(value: object) -> Rule:
    if value == "none":
        return Rule(
            "loganon gives the table to nobody: its files can be read by its user, and its group if it has one",
            ("modes", "owner"),
            "that nobody who may read it passes it on, but by law",
        )
    return Rule(attested="to whom the counts are passed on, and that raw logs are not")


def _raw(value: object) -> Rule:
    removed = "`run --remove-source` removes a log once it is counted" if value == "removed after ingest" else ""
    return Rule(removed, ("raw",), "that whatever else writes, rotates or copies these logs keeps to this")


def _error(_value: object) -> Rule:
    return Rule(checks=("raw",), attested="that whatever rotates error logs deletes them; loganon does not read them")


def _require(value: object) -> Rule | None:
    wanted = "accesses without a cookie are rejected as `no_consent`, where the log shows cookies"
    return Rule(wanted, attested="that there is consent: a cookie is none itself") if value else None


def _exclude(value: object) -> Rule | None:
    wanted = "accesses with such a signal are rejected as `no_consent`, where the log shows it; it is not stored"
    return Rule(wanted, attested="that a signal is asked for and written into the log") if value else None


def _sites(value: object) -> Rule:
    if not value:
        return Rule(attested="that only one's own sites are logged")
    wanted = "accesses to other hosts are rejected as `excluded`, where the log shows the host"
    return Rule(wanted, attested="that only these sites are logged, where the log shows no host")


def _field(_value: object) -> Rule:
    return Rule("the value is treated before it is first written", ("values", "address", "columns"))


def _sum(_value: object) -> Rule:
    return Rule("numbers are summed over the accesses of a row", ("totals", "columns"))


def _minimum(value: object) -> Rule | None:
    wanted = "rarer values of a day become `other` when it is sealed, three days after its beginning"
    return Rule(wanted, ("minimum", "sealed")) if isinstance(value, int) and value > 1 else None


def _prefix(_value: object) -> Rule:
    return Rule("no more bits of an address are written", ("address",), "that a shortened address identifies nobody")


def _only(text: str) -> Says:
    return lambda value: Rule(text, ("values",)) if value else None


RULES: Mapping[str, Says] = {
    "version": lambda _: Rule("a store freezes its policy; only a tighter one takes its place", ("policy", "stamp")),
    "keep_for": _age,
    "controller.name": lambda _: Rule(attested="who is responsible"),
    "controller.contact": lambda _: Rule(attested="how to reach them"),
    "purpose.evaluate": _evaluate,
    "purpose.share": _share,
    "raw.access": _raw,
    "raw.error": _error,
    "consent.require": _require,
    "consent.exclude_when": _exclude,
    "scope.sites": _sites,
    "also_expire.age": lambda _: Rule(checks=("elsewhere",), attested="that its owner deletes what is overdue"),
    "also_expire.action": lambda value: (
        Rule("`run`, `follow` and `retain` delete what is overdue", ("elsewhere",)) if value == "delete" else None
    ),
    "hold.until": lambda _: Rule("nothing held is deleted before", ("elsewhere", "deletions"), "that its basis holds"),
    "hold.use": lambda value: None if value else Rule("`loganon report` leaves the days out"),
    CLOSED_LIST: lambda _: Rule(
        "no other column is ever written; every text passes the gate",
        ("columns", "values", "keys", "address", "hidden", "key", "foreign", "kinds"),
        "that no person can be identified: a legal judgement",
    ),
    "fields.*.as": _field,
    "fields.*.minimum": _minimum,
    "fields.bytes.as": _sum,
    "fields.response_time.as": _sum,
    "fields.time.as": lambda _: Rule("the time is cut before it is first written", ("dates", "columns")),
    "fields.domain.known_only": _only("of a domain that is no known provider's only the public suffix is written"),
    "fields.domain.known": _only("these count as known providers, and no others than those of the list"),
    "fields.network.v4": _prefix,
    "fields.network.v6": _prefix,
    "fields.file.routes": _only("only these shapes of paths are written"),
    "fields.referrer.known": _only("these domains are written, and no others than those of the list"),
}
"""By key: what its value promises. `fields.*` stands for every field that has no rule of its own."""

SILENT = frozenset(
    (
        *("name", "title", "derived_from", "valid_from"),
        *(f"also_expire.{key}" for key in ("name", "path", "start", "owner", "copies")),
        *(f"hold.{key}" for key in ("scope", "basis", "owner")),
    )
)
"""The keys that promise nothing by themselves: for people, or parts of what other clauses of their table say."""


def clauses_of(policy: Policy) -> tuple[Clause, ...]:
    """Every clause of the policy, in the order of its keys; keys as `verify` and `policy diff` name them."""
    return tuple(_clauses("", "", policy))


def rule_of(pattern: str) -> Says | None:
    """What stands for a key, entries of lists without their names (`also_expire.age`); None for one that has none."""
    if pattern in RULES:
        return RULES[pattern]
    head, _, key = pattern.rpartition(".")
    table, _, name = head.rpartition(".")
    return RULES.get(f"fields.*.{key}") if table == "fields" and name in FIELDS else None


def _clauses(path: str, pattern: str, part: BaseModel) -> Iterator[Clause]:
    for name, info in type(part).model_fields.items():
        key = info.alias or name
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            if pattern + key in RULES:
                names = ", ".join(each for each in FIELDS if getattr(value, each, None) is not None)
                yield from _clause(path + key, pattern + key, names, value)
            yield from _clauses(f"{path}{key}.", f"{pattern}{key}.", value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Entry):
            for entry in value:
                known_by = getattr(entry, entry.known_by)
                yield from _clauses(f'{path}{key} "{known_by}".', f"{pattern}{key}.", entry)
        elif value is not None:
            yield from _clause(path + key, pattern + key, written(value), value)


def _clause(path: str, pattern: str, text: str, value: object) -> Iterator[Clause]:
    says = rule_of(pattern)
    rule = says(value) if says is not None else None
    if rule is not None:
        yield Clause(path.removesuffix(".as"), text, rule)
