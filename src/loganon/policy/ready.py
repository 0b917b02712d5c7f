"""Policies to be carried out: bundled ones out of their canonical form, without being judged again; others judged.

A run under a bundled policy is the usual one, and to judge a policy takes a fifth of the time until it begins.
`ready.jsonl` is written by `docs/generate.py`, and a test holds it to what the bundled files say.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from loganon.fields import FIELDS
from loganon.periods import parse_period
from loganon.policy.meaning import Meaning

if TYPE_CHECKING:
    from loganon.policy.model import Policy

DEFAULT = "imos"
READY = Path(__file__).parent / "ready.jsonl"
_LATER = {"scope": SimpleNamespace(sites=()), "also_expire": (), "hold": ()}
"""What a canonical form leaves out where it says nothing."""


class Ready(Meaning):
    """A policy of which the canonical `text` is known to be one: its keys as `policy.model` has them, without types.

    Equal to every policy that means the same.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        said: dict[str, Any] = _LATER | vars(json.loads(text, object_hook=_part))
        said["keep_for"] = parse_period(said["keep_for"])
        said["valid_from"] = date.fromisoformat(said["valid_from"])
        said["fields"] = SimpleNamespace(**(dict.fromkeys(FIELDS) | vars(said["fields"])))
        vars(self).update(said)

    @property
    def canonical(self) -> str:
        """The text."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Meaning) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)


def is_file(source: str) -> bool:
    """Whether a text names a policy's file, not a bundled policy."""
    return "/" in source or source.endswith(".toml")


def open_policy(source: str | Path) -> Policy:
    """The policy of a bundled name or of a file, as `load_policy` has it, to be carried out."""
    text = _by_name().get(source) if isinstance(source, str) else None
    return _ready(text) if text is not None else cast("Policy", _judging().load_policy(source))


def open_frozen(text: str, *, where: str) -> Policy:
    """The policy whose `canonical` text a store has frozen, as `from_canonical` has it, to be carried out."""
    if text in _by_name().values():
        return _ready(text)
    return cast("Policy", _judging().from_canonical(text, where=where))


def _ready(text: str) -> Policy:
    return cast("Policy", Ready(text))


@cache
def _by_name() -> dict[str, str]:
    """The canonical forms of the bundled policies, as far as these are ready."""
    return {json.loads(line)["name"]: line for line in READY.read_text("utf-8").splitlines()}


def _judging() -> Any:
    """What judges policies: loaded when one must be, since it brings pydantic."""
    return import_module("loganon.policy.loading")


def _part(said: dict[str, Any]) -> SimpleNamespace:
    """A table as a value."""
    named = {"as_" if key == "as" else key: value for key, value in said.items()}
    return SimpleNamespace(**{key: tuple(each) if isinstance(each, list) else each for key, each in named.items()})
