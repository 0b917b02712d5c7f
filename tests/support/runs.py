"""A run within the tests' own process, made-up log lines, and what a store then holds, read with no help of `src/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loganon import job
from loganon.clock import Clock
from loganon.formats import named_format
from loganon.keys import Key
from loganon.lookups import open_lookups
from loganon.policy import Policy, parse_policy
from loganon.reading import Input
from loganon.reading import Reading as HowToRead
from loganon.summary import Summary
from oracle import Reading, read_data, read_log

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = Key(b"the key of the tests, 32 bytes..")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PLAIN = """
name = "plain"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[fields]
domain  = { as = "provider", known_only = false }
time    = { as = "hour" }
file    = { as = "path" }
browser = { as = "family+major" }
success = { as = "flag" }
bytes   = { as = "sum" }
"""
"""A policy without minima: no seal changes a value."""

Hours = dict[datetime, tuple[int, int, int]]
"""Requests, bytes and successes of each hour."""


def write_key(path: Path) -> None:
    """The key of the tests at `path`, which nobody else may read, as the command makes it."""
    path.touch(0o600)
    path.write_bytes(KEY.secret)


def plain_policy() -> Policy:
    """All six fields, no minimum, any domain."""
    return parse_policy(PLAIN, where="plain")


def stamp(moment: datetime) -> str:
    """A moment as access logs write it."""
    return f"{moment:%d}/{MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"


def line(
    moment: datetime, path: str = "/a", *, client: str = "91.44.26.11", status: int = 200, size: int = 10
) -> bytes:
    """One line of the combined format, with its LF."""
    text = f'{client} - - [{stamp(moment)}] "GET {path} HTTP/1.1" {status} {size} "-" "{AGENT}"\n'
    return text.encode()


def lines(count: int, *, start: datetime | None = None, minutes: int = 7, tag: str = "p") -> list[bytes]:
    """Distinct lines in the order of their times; the last is some hours before `NOW`."""
    first = start or NOW - timedelta(minutes=minutes * count + 180)
    return [
        line(first + timedelta(minutes=minutes * n), f"/{tag}/{n}.html", size=n + 1, status=404 if n % 7 == 3 else 200)
        for n in range(count)
    ]


def ingest(
    store: Path,
    logs: Sequence[Path | str],
    *,
    now: datetime = NOW,
    policy: Policy | None = None,
    format: str = "auto",  # noqa: A002 - the option's name
    provider_db: Sequence[Path] = (),
    stream: str | None = None,
    final: bool = False,
    writer: str | None = None,
    **clock: object,
) -> Summary:
    """`loganon run` as a call; the balance of its summary and of the store holds, whatever it did."""
    reading = HowToRead(lookups=open_lookups(provider_db, ()), format=named_format(format), stream=stream, final=final)
    summary = job.run(
        [Input(str(log), reading) for log in logs],
        policy=policy,
        store=store,
        key=KEY,
        clock=Clock(now, **clock),  # type: ignore[arg-type]  # a test's options
        writer=writer,
        wait=timedelta(),
    )
    check_balance(summary.as_dict())
    check_store(store)
    return summary


def check_balance(answer: dict[str, object]) -> None:
    """lines_read = counted + already_counted + rejected, in all and per source; the parts add up to the whole."""
    parts: list[dict[str, object]] = answer["sources"]  # type: ignore[assignment]  # parsed JSON
    for each in (answer, *parts):
        rejected: dict[str, int] = each["rejected"]  # type: ignore[assignment]  # as above
        assert each["lines_read"] == each["counted"] + each["already_counted"] + sum(rejected.values())  # type: ignore[operator]  # as above
    for name in ("lines_read", "counted", "already_counted"):
        assert answer[name] == sum(part[name] for part in parts), name  # type: ignore[misc]  # as above


def check_store(store: Path) -> None:
    """Conservation, for each source: live + deleted + rejected = lines done."""
    from loganon.store import LocalStore  # noqa: PLC0415 - the names of this module stay those of tests

    assert all(balance.holds for balance in LocalStore.open(store).balances().values())


def cells(store: Path) -> list[Path]:
    """All files of the table."""
    return sorted((store / "access").glob("*/*.parquet"))


def days(store: Path) -> list[str]:
    """The partitions that stand."""
    return sorted(path.name.removeprefix("date=") for path in (store / "access").glob("date=*"))


def table_of(store: Path) -> pa.Table:
    """All rows, in the order of the files."""
    return pa.concat_tables([pq.ParquetFile(path).read() for path in cells(store)])


def rows_of(table: pa.Table) -> Counter[tuple[object, ...]]:
    """Requests and bytes by all the rest: what two tables must agree on."""
    sums: Counter[tuple[object, ...]] = Counter()
    names = [name for name in table.column_names if name not in ("requests", "bytes")]
    for row in table.to_pylist():
        key = tuple(row[name] for name in names)
        sums[(*key, "requests")] += row.get("requests", 1)
        sums[(*key, "bytes")] += row["bytes"]
    return +sums


def hours_of(store: Path) -> Hours:
    """What the store holds of each hour."""
    sums: dict[datetime, list[int]] = {}
    for path in cells(store):
        for row in pq.ParquetFile(path).read().to_pylist():
            found = sums.setdefault(row["time"].astimezone(UTC), [0, 0, 0])
            found[0] += row["requests"]
            found[1] += row["bytes"]
            found[2] += row["requests"] * row["success"]
    return {hour: (a, b, c) for hour, (a, b, c) in sums.items()}


def expected(*readings: Reading, since: date = date.min) -> Hours:
    """What the oracle found, from a day on."""
    sums: dict[datetime, list[int]] = {}
    for reading in readings:
        for hour, found in reading.hours.items():
            if hour.date() >= since:
                total = sums.setdefault(hour, [0, 0, 0])
                total[0] += found.requests
                total[1] += found.bytes
                total[2] += found.successes
    return {hour: (a, b, c) for hour, (a, b, c) in sums.items()}


def counts_of(data: bytes | Path | Iterable[bytes], *, final: bool = False) -> Hours:
    """What the oracle finds in a log of the combined format."""
    if isinstance(data, Path):
        return expected(read_log(data, "combined", final=final))
    return expected(read_data(data if isinstance(data, bytes) else b"".join(data), "combined", final=final))
