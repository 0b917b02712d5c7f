"""`loganon follow` for minutes under load and rotation: every line is counted once, memory and open files stay flat.

    python benchmarks/soak.py --minutes 10 --rate 1000 --rotate 5

prints one line a minute and a verdict; exit 1 where a line is lost or twice, or memory or open files grow.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from followed import Followed, Sample, Writer

KEPT = 4  # rotated files before they are removed
_PIECES = 10  # of a second, in which lines are written
_MOST_GROWTH = 32 << 20  # bytes that the median of the last third may lie above that of the middle third
_MOST_FILES = KEPT + 6  # the same for open files


def main() -> int:
    """The exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        followed = Followed(folder, sys.executable, "--flush-interval", f"{options.flush}s", "--policy", "imos").ready()
        try:
            written, samples = _run(followed, options)
            _caught_up(followed)
            answer = followed.end()
        finally:
            followed.kill()
        verify = [sys.executable, "-m", "loganon", "verify", "--store", str(folder / "store"), "--quiet"]
        verified = subprocess.run(verify, check=False).returncode == 0
    problems = _problems(written, answer["counted"], samples)
    problems += [] if verified else ["verify found something broken"]
    rotations = int(options.minutes * 60 / options.rotate)
    print(f"{written:,} lines written, {answer['counted']:,} counted, {rotations:,} rotations")
    print("; ".join(problems) or "each line once; memory and open files are flat")
    return bool(problems)


def _run(followed: Followed, options: argparse.Namespace) -> tuple[int, list[Sample]]:
    writer, samples = Writer(), []
    begun = time.monotonic()
    rotation = minute = 0
    for piece in itertools.count():
        passed = time.monotonic() - begun
        if passed >= options.minutes * 60:
            return writer.written, samples
        if passed >= (rotation + 1) * options.rotate:
            rotation += 1
            _rotate(followed.log)
        due = int(passed * options.rate) - writer.written
        if due > 0:
            writer(followed.log, due)
        if piece % _PIECES == 0:
            samples.append(followed.sample())
        if passed >= minute * 60:
            minute += 1
            last = followed.sample()
            print(
                f"{passed:6.0f} s  {writer.written:12,} lines  {last.resident >> 20:5} MB  {last.files:3} open files",
                flush=True,
            )
        time.sleep(max(0.0, begun + (piece + 1) / _PIECES - time.monotonic()))
    raise AssertionError


def _rotate(log: Path) -> None:
    """As logrotate's `create` does it."""
    for number in range(KEPT, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    log.with_name(f"{log.name}.{KEPT + 1}").unlink(missing_ok=True)
    log.rename(log.with_name(f"{log.name}.1"))
    log.touch()


def _caught_up(followed: Followed) -> None:
    """Waits until it uses no processor time for some seconds: a stop reads for four seconds only."""
    before, quiet = followed.sample().cpu, 0
    while quiet < 2:
        time.sleep(3)
        after = followed.sample().cpu
        quiet = quiet + 1 if after - before < 0.5 else 0
        before = after


def _problems(written: int, counted: int, samples: list[Sample]) -> list[str]:
    third = len(samples) // 3
    problems = [] if written == counted else [f"{written - counted:,} lines are missing"]
    for name, most, values in (
        ("memory", _MOST_GROWTH, [each.resident for each in samples]),
        ("open files", _MOST_FILES, [each.files for each in samples]),
    ):
        middle, last = sorted(values[third : 2 * third])[third // 2], sorted(values[-third:])[third // 2]
        if last > middle + most:
            problems.append(f"{name} grow: {middle:,} to {last:,}")
    return problems


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1000, help="lines a second")
    parser.add_argument("--rotate", type=float, default=5, help="seconds between two rotations")
    parser.add_argument("--flush", type=int, default=5, help="seconds between two commits")
    parser.add_argument("--folder", type=Path, help="where the log and the store lie meanwhile")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
