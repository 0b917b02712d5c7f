"""What a cell of 1,000,000 rows and a store of 43 full days cost: time and peak memory of commands on them.

    python benchmarks/stores.py [--rows 1000000] [--rounds 1]  # prints; `make scale` writes it into docs/scale.md, too

The stores are made by commits of the store's own, not through logs; what is measured is the command, in a process of
its own, on a copy. About a minute.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import loganon
from loganon.aggregate import merge
from loganon.store import Batch, LocalStore, Record, SourceBatch
from measure import Run, middle, spend
from subjects import DATABASE, PYTHON

DAY = datetime(2026, 11, 21, tzinfo=UTC)
"""The newest day."""
DAYS = 43
FILES = 50_000
LINES = 20_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
SPEC = loganon.load_policy("imos").spec


@dataclass(frozen=True, slots=True)
class Step:
    """A command on a standing store: the lines that it reads (of which hours), and its clock."""

    name: str
    hours: Sequence[datetime]
    now: datetime


def rows_of(hours: Sequence[datetime], rows: int) -> pa.Table:
    """So many rows of each of these hours, all different, coded: of 50,000 files and as many domains as it takes."""
    numbers = pa.array(range(rows), pa.int32())
    domains = pa.array([f"provider{n}.example" for n in range(math.ceil(rows / FILES))])
    files = pa.array([f"/shop/department/{n:05d}/item.html" for n in range(FILES)])
    place = pc.divide(numbers, FILES)
    columns = {
        "domain": pa.DictionaryArray.from_arrays(place, domains),
        "file": pa.DictionaryArray.from_arrays(pc.subtract(numbers, pc.multiply(place, FILES)), files),
        "browser": pa.repeat("Chrome", rows).dictionary_encode(),
        "browser_version": pa.repeat("131", rows).dictionary_encode(),
        "success": pa.repeat(pa.scalar(value=True), rows),
        "requests": pa.repeat(pa.scalar(20, pa.int64()), rows),
        "bytes": pc.multiply(numbers.cast(pa.int64()), 7919),
    }
    kind = SPEC.schema.field("time").type
    parts = [
        pa.table(
            [columns.get(name, pa.repeat(pa.scalar(hour, kind), rows)) for name in SPEC.schema.names], SPEC.schema.names
        )
        for hour in hours
    ]
    return merge(parts, SPEC, coded=True)


def make_store(path: Path, days: Sequence[Sequence[datetime]], rows: int, now: datetime) -> None:
    """A store with so many rows of each hour, a commit for each day, sealed and kept as of `now`."""
    first = days[0][0] + timedelta(hours=1)
    loganon.run([], policy="imos", store=path, key=path.with_name("key"), now=first)
    store, before = LocalStore.open(path), None
    for hours in days:
        cells = Counter(dict.fromkeys(hours, 20 * rows))
        old = before or Record(id="made-by-a-benchmark", stream="made.log", prefix=((10, "aa"),), format="combined")
        counts = Counter(old.lines) + Counter(counted=cells.total())
        done, lines = old.done + 300 * cells.total(), dict(counts)
        after = replace(old, done=done, lines=lines, newest=max(hours))
        batch = Batch(rows_of(hours, rows), (SourceBatch(before, after, dict(cells)),))
        with store.locked() as held:
            before = held.commit(batch, SPEC, now=first, writer=None, footer={}).records[old.id]
    loganon.run([], store=path, key=path.with_name("key"), now=now)


def write_log(path: Path, hours: Sequence[datetime], lines: int = LINES) -> None:
    """So many lines of each hour, all of different paths and clients."""
    with path.open("w", encoding="ascii") as log:
        for hour in hours:
            stamp = f"[{hour:%d/%b/%Y:%H}:30:00 +0000]"
            for n in range(lines):
                client, path = f"91.{n % 200}.{n // 200 % 200}.{n % 250}", f"/shop/department/{n:05d}/item.html"
                log.write(f'{client} - - {stamp} "GET {path} HTTP/1.1" 200 {n} "-" "{AGENT}"\n')


def measured(store: Path, steps: Sequence[Step], rounds: int) -> Iterator[tuple[str, Run]]:
    """The medians of each step; a step finds the store as the one before it left it."""
    runs: dict[str, list[Run]] = {step.name: [] for step in steps}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=store.parent.parent) as folder:
            copy = Path(folder) / "made"
            shutil.copytree(store.parent, copy)
            for step in steps:
                runs[step.name].append(_spent(copy / store.name, step))
    for name, each in runs.items():
        yield name, middle(each)


def _spent(store: Path, step: Step) -> Run:
    words = [PYTHON, "-m", "loganon", "retain"]  # it seals, too
    if step.hours:
        log = store.with_name("new.log")
        write_log(log, step.hours)
        key = store.with_name("key")
        words = [PYTHON, "-m", "loganon", "run", str(log), "--key-file", str(key), "--provider-db", str(DATABASE)]
    words += ["--quiet", "--store", str(store), "--now", step.now.isoformat()]
    quiet = subprocess.DEVNULL
    code, run = spend(words, where=store.parent, stdin=quiet, out=quiet, err=quiet)
    if code:
        raise SystemExit(f"{step.name} failed ({code})")
    return run


def figures(where: Path, rows: int = 1_000_000, rounds: int = 3) -> list[tuple[str, Run]]:
    """All of it."""
    large, full = where / "large" / "store", where / "full" / "store"
    noon = DAY + timedelta(hours=12)
    large.parent.mkdir()
    make_store(large, [[noon]], rows - LINES, noon)
    steps = [
        Step(f"{LINES:,} lines into a cell of {rows - LINES:,} rows", [noon], noon),
        Step(f"sealing that cell of {rows:,} rows", [], DAY + timedelta(days=3)),
    ]
    found = list(measured(large, steps, rounds))
    full.parent.mkdir()
    days = [[DAY - timedelta(days=back, hours=-hour) for hour in range(24)] for back in reversed(range(1, DAYS))]
    each = rows // 200
    make_store(full, days, each, DAY - timedelta(hours=23))
    name = f"a day of {24 * LINES:,} lines as the {DAYS}rd, each of {24 * each:,} rows; one sealed, one deleted"
    return found + list(
        measured(full, [Step(name, [DAY + timedelta(hours=h) for h in range(24)], DAY + timedelta(hours=23))], rounds)
    )


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large cell")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, run in figures(Path(folder), options.rows, options.rounds):
            print(f"{name:90} {run.wall:6.2f} s wall  {run.cpu:6.2f} s CPU  peak {run.peak:5.0f} MiB")


if __name__ == "__main__":
    main()
