"""What a billion lines cost, and how large the table becomes; writes the generated part of docs/scale.md.

    python benchmarks/scale.py [--lines 2000000] [--rounds 3] [--dry-run]  # or: make scale COUNT=2000000 ROUNDS=3

Cost is processor time (user and system, of all threads), not wall time: a machine that does other things meanwhile
makes it some percent larger, not many times. `make scale` runs it. With `LOGANON_CORPUS` real logs are measured, too.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import polars as pl

import loganon
from equality import KEY, make_log
from followed import Followed
from measure import Run, Subject, measure, middle
from stores import figures
from subjects import DATABASE, GZIP, HOSTILE, JOB, PYTHON, own
from subjects import make_log as kept_log

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- written by benchmarks/scale.py; `make scale` renews it -->", "<!-- end of what scale.py writes -->"
JSON, W3C = "loganon run, JSON lines", "loganon run, W3C"
ANONYMIZE, BATCHES = "loganon.anonymize", "loganon.batches"
BUCKET = "loganon run into a bucket"
FOLLOW = "loganon follow"
OPTIONS = "policy='imos', provider_db=[sys.argv[2]]"
LIBRARY = {
    ANONYMIZE: f"loganon.anonymize(Path(sys.argv[1]), {OPTIONS}).table.num_rows",
    BATCHES: f"sum(each.table.num_rows for each in loganon.batches(Path(sys.argv[1]), {OPTIONS}))",
}
CORPUS = {
    "elastic-examples": ("*apache_logs", datetime(2015, 5, 21, tzinfo=UTC)),
    "nasa-http": ("*", datetime(1995, 8, 3, tzinfo=UTC)),
}
LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Table:
    """The size of a table: `lines` that it holds, its rows, bytes and files, and the hours that it spans."""

    name: str
    lines: int
    rows: int
    size: int
    files: int
    hours: int


# --- cost ---------------------------------------------------------------------------------------------------------


def subjects(lines: int, endpoint: str | None) -> list[Subject]:
    """The ways that end by themselves."""
    found = own(lines, lambda name: name in (JOB, GZIP, JSON, W3C, HOSTILE))
    log = kept_log(lines)
    size = log.stat().st_size
    for name, code in LIBRARY.items():
        script = f"import sys, loganon; from pathlib import Path; print({code})"
        found.append(Subject(name, lambda _, script=script: [PYTHON, "-c", script, log, DATABASE], lines, size))
    if endpoint is not None:

        def words(folder: Path) -> Sequence[str | Path]:
            options = ["--json", "--key-file", folder / "key", "--now", "2026-11-21T06:00:00Z"]
            store = f"s3://scale/{folder.name}/store"
            return [PYTHON, "-m", "loganon", "run", log, *options, "--store", store, "--provider-db", DATABASE]

        found.append(Subject(BUCKET, words, lines, size))
    return found


@contextmanager
def bucket() -> Iterator[str | None]:
    """Moto's server in a process of its own, with a bucket, and the variables by which it is found; None without it."""
    if not all(map(find_spec, ("moto", "obstore", "boto3"))):
        yield None
        return
    import boto3  # noqa: PLC0415 - only where it is installed

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    found = {"ACCESS_KEY_ID": "tester", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1", "ALLOW_HTTP": "true"}
    os.environ.update({f"AWS_{name}": value for name, value in (found | {"ENDPOINT_URL": endpoint}).items()})
    quiet = subprocess.DEVNULL
    with subprocess.Popen([PYTHON, "-m", "moto.server", "-p", str(port)], stdout=quiet, stderr=quiet) as server:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="scale")
            yield endpoint
        finally:
            server.kill()


def followed(lines: int, where: Path) -> Subject:
    """What `follow` reads: the same lines, of the last three days."""
    log = where / "followed.log"
    make_log(log, lines)
    return Subject(FOLLOW, lambda _: [], lines, log.stat().st_size, stdin=log)


