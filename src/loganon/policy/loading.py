"""Policies out of files, bundled names and stores: all validation before the first byte of a log is read.

Every mistake is reported at once, each with the nearest valid spelling.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from loganon.errors import ConfigurationError
from loganon.mistakes import mistakes_of
from loganon.paths import require_path
from loganon.policy.conflicts import find_conflicts
from loganon.policy.model import Policy
from loganon.policy.ready import is_file
from loganon.spelling import nearest

_BUNDLED = Path(__file__).parents[1] / "configs"
_INDEX = re.compile(r"\[[0-9]+\]")
_HINTS = {
    "keep_for": ', such as "6 weeks"; there is no default age',
    "hold.until": " = 2027-06-30, without quotes: what is held without an end is kept for ever",
    "also_expire.age": ' = "60 days", or what your rules say; there is no default age',
    "fields.time": ' = { as = "hour" }: partitions are made by it',
}


class PolicyError(ConfigurationError):
    """A policy with mistakes; `mistakes` holds one error for each."""

    def __init__(self, mistakes: tuple[ConfigurationError, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(str(mistake) for mistake in mistakes))


def bundled() -> Mapping[str, str]:
    """The policies that come with loganon: name -> TOML text."""
    return {path.stem: path.read_text("utf-8") for path in sorted(_BUNDLED.glob("*.toml"))}


def load_policy(source: str | Path) -> Policy:
    """The policy of a bundled name ("imos") or of a file.

    A path, or a text with a slash or ending in `.toml`, is a file. Raises ConfigurationError (exit code 78) where there
    is none; PolicyError, one of its kind, with every mistake in it.
    """
    if isinstance(source, str) and not is_file(source):
        policies = bundled()
        if source not in policies:
            raise ConfigurationError(
                f'no bundled policy is named "{source}"',
                fix=nearest(source, policies) or f"Take {_listed(policies)}, or give a file as ./{source}.toml",
            )
        return parse_policy(policies[source], where=f"policy {source}")
    require_path(source, "the policy")
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"cannot read the policy ({reason})", where=str(source), fix="Give a readable TOML file or a bundled name"
        ) from None
    return parse_policy(text, where=str(source))


def named_policy(source: str | Path | None) -> Policy | str | None:
    """What `--policy` says: the policy of a file, or the name of a bundled one, which a store may know by itself."""
    if isinstance(source, str) and source and not is_file(source):
        return source
    return load_policy(source) if source else None


def parse_policy(text: str, *, where: str) -> Policy:
    """The policy that a TOML text writes; `where` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistake = ConfigurationError(f"the policy is not TOML: {error}", where=where, fix="Mend that line")
        raise PolicyError((mistake,)) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, tables within thousands of tables
        mistake = ConfigurationError(
            "the policy holds a number too long, or lists nested too deep", where=where, fix="Shorten it"
        )
        raise PolicyError((mistake,)) from None
    between = find_conflicts(data, where)
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        found = mistakes_of(error, Policy, lambda loc: (where, loc))
        raise PolicyError((*(_hinted(mistake) for mistake in found), *between)) from None
    if between:
        raise PolicyError(between)
    return policy


def from_canonical(text: str, *, where: str) -> Policy:
    """The policy whose `canonical` text a store has frozen."""
    try:
        data = json.loads(text)
        data["valid_from"] = date.fromisoformat(data["valid_from"])
        for hold in data.get("hold", ()):
            hold["until"] = date.fromisoformat(hold["until"])
        return Policy.model_validate(data)
    except (ValueError, KeyError, TypeError):  # pydantic's ValidationError is a ValueError
        raise ConfigurationError(
            "the policy frozen in the store is not readable by this version", where=where, fix="Use a newer loganon"
        ) from None


def _hinted(mistake: ConfigurationError) -> ConfigurationError:
    """The mistake with what is said of a key that is missing."""
    for key, hint in _HINTS.items():
        if _INDEX.sub("", mistake.what) == f"the key {key} is missing":
            return ConfigurationError(mistake.what, where=mistake.where, fix=f"{mistake.fix}{hint}")
    return mistake


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "nothing"
