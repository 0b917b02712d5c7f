"""What loganon would make of a log: format, resulting rows, shares, rejects as masked shapes. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk, Window
from loganon.encoding import encoded
from loganon.errors import UnreadableDataError
from loganon.fields import FIELDS, REQUESTS
from loganon.formats import Format, load_formats, with_fields
from loganon.formats.columns import LISTS
from loganon.lookups import Lookups
from loganon.parse import ParseState, Reject, directives_of, make_parser
from loganon.parse.detect import detect, sample_lines
from loganon.pipeline import UNREAD, build
from loganon.policy import Policy
from loganon.refusals import error_log, unknown_format, zone_note
from loganon.sources import open_source
from loganon.treatments.client import is_private

SAMPLE_BYTES = 4 << 20
ROWS = 20
_REJECTS = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer, from the first `lines` lines of a log (at most 4 MiB), of which the format takes `read`.

    `fit`: the share of the first 1,000 lines that the format takes (None: the format was given). `table`: the first 20
    accepted lines as they would be stored. `shares`: of the accepted lines, from 0 to 1, by what they would show.
    `directives`: each of the format's, and what becomes of it. `missing`: fields of the policy that nothing in the log
    gives, so that each line has their empty answer. `warnings`: notes on how it was read.
    """

    log: str
    format: Format
    fit: float | None
    lines: int
    read: int
    counted: int
    redacted: int
    table: pa.Table
    shares: Mapping[str, float]
    rejected: Mapping[str, int]
    rejects: tuple[Reject, ...]
    directives: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def preview(
    log: str,
    policy: Policy,
    lookups: Lookups,
    *,
    fmt: Format | None = None,
    timezone: tzinfo | None = None,
    fields: tuple[str, ...] = (),
) -> Preview:
    """What the first lines of `log` would give under `policy`; UnreadableDataError (65) where no format fits.

    `fields`: the columns of a delimited log without a header.
    """
    with open_source(log) as source:
        start = source.beginning(SAMPLE_BYTES)
        whole = len(start) < SAMPLE_BYTES
    data = start if whole else start[: start.rfind(b"\n") + 1]
    if not data:
        raise _no_line(log)
    fit = None
    if fmt is None:
        fmt, fit = _detected(log, start, fields, complete=whole)
    fmt = with_fields(fmt, fields)
    chunk = Chunk(data, 0, len(data))
    result = build(policy, fmt, lookups, coded=False, timezone=timezone, max_rejects=_REJECTS)(
        chunk, Window(None, None)
    )
    if not result.lines:  # headers
        raise _no_line(log)
    unread = sum(result.rejected[reason] for reason in UNREAD)
    if result.lines == unread:
        fix = "Leave --format out to have it detected"
        if fmt.dialect == "delimited":
            fix = "If it has no header, name its columns with --fields"
        raise UnreadableDataError(f"the format {fmt.name} fits no line", where=log, fix=fix)
    return Preview(
        log=log,
        format=fmt,
        fit=fit,
        lines=result.lines,
        read=result.lines - unread,
        counted=result.counted,
        redacted=result.redacted,
        table=result.table.slice(0, ROWS).drop_columns([REQUESTS]),
        shares=_shares(result.table) | _private(fmt, chunk, lookups),
        rejected=result.rejected,
        rejects=result.rejects,
        directives=tuple(_verdicts(policy, fmt, lookups)),
        missing=tuple(_missing(policy, fmt, result.state)),
        warnings=tuple(zone_note(log, fmt, timezone)),
    )


def _no_line(log: str) -> UnreadableDataError:
    return UnreadableDataError("the log has no line", where=log, fix="Name a log with lines in it")


def _detected(log: str, start: bytes, fields: tuple[str, ...], *, complete: bool) -> tuple[Format, float]:
    formats = [with_fields(fmt, fields) for fmt in load_formats().values()]
    found = detect(sample_lines(start, complete=complete), formats)
    if found.error_log:
        raise error_log(log, found.error_log)
    if found.format is None:
        raise unknown_format(log, found)
    return found.format, found.share


def _shares(table: pa.Table) -> dict[str, float]:
    """Shares of the rows whose domain is a provider's, a suffix or unknown, and whose browser is not on the list."""
    frame = pl.DataFrame(pl.from_arrow(table))
    shares: dict[str, pl.Expr] = {}
    if "domain" in frame.columns:
        unknown, suffix = pl.col("domain") == "unknown", pl.col("domain").str.starts_with(".")
        nothing = unknown | pl.col("domain").str.starts_with("{")
        shares |= {"domain": ~(nothing | suffix), "suffix": suffix, "unknown domain": nothing}
    if "file" in frame.columns:
        shares |= {"invalid file": pl.col("file") == "{invalid}"}
    if "browser" in frame.columns:
        shares |= {
            "unknown browser": pl.col("browser") == "unknown",
            "other browser": pl.col("browser").is_in(["other", "other-bot"]),
        }
    means = frame.select(**{name: share.mean() for name, share in shares.items()})
    return {name: float(value or 0) for name, value in means.row(0, named=True).items()} if shares else {}


def _private(fmt: Format, chunk: Chunk, lookups: Lookups) -> dict[str, float]:
    """The share of lines whose client has an address that is not routed: the sign of a proxy before the server."""
    parsed = make_parser(fmt, needs=frozenset({"client"}), trusted=lookups.trusted_proxies)(chunk, ())
    if "client" not in parsed.columns or not parsed.rows:
        return {}
    clients = encoded(parsed.columns["client"])
    private = pa.array(
        [
            is_private(value.decode("utf-8", "replace"), lookups.trusted_proxies)
            for value in clients.dictionary.to_pylist()
        ],
        pa.bool_(),
    )
    return {"private client": pc.mean(private.take(clients.indices)).as_py()}


def _verdicts(policy: Policy, fmt: Format, lookups: Lookups) -> list[tuple[str, str]]:
    """Each directive of the format: the fields it is kept in and how they are treated, or that it is dropped."""
    directives = directives_of(fmt)
    given = {directive.column for directive in directives}
    kept: dict[str | None, str] = {}
    for name, options in policy.kept():
        raw = next((raw for raw in FIELDS[name].raw if raw in given), None)
        if raw:
            kept[raw] = f"{kept[raw]}; {name}, as {options.as_}" if raw in kept else f"{name}, as {options.as_}"
    if lookups.trusted_proxies and "client" in kept:
        kept |= dict.fromkeys(LISTS, f"{kept['client']}, behind a trusted proxy")
    return [(d.text, kept.get(d.column) or ("personal, dropped" if d.personal else "dropped")) for d in directives]


def _missing(policy: Policy, fmt: Format, state: ParseState) -> list[str]:
    """The fields that neither the format nor, where a header names the columns, the log has anything for."""
    given = {directive.column for directive in directives_of(fmt)}
    if fmt.columns is not None and fmt.dialect == "delimited":
        given = {
            raw
            for raw, names in fmt.columns.names
            if any(set(name.lower().replace("#date ", "").split()) <= set(state) for name in names)
        }
    return [name for name, _ in policy.kept() if given.isdisjoint(FIELDS[name].raw)]