def measure_follow(subject: Subject, where: Path) -> Run:
    """`follow` of a log that grows by a tenth at a time, as soon as the tenth before it is stored."""
    assert subject.stdin is not None
    lines = subject.stdin.read_bytes().splitlines(keepends=True)
    with tempfile.TemporaryDirectory(dir=where) as folder:
        words = ("--policy", "imos", "--provider-db", str(DATABASE), "--flush-interval", "2s")
        process = Followed(Path(folder), sys.executable, *words).ready()
        try:
            before, begun = process.sample(), time.perf_counter()
            peak = 0
            for tenth in range(10):
                part = lines[len(lines) * tenth // 10 : len(lines) * (tenth + 1) // 10]
                with process.log.open("ab") as file:
                    file.write(b"".join(part))
                peak = max(peak, _stored(process, len(lines) * (tenth + 1) // 10))
            spent = process.sample().cpu - before.cpu
            wall = time.perf_counter() - begun
            process.end()
        finally:
            process.kill()
    return Run(wall, spent, peak / (1 << 20))


def _stored(process: Followed, lines: int) -> int:
    """The largest resident size until the store holds so many accesses."""
    until, peak = time.monotonic() + LIMIT, 0
    while time.monotonic() < until:
        peak = max(peak, process.sample().resident)
        try:
            held = loganon.scan(process.folder / "store").select(pl.sum("requests")).collect().item()
        except (loganon.LoganonError, pl.exceptions.PolarsError, OSError):  # a cell was just replaced
            held = 0
        if held >= lines:
            return peak
        time.sleep(0.5)
    raise SystemExit(f"follow: not all of {lines:,} lines were stored within {LIMIT:.0f} s")


# --- size ---------------------------------------------------------------------------------------------------------


def tables(lines: int, where: Path) -> Iterator[Table]:
    """Tables of generated logs, of a busy and of a small site, before and after sealing; and of real ones."""
    now = datetime(2026, 11, 21, 6, tzinfo=UTC)
    small = where / "small.log"
    if lines > 20_000:
        words = [PYTHON, Path(__file__).with_name("generate.py"), "--lines", "20000", "--out", small]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    for name, log in (("generated", kept_log(lines)), ("generated, small", small)):
        if log.exists():
            yield from _both(name, [log], now, where)
    corpus = os.environ.get("LOGANON_CORPUS")
    for folder, (pattern, then) in CORPUS.items() if corpus else ():
        logs = [each for each in sorted((Path(str(corpus)) / "logs" / folder).rglob(pattern)) if each.is_file()]
        yield from _both(f"real: {folder}", logs, then, where)


def _both(name: str, logs: list[Path], now: datetime, where: Path) -> Iterator[Table]:
    with tempfile.TemporaryDirectory(dir=where) as folder:
        store = Path(folder) / "store"
        done = loganon.run(logs, policy="imos", store=store, provider_db=[DATABASE], key=KEY, now=now)
        if done.counted:
            yield _size(name, store)
            loganon.run([], store=store, key=KEY, now=now + timedelta(days=7))
            yield _size(f"{name}, sealed", store)


def _size(name: str, store: Path) -> Table:
    files = list((store / "access").rglob("*.parquet"))
    frame = loganon.scan(store).select(pl.len(), pl.sum("requests"), pl.col("time").n_unique()).collect()
    rows, requests, hours = frame.row(0)
    return Table(name, requests, rows, sum(path.stat().st_size for path in files), len(files), hours)


# --- the page -----------------------------------------------------------------------------------------------------


def page(
    found: Sequence[tuple[Subject, Run]],
    sizes: Sequence[Table],
    large: Sequence[tuple[str, Run]],
    command: str,
    day: date,
) -> list[str]:
    """The generated part."""
    load = os.getloadavg()[2]
    busy = "the machine was not idle, so processor time is too high and wall time says nothing"
    text = [
        BEGIN,
        "",
        f"Measured on {day} by `{command}`: {os.cpu_count()} processors ({_processor()}),",
        f"Python {platform.python_version()}, loganon {version('loganon-access')}. Load average of 15 minutes:"
        f" {load:.1f}" + (f": **{busy}**." if load > 1.5 * (os.cpu_count() or 1) else "."),
        "",
        "### Cost",
        "",
        "| way | lines | CPU s | lines per CPU second | wall s | peak MiB | CPU hours per 10⁹ lines (extrapolated) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for subject, run in found:
        rate = subject.lines / run.cpu
        text.append(
            f"| `{subject.name}` | {subject.lines:,} | {run.cpu:.1f} | {rate:,.0f} | {run.wall:.1f} | {run.peak:,.0f} "
            f"| {1e9 / rate / 3600:.1f} |"
        )
    text += ["", "### Size", ""]
    text += ["| table, policy `imos` | lines | rows | rows per hour | bytes per row | bytes per line | MB per file |"]
    text += ["|---|--:|--:|--:|--:|--:|--:|"]
    for table in sizes:
        text.append(
            f"| {table.name} | {table.lines:,} | {table.rows:,} | {table.rows / table.hours:,.0f} "
            f"| {table.size / table.rows:.1f} | {table.size / table.lines:.2f} | {table.size / table.files / 1e6:.3f} |"
        )
    text += ["", "### Large cells and full stores", ""]
    text += ["| what | CPU s | wall s | peak MiB |", "|---|--:|--:|--:|"]
    text += [f"| {name} | {run.cpu:.1f} | {run.wall:.1f} | {run.peak:,.0f} |" for name, run in large]
    text += ["", *_limits({subject.name: subject.lines / run.cpu for subject, run in found}), "", END]
    return text


def _limits(rate: dict[str, float]) -> list[str]:
    """What a mode can do, out of lines per CPU second: extrapolation."""
    modes = (
        ("nightly timer or hook: `run`", JOB, 3600, "one hour of one core a night"),
        ("sidecar: `follow`", FOLLOW, 43_200, "half of one core, all day"),
        ("each of many writers on S3: `run`, hourly", BUCKET, 43_200, "half of one core, all day"),
    )
    rows = ["### How far each goes (extrapolated from the figures above)", ""]
    rows += ["| mode | taken as its limit | lines a day |", "|---|---|--:|"]
    return rows + [f"| {mode} | {limit} | {rate[way] * s:,.0f} |" for mode, way, s, limit in modes if way in rate]


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page's part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large-rows", type=int, default=1_000_000, help="of the large cell")
    parser.add_argument("--folder", type=Path, help="where logs and stores are made for a time (default: TMPDIR)")
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, bucket() as endpoint:
        where = Path(folder)
        known = subjects(options.lines, endpoint)
        live = followed(options.lines, where)
        ways: list[tuple[Subject, Callable[[Subject, Path], Run]]] = [
            *((subject, measure) for subject in known),
            (live, measure_follow),
        ]
        runs: dict[str, list[Run]] = {}
        for turn in range(options.rounds):
            for subject, act in ways:
                run = act(subject, where)
                runs.setdefault(subject.name, []).append(run)
                print(f"round {turn + 1}  {subject.name:28} {run.cpu:8.1f} s CPU {run.wall:8.1f} s wall", flush=True)
        sizes = list(tables(options.lines, where))
        large = figures(where, options.large_rows, options.rounds)
    command = f"make scale COUNT={options.lines} ROUNDS={options.rounds}"
    found = [(subject, middle(runs[subject.name])) for subject, _ in ways]
    text = "\n".join(page(found, sizes, large, command, datetime.now(UTC).date()))
    print(text)
    spent = {name: [run.cpu for run in each] for name, each in runs.items()}
    spread = {name: statistics.pstdev(each) / statistics.mean(each) for name, each in spent.items()}
    print("spread of CPU time between rounds:", ", ".join(f"{name} {value:.0%}" for name, value in spread.items()))
    if not options.dry_run:
        whole = PAGE.read_text("utf-8")
        PAGE.write_text(whole[: whole.index(BEGIN)] + text + whole[whole.index(END) + len(END) :], encoding="utf-8")


if __name__ == "__main__":
    main()
