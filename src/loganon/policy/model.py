"""A written policy as a frozen value: which fields are kept, how each is treated, for how long, for what purpose.

Every key carries its description and the order of its values; the field's own keys are declared in `loganon.fields`.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from loganon.fields import FIELDS
from loganon.periods import Period
from loganon.policy.elsewhere import AlsoExpire
from loganon.policy.hold import Hold
from loganon.policy.meaning import Meaning
from loganon.policy.parts import (
    AGE_PATTERN,
    FREE,
    Consent,
    Controller,
    Copied,
    Part,
    Purpose,
    Raw,
    Scope,
    Slug,
    read_age,
)
from loganon.strictness import Order, shorter

_LATER = ("scope", "also_expire", "hold")
"""Parts that stand in the canonical form only where they say something: a policy without them keeps its hash."""

_Fields: Any = create_model(
    "_Fields",
    __base__=Part,
    __doc__="The closed list of what is kept; what is not named is not.",
    **{name: (row.options, ...) if row.required else (row.options | None, None) for name, row in FIELDS.items()},  # type: ignore[call-overload]  # the fields are known when this runs, not to mypy
)


class Policy(Meaning, Copied):
    """One policy. Frozen; equal where it means the same."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)

    name: Annotated[Slug, FREE] = Field(description="the policy's name: 1 to 64 lower-case letters, digits and hyphens")
    title: Annotated[str, FREE] = Field(default="", description="the policy's name for readers")
    derived_from: Annotated[str, FREE] = Field(default="", description="the notice or rule that it carries out")
    version: Annotated[int, FREE] = Field(ge=1, description="the policy's version, from 1")
    valid_from: Annotated[date, FREE] = Field(
        description="the day from which it is valid, as 2026-11-21, without quotes"
    )
    keep_for: Annotated[
        Period,
        BeforeValidator(read_age),
        WithJsonSchema({"type": "string", "pattern": f"^(unlimited|{AGE_PATTERN})$", "examples": ["6 weeks"]}),
        Order(
            shorter,
            tighter="data is deleted after {new}, so far after {old}",
            looser="data is kept for {new}, which can be longer than {old}",
        ),
    ] = Field(
        description='how long stored data is kept: "6 weeks", "60 days", "1 month", "10 years" or "unlimited"; by the '
        "calendar, and without a default"
    )
    controller: Controller = Controller()
    purpose: Purpose = Purpose()
    raw: Raw = Raw()
    consent: Consent = Consent()
    scope: Scope = Scope()
    also_expire: tuple[AlsoExpire, ...] = Field(default=(), strict=False)
    hold: tuple[Hold, ...] = Field(default=(), strict=False)
    fields: _Fields

    @cached_property
    def canonical(self) -> str:
        """The policy as JSON, the same for two files that mean the same."""
        unsaid = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        meaning = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"keep_for", *unsaid})
        return json.dumps({**meaning, "keep_for": str(self.keep_for)}, sort_keys=True, ensure_ascii=False)
