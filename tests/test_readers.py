"""The table is read with no help of ours by DuckDB, polars, pandas, pyarrow, chdb and Spark, and all see the same.

The blocks of docs/readers.md are run. chdb and pyspark are not among the locked dependencies: where one is missing its
blocks are skipped, and fail with LOGANON_SERVERS.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import loganon
from oracle import read_log
from support.cli import SAMPLES, TIMEOUT
from support.runs import cells, ingest

STYLES = {
    "shop.access.log": "combined",
    "shop.access.log.1.gz": "combined",
    "hosts.access.log": "common",
    "vhosts.access.log": "combined_vhost",
}
COLUMNS = {
    "time": pa.timestamp("ms", tz="UTC"),
    "domain": pa.string(),
    "file": pa.string(),
    "browser": pa.string(),
    "browser_version": pa.string(),
    "success": pa.bool_(),
    "requests": pa.int64(),
    "bytes": pa.int64(),
}
"""The table of DESIGN.md, in its order."""
SUMS = "sum(requests), sum(bytes)"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample logs, some of their days sealed."""
    path = tmp_path_factory.mktemp("readers") / "store"
    summary = ingest(path, [SAMPLES / name for name in STYLES], provider_db=[SAMPLES / "providers.mmdb"])
    assert summary.exit_code == 0
    assert summary.sealed
    return path


@pytest.fixture(scope="module")
def truth() -> tuple[int, int]:
    """Requests and bytes as the oracle reads them."""
    readings = [read_log(SAMPLES / name, style) for name, style in STYLES.items()]
    return sum(r.requests for r in readings), sum(r.bytes for r in readings)


def glob(store: Path) -> str:
    return str(store / "access" / "*" / "*.parquet")


def test_duckdb(store: Path, truth: tuple[int, int]) -> None:
    """`SELECT * FROM 'STORE/access/*/*.parquet'`: names, types, order, sums."""
    with duckdb.connect() as database:
        shape = database.execute(f"DESCRIBE SELECT * FROM '{glob(store)}'").fetchall()  # the documented query
        found = [(name, kind) for name, kind, *_ in shape if name != "date"]
        assert found == [
            ("time", "TIMESTAMP WITH TIME ZONE"),
            ("domain", "VARCHAR"),
            ("file", "VARCHAR"),
            ("browser", "VARCHAR"),
            ("browser_version", "VARCHAR"),
            ("success", "BOOLEAN"),
            ("requests", "BIGINT"),
            ("bytes", "BIGINT"),
        ]
        assert database.execute(f"SELECT {SUMS} FROM '{glob(store)}'").fetchone() == truth
        days = database.execute(f"SELECT DISTINCT CAST(date AS VARCHAR) FROM '{glob(store)}' ORDER BY 1").fetchall()
    assert [day for (day,) in days] == sorted({path.parent.name.removeprefix("date=") for path in cells(store)})


def test_polars(store: Path, truth: tuple[int, int]) -> None:
    """`scan_parquet` of the glob: names, types, order, sums."""
    frame = pl.scan_parquet(glob(store))
    shape = {name: kind for name, kind in frame.collect_schema().items() if name != "date"}
    assert list(shape.items()) == [
        ("time", pl.Datetime("ms", "UTC")),
        ("domain", pl.String()),
        ("file", pl.String()),
        ("browser", pl.String()),
        ("browser_version", pl.String()),
        ("success", pl.Boolean()),
        ("requests", pl.Int64()),
        ("bytes", pl.Int64()),
    ]
    assert frame.select("requests", "bytes").sum().collect().row(0) == truth


def test_pandas(store: Path, truth: tuple[int, int]) -> None:
    """`read_parquet` of the folder and of each file: names, types, order, sums."""
    for frame in (pd.read_parquet(store / "access"), pd.concat([pd.read_parquet(path) for path in cells(store)])):
        assert [name for name in frame.columns if name != "date"] == list(COLUMNS)
        assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
        assert [str(frame[name].dtype) for name in ("success", "requests", "bytes")] == ["bool", "int64", "int64"]
        assert (int(frame["requests"].sum()), int(frame["bytes"].sum())) == truth


def test_pyarrow(store: Path, truth: tuple[int, int]) -> None:
    """A hive dataset: names, types, order, sums."""
    dataset = ds.dataset(store / "access", partitioning="hive")
    found = [(field.name, field.type) for field in dataset.schema if field.name != "date"]
    assert found == list(COLUMNS.items())
    table = dataset.to_table(columns=["requests", "bytes"])
    assert (sum(table["requests"].to_pylist()), sum(table["bytes"].to_pylist())) == truth


