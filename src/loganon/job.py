"""A run on one store: open everything, keep the order, report. The order of DESIGN.md, "Time":

finish an interrupted commit, cutoff, delete, ingest, seal, delete; deletion also happens when ingestion fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loganon import policy as policies
from loganon.chunks import Window
from loganon.clock import AHEAD, Clock, next_cutoff
from loganon.dated import Dated, apply_dated, load_dated
from loganon.errors import (
    BusyError,
    CannotWriteError,
    CheckError,
    ConfigurationError,
    InputOutputError,
    LoganonError,
    printable,
)
from loganon.ingest import Ingest
from loganon.keys import Key, create_key, load_key
from loganon.policy import DEFAULT, open_frozen, open_policy
from loganon.reading import Input, Reading, advise
from loganon.store import (
    WAIT,
    HeldStore,
    Partition,
    Place,
    Plan,
    PolicyStamp,
    SealError,
    Store,
    check_place,
    check_writer,
    create_store,
    open_or_none,
    open_standing,
    plan_retention,
)
from loganon.summary import Summary

if TYPE_CHECKING:
    from loganon.policy import Policy

_REPORTED = (CheckError, CannotWriteError, InputOutputError)
"""Errors of the store that the summary reports; ConfigurationError and BusyError are raised."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that is open to be counted into."""

    store: Store
    policy: Policy
    key: Key


Work = Callable[[Opened, Window, Summary], None]
"""Counts lines of the times in the window into the store, and notes in the summary what it did."""


def run(
    inputs: Sequence[Input],
    *,
    policy: Policy | str | None,
    store: Place,
    key: Key | Path,
    clock: Clock,
    writer: str | None = None,
    wait: timedelta = WAIT,
    strict: bool = False,
    group: str | None = None,
    progress: Callable[[str, int], None] | None = None,
    raising: bool = True,
) -> Summary:
    """Ingest `inputs` into the store, seal, apply retention; the summary says what was done and what failed.

    `writer`: the name of this writer's cells. The rest as in `carry_out`.
    """

    def read(opened: Opened, window: Window, summary: Summary) -> None:
        ingest = Ingest(opened.store, opened.policy, opened.key, writer=writer, progress=progress)
        ingest(inputs, window=window, now=clock.now, wait=wait, summary=summary)

    check_writer(writer)
    return carry_out(
        read,
        [each.reading for each in inputs],
        policy=policy,
        store=store,
        key=key,
        clock=clock,
        wait=wait,
        strict=strict,
        group=group,
        raising=raising,
    )


def carry_out(
    work: Work,
    readings: Iterable[Reading],
    *,
    policy: Policy | str | None,
    store: Place,
    key: Key | Path,
    clock: Clock,
    wait: timedelta = WAIT,
    strict: bool = False,
    group: str | None = None,
    raising: bool = True,
) -> Summary:
    """Retention, `work` as `readings` say, seal, retention; the summary says what was done and what failed.

    `policy`: a policy or a bundled one's name; None: the store's own, or `imos` for a new store. `wait`: how long to
    wait for another process. Raises ConfigurationError (78) and BusyError (75); every other LoganonError is in the
    summary's `errors`. Without `raising` those two are so, too, once the store is open.
    """
    try:
        standing, policy, secret = open_store(store, policy, key, clock.now, group)
    except _REPORTED as error:
        name = policy or DEFAULT if isinstance(policy, str | None) else policy.name
        return Summary(name, str(store), errors=[error], strict=strict)
    summary = Summary(policy.name, str(store), strict=strict)
    try:
        window = Window(prune(standing, policy, clock, wait, summary), clock.now + AHEAD, standing.floor())
    except _REPORTED as error:  # nothing is read by a clock that is not believed
        summary.errors.append(error)
        return summary
    try:
        standing.check_records()
        work(Opened(standing, policy, secret), window, summary)
    except LoganonError as error:
        summary.report(error)
    finally:  # what is due goes, whatever became of the logs
        finish(standing, policy, clock, wait, summary)
    summary.warn_of_caps()
    advise(summary, policy, readings)
    if raising:
        _raise_fatal(summary)
    return summary


def retain(store: Place, *, clock: Clock, wait: timedelta, dry_run: bool, raising: bool = True) -> tuple[Plan, Summary]:
    """Retention alone: the plan, and what was carried out of it (nothing with `dry_run`); `raising` as in `run`."""
    standing = open_standing(store)
    policy = open_frozen(standing.policy.text, where=str(standing.path))
    summary = Summary(policy.name, str(store))
    try:
        cutoff = next_cutoff(standing.cutoff(), standing.last_commit(), policy, clock)
        plan = _plan(standing.partitions(), cutoff, policy, clock.now)
    except _REPORTED as error:
        summary.errors.append(error)
        return Plan(None, ()), summary
    if dry_run:
        _look_elsewhere(standing, policy, clock, summary)
    else:
        finish(standing, policy, clock, wait, summary)
        if raising:
            _raise_fatal(summary)
    return plan, summary


def frozen_policy(store: Store) -> Policy:
    """The policy that the store was made with."""
    return policies.from_canonical(store.policy.text, where=str(store.path))


