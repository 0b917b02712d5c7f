"""Which format a log has, by its first lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from loganon.chunks import Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.parse import make_parser
from loganon.parse.archives import archive_of
from loganon.parse.directives import pieces
from loganon.parse.lines import BOM, split_lines
from loganon.parse.literals import has_literals, literals_of
from loganon.parse.wrappers import TIMES, unwrap, wrappers_of

if TYPE_CHECKING:
    from loganon.parse.delimited import DelimitedParser

SAMPLE_LINES = 1000
SHARE = 0.95
_FEW = 64
_HEADER_LINES = 8

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

OTHERS = {
    "HAProxy's TCP log: it has connections, not requests": re.compile(
        rb"Connect from |[^ ]+:[0-9]{1,5} \[[0-9]{2}/[A-Z][a-z]{2}/[0-9:.]+\] [^ ]+ [^ ]+ "
        rb"[-+0-9]+/[-+0-9]+/[-+0-9]+ [0-9]+ [A-Za-z-]{2} [0-9]+/"
    ),
    "AWS CloudTrail: it has API calls, not requests of a web server": re.compile(
        rb'(?=.{0,4096}"eventSource":)(?=.{0,4096}"awsRegion":)\s*\{|\s*\{"Records":\s*\[', re.DOTALL
    ),
    "a JSON array: each access must have its line, as `jq -c '.[]'` writes it": re.compile(rb"\s*\[\s*(?:\{|\Z)"),
    "UTF-16 text, as PowerShell writes it: make it UTF-8 first, as `iconv -f UTF-16 -t UTF-8` does": re.compile(
        rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]"
    ),
}
"""How a line of each other log begins that is known and is no access log, by what to say of it."""


_HTTPERR = re.compile(rb"[ \t]*#Fields:[^\n]*[ \t]s-reason(?:[ \t]|\Z)", re.IGNORECASE)
_HTTPERR_LOG = "IIS's HTTPERR log: it has requests and connections that no site was given, not accesses"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A format that is not the one: the share of lines it takes, and where the first line it does not take fails."""

    name: str
    share: float
    at: int | None


@dataclass(frozen=True, slots=True)
class Detection:
    """The format found, or None; the share of the lines that it takes, of `lines` looked at.

    `error_log`: the server whose error log this is; `other`: what else it is; such a log has no format. `candidates`:
    all formats, the nearest first; they hold offsets, never text. `wrapper`: what stands around the lines.
    """

    format: Format | None
    share: float
    lines: int
    error_log: str | None
    candidates: tuple[Candidate, ...]
    other: str | None = None
    wrapper: str | None = None


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a format takes the lines: the share; the offset at which the first that it does not take fails."""

    format: Format
    share: float
    at: int | None
    size: int
    signed: bool

    def nearness(self) -> tuple[float, int]:
        """The larger share, then the later failure."""
        return self.share, self.at or 0

    def preference(self) -> tuple[int, bool, bool, float]:
        """The more specific, then one whose sign the lines show, then the larger share."""
        return self.size, self.signed, bool(self.format.like), self.share


def sample_lines(beginning: bytes, *, complete: bool = False) -> list[bytes]:
    """The first 1,000 lines; the unterminated end is one only if the log is `complete`, or has no other line."""
    beginning = beginning.removeprefix(BOM)
    terminated, newline, _ = beginning.rpartition(b"\n")
    data = beginning if complete or not newline else terminated
    return split_lines(data)[:SAMPLE_LINES]


def detect(sample: Sequence[bytes], formats: Iterable[Format]) -> Detection:
    """The most specific format that takes at least 95 % of the lines, else the only one that takes any.

    Of two formats the one with more directives and literals in its template is the more specific; where they have as
    many, one whose sign at least half of the lines show. What syslog or a container runtime
    wrote around the lines is taken off first. An archive has no format, although lines of a log may stand in it.
    """
    lines = [line for line in sample[:SAMPLE_LINES] if line]
    archive = archive_of(b"\n".join(lines[:_HEADER_LINES]))
    if archive is not None:
        return Detection(None, 0.0, len(lines), None, (), archived(archive))
    formats = tuple(formats)
    unsure: list[Detection] = []
    for kind in wrappers_of(lines):
        within = split_lines(unwrap(b"\n".join(lines) + b"\n", kind))
        if kind == TIMES and not _is_known(within, formats):  # lines of many formats begin so
            continue
        inner = replace(_detect(within, formats), wrapper=kind)
        if inner.error_log or inner.other or (inner.format and inner.share >= SHARE):
            return inner
        unsure += [inner] if inner.format else []
    return max((*unsure, _detect(lines, formats)), key=lambda found: found.share)


def _is_known(lines: Sequence[bytes], formats: Sequence[Format]) -> bool:
    """Whether a format takes any of the first lines, or they are of another log that is known: quickly."""
    return bool(_likely(lines, formats) or _shown(ERROR_LOGS, lines) or _shown(OTHERS, lines))


def archived(kind: str) -> str:
    """What to say of an archive."""
    return f"an archive ({kind}): it holds files, not lines"


def _detect(lines: Sequence[bytes], formats: Sequence[Format]) -> Detection:
    """The format by those that take any of the first lines, where one of them is sure; else by all."""
    if any(_HTTPERR.match(line) for line in lines[:_FEW]):  # a W3C log by its form
        return Detection(None, 0.0, len(lines), None, (), _HTTPERR_LOG)
    found = _choose(lines, _likely(lines, formats))
    if found.format is not None and found.share >= SHARE:
        return found
    return _choose(lines, formats)


def _likely(lines: Sequence[bytes], formats: Sequence[Format]) -> list[Format]:
    """The formats of which one is found if any is sure: those that take any of the first 64 lines, since what takes
    none of these cannot take 95 % of 1,000; of those that are like another, the ones whose sign the lines show.
    """
    first = lines[:_FEW]
    likely = []
    for fmt in formats:
        if (_is_signed(fmt, lines) or not _needs_sign(fmt)) and _may_take(fmt, first):
            fit = _fit(fmt, first, described=0)
            likely += [fmt] if fit is not None and fit.share > 0 else []
    return likely


def _may_take(fmt: Format, lines: Sequence[bytes]) -> bool:
    """False where the format takes none of the lines for sure, by what is seen without its parser."""
    if fmt.dialect == "jsonlines":
        return any(b"{" in line for line in lines)
    if fmt.columns is not None:  # its lines say nothing before a header, which begins so
        row = fmt.columns.header == "row"
        begins = (line[:2].strip(b'"')[:1].isalpha() if row else line[:1] in b"# \t" for line in lines)
        return bool(fmt.columns.fields) or any(begins)
    literals = _literals(fmt)
    return literals is not None and any(has_literals(line, literals) for line in lines)


@lru_cache(_FEW)
def _literals(fmt: Format) -> tuple[bytes, ...] | None:
    """The texts that each line of a template has; None where it is none that can be read. Forty sites ask for each."""
    try:
        return literals_of(pieces(fmt))
    except ConfigurationError:
        return None


def _needs_sign(fmt: Format) -> bool:
    return bool(fmt.sign or fmt.like)


def _is_signed(fmt: Format, lines: Sequence[bytes]) -> bool:
    """Whether at least half of the lines show the format's sign, if it has one."""
    pattern = re.compile(fmt.sign.encode())
    return bool(fmt.sign) and sum(1 for line in lines if pattern.search(line)) * 2 >= len(lines)