def test_each_file(store: Path) -> None:
    """None of the columns can be null; rows are unique on what comes before `requests`, and sorted by it."""
    for path in cells(store):
        with pq.ParquetFile(path) as file:
            assert [(f.name, f.type, f.nullable) for f in file.schema_arrow] == [(*c, False) for c in COLUMNS.items()]
            rows = file.read().to_pylist()
        keys = [(r["time"], *(r[n].encode() for n in list(COLUMNS)[1:5]), r["success"]) for r in rows]
        assert keys == sorted(set(keys)), path
        assert all(r["requests"] > 0 and r["bytes"] >= 0 for r in rows)
        assert {f"date={r['time']:%Y-%m-%d}/hour-{r['time']:%H}.parquet" for r in rows} == {
            f"{path.parent.name}/{path.name}"
        }


def test_each_footer(store: Path) -> None:
    """It carries the store, the schema's version, the policy and its hash, the database's build date, lines per source
    and the seal; the lines are the requests."""
    stamps = json.loads((store / "_loganon" / "store.json").read_text())
    for path in cells(store):
        footer = {k.decode(): v.decode() for k, v in pq.read_metadata(path).metadata.items()}
        assert footer["loganon.store"] == stamps["uuid"]
        assert footer["loganon.policy"] == "imos"
        assert footer["loganon.policy_sha256"] == stamps["policy"]["sha256"]
        assert int(footer["loganon.schema"]) >= 1
        assert footer["loganon.sealed"] in ("true", "false")
        assert any(value.endswith("2026-11-20") for value in footer.values()), "the database's build date"
        lines = json.loads(footer["loganon.lines"])
        assert sum(lines.values()) == sum(pq.ParquetFile(path).read()["requests"].to_pylist())


def test_each_footer_names_the_lists(store: Path) -> None:
    """It carries the versions of the lists by which values were made: suffixes, known providers, agents."""
    known = {"store", "schema", "policy", "policy_sha256", "lines", "sealed", "rows", "writer"}
    names = {k.decode().removeprefix("loganon.") for k in pq.read_metadata(cells(store)[0]).metadata}
    notes = {name for name in names - known if not name.startswith(("provider_db", "ARROW"))}
    assert len(notes) >= 2, notes


def test_the_private_part_is_private(store: Path) -> None:
    """Files are 0600, directories 0700; besides the table there is only `_loganon`."""
    assert sorted(path.name for path in store.iterdir()) == ["_loganon", "access"]
    for path in (store, *store.rglob("*")):
        assert path.stat().st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600), path


# --- the page -----------------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[1] / "docs" / "readers.md").read_text("utf-8")
SECTIONS = {
    title: re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
READERS = {"DuckDB", "polars", "pandas", "pyarrow", "ClickHouse", "Spark"}
UNTRIED = {"Trino", "Athena"}
PARTS = {"ClickHouse": "chdb", "Spark": "pyspark"}


def require(title: str) -> None:
    """The section's test is skipped where its program is missing, and fails with LOGANON_SERVERS."""
    part = PARTS.get(title)
    missing = part is not None and importlib.util.find_spec(part) is None
    missing |= title == "Spark" and shutil.which("java") is None
    if missing:
        assert not os.environ.get("LOGANON_SERVERS"), f"{part} is missing, and LOGANON_SERVERS says that it is here"
        pytest.skip(f"{part} is not installed")


def test_each_reader_has_a_section() -> None:
    """Those that can be had here have blocks, which are run below; of the others it is said that they were not."""
    assert {title for title, blocks in SECTIONS.items() if blocks} == {"Sealed days", "Incremental loads", *READERS}
    for title in UNTRIED:
        assert "Not run here" in PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("title", [title for title, blocks in SECTIONS.items() if blocks])
def test_the_blocks(title: str, store: Path, truth: tuple[int, int], tmp_path: Path) -> None:
    """Each runs as it stands, in a process of its own; a reader's blocks print the true sums of the table."""
    require(title)
    (tmp_path / "store").symlink_to(store)
    spark = "--conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=1 pyspark-shell"
    local = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": spark}
    for block in SECTIONS[title]:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=tmp_path,
            env={**os.environ, **local},
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 2,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if title in READERS:
            assert str(truth[0]) in done.stdout
            assert title in ("pandas", "pyarrow") or str(truth[1]) in done.stdout
        else:
            assert re.search(r"[1-9][0-9]*$", done.stdout.strip())


def test_sealed_days_of_the_page(store: Path) -> None:
    """What the page says of them: the library's two answers are those of the footers."""
    sealed = {
        path.parent.name.removeprefix("date=")
        for path in cells(store)
        if pq.read_metadata(path).metadata[b"loganon.sealed"] == b"true"
    }
    assert {str(day) for day in loganon.scan(store, sealed=True).collect()["date"]} == sealed
    assert str(loganon.sealed_through(store)) == max(sealed)
    later = [path.parent.name for path in cells(store) if path.parent.name > f"date={max(sealed)}"]
    assert later, "a day that is not sealed yet"
