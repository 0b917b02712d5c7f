"""From a chunk of log to a permitted table: parse -> exclude -> window -> treat -> gate -> rows. No input or output.

Work is done once per distinct value: texts are encoded, treatments change dictionaries, rows carry codes. Only where a
treatment finds a value as fast as it would be encoded is it asked for that of each row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, tzinfo
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.chunks import Chunk, Window
from loganon.encoding import Encoding
from loganon.exclude import Columns, Consent, Exclude, Rule
from loganon.fields import FIELDS, REQUESTS
from loganon.formats import Format
from loganon.gate import Gate
from loganon.lookups import Lookups
from loganon.parse import Parsed, Parser, ParseState, Reject, make_parser
from loganon.parse.layouts import LAYOUT
from loganon.treatments import Treatment
from loganon.treatments.held import Held

if TYPE_CHECKING:
    from loganon.policy import Policy

REASONS = ("malformed", "binary", "too_long", "partial", "expired", "future", "excluded", "no_consent")
"""Why a line is rejected, in the order of the summary."""

MANY = 4096
"""So many distinct values of a field are worth a second thread."""

UNREAD = ("malformed", "binary", "too_long", "partial")
"""Those of them that say that the format does not fit the line."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one chunk gives.

    `table`: the policy's columns and `requests`, one row for each accepted line. `cells`: accepted lines by the start
    of their cell (UTC). `newest`: the newest line's time as stored. `lines` = `counted` + the sum of `rejected`.
    `layouts`: those of the accepted lines, where they were asked for.
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
    layouts: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One field's way from a raw column to its stored columns."""

    raw: str | None
    columns: tuple[str, ...]
    treat: Treatment
    written: bool
    text: bool

    @property
    def each(self) -> bool:
        """Each row's value is treated as it is, not each distinct one."""
        return isinstance(self.treat, Held) and self.treat.each


class Permit:
    """`permit(parsed, window)` -> Result: the part of a pipeline behind the parser, whatever that has read.

    `raw`: the columns that the parser can give. The table has one row for each accepted line, in the order of the
    lines; with `coded` its strings stay dictionaries, which is how `aggregate` and `render` like them.
    """

    def __init__(self, policy: Policy, raw: frozenset[str], lookups: Lookups, exclude: Exclude, *, coded: bool) -> None:
        self._spec = policy.spec
        self._exclude = exclude
        self._gate = Gate(self._spec.schema, networks=policy.networks)
        self._coded = coded
        self._lock = Lock()
        self._steps = tuple(_steps(policy, raw, lookups))
        self._each = frozenset(s.raw for s in self._steps if s.each) - {s.raw for s in self._steps if not s.each}
        self._each -= exclude.raw
        self._encoding = Encoding()

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """The raw columns of which the policy keeps something, each with the stored columns it becomes."""
        return {step.raw: step.columns for step in self._steps if step.raw is not None and step.written}

    def __call__(self, parsed: Parsed, window: Window) -> Result:
        """What is permitted of a parsed chunk; never raises on data. Calls from several threads wait for each other."""
        with self._lock:
            return self._treated(parsed, window)

    def _treated(self, parsed: Parsed, window: Window) -> Result:
        rejected = Counter(parsed.rejected)
        columns = {name: c if name in self._each else self._encoding(name, c) for name, c in parsed.columns.items()}
        keep = _judge(self._refusals(columns, parsed.rows, window), rejected)
        columns = columns if keep is None else {name: c.filter(keep) for name, c in columns.items()}
        counted = parsed.rows if keep is None else len(columns["time"])
        stored = self._stored(columns, counted)
        names = self._spec.schema.names
        table = pa.table([stored[name] for name in names], names)
        table, redacted = self._gate(table)
        table = table if self._coded else table.cast(self._spec.schema)
        return Result(
            table,
            parsed.lines,
            counted,
            rejected,
            redacted,
            cells := _cells(table),
            max(cells, default=None),
            parsed.state,
            parsed.rejects,
            parsed.exact,
            columns.get(LAYOUT),
        )

    def _stored(self, columns: Mapping[str, pa.Array], rows: int) -> dict[str, pa.Array]:
        """The stored columns of all fields; what takes long is treated by another thread meanwhile."""
        stored: dict[str, pa.Array] = {REQUESTS: pa.repeat(pa.scalar(1, pa.int64()), rows)}
        meanwhile = [
            self._other_thread.submit(_apply, s, columns, rows) for s in self._steps if _takes_long(s, columns)
        ]
        try:
            for step in self._steps:
                if not _takes_long(step, columns):
                    stored.update(_apply(step, columns, rows))
        finally:
            wait(meanwhile)
        for each in meanwhile:
            stored.update(each.result())
        return stored

    @cached_property
    def _other_thread(self) -> ThreadPoolExecutor:
        """One thread, kept: the engine holds the patterns that it has compiled by thread. It ends with this object."""
        return ThreadPoolExecutor(1, thread_name_prefix="treat")

    def _refusals(self, columns: Columns, rows: int, window: Window) -> Iterator[tuple[str, pa.Array]]:
        """Masks of the rows that are refused, by reason, in the order of the reasons."""
        excluded, refused = self._exclude(columns, rows)
        times = columns["time"]
        if excluded is not None:
            yield "excluded", excluded
        if refused is not None:
            yield "no_consent", refused
        for first in (window.cutoff and datetime.combine(window.cutoff, time(), UTC), window.floor):
            if first is not None:
                yield "expired", pc.less(times, pa.scalar(first, times.type))
        if window.latest is not None:
            yield "future", pc.greater(times, pa.scalar(window.latest, times.type))


