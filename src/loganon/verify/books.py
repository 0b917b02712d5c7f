"""The books of a store: source records, their balance, the deletion record, the journal and the frozen policy."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from loganon.errors import LoganonError
from loganon.pipeline import REASONS
from loganon.policy.clauses import FROZEN
from loganon.policy.hold import Hold
from loganon.store import Partition, Record
from loganon.store.balance import balances
from loganon.store.deletions import BEGUN
from loganon.store.documents import Document
from loganon.store.files import Files
from loganon.store.journal import Move, Unfinished
from loganon.store.layout import SOURCES, STORE_FILE, TABLE, parse_partition, partition_name, record_file
from loganon.store.manifest import State
from loganon.store.records import COUNTED
from loganon.store.tree import FILE
from loganon.verify.clauses import altered
from loganon.verify.findings import Findings, count_of
from loganon.verify.view import STAGING, View

_OUTCOMES = frozenset((COUNTED, *REASONS))
_RESTORE_DAY = "Restore that day from a backup, and find out who deleted it"
_COMMIT = "_loganon/commit.json"


def check_records(
    view: View, findings: Findings, state: State, partitions: tuple[Partition, ...]
) -> Mapping[str, Record]:
    """The records; they are readable, whole and as many commits on as the store says."""
    records = view.records(findings)
    damaged = {found.where for found in findings.broken.get("records", ())}
    for source in balances(partitions, records, state).keys() - records.keys():
        path = f"{SOURCES}/{record_file(source)}"
        if path not in damaged:
            findings.add("records", path, "a record is missing, and the table holds its source's lines")
    for source, start in _newest(partitions).items():
        newest = records[source].newest if source in records else start
        if newest is None or newest < start:
            findings.add("records", f"{SOURCES}/{record_file(source)}", "a record does not know its newest line")
    for source, record in records.items():
        if not record.lines.keys() <= _OUTCOMES or record.deleted > record.lines.get(COUNTED, 0):
            findings.add("records", f"{SOURCES}/{record_file(source)}", "a record holds counts that cannot be")
    total = sum(record.generation for record in records.values())
    if state.generations is None or damaged:
        findings.skip("generations", "a record cannot be read" if damaged else "the store has not counted them yet")
    elif total != state.generations:
        findings.add(
            "generations",
            SOURCES,
            f"the records are {count_of(total, 'commit')} on, and the store says {state.generations:,}",
        )
    return records


def _newest(partitions: tuple[Partition, ...]) -> dict[str, datetime]:
    """The start of the newest cell that holds lines of a source, by source."""
    cells = [cell for partition in partitions for cell in partition.cells]
    return {source: cell.name.start for cell in cells for source in (cell.footer.lines if cell.footer else ())}


def check_conservation(
    findings: Findings, state: State, records: Mapping[str, Record], partitions: tuple[Partition, ...]
) -> None:
    """Live + deleted + rejected = done, for every source that has a record."""
    live = deleted = done = 0
    rejected: Counter[str] = Counter()
    found = balances(partitions, records, state)
    for source, balance in found.items():
        live, deleted, done = live + balance.live, deleted + balance.deleted, done + balance.done
        if source in records and not balance.holds:
            sums = f"{balance.live:,} stored + {balance.deleted:,} deleted + {balance.rejected:,} rejected"
            findings.add("conservation", f"{SOURCES}/{record_file(source)}", f"{sums}, not {balance.done:,} lines done")
    for record in records.values():
        rejected.update({reason: lines for reason, lines in record.lines.items() if reason in REASONS})
    findings.figures |= {
        "sources": len(found),
        "lines_done": done,
        "lines_live": live,
        "lines_deleted": deleted,
        "lines_rejected": {reason: rejected[reason] for reason in REASONS},
    }


def check_deletions(view: View, findings: Findings) -> None:
    """What is recorded as deleted is gone; what was begun is done."""
    entries = [entry for entry in view.store.deletions() if parse_partition(f"date={entry['partition']}")]
    deleted = findings.figures.get("lines_deleted", 0)
    if deleted and not entries:
        findings.note("deletions", f"the deletion record is empty, and the records name {deleted:,} deleted lines")
    last = {str(entry["partition"]): str(entry["state"]) for entry in entries}
    for held, hold in _deleted_though_held(view, entries):
        path, what = f"{TABLE}/{partition_name(held)}", f"a partition was deleted that is held until {hold.until}"
        findings.add("deletions", path, what, fix=_RESTORE_DAY, clauses=(f'hold "{hold.scope}".until',))
    standing = {day.isoformat() for day in view.days()}
    for day in sorted(last.keys() & standing):
        begun = last[day] == BEGUN
        path = f"{TABLE}/{partition_name(date.fromisoformat(day))}"
        findings.add(
            "deletions", path, "a deletion was begun and is not done" if begun else "a partition is recorded as deleted"
        )
    open_ended = [day for day in sorted(last.keys() - standing) if last[day] == BEGUN]
    if open_ended:
        findings.note("deletions", f"gone, though a crash kept their end from the record: {', '.join(open_ended)}")


def _deleted_though_held(view: View, entries: Sequence[Document]) -> Iterator[tuple[date, Hold]]:
    """Each deletion under the policy that the store is held under, of a day that a hold of it covered by then."""
    found: dict[tuple[date, str], Hold] = {}
    for entry in entries:
        day, moment = parse_partition(f"date={entry['partition']}"), str(entry.get("time", ""))[:10]
        if day is not None and entry.get("policy_sha256") == view.store.policy.sha256:
            holds = (each for each in view.policy.hold if each.covers(day) and moment < each.until.isoformat())
            found |= {(day, hold.scope): hold for hold in holds}
    yield from ((day, hold) for (day, _), hold in sorted(found.items(), key=lambda each: each[0]))


def check_policy(view: View, findings: Findings) -> None:
    """The frozen text is the one whose hash the store bears."""
    stamp = view.store.policy
    if hashlib.sha256(stamp.text.encode()).hexdigest() != stamp.sha256:
        what = "the policy's text is not the one that was frozen: its hash is another"
        findings.add("policy", STORE_FILE, what, clauses=altered(view.policy, stamp.sha256) or (FROZEN,))
    if view.policy.keep_for.unlimited and view.policy.networks:
        what = "what is kept without limit is shortened, not certified anonymous"
        findings.add("policy", STORE_FILE, what, clauses=("keep_for",))
    if view.policy.name != stamp.name:
        findings.add("policy", STORE_FILE, "the policy's text bears another name")


def check_journal(view: View, findings: Findings, pending: Unfinished | LoganonError | None) -> None:
    """A commit that stands unfinished can be finished: each of its files waits or is in place."""
    if isinstance(pending, LoganonError):
        findings.add("journal", _COMMIT, pending.what)
        return
    moves = pending.moves if pending else ()
    for move in moves:
        if not any(_holds(view, path, move) for path in (f"{STAGING}{move.staged}", move.final)):
            findings.add("journal", move.final, "a file of an unfinished commit is neither staged nor in place")
    if pending and pending.table is not None:
        findings.add("journal", _COMMIT, "a change of policy is unfinished", fix="Finish it with `loganon retain`")
    elif pending:
        findings.note("journal", "a commit was interrupted; it is read as done, and the next run finishes it")
    known = {f"{STAGING}{move.staged}" for move in moves}
    left = [entry for entry in view.entries if entry.path.startswith(STAGING) and entry.kind == FILE]
    count = sum(entry.path not in known for entry in left)
    if count and not (pending and pending.table):
        findings.note("journal", f"{count_of(count, 'file')} of a batch given up; the next run clears them")


def _holds(view: View, path: str, move: Move) -> bool:
    try:
        return move.holds(Files().read(view.store.path / path))
    except OSError:
        return False
