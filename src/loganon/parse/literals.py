"""The texts that stand in every line of a template, in their order: what tells cheaply that a line is of another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loganon.parse.directives import Piece

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def literals_of(pieces: Sequence[Piece]) -> tuple[bytes, ...]:
    """The texts between the values of a line that the pieces match; none of a piece that may be missing."""
    found = [b""]
    for piece in pieces:
        if piece.kind == "literal":
            found[-1] += piece.text
        elif piece.bare or piece.parts:
            found.append(b"")
        else:
            found[-1] += _plain(piece.before)
            found.append(_plain(piece.after))
    return tuple(text for text in found if text)


def has_literals(line: bytes, literals: Sequence[bytes]) -> bool:
    """Whether the texts stand in the line, one behind the other: they do in each that the pieces match."""
    at = 0
    for text in literals:
        at = line.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


def _plain(pattern: bytes) -> bytes:
    """The text that an escaped one stands for."""
    return _ESCAPED.sub(rb"\1", pattern)