class Pipeline:
    """`pipeline(chunk, window, state)` -> Result, for one policy, one format and one set of look-ups.

    The part behind the parser is made by the first call that needs it, so while another thread parses the first chunk.
    """

    def __init__(self, parser: Parser, permit: Callable[[], Permit]) -> None:
        self._parser = parser
        self._make = permit

    @cached_property
    def _permit(self) -> Permit:
        return self._make()

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """The format's raw columns of which the policy keeps something, each with the stored columns it becomes."""
        return self._permit.kept

    def __call__(self, chunk: Chunk, window: Window, state: ParseState = ()) -> Result:
        """The chunk's permitted rows; never raises on data. It is `treat` of what `parse` gives."""
        return self.treat(self.parse(chunk, state), window)

    def parse(self, chunk: Chunk, state: ParseState = ()) -> Parsed:
        """The chunk as raw columns, to be given to `treat` and to nothing else. Touches nothing that `treat` does, so
        that the next chunk can be parsed in another thread meanwhile.
        """
        return self._parser(chunk, state)

    def treat(self, parsed: Parsed, window: Window) -> Result:
        """What is permitted of a parsed chunk."""
        return self._permit(parsed, window)


def build(
    policy: Policy,
    fmt: Format,
    lookups: Lookups,
    *,
    coded: bool,
    rules: Sequence[Rule] = (),
    timezone: tzinfo | None = None,
    max_rejects: int = 0,
    layouts: bool = False,
) -> Pipeline:
    """The pipeline of a policy for a format; lines that one of `rules` describes are `excluded`.

    `coded` as in `Pipeline`; `layouts`: the result has each line's, by which `render` writes it again. The rest as in
    `make_parser`.
    """
    exclude = exclude_of(policy, rules, lookups)
    needs = needs_of(policy, exclude) | ({LAYOUT} if layouts else frozenset())
    parser = make_parser(fmt, needs=needs, timezone=timezone, max_rejects=max_rejects, trusted=lookups.trusted_proxies)
    return Pipeline(parser, partial(Permit, policy, parser.raw, lookups, exclude, coded=coded))


def exclude_of(policy: Policy, rules: Sequence[Rule], lookups: Lookups) -> Exclude:
    """What is left out: by the rules, for want of the policy's consent, outside of its sites."""
    consent = Consent(policy.consent.require, policy.consent.exclude_when)
    return Exclude(rules, consent, policy.scope.sites, lookups.trusted_proxies)


def needs_of(policy: Policy, exclude: Exclude) -> frozenset[str]:
    """The raw columns that the policy's fields and `exclude` look at."""
    return exclude.raw | {raw for name, _ in policy.kept() for raw in FIELDS[name].raw}


def _steps(policy: Policy, given: frozenset[str], lookups: Lookups) -> list[_Step]:
    lookups = replace(lookups, sites=frozenset(policy.scope.sites))
    steps = []
    for name, options in policy.kept():
        row = FIELDS[name]
        raw = next((r for r in row.raw if r in given), None)
        names = tuple(column for column, _ in row.columns(options))
        text = pa.types.is_string(row.columns(options)[0][1])
        steps.append(_Step(raw, names, row.make(options, raw or row.raw[0], lookups), row.written, text))
    return steps


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


def _takes_long(step: _Step, columns: Mapping[str, pa.Array]) -> bool:
    """Whether many distinct texts are treated of which none is held: a flood of agents."""
    raw = columns.get(step.raw or "")
    if not step.text or isinstance(step.treat, Held) or not isinstance(raw, pa.DictionaryArray):
        return False
    return len(raw.dictionary) >= MANY


def _apply(step: _Step, columns: Mapping[str, pa.Array], rows: int) -> dict[str, pa.Array]:
    """The stored columns of one field; strings stay dictionaries."""
    raw = columns[step.raw] if step.raw else _absent(rows)
    if isinstance(step.treat, Held) and pa.types.is_binary(raw.type):
        return dict(zip(step.columns, step.treat.coded(pl.Series(_text(raw))), strict=True))
    if step.text and not isinstance(raw, pa.DictionaryArray):
        raw = raw.dictionary_encode()  # a number that is stored as a text
    if not isinstance(raw, pa.DictionaryArray):
        return dict(zip(step.columns, (s.to_arrow() for s in step.treat(pl.Series(raw))), strict=True))
    values = pl.Series(_text(raw.dictionary))
    if isinstance(step.treat, Held):
        coded = step.treat.coded(values)
        return {
            name: pa.DictionaryArray.from_arrays(each.indices.take(raw.indices), each.dictionary)
            for name, each in zip(step.columns, coded, strict=True)
        }
    found = step.treat(values)
    if not step.text:  # a text that is stored as a number
        return {name: series.to_arrow().take(raw.indices) for name, series in zip(step.columns, found, strict=True)}
    treated = [_strings(series) for series in found]
    codes, first = _distinct(treated)
    indices = codes.take(raw.indices)
    return {
        name: pa.DictionaryArray.from_arrays(indices, values.take(first))
        for name, values in zip(step.columns, treated, strict=True)
    }


def _strings(series: pl.Series) -> pa.Array:
    return series.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())


def _distinct(columns: Sequence[pa.Array]) -> tuple[pa.Array, pa.Array]:
    """The number of each row among the distinct ones, and where each of these stands first."""
    encoded = [column.dictionary_encode() for column in columns]
    codes = encoded[0].indices
    for other in encoded[1:]:
        together = pc.add(pc.multiply(codes.cast(pa.int64()), len(other.dictionary)), other.indices.cast(pa.int64()))
        codes = together.dictionary_encode().indices
    return codes, pc.index_in(pc.unique(codes), codes)


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
    counts = pc.value_counts(table["time"])
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
