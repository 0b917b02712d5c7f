"""`policy apply`: a standing store under a tighter policy, and what is stored brought to it, in one commit.

What loosens anything is refused: data collected under a notice stays under it. How a row of the old table becomes one
of the new is pure, and the last check looks at every value on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from loganon.aggregate import are_named
from loganon.clock import LONGEST_STEP, Clock, next_cutoff
from loganon.errors import CheckError, ConfigurationError, LoganonError
from loganon.fields import FIELDS, REQUESTS, Options
from loganon.gate import check
from loganon.job import frozen_policy
from loganon.periods import Spans
from loganon.policy import Policy, PolicyError, from_canonical
from loganon.policy.changes import Change, compare, loosened
from loganon.store import Held, LocalStore, Partition, Plan, PolicyStamp, Replaced, Rewrite, Size, plan_retention
from loganon.strictness import Direction

Convert = Callable[[pa.Table], pa.Table]


_NOTHING = Replaced(Size(), Size(), 0)
_NO_PLAN = Plan(None, ())


@dataclass(slots=True)
class Applied:
    """What an application did, or would do: the changes, the cutoff, the table before and after, the days that go.

    `dropped`: the days that are gone; `errors`: what could not be deleted.
    """

    store: str
    old: str
    new: str
    changes: tuple[Change, ...]
    replaced: Replaced = _NOTHING
    plan: Plan = _NO_PLAN
    dropped: tuple[date, ...] = ()
    errors: list[LoganonError] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or 1 where something that should have gone still stands."""
        return CheckError.exit_code if self.errors else 0


def apply_policy(
    store: Path, policy: Policy, *, clock: Clock, wait: timedelta, dry_run: bool, accept_hold: bool = False
) -> Applied:
    """The store under `policy`; with `dry_run` nothing is changed, and the answer is what would be.

    `accept_hold`: what a hold that is new, is gone or ends on another day loosens is admitted.

    Raises PolicyError (78) for every key that the policy loosens, CheckError (1) where the clock is not to be believed
    or the cutoff would move too far, BusyError (75), and what the store raises. Interrupted at any point the store is
    under the old policy with the old table, or under the new one with the new.
    """
    standing = LocalStore.open(store)
    if not dry_run:
        with standing.locked(wait) as held:
            return _apply(held, policy, store, clock, accept_hold=accept_hold)
    old = frozen_policy(standing)
    applied = Applied(str(store), old.name, policy.name, compare(old, policy, _today(clock)))
    _require_tighter(
        applied.changes, store, accept_hold=accept_hold, empty=not any(part.cells for part in standing.partitions())
    )
    if applied.changes:
        cutoff = next_cutoff(standing.cutoff(), standing.last_commit(), policy, clock)
        if standing.cutoff() is None:
            _check_first(standing.partitions(), cutoff, policy, clock)
        applied.replaced = standing.measure(plan_rewrite(old, policy, where=str(store)))
        applied.plan = plan_retention(standing.partitions(), cutoff, _rule(policy, cutoff), _held(policy, clock))
    return applied


def plan_rewrite(old: Policy, new: Policy, *, where: str) -> Rewrite:
    """How a table under `old` becomes one under `new`; ConfigurationError where no value can be brought to it."""
    stamp = PolicyStamp(new.name, new.sha256, new.canonical)
    return Rewrite(old.spec, new.spec, _conversion(old, new, where), stamp)


def _apply(held: Held, policy: Policy, store: Path, clock: Clock, *, accept_hold: bool) -> Applied:
    old = from_canonical(held.policy.text, where=str(store))
    applied = Applied(str(store), old.name, policy.name, compare(old, policy, _today(clock)))
    _require_tighter(
        applied.changes, store, accept_hold=accept_hold, empty=not any(part.cells for part in held.partitions())
    )
    cutoff = held.cutoff
    if applied.changes:
        cutoff = next_cutoff(held.cutoff, held.last_commit, policy, clock)
        if held.cutoff is None:
            _check_first(held.partitions(), cutoff, policy, clock)
        rewrite = plan_rewrite(old, policy, where=str(store))
        applied.replaced = held.replace_table(rewrite, cutoff=cutoff, now=clock.now)
    if cutoff is not None:  # also where an application was interrupted before it came to this
        applied.plan = plan_retention(held.partitions(), cutoff, _rule(policy, cutoff), _held(policy, clock))
    deleted = held.retain(applied.plan, clock.now)
    applied.dropped = deleted.partitions
    applied.errors += [
        CheckError(
            f"a file that should be gone could not be deleted ({failure.reason})",
            where=failure.path,
            fix="Make it deletable; every run tries again",
        )
        for failure in deleted.failures
    ]
    return applied


