"""Warnings of a policy that is valid: what its author may not have meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from loganon.fields import ProviderOptions, TruncatedOptions
from loganon.periods import Period, parse_period
from loganon.policy.model import Policy
from loganon.strictness import KEPT, Direction, shorter

_LONG = Period(1, "year")
_HOUSEHOLD = 48
_SMALL = 24


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the word that `policy check` uses; a value, not an exception
    """One key and what to think of."""

    key: str
    text: str


def warnings_of(policy: Policy, today: date) -> tuple[Warning, ...]:
    """What the author of a policy should know on this day; none of it is a mistake."""
    return (*_ages(policy), *_purposes(policy), *_holds(policy, today), *_fields(policy))


def _ages(policy: Policy) -> Iterator[Warning]:
    if policy.keep_for.unlimited:
        yield Warning("keep_for", "nothing is ever deleted")
    elif _longer(policy.keep_for, _LONG):
        yield Warning("keep_for", f"{policy.keep_for} is longer than a year: say in the notice what needs it")
    for key, handling in (("raw.access", policy.raw.access), ("raw.error", policy.raw.error)):
        if handling.startswith(KEPT):
            age = parse_period(handling.removeprefix(KEPT))
            if _longer(age, policy.keep_for):
                text = f"raw logs, which hold addresses, are kept for {age}, longer than the table ({policy.keep_for})"
                yield Warning(key, text)


def _purposes(policy: Policy) -> Iterator[Warning]:
    if not (policy.controller.name and policy.controller.contact):
        yield Warning("controller", "name and contact are needed before a notice can be written")
    if policy.consent.require or policy.consent.exclude_when:
        yield Warning(
            "consent", "neither a cookie nor a signal is consent itself; where logs do not show it, all lines count"
        )
    network = policy.fields.network is not None
    if network and policy.purpose.share != "none":
        yield Warning("purpose.share", "shortened addresses are passed on; they are not certified anonymous")
    if network and policy.purpose.evaluate:
        yield Warning("purpose.evaluate", "shortened addresses are evaluated; they are not certified anonymous")


def _holds(policy: Policy, today: date) -> Iterator[Warning]:
    """Those that have ended, or end before they could keep anything."""
    for hold in policy.hold:
        key = f'hold "{hold.scope}".until'
        if not hold.stands(today):
            yield Warning(key, f"the hold ended on {hold.until}; take it out")
        elif hold.span is not None and policy.keep_for.after(hold.span[0]) >= hold.until:
            yield Warning(key, f"it keeps nothing: until {hold.until} no day of it reaches {policy.keep_for}")


def _fields(policy: Policy) -> Iterator[Warning]:
    for name, options in policy.kept():
        if getattr(options, "minimum", 2) <= 1 and not getattr(options, "routes", ()):
            yield Warning(f"fields.{name}.minimum", "rare values, even of one access, are kept as they are")
        if isinstance(options, ProviderOptions) and not options.known_only:
            yield Warning(f"fields.{name}.known_only", "any domain is kept, also one that is a single person's")
        if isinstance(options, TruncatedOptions):
            if options.v6 >= _HOUSEHOLD:
                yield Warning(f"fields.{name}.v6", f"a /{options.v6} is often one household's")
            if options.v4 >= _SMALL:
                yield Warning(f"fields.{name}.v4", f"a /{options.v4} is 256 addresses at most, often one company's")


def _longer(age: Period, than: Period) -> bool:
    """True if the age can be over later than the other."""
    return age != than and shorter(than, age) is Direction.LOOSER
