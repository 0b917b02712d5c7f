"""What `run.py` measures: loganon's own jobs, and those of other programs as far as they are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import Ratio, Subject

HERE = Path(__file__).resolve().parent
DATABASE = HERE.parent / "sample_logs" / "providers.mmdb"
PYTHON = sys.executable
NOW = "2026-11-21T06:00:00Z"
SED = r"s/^([0-9]+\.[0-9]+\.[0-9]+)\.[0-9]+ /\1.0 /"
Wanted = Callable[[str], bool]
SLOW_LINES = 10  # one line in so many is given to a program that would take minutes for all, each like the other

JOB, FLOOR = "loganon run", "parser's floor"
GZIP, HOSTILE, FILTER = "loganon run, gzip", "loganon run, hostile", "loganon filter"
ZCAT, DUCKDB, SED_NAME, ANONIP, GOACCESS = "zcat", "DuckDB", "sed -E", "anonip", "GoAccess"

RATIOS = (
    Ratio(JOB, DUCKDB, faster=True, least=1.5, aim=4),
    Ratio(JOB, FLOOR, faster=False, least=3, aim=1.3),
    Ratio(JOB, ANONIP, faster=True, least=15, aim=40),
    Ratio(JOB, GOACCESS, faster=True, least=20, aim=50),
    Ratio(FILTER, SED_NAME, faster=True, least=2, aim=5),
    Ratio(FILTER, ANONIP, faster=True, least=15, aim=40),
    Ratio(GZIP, JOB, faster=False, least=1.6, aim=1.2),
    Ratio(HOSTILE, JOB, faster=True, least=1 / 3, aim=1 / 2),
)
"""What issue 7 asks for."""
PEAK = (600.0, 300.0)
"""MiB of any job of loganon's: at most, and the aim."""


def make_log(lines: int, *options: str) -> Path:
    """A generated log of `benchmarks/data`, made where it is not there yet."""
    path = HERE / "data" / f"{'-'.join(word.lstrip('-') for word in ('log', *options))}-{lines}.log"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        command = [PYTHON, HERE / "generate.py", "--lines", str(lines), "--out", part, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        part.rename(path)
    return path


def own(lines: int, wanted: Wanted) -> list[Subject]:
    """Jobs of loganon, the parser's floor, and `zcat`; no log is made for those that are not `wanted`."""
    words = [PYTHON, "-m", "loganon", "filter", "--format", "combined", "--provider-db", DATABASE]
    jobs: dict[str, Callable[[], Path]] = {
        JOB: lambda: make_log(lines),
        FLOOR: lambda: make_log(lines),
        GZIP: lambda: make_packed(lines),
        ZCAT: lambda: make_packed(lines),
        "loganon run, JSON lines": lambda: make_log(lines, "--format", "json"),
        "loganon run, W3C": lambda: make_log(lines, "--format", "w3c"),
        HOSTILE: lambda: make_log(lines, "--hostile"),
        FILTER: lambda: make_log(lines),
    }
    found = []
    for name, make in jobs.items():
        if wanted(name):
            log = make()
            size = (make_log(lines) if log.suffix == ".gz" else log).stat().st_size  # inflated
            command = {
                FLOOR: fixed(PYTHON, HERE / "floor.py", log),
                ZCAT: fixed("zcat", log),
                FILTER: fixed(*words),
            }.get(name, ingest(log))
            found.append(Subject(name, command, lines, size, stdin=log if name == FILTER else None))
    return found


def make_packed(lines: int) -> Path:
    """The plain log as gzip writes it."""
    plain = make_log(lines)
    packed = plain.with_suffix(".log.gz")
    if not packed.exists():
        with packed.open("wb") as target:
            subprocess.run(["gzip", "-6", "-c", plain], check=True, stdout=target)
    return packed


def peers(lines: int, wanted: Wanted) -> tuple[list[Subject], list[str]]:
    """Other programs on the same log (anonip on its first lines), and the names of those not installed."""
    plain = make_log(lines)
    size = plain.stat().st_size
    part = beginning(plain, lines // SLOW_LINES)
    few, small = lines // SLOW_LINES, part.stat().st_size
    report = ["--log-format=COMBINED", "--anonymize-ip", "--no-progress", "--no-global-config", "-o", "report.json"]
    anonip = Path(PYTHON).with_name("anonip")
    known = (
        ("duckdb", Subject(DUCKDB, lambda folder: duckdb_words(plain, folder), lines, size)),
        ("sed", Subject(SED_NAME, fixed("sed", "-E", SED, plain), lines, size)),
        ("sed", Subject(f"{SED_NAME}, LC_ALL=C", fixed("env", "LC_ALL=C", "sed", "-E", SED, plain), lines, size)),
        ("anonip", Subject(ANONIP, fixed(anonip if anonip.exists() else "anonip"), few, small, stdin=part)),
        ("goaccess", Subject(GOACCESS, fixed("goaccess", plain, *report), lines, size)),  # slower the more it has seen
    )
    programs = dict.fromkeys(program for program, _ in known)
    there = [
        name for name in programs if name == "duckdb" or shutil.which(name) or (name == "anonip" and anonip.exists())
    ]
    found = [subject for program, subject in known if program in there and wanted(subject.name)]
    return found, [name for name in programs if name not in there]


def ingest(log: Path) -> Callable[[Path], Sequence[str | Path]]:
    """The whole job: a cold store, a provider database, the gate, fsync."""

    def words(folder: Path) -> Sequence[str | Path]:
        options = ["--json", "--store", folder / "store", "--key-file", folder / "key", "--now", NOW]
        return [PYTHON, "-m", "loganon", "run", log, *options, "--provider-db", DATABASE]

    return words


def check_counts(log: Path, lines: int, folder: Path) -> None:
    """SystemExit where the job does not account for every line: what is wrong is not measured."""
    done = subprocess.run(list(map(os.fspath, ingest(log)(folder))), check=True, stdout=subprocess.PIPE)
    answer = json.loads(done.stdout)
    if not answer["lines_read"] == lines == answer["counted"] + sum(answer["rejected"].values()):
        raise SystemExit("the balance of lines does not hold")


def duckdb_words(log: Path, folder: Path) -> Sequence[str | Path]:
    """DuckDB's job, its result below `folder`."""
    return [PYTHON, HERE / "duckdb_job.py", log, folder / "table"]


def fixed(*words: str | Path) -> Callable[[Path], Sequence[str | Path]]:
    """A command that does not depend on the folder."""
    return lambda _: words


def beginning(log: Path, lines: int) -> Path:
    """The first lines of a log, as a file beside it."""
    path = log.with_suffix(f".first-{lines}.log")
    if not path.exists():
        with log.open("rb") as source, path.open("wb") as target:
            for _, line in zip(range(lines), source, strict=False):
                target.write(line)
    return path
