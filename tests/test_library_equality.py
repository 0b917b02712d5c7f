"""One engine: the same lines through `run`, `follow` and `batches` give identical tables.

`LOGANON_EQUALITY_LINES`: how many lines (20,000 unless set; `python benchmarks/equality.py` compares 500,000).
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

import equality

LINES = int(os.environ.get("LOGANON_EQUALITY_LINES", "20000"))


def test_equal_tables(tmp_path: Path) -> None:
    """Row for row, in all columns; and they hold every line."""
    log = tmp_path / "x.log"
    equality.make_log(log, LINES)
    ways = {name: equality.WAYS[name] for name in ("run", "follow", "batches")}
    tables = equality.compare(log, ways, tmp_path, say=lambda _: None)
    assert [sum(table["requests"].to_pylist()) for table in tables.values()] == [LINES] * 3
    assert len({equality.digest(table) for table in tables.values()}) == 1


def test_a_difference_is_found(tmp_path: Path) -> None:
    """One access more, or one value of another hour, and the comparison fails."""
    log = tmp_path / "x.log"
    equality.make_log(log, 500)

    def more(log: Path, folder: Path, policy: Path) -> pa.Table:
        whole = equality.by_batches(log, folder, policy)
        at = whole.schema.get_field_index("requests")
        return whole.set_column(at, "requests", pa.array([2, *whole["requests"].to_pylist()[1:]], pa.int64()))

    def fewer(log: Path, folder: Path, policy: Path) -> pa.Table:
        return equality.by_batches(log, folder, policy).slice(1)

    for name, way in (("more", more), ("fewer", fewer)):
        where = tmp_path / name
        where.mkdir()
        with pytest.raises(SystemExit, match=f"not equal to batches: {name}"):
            equality.compare(log, {"batches": equality.by_batches, name: way}, where, say=lambda _: None)
