"""Commands measured in turn: wall and CPU seconds and peak memory of each run, and ratios of runs of the same round."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured. `command(folder)`: its words, which may write into the empty `folder`; a `stdin` it is given.

    `lines` and `size` (bytes) are those of the log that it reads. Standard output goes into `folder/out`.
    """

    name: str
    command: Callable[[Path], Sequence[str | Path]]
    lines: int
    size: int
    stdin: Path | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds of wall and CPU time, and the peak memory of its largest process in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """`over` against `under`: by lines/s (`faster`), else by wall time of logs with equally many lines (`longer`)."""

    over: str
    under: str
    faster: bool
    least: float
    aim: float


def measure(subject: Subject, where: Path) -> Run:
    """One run in a new folder below `where`; SystemExit where the command fails: a failed run has no figures."""
    folder = Path(tempfile.mkdtemp(dir=where))
    try:
        command = [os.fspath(word) for word in subject.command(folder)]
        stdin = subject.stdin.open("rb") if subject.stdin else subprocess.DEVNULL
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            code, run = spend(command, stdin=stdin, out=out, err=err, where=folder)
        if code:
            said = (folder / "err").read_text(errors="replace")[-400:]
            raise SystemExit(f"{subject.name} failed ({code}): {said}")
    finally:
        shutil.rmtree(folder)
    return run


_LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - start
peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
with os.fdopen(int(sys.argv[1]), "w") as answer:
    json.dump([os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, peak], answer)
"""


def spend(
    command: Sequence[str], *, where: Path, out: BinaryIO | int, err: BinaryIO | int, stdin: BinaryIO | int
) -> tuple[int, Run]:
    """The command's exit code (minus the signal that ended it), and what it took.

    A small process starts it: the peak that the system tells of a process is at least that of the one it came from.
    Python keeps compiled modules, as an installation has them, whatever the environment says.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer, end = os.pipe()
    words = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(end), *command]
    with subprocess.Popen(words, stdin=stdin, stdout=out, stderr=err, cwd=where, env=kept, pass_fds=(end,)):
        os.close(end)
        with os.fdopen(answer) as told:
            code, wall, cpu, peak = json.load(told)
    return code, Run(wall, cpu, peak)


def interleave(subjects: Sequence[Subject], rounds: int, where: Path) -> dict[str, list[Run]]:
    """`rounds` runs of each, one of each in turn, every other round in the opposite order; by name, in round order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that folders are removed
    found: dict[str, list[Run]] = {subject.name: [] for subject in subjects}
    for turn in range(rounds):
        for subject in subjects if turn % 2 == 0 else reversed(subjects):
            run = measure(subject, where)
            found[subject.name].append(run)
            rate = subject.lines / run.wall
            print(
                f"round {turn + 1}  {subject.name:24} {run.wall:8.2f} s wall  {run.cpu:8.2f} s CPU"
                f"  {rate:>12,.0f} lines/s  peak {run.peak:6.0f} MiB",
                flush=True,
            )
    return found


def middle(runs: Sequence[Run]) -> Run:
    """The medians."""
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "peak")))


def ratio_of(ratio: Ratio, subjects: Sequence[Subject], runs: dict[str, list[Run]]) -> list[float] | None:
    """The ratio in each round; None where one of the two was not measured."""
    by_name = {subject.name: subject for subject in subjects}
    if not (runs.get(ratio.over) and runs.get(ratio.under)):
        return None
    lines = by_name[ratio.over].lines / by_name[ratio.under].lines
    pairs = zip(runs[ratio.over], runs[ratio.under], strict=True)
    if ratio.faster:
        return [lines * under.wall / over.wall for over, under in pairs]
    return [over.wall / under.wall / lines for over, under in pairs]
