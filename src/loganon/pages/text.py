"""Text of a store, safe to be shown: in a terminal, in a page, in JSON."""

from __future__ import annotations

from loganon.errors import printable

_MORE = "…"


def shown(text: str, longest: int | None = None) -> str:
    """The text on one line: control and bidi characters, and lone surrogates, as Python escapes them.

    Over `longest` characters it is cut, and ends in `…`.
    """
    escaped = printable(text)
    return escaped if longest is None or len(escaped) <= longest else escaped[: longest - 1] + _MORE
