"""ASCII characters that others stand for: fullwidth forms, digits of other scripts, further dots, hyphens and blanks.

Browsers read an address also in fullwidth and in circled digits (UTS 46), and people copy telephone numbers with
hyphens that do not break. Only what shapes are made of is folded: letters, digits, `.:@-_+` and the blank; never what
divides a path. Characters that nobody sees (soft hyphens, joiners) are dropped.
"""

from __future__ import annotations

import re
from functools import cache

_ZEROS = (  # Unicode 14, general category Nd: each begins a row of ten digits
    "660 6f0 7c0 966 9e6 a66 ae6 b66 be6 c66 ce6 d66 de6 e50 ed0 f20 1040 1090 17e0 1810 1946 19d0 1a80 1a90 1b50 1bb0 "
    "1c40 1c50 a620 a8d0 a900 a9d0 a9f0 aa50 abf0 ff10 104a0 10d30 11066 110f0 11136 111d0 112f0 11450 114d0 11650 "
    "116c0 11730 118e0 11950 11c50 11d50 11da0 16a60 16ac0 16b50 1d7ce 1d7d8 1d7e2 1d7ec 1d7f6 1e140 1e2f0 1e950 1fbf0"
)
_FULLWIDTH = "+-.:@_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CIRCLED = "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468"
_FURTHER = {
    ".": "\u2024\u3002\ufe52\uff61",
    ":": "\ufe55",
    "@": "\ufe6b",
    "-": "\u2010\u2011\u2212\ufe63",
    " ": "\u00a0\u2007\u2009\u202f\u3000",
    "": "\u00ad\u200b\u200c\u200d\u2060\ufeff",
}


@cache
def _meant() -> dict[str, str]:
    """What each stands for: as a character, and as the bytes of its UTF-8 that percent-decoding leaves."""
    found = {chr(int(zero, 16) + digit): str(digit) for zero in _ZEROS.split() for digit in range(10)}
    found |= {chr(ord(plain) + 0xFEE0): plain for plain in _FULLWIDTH}
    found |= {each: str(digit) for digit, each in enumerate(_CIRCLED)}
    found |= {each: plain for plain, several in _FURTHER.items() for each in several}
    return found | {each.encode().decode("latin-1"): plain for each, plain in found.items()}


@cache
def lookalikes() -> str:
    """A pattern of all of them, for Rust's engine and for Python's."""
    rows: dict[str, list[int]] = {}
    for each in _meant():
        rows.setdefault(each[:-1], []).append(ord(each[-1]))
    return "|".join(f"{before}[{_ranges(sorted(ends))}]" for before, ends in rows.items())


def _ranges(ends: list[int]) -> str:
    """The inside of a class of these characters, in order."""
    runs: list[list[int]] = []
    for end in ends:
        if runs and runs[-1][1] == end - 1:
            runs[-1][1] = end
        else:
            runs.append([end, end])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(lookalikes())


def folded(text: str, starts: list[int]) -> tuple[str, list[int]]:
    """The text with what lookalikes stand for, and where each of its characters began: `starts[i]` for character i."""
    if text.isascii():
        return text, starts
    parts, kept, end = [], [], 0
    for found in _pattern().finditer(text):
        plain = _meant()[found[0]]
        parts += [text[end : found.start()], plain]
        kept += starts[end : found.start()] + starts[found.start() : found.start() + len(plain)]
        end = found.end()
    return "".join(parts) + text[end:], kept + starts[end:]
