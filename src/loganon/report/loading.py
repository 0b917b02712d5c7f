"""The report of a store: refused where its policy forbids evaluation, else counted from its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pyarrow as pa

from loganon.errors import BusyError, ConfigurationError, InputOutputError
from loganon.policy import Policy, from_canonical
from loganon.report.counting import Sums, count_cells
from loganon.report.coverage import coverage_of
from loganon.report.days import Days, plan_days
from loganon.report.figures import Report, covers_text, ranking_of
from loganon.report.question import TIME, UNITS, Question, check_by, columns_of
from loganon.report.tally import Tally, empty_tally, tally_of
from loganon.report.times import Hours, Series, profiles_of, series_of, unit_for
from loganon.store import Place, Store, open_standing
from loganon.store.cell import decode_cell
from loganon.store.files import failure
from loganon.store.layout import CellName

_READINGS = 5


class _GoneError(Exception):
    """A cell has gone: the store is read again."""


def load_report(place: Place, question: Question) -> Report:
    """The report of the store at `place`. Nothing is changed, and no lock is taken.

    78 where there is no store, where its policy forbids evaluation, and for a column that it does not keep; 75 where
    the store changed in every reading.
    """
    for _ in range(_READINGS):
        store = open_standing(place)
        try:
            found = _read(store, _permitting(store, place), question, str(place))
        except _GoneError:
            continue
        if open_standing(place).policy == store.policy:
            return found
    raise BusyError("the store changed while it was read", where=str(place), fix="Try again when no run is at work")


def _permitting(store: Store, place: Place) -> Policy:
    """The store's policy; 78 where it forbids evaluation."""
    policy = from_canonical(store.policy.text, where=str(store.path))
    if not policy.purpose.evaluate:
        raise ConfigurationError(
            f"the policy {policy.name} forbids evaluation: its clause purpose.evaluate is false",
            where=str(place),
            fix="What was collected under it stays under it: report on a new store, whose policy allows evaluation",
        )
    return policy


def _read(store: Store, policy: Policy, question: Question, name: str) -> Report:
    if policy.spec.unit == "day":
        question = replace(question, zone=UTC)  # stored days are days of UTC
    check_by(question.by, policy.spec, policy=policy.name, store=name)
    start = question.since.start(question.now, question.zone) if question.since else None
    days = plan_days(
        store.partitions(), policy, cutoff=store.cutoff(), now=question.now, start=start, sealed=question.sealed
    )
    columns = columns_of(policy.spec)
    columns = tuple(each for each in columns if not question.by or each in question.by)
    damaged: list[str] = []
    sums = count_cells(days.cells, _reader(store, policy, damaged), policy.spec, columns, start)
    days = replace(days, damaged=tuple(sorted({*days.damaged, *damaged})))
    return _answer(policy, question, name, start, days, sums, unfinished=_is_unfinished(store))


def _reader(store: Store, policy: Policy, damaged: list[str]) -> Callable[[CellName], pa.Table]:
    """What reads a cell's rows, its totals checked; of a damaged one none, and its path is noted."""

    def read(cell: CellName) -> pa.Table:
        path = Path(f"{store.path}/{cell.path}")
        try:
            with store.open_cell(cell) as file:
                data = file.read()
        except FileNotFoundError:
            raise _GoneError from None
        except OSError as error:
            raise failure(error, path) from None
        try:
            return decode_cell(data, path, store.uuid, policy.spec)[0]
        except InputOutputError:
            damaged.append(cell.path)
            return policy.spec.schema.empty_table()

    return read


def _answer(
    policy: Policy,
    question: Question,
    name: str,
    start: datetime | None,
    days: Days,
    sums: Sums,
    *,
    unfinished: bool,
) -> Report:
    spec, nothing = policy.spec, empty_tally(policy.spec)
    hours: Hours = ()
    if TIME in sums:
        rows = sums[TIME].sort("value").iter_rows(named=True)
        hours = tuple((row["value"], tally_of(row)) for row in rows)
    first, last = (hours[0][0], hours[-1][0]) if hours else (None, None)
    rankings = [ranking_of(column, found) for column, found in sums.items() if column != TIME]
    return Report(
        store=name,
        policy=policy,
        question=question,
        since=start,
        days=days,
        unfinished=unfinished,
        first=first,
        last=last,
        total=sum((tally for _, tally in hours), nothing),
        series=_series(question, hours, start, days, nothing, hourly=spec.unit == "hour"),
        profiles=(
            profiles_of(hours, question.zone, by_hour=spec.unit == "hour", nothing=nothing)
            if not question.by or TIME in question.by
            else ()
        ),
        rankings=tuple(rankings),
        coverage=tuple(coverage_of(each.column, each.sums) for each in rankings if covers_text(each.column)),
    )


def _series(
    question: Question, hours: Hours, start: datetime | None, days: Days, nothing: Tally, *, hourly: bool
) -> tuple[Series, ...]:
    """The series that are asked for; with `time`, or nothing, the one that is easily read."""
    units = [unit for unit in UNITS if unit in question.by]
    if start is not None and days.oldest is not None:  # of what is older than the store nothing is known
        start = max(start, datetime.combine(days.oldest, time(), UTC))
    if not question.by or TIME in question.by:
        ends = [*([start] if start is not None else []), *(moment for moment, _ in hours[:1] + hours[-1:])]
        units = list(dict.fromkeys([unit_for(min(ends), max(ends), hours=hourly) if ends else "day", *units]))
    zone, left_out = question.zone, days.out
    return tuple(series_of(hours, unit, zone, start=start, left_out=left_out, nothing=nothing) for unit in units)


def _is_unfinished(store: Store) -> bool:
    try:
        return store.pending() is not None
    except (InputOutputError, ConfigurationError):
        return True
