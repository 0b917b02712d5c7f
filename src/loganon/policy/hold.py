"""Holds: what is not deleted for a time, though its age has come: `[[hold]]`."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from loganon.policy.parts import FREE, Entry, Said
from loganon.strictness import Direction, Order, listed

_SPAN = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: to ([0-9]{4}-[0-9]{2}-[0-9]{2}))?")


def read_span(scope: str) -> tuple[date, date] | None:
    """The first and the last day that a scope names; None for another text; ValueError for days that are none."""
    match = _SPAN.fullmatch(scope)
    if match is None:
        return None
    first = date.fromisoformat(match[1])
    return first, date.fromisoformat(match[2]) if match[2] else first


def _scope(scope: str) -> str:
    try:
        span = read_span(scope)
    except ValueError:
        raise ValueError("expected days of the calendar") from None
    if span is not None and span[0] > span[1]:
        raise ValueError("expected the first day before the last")
    return scope


def _until(old: date, new: date) -> Direction:
    return Direction.TIGHTER if new < old else Direction.LOOSER


class Hold(Entry):
    """What is not deleted until a day, as law or a claim requires it, though its age has come. Several may stand."""

    known_by: ClassVar[str] = "scope"
    more: ClassVar[Direction] = Direction.LOOSER

    scope: Annotated[Said, AfterValidator(_scope), FREE] = Field(
        description='what is held: a day ("2026-10-01"), days ("2026-10-01 to 2026-10-07"), or a name of `also_expire`'
    )
    basis: Annotated[Said, FREE] = Field(description="the law, the claim or the interest that requires it")
    owner: Annotated[Said, FREE] = Field(description="who decided it and ends it")
    until: Annotated[
        date,
        Order(
            _until,
            tighter="it ends on {new}, so far on {old}",
            looser="it ends on {new}",
            mixed=lambda hold: not hold.use,  # to end it earlier opens the days to use
        ),
    ] = Field(description="the day on which it ends, as 2027-06-30, without quotes; a hold without an end is an error")
    use: Annotated[
        bool,
        Order(listed(True, False), tighter="the days are stored and not used", looser="the days may be used"),
    ] = Field(
        default=True, description="whether the days may be used meanwhile; if not, `loganon report` leaves them out"
    )

    def less(self, today: date | None) -> tuple[Direction, str]:
        """As of any entry; without one that says `use = false`, and has not ended, its days may be used again."""
        if self.use or (today is not None and not self.stands(today)):
            return super().less(today)
        return Direction.LOOSER, "no longer stands, and the days may be used"

    @cached_property
    def span(self) -> tuple[date, date] | None:
        """The first and the last day that it holds; None for one of `also_expire`."""
        return read_span(self.scope)

    def covers(self, day: date) -> bool:
        """Whether a day's partition is held by it, while it stands."""
        return self.span is not None and self.span[0] <= day <= self.span[1]

    def stands(self, today: date) -> bool:
        """Whether it has not ended."""
        return today < self.until
