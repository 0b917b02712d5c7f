"""The evidence about one store, out of what `verify`, `status` and the deletion log say of it: no look at anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loganon.evidence.deletion import concept_of, last_trace, log_of, overdue_of
from loganon.evidence.record import record_of
from loganon.evidence.values import Coverage, Evidence, Head
from loganon.pipeline import REASONS
from loganon.policy.clauses import clauses_of
from loganon.policy.outline import kept_fields
from loganon.status import Status
from loganon.verify import Verification

_LIMITS = (
    "Deleted means unlinked, with the directory synced. It is not sanitised: the medium may hold the data for longer.",
    "Backups, snapshots and copies are not seen, but for those that the policy names; these are judged by their dates.",
    "Raw logs are judged by their ages, and only those that `--raw` names. While they stand they hold addresses.",
    "Addresses and e-mails are searched for by their shapes. A name in a path has no shape: only `routes` keep it out.",
    "A `minimum` bounds rarity in a day; it is not k-anonymity. Whether data is anonymous by law, people judge.",
    "The checks read the store's own books. Whether each log was read at all, the answer of `run` says.",
    "Deleted files of `[[also_expire]]` stand in the answers of `run` and `retain`, not in the deletion log.",
)
"""What none of this proves."""
_SHORTENED = "Shortened addresses are stored: they are not certified anonymous."
_REMOTE = "The store lies in object storage: that a deleted object is gone, and in no older version, its provider says."
_SIZES = ("partitions", "cells", "rows", "bytes")


def gather(found: Verification, status: Status, deletions: Sequence[Mapping[str, Any]]) -> Evidence:
    """The evidence; `deletions`: the entries of the deletion log, oldest first."""
    policy = status.policy
    return Evidence(
        head=_head(found, status),
        clauses=clauses_of(policy),
        fields=kept_fields(policy),
        record=record_of(policy, status, found),
        concept=concept_of(policy),
        deletions=log_of(deletions, [part.day for part in status.partitions]),
        overdue=overdue_of(status, found),
        checks=found.checks,
        coverage=_coverage(found, status),
        last_trace=_last_trace(status),
        limits=(
            *_LIMITS,
            *([_SHORTENED] if policy.networks else []),
            *([_REMOTE] if "://" in found.store else []),
        ),
    )


def _head(found: Verification, status: Status) -> Head:
    policy = status.policy
    return Head(
        store=found.store,
        uuid=found.uuid,
        created=status.created,
        now=found.now,
        policy=policy.name,
        title=policy.title,
        derived_from=policy.derived_from,
        version=policy.version,
        valid_from=policy.valid_from,
        sha256=status.policy_sha256,
        holds=found.holds,
    )


def _coverage(found: Verification, status: Status) -> Coverage:
    figures = found.figures
    rejected = figures["lines_rejected"] or dict.fromkeys(REASONS, 0)
    return Coverage(
        lines={
            "done": figures["lines_done"],
            "stored": figures["lines_live"],
            "deleted": figures["lines_deleted"],
            **{f"rejected: {reason}": rejected[reason] for reason in REASONS},
        },
        requests=figures["requests"],
        sizes={name: figures[name] for name in _SIZES},
        domains=figures["domain"] or {},
        answers=figures["answers"] or {},
        lists={name: dict(each) for name, each in (figures["lists"] or {}).items()},
        databases=tuple((each.type, each.built, (status.today - each.built).days) for each in status.databases),
    )


def _last_trace(status: Status) -> str:
    """When the newest access that stands will be gone."""
    if not status.partitions:
        return "No partition stands."
    policy, day = status.policy, status.partitions[-1].day
    gone = last_trace(policy, day)
    if gone is None:
        return "Nothing is deleted: the policy keeps without limit."
    copies = [entry.name for entry in policy.also_expire if entry.copies]
    more = f", and from the copies that the policy names ({', '.join(copies)}) by {gone}" if copies else ""
    return f"The newest day that stands, {day}, is gone from the table on {policy.goes(day)}{more}."
