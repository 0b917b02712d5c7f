"""Amounts as people read them: counts, sizes, shares; and every number with its noun."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def count(number: int) -> str:
    """`1,234,567`."""
    return f"{number:,}"


def size(octets: float) -> str:
    """`0 B`, `999 B`, `1.2 kB`, `34.5 MB`: powers of 1000."""
    found, unit = float(octets), 0
    while round(found, 1) >= 1000 and unit < len(_UNITS) - 1:
        found, unit = found / 1000, unit + 1
    return f"{found:,.1f} {_UNITS[unit]}" if unit else f"{found:,.0f} {_UNITS[0]}"


def share(part: int, whole: int) -> str:
    """`12.3 %`; `< 0.1 %` for what is not nothing; `-` where there is no whole."""
    if not whole:
        return "-"
    found = part / whole * 100
    if part and found < 0.05:
        return "< 0.1 %"
    if part < whole and found >= 99.95:
        return "> 99.9 %"
    return f"{found:.1f} %"


def plural(number: int, noun: str, several: str = "") -> str:
    """`1 day`, `2 days`; `several` where an s does not make it."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"
