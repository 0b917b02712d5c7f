"""The library: the same engine as the command, as calls. Nothing here reads the environment or prints."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from loganon import job
from loganon.buckets import client_settings
from loganon.chunks import Window
from loganon.clock import AHEAD, Clock
from loganon.errors import ConfigurationError
from loganon.exclude import parse_rules
from loganon.feeds import BATCH_BYTES, Feed, Given, feeds_of
from loganon.fields import REQUESTS
from loganon.forking import require_threads
from loganon.formats.given import resolve
from loganon.keys import Key, make_key
from loganon.lookups import open_lookups
from loganon.periods import YEARS
from loganon.pipeline import REASONS
from loganon.policy import DEFAULT, Policy, load_policy, named_policy
from loganon.reading import Input, Reading
from loganon.rowlevel import RowLevel
from loganon.sources.objects import expand_objects
from loganon.status.facts import sealed_until
from loganon.store import DamagedCellError, open_standing, parse_place
from loganon.summary import Summary

_Value = TypeVar("_Value")


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
    require_threads()
    reading = Reading(
        lookups=open_lookups(several(provider_db, "provider_db"), several(trusted_proxies, "trusted_proxies")),
        format=resolve(format),
        timezone=named_zone(timezone),
        stream=stream,
        exclude=parse_rules(several(exclude, "exclude"), where="exclude"),
    )
    return job.run(
        [Input(each, reading) for log in several(logs, "logs") for each in expand_objects(str(log))],
        policy=policy if isinstance(policy, Policy) else named_policy(policy),
        store=parse_place(store, options=client_options(storage_options), accept_versioned=accept_versioned),
        key=key_of(key),
        clock=Clock(datetime.now(UTC) if now is None else utc(now)),
    )


def anonymize(
    lines: Given,
    *,
    policy: Policy | str | Path = DEFAULT,
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    fields: Sequence[str] = (),
    now: datetime | None = None,
) -> Result:
    """The permitted rows of log lines: parsed, treated and gated; no minimum, no retention, nothing written.

    `lines`: bytes with LF; an iterable of lines; a `Path` or an open binary file, also compressed; a pyarrow table or
    record batch, a polars frame, or another table that speaks Arrow (pandas, DuckDB), with a column `line` or of one
    column; or already parsed columns: such a table, or a mapping of columns, with `time` and any of `client`, `path` or
    `request`, `agent`, `status`, `bytes`, `method`, `protocol`, `referrer`, `host`, `cookie`, `dnt`, `gpc`,
    `duration_s`, `_ms`, `_us`, `_ns` (docs/library.md has their types); other columns are dropped unread.

    With `now`, lines are `expired` or `future` as in `run`; without, no line is. `exclude` as in `run`; `fields`: the
    columns of a W3C log without a header. Raises ConfigurationError, UnreadableDataError where no format fits any line,
    MissingInputError where there is no such file.
    """
    results = list(
        batches(
            lines,
            policy=policy,
            format=format,
            provider_db=provider_db,
            timezone=timezone,
            trusted_proxies=trusted_proxies,
            exclude=exclude,
            fields=fields,
            now=now,
        )
    )
    rejected = sum((Counter(result.rejected) for result in results), Counter())
    if not results:
        policy = load_policy(policy) if not isinstance(policy, Policy) else policy
        return _result(policy.spec.schema.empty_table(), rejected, 0)
    return Result(
        pa.concat_tables([result.table for result in results]),
        {reason: rejected[reason] for reason in REASONS},
        sum(result.redacted for result in results),
    )


def batches(
    lines: Given,
    *,
    policy: Policy | str | Path = DEFAULT,
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    fields: Sequence[str] = (),
    now: datetime | None = None,
    blocks: bool = False,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[Result]:
    """The Results of log lines one after another, each of about `batch_bytes` of lines, as they are asked for.

    Together they are what `anonymize` gives, whose arguments are the same; memory is that of a few batches, however
    many lines there are. `lines` may also be an iterable of paths or open files, each a log with a format and a header
    of its own, a `pyarrow.RecordBatchReader`, or an iterable of tables alike. A W3C header holds for the batches after
    it. With `blocks` the elements of an iterable are pieces of one stream of bytes, cut anywhere. What is wrong with
    the arguments is raised by the call, what is wrong with the lines when their batch is asked for.
    """
    require_threads()
    if batch_bytes < 1:
        raise ConfigurationError("a batch of no bytes", where="batch_bytes", fix="Give a number of bytes")
    policy = load_policy(policy) if not isinstance(policy, Policy) else policy
    treat = RowLevel(
        policy=policy,
        lookups=open_lookups(several(provider_db, "provider_db"), several(trusted_proxies, "trusted_proxies")),
        window=window_of(policy, now),
        format=resolve(format),
        rules=parse_rules(several(exclude, "exclude"), where="exclude"),
        timezone=any_zone(timezone),
        fields=several(fields, "fields"),
    )
    return _results(treat, feeds_of(lines, blocks=blocks, batch_bytes=batch_bytes))


def _results(treat: RowLevel, feeds: Iterator[Feed]) -> Iterator[Result]:
    results = treat(feeds)
    while True:
        require_threads()  # a generator, too, may have been made before a fork
        found = next(results, None)
        if found is None:
            return
        yield _result(found.table, found.rejected, found.redacted)


def _result(table: pa.Table, rejected: Mapping[str, int], redacted: int) -> Result:
    return Result(table.drop_columns([REQUESTS]), {reason: rejected.get(reason, 0) for reason in REASONS}, redacted)


def scan(store: str | Path, *, sealed: bool = False, storage_options: Mapping[str, str] | None = None) -> pl.LazyFrame:
    """The stored table as a polars LazyFrame: the policy's columns in order and `date`; typed also where it is empty.

    `sealed`: only days whose rare values are folded. `storage_options`: as of `run`. Raises
    ConfigurationError where there is no store, DamagedCellError where a cell of it cannot be read.
    """
    require_threads()
    standing = open_standing(parse_place(store, options=client_options(storage_options)))
    schema = job.frozen_policy(standing).spec.schema
    empty = pl.from_arrow(schema.empty_table())
    assert isinstance(empty, pl.DataFrame)  # noqa: S101 - from_arrow's type is wider than a table's answer
    days = [part for part in standing.partitions() if part.sealed or not sealed]
    for name in (name for part in days for name in part.damaged):
        raise next(iter(standing.findings), DamagedCellError(f"{standing.path}/{name.path}"))
    columns = {**empty.schema, "date": pl.Date()}
    paths = {part.day: [f"{standing.path}/{cell.name.path}" for cell in part.cells] for part in days if part.cells}
    if not paths:
        return pl.LazyFrame(schema=columns)
    return _table(paths, options=None if storage_options is None else client_settings(storage_options)).select(
        list(columns)
    )


def sealed_through(store: str | Path, *, storage_options: Mapping[str, str] | None = None) -> date | None:
    """The day up to which all days that stand are sealed; None where none is. Later lines of such days may still add
    to their counts, never a new value.

    `storage_options` and errors as of `scan`.
    """
    require_threads()
    return sealed_until(open_standing(parse_place(store, options=client_options(storage_options))).partitions())


def window_of(policy: Policy, now: datetime | None) -> Window:
    """The times that a row may have: those that `run` would store at `now`; any without it."""
    if now is None:
        return Window(None, None)
    return Window(policy.keep_for.cutoff(utc(now).date()), utc(now) + AHEAD)


def named_zone(zone: tzinfo | None) -> tzinfo | None:
    """The zone, which a source's record must be able to name."""
    if zone is None or zone is UTC or isinstance(zone, ZoneInfo):
        return zone
    fix = 'Give ZoneInfo("Europe/Berlin") or datetime.UTC'
    raise ConfigurationError("the zone has no name", where="timezone", fix=fix)


