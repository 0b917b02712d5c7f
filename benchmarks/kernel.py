"""What a compiled kernel would bring: `run` and `filter` as they are, and with `kernel.c` in the parser's place.

    python benchmarks/kernel.py [--lines 2000000] [--rounds 5]

Beside them what they are measured against, as far as it is installed. Before that it shows that the table and the lines
are the same with the kernel. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import polars as pl

from measure import Ratio, Subject, interleave, measure, ratio_of
from page import figures, judged
from subjects import FILTER, HERE, JOB, PYTHON, RATIOS, ZCAT, own, peers

WITH = ", with the kernel"


def compile_kernel(folder: Path) -> Path:
    """The shared library."""
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("no C compiler: install one, as `cc`")
    library = folder / "kernel.so"
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, HERE / "kernel.c"], check=True)
    return library


def with_kernel(subject: Subject, library: Path) -> Subject:
    """The subject, a command of loganon's, with the kernel in the parser's place."""

    def command(folder: Path) -> Sequence[str | Path]:
        python, _, _, *words = subject.command(folder)  # python -m loganon ...
        return [python, HERE / "spliced.py", library, *words]

    return replace(subject, name=subject.name + WITH, command=command)


def kept(subject: Subject, found: str, to: Path) -> Subject:
    """The subject; what it leaves in its folder as `found` is at `to` afterwards."""

    def command(folder: Path) -> Sequence[str | Path]:
        script = "import os, subprocess, sys; a = sys.argv; subprocess.run(a[3:], check=True); os.rename(a[1], a[2])"
        return [PYTHON, "-c", script, folder / found, to, *subject.command(folder)]

    return replace(subject, command=command)


def check_equal(job: Subject, lines: Subject, make: Callable[[Subject], Subject], where: Path) -> None:
    """SystemExit where the kernel gives another table than `job`, or other lines than `lines`."""
    tables = []
    for name, subject in (("plain", job), ("kernel", make(job))):
        measure(kept(subject, "store", where / f"{name} store"), where)
        table = pl.read_parquet(where / f"{name} store" / "access" / "*" / "*.parquet")
        tables.append(table.sort(table.columns))
        measure(kept(lines if name == "plain" else make(lines), "out", where / f"{name} lines"), where)
    same = filecmp.cmp(where / "plain lines", where / "kernel lines", shallow=False)
    if not (same and tables[0].equals(tables[1])):
        sys.exit("the kernel's table or lines are others")
    print(f"the same table ({tables[0].height:,} rows) and the same lines with the kernel\n")


def main() -> None:
    """Compile, compare, run in turn, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=2_000_000)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    names = {name for ratio in RATIOS for name in (ratio.over, ratio.under) if ratio.over in (JOB, FILTER)} - {ZCAT}
    subjects = own(asked.lines, names.__contains__)
    others, missing = peers(asked.lines, names.__contains__)
    job, lines = (next(each for each in subjects if each.name == name) for name in (JOB, FILTER))
    where = Path(tempfile.mkdtemp(dir=HERE / "data"))
    try:
        library = compile_kernel(where)
        spliced = [with_kernel(job, library), with_kernel(lines, library)]
        check_equal(job, lines, lambda subject: with_kernel(subject, library), where)
        subjects += [*spliced, *others]
        runs = interleave(subjects, asked.rounds, where)
    finally:
        shutil.rmtree(where)
    asked_for = [ratio for ratio in RATIOS if ratio.over in (JOB, FILTER)]
    ratios = [*asked_for, *(replace(ratio, over=ratio.over + WITH) for ratio in asked_for)]
    print("\n".join(["", *figures(subjects, runs), "", *judged(subjects, runs, ratios), ""]))
    for name in (JOB, FILTER):
        found = ratio_of(Ratio(name + WITH, name, faster=True, least=1, aim=1), subjects, runs) or []
        print(f"{name}{WITH}: {median(found):.2f} times as fast as without")
    if missing:
        print(f"\nNot installed, and so not measured: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