def _choose(lines: Sequence[bytes], formats: Sequence[Format]) -> Detection:
    fits = [fit for fmt in formats if (fit := _fit(fmt, lines)) is not None]
    fits.sort(key=_Fit.nearness, reverse=True)
    candidates = tuple(Candidate(fit.format.name, fit.share, fit.at) for fit in fits)
    usable = [fit for fit in fits if fit.share > 0 and (fit.signed or not _needs_sign(fit.format))]
    sure = [fit for fit in usable if fit.share >= SHARE]
    error_log = _shown(ERROR_LOGS, lines)
    other = None if error_log else _shown(OTHERS, lines)
    if sure:
        best = max(sure, key=_Fit.preference)
        return Detection(best.format, best.share, len(lines), None, candidates)
    alike = all(fit.format.dialect == "delimited" for fit in usable)  # of one header each, and the general one fits all
    if usable and not other and (len(usable) == 1 or alike):
        best = max(usable, key=_Fit.preference)
        if error_log and sum(1 for line in lines if ERROR_LOGS[error_log].match(line)) > best.share * len(lines):
            return Detection(None, 0.0, len(lines), error_log, candidates)
        return Detection(best.format, best.share, len(lines), None, candidates)
    return Detection(None, 0.0, len(lines), error_log, candidates, other)


def _fit(fmt: Format, lines: Sequence[bytes], *, described: int = 1) -> _Fit | None:
    """How the format takes the lines; None for one that cannot be told by lines. `described`: rejects to look into."""
    data = b"".join(line + b"\n" for line in lines)
    try:
        parser = make_parser(
            fmt, needs=frozenset(), timezone=UTC, max_rejects=described, wrapped=False, fast=len(lines) > _FEW
        )
    except ConfigurationError:
        return None
    parsed = parser(Chunk(data, 0, len(data)), ())
    share = parsed.rows / parsed.lines if parsed.lines else 0.0
    if fmt.dialect == "delimited":  # by its header, which may be all that there is yet
        share = float(cast("DelimitedParser", parser).knows(lines)) * (share if parsed.lines else float(bool(lines)))
    signed = share > 0 and _is_signed(fmt, lines)
    return _Fit(fmt, share, parsed.rejects[0].at if parsed.rejects else None, getattr(parser, "size", 0), signed)


def _shown(kinds: dict[str, re.Pattern[bytes]], lines: Sequence[bytes]) -> str | None:
    """Of which kind the lines are: the first, or at least half of them."""
    for kind, pattern in kinds.items():
        if lines and (pattern.match(lines[0]) or sum(1 for line in lines if pattern.match(line)) * 2 >= len(lines)):
            return kind
    return None
