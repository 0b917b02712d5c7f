"""Floods: what a visitor can send to exhaust memory or disk. One command: `python benchmarks/floods.py [--count N]`.

    agents      N lines, each with an agent of its own
    paths       N lines, each with a path of its own, from many clients
    clients     N lines, each with a client name of its own
    long line   a line of N KiB without a newline, between two plain lines

Each is counted by `loganon run` in a process of its own; printed are lines/s, the process's peak memory, the size of
the store, and whether the counts are right. It exits 1 where a count is wrong or the memory is above the bound.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import spend

NOW = "2026-11-21T12:00:00Z"
BOUND = 1200
"""MiB of peak memory that a run may take, whatever the flood: a batch holds a million rows."""
LINE = '{client} - - [20/Nov/2026:{hour:02}:00:00 +0000] "GET {path} HTTP/1.1" 200 100 "-" "{agent}"\n'
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """One flood: its lines, the seconds, the peak memory in MiB, the store in MiB, the summary of the run."""

    name: str
    lines: int
    seconds: float
    peak: float
    store: float
    rows: int
    summary: dict[str, Any]
    right: bool

    def __str__(self) -> str:
        rate = f"{self.lines / self.seconds:,.0f} lines/s"
        verdict = "counts right" if self.right else "COUNTS WRONG"
        return (
            f"{self.name:10} {self.lines:>9,} lines  {self.seconds:6.1f} s  {rate:>16}  peak {self.peak:6.0f} MiB"
            f"  store {self.store:6.2f} MiB in {self.rows:,} rows  {verdict}"
        )


def _spread(number: int) -> str:
    """A number's own eleven letters and digits: unlike its neighbours'."""
    return f"{number * 0x9E3779B97F4A7C15 % (1 << 56):014x}"


def agents(count: int) -> Iterator[str]:
    """Lines with an agent of their own."""
    for n in range(count):
        yield LINE.format(client="91.44.26.11", hour=n % 24, path="/a", agent=f"{_spread(n)}bot/{n} (jane {n})")


def paths(count: int) -> Iterator[str]:
    """Lines with a path of their own: what a scanner's wordlist makes."""
    for n in range(count):
        yield LINE.format(client="91.44.26.11", hour=n % 24, path=f"/{_spread(n)[:9]}/{n % 997}.php", agent=AGENT)


def clients(count: int) -> Iterator[str]:
    """Lines with a client's host name of their own."""
    for n in range(count):
        yield LINE.format(client=f"h{_spread(n)}.w{n % 997}.example.org", hour=n % 24, path="/a", agent=AGENT)


FLOODS: dict[str, Callable[[int], Iterator[str]]] = {"agents": agents, "paths": paths, "clients": clients}


def write_lines(log: Path, lines: Iterator[str]) -> None:
    """The flood as a log."""
    with log.open("w", encoding="ascii") as file:
        file.writelines(lines)


def write_long_line(log: Path, kib: int) -> None:
    """A plain line, a line of `kib` KiB, a plain line."""
    plain = LINE.format(client="91.44.26.11", hour=1, path="/a", agent=AGENT).encode()
    with log.open("wb") as file:
        file.write(plain + plain[:60])
        for _ in range(kib // 1024):
            file.write(b"A" * _PIECE)
        file.write(b"A" * (kib % 1024 * 1024) + b"\n" + plain)


def measure(name: str, count: int, folder: Path) -> Measured:
    """One flood through `loganon run` in a process of its own, which is all that is measured."""
    log, store = folder / f"{name.replace(' ', '-')}.log", folder / "store"
    if name == "long line":
        write_long_line(log, count)
        lines, counted, long = 3, 2, 1
    else:
        write_lines(log, FLOODS[name](count))
        lines, counted, long = count, count, 0
    words = ["run", log, "--store", store, "--key-file", folder / "key", "--now", NOW, "--format", "combined", "--json"]
    out = folder / "out.json"
    command = [sys.executable, "-m", "loganon", *map(str, words)]
    none = subprocess.DEVNULL
    with out.open("wb") as answer:
        code, run = spend(command, stdin=none, out=answer, err=none, where=folder)
    summary = json.loads(out.read_bytes())
    requests, rows = stored(store)
    right = (
        code == 0
        and (summary["lines_read"], summary["counted"], summary["rejected"]["too_long"]) == (lines, counted, long)
        and requests == counted
    )
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) / (1 << 20)
    log.unlink()
    return Measured(name, lines, run.wall, run.peak, size, rows, summary, right)


def stored(store: Path) -> tuple[int, int]:
    """The requests and the rows of a store's table."""
    import polars as pl  # noqa: PLC0415 - the generator runs without it

    frame = pl.scan_parquet(str(store / "access" / "*" / "*.parquet")).select(pl.col("requests").sum(), pl.len())
    requests, rows = frame.collect().row(0)
    return int(requests), int(rows)


def main() -> int:
    """Each flood, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="lines of each flood (default: 1,000,000)")
    parser.add_argument("--kib", type=int, default=1 << 20, help="KiB of the long line (default: 1 GiB)")
    parser.add_argument("--only", choices=[*FLOODS, "long line"], help="this one alone")
    given = parser.parse_args()
    good = True
    for name in (*FLOODS, "long line"):
        if given.only in (None, name):
            folder = Path(tempfile.mkdtemp(prefix="loganon-flood-"))
            try:
                measured = measure(name, given.kib if name == "long line" else given.count, folder)
            finally:
                shutil.rmtree(folder)
            print(measured, flush=True)
            good = good and measured.right and measured.peak < BOUND
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
