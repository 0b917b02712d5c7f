"""Logs of one run that hold the same lines: copies, links, a log and its compressed form. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from loganon.errors import LoganonError
from loganon.sources import STDIN
from loganon.sources.files import open_log
from loganon.sources.identity import begin_alike, compare


@dataclass(frozen=True, slots=True)
class Twins:
    """Paths, each with that of its twin. `equal`: the same content; `within`: the beginning of a longer log;
    `unclear`: they agree over their first 4,096 bytes and differ later.
    """

    equal: dict[str, str]
    within: dict[str, str]
    unclear: dict[str, str]


def find_twins(paths: Sequence[str]) -> Twins:
    """The twins among logs; what cannot be opened is no twin."""
    found = Twins({}, {}, {})
    starts = {path: start for path in paths if path != STDIN and (start := _start(path))}
    for first, second in combinations(starts, 2):
        if {first, second} & (found.within.keys() | found.equal.keys()) or not begin_alike(
            starts[first], starts[second]
        ):
            continue
        with open_log(first) as one, open_log(second) as other:
            relation = compare(one, other)
        if relation == "differ":
            found.unclear.update({first: second, second: first})
        elif relation == "first_begins_second":
            found.within[first] = second
        elif relation == "second_begins_first":
            found.within[second] = first
        else:
            found.equal[second] = first
    return found


def _start(path: str) -> bytes:
    try:
        with open_log(path) as log:
            return log.beginning()
    except LoganonError:
        return b""
