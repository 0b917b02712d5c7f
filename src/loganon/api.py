"""The library: the same engine as the command, as calls. Nothing here reads the environment or prints."""

from __future__ import annotations

import io
import os
import pwd
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from loganon import job
from loganon.chunks import Chunk, Window
from loganon.errors import ConfigurationError, UnreadableDataError
from loganon.exclude import parse_rules
from loganon.fields import REQUESTS
from loganon.formats import Format, load_formats
from loganon.formats.given import resolve
from loganon.keys import make_key
from loganon.lookups import open_lookups
from loganon.parse import ParseState, whole_lines
from loganon.parse.detect import detect, sample_lines
from loganon.pipeline import REASONS, build
from loganon.policy import DEFAULT, Policy, load_policy, named_policy
from loganon.reading import Input, Reading
from loganon.sources.objects import expand_objects
from loganon.store import DamagedCellError, open_standing, parse_place
from loganon.summary import Summary

_CHUNK = 8 << 20
Lines: TypeAlias = bytes | Iterable[str | bytes] | pa.Table | pa.RecordBatch | pl.DataFrame


@dataclass(frozen=True, slots=True)
class Result:
    """What `anonymize` gives.

    `table`: one row for each accepted line, in order, with the policy's columns except `requests`: under `imos` `time`
    (timestamp[ms, UTC], start of the hour), `domain`, `file`, `browser`, `browser_version` (strings), `success` (bool),
    `bytes` (int64). `rejected`: lines by reason, every reason there. `redacted`: rows in which the last check replaced
    a value by `{redacted}`.
    """

    table: pa.Table
    rejected: dict[str, int]
    redacted: int


def run(
    logs: Sequence[str | Path],
    *,
    policy: Policy | str | Path | None = None,
    store: str | Path,
    provider_db: Sequence[str | Path] = (),
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    stream: str | None = None,
    exclude: Sequence[Mapping[str, str]] = (),
    now: datetime | None = None,
    key: bytes | str | Path | None = None,
    storage_options: Mapping[str, str] | None = None,
    accept_versioned: bool = False,
) -> Summary:
    """Count logs into a store, seal and apply retention, as `loganon run` does; `summary.as_dict()` is its JSON.

    `policy`: a Policy, a bundled name or a path; None: the store's own, `imos` for a new one. `key`: the secret as
    bytes, or the path of the key file (default: `~/.local/state/loganon/key`; made if there is none). `exclude`: lines
    to leave out, each table naming one or more of `path` (a glob), `client` (a network), `browser` (a family or "bots")
    and `method`; all that it names must agree. `now`: UTC without offset. `store`: a directory or `s3://bucket/prefix`;
    `storage_options`: settings of the S3 client as polars names them (`aws_endpoint_url`, `aws_region`, ...), which go
    before the AWS variables; `accept_versioned`: also a bucket that keeps what is deleted. Raises ConfigurationError
    and BusyError; errors of single logs are in `summary.errors`.
    """
    reading = Reading(
        lookups=open_lookups(provider_db, trusted_proxies),
        format=resolve(format),
        timezone=_named(timezone),
        stream=stream,
        exclude=parse_rules(exclude, where="exclude"),
    )
    return job.run(
        [Input(each, reading) for log in logs for each in expand_objects(str(log))],
        policy=policy if isinstance(policy, Policy) else named_policy(policy),
        store=parse_place(store, options=_options(storage_options), accept_versioned=accept_versioned),
        key=make_key(key) if isinstance(key, bytes) else Path(key) if key else _default_key(),
        clock=job.Clock(_utc(now) if now else datetime.now(UTC)),
    )


def anonymize(
    lines: Lines,
    *,
    policy: Policy | str | Path = DEFAULT,
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    now: datetime | None = None,
) -> Result:
    """The permitted rows of log lines: parsed, treated and gated; no minimum, no retention, nothing written.

    `lines`: bytes with LF, an iterable of lines, or a table with a column `line` (or just one column). With `now`,
    lines are `expired` or `future` as in `run`; without, no line is. `exclude` as in `run`. Raises ConfigurationError,
    and UnreadableDataError where no format fits any line.
    """
    policy = load_policy(policy) if isinstance(policy, str | Path) else policy
    chunks = _chunks(lines)
    first = next(chunks, None)
    fmt = resolve(format) or _detected(first)
    rejected: Counter[str] = Counter()
    redacted, tables = 0, []
    if first is not None and fmt is not None:
        rules = parse_rules(exclude, where="exclude")
        lookups = open_lookups(provider_db, trusted_proxies)
        pipeline = build(policy, fmt, lookups, coded=False, rules=rules, timezone=timezone)
        window = Window(None, None)
        if now is not None:
            window = Window(policy.keep_for.cutoff(_utc(now).date()), _utc(now) + job.AHEAD)
        state: ParseState = ()
        for chunk in (first, *chunks):
            result = pipeline(chunk, window, state)
            state = result.state
            rejected.update(result.rejected)
            redacted += result.redacted
            tables.append(result.table)
    schema = policy.spec.schema
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return Result(table.drop_columns([REQUESTS]), {reason: rejected[reason] for reason in REASONS}, redacted)


