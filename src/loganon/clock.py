"""The clock of a run: how far it is believed, and the cutoff that follows from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from loganon.errors import CheckError

if TYPE_CHECKING:
    from loganon.policy import Policy

AHEAD = timedelta(hours=24)
"""A line further ahead of the clock is `future`; a clock further behind the last commit stops the run."""
LONGEST_STEP = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a run and how far it is trusted.

    `lead`: drop what would expire within that time. `accept_cutoff`: the cutoff that a step of over 60 days may reach.
    `accept_clock`: run although the clock is more than 24 hours behind the last commit.
    """

    now: datetime
    lead: timedelta = timedelta()
    accept_cutoff: date | None = None
    accept_clock: bool = False


def next_cutoff(cutoff: date | None, last_commit: datetime | None, policy: Policy, clock: Clock) -> date:
    """The cutoff that holds from now on; CheckError where the clock is not to be believed. Pure."""
    if last_commit is not None and clock.now < last_commit - AHEAD and not clock.accept_clock:
        raise CheckError(
            "the clock is more than 24 hours behind the last commit",
            where=f"clock {clock.now:%Y-%m-%dT%H:%MZ}, last commit {last_commit:%Y-%m-%dT%H:%MZ}",
            fix="Set the clock right, or let `loganon run --accept-clock` go by it",
        )
    _check_step(last_commit, policy, clock)
    due = policy.keep_for.cutoff((clock.now + clock.lead).astimezone(UTC).date())
    if cutoff is None or due <= cutoff:
        return due if cutoff is None else cutoff
    if due - cutoff > LONGEST_STEP and not (clock.accept_cutoff is not None and due <= clock.accept_cutoff):
        raise CheckError(
            f"the cutoff would move by {(due - cutoff).days} days at once, from {cutoff} to {due}; nothing was deleted",
            where=f"clock {clock.now:%Y-%m-%dT%H:%MZ}",
            fix=f"Check the clock; if it is right, say --accept-cutoff {due}",
        )
    return due


def _check_step(last_commit: datetime | None, policy: Policy, clock: Clock) -> None:
    """CheckError where dated files would go by a clock that has made a long step, and no cutoff's step shows it."""
    if not policy.unguarded or last_commit is None or clock.now - last_commit <= LONGEST_STEP:
        return
    today = clock.now.astimezone(UTC).date()
    if clock.accept_cutoff is None or clock.accept_cutoff < today:
        raise CheckError(
            f"the clock is {(clock.now - last_commit).days} days past the last commit, and files of also_expire would "
            "go by it; nothing was deleted",
            where=f"clock {clock.now:%Y-%m-%dT%H:%MZ}",
            fix=f"Check the clock; if it is right, say --accept-cutoff {today}",
        )
