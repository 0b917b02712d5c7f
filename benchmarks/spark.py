"""Throughput of the Spark job on one and on two executors, and how it grows; writes the figures of docs/spark.md.

    python benchmarks/spark.py [--lines 2000000] [--rounds 3] [--dry-run]     # or: make bench-spark

Each executor is a process of its own with one core (`local-cluster[N,1,2048]`), all on this machine. The session is up
and warm before the clock starts; each round counts the log into a new store. `loganon run` on the same log stands
beside it. On a machine with two cores the driver and two executors share them: how it grows there is a lower bound.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import loganon
from loganon.clock import Clock
from loganon.keys import make_key
from loganon.lookups import open_lookups
from loganon.reading import Reading
from subjects import DATABASE, make_log
from subjects import NOW as CLOCK

PAGE = Path(__file__).parents[1] / "docs" / "spark.md"
BEGIN, END = "<!-- written by benchmarks/spark.py; `make bench-spark` renews it -->", "<!-- end of what it writes -->"
KEY = b"the key of a benchmark, 32 bytes"
NOW = datetime.fromisoformat(CLOCK)
RANGE_BYTES = 32 << 20
WARM_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One way to count the log: seconds of each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The round in the middle."""
        return statistics.median(self.seconds)


@contextmanager
def session(folder: Path, executors: int, *, memory: int = 2048) -> Iterator[Any]:
    """A Spark session with so many executors of one core, in a folder of its own."""
    import pyspark  # noqa: PLC0415 - an extra, which not every benchmark needs
    from pyspark import SparkContext  # noqa: PLC0415 - as above
    from pyspark.sql import SparkSession  # noqa: PLC0415 - as above

    home = folder / "home"
    home.mkdir(parents=True)
    for entry in Path(pyspark.__file__).parent.iterdir():  # workers write beside what they run from
        (home / entry.name).symlink_to(entry)
    variables = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
    }
    kept = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    settings = {"ui.enabled": "false", "ui.showConsoleProgress": "false", "executor.memory": f"{memory // 2}m"}
    builder = SparkSession.builder.master(f"local-cluster[{executors},1,{memory}]").appName("loganon")
    for name, value in settings.items():
        builder = builder.config(f"spark.{name}", value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    gateway = SparkContext._gateway
    try:
        yield made
    finally:
        made.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)
        SparkContext._gateway = SparkContext._jvm = None
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def count(spark: Any, log: Path, store: Path, *, policy: Path | None = None, now: datetime = NOW) -> int:
    """How many lines of a log the Spark job counted into the store."""
    from loganon.policy import named_policy  # noqa: PLC0415 - beside the next one
    from loganon.spark.jobs import count_logs  # noqa: PLC0415 - needs PySpark

    summary = count_logs(
        [str(log)],
        Reading(lookups=open_lookups([DATABASE])),
        policy=named_policy(policy),
        store=store,
        key=make_key(KEY),
        clock=Clock(now),
        range_bytes=RANGE_BYTES,
        session=spark,
    )
    if summary.errors:
        raise SystemExit(f"spark: {summary.errors}")
    return summary.counted


def measured(log: Path, lines: int, folder: Path, rounds: int, executors: int) -> Figure:
    """The Spark job on the log, by so many executors."""
    warm = folder / "warm.log"
    with log.open("rb") as whole:
        warm.write_bytes(b"".join(next(whole) for _ in range(min(WARM_LINES, lines))))
    seconds = []
    with session(folder / f"cluster-{executors}", executors) as spark:
        count(spark, warm, folder / f"warm-{executors}")
        for number in range(rounds):
            begun = time.perf_counter()
            counted = count(spark, log, folder / f"store-{executors}-{number}")
            seconds.append(time.perf_counter() - begun)
            _require(counted, lines)
    return Figure(f"Spark, {executors} executor{'s' * (executors > 1)}", tuple(seconds))


def measured_run(log: Path, lines: int, folder: Path, rounds: int) -> Figure:
    """`loganon.run` on the log, without the start of a process."""
    seconds = []
    for number in range(rounds):
        begun = time.perf_counter()
        summary = loganon.run([log], store=folder / f"run-{number}", provider_db=[DATABASE], key=KEY, now=NOW)
        seconds.append(time.perf_counter() - begun)
        _require(summary.counted, lines)
    return Figure("`loganon.run`, one process", tuple(seconds))


def _require(counted: int, lines: int) -> None:
    if counted != lines:
        raise SystemExit(f"{counted:,} of {lines:,} lines were counted")


def table(figures: Sequence[Figure], lines: int, size: int) -> str:
    """The figures as the page shows them."""
    now = f"{datetime.now(UTC):%Y-%m-%d}"
    cores, load = os.cpu_count(), os.getloadavg()[0]
    first = next(each for each in figures if each.name.startswith("Spark"))
    rows = [
        f"| {each.name} | {each.median:.1f} ({min(each.seconds):.1f} to {max(each.seconds):.1f}) |"
        f" {lines / each.median:,.0f} | {size / each.median / 1e6:.0f} | {first.median / each.median:.2f} |"
        for each in figures
    ]
    machine = f"{cores} processors ({platform.machine()}), load average {load:.1f} at the end"
    head = [
        f"On {now}: {lines:,} lines, {size:,} bytes, {len(first.seconds)} rounds, {machine}.",
        "",
        "| | seconds, median (range) | lines/s | MB/s | to one executor |",
        "|---|--:|--:|--:|--:|",
    ]
    return "\n".join([*head, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and renew the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--executors", default="1,2")
    parser.add_argument("--dry-run", action="store_true", help="leave docs/spark.md as it is")
    chosen = parser.parse_args(arguments)
    log = make_log(chosen.lines)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = [measured_run(log, chosen.lines, folder, chosen.rounds)]
        counts = [int(number) for number in chosen.executors.split(",")]
        figures += [measured(log, chosen.lines, folder, chosen.rounds, number) for number in counts]
    text = table(figures, chosen.lines, log.stat().st_size)
    print(text)
    if not chosen.dry_run:
        page = PAGE.read_text("utf-8")
        block = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
        PAGE.write_text(block.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page), "utf-8")


if __name__ == "__main__":
    main()
