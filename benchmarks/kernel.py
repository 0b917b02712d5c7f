"""What a compiled kernel would take: `kernel.c` beside loganon's parser, both in CPU time of one thread.

    python benchmarks/kernel.py [--lines 2000000] [--rounds 5]

The kernel cuts the lines and numbers their distinct values, and does little else; the parser also judges every part of
a line. Both read the log, and number the values of each 16 MiB anew.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loganon.formats import load_formats
from loganon.parse import make_parser
from loganon.sources.files import open_log
from subjects import HERE, make_log

NEEDS = frozenset({"client", "time", "request", "status", "bytes", "agent"})


def parse(log: Path) -> float:
    """CPU seconds of this thread, in which loganon reads and parses the log."""
    parser = make_parser(load_formats()["combined"], needs=NEEDS, wrapped=False)
    begun = time.thread_time()
    with open_log(log) as source:
        for chunk in source.chunks(final=True):
            parser(chunk, ())
    return time.thread_time() - begun


def main() -> None:
    """Compile, run in turn, print the least of each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=2_000_000)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("no C compiler: install one, as `cc`")
    log = make_log(asked.lines)
    found: dict[str, list[float]] = {"cut": [], "chunk": [], "whole": [], "parser": []}
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernel"
        subprocess.run([compiler, "-O2", "-o", kernel, HERE / "kernel.c"], check=True)
        for _ in range(asked.rounds):
            for mode in ("cut", "chunk", "whole"):
                said = subprocess.run([kernel, log, mode], check=True, stdout=subprocess.PIPE, text=True).stdout
                found[mode].append(float(re.findall(r"([0-9.]+) CPU s", said)[0]))
            found["parser"].append(parse(log))
    told = {
        "cut": "compiled: read and cut",
        "chunk": "compiled: values numbered, 16 MiB by 16 MiB",
        "whole": "compiled: values numbered, the whole log",
        "parser": "loganon's parser",
    }
    for mode, seconds in found.items():
        print(f"{told[mode]:46} {min(seconds):5.2f} CPU s {min(seconds) / asked.lines * 1e9:6,.0f} ns a line")


if __name__ == "__main__":
    main()
