"""The evidence as a document: sections of paragraphs and tables, the same for every form in which it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from loganon.evidence.values import IN_PART, Deletion, Evidence, Item, Unread
from loganon.pages import count, plural, share, size
from loganon.verify import BROKEN, CHECKS, HELD, NOT_CHECKED

GENERATED, ATTESTED = "generated", "attested"
_CODE = re.compile(r"`([A-Za-z0-9 _.{}\[\]-]+)`")
_TIGHT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9a-f]{12}|[0-9]{1,2}(?:\([0-9a-z]\))+")
_OUTCOMES = {HELD: "ok", BROKEN: "wrong", NOT_CHECKED: "warn", IN_PART: "warn"}
OPEN = "to be filled in: "
_NOBODY = f"{OPEN}who answers for it"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `numbers`: the columns that hold numbers, by index."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that stands out; `kind`: "ok", "warn" or "wrong"."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Sentences, one below the other."""

    texts: tuple[str, ...]


def spans(text: str) -> tuple[tuple[bool, str], ...]:
    """The runs of a text: what stands between backquotes is code, if it is plain, and the backquotes go."""
    runs = _CODE.split(text)
    return tuple((bool(n % 2), run) for n, run in enumerate(runs) if run)


def kind_of(cell: str) -> str:
    """How a cell of a table is set: an outcome by its colour, a day or a hash unbroken, what is left open marked."""
    if cell.startswith(OPEN):
        return "open"
    return "tight" if _TIGHT.fullmatch(cell) else _OUTCOMES.get(cell, "")


Block: TypeAlias = str | Table | Said | Listed
"""A paragraph is a text."""


@dataclass(frozen=True, slots=True)
class Section:
    """`of`: "generated", "attested", or "" for one that is neither."""

    title: str
    of: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What is said of one store."""

    store: str
    sections: tuple[Section, ...]


def part_of(found: Evidence | Unread) -> Part:
    """The document's part about one store."""
    if isinstance(found, Unread):
        text = f"This store could not be read, so that nothing is proved of it: {found.error}"
        return Part(found.store, (Section("Not read", "", (Said(text, "wrong"),)),))
    sections = (
        Section("What this is about", "", tuple(_head(found))),
        Section("Clauses of the policy", GENERATED, (_clauses(found),)),
        Section("What is stored of an access", GENERATED, tuple(_fields(found))),
        Section("Record of processing, as far as loganon can tell", GENERATED, (_record(found, "generated"),)),
        Section("Deletion concept", GENERATED, (_concept(found, generated=True), found.last_trace)),
        Section("Overdue, or not to be judged", GENERATED, (_overdue(found),)),
        Section("Deletion log", GENERATED, tuple(_log(found.deletions))),
        Section("Checks", GENERATED, tuple(_checks(found))),
        Section("Coverage", GENERATED, tuple(_coverage(found))),
        Section("What only people can promise", ATTESTED, (_attested(found),)),
        Section("Record of processing, for people to say", ATTESTED, (_record(found, "attested"),)),
        Section("Deletion that only people see to", ATTESTED, (_concept(found, generated=False),)),
        Section("Limits", "", (Listed(found.limits),)),
    )
    return Part(found.head.store, sections)


def _head(found: Evidence) -> Iterator[Block]:
    head = found.head
    broken = [check.id for check in found.checks if check.outcome == BROKEN]
    left = [check.id for check in found.checks if check.outcome == NOT_CHECKED]
    if broken:
        yield Said(f"Not everything holds: {plural(len(broken), 'check')} failed ({', '.join(broken)}).", "wrong")
    else:
        held = len(found.checks) - len(left)
        yield Said(f"No check failed: {held} hold" + (f", {len(left)} were not made." if left else "."), "ok")
    source = f"; derived from: {head.derived_from}" if head.derived_from else ""
    rows = (
        ("store", head.store),
        ("its id, and when it was made", f"{head.uuid}, {_minute(head.created)}"),
        ("as of", _minute(head.now)),
        ("policy", f"{head.policy}, version {head.version}, valid from {head.valid_from}{source}"),
        ("the policy's SHA-256", head.sha256),
    )
    yield Table("Store and policy", ("what", "is"), rows)
    yield (
        "Generated: loganon found it in the store, or does it itself. Attested: people say it; loganon prints it and "
        "claims none of it."
    )


def _clauses(found: Evidence) -> Table:
    rows = tuple(
        (
            each.key,
            each.value,
            each.rule.enforced or "-",
            ", ".join(each.rule.checks) or "-",
            found.outcome(each) or "-",
        )
        for each in found.clauses
        if each.rule.enforced or each.rule.checks
    )
    columns = ("clause", "value", "enforced: what loganon does", "verified by the checks", "outcome")
    return Table("Clauses that are enforced or verified", columns, rows)


def _attested(found: Evidence) -> Table:
    rows = tuple((each.key, each.value, each.rule.attested) for each in found.clauses if each.rule.attested)
    return Table("Clauses, as far as they are attested", ("clause", "value", "what only people can promise"), rows)


