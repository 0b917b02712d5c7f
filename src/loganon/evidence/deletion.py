"""The deletion concept in the words of DIN 66398, the deletion log, and what is overdue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from loganon.evidence.values import Deletion, Overdue, Rule
from loganon.policy import Policy
from loganon.policy.elsewhere import AlsoExpire
from loganon.status import Status
from loganon.store.deletions import BEGUN, DONE
from loganon.store.expiry import UNLIMITED
from loganon.verify import Verification

_ON_TIME = ("cutoff", "age", "retention", "deletions", "copies", "elsewhere", "raw", "quarantine")
"""The checks whose findings are of what had to be gone."""


def concept_of(policy: Policy) -> tuple[Rule, ...]:
    """One rule for each type of data; then what holds suspend."""
    owner = ", ".join(filter(None, (policy.controller.name.strip(), policy.controller.contact.strip())))
    return (*_store(policy, owner), *_raw(policy), *_elsewhere(policy), *_holds(policy))


def log_of(entries: Sequence[Mapping[str, Any]], standing: Sequence[date]) -> tuple[Deletion, ...]:
    """One entry for each deletion, oldest first: its beginning and its end brought together."""
    found: list[Deletion] = []
    begun: dict[str, int] = {}
    for entry in entries:
        day = str(entry["partition"])
        if entry["state"] == DONE and day in begun:
            at = begun.pop(day)
            found[at] = _deletion(entry, found[at].begun, str(entry.get("time", "")), standing)
        else:
            if entry["state"] == BEGUN:
                begun[day] = len(found)
            done = None if entry["state"] == BEGUN else str(entry.get("time", ""))
            found.append(_deletion(entry, str(entry.get("time", "")), done, standing))
    return tuple(found)


def overdue_of(status: Status, found: Verification) -> tuple[Overdue, ...]:
    """What the checks of deletion found; each with the clause that it breaks, and the day where one is known."""
    goes = {f"access/date={day}": status.policy.goes(day) for day in status.overdue}
    files = {file.path: file.due for file in status.elsewhere.overdue}
    return tuple(
        Overdue(finding.where, goes.get(finding.where, files.get(finding.where)), finding.what, finding.clauses)
        for check in found.broken
        if check.id in _ON_TIME
        for finding in check.findings
    )


def last_trace(policy: Policy, day: date) -> date | None:
    """The day on which an access of `day` is gone everywhere that the policy names; None where nothing ever goes."""
    if policy.keep_for.unlimited:
        return None
    goes = policy.goes(day)
    copies = {entry.name: entry.age.after(goes) for entry in policy.also_expire if entry.copies}
    return max([goes, *copies.values(), *(hold.until for hold in policy.hold if hold.scope in copies)])


def _deletion(entry: Mapping[str, Any], begun: str, done: str | None, standing: Sequence[date]) -> Deletion:
    day = str(entry["partition"])
    if done is not None:
        result = "unlinked, directory synced"
    else:
        result = "not finished" if day in {str(each) for each in standing} else "gone; the end was not recorded"
    return Deletion(
        partition=day,
        rows=_count(entry.get("rows")),
        bytes=_count(entry.get("bytes")),
        files=_count(entry.get("files")),
        rule=str(entry.get("rule", "")),
        policy_sha256=str(entry.get("policy_sha256", "")),
        begun=begun,
        done=done,
        result=result,
    )


def _count(number: object) -> int:
    """The number; 0 for what is none, which the check `keys` names."""
    return number if type(number) is int else 0


def _store(policy: Policy, owner: str) -> Iterator[Rule]:
    by_day = "00:00 UTC of the partition's day, the oldest moment that it can hold"
    if policy.keep_for.unlimited:
        period, rule = "without limit", "Nothing is deleted; the policy admits this for anonymous fields only."
        records = str(UNLIMITED)
    else:
        period = str(policy.keep_for)
        rule = "`run`, `follow` and `retain` delete the partition whole at 00:00 UTC of the day on which its age comes."
        records = f"{policy.keep_for} behind the oldest day that may exist"
    yield Rule("table of accesses, one partition a day", by_day, period, rule, owner, generated=True)
    yield Rule("cells put aside as damaged", by_day, period, "They go with their day.", owner, generated=True)
    yield Rule(
        "source records: which log was read how far, no line of it",
        "the newest line, or the last commit if later",
        records,
        "`run`, `follow` and `retain` delete them.",
        owner,
        generated=True,
    )
    yield Rule(
        "deletion log: days, counts, rules, no content",
        "the deletion",
        "as long as the store",
        "It goes when the store is deleted.",
        owner,
        generated=True,
    )


def _raw(policy: Policy) -> Iterator[Rule]:
    for name, handling in (("access", policy.raw.access), ("error", policy.raw.error)):
        rule = "`verify --raw` checks the ages of those that it is given"
        if handling == "removed after ingest" and name == "access":
            rule = f"`run --remove-source` removes a log once it is counted; {rule}"
        yield Rule(
            f"raw {name} logs, which hold addresses",
            "the last line of a log",
            handling.removeprefix("kept "),
            f"{rule}; else whatever rotates them deletes them.",
            "",
            generated=False,
        )


def _elsewhere(policy: Policy) -> Iterator[Rule]:
    for entry in policy.also_expire:
        start = "the date in the file's name" if entry.start == "name" else "the day of the file's last change (UTC)"
        deleted = entry.action == "delete"
        rule = (
            "`run`, `follow` and `retain` delete it."
            if deleted
            else "Its owner deletes it; `verify` and `status` name it."
        )
        yield Rule(
            f"{entry.name}: {entry.path}", start, str(entry.age), rule + _copies(policy, entry), entry.owner, deleted
        )


def _copies(policy: Policy, entry: AlsoExpire) -> str:
    if not entry.copies or policy.keep_for.unlimited:
        return ""
    return f" Copies of the table: an access is gone everywhere after {policy.keep_for} and then {entry.age}."


def _holds(policy: Policy) -> Iterator[Rule]:
    for hold in policy.hold:
        use = "" if hold.use else ", and not used meanwhile"
        rule = f"Not deleted before its end{use}: {hold.basis}."
        yield Rule(f"hold on {hold.scope}", "the hold", f"until {hold.until}", rule, hold.owner, generated=True)
