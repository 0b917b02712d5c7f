"""State and records brought to agree: upgraded, rebuilt from the footers where that is certain, or refused.

The sum of all records' generations stands in the state. A record that is lost or an older copy makes the sum of those
that are found smaller, and no copy is newer than the truth: if the newest copies of all sources add up to the sum that
the state gives, they are all there is, each as it was. Records that had expired do not count, whatever brings them
back: else as many of them could stand for as many that are lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from loganon.errors import InputOutputError
from loganon.store.cells import Partition
from loganon.store.change import Change, live_lines, sum_generations
from loganon.store.expiry import is_expired
from loganon.store.manifest import State
from loganon.store.records import COUNTED, Record, bury
from loganon.store.snapshots import join_snapshots


class LostRecordsError(InputOutputError):
    """Source records are lost, damaged or older copies, and cannot be made again with certainty."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "source records are lost or older copies, and without them logs could be counted twice",
            where=where,
            fix="Restore this directory from a backup, or let `loganon key reset` close the past",
        )


@dataclass(frozen=True, slots=True)
class Mend:
    """What makes state and records agree; `rebuilt`: how many records were made again."""

    change: Change
    rebuilt: int = 0


def plan_mend(
    state: State,
    records: Mapping[str, Record],
    unreadable: Sequence[str],
    partitions: Callable[[], Iterable[Partition]],
    *,
    whole: bool,
) -> Mend | None:
    """What there is to mend, None where all agrees; LostRecordsError, without a place, where it cannot be.

    `whole`: no cell is in quarantine, so that what the cells lack of a source's lines has been deleted.
    """
    found = sum_generations(records.values())
    expired = any(record.generation and is_expired(record, state) for record in records.values())
    if not unreadable and not expired and state.generations == found:
        payable = {source: lines for source, lines in state.owed.items() if source in records}
        return Mend(_pay(state, records, payable)) if payable else None
    if state.generations is None:
        if unreadable or live_lines(partitions(), state.cutoff).keys() - records.keys():
            raise LostRecordsError("")
        return Mend(_pay(replace(state, generations=found), records, state.owed))
    return _rebuild(state, records, unreadable, tuple(partitions()), whole=whole)


def is_behind(state: State, records: Mapping[str, Record], found: Partition) -> bool:
    """True if a footer of the day knows a later commit than the records, or lines of a source that has none: they are
    of an older backup than the table.

    That state and records agree says nothing then; both may be of it. What has expired has left no lines in such a day.
    """
    if state.cutoff is not None and found.day < state.cutoff:
        return False
    footers = [
        cell.footer for cell in found.cells if cell.footer and (state.floor is None or cell.name.end > state.floor)
    ]
    if any(source not in records for footer in footers for source in footer.lines):
        return True
    copies = (copy for footer in footers for copy in footer.records.values() if not is_expired(copy, state))
    return any(copy.id not in records or copy.generation > records[copy.id].generation for copy in copies)


def _pay(state: State, records: Mapping[str, Record], owed: Mapping[str, int]) -> Change:
    """The lines owed to records are entered in them."""
    paid = {source: lines for source, lines in owed.items() if source in records}
    changed = {s: replace(records[s], deleted=records[s].deleted + lines) for s, lines in paid.items()}
    return Change(replace(state, owed={s: n for s, n in state.owed.items() if s not in paid}), changed)


def _rebuild(
    state: State,
    records: Mapping[str, Record],
    unreadable: Sequence[str],
    partitions: Sequence[Partition],
    *,
    whole: bool,
) -> Mend:
    days = [found for found in partitions if state.cutoff is None or found.day >= state.cutoff]
    cells = [cell for found in days for cell in found.cells]
    copies = [c.footer.records for c in cells if c.footer and (state.floor is None or c.name.end > state.floor)]
    newest = join_snapshots([records, *copies])
    kept = {source: record for source, record in newest.items() if not is_expired(record, state)}
    if sum_generations(kept.values()) != state.generations:
        raise LostRecordsError("")
    live = live_lines(days, state.cutoff)
    changed: dict[str, Record] = {}
    for source, record in kept.items():
        same = records.get(source) == record
        settled = _settled(record, live, state, exact=whole or not same)
        if not same or settled != record:
            changed[source] = settled
    for source in (*unreadable, *records):
        if source not in kept:
            changed[source] = bury(source)
    rebuilt = sum(1 for source, record in kept.items() if records.get(source) != record)
    owed = {source: lines for source, lines in state.owed.items() if source not in kept}
    return Mend(Change(replace(state, owed=owed), changed), rebuilt)


def _settled(record: Record, live: Counter[str], state: State, *, exact: bool) -> Record:
    """The record with its deleted lines: those counted that no cell holds; LostRecordsError where cells hold more."""
    deleted = record.deleted + state.owed.get(record.id, 0)
    if exact:
        missing = record.lines.get(COUNTED, 0) - live[record.id]
        if missing < record.deleted:
            raise LostRecordsError("")
        deleted = missing
    return replace(record, deleted=deleted)
