"""The days of a store: what is due, what is late, and whether a sealed day's rare values are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from loganon.store import CellInfo, Partition
from loganon.store.folds import count_values, rare_values
from loganon.store.layout import STATE_FILE, TABLE, parse_cell, parse_partition, partition_name
from loganon.store.manifest import State
from loganon.store.quarantine import restored_file
from loganon.store.sealing import is_due
from loganon.store.tree import FILE
from loganon.verify.cells import Cell, CellReader
from loganon.verify.clauses import minima_of
from loganon.verify.findings import Findings, count_of
from loganon.verify.view import STAGING, View

GRACE = timedelta(days=1)
"""A nightly run is this late at most: with sealing what is due, and with moving the cutoff while nothing has to go."""
AHEAD = timedelta(hours=24)
"""As the guard of `run`: no line, and no commit, is further ahead of the clock."""
_QUARANTINE = "_loganon/quarantine/"


@dataclass(frozen=True, slots=True)
class Days:
    """The partitions as they were read, with the sum of their rows and bytes."""

    partitions: tuple[Partition, ...]
    damaged: frozenset[date]


def read_days(view: View, findings: Findings) -> Days:
    """Every cell of every day is read; what is wrong with one, or with a day, is in `findings`."""
    reader = CellReader(view, findings)
    aside = {day for day, _ in quarantined(view)}
    partitions, damaged = [], set()
    for day, names in view.days().items():
        cells = [cell for cell in map(reader, names) if cell is not None]
        if len(cells) < len(names):
            damaged.add(day)
        _check_seal(view, findings, day, cells)
        if day not in damaged | aside:
            _check_minimum(view, findings, day, cells)
        partitions.append(Partition(day, tuple(CellInfo(cell.name, cell.size, cell.footer) for cell in cells)))
    skipped = sorted(day.isoformat() for day in damaged | aside)
    if skipped:
        findings.note("minimum", f"not to be said of {', '.join(skipped)}: a cell is damaged")
    if not view.policy.spec.folds:
        findings.skip("minimum", "the policy sets no minimum")
    return Days(tuple(partitions), frozenset(damaged))


def quarantined(view: View) -> list[tuple[date, str]]:
    """The day and the path of every cell that was put aside."""
    found = []
    for entry in view.entries:
        folder, _, file = entry.path.removeprefix(_QUARANTINE).partition("/")
        day = parse_partition(folder)
        if entry.path.startswith(_QUARANTINE) and entry.kind == FILE and day and file:
            found.append((day, entry.path))
    return found


def check_dates(view: View, findings: Findings, state: State) -> None:
    """Nothing stands that should have gone, the cutoff is up to date, and nothing is ahead of the clock."""
    today = view.now.astimezone(UTC).date()
    cells = {cell for names in view.days().values() for cell in names}
    standing = sorted({(cell.day, f"{TABLE}/{partition_name(cell.day)}") for cell in cells} | set(_waiting(view)))
    aside = quarantined(view)
    for day, path in aside:
        name = parse_cell(day, path.rpartition("/")[2].partition(".")[2])
        if name is not None and parse_cell(day, restored_file(name)) in cells:
            findings.note("quarantine", f"a good copy stands in for {path}")
        else:
            findings.add("quarantine", path, "a damaged cell, put aside; its lines are in no count")
    for day, path in (*standing, *aside):
        holds = [hold.until for hold in view.policy.hold if hold.covers(day) and hold.stands(today)]
        if holds:
            findings.note("age", f"{path} is held until {max(holds)}")
            continue
        if state.cutoff is not None and day < state.cutoff:
            findings.add("cutoff", path, f"a partition is before the cutoff, {state.cutoff}")
        if view.policy.goes(day) <= today:
            findings.add("age", path, f"a partition had to go on {view.policy.goes(day)} ({view.policy.keep_for})")
        if day > (view.now + AHEAD).astimezone(UTC).date():
            findings.add("clock", path, "a partition is more than a day ahead of the clock")
    _check_cutoff(view, findings, state, today, held=bool(standing or aside))


def _waiting(view: View) -> Iterator[tuple[date, str]]:
    """The partitions with cells of tables that lie in staging: of a change of policy that was given up."""
    for entry in view.entries:
        folder, _, file = entry.path.rpartition("/")
        day = parse_partition(folder.rpartition("/")[2])
        if entry.path.startswith(STAGING) and entry.kind == FILE and day and file:
            yield day, folder


def _check_cutoff(view: View, findings: Findings, state: State, today: date, *, held: bool) -> None:
    due = view.policy.keep_for.cutoff(today)
    if view.policy.keep_for.unlimited:
        findings.skip("age", "the policy keeps without limit")
        findings.skip("retention", "the policy keeps without limit")
    elif held and (state.cutoff is None or view.policy.keep_for.cutoff(today - GRACE) > state.cutoff):
        what = f"stands at {state.cutoff}, and is to be {due} by now" if state.cutoff else "was never set"
        findings.add("retention", STATE_FILE, f"the cutoff {what}")
    if state.cutoff is not None and state.cutoff > (view.now + AHEAD).astimezone(UTC).date():
        findings.add("clock", STATE_FILE, f"the cutoff, {state.cutoff}, is ahead of the clock")
    if state.last_commit is not None and state.last_commit > view.now + AHEAD:
        findings.add(
            "clock", STATE_FILE, f"the last commit, {state.last_commit:%Y-%m-%dT%H:%MZ}, is ahead of the clock"
        )


def _check_seal(view: View, findings: Findings, day: date, cells: Sequence[Cell]) -> None:
    path, clauses = f"{TABLE}/{partition_name(day)}", minima_of(view.policy)
    sealed = {cell.footer.sealed for cell in cells}
    if len(sealed) > 1:
        findings.add("sealed", path, "some of a day's cells are sealed, others are not", clauses=clauses)
    elif sealed == {False} and is_due(day, view.now - GRACE):
        findings.add("sealed", path, "a day was to be sealed more than a day ago", clauses=clauses)


def _check_minimum(view: View, findings: Findings, day: date, cells: Sequence[Cell]) -> None:
    tables = [cell.table for cell in cells if cell.footer.sealed and cell.table is not None]
    if not tables:
        return
    for fold in view.policy.spec.folds:
        rare = rare_values([count_values(table, fold) for table in tables], fold)
        if rare.height:
            what = f"{count_of(rare.height, 'value')} in {fold.columns[0]} seen in fewer than {fold.minimum} accesses"
            path = f"{TABLE}/{partition_name(day)}"
            findings.add("minimum", path, what, clauses=minima_of(view.policy, fold.columns))


def figures_of(days: Days) -> Mapping[str, int]:
    """The size of the table."""
    cells = [cell for partition in days.partitions for cell in partition.cells]
    return {
        "partitions": len(days.partitions),
        "cells": len(cells),
        "rows": sum(cell.footer.rows for cell in cells if cell.footer),
        "bytes": sum(cell.size for cell in cells),
    }