def open_store(
    path: Place, policy: Policy | str | None, key: Key | Path, now: datetime, group: str | None
) -> tuple[Store, Policy, Key]:
    """The store (made, if new), its policy and its key; ConfigurationError where they do not belong together."""
    store = open_or_none(path)
    secret = key if isinstance(key, Key) else load_key(key, store=path if isinstance(path, Path) else None)
    if store is None:
        policy = open_policy(policy or DEFAULT) if isinstance(policy, str | None) else policy
        if secret is None:
            assert isinstance(key, Path)  # noqa: S101 - a Key is its own secret
            check_place(path, group)  # no key is made for a store that cannot be
            secret = create_key(key)
        stamp = PolicyStamp(policy.name, policy.sha256, policy.canonical)
        return _noted(create_store(path, stamp, key_check=secret.check, now=now, group=group), secret), policy, secret
    store.catch_up()
    frozen = open_frozen(store.policy.text, where=str(store.path))
    if isinstance(policy, str):  # the store's own name stands for its own policy, whatever that name means by now
        policy = frozen if policy == frozen.name else open_policy(policy)
    if policy is not None and policy != frozen:
        raise ConfigurationError(
            f'the store is held under its own policy "{frozen.name}", and the policy given differs from it',
            where=str(path),
            fix="Leave --policy out, or take a new store",
        )
    if secret is None:
        raise ConfigurationError(
            "the key of this store is missing, and without it every log would look new",
            where=str(key),
            fix="Restore it from your backup or name it with --key-file; if it is lost, see `loganon key reset --help`",
        )
    store.check_key(secret.check)
    return _noted(store, secret), frozen, secret


def _noted(store: Store, key: Key) -> Store:
    """The store, among whose notes is that the key is none of a secret."""
    if key.shared:
        text = f"{key.shared}: every user of this system may read the key. Take that away (chmod o= {key.shared})."
        store.notes.append(printable(text))
    return store


def prune(store: Store, policy: Policy, clock: Clock, wait: timedelta, summary: Summary) -> date:
    """Raise the cutoff, delete what is before it; the cutoff."""
    store.held = policy.held(clock.now.astimezone(UTC).date())  # before anything is brought into the table
    with store.locked(wait) as held:
        cutoff = next_cutoff(held.cutoff, held.last_commit, policy, clock)
        held.raise_cutoff(cutoff, clock.now)
        _delete(held, cutoff, policy, clock.now, summary)
        held.expire_records(policy.keep_for, clock.now)
    _collect(store, summary)
    return cutoff


def finish(store: Store, policy: Policy, clock: Clock, wait: timedelta, summary: Summary) -> None:
    """Seal the days that are due and delete what is before the cutoff; failures go into the summary.

    Dated files elsewhere go, too, unless the clock is not believed.
    """
    believed = False
    try:
        cutoff = prune(store, policy, clock, wait, summary)
        believed = True
        with store.locked(wait) as held:
            summary.sealed += held.seal(policy.spec, now=clock.now, held=policy.held(clock.now.astimezone(UTC).date()))
            _delete(held, cutoff, policy, clock.now, summary)
        store.check_records()
    except LoganonError as error:
        if isinstance(error, SealError):
            summary.sealed += error.sealed
        summary.report(error)
    _collect(store, summary)
    if believed:
        _expire_elsewhere(store, policy, clock, summary)


def _look_elsewhere(store: Store, policy: Policy, clock: Clock, summary: Summary) -> Dated:
    """The files outside the store that are past their age, as the summary now has them."""
    today, due = (moment.astimezone(UTC).date() for moment in (clock.now, clock.now + clock.lead))
    found = load_dated(policy, today=today, due=due, store=store.path if isinstance(store.path, Path) else None)
    summary.elsewhere = list(found.files)
    for blind in found.blind:
        summary.warnings.append(f"{blind.path}: not judged by also_expire: {blind.reason}.")
    return found


def _expire_elsewhere(store: Store, policy: Policy, clock: Clock, summary: Summary) -> None:
    """What the policy says to delete of them is gone; failures go into the summary."""
    if not policy.also_expire:
        return
    found = _look_elsewhere(store, policy, clock, summary)
    gone, left = apply_dated(policy, found, store=store.path if isinstance(store.path, Path) else None)
    summary.expired += gone
    for blind in left:
        what = f"a file past its age could not be deleted ({blind.reason})"
        summary.report(CheckError(what, where=blind.path, fix="Make it deletable; every run tries again"))


def _collect(store: Store, summary: Summary) -> None:
    """What the holders of the store's lock have found goes into the summary."""
    for error in store.findings:
        summary.report(error)
    summary.warnings += store.notes
    store.findings.clear()
    store.notes.clear()


def _raise_fatal(summary: Summary) -> None:
    """The first error by which there is no summary: the store is configured wrongly, or another process holds it."""
    for error in summary.errors:
        if isinstance(error, ConfigurationError | BusyError):
            raise error


def _plan(partitions: Iterable[Partition], cutoff: date, policy: Policy, now: datetime) -> Plan:
    held = policy.held(now.astimezone(UTC).date())
    return plan_retention(partitions, cutoff, f"keep_for {policy.keep_for}: before {cutoff}", held)


def _delete(held: HeldStore, cutoff: date, policy: Policy, now: datetime, summary: Summary) -> None:
    deleted = held.retain(_plan(held.partitions(), cutoff, policy, now), now)
    summary.dropped += [day for day in deleted.partitions if day not in summary.dropped]
    for failure in deleted.failures:
        error = CheckError(
            f"a file past its day could not be deleted ({failure.reason})",
            where=failure.path,
            fix="Make it deletable; every run tries again",
        )
        summary.report(error)
