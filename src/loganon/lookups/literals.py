"""The texts without which a regular expression cannot match: what a search for many at once is built of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from re import _constants as ops  # type: ignore[attr-defined]  # the parser of the standard library has no public name
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from re import escape
from typing import Any

_MOST = 512
"""Texts that one set may hold: above, it is cut in two, of which each is needed."""

_WIDEST = 26
"""A range of more characters is any character."""

_FEW = 3

Needed = list[frozenset[str]]
Texts = frozenset[str] | Needed


def needed(pattern: str) -> Needed:
    """Sets of texts: what `pattern` matches holds one text of each set; under IGNORECASE in large or small letters.

    Fewer sets than could be found are no mistake: what is said is needed, is.
    """
    return _read(parser.parse(pattern))[1]


def any_of(texts: Iterable[str]) -> str:
    """A pattern, for the Rust engine, of what holds one of the texts (ASCII), in large or small letters.

    It is a tree of their characters: so the engine's automaton has no more states than there are beginnings of texts.
    """
    tree: dict[str, Any] = {}
    for text in texts:
        node = tree
        for character in text:
            node = node.setdefault(character, {})
        node[""] = {}
    return f"(?i-u:{_branches(tree)})"


def _branches(tree: dict[str, Any]) -> str:
    if "" in tree:  # what is longer needs not to be found
        return ""
    branches = [escape(character) + _branches(below) for character, below in sorted(tree.items())]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _read(nodes: Iterable[tuple[Any, Any]]) -> tuple[frozenset[str] | None, Needed]:
    """All texts that the nodes match, one behind the other, if they are few (else None); and what is needed of them."""
    sets: Needed = []
    runs = frozenset({""})
    whole = True
    for operation, argument in nodes:
        found = _texts(operation, argument)
        if operation is ops.IN and len(found) > _FEW and shortest(runs) < _FEW:
            found = []  # `.[a-z]` is in every text
        if isinstance(found, frozenset) and len(runs) * len(found) <= _MOST:
            runs = frozenset(before + after for before in runs for after in found)
            continue
        whole = False
        if "" not in runs:
            sets.append(runs)
        runs = found if isinstance(found, frozenset) else frozenset({""})
        sets += [] if isinstance(found, frozenset) else found
    if "" not in runs:
        sets.append(runs)
    return (runs if whole else None), sets


def _texts(operation: Any, argument: Any) -> Texts:
    """All texts that a node matches; where they are many or not known, the sets of which it needs one text each."""
    if operation is ops.LITERAL:
        return frozenset({chr(argument)})
    if operation in (ops.AT, ops.ASSERT, ops.ASSERT_NOT):  # they take no character
        return frozenset({""})
    read = _READ.get(operation)
    return [] if read is None else read(argument)


def _letters(members: Iterable[tuple[Any, Any]]) -> Texts:
    """The characters of a class; nothing is needed of one that is not a few characters and short ranges."""
    found: set[str] = set()
    for kind, argument in members:
        first, last = (argument, argument) if kind is ops.LITERAL else argument if kind is ops.RANGE else (0, _MOST)
        if last - first > _WIDEST:
            return []
        found.update(map(chr, range(first, last + 1)))
    return frozenset(found)


def _group(argument: Any) -> Texts:
    texts, sets = _read(argument[-1])
    return sets if texts is None else texts


def _one_of(argument: Any) -> Texts:
    branches = [_read(branch) for branch in argument[1]]
    known = [texts for texts, _ in branches if texts is not None]
    if len(known) == len(branches):
        return frozenset().union(*known)
    if not all(sets for _, sets in branches):
        return []
    return [frozenset().union(*(max(sets, key=shortest) for _, sets in branches))]


def _repeated(argument: Any) -> Texts:
    least, most, inside = argument
    texts, sets = _read(inside)
    if most == 1 and texts is not None:
        return texts if least else texts | {""}
    return sets if least else []


_READ: Mapping[Any, Callable[[Any], Texts]] = {
    ops.IN: _letters,
    ops.SUBPATTERN: _group,
    ops.BRANCH: _one_of,
    ops.MAX_REPEAT: _repeated,
    ops.MIN_REPEAT: _repeated,
}


def shortest(texts: Iterable[str]) -> int:
    """The length of the shortest of the texts: the longer, the rarer is the set."""
    return min(map(len, texts))
