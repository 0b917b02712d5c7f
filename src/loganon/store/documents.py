"""Small JSON files of a store: each an object with its version; a newer version is refused, damage is an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loganon.errors import ConfigurationError, InputOutputError

Document = dict[str, Any]
"""A parsed object; each reader checks the members it takes."""


def dump(document: Document) -> bytes:
    """The object as UTF-8 JSON, one line, keys sorted: equal objects give equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


_HALVES = "\\ud"
"""How JSON writes half a surrogate pair, which is no UTF-8."""


def parse_json(data: bytes | str) -> Any:
    """What a JSON text says; ValueError for any other, one nested too deep, and one with half a surrogate pair."""
    try:
        found = json.loads(data)
        if _HALVES in (data if isinstance(data, str) else data.decode("utf-8", "replace")).lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


Steps = Mapping[int, Callable[[Document], Document]]
"""How a document of each older version is read: what it says, in the words of the version after it."""


def load(data: bytes, path: Path | str, *, version: int, steps: Steps | None = None) -> Document:
    """The object as `version` says it; 78 if a newer program wrote it, 74 if it is damaged.

    An older one is brought forward by `steps`, version by version; without a step for it, it is damaged.
    """
    try:
        document: Document = parse_json(data)
        found = document["version"]
        if type(found) is not int or not isinstance(document, dict):
            raise damaged(path)
    except (ValueError, KeyError, TypeError):
        raise damaged(path) from None
    if found > version:
        raise ConfigurationError(
            "written by a newer loganon", where=str(path), fix="Install that version or a later one"
        )
    for older in range(found, version):
        if steps is None or older not in steps:
            raise damaged(path)
        document = steps[older](document)
    return document


def damaged(path: Path | str) -> InputOutputError:
    """The error for a file of the store, or for the object of an address, that is not what it should be."""
    return InputOutputError("a file of the store is damaged", where=str(path), fix="Restore it from a backup")


def moment(text: object) -> datetime:
    """The moment (UTC) of an ISO 8601 text; ValueError or TypeError for anything else."""
    if not isinstance(text, str):
        raise TypeError("no moment")
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("no offset")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError("no moment of the calendar in UTC") from None


def day(text: object) -> date:
    """The day of an ISO 8601 text; ValueError or TypeError for anything else."""
    if not isinstance(text, str):
        raise TypeError("no day")
    return date.fromisoformat(text)


def count(number: object) -> int:
    """The number, an integer from 0 on; ValueError for anything else."""
    if type(number) is not int or number < 0:
        raise ValueError("no count")
    return number
