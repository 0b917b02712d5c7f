"""What `loganon follow` takes, at rest and under load; writes the table into docs/footprint.md.

    python benchmarks/footprint.py --minutes 10

Each row is a process of its own for so many minutes: at rest (nothing read yet; after 30,000 lines were read), at 1,000
and at 50,000 lines a second. Those that need little of a processor run side by side.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from followed import Followed, Writer
from installation import install, sizes

PAGE = Path(__file__).parents[1] / "docs" / "footprint.md"
_PIECES = 4  # of a second, in which lines are written
_ONCE = 30_000
_LIGHT = 1000  # lines a second up to which a process does not disturb others


@dataclass(frozen=True, slots=True)
class Row:
    """One process: what it did, MB resident (median, most) and private (median), percent of one processor, and of lines
    counted.
    """

    name: str
    median: float
    most: float
    private: float
    cpu: float
    counted: str


def main() -> None:
    """The table is printed and written."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.python = install(Path(folder) / "venv")
        text = _page(_rows(options), sizes(Path(folder) / "venv"), options.minutes)
    print(text)
    if not options.dry_run:
        PAGE.write_text(text)


def _rows(options: argparse.Namespace) -> list[Row]:
    loads = [("at rest, nothing read yet", 0, 0), (f"at rest, after {_ONCE:,} lines", 0, _ONCE)]
    loads += [(f"{rate:,} lines/s", rate, 0) for rate in options.rates]
    rows = {}
    with ThreadPoolExecutor() as together:
        light = [load for load in loads if load[1] <= _LIGHT]
        rows |= dict(zip(light, together.map(lambda load: _measured(*load, options), light), strict=True))
    rows |= {load: _measured(*load, options) for load in loads if load not in rows}
    return [rows[load] for load in loads]


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
                samples.append(followed.sample())
                time.sleep(max(0.0, begun + (piece + 1) / _PIECES - time.monotonic()))
            cpu = (followed.sample().cpu - before.cpu) / (time.monotonic() - begun)
            time.sleep(options.settle)  # what was written last is committed
            answer = followed.end()
        finally:
            followed.kill()
    done = f"{answer['counted']:,} of {writer.written:,}" if writer.written else "-"
    resident, private = [each.resident / 1e6 for each in samples], [each.private / 1e6 for each in samples]
    return Row(name, statistics.median(resident), max(resident), statistics.median(private), 100 * cpu, done)


def _page(rows: list[Row], installed: list[tuple[str, float]], minutes: float) -> str:
    lines = [
        "# Footprint of `loganon follow`",
        "",
        "<!-- written by benchmarks/footprint.py; `make footprint` renews it -->",
        "",
    ]
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
    lines += [f"{minutes:g} minutes each, {machine},"]
    lines += [
        "policy `imos`, no provider database. Resident are also pages of the libraries' files, which processes share"
    ]
    lines += [
        "and the system can drop: more of them from the first line on, when the code that reads lines is touched."
    ]
    lines += ["Private is what the process alone holds.", ""]
    lines += ["| load | resident, median | most | private, median | one processor | counted |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {r.name} | {r.median:.0f} MB | {r.most:.0f} MB | {r.private:.0f} MB | {r.cpu:.1f} % | {r.counted} |"
        for r in rows
    ]
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