def any_zone(zone: tzinfo | None) -> tzinfo | None:
    """The zone, whether it has a name or not; ConfigurationError for a name alone."""
    if zone is None or isinstance(zone, tzinfo):
        return zone
    raise ConfigurationError("the zone is no tzinfo", where="timezone", fix='Give ZoneInfo("Europe/Berlin")')


def several(values: Iterable[_Value], name: str) -> tuple[_Value, ...]:
    """The values of an argument that takes several; TypeError for one text or table, which would be taken in pieces."""
    if isinstance(values, str | bytes | Mapping):
        raise TypeError(f"{name} takes several: give a list, also of one")
    return tuple(values)


def utc(moment: datetime) -> datetime:
    """The moment in UTC, which it is in if it has no offset; ConfigurationError where it is none of a clock."""
    given: object = moment
    if not isinstance(given, datetime) or not YEARS[0] <= given.year <= YEARS[1]:
        fix = f"Give a datetime of the years {YEARS[0]} to {YEARS[1]}"
        raise ConfigurationError("it is no moment of a clock", where="now", fix=fix)
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


def client_options(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """The settings of the S3 client, as stores take them."""
    return tuple((given or {}).items())


def _table(paths: Mapping[date, Sequence[str]], *, options: dict[str, str] | None) -> pl.LazyFrame:
    """The rows of the files of each day and `date`. Paths are literal: neither a `*` in the store's means others, nor a
    folder `name=value` above it a column.
    """
    if not any("=" in path.rpartition("/date=")[0] for files in paths.values() for path in files):
        return pl.scan_parquet(
            [path for files in paths.values() for path in files],
            glob=False,
            hive_partitioning=True,
            hive_schema={"date": pl.Date()},
            storage_options=options,
        )
    return pl.concat(
        pl.scan_parquet(list(files), glob=False, hive_partitioning=False, storage_options=options).with_columns(
            date=pl.lit(day)
        )
        for day, files in paths.items()
    )


def key_of(given: bytes | str | Path | None) -> Key | Path:
    """The key of these bytes, or where it lies: at the path, or the user's own."""
    return make_key(given) if isinstance(given, bytes) else Path(given) if given else _default_key()


def _default_key() -> Path:
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local" / "state" / "loganon" / "key"
