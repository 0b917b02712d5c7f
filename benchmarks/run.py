"""Timed jobs on generated logs (kept in `benchmarks/data`), each run in turn, and the ratios between them.

    python benchmarks/run.py [--lines 2000000] [--rounds 3] [--peers] [--only NAME ...] [--page FILE]

Each job of loganon goes into a cold store, with a provider database, the gate and fsync. `--peers` adds DuckDB, sed,
anonip and GoAccess as far as they are installed, and writes `benchmarks/RESULTS.md`. The machine should do nothing
else meanwhile.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from measure import interleave
from page import figures, judged, write_page
from subjects import HERE, JOB, RATIOS, check_counts, make_log, own, peers


def main() -> None:
    """Parse the arguments, measure, print; write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="other programs too, and the page of results")
    parser.add_argument("--only", nargs="+", help="the names of those to measure")
    parser.add_argument("--page", type=Path, default=HERE / "RESULTS.md", help="where the page of --peers is written")
    options = parser.parse_args()

    def wanted(name: str) -> bool:
        return not options.only or name in options.only

    (HERE / "data").mkdir(exist_ok=True)
    subjects, missing = own(options.lines, wanted), []
    if options.peers:
        others, missing = peers(options.lines, wanted)
        subjects += others
    where = Path(tempfile.mkdtemp(dir=HERE / "data"))
    try:
        if any(subject.name == JOB for subject in subjects):
            check_counts(make_log(options.lines), options.lines, where)
        runs = interleave(subjects, options.rounds, where)
    finally:
        shutil.rmtree(where)
    print("\n".join(["", *figures(subjects, runs), "", *judged(subjects, runs, RATIOS)]))
    if options.peers and not options.only:
        write_page(options.page, subjects, runs, RATIOS, missing)


if __name__ == "__main__":
    main()
