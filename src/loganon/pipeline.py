"""From a chunk of log to a permitted table: parse -> exclude -> window -> treat -> gate -> rows. No input or output.

Work is done once per distinct value: the parser gives dictionaries, treatments change dictionaries, rows carry codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk, Window
from loganon.exclude import Consent, Exclude, Rule
from loganon.fields import FIELDS, REQUESTS
from loganon.formats import Format
from loganon.gate import check
from loganon.lookups import Lookups
from loganon.parse import Parsed, Parser, ParseState, Reject, make_parser
from loganon.policy import Policy
from loganon.treatments import Treatment

REASONS = ("malformed", "binary", "too_long", "partial", "expired", "future", "excluded", "no_consent")
"""Why a line is rejected, in the order of the summary."""

UNREAD = ("malformed", "binary", "too_long", "partial")
"""Those of them that say that the format does not fit the line."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one chunk gives.

    `table`: the policy's columns and `requests`, one row for each accepted line. `cells`: accepted lines by the start
    of their cell (UTC). `newest`: the newest line's time as stored. `lines` = `counted` + the sum of `rejected`.
    """

    table: pa.Table
    lines: int
    counted: int
    rejected: Counter[str]
    redacted: int
    cells: Mapping[datetime, int]
    newest: datetime | None
    state: ParseState
    rejects: tuple[Reject, ...] = field(default=(), repr=False)
    exact: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One field's way from a raw column to its stored columns."""

    raw: str | None
    columns: tuple[str, ...]
    treat: Treatment


class Pipeline:
    """`pipeline(chunk, window, state)` -> Result, for one policy, one format and one set of look-ups.

    The table has one row for each accepted line, in the order of the lines; with `coded` its strings stay dictionaries,
    which is how `aggregate` and `render` like them.
    """

    def __init__(self, policy: Policy, parser: Parser, lookups: Lookups, exclude: Exclude, *, coded: bool) -> None:
        self._spec = policy.spec
        self._parser = parser
        self._exclude = exclude
        self._networks = _networks(policy)
        self._coded = coded
        self._steps = tuple(_steps(policy, parser, lookups))

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """The format's raw columns of which the policy keeps something, each with the stored columns it becomes."""
        return {step.raw: step.columns for step in self._steps if step.raw is not None}

    def __call__(self, chunk: Chunk, window: Window, state: ParseState = ()) -> Result:
        """The chunk's permitted rows; never raises on data."""
        parsed = self._parser(chunk, state)
        rejected = Counter(parsed.rejected)
        keep = _judge(self._refusals(parsed, window), rejected)
        columns = parsed.columns if keep is None else {n: c.filter(keep) for n, c in parsed.columns.items()}
        counted = parsed.rows if keep is None else len(columns["time"])
        stored: dict[str, pa.Array] = {REQUESTS: pa.repeat(pa.scalar(1, pa.int64()), counted)}
        for step in self._steps:
            stored.update(_apply(step, columns, counted))
        names = self._spec.schema.names
        table = pa.table([stored[name] for name in names], names)
        table, redacted = check(table, self._spec.schema, networks=self._networks)
        table = table if self._coded else table.cast(self._spec.schema)
        return Result(
            table,
            parsed.lines,
            counted,
            rejected,
            redacted,
            _cells(table),
            pc.max(table["time"]).as_py(),
            parsed.state,
            parsed.rejects,
            parsed.exact,
        )

    def _refusals(self, parsed: Parsed, window: Window) -> Iterator[tuple[str, pa.Array]]:
        """Masks of the rows that are refused, by reason, in the order of the reasons."""
        excluded, refused = self._exclude(parsed.columns, parsed.rows)
        times = parsed.columns["time"]
        if excluded is not None:
            yield "excluded", excluded
        if refused is not None:
            yield "no_consent", refused
        if window.cutoff is not None:
            yield "expired", pc.less(times, pa.scalar(datetime.combine(window.cutoff, time(), UTC), times.type))
        if window.latest is not None:
            yield "future", pc.greater(times, pa.scalar(window.latest, times.type))


def build(
    policy: Policy,
    fmt: Format,
    lookups: Lookups,
    *,
    coded: bool,
    rules: Sequence[Rule] = (),
    timezone: tzinfo | None = None,
    max_rejects: int = 0,
) -> Pipeline:
    """The pipeline of a policy for a format; lines that one of `rules` describes are `excluded`.

    `coded` as in `Pipeline`, the rest as in `make_parser`.
    """
    exclude = Exclude(rules, Consent(policy.consent.require, policy.consent.exclude_when))
    needs = exclude.raw | {raw for name, _ in policy.kept() for raw in FIELDS[name].raw}
    parser = make_parser(fmt, needs=needs, timezone=timezone, max_rejects=max_rejects)
    return Pipeline(policy, parser, lookups, exclude, coded=coded)


def _steps(policy: Policy, parser: Parser, lookups: Lookups) -> list[_Step]:
    steps = []
    for name, options in policy.kept():
        row = FIELDS[name]
        raw = next((r for r in row.raw if r in parser.raw), None)
        names = tuple(column for column, _ in row.columns(options))
        steps.append(_Step(raw, names, row.make(options, raw or row.raw[0], lookups)))
    return steps


def _networks(policy: Policy) -> dict[str, tuple[int, int]]:
    """The columns in which networks may stand, and how long their prefixes are."""
    found: dict[str, tuple[int, int]] = {}
    for name, options in policy.kept():
        row = FIELDS[name]
        if row.networks is not None:
            found.update((column, row.networks(options)) for column, _ in row.columns(options))
    return found


def _judge(refusals: Iterable[tuple[str, pa.Array]], rejected: Counter[str]) -> pa.Array | None:
    """Which rows none refuses (None: all); the others are counted in `rejected`, each under the first reason."""
    keep = None
    for reason, out in refusals:
        hit = out if keep is None else pc.and_(out, keep)
        count = pc.sum(hit).as_py() or 0
        if count:
            rejected[reason] += count
            keep = pc.invert(hit) if keep is None else pc.and_not(keep, hit)
    return keep


def _apply(step: _Step, columns: Mapping[str, pa.Array], rows: int) -> dict[str, pa.Array]:
    """The stored columns of one field; strings stay dictionaries."""
    raw = columns[step.raw] if step.raw else _absent(rows)
    if not isinstance(raw, pa.DictionaryArray):
        return dict(zip(step.columns, (s.to_arrow() for s in step.treat(pl.Series(raw))), strict=True))
    treated = step.treat(pl.Series(_text(raw.dictionary)))
    return {
        name: pa.DictionaryArray.from_arrays(raw.indices, series.to_arrow().cast(pa.string()))
        for name, series in zip(step.columns, treated, strict=True)
    }


def _text(values: pa.Array) -> pa.Array:
    """The distinct values as strings; null where the bytes are no valid UTF-8."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(value) for value in values.to_pylist()], pa.string())


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _absent(rows: int) -> pa.DictionaryArray:
    """A raw column that the format does not have: its field's empty answer for each row."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([None], pa.binary()))


def _cells(table: pa.Table) -> dict[datetime, int]:
    sums = table.group_by("time").aggregate([(REQUESTS, "sum")])
    return dict(zip(sums["time"].to_pylist(), sums[f"{REQUESTS}_sum"].to_pylist(), strict=True))
