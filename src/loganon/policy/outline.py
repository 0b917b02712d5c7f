"""A policy explained: what is kept, by which technique (RFC 6235), how long and what for; and the keys it can have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loganon.fields import FIELDS, Options
from loganon.policy.changes import written
from loganon.policy.elsewhere import AlsoExpire
from loganon.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Kept:
    """One field: its columns, its treatment with its parameters, the technique, and its minimum (0: none)."""

    field: str
    columns: tuple[str, ...]
    treatment: str
    parameters: str
    technique: str
    minimum: int


def kept_fields(policy: Policy) -> tuple[Kept, ...]:
    """The kept fields in stored order."""
    return tuple(_kept(name, options) for name, options in policy.kept())


def facts(policy: Policy) -> dict[str, str]:
    """All else that a policy says: what -> in words, in the order of a notice."""
    return {
        "title": policy.title or policy.name,
        "derived from": policy.derived_from or "not said",
        "version": f"{policy.version}, valid from {policy.valid_from}",
        "kept for": str(policy.keep_for)
        + ("" if policy.keep_for.unlimited else ", from the oldest moment that a partition can hold"),
        "raw access logs": policy.raw.access,
        "raw error logs": policy.raw.error,
        "evaluation": "allowed" if policy.purpose.evaluate else "refused",
        "passed on": "to nobody" if policy.purpose.share == "none" else "as the anonymous table",
        "consent": _consent(policy),
        "own sites": ", ".join(policy.scope.sites) or "not named",
        "also expire": "; ".join(map(_elsewhere, policy.also_expire)) or "nothing else",
        "held": "; ".join(f"{each.scope} until {each.until} ({each.basis})" for each in policy.hold) or "nothing",
        "controller": ", ".join(filter(None, (policy.controller.name, policy.controller.contact))) or "not said",
        "sha256": policy.sha256,
    }


def _consent(policy: Policy) -> str:
    wanted = [f"counted only with: {', '.join(policy.consent.require)}"] if policy.consent.require else []
    if policy.consent.exclude_when:
        wanted.append(f"not counted with: {', '.join(policy.consent.exclude_when)}")
    return "; ".join(wanted) or "not asked for"


def _elsewhere(entry: AlsoExpire) -> str:
    start = "the date in its name" if entry.start == "name" else "its last change"
    fate = "deleted" if entry.action == "delete" else "reported, not deleted"
    return f"{entry.name} ({entry.path}): {entry.age} from {start}, then {fate}; answers for it: {entry.owner}"


def _kept(name: str, options: Options) -> Kept:
    row = FIELDS[name]
    shown = {key: getattr(options, key) for key in type(options).model_fields if key not in ("as_", "minimum")}
    return Kept(
        name,
        tuple(column for column, _ in row.columns(options)),
        options.as_,
        ", ".join(f"{key} = {written(value)}" for key, value in shown.items()),
        row.technique(options),
        getattr(options, "minimum", 0),
    )


@dataclass(frozen=True, slots=True)
class Key:
    """One key that a policy can have: its path, what it takes, its default ("": it has none), what it means."""

    path: str
    takes: str
    default: str
    meaning: str


def known_keys(model: type[BaseModel] = Policy, path: str = "") -> Iterator[Key]:
    """Every key, tables before what stands in them."""
    for name, info in model.model_fields.items():
        key = path + (info.alias or name)
        table = _table(info)
        if table is not None and _is_list(info):
            yield Key(key, f"tables `[[{key}]]`", "[]", _says(table))
            yield from known_keys(table, f"{key}.")
        elif table is None:
            default = "" if info.is_required() else written(info.default)
            yield Key(key, _takes(info), default, info.description or "")
        else:
            required = info.is_required()
            yield Key(
                key, "a table", "" if required else "not kept" if info.default is None else "as below", _says(table)
            )
            yield from known_keys(table, f"{key}.")


def _table(info: FieldInfo) -> type[BaseModel] | None:
    kinds = (info.annotation, *get_args(info.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _is_list(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is tuple


def _says(table: type[BaseModel]) -> str:
    text = (table.__doc__ or "").strip().split("\n\n")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def _takes(info: FieldInfo) -> str:
    """What a key takes, in words."""
    kind: Any = info.annotation
    if get_origin(kind) is Literal:
        return " or ".join(f'"{each}"' for each in get_args(kind))
    if get_origin(kind) is tuple:
        (inner, _) = get_args(kind)
        members = " or ".join(f'"{each}"' for each in get_args(inner))
        return f"a list of {members or 'texts'}"
    if kind is int:
        low, high = _limit(info, "ge"), _limit(info, "le")
        return f"a number from {low}" + ("" if high is None else f" to {high}")
    return {bool: "true or false", str: "a text"}.get(kind, "a date" if kind.__name__ == "date" else "an age")


def _limit(info: FieldInfo, name: str) -> int | None:
    found = (getattr(each, name, None) for each in info.metadata)
    return next((each for each in found if each is not None), None)
