"""The same lines in every way that loganon is used, and whether the tables are equal, row for row.

    python benchmarks/equality.py                    # 500,000 lines, all ways
    python benchmarks/equality.py --lines 20000 --ways run,batches

Each way is one entry of `WAYS`: a callable of the log, an empty folder for its store and the policy's file, which gives
the table of counts. The policy has no minimum, so that a seal changes nothing. Exit code 1: two tables differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import generate
import loganon
from followed import Followed
from subjects import DATABASE

KEY = b"the key of a comparison, 32 bytes"
POLICY = """
name = "equality"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[fields]
domain  = { as = "provider", known_only = true }
time    = { as = "hour" }
file    = { as = "path" }
browser = { as = "family+major" }
success = { as = "flag" }
bytes   = { as = "sum" }
"""
PIECES = 5
LIMIT = 900.0
"""Seconds after which `follow` is taken to hang."""

Way = Callable[[Path, Path, Path], pa.Table]


def by_run(log: Path, folder: Path, policy: Path) -> pa.Table:
    """`loganon.run`, twice: the second run counts nothing."""
    options = {"policy": policy, "store": folder / "store", "provider_db": [DATABASE], "key": KEY}
    first = loganon.run([log], **options)
    again = loganon.run([log], **options)
    if first.errors or again.errors or again.counted:
        raise SystemExit(f"run: {[*first.errors, *again.errors]}, {again.counted} counted again")
    return _stored(folder / "store")


def by_follow(log: Path, folder: Path, policy: Path) -> pa.Table:
    """`loganon follow` of a log that is written in pieces and rotated once meanwhile."""
    words = ("--policy", str(policy), "--provider-db", str(DATABASE), "--flush-interval", "1s")
    followed = Followed(folder, sys.executable, *words).ready()
    lines = log.read_bytes().splitlines(keepends=True)
    try:
        for piece in range(PIECES):
            part = lines[len(lines) * piece // PIECES : len(lines) * (piece + 1) // PIECES]
            with followed.log.open("ab") as file:
                file.write(b"".join(part))
            if piece == PIECES // 2:
                followed.log.rename(folder / "access.log.1")
                followed.log.touch()
            _wait(followed, folder / "store", len(lines) * (piece + 1) // PIECES)
        followed.end()
    finally:
        followed.kill()
    return _stored(folder / "store")


def by_batches(log: Path, folder: Path, policy: Path) -> pa.Table:  # noqa: ARG001 - nothing is stored
    """`loganon.batches`, whose rows are grouped here, by polars and not by loganon."""
    results = loganon.batches(log, policy=policy, provider_db=[DATABASE], now=datetime.now(UTC), batch_bytes=4 << 20)
    frames = []
    for result in results:
        frame = pl.DataFrame(pl.from_arrow(result.table))
        keys = [name for name in frame.columns if name != "bytes"]
        frames.append(frame.group_by(keys).agg(pl.len().cast(pl.Int64).alias("requests"), pl.sum("bytes")))
    both = pl.concat(frames)
    keys = [name for name in both.columns if name not in ("requests", "bytes")]
    return canonical(both.group_by(keys).agg(pl.sum("requests"), pl.sum("bytes")).to_arrow())


def by_spark(log: Path, folder: Path, policy: Path) -> pa.Table:
    """The Spark job with two executors (separate processes), twice: the second job counts nothing."""
    import spark  # noqa: PLC0415 - it needs PySpark

    with spark.session(folder / "cluster", executors=2) as session:
        how = {"policy": policy, "now": datetime.now(UTC)}
        counted = [spark.count(session, log, folder / "store", **how) for _ in range(2)]
    if counted[1]:
        raise SystemExit(f"spark: {counted[1]} counted again")
    return _stored(folder / "store")


WAYS: dict[str, Way] = {"run": by_run, "follow": by_follow, "batches": by_batches}
if find_spec("pyspark"):  # an extra (`make large`)
    WAYS["spark"] = by_spark


def make_log(log: Path, lines: int) -> None:
    """So many generated lines, of the three days before today: `follow` goes by the clock."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    generate.START = today - timedelta(days=generate.DAYS)
    with log.open("wb") as file:
        generate.write_log(file, generate.generate(lines, seed=7))


def canonical(table: pa.Table) -> pa.Table:
    """The table with plain types and in the order of its keys, as bytes: what can be compared and hashed."""
    kinds = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
    fields = [pa.field(f.name, kinds.get(f.type, f.type)) for f in table.schema if f.name != "date"]
    table = table.select([field.name for field in fields]).cast(pa.schema(fields))
    keys = [name for name in table.column_names if name not in ("requests", "bytes")]
    return table.sort_by([(name, "ascending") for name in keys]).combine_chunks()


def compare(log: Path, ways: Mapping[str, Way], where: Path, say: Callable[[str], None] = print) -> dict[str, pa.Table]:
    """The table of each way; SystemExit where one differs from the first."""
    policy = where / "equality.toml"
    policy.write_text(POLICY)
    tables: dict[str, pa.Table] = {}
    for name, way in ways.items():
        folder = where / name
        folder.mkdir()
        begun = time.perf_counter()
        tables[name] = table = way(log, folder, policy)
        requests, size = (pc.sum(table[column]).as_py() for column in ("requests", "bytes"))
        say(
            f"{name:8} {requests:>11,} accesses {table.num_rows:>11,} rows {size:>17,} bytes"
            f"  sha256 {digest(table)[:16]} {time.perf_counter() - begun:7.1f} s"
        )
    first = next(iter(tables))
    differing = [name for name, table in tables.items() if not table.equals(tables[first])]
    if differing:
        raise SystemExit(f"not equal to {first}: {', '.join(differing)}")
    return tables


def digest(table: pa.Table) -> str:
    """SHA-256 of the rows, whatever the chunks and buffers that hold them."""
    found = hashlib.sha256()
    for column in table.columns:
        found.update("\n".join(map(str, column.to_pylist())).encode())
    return found.hexdigest()


def _stored(store: Path) -> pa.Table:
    return canonical(loganon.scan(store).collect().to_arrow())


def _wait(followed: Followed, store: Path, lines: int) -> None:
    """Until the store holds so many accesses."""
    until = time.monotonic() + LIMIT
    while (held := _held(store)) < lines:
        followed.sample()  # it still runs
        if time.monotonic() > until:
            raise SystemExit(f"follow: {held:,} of {lines:,} lines were counted within {LIMIT:.0f} s")
        time.sleep(0.2)
    if held > lines:
        raise SystemExit(f"follow: {held:,} of {lines:,} lines were counted")


def _held(store: Path) -> int:
    """How many accesses the store holds; one that is in the making, or a cell that is just replaced, is asked again."""
    try:
        return int(loganon.scan(store).select(pl.sum("requests")).collect().item())
    except (loganon.LoganonError, pl.exceptions.PolarsError, OSError):
        return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the log, compare, and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)}")
    parser.add_argument("--folder", type=Path, help="where the stores are made for a time (default: TMPDIR)")
    chosen = parser.parse_args(arguments)
    ways = {name: WAYS[name] for name in chosen.ways.split(",")}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        log = Path(folder) / "equality.log"
        make_log(log, chosen.lines)
        print(f"{chosen.lines:,} lines, {log.stat().st_size:,} bytes, {os.cpu_count()} processors")
        compare(log, ways, Path(folder))
    print("equal")


if __name__ == "__main__":
    main()
