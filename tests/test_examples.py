"""The examples do what they say: each is executed, on the sample logs."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import loganon
from support.cli import SAMPLES
from support.runs import NOW, line

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    """An example, imported as a module of its own; the schedulers are not needed."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with a log of three days."""
    folder = tmp_path / "logs"
    folder.mkdir()
    found = [line(NOW - timedelta(days=days, minutes=n), f"/d{days}") for days in (5, 4, 0) for n in range(6)]
    (folder / "shop.access.log").write_bytes(b"".join(found))
    return folder


def test_every_example_is_here() -> None:
    """No example without a test."""
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_file()) == [
        "access_logs.ipynb",
        "airflow_access_logs.py",
        "dagster_access_logs.py",
        "daily_counts.py",
    ]


def test_the_script(tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each sealed day is handed on once; the second night only what has become final since."""
    script = load("daily_counts")
    store, export, key = tmp_path / "store", tmp_path / "export", tmp_path / "key"
    assert script.main(store, export, list(logs.iterdir()), key=key, now=NOW) == 0
    assert sorted(path.name for path in export.iterdir()) == ["2026-11-16.parquet", "2026-11-17.parquet"]
    assert "18 accesses counted" in capsys.readouterr().out
    assert pl.read_parquet(export)["requests"].sum() == 12
    assert script.main(store, export, list(logs.iterdir()), key=key, now=NOW + timedelta(days=3)) == 0
    said = capsys.readouterr().out
    assert "0 accesses counted, 18 known before" in said
    assert said.count("handed on") == 1
    assert pl.read_parquet(export)["requests"].sum() == 18
    late = NOW + timedelta(days=38)  # the oldest day has gone, and its copy goes
    assert script.main(store, export, list(logs.iterdir()), key=key, now=late) == 0
    assert sorted(path.name for path in export.iterdir()) == ["2026-11-21.parquet"]
    assert "2026-11-16.parquet deleted" in capsys.readouterr().out
    assert script.main(store, export, [tmp_path / "missing.log"], key=key, now=late) == 66
    assert "missing.log" in capsys.readouterr().err


def test_the_airflow_task(tmp_path: Path, logs: Path) -> None:
    """The functions count, and load what is later than the last day; a retry changes nothing; a failed log fails."""
    example = load("airflow_access_logs")
    where = {"logs": str(logs), "store": str(tmp_path / "store"), "key": str(tmp_path / "key")}
    first = example.count_logs(**where, now=NOW)
    assert (first["counted"], example.count_logs(**where, now=NOW)["already_counted"]) == (18, 18)
    json.dumps(first)  # what a task returns is handed on as JSON
    target = tmp_path / "warehouse"
    target.mkdir()
    assert example.load_final_days(str(target), where["store"]) == "2026-11-17"
    assert len(list(target.iterdir())) == 2
    assert example.load_final_days(str(target), where["store"], after="2026-11-16") == "2026-11-17"
    assert pl.read_parquet(target)["requests"].sum() == 12
    (logs / "broken.access.log.gz").write_bytes(b"\x1f\x8b\x08\x00 and no more")
    with pytest.raises(RuntimeError, match=r"broken\.access\.log\.gz"):
        example.count_logs(**where, now=NOW)


def test_the_dagster_asset(tmp_path: Path, logs: Path) -> None:
    """The functions count and give the final days; where Dagster is installed, its definitions are whole."""
    example = load("dagster_access_logs")
    found = example.counted(list(logs.iterdir()), tmp_path / "store", tmp_path / "key", now=NOW)
    assert (found["counted"], found["sealed_through"], found["rejected: malformed"]) == (18, "2026-11-17", 0)
    frame = example.final_days(tmp_path / "store")
    assert frame["requests"].sum() == 12
    assert set(frame["date"]) == {date(2026, 11, 16), date(2026, 11, 17)}
    with pytest.raises(loganon.LoganonError):
        example.counted([tmp_path / "missing.log"], tmp_path / "store", tmp_path / "key", now=NOW)
    if "dagster" in sys.modules:
        example.definitions.get_repository_def()


def test_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells run in their order, in the folder where it lies, and it is stored without results."""
    notebook = json.loads((EXAMPLES / "access_logs.ipynb").read_text("utf-8"))
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    monkeypatch.chdir(EXAMPLES)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)  # the notebook's own code
    assert names["result"].table.num_rows == names["summary"].counted == names["hours"]["requests"].sum()
    assert names["days"]["requests"].sum() == names["summary"].counted
    shown = loganon.anonymize(names["events"], policy="six-weeks").table.to_pylist()
    assert [row["file"] for row in shown] == ["/search", "/user/{email}/profile"]
    assert (SAMPLES / "shop.access.log").exists()
