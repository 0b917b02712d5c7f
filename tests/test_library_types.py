"""The installed package is typed: a consumer passes mypy --strict, and its mistakes are found."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import loganon
from support.cli import TIMEOUT
from test_wheel import ROOT, call

CONSUMER = """
from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl

import loganon
from loganon import LoganonError, Policy, Result, Summary


def load(log: Path, store: Path) -> int:
    policy: Policy = loganon.load_policy("imos")
    try:
        summary: Summary = loganon.run([log], policy=policy, store=store, key=b"0123456789abcdef")
    except LoganonError as error:
        raise SystemExit(error.exit_code) from None
    result: Result = loganon.anonymize([b"x"], policy=policy)
    counts: dict[str, int] = result.rejected
    parts: Iterator[Result] = loganon.batches(log, format="combined", batch_bytes=1 << 20)
    loganon.anonymize({"time": [0], "client": ["a"]})
    loganon.anonymize(pl.DataFrame({"line": ["a"]}))
    loganon.batches(line.encode() for line in ("a", "b"))
    frame: pl.LazyFrame = loganon.scan(store, sealed=True)
    day: date | None = loganon.sealed_through(store)
    print(loganon.__version__.upper(), counts, frame.collect(), day, sum(part.redacted for part in parts))
    return summary.counted
"""
MISTAKES = {
    'day: int = loganon.sealed_through("s")': "Incompatible types in assignment",
    "loganon.no_such_name": 'has no attribute "no_such_name"',
    'loganon.anonymize(b"", polcy="imos")': 'Unexpected keyword argument "polcy"',
    "loganon.scan(store=None)": "has incompatible type",
    "loganon.load_policy(1)": "has incompatible type",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the wheel is installed; what it depends on is that of the development environment."""
    folder = tmp_path_factory.mktemp("types")
    call("build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    call("venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    call("pip", "--python", python, "install", *options, *folder.glob("*.whl"), cwd=folder)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "parts.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # a .pth in there is not followed
    where = subprocess.run(
        [python, "-c", "import loganon; print(loganon.__file__)"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(packages)
    return python


def test_a_consumer(environment: Path, tmp_path: Path) -> None:
    """Its use of every public name is right in strict mode, each of the mistakes is found, and nothing else is."""
    script = tmp_path / "consumer.py"
    script.write_text(CONSUMER + "\n" + "\n".join(MISTAKES) + "\n")
    for name in loganon.__all__:
        assert name in CONSUMER
    command = ["-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, *command, "--python-executable", str(environment), script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 4,
        check=False,
    )
    found = [text for text in done.stdout.splitlines() if " error: " in text]
    at = CONSUMER.count("\n") + 2
    assert [text.split(":")[1] for text in found] == [str(at + n) for n in range(len(MISTAKES))], done.stdout
    for text, expected in zip(found, MISTAKES.values(), strict=True):
        assert expected in text
