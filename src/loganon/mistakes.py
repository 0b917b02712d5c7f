"""What is wrong with a TOML file, as errors: each key with what was expected there and the nearest valid spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from loganon.errors import ConfigurationError
from loganon.spelling import nearest

Loc: TypeAlias = tuple[int | str, ...]
Mistakes: TypeAlias = tuple[ConfigurationError, ...]
Place: TypeAlias = Callable[[Loc], tuple[str, Loc]]
"""From where pydantic found a mistake to where it is for the operator, and the key from there on."""

_EXPECTED = {
    "tuple_type": "Write a list: [ … ]",
    "time_delta_type": 'Write it as "60s", "5m", "2h" or "1d"',
}
"""What is to be written where pydantic names a type of Python."""

_INTERNAL = re.compile(r"function-|constrained-|tuple\[|is-instance")


def mistakes_of(error: ValidationError, model: type[BaseModel], place: Place) -> Mistakes:
    """One error for each of a validation's, in the order of the file."""
    return tuple(_mistake(detail, model, place) for detail in error.errors(include_url=False))


def _mistake(detail: ErrorDetails, model: type[BaseModel], place: Place) -> ConfigurationError:
    loc = tuple(part for part in detail["loc"] if isinstance(part, int) or not _INTERNAL.search(part))
    where, path = place(loc)
    key = _key(path)
    if detail["type"] == "extra_forbidden":
        known = _keys(model, loc[:-1])
        fix = nearest(str(loc[-1]), known) or f"Known here: {_quoted(known)}"
        return ConfigurationError(f"the key {key} is unknown", where=where, fix=fix)
    if detail["type"] == "missing":
        return ConfigurationError(f"the key {key} is missing", where=where, fix=f"Set {key}")
    context = detail.get("ctx", {})
    if detail["type"] == "said":
        what, fix = str(context["what"]), str(context["fix"])
        return ConfigurationError(f"the value of {key} is wrong: {what}", where=where, fix=fix or "Correct it")
    if detail["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'", str(context.get("expected", "")))
        fix = nearest(str(detail["input"]), allowed) or f"Take {_quoted(allowed)}"
        return ConfigurationError(f"the value of {key} is not one that is known", where=where, fix=fix)
    expected = _EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"the value of {key} is wrong", where=where, fix=expected[:1].upper() + expected[1:])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _key(path: Loc) -> str:
    """The key as it is looked for: `exclude[1].client`, indices from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that are known at `loc`."""
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        kinds = [field.annotation] if field else []
        for kind in kinds:
            kinds += getattr(kind, "__args__", ())
        nested = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return [field.alias or name for name, field in model.model_fields.items()]