def _check_first(partitions: Iterable[Partition], cutoff: date, policy: Policy, clock: Clock) -> None:
    """Nothing if the first cutoff of a store that kept without limit deletes no more at once than a later one may."""
    drops = plan_retention(partitions, cutoff, held=_held(policy, clock)).drops
    accepted = clock.accept_cutoff is not None and cutoff <= clock.accept_cutoff
    if drops and cutoff - drops[0].day > LONGEST_STEP and not accepted:
        days = (cutoff - drops[0].day).days
        raise CheckError(
            f"the first cutoff would be {cutoff}, {days} days past the oldest day, {drops[0].day}; nothing was deleted",
            where=f"clock {clock.now:%Y-%m-%dT%H:%MZ}",
            fix=f"Check age and clock; if they are right, say --accept-cutoff {cutoff}",
        )


def _require_tighter(changes: tuple[Change, ...], store: Path, *, empty: bool, accept_hold: bool) -> None:
    """Nothing if no change loosens anything, and what is stored can be brought to each; PolicyError otherwise."""
    mistakes = [
        ConfigurationError(
            f"the new policy is looser in {change.key}: {change.effect}",
            where=str(store),
            fix="If law or a claim requires it, say --accept-hold"
            if _is_hold(change)
            else "Take a new store for it; what was collected under a notice stays under it",
        )
        for change in loosened(changes)
        if not (accept_hold and _is_hold(change))
    ]
    mistakes += [
        ConfigurationError(
            f"what is stored cannot be brought to the new {change.key}",
            where=str(store),
            fix="Take a new store for it",
        )
        for change in changes
        if change.direction is Direction.TIGHTER and not change.stored and not empty
    ]
    if mistakes:
        raise PolicyError(tuple(mistakes))


def _is_hold(change: Change) -> bool:
    return change.key.startswith('hold "')


def _held(policy: Policy, clock: Clock) -> Spans:
    return policy.held(_today(clock))


def _today(clock: Clock) -> date:
    return clock.now.astimezone(UTC).date()


def _rule(policy: Policy, cutoff: date) -> str:
    return f"keep_for {policy.keep_for}: before {cutoff}"


# --- from the old rows to the new -----------------------------------------------------------------------------------


def _conversion(old: Policy, new: Policy, where: str) -> Convert:
    """The rows of the old table with the new columns and values, none summed."""
    again = {name: _again(name, getattr(old.fields, name), options, where) for name, options in new.kept()}
    columns = [(name, [c for c, _ in FIELDS[name].columns(options)]) for name, options in new.kept()]
    schema, networks = new.spec.schema, new.networks

    def convert(table: pa.Table) -> pa.Table:
        found = {REQUESTS: table[REQUESTS]}
        for name, names in columns:
            found.update({column: table[column] for column in names})
            treat = again[name]
            if treat is not None:
                found[names[0]] = _treated(table[names[0]], names[0], treat)
        rows = pa.table([found[column].cast(schema.field(column).type) for column in schema.names], schema.names)
        return check(rows, schema, networks=networks)[0]

    return convert


def _again(name: str, old: Any, new: Options, where: str) -> Callable[[pl.Series], pl.Series] | None:
    """How the values of a field become those under the new options; None: they are the same."""
    if _values(old) == _values(new):
        return None
    again = FIELDS[name].again
    if again is None:
        raise ConfigurationError(
            f"what is stored cannot be brought to the new fields.{name}", where=where, fix="Take a new store for it"
        )
    return again(old, new)


def _values(options: Options) -> dict[str, object]:
    """The options on which single values depend: a minimum looks at a whole day."""
    return options.model_dump(exclude={"minimum"})


def _treated(column: pa.ChunkedArray, name: str, treat: Callable[[pl.Series], pl.Series]) -> pa.ChunkedArray:
    """The column with each distinct value treated; of texts only those that stand for something particular."""
    values = pl.Series(column.unique())
    if values.dtype == pl.String:
        values = values.filter(are_named(values, name))
    if values.is_empty():
        return column
    frame = pl.DataFrame({"value": values, "treated": treat(values).cast(values.dtype)})
    rows = pl.DataFrame({"value": pl.Series(column)}).join(frame, on="value", how="left", maintain_order="left")
    return pa.chunked_array([rows.select(pl.coalesce("treated", "value"))["treated"].to_arrow()])
