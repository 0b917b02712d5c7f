"""Which clauses of the policy a finding breaks, where that depends on the column, the day or the frozen text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loganon.fields import FIELDS
from loganon.policy import Policy, from_canonical
from loganon.policy.clauses import CLOSED_LIST, clauses_of
from loganon.policy.parts import Entry

_Alternative: TypeAlias = tuple[str, tuple[str | int, ...], object]
_SITES = "scope.sites"


def columns_of(policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """The stored columns, each with the clauses that say what may stand in it: its field's, but for the minimum."""
    keys = [clause.key for clause in clauses_of(policy)]
    found: dict[str, tuple[str, ...]] = {}
    for name, options in policy.kept():
        own = f"{CLOSED_LIST}.{name}"
        said = tuple(key for key in keys if key == own or (key.startswith(f"{own}.") and not key.endswith(".minimum")))
        said += (_SITES,) if name == "host" else ()
        found |= dict.fromkeys((column for column, _ in FIELDS[name].columns(options)), said)
    return found


def minima_of(policy: Policy, columns: Iterable[str] = ()) -> tuple[str, ...]:
    """The clauses that set a minimum, of the fields of these columns; of all where none is named."""
    of = {column for name, options in policy.kept() for column, _ in FIELDS[name].columns(options)}
    wanted = set(columns) or of
    return tuple(
        f"{CLOSED_LIST}.{name}.minimum"
        for name, options in policy.kept()
        if getattr(options, "minimum", 0) > 1 and wanted & {column for column, _ in FIELDS[name].columns(options)}
    )


def altered(policy: Policy, sha256: str) -> tuple[str, ...]:
    """The one key by whose other value `policy` would be the one of that hash; none where it takes more than that.

    Tried are the keys of few values, such as `purpose.evaluate`: those that leave no trace in the table.
    """
    for key, path, value in _alternatives("", (), policy):
        document = json.loads(policy.canonical)
        part = document
        for step in path[:-1]:
            part = part[step] if isinstance(step, int) else part.setdefault(step, {})
        part[path[-1]] = value
        if from_canonical(json.dumps(document), where=policy.name).sha256 == sha256:
            return (key,)
    return ()


def _alternatives(key: str, path: tuple[str | int, ...], part: BaseModel) -> Iterator[_Alternative]:
    """Each key of few values below `part`, the way to it in the canonical form, and each value that it has not."""
    for name, info in type(part).model_fields.items():
        value, own = getattr(part, name), info.alias or name
        if isinstance(value, BaseModel):
            yield from _alternatives(f"{key}{own}.", (*path, own), value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Entry):
            for at, entry in enumerate(value):
                known_by = getattr(entry, entry.known_by)
                yield from _alternatives(f'{key}{own} "{known_by}".', (*path, own, at), entry)
        else:
            written = list(value) if isinstance(value, tuple) else value
            yield from ((f"{key}{own}", (*path, own), other) for other in _values(info) if other != written)


def _values(info: FieldInfo) -> list[object]:
    """All values of a key that has few; else none."""
    if info.annotation is bool:
        return [True, False]
    if get_origin(info.annotation) is Literal:
        return list(get_args(info.annotation))
    members = get_args(get_args(info.annotation)[0]) if get_origin(info.annotation) is tuple else ()
    return [list(several) for count in range(len(members) + 1) for several in combinations(members, count) if members]
