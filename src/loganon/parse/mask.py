"""The masked shape of a line: enough to see what was wrong with it, nothing of what it said."""

from __future__ import annotations

import re

_READ = 4096
_SHOWN = 120
_TIME = re.compile(
    rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
)
_RUNS = re.compile(rb"([0-9]+)|([A-Z]+)|([a-z]+)|([^\x20-\x3e\x40-\x7e]+)|([!-/:->@\[-`{-~ ])\5*")


def mask(line: bytes) -> str:
    """`9.9.9.9 - - [T] "A /a" 9`: a well-formed time is `T`, a run of digits `9`, of capitals `A`, of small letters
    `a`, of bytes that are not printable ASCII `?`, of one punctuation mark that mark; at most 120 characters.
    """
    shown = []
    end = 0
    text = line[:_READ]
    for found in _TIME.finditer(text):
        shown += [_masked(text[end : found.start()]), "T"]
        end = found.end()
    shown.append(_masked(text[end:]))
    return "".join(shown)[:_SHOWN]


def _masked(text: bytes) -> str:
    return _RUNS.sub(_run, text).decode("ascii")


def _run(found: re.Match[bytes]) -> bytes:
    kind = found.lastindex or 0
    return (b"", b"9", b"A", b"a", b"?", found[5] or b"")[kind]
