"""`python -m loganon.spark` as far as it needs no Spark: its help, what it refuses, what it says without PySpark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.cli import Command

SPARK = (sys.executable, "-m", "loganon.spark")


def test_help_needs_neither_java_nor_pyspark(tmp_path: Path) -> None:
    """Help is there where Spark is not: nothing of it is imported, no process is started."""
    hidden = "import sys; sys.modules['pyspark'] = None; from loganon.spark.__main__ import main; main()"
    command = Command(tmp_path, (sys.executable, "-c", hidden), {"PATH": ""})
    done = command("--help")
    assert (done.code, done.err) == (0, "")
    for option in ("--store", "--provider-db", "--range", "--final", "--json"):
        assert option in done.out
    (tmp_path / "access.log").touch()
    missing = command("access.log", "--store", "s", "--key-file", "k")
    assert missing.code == 78
    missing.message("PySpark is not installed", "pip install 'loganon-access[spark]'")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "LOG..."),
        (("a.log",), "--store"),
        (("-", "--store", "s"), "standard input"),
        (("a", "--range", "x"), "64M"),
    ],
)
def test_usage(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Mistakes in the arguments are 2, before anything is started; executors cannot read standard input."""
    done = Command(tmp_path, SPARK)(*words)
    assert (done.code, done.out) == (2, "")
    done.message(said, "--help")
