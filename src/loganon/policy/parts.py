"""The parts of a policy's file: who, what for, raw logs, consent, whose lines.

Every key carries its description and the order of its values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from loganon.hosts import site_name
from loganon.periods import Period, parse_period
from loganon.strictness import KEPT, Direction, Order, fewer, handling, listed, neither, wider

AGE_PATTERN = r"[1-9][0-9]{0,4} (day|week|month|year)s?"
FREE = Order(neither)
"""The order of a key that says something to people only."""


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def _slug(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError("expected 1 to 64 lower-case letters, digits and hyphens")
    return value


Slug = Annotated[str, BeforeValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
"""A name: 1 to 64 lower-case letters, digits and hyphens."""


def read_age(value: object) -> object:
    """The age that a text writes; ValueError for what is neither an age nor a text."""
    if isinstance(value, Period):
        return value
    return parse_period(value if isinstance(value, str) else "")


def read_said(value: object) -> object:
    """A text that says something; ValueError for an empty one."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("expected a text that is not empty")
    return value


Said = Annotated[str, BeforeValidator(read_said), WithJsonSchema({"type": "string", "minLength": 1})]
"""A text that must say something."""


class Copied(BaseModel):
    """What holds answers that follow from its values, once it was asked."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with other values, not judged; nothing that followed from the old ones is left in it."""
        copied = super().model_copy(update=update, deep=deep)
        for followed in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[followed]
        return copied


class Part(Copied):
    """A table of a policy's file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Entry(Part):
    """A table that may stand several times: told apart by the key `known_by`; `more`: what a further one does."""

    known_by: ClassVar[str]
    more: ClassVar[Direction]

    def less(self, today: date | None) -> tuple[Direction, str]:  # noqa: ARG002 - some entries end with a day
        """What it does that this one no longer stands, and in words; `today`: None where no clock is asked."""
        return Direction.LOOSER if self.more is Direction.TIGHTER else Direction.TIGHTER, "no longer stands"


class Controller(Part):
    """Who is responsible."""

    name: Annotated[str, FREE] = Field(default="", description="who is responsible for the data; a notice needs it")
    contact: Annotated[str, FREE] = Field(default="", description="how to reach them; a notice needs it")


class Purpose(Part):
    """What the stored data may be used for."""

    evaluate: Annotated[
        bool, Order(listed(True, False), tighter="it may no longer be evaluated", looser="it may be evaluated")
    ] = Field(default=False, description="whether the data may be evaluated; if not, `loganon report` is refused")
    share: Annotated[
        Literal["none", "anonymous"],
        Order(listed("anonymous", "none"), tighter="it is no longer passed on", looser="it may be passed on"),
    ] = Field(
        default="none",
        description='whether the table may be passed on: "none", or "anonymous" for the counts that it holds',
    )


def _handling(value: object) -> object:
    if isinstance(value, str) and value not in ("never written", "removed after ingest"):
        if not value.startswith(KEPT):
            raise ValueError('expected "removed after ingest", "never written" or "kept 14 days"')
        parse_period(value.removeprefix(KEPT))
    return value


_Handling = Annotated[
    str,
    BeforeValidator(_handling),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^(never written|removed after ingest|{KEPT}(unlimited|{AGE_PATTERN}))$"},
    ),
    Order(handling, tighter="now {new}, so far {old}", looser="now {new}, so far {old}"),
]


class Raw(Part):
    """How the raw logs are handled; they are part of the notice."""

    access: _Handling = Field(
        default="removed after ingest",
        description='the access logs: "never written", "removed after ingest", or "kept" and an age ("kept 14 days")',
    )
    error: _Handling = Field(
        default="kept 7 days",
        description="the error logs, which loganon does not read: as for `access`",
    )


class Consent(Part):
    """Lines that are not counted for want of consent: by what the log shows of it. Neither signal is consent itself."""

    require: Annotated[
        tuple[Literal["cookie"], ...],
        Order(wider, tighter="accesses are to show {new}", looser="accesses need not show all of {old}", stored=False),
    ] = Field(default=(), strict=False, description="count only accesses that carry these, where the log shows them")
    exclude_when: Annotated[
        tuple[Literal["DNT", "Sec-GPC"], ...],
        Order(
            wider,
            tighter="accesses that carry {new} are not counted",
            looser="accesses are counted that carry some of {old}",
            stored=False,
        ),
    ] = Field(default=(), strict=False, description="do not count accesses that carry one of these signals")


def _sites(sites: tuple[str, ...]) -> tuple[str, ...]:
    for site in sites:
        if site_name(site) != site:
            raise ValueError(f'expected host names such as "www.example.com", in small letters; {site!r} is none')
    return sites


def _own(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Fewer sites are tighter, and none named means all."""
    if not old or not new:
        return Direction.TIGHTER if new else Direction.LOOSER
    return fewer(old, new)


class Scope(Part):
    """Whose accesses are counted: those of one's own sites. Where logs show no host, people see to that."""

    sites: Annotated[
        tuple[str, ...],
        AfterValidator(_sites),
        Order(
            _own,
            tighter="only accesses to {new} are counted",
            looser="accesses to further hosts are counted than so far",
            stored=False,
        ),
    ] = Field(
        default=(),
        strict=False,
        description="the host names of the sites; lines that show another host are rejected as `excluded`; empty: all "
        "are counted",
    )
