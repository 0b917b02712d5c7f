"""Logs of one run that hold the same lines: copies, links, a log and its compressed form. Pure but for reading them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations

from loganon.errors import LoganonError
from loganon.reading import Input
from loganon.sightings import Sighting, sight
from loganon.sources import STDIN, open_log
from loganon.sources.identity import Beginning, beginning_of, compare, stream_name

_FIRST = 64


@dataclass(frozen=True, slots=True)
class Twins:
    """Paths, each in one of these with that of its twin. `equal`: the same content; `within`: the beginning of a longer
    log, whatever else it is; `unclear`: they agree over their first 4,096 bytes and differ later. `seen`: the logs as
    they were looked at.
    """

    equal: dict[str, str]
    within: dict[str, str]
    unclear: dict[str, str]
    seen: dict[str, Sighting]


def one_stream(inputs: Mapping[str, Input], known: Collection[str]) -> dict[str, Input]:
    """The inputs, by where they lie; all names of one file have one stream, if it can be one that is `known`.

    Two streams that the operator names are two logs, whatever they hold; but one file is one log.
    """
    names: dict[tuple[int, int], list[str]] = {}
    for place in inputs:
        with suppress(OSError, ValueError):  # it is no file, or whoever opens it says so
            status = os.stat(place)  # noqa: PTH116 - paths are text here, as given
            names.setdefault((status.st_dev, status.st_ino), []).append(place)
    found = dict(inputs)
    for places in names.values():
        streams = [inputs[place].reading.stream or stream_name(inputs[place].log) for place in places]
        chosen = next((stream for stream in streams if stream in known), streams[0])
        for place in places:
            reading = inputs[place].reading
            if reading.stream not in (None, chosen):
                found[place] = replace(inputs[place], reading=replace(reading, stream=chosen))
    return found


def find_twins(inputs: Mapping[str, Input]) -> Twins:
    """The twins among inputs, given by where they lie; what cannot be opened is no twin, and of two streams that the
    operator has named none is.
    """
    found = Twins({}, {}, {}, {})
    starts = {path: start for path in inputs if path != STDIN and (start := _start(path, found.seen))}
    for first, second in _pairs(starts):
        one, other = inputs[first].reading.stream, inputs[second].reading.stream
        apart = None not in (one, other) and one != other
        placed = found.within.keys() | found.equal.keys()
        if apart or first in placed or second in placed:
            continue
        if starts[first].is_alike(starts[second]):
            _compare(first, second, found)
    for path in found.within:
        found.unclear.pop(path, None)
    for path in found.equal.keys() & found.unclear.keys():
        del found.equal[path]
    for path in [path for path, other in found.equal.items() if other in found.unclear]:
        found.unclear[path] = found.unclear[found.equal.pop(path)]
    return found


def _pairs(starts: Mapping[str, Beginning]) -> Iterable[tuple[str, str]]:
    """Logs that may begin alike, in the order given: those of the same first bytes, and short ones with all others."""
    groups: dict[bytes, list[str]] = {}
    for path, start in starts.items():
        groups.setdefault(start.content[:_FIRST] if len(start.content) >= _FIRST else b"", []).append(path)
    short = set(groups.pop(b"", ()))
    for group in groups.values():
        yield from combinations(group, 2)
    order = {path: place for place, path in enumerate(starts)}
    for path in sorted(short, key=order.__getitem__):
        for other in starts:
            if other not in short or order[path] < order[other]:
                yield (path, other) if order[path] < order[other] else (other, path)


def _compare(first: str, second: str, found: Twins) -> None:
    try:
        with open_log(first) as one, open_log(second) as other:
            if not (found.seen[first].holds(one) and found.seen[second].holds(other)):
                return  # rotated since; each is told when it is read
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


def _start(path: str, seen: dict[str, Sighting]) -> Beginning | None:
    """What the log begins with; None where that is nothing, or cannot be told."""
    try:
        with open_log(path) as log:
            start = log.beginning()
            found = beginning_of(start)
            seen[path] = sight(log, start, found)
            return found if start else None
    except LoganonError:
        return None
