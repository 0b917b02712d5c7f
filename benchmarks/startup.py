"""How long the command takes to begin, a run with nothing to do, and runs with little; writes docs/startup.md.

    python benchmarks/startup.py

The project is installed as users install it. `python -c pass`, `--version`, `--help`, `run` on a store of 43 full days,
`run` and `filter` on a small log, and `run` on forty sites of a configuration are started in turn, so that all of them
meet the same machine. The page has the fastest of each, since whatever else the machine does only adds to it, the
medians, and the time of the processor.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from installation import install

PAGE = Path(__file__).parents[1] / "docs" / "startup.md"
DAYS = 43
EMPTY = "python -c pass"
BOUND = ("loganon --version", "loganon --help")
RUN = "loganon run"
NEW = "loganon run, a new log of {lines:,} lines"
FILTER = "loganon filter, of {lines:,} lines"
SITES = 40
ALL_NEW = f"loganon run, {SITES} new sites of {{lines:,}} lines"
ALL = f"loganon run, {SITES} sites"
_SMALL = 2_000
_SITE = 500
_MOST_MORE = 0.150  # seconds that `--version` and `--help` may take more than `python -c pass`
_MOST = 1.0  # seconds that a run with nothing to do may take
_POLICY = """
name = "startup"
version = 1
valid_from = 2026-11-21
keep_for = "60 days"
[fields]
domain  = { as = "provider", known_only = true, minimum = 50 }
time    = { as = "hour" }
file    = { as = "path", minimum = 5 }
browser = { as = "family+major", minimum = 5 }
success = { as = "flag" }
bytes   = { as = "sum" }
"""
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"


@dataclass(frozen=True, slots=True)
class Command:
    """What is started; `fresh`: what an earlier start left and is removed before it."""

    words: list[str]
    fresh: Path | None = None


@dataclass(frozen=True, slots=True)
class Took:
    """One start: seconds by the clock and of the processor."""

    wall: float
    cpu: float


def main() -> int:
    """The exit code: 1 where a bound does not hold."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        python = options.python or install(Path(name) / "venv")
        commands = _commands(Path(name), python, options.per_hour)
        took: dict[str, list[Took]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for each, command in commands.items():
                took[each].append(_started(command))
    text = _page(took, options)
    print(text)
    if not options.dry_run:
        PAGE.write_text(text)
    broken = _broken(took)
    print("; ".join(broken) or "all within their bounds")
    return bool(broken)


def _commands(folder: Path, python: str, per_hour: int) -> dict[str, Command]:
    """What is measured, by its name in the table; the store is made, and all of the log is counted."""
    loganon = [python, "-m", "loganon"]
    (folder / "policy.toml").write_text(_POLICY)
    log, last = folder / "access.log", datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    _write(log, last - timedelta(days=DAYS), per_hour)
    run = [*loganon, "run", str(log), "--store", str(folder / "store"), "--key-file", str(folder / "key"), "--quiet"]
    subprocess.run([*run, "--policy", str(folder / "policy.toml")], check=True)
    days = len(list((folder / "store" / "access").iterdir()))
    assert days == DAYS, days
    return {
        EMPTY: Command([python, "-c", "pass"]),
        "loganon --version": Command([*loganon, "--version"]),
        "loganon --help": Command([*loganon, "--help"]),
        RUN: Command(run),
        **_small(folder, loganon, log),
    }


def _small(folder: Path, loganon: list[str], log: Path) -> dict[str, Command]:
    """The commands on little: one small log, many small sites, of which all is new or nothing is."""
    key, small = ["--key-file", str(folder / "key"), "--quiet"], folder / "small.log"
    with log.open("rb") as file:
        tail = file.readlines()[-_SMALL:]
    small.write_bytes(b"".join(tail))
    (folder / "sites").mkdir()
    for site in range(SITES):
        (folder / "sites" / f"site{site}.log").write_bytes(b"".join(tail[-_SITE:]))
    for name in ("new", "all"):
        logs, stores = folder / "sites" / "{site}.log", folder / name / "{site}"
        (folder / f"{name}.toml").write_text(f'[[input]]\nlogs = "{logs}"\nstore = "{stores}"\n')
    every = [*loganon, "run", *key, "--config", str(folder / "all.toml")]
    subprocess.run(every, check=True, stderr=subprocess.DEVNULL)
    one, new = folder / "one", [*loganon, "run", *key, "--config", str(folder / "new.toml")]
    return {
        NEW.format(lines=_SMALL): Command([*loganon, "run", str(small), "--store", str(one), *key], one),
        FILTER.format(lines=_SMALL): Command([*loganon, "filter", str(small), "--quiet"]),
        ALL.format(lines=_SITE): Command(every),
        ALL_NEW.format(lines=_SITE): Command(new, folder / "new"),
    }


def _write(log: Path, first: datetime, per_hour: int) -> None:
    """Every hour of so many days has `per_hour` lines."""
    with log.open("w") as file:
        for hour in range(24 * DAYS):
            stamp = f"{first + timedelta(hours=hour):%d/%b/%Y:%H}:30:00 +0000"
            file.writelines(
                f'203.0.{n % 113}.{n % 251} - - [{stamp}] "GET /page/{n % 97}.html HTTP/1.1" 200 {n % 5000} "-" '
                f'"{_AGENT.format(90 + n % 40)}"\n'
                for n in range(per_hour)
            )


def _started(command: Command) -> Took:
    if command.fresh is not None:
        shutil.rmtree(command.fresh, ignore_errors=True)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command.words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _wall(took: list[Took]) -> float:
    return min(each.wall for each in took)


def _broken(took: dict[str, list[Took]]) -> list[str]:
    empty = _wall(took[EMPTY])
    broken = [
        f"{name} takes {1000 * (_wall(each) - empty):.0f} ms more than {EMPTY}, and may take {1000 * _MOST_MORE:.0f}"
        for name, each in took.items()
        if name in BOUND and _wall(each) - empty > _MOST_MORE
    ]
    return broken + ([f"{RUN} takes {_wall(took[RUN]):.2f} s"] if _wall(took[RUN]) > _MOST else [])


def _page(took: dict[str, list[Took]], options: argparse.Namespace) -> str:
    lines = ["# Start-up", "", "<!-- written by benchmarks/startup.py; `make bench-startup` renews it -->", ""]
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
    lines += [f"The fastest of {options.rounds} rounds, in each of which every command is started once, {machine}."]
    more = f"{1000 * _MOST_MORE:.0f} ms more than `{EMPTY}`"
    lines += [f"`--version` and `--help` may take {more}, and a run with nothing to do on a store of"]
    lines += [f"{DAYS} days, {options.per_hour} lines in each hour, {_MOST:g} s; `make bench-startup`"]
    lines += ["exits 1 where that does not hold.", ""]
    lines += ["| command | seconds | more than the first | median | processor |", "|---|---|---|---|---|"]
    for name, each in took.items():
        median, cpu = statistics.median(one.wall for one in each), min(one.cpu for one in each)
        added = _wall(each) - _wall(took[EMPTY])
        lines.append(f"| `{name}` | {_wall(each):.3f} | {added:.3f} | {median:.3f} | {cpu:.3f} |")
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--per-hour", type=int, default=200, help="lines in each hour of the store")
    parser.add_argument("--python", help="an interpreter that has loganon (default: of a new environment)")
    parser.add_argument("--folder", type=Path, help="where the log and the store lie meanwhile")
    parser.add_argument("--dry-run", action="store_true", help="only print")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
