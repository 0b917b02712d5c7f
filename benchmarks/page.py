"""The page of results, as Markdown: the machine, what was measured, and the ratios that are asked for."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from measure import Ratio, Run, Subject, middle, ratio_of
from subjects import PEAK

HEAD = """# Results

Written by `make bench-peers`; not edited by hand. Every figure is a median; runs are interleaved, one of each in turn,
and a ratio is the median of the ratios within each round. Peak memory is that of the largest process. anonip, which
would take minutes for all, reads the first tenth of the log and is compared by lines per second.
"""


def write_page(
    path: Path, subjects: Sequence[Subject], runs: dict[str, list[Run]], ratios: Sequence[Ratio], missing: Sequence[str]
) -> None:
    """The page at `path`."""
    text = [HEAD, *machine(), "", *figures(subjects, runs), "", *judged(subjects, runs, ratios)]
    if missing:
        text += ["", f"Not installed, and so not measured: {', '.join(missing)}."]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def figures(subjects: Sequence[Subject], runs: dict[str, list[Run]]) -> list[str]:
    """The table of what was measured."""
    rows = ["| what | lines | wall s | CPU s | lines/s | MB/s | peak MiB |", "|---|--:|--:|--:|--:|--:|--:|"]
    for subject in subjects:
        run = middle(runs[subject.name])
        speed = f"{subject.lines / run.wall:,.0f} | {subject.size / run.wall / 1e6:,.0f}"
        rows.append(
            f"| {subject.name} | {subject.lines:,} | {run.wall:.2f} | {run.cpu:.2f} | {speed} | {run.peak:.0f} |"
        )
    return rows


def judged(subjects: Sequence[Subject], runs: dict[str, list[Run]], ratios: Sequence[Ratio]) -> list[str]:
    """The table of ratios, each against what is asked for."""
    rows = ["| ratio | measured | all rounds | at least | aim | holds |", "|---|--:|---|--:|--:|---|"]
    for ratio in ratios:
        found = ratio_of(ratio, subjects, runs)
        if found is None:
            continue
        mid = sorted(found)[len(found) // 2]
        holds = "yes" if (mid >= ratio.least if ratio.faster else mid <= ratio.least) else "no"
        reached = mid >= ratio.aim if ratio.faster else mid <= ratio.aim
        kind = "as fast as" if ratio.faster else "as long as"
        each = ", ".join(f"{value:.2f}" for value in sorted(found))
        least, aim = (f"{'' if ratio.faster else 'at most '}{value:.2g}" for value in (ratio.least, ratio.aim))
        verdict = "aim" if reached else holds
        rows.append(f"| {ratio.over}, {kind} {ratio.under} | {mid:.2f} | {each} | {least} | {aim} | {verdict} |")
    peak = max((middle(each).peak for name, each in runs.items() if name.startswith("loganon")), default=0)
    verdict = "aim" if peak <= PEAK[1] else "yes" if peak <= PEAK[0] else "no"
    rows.append(
        f"| peak memory of any job of loganon, MiB | {peak:.0f} | | at most {PEAK[0]:.0f} | {PEAK[1]:.0f} | {verdict} |"
    )
    return rows


def machine() -> list[str]:
    """What the figures were measured on."""
    information = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", information)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    packages = ("loganon-access", "pyarrow", "polars", "duckdb", "maxminddb", "ua-parser", "isal", "anonip")
    programs = (("goaccess", "--version"), ("sed", "--version"), ("gzip", "--version"))
    named = [f"{name} {found}" for name in packages if (found := installed(name))]
    named += [found for command in programs if (found := first_line(command))]
    processor = model[1] if model else platform.processor()
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "C"
    commit = first_line(("git", "rev-parse", "--short", "HEAD"))
    return [
        f"- measured: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}",
        f"- machine: {processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"- Python {platform.python_version()}; {'; '.join(named)}",
        f"- locale: {locale}, where nothing else is said: in C, sed reads bytes, in UTF-8 characters",
    ]


def installed(package: str) -> str:
    """The version of a package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def first_line(command: Sequence[str]) -> str:
    """The first line that a command prints; empty where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return (done.stdout.splitlines() or [""])[0].rstrip(".")
