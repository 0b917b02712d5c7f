"""What is said of a store's status: one object of JSON with stable keys, and what is a problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from loganon.errors import CheckError
from loganon.pipeline import REASONS
from loganon.status.facts import Status
from loganon.store.records import COUNTED
from loganon.store.sealing import is_due

GRACE = timedelta(days=1)
"""A nightly run seals what is due this late at most."""
BEHIND = timedelta(hours=24)
LONGEST_STEP = timedelta(days=60)
"""As the guards of `run`: a clock further behind the last commit, or a longer step of the cutoff, stops it."""
_LISTED = 5

KEYS: Mapping[str, str] = {
    "store": "the path as it was given",
    "uuid": "the store's id",
    "created": "when it was made",
    "policy": "`name`, `title`, `version`, `sha256` and `keep_for` of the frozen policy",
    "partitions": "how many days stand",
    "oldest": "the oldest of them, or null",
    "newest": "the newest of them, or null",
    "cells": "files of the table",
    "rows": "their rows",
    "bytes": "their size on the disk",
    "cutoff": "the oldest day that may exist, or null before the first run",
    "next_deletion": "`partition`, and the day `on` which it goes (UTC); null where nothing ever goes",
    "overdue": "days that had to be gone by now",
    "held": "days that a hold keeps for now",
    "elsewhere": "files of `[[also_expire]]` past their age: `entry`, `path`, `due`, whether `retain` is to `delete` "
    "it, and until when it is `held`, or null",
    "sealed_through": "the day up to which all are sealed, or null",
    "unsealed": "days whose seal is more than a day late",
    "last_commit": "when something was last counted, or null",
    "lines": "over all source records: lines `done`, `counted`, of these `deleted`, and `rejected` by reason",
    "records": "`count` of source records, the ids of `damaged` ones; whether they `agree` with the store's count",
    "domains": "of the newest `days`: `requests`, and the shares `unknown`, `other`, `redacted` and `suffix`, or null",
    "databases": "provider databases: `type`, day `built`, `age_days`; `path`, or null for one that the footers name",
    "quarantined": "damaged cells that were put aside, as paths",
    "damaged": "cells that cannot be read, as paths",
    "permissions": "`path` and `what` of each file or directory with another mode or owner than it was made with",
    "interrupted": "true if a commit stands unfinished; the next run finishes it",
    "network_file_system": "its kind, if the store lies on one (its locks do not hold there), or null",
    "now": "the clock",
    "problems": "what `--check` exits 1 for, one text each",
}
"""The keys of `status --json`, and what they say."""


def as_dict(status: Status, max_age: timedelta | None = None) -> dict[str, Any]:
    """The object that `status --json` prints."""
    policy, coming = status.policy, status.next_deletion
    cells = [cell for part in status.partitions for cell in part.cells]
    stated, found = status.generations
    return {
        "store": status.store,
        "uuid": status.uuid,
        "created": status.created.isoformat(),
        "policy": {
            "name": policy.name,
            "title": policy.title,
            "version": policy.version,
            "sha256": status.policy_sha256,
            "keep_for": str(policy.keep_for),
        },
        "partitions": len(status.partitions),
        "oldest": _iso(status.partitions[0].day if status.partitions else None),
        "newest": _iso(status.partitions[-1].day if status.partitions else None),
        "cells": len(cells),
        "rows": sum(part.rows for part in status.partitions),
        "bytes": sum(part.bytes for part in status.partitions),
        "cutoff": _iso(status.cutoff),
        "next_deletion": {"partition": _iso(coming[0]), "on": _iso(coming[1])} if coming else None,
        "overdue": [day.isoformat() for day in status.overdue],
        "held": [day.isoformat() for day in status.held],
        "elsewhere": [
            {"entry": f.entry, "path": f.path, "due": _iso(f.due), "delete": f.delete, "held": _iso(f.held)}
            for f in status.elsewhere.files
        ],
        "sealed_through": _iso(status.sealed_through),
        "unsealed": [day.isoformat() for day in unsealed(status)],
        "last_commit": _iso(status.last_commit),
        "lines": {
            "done": sum(status.lines.values()),
            "counted": status.lines.get(COUNTED, 0),
            "deleted": status.deleted,
            "rejected": {reason: status.lines.get(reason, 0) for reason in REASONS},
        },
        "records": {"count": status.records, "damaged": list(status.damaged_records), "agree": stated == found},
        "domains": _domains(status),
        "databases": [
            {
                "type": each.type,
                "built": _iso(each.built),
                "age_days": (status.today - each.built).days,
                "path": each.path,
            }
            for each in status.databases
        ],
        "quarantined": list(status.quarantined),
        "damaged": list(status.damaged),
        "permissions": [{"path": fault.path or ".", "what": fault.what} for fault in status.permissions],
        "interrupted": status.interrupted,
        "network_file_system": status.network,
        "now": status.now.isoformat(),
        "problems": [str(error) for error in find_problems(status, max_age)],
    }


def unsealed(status: Status) -> tuple[date, ...]:
    """The days whose seal is more than a day late."""
    late = (part for part in status.partitions if part.cells and not part.sealed)
    return tuple(part.day for part in late if is_due(part.day, status.now - GRACE) and part.day not in status.overdue)


def find_problems(status: Status, max_age: timedelta | None = None) -> tuple[CheckError, ...]:
    """What an operator has to look after, one error each. `max_age`: of the last commit."""
    return (*_late(status, max_age), *_guards(status), *_broken(status))


def _late(status: Status, max_age: timedelta | None) -> Iterator[CheckError]:
    if status.overdue:
        what = f"{_count(status.overdue, 'partition')} past {'its' if len(status.overdue) == 1 else 'their'} day"
        yield _problem(status, f"{what}: {_listed(status.overdue)}", "Run `loganon retain`")
    yield from _elsewhere(status)
    if late := unsealed(status):
        yield _problem(status, f"{_count(late, 'day')} not sealed in time: {_listed(late)}", "Run `loganon retain`")
    if max_age is not None and (status.last_commit is None or status.now - status.last_commit > max_age):
        last = f"at {_minute(status.last_commit)}" if status.last_commit else "never"
        yield _problem(status, f"the last commit was {last}", "See that `loganon run` is started and finds its logs")


def _elsewhere(status: Status) -> Iterator[CheckError]:
    """Files that the policy gives an age, and holds that have ended."""
    for entry in status.policy.also_expire:
        if late := tuple(file.path for file in status.elsewhere.overdue if file.entry == entry.name):
            fix = "Run `loganon retain`" if entry.action == "delete" else f"Have them deleted by {entry.owner}"
            yield _problem(status, f"{_count(late, 'file')} of {entry.name} past {entry.age}: {_listed(late)}", fix)
    for blind in (each for each in status.elsewhere.blind if not each.missing):
        yield CheckError(
            f"not judged by also_expire: {blind.reason}", where=blind.path, fix="Put it right, or its entry"
        )
    for hold in status.ended:
        what = f"the hold on {hold.scope} ended on {hold.until} and still stands in the policy"
        yield _problem(status, what, "Take it out with `loganon policy apply`")


def _guards(status: Status) -> Iterator[CheckError]:
    """What the next run will refuse to go on with."""
    if status.last_commit is not None and status.now < status.last_commit - BEHIND:
        clock, last = _minute(status.now), _minute(status.last_commit)
        what = f"the clock, {clock}, is more than 24 hours behind the last commit, {last}"
        yield _problem(status, what, "Set the clock right; until then nothing is read")
    due = status.policy.keep_for.cutoff(status.today)
    if status.cutoff is not None and due - status.cutoff > LONGEST_STEP:
        what = f"the cutoff stands at {status.cutoff} and would move by {(due - status.cutoff).days} days at once"
        yield _problem(status, what, f"Check the clock; if it is right, run with --accept-cutoff {due}")
    if status.policy.unguarded and status.last_commit is not None and status.now - status.last_commit > LONGEST_STEP:
        what = f"the clock is {(status.now - status.last_commit).days} days past the last commit"
        yield _problem(status, what, f"Check the clock; if it is right, run with --accept-cutoff {status.today}")


def _broken(status: Status) -> Iterator[CheckError]:
    stated, found = status.generations
    if not status.has_table:
        yield _problem(status, "the table is missing", "Restore the whole store; see docs/operations.md")
    if status.quarantined:
        what = f"{_count(status.quarantined, 'damaged cell')} in quarantine: {_listed(status.quarantined)}"
        yield _problem(status, what, "Restore it from a backup, or let it go with its date")
    if status.damaged:
        what = f"{_count(status.damaged, 'cell')} cannot be read: {_listed(status.damaged)}"
        yield _problem(status, what, "Run `loganon verify` and restore it from a backup")
    if status.damaged_records:
        what = f"{_count(status.damaged_records, 'source record')} cannot be read: {_listed(status.damaged_records)}"
        yield _problem(status, what, "Restore the store from a backup")
    elif stated != found:
        what = f"the source records are {found:,} commits on, and the store says {stated:,}"
        yield _problem(status, what, "Restore the store from a backup; a record is lost or old")
    for fault in status.permissions[:_LISTED]:
        yield CheckError(
            fault.what, where=f"{status.store}/{fault.path}", fix="Set it back, and find out who changed it"
        )
    if len(status.permissions) > _LISTED:
        what = f"{len(status.permissions) - _LISTED:,} more files have another mode or owner than they were made with"
        yield _problem(status, what, "See them all with --json")


def _problem(status: Status, what: str, fix: str) -> CheckError:
    return CheckError(what, where=status.store, fix=fix)


def _domains(status: Status) -> dict[str, Any] | None:
    if not status.domains:
        return None
    shares = {kind: share for kind, share in status.shares.items() if kind != "provider"}
    return {"days": [day.isoformat() for day in status.recent], "requests": sum(status.domains.values()), **shares}


def _count(things: tuple[Any, ...], noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"


def _listed(things: tuple[Any, ...]) -> str:
    rest = len(things) - _LISTED
    return ", ".join(map(str, things[:_LISTED])) + (f" and {rest:,} more" if rest > 0 else "")


def _iso(moment: date | datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
