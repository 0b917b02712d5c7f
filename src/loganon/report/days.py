"""Which days of a store a report is made of, and which it leaves out, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from loganon.periods import within
from loganon.policy import Policy
from loganon.store import Partition
from loganon.store.layout import CellName

NOT_TO_BE_USED = "stored, but not to be used: a hold says so"
OVERDUE = "had to be deleted by now"
NOT_SEALED = "not sealed yet"
REASONS: Mapping[str, str] = {"hold": NOT_TO_BE_USED, "overdue": OVERDUE, "unsealed": NOT_SEALED}
"""Why a day is left out, by the word for it in JSON."""


@dataclass(frozen=True, slots=True)
class Days:
    """The cells to read, oldest first; `used` are their days, and of these some are `unsealed`.

    `left_out`: days that stand and are not read, with the word for why; `damaged`: paths of cells that cannot be read;
    `oldest`: the oldest day that stands.
    """

    cells: tuple[CellName, ...] = ()
    used: tuple[date, ...] = ()
    unsealed: tuple[date, ...] = ()
    left_out: Mapping[date, str] | None = None
    damaged: tuple[str, ...] = ()
    oldest: date | None = None

    @property
    def out(self) -> Mapping[date, str]:
        """What is left out; empty where nothing is."""
        return self.left_out or {}


def plan_days(
    partitions: Iterable[Partition],
    policy: Policy,
    *,
    cutoff: date | None,
    now: datetime,
    start: datetime | None,
    sealed: bool,
) -> Days:
    """What is to be read of these partitions: nothing that is over its age, closed by a hold, or before `start`."""
    today = now.astimezone(UTC).date()
    cells: list[CellName] = []
    used, unsealed, damaged = [], [], []
    left_out: dict[date, str] = {}
    oldest = None
    for part in partitions:
        oldest = oldest or part.day
        if not part.cells or (start is not None and part.day < start.astimezone(UTC).date()):
            continue
        why = _why(part, policy, cutoff, today, sealed=sealed)
        if why is not None:
            left_out[part.day] = why
            continue
        used.append(part.day)
        unsealed += [] if part.sealed else [part.day]
        cells += [cell.name for cell in part.cells if cell.footer is not None]
        damaged += [name.path for name in part.damaged]
    return Days(tuple(cells), tuple(used), tuple(unsealed), left_out, tuple(damaged), oldest)


def _why(part: Partition, policy: Policy, cutoff: date | None, today: date, *, sealed: bool) -> str | None:
    """Why the day is left out; None if it is not."""
    if policy.closed(part.day, today):
        return "hold"
    before = cutoff is not None and part.day < cutoff and not within(part.day, policy.held(today))
    if before or policy.goes(part.day) <= today:
        return "overdue"
    return "unsealed" if sealed and not part.sealed else None
