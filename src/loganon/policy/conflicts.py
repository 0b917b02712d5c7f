"""Mistakes that lie between the keys of a policy, each of which is well formed by itself.

They are looked for in the file's data rather than in a policy, so that they are said together with all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loganon.errors import ConfigurationError
from loganon.fields import FIELDS
from loganon.policy.elsewhere import is_too_wide
from loganon.policy.hold import read_span
from loganon.spelling import nearest


def find_conflicts(data: Mapping[str, Any], where: str) -> tuple[ConfigurationError, ...]:
    """One error for each; what is not well formed is passed over."""
    return (
        *_unlimited(data, where),
        *_twice(data, where),
        *_strangers(data, where),
        *_wide(data, where),
        *_hosts(data, where),
    )


def _unlimited(data: Mapping[str, Any], where: str) -> Iterator[ConfigurationError]:
    fields = data.get("fields")
    if data.get("keep_for") == "unlimited" and isinstance(fields, Mapping):
        for name in (name for name, row in FIELDS.items() if row.networks is not None and name in fields):
            yield ConfigurationError(
                f'the value of keep_for is wrong: "unlimited" is for anonymous fields only, and fields.{name} is '
                "shortened, not certified anonymous",
                where=where,
                fix=f"Set an age, or leave fields.{name} out",
            )


def _twice(data: Mapping[str, Any], where: str) -> Iterator[ConfigurationError]:
    for key, name in (("also_expire", "name"), ("hold", "scope")):
        known: set[str] = set()
        for index, entry in enumerate(_entries(data, key), 1):
            value = entry.get(name)
            if isinstance(value, str) and value in known:
                what = f'the value of {key}[{index}].{name} is wrong: "{value}" stands there twice'
                yield ConfigurationError(what, where=where, fix="Give each its own")
            known |= {value} if isinstance(value, str) else set()


def _strangers(data: Mapping[str, Any], where: str) -> Iterator[ConfigurationError]:
    """Holds on what there is not."""
    names = [str(entry["name"]) for entry in _entries(data, "also_expire") if isinstance(entry.get("name"), str)]
    for index, entry in enumerate(_entries(data, "hold"), 1):
        scope = entry.get("scope")
        if isinstance(scope, str) and scope.strip() and scope not in names and not _is_days(scope):
            fix = nearest(scope, names) or 'Give "2026-10-01", "2026-10-01 to 2026-10-07" or a name of also_expire'
            what = f"the value of hold[{index}].scope is wrong: it names neither days nor an also_expire"
            yield ConfigurationError(what, where=where, fix=fix)


def _wide(data: Mapping[str, Any], where: str) -> Iterator[ConfigurationError]:
    """Patterns by which too much would be deleted."""
    for index, entry in enumerate(_entries(data, "also_expire"), 1):
        path = entry.get("path")
        if entry.get("action") == "delete" and isinstance(path, str) and is_too_wide(path):
            yield ConfigurationError(
                f"the value of also_expire[{index}].path is wrong: it says too little of the name to delete by it",
                where=where,
                fix='Name more of the file, such as "backup-*.gz"',
            )


def _hosts(data: Mapping[str, Any], where: str) -> Iterator[ConfigurationError]:
    """A field whose closed list is the scope needs one."""
    fields, scope = data.get("fields"), data.get("scope")
    sites = scope.get("sites") if isinstance(scope, Mapping) else None
    if isinstance(fields, Mapping) and "host" in fields and "host" in FIELDS and not sites:
        yield ConfigurationError(
            "the key scope.sites is missing: fields.host keeps the names of these sites only",
            where=where,
            fix='Set [scope] sites = ["www.example.com"], or leave fields.host out',
        )


def _entries(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    return [entry if isinstance(entry, Mapping) else {} for entry in found] if isinstance(found, list) else []


def _is_days(scope: str) -> bool:
    try:
        return read_span(scope) is not None
    except ValueError:
        return True  # said by the key itself
