"""A small table, batches for it, and the balance of a store: what the tests of the store share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loganon.aggregate import Fold, TableSpec, merge
from loganon.store import Batch, Committed, Files, Held, LocalStore, PolicyStamp, Record, SourceBatch

TIME = pa.timestamp("ms", tz="UTC")
SPEC = TableSpec(
    schema=pa.schema(
        [
            pa.field(name, kind, nullable=False)
            for name, kind in (
                ("time", TIME),
                ("file", pa.string()),
                ("browser", pa.string()),
                ("browser_version", pa.string()),
                ("success", pa.bool_()),
                ("requests", pa.int64()),
                ("bytes", pa.int64()),
            )
        ]
    ),
    keys=("time", "file", "browser", "browser_version", "success"),
    measures=("requests", "bytes"),
    unit="hour",
    folds=(Fold(("file",), 5, ("other",)), Fold(("browser", "browser_version"), 3, ("other", ""))),
)
STAMP = PolicyStamp("imos", "ab" * 32, 'name = "imos"\n')
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOW.date()
KEY = "key-check"

Line = tuple[datetime, str]
"""The hour and the file of one access."""


def at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def back(days: int) -> date:
    return TODAY - timedelta(days=days)


def make_store(path: Path, *, files: Files | None = None, **options: object) -> LocalStore:
    return LocalStore.create(path, STAMP, key_check=KEY, now=NOW, files=files, **options)  # type: ignore[arg-type]  # a test's options


def table(lines: Iterable[Line], *, browser: str = "Firefox", success: bool = True) -> pa.Table:
    rows = [(hour, file, browser, "120", success, 1, 10) for hour, file in lines]
    columns = list(zip(*rows, strict=True)) or [()] * len(SPEC.schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SPEC.schema, strict=True)]
    return merge([pa.table(arrays, schema=SPEC.schema)], SPEC)


def part(source: str, before: Record | None, lines: Iterable[Line], rejected: int = 0) -> SourceBatch:
    """The next part of a source: these lines, and `rejected` malformed ones, follow what `before` has done."""
    cells = Counter(hour for hour, _ in lines)
    old = before or Record(id=source, stream="access.log", prefix=((10, "aa"),), format="combined")
    counts = Counter(old.lines) + Counter(counted=cells.total(), malformed=rejected)
    newest = max([*cells, *([old.newest] if old.newest else [])], default=None)
    after = replace(old, lines=dict(counts), done=old.done + 100 * (cells.total() + rejected), newest=newest)
    return SourceBatch(before, after, cells)


def feed(store: LocalStore, source: str, lines: list[Line], *, rejected: int = 0, now: datetime = NOW) -> int:
    """Commits the next part of a source; the number of cells written."""
    with store.locked(timedelta(0)) as held:
        return commit(held, source, lines, rejected=rejected, now=now).cells_written


def commit(held: Held, source: str, lines: list[Line], *, rejected: int = 0, now: datetime = NOW) -> Committed:
    """Commits the next part of a source under a lock that is held."""
    batch = Batch(table(lines), (part(source, held.records().get(source), lines, rejected),))
    return held.commit(batch, SPEC, now=now, writer=None, footer={"lists": "1"})


def rows_of(path: Path) -> list[dict[str, object]]:
    """All rows of the table, as a reader who knows nothing of the store reads them."""
    found: list[dict[str, object]] = []
    for file in sorted((path / "access").glob("date=*/*.parquet")):
        found.extend(pq.ParquetFile(file).read().to_pylist())
    return found


def requests_of(path: Path) -> Counter[tuple[object, object]]:
    """Requests by time and file."""
    sums: Counter[tuple[object, object]] = Counter()
    for row in rows_of(path):
        sums[row["time"], row["file"]] += row["requests"]  # type: ignore[assignment]  # an int64 column
    return sums


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file under a store, but for the lock."""
    return {
        str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file() and f.name != "lock"
    }