def scan(store: str | Path, *, sealed: bool = False, storage_options: Mapping[str, str] | None = None) -> pl.LazyFrame:
    """The stored table as a polars LazyFrame: the policy's columns in order and `date`; typed also where it is empty.

    `sealed`: only days whose rare values are folded. `storage_options`: as of `run`. Raises
    ConfigurationError where there is no store, DamagedCellError where a cell of it cannot be read.
    """
    standing = open_standing(parse_place(store, options=_options(storage_options)))
    schema = job.frozen_policy(standing).spec.schema
    empty = pl.from_arrow(schema.empty_table())
    assert isinstance(empty, pl.DataFrame)  # noqa: S101 - from_arrow's type is wider than a table's answer
    days = [part for part in standing.partitions() if part.sealed or not sealed]
    for name in (name for part in days for name in part.damaged):
        raise DamagedCellError(Path(f"{standing.path}/{name.path}"))
    paths = [f"{standing.path}/{cell.name.path}" for part in days for cell in part.cells]
    columns = {**empty.schema, "date": pl.Date()}
    if not paths:
        return pl.LazyFrame(schema=columns)
    frame = pl.scan_parquet(
        paths,
        hive_partitioning=True,
        hive_schema={"date": pl.Date()},
        storage_options=_of_polars(storage_options),
    )
    return frame.select(list(columns))


def _chunks(lines: Lines) -> Iterator[Chunk]:
    """The lines as chunks of about 8 MiB."""
    buffer, start = bytearray(), 0
    for line in _each(lines):
        buffer += line
        if not line.endswith(b"\n"):
            buffer += b"\n"
        if len(buffer) >= _CHUNK and (ready := whole_lines(bytes(buffer))):
            yield Chunk(bytes(buffer[:ready]), start, start + ready)
            start += ready
            del buffer[:ready]
    if buffer:
        yield Chunk(bytes(buffer), start, start + len(buffer))


def _each(lines: Lines) -> Iterator[bytes]:
    if isinstance(lines, bytes):
        yield from io.BytesIO(lines)  # lines end at LF only
        return
    if isinstance(lines, pl.DataFrame):
        lines = lines.to_arrow()
    if isinstance(lines, pa.Table | pa.RecordBatch):
        column = lines["line"] if "line" in lines.schema.names else lines[0]
        yield from (
            value if isinstance(value, bytes) else value.encode() for value in column.to_pylist() if value is not None
        )
        return
    for line in lines:
        yield line if isinstance(line, bytes) else line.encode(errors="surrogatepass")


def _detected(first: Chunk | None) -> Format | None:
    """The format of the first lines; None where there are none."""
    if first is None:
        return None
    found = detect(sample_lines(first.data, complete=True), load_formats().values())
    if found.format is None:
        raise UnreadableDataError("no known format fits any line", fix="Name one with format=")
    return found.format


def _named(zone: tzinfo | None) -> tzinfo | None:
    """The zone, which a source's record must be able to name."""
    if zone is None or zone is UTC or isinstance(zone, ZoneInfo):
        return zone
    fix = 'Give ZoneInfo("Europe/Berlin") or datetime.UTC'
    raise ConfigurationError("the zone has no name", where="timezone", fix=fix)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _options(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((given or {}).items())


def _of_polars(given: Mapping[str, str] | None) -> dict[str, str] | None:
    """The settings with the one that polars wants for an endpoint without TLS."""
    if given is None:
        return None
    plain = any(value.startswith("http://") for name, value in given.items() if "endpoint" in name)
    return {**given, **({"aws_allow_http": "true"} if plain else {})}


def _default_key() -> Path:
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local" / "state" / "loganon" / "key"
