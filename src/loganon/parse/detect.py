"""Which format a log has, by its first lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loganon.chunks import MAX_LINE_BYTES
from loganon.formats import Format
from loganon.parse.lines import Lines, split_lines

SAMPLE_LINES = 1000
SHARE = 0.95

ERROR_LOGS = {
    "nginx": re.compile(
        rb"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
        rb"\[(?:debug|info|notice|warn|error|crit|alert|emerg)\] [0-9]+#[0-9]+: "
    ),
    "Apache": re.compile(
        rb"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})? [0-9]{4}\] "
        rb"\[(?:[a-z0-9_-]*:)?(?:trace[1-8]|debug|info|notice|warn|error|crit|alert|emerg)\] "
    ),
}
"""How a line of each server's error log begins."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A format that is not the one: the share of lines it takes, and where the first line it does not take fails."""

    name: str
    share: float
    at: int | None


@dataclass(frozen=True, slots=True)
class Detection:
    """The format found, or None; the share of the lines that it takes, of `lines` looked at.

    `error_log`: the server whose error log this is; such a log has no format. `candidates`: all formats, the nearest
    first; they hold offsets, never text.
    """

    format: Format | None
    share: float
    lines: int
    error_log: str | None
    candidates: tuple[Candidate, ...]


def sample_lines(beginning: bytes, *, complete: bool = False) -> list[bytes]:
    """The first 1,000 lines; the unterminated end is one only if the log is `complete`, or has no other line."""
    terminated, newline, _ = beginning.rpartition(b"\n")
    data = beginning if complete or not newline else terminated
    lines = []
    for line in split_lines(data):
        lines.append(line)
        if len(lines) == SAMPLE_LINES:
            break
    return lines


def detect(sample: Sequence[bytes], formats: Iterable[Format]) -> Detection:
    """The most specific format that takes at least 95 % of the lines, else the only one that takes any.

    Of two formats the one with more directives and literals in its template is the more specific.
    """
    lines = [line for line in sample[:SAMPLE_LINES] if line]
    fits = sorted((_fit(fmt, lines) for fmt in formats), key=_rank, reverse=True)
    candidates = tuple(Candidate(fmt.name, share, at) for fmt, share, at in fits)
    sure = [fit for fit in fits if fit[1] >= SHARE]
    some = [fit for fit in fits if fit[1] > 0]
    if sure:
        fmt, share, _ = max(sure, key=lambda fit: (_specificity(fit[0]), fit[1]))
        return Detection(fmt, share, len(lines), None, candidates)
    if len(some) == 1:
        return Detection(some[0][0], some[0][1], len(lines), None, candidates)
    return Detection(None, 0.0, len(lines), _error_log(lines), candidates)


def _fit(fmt: Format, lines: Sequence[bytes]) -> tuple[Format, float, int | None]:
    reader = Lines(fmt)
    taken, first = 0, None
    for line in lines:
        at = 0 if len(line) > MAX_LINE_BYTES or b"\0" in line else reader.failure(line)
        if at is None:
            taken += 1
        elif first is None:
            first = at
    return fmt, taken / len(lines) if lines else 0.0, first


def _rank(fit: tuple[Format, float, int | None]) -> tuple[float, int]:
    """Nearest first: the larger share, then the later failure."""
    return fit[1], fit[2] or 0


def _specificity(fmt: Format) -> int:
    return Lines(fmt).size


def _error_log(lines: Sequence[bytes]) -> str | None:
    """The server whose error log the lines are: the first, or at least half of them."""
    for server, pattern in ERROR_LOGS.items():
        if lines and (pattern.match(lines[0]) or sum(1 for line in lines if pattern.match(line)) * 2 >= len(lines)):
            return server
    return None
