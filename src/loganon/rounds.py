"""What becomes of each of many sites in one round, when none of them may spoil the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loganon import job
from loganon.clock import Clock
from loganon.errors import BusyError, ConfigurationError, LoganonError
from loganon.keys import Key
from loganon.reading import Input
from loganon.sites import Readings, Site, policy_of
from loganon.store import WAIT, open_or_none, parse_place
from loganon.summary import Summary

if TYPE_CHECKING:
    from loganon.policy import Policy


@dataclass(frozen=True, slots=True)
class Prepared:
    """A site whose policy, formats and databases were opened, or the `error` for which nothing is read into it."""

    site: Site
    inputs: tuple[Input, ...] = ()
    policy: Policy | str | None = None
    error: LoganonError | None = None


def prepare(sites: Iterable[Site], readings: Readings) -> list[Prepared]:
    """The sites, all that their configuration names opened, before any log is."""
    prepared = []
    for site in sites:
        try:
            prepared.append(Prepared(site, tuple(readings.inputs(site)), policy_of(site)))
        except LoganonError as error:
            prepared.append(Prepared(site, error=error))
    return prepared


def run_site(
    prepared: Prepared,
    *,
    key: Key | Path,
    clock: Clock,
    writer: str | None = None,
    wait: timedelta = WAIT,
    strict: bool = False,
    group: str | None = None,
    accept_versioned: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """What a run on one site did. Nothing of it is raised: every LoganonError is in the summary's `errors`.

    Where nothing can be read into a standing store, what is due is deleted all the same.
    """
    site = prepared.site
    if prepared.error is not None or not prepared.inputs:
        return _pruned(site, prepared.error, clock, wait, accept_versioned)
    try:
        return job.run(
            prepared.inputs,
            policy=prepared.policy,
            store=parse_place(site.store, accept_versioned=accept_versioned),
            key=key,
            clock=clock,
            writer=writer,
            wait=wait,
            strict=strict,
            group=group,
            progress=progress,
            raising=False,
        )
    except BusyError as error:  # waited for already
        return _failed(site, error)
    except ConfigurationError as error:
        return _pruned(site, error, clock, wait, accept_versioned)


def _pruned(site: Site, error: LoganonError | None, clock: Clock, wait: timedelta, accept_versioned: bool) -> Summary:
    """What retention alone did, with the error for which there was no more."""
    if not site.stands:
        return _failed(site, error)
    try:
        site.require_known()
        place = parse_place(site.store, accept_versioned=accept_versioned)
        if open_or_none(place) is None:  # of an object store it is known only now
            return _failed(site, error)
        _, summary = job.retain(place, clock=clock, wait=wait, dry_run=False, raising=False)
    except LoganonError as other:
        summary = _failed(site, other)
    if error is not None and error not in summary.errors:
        summary.errors.insert(0, error)
    return summary


def _failed(site: Site, error: LoganonError | None) -> Summary:
    return Summary(site.policy or "", site.store, errors=[error] if error else [])
