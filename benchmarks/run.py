"""One timed end-to-end run: generate lines (kept in `benchmarks/data`), `loganon run` into a cold store, figures.

    python benchmarks/run.py [--lines 2000000] [--runs 1]

Prints lines/s, MB/s, CPU seconds and peak memory of the command; the store is made anew for each run, fsync is on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


def main() -> None:
    """Parse the arguments, run, print one line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    log = HERE / "data" / f"combined-{options.lines}.log"
    if not log.exists():
        log.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, HERE / "generate.py", "--lines", str(options.lines), "--out", log], check=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {log.stat().st_size:,} B")
    for _ in range(options.runs):
        print(measure(log, options.lines))


def measure(log: Path, lines: int) -> str:
    """One run into a cold store, as a line of figures."""
    folder = Path(tempfile.mkdtemp(dir=log.parent))
    command = [sys.executable, "-m", "loganon", "run", str(log), "--json", "--store", f"{folder}/store"]
    command += ["--key-file", f"{folder}/key", "--now", "2026-11-21T06:00:00Z"]
    command += ["--provider-db", str(ROOT / "sample_logs" / "providers.mmdb")]
    try:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    finally:
        shutil.rmtree(folder)
    assert status == 0, "the run failed"
    assert answer["lines_read"] == lines == answer["counted"] + sum(answer["rejected"].values()), (
        "the balance does not hold"
    )
    size = log.stat().st_size / 1e6
    return (
        f"{seconds:.2f} s wall, {usage.ru_utime + usage.ru_stime:.2f} s CPU, {lines / seconds:,.0f} lines/s, "
        f"{size / seconds:.0f} MB/s, peak memory {usage.ru_maxrss / 1024:.0f} MiB, {answer['cells_written']} cells"
    )


if __name__ == "__main__":
    main()