def _fields(found: Evidence) -> Iterator[Block]:
    rows = tuple(
        (
            each.field,
            ", ".join(each.columns),
            each.technique,
            ", ".join(filter(None, (f'as = "{each.treatment}"', each.parameters))),
            str(each.minimum or "-"),
        )
        for each in found.fields
    )
    yield Table(
        "Fields, in the words of RFC 6235",
        ("field", "columns", "technique", "parameters", "minimum"),
        rows,
        (4,),
    )
    yield "Nothing else of an access is stored. Each row counts the accesses that agree in all of its columns."


def _record(found: Evidence, of: str) -> Table:
    if of == GENERATED:
        rows = tuple((each.reference, each.asks, each.generated) for each in found.record if each.generated)
        return Table("Generated items (GDPR Art. 30(1))", ("item", "asks for", "found"), rows)
    asked = (each for each in found.record if each.attested or each.open)
    rows = tuple((each.reference, each.asks, _said(each)) for each in asked)
    return Table("Attested items (GDPR Art. 30(1))", ("item", "asks for", "said, or to be filled in"), rows)


def _said(item: Item) -> str:
    return "; ".join(filter(None, (item.attested, OPEN + item.open if item.open else "")))


def _concept(found: Evidence, *, generated: bool) -> Table:
    rows = tuple(
        (each.data_type, each.start, each.period, each.rule, each.owner or _NOBODY)
        for each in found.concept
        if each.generated is generated
    )
    caption = "Deletion rules that loganon carries out" if generated else "Deletion rules that loganon only declares"
    return Table(caption, ("data type", "start of the period", "period", "rule", "owner"), rows)


def _overdue(found: Evidence) -> Block:
    if not found.overdue:
        return Said("Nothing is overdue of what was judged.", "ok")
    rows = tuple((each.what, str(each.due or "-"), each.why, ", ".join(each.clauses) or "-") for each in found.overdue)
    return Table("Overdue, or not to be judged", ("where", "had to go on", "what", "clause"), rows)


def _log(entries: Sequence[Deletion]) -> Iterator[Block]:
    if not entries:
        yield "Nothing has been deleted so far."
        return
    rows = tuple(
        (
            each.partition,
            count(each.rows),
            count(each.bytes),
            each.rule,
            each.policy_sha256[:12],
            _time(each.done or each.begun),
            each.result,
        )
        for each in reversed(entries)
    )
    columns = ("partition", "rows", "bytes", "rule", "policy", "time (UTC)", "result")
    yield Table("Deletions, the newest first", columns, rows, (1, 2))
    total = sum(each.rows for each in entries)
    yield (
        f"{plural(len(entries), 'deletion')}, {plural(total, 'row')}. `policy` is the beginning of the SHA-256 of the "
        "policy under which was deleted. No content is recorded."
    )


def _checks(found: Evidence) -> Iterator[Block]:
    rows = tuple((CHECKS[each.id].word, each.id, CHECKS[each.id].holds, each.outcome) for each in found.checks)
    yield Table("Checks of `loganon verify`", ("promise", "check", "holds if", "outcome"), rows)
    findings = [
        (check.id, each.where, each.what, ", ".join(each.clauses) or "-")
        for check in found.checks
        for each in check.findings
    ]
    if findings:
        yield Table("Findings", ("check", "where", "what", "clauses"), tuple(findings))
    notes = tuple(f"{check.id}: {note}" for check in found.checks for note in check.notes)
    reasons = tuple(f"{check.id} was not made: {check.why}" for check in found.checks if check.why)
    if notes or reasons:
        yield Listed((*reasons, *notes))


def _coverage(found: Evidence) -> Iterator[Block]:
    coverage = found.coverage
    lines = tuple((name, count(number)) for name, number in coverage.lines.items())
    yield Table("Lines of the logs", ("lines", "number"), lines, (1,))
    sizes = [(name, count(number)) for name, number in coverage.sizes.items() if name != "bytes"]
    rows = (*sizes, ("size", size(coverage.sizes["bytes"])), ("accesses", count(coverage.requests)))
    yield Table("The table", ("what", "number"), rows, (1,))
    if coverage.domains:
        domains = tuple((name, f"{each:.1%}".replace("%", " %")) for name, each in coverage.domains.items())
        yield Table("Domains: share of all accesses", ("domain", "share"), domains, (1,))
    yield from _answers(coverage.answers, coverage.requests)
    lists = tuple(
        (name, version, count(cells))
        for name, versions in sorted(coverage.lists.items())
        for version, cells in sorted(versions.items())
    )
    if lists:
        yield Table("Versions of lists and databases that the cells name", ("list", "version", "cells"), lists, (2,))
    databases = tuple((kind, str(built), count(age)) for kind, built, age in coverage.databases)
    if databases:
        yield Table("Provider databases", ("type", "built on", "age in days"), databases, (2,))
    else:
        yield "No provider database was used for what stands: a bare address has no provider and is `unknown`."


def _answers(answers: Mapping[str, Mapping[str, int]], requests: int) -> Iterator[Block]:
    rows = tuple(
        (column, answer, count(number), share(number, requests))
        for column, found in answers.items()
        for answer, number in found.items()
    )
    if rows:
        columns = ("column", "answer", "accesses", "share")
        yield Table("Answers in place of a value", columns, rows, (2, 3))


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _time(text: str) -> str:
    """A moment of the log, to the second; what is none stands as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return text
