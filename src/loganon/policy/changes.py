"""What one policy says otherwise than another: each change as tighter, looser or neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loganon.policy.model import Policy
from loganon.policy.parts import Entry
from loganon.strictness import Direction, Order, neither

_OTHERWISE = Order(lambda *_: Direction.LOOSER, looser="no order is known for this key")


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs: its path, both values as a policy writes them ("" for none), what that does.

    `effect`: a clause without its subject; `stored`: what a store holds already can be brought to the new value.
    """

    key: str
    old: str
    new: str
    direction: Direction
    effect: str
    stored: bool = True

    @property
    def sentence(self) -> str:
        """The key and what its change does."""
        return f"{self.key.removeprefix('fields.')}: {self.effect}."


def compare(old: Policy, new: Policy, today: date | None = None) -> tuple[Change, ...]:
    """Every key in which `new` differs from `old`, in the order of the keys; by `today` a hold may have ended."""
    return tuple(_changes("", old, new, today))


def loosened(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Those that loosen the policy."""
    return tuple(change for change in changes if change.direction is Direction.LOOSER)


def order_of(info: FieldInfo) -> Order | None:
    """The order that a key was declared with."""
    return next((each for each in info.metadata if isinstance(each, Order)), None)


def written(value: object) -> str:
    """A value as a policy's file writes it, a table on one line; "" for None."""
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        entries = ((info.alias or name, getattr(value, name)) for name, info in type(value).model_fields.items())
        return "{ " + ", ".join(f"{key} = {written(each)}" for key, each in entries if each is not None) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(written(each) for each in value)}]"
    return str(value) if isinstance(value, int) else f'"{value}"'


def _changes(path: str, old: BaseModel, new: BaseModel, today: date | None) -> Iterator[Change]:
    for name, info in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        key = path + (info.alias or name)
        if before == after:
            continue
        if _entries(before) or _entries(after):
            yield from _listed(key, before, after, today)
        elif isinstance(before, BaseModel) and type(before) is type(after):
            yield from _changes(f"{key}.", before, after, today)
        elif isinstance(before, BaseModel) or isinstance(after, BaseModel):
            yield _field(key, before, after)
        else:
            yield _value(key, before, after, order_of(info) or _OTHERWISE, old)


def _entries(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Entry)


def _listed(key: str, old: tuple[Entry, ...], new: tuple[Entry, ...], today: date | None) -> Iterator[Change]:
    """Entries that are new, gone or otherwise; they are told apart by the key they are known by."""
    before, after = ({getattr(each, each.known_by): each for each in entries} for entries in (old, new))
    if before == after:  # a dict's order is no part of it
        yield Change(key, written(old), written(new), Direction.NEITHER, "it stands in another order")
    for name in dict.fromkeys((*before, *after)):
        path = f'{key} "{name}"'
        if name in before and name in after:
            yield from _changes(f"{path}.", before[name], after[name], today)
            continue
        direction, effect = before[name].less(today) if name in before else (after[name].more, "is new")
        yield Change(path, written(before.get(name)), written(after.get(name)), direction, effect)


def _field(key: str, old: BaseModel | None, new: BaseModel | None) -> Change:
    """A field that is kept from now on, or no longer, or by another treatment, which no order compares."""
    direction = Direction.TIGHTER if new is None else Direction.LOOSER
    effect = f"it is {'no longer kept' if new is None else 'kept, too' if old is None else 'treated otherwise'}"
    return Change(key, written(old), written(new), direction, effect)


def _value(key: str, old: object, new: object, order: Order, part: BaseModel) -> Change:
    direction = order.of(old, new, part)
    clause = {Direction.TIGHTER: order.tighter, Direction.LOOSER: order.looser, Direction.NEITHER: ""}[direction]
    if not clause:
        clause = "only people read it" if order.judge is neither else "it comes to the same"
    effect = clause.format(old=_plain(old), new=_plain(new))
    return Change(key, written(old), written(new), direction, effect, order.stored)


def _plain(value: object) -> str:
    """A value within a sentence."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value.value if isinstance(value, Enum) else value)
