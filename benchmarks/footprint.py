"""What `loganon follow` takes, at rest and under load; writes the table into docs/footprint.md.

    python benchmarks/footprint.py --minutes 10

Each row is a process of its own for so many minutes: at rest (nothing read yet; after 30,000 lines were read), at 1,000
and at 50,000 lines a second.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from followed import Followed, Writer

PAGE = Path(__file__).parents[1] / "docs" / "footprint.md"
_PIECES = 4  # of a second, in which lines are written
_ONCE = 30_000


@dataclass(frozen=True, slots=True)
class Row:
    """One process: what it did, MB resident (median, most), percent of one processor, and of lines counted."""

    name: str
    median: float
    most: float
    cpu: float
    counted: str


def main() -> None:
    """The table is printed and written."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.python = _install(Path(folder) / "venv")
        text = _page(_rows(options), _installed(Path(folder) / "venv"), options.minutes)
    print(text)
    if not options.dry_run:
        PAGE.write_text(text)


def _rows(options: argparse.Namespace) -> list[Row]:
    return [
        _measured("at rest, nothing read yet", 0, 0, options),
        _measured(f"at rest, after {_ONCE:,} lines", 0, _ONCE, options),
        *(_measured(f"{rate:,} lines/s", rate, 0, options) for rate in options.rates),
    ]


def _measured(name: str, rate: int, once: int, options: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        followed = Followed(
            Path(folder), options.python, "--flush-interval", f"{options.flush}s", "--policy", "imos"
        ).ready()
        writer, samples = Writer(), []
        try:
            writer(followed.log, once)
            time.sleep(options.settle)
            before, begun = followed.sample(), time.monotonic()
            for piece in range(int(options.minutes * 60 * _PIECES)):
                passed = time.monotonic() - begun
                due = int(passed * rate) - (writer.written - once)
                if due > 0:
                    writer(followed.log, due)
                samples.append(followed.sample().resident / 1e6)
                time.sleep(max(0.0, begun + (piece + 1) / _PIECES - time.monotonic()))
            cpu = (followed.sample().cpu - before.cpu) / (time.monotonic() - begun)
            time.sleep(options.settle)  # what was written last is committed
            answer = followed.end()
        finally:
            followed.kill()
    done = f"{answer['counted']:,} of {writer.written:,}" if writer.written else "-"
    return Row(name, statistics.median(samples), max(samples), 100 * cpu, done)


def _install(environment: Path) -> str:
    """The interpreter of a new environment with the project as users install it, without extras."""
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    command = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install"]
    subprocess.run([*command, str(Path(__file__).parents[1])], check=True)
    return str(python)


def _installed(environment: Path) -> list[tuple[str, float]]:
    """MB of the environment, and of its largest parts."""
    (packages,) = environment.glob("lib/python*/site-packages")
    sizes = {path.name: _size(path) / 1e6 for path in packages.iterdir()}
    return [("all of it", _size(environment) / 1e6), *sorted(sizes.items(), key=lambda each: -each[1])[:6]]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    return sum(file.lstat().st_blocks * 512 for file in files)


def _page(rows: list[Row], installed: list[tuple[str, float]], minutes: float) -> str:
    lines = [
        "# Footprint of `loganon follow`",
        "",
        "<!-- written by benchmarks/footprint.py; `make footprint` renews it -->",
        "",
    ]
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
    lines += [f"{minutes:g} minutes each, {machine},"]
    lines += ["policy `imos`, no provider database. Pages of shared libraries are counted as resident.", ""]
    lines += ["| load | resident, median | most | one processor | counted |", "|---|---|---|---|---|"]
    lines += [f"| {r.name} | {r.median:.0f} MB | {r.most:.0f} MB | {r.cpu:.1f} % | {r.counted} |" for r in rows]
    lines += ["", "| installed | size |", "|---|---|"]
    lines += [f"| {name} | {size:.0f} MB |" for name, size in installed]
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rates", type=int, nargs="*", default=[1000, 50_000], help="lines a second")
    parser.add_argument("--flush", type=int, default=60, help="seconds between two commits")
    parser.add_argument("--settle", type=float, default=15, help="seconds before and after each measurement")
    parser.add_argument("--folder", type=Path, help="where the log and the store lie meanwhile")
    parser.add_argument("--dry-run", action="store_true", help="only print")
    return parser.parse_args()


if __name__ == "__main__":
    main()
