"""Runs the suites at a given level and writes what came of them into docs/reliability.md.

    python tests/faults/campaign.py [--level quick|ci|large] [SUITE|SUITE=COUNT ...]

Rows of suites that did not run stay as they are. A suite that fails is written down with what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- written by tests/faults/campaign.py; `make campaign` renews it -->"
END = "<!-- end of what campaign.py writes -->"
SUITES = {
    "kill": "test_kill.py",
    "errors": "test_errors.py",
    "full_disk": "test_full_disk.py",
    "power_cut": "test_power_cut.py",
    "rotation": "test_rotation.py",
    "logrotate": "test_logrotate.py",
    "concurrency": "test_concurrency.py",
    "clock": "test_clock.py",
    "model": "test_model.py",
    "controls": "test_controls.py",
}
"""Suite -> its file."""
COLUMNS = ("suite", "count", "lost", "twice", "otherwise wrong", "seconds", "command", "date")
Row = tuple[str, ...]


def run_suite(suite: str, wish: str) -> Row:
    """The row of one suite that has run; `wish` is what LOGANON_FAULTS gets."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures")
        figures.touch()
        environment = {**os.environ, "LOGANON_FAULTS": wish, "LOGANON_FAULTS_FIGURES": str(figures)}
        command = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).with_name(SUITES[suite]))]
        ended = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        entries = [json.loads(line) for line in figures.read_text(encoding="utf-8").splitlines()]
    made = f"`make campaign LEVEL={wish} SUITES={suite}`" if "=" not in wish else f"`make campaign SUITES={wish}`"
    return row_of(suite, entries, failed=ended.returncode != 0, command=made, today=datetime.now(UTC).date())


def row_of(suite: str, entries: Iterable[Mapping[str, float]], *, failed: bool, command: str, today: date) -> Row:
    """One row: the sums over a suite's tests. A suite that failed without saying why has one thing wrong."""
    sums = {name: sum(entry[name] for entry in entries) for name in ("count", "lost", "twice", "wrong", "seconds")}
    wrong = max(int(sums["wrong"]), int(failed))
    count, lost, twice = (f"{int(sums[name]):,}" for name in ("count", "lost", "twice"))
    return (suite, count, lost, twice, str(wrong), f"{sums['seconds']:,.0f}", command, today.isoformat())


def rows_in(page: str) -> dict[str, Row]:
    """The rows of the page's table by suite."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    rows = [
        tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in table.splitlines() if line[:1] == "|"
    ]
    return {row[0]: row for row in rows[2:]}


def with_rows(page: str, new: Mapping[str, Row]) -> str:
    """The page with these rows in its table, in the order of `SUITES`."""
    rows = rows_in(page) | dict(new)
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(rows[suite] for suite in SUITES if suite in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Run, write; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", choices=("quick", "ci", "large"), default="large")
    parser.add_argument("suites", nargs="*", metavar="SUITE", default=list(SUITES))
    given = parser.parse_args()
    wrong = False
    for wish in given.suites:
        suite = wish.partition("=")[0]
        row = run_suite(suite, wish if "=" in wish else given.level)
        PAGE.write_text(with_rows(PAGE.read_text(encoding="utf-8"), {suite: row}), encoding="utf-8")
        wrong = wrong or row[2:5] != ("0", "0", "0")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
