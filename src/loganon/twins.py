"""Logs of one run that hold the same lines: copies, links, a log and its compressed form. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from loganon.errors import LoganonError
from loganon.sources import STDIN, open_log
from loganon.sources.identity import begin_alike, compare

_FIRST = 64


@dataclass(frozen=True, slots=True)
class Twins:
    """Paths, each in one of these with that of its twin. `equal`: the same content; `within`: the beginning of a longer
    log, whatever else it is; `unclear`: they agree over their first 4,096 bytes and differ later.
    """

    equal: dict[str, str]
    within: dict[str, str]
    unclear: dict[str, str]


def find_twins(logs: Mapping[str, str]) -> Twins:
    """The twins among logs, each given with where it lies; what cannot be opened is no twin."""
    found = Twins({}, {}, {})
    starts = {path: start for path, at in logs.items() if path != STDIN and (start := _start(at))}
    for first, second in _pairs(starts):
        placed = found.within.keys() | found.equal.keys()
        if first not in placed and second not in placed and begin_alike(starts[first], starts[second]):
            _compare(first, second, logs, found)
    for path in found.within:
        found.unclear.pop(path, None)
    for path in found.equal.keys() & found.unclear.keys():
        del found.equal[path]
    for path in [path for path, other in found.equal.items() if other in found.unclear]:
        found.unclear[path] = found.unclear[found.equal.pop(path)]
    return found


def _pairs(starts: Mapping[str, bytes]) -> Iterable[tuple[str, str]]:
    """Logs that may begin alike, in the order given: those of the same first bytes, and short ones with all others."""
    groups: dict[bytes, list[str]] = {}
    for path, start in starts.items():
        groups.setdefault(b"" if len(start) < _FIRST or start.startswith(b"#") else start[:_FIRST], []).append(path)
    short = groups.pop(b"", [])
    for group in groups.values():
        yield from combinations(group, 2)
    order = {path: place for place, path in enumerate(starts)}
    for path in short:
        for other in starts:
            if other not in short or order[path] < order[other]:
                yield (path, other) if order[path] < order[other] else (other, path)


def _compare(first: str, second: str, logs: Mapping[str, str], found: Twins) -> None:
    try:
        with open_log(logs[first]) as one, open_log(logs[second]) as other:
            relation = compare(one, other)
    except LoganonError:  # whichever cannot be read says so when it is read
        return
    if relation == "differ":
        found.unclear.update({first: second, second: first})
    elif relation == "first_begins_second":
        found.within[first] = second
    elif relation == "second_begins_first":
        found.within[second] = first
    else:
        found.equal[second] = first


def _start(at: str) -> bytes:
    try:
        with open_log(at) as log:
            return log.beginning()
    except LoganonError:
        return b""
