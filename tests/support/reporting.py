"""Stores to be reported on, values planted in them, and their figures counted by DuckDB, with no help of `src/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path

import duckdb
import pyarrow as pa

from loganon.policy import Policy, parse_policy
from loganon.store import LocalStore
from loganon.store.cell import decode_cell, encode_cell
from support.runs import NOW, PLAIN, cells, ingest, line

HOSTILE = (
    "/<script>alert(1)</script>",
    "/<img src=x onerror=alert(1)>\"'><b>",
    "=cmd()|'/c calc'!A1",
    "@SUM(1+1)*cmd",
    "+1-1",
    "-1+1",
    "\tTAB",
    "\x1b[31mred\x1b]0;title\x07",
    "/a\u202egnp.exe",
    "/{{ 7*7 }}{% raw %}",
    "/\r\nSet-Cookie: x=1",
    "/&amp;&lt;",
    "/" + "long-" * 200,
)
"""Names of files that do something where they are not shown as text."""


def open_policy(extra: str = "", fields: str = "") -> Policy:
    """The six fields without minima, evaluation allowed; `extra`: further tables, `fields`: further fields."""
    head, _, rest = PLAIN.partition("[fields]\n")
    return parse_policy(f"{head}[purpose]\nevaluate = true\n{extra}\n[fields]\n{fields}\n{rest}", where="open")


def weeks(days: int = 12, *, until: datetime = NOW, a_day: int = 12) -> list[bytes]:
    """The lines of some days: several files, some failures, every hour of the day now and then."""
    found = []
    for back in range(days, 0, -1):
        for n in range(a_day):
            moment = until - timedelta(days=back) + timedelta(minutes=119 * n)
            if moment < until:
                path = "/" if n % 3 == 0 else f"/page/{(n * back) % 40}.html"
                found.append(line(moment, path, status=404 if n % 9 == 4 else 200, size=1000 * n + back))
    return found


def make_store(
    folder: Path,
    lines: Iterable[bytes],
    *,
    policy: Policy | None = None,
    provider_db: Sequence[Path] = (),
    now: datetime = NOW,
) -> Path:
    """A store under `folder` with these lines."""
    log = folder / "access.log"
    log.write_bytes(b"".join(lines))
    store = folder / "store"
    ingest(store, [log], policy=policy or open_policy(), format="combined", provider_db=provider_db, now=now)
    return store


def plant(store: Path, names: Sequence[str]) -> None:
    """Some rows of the newest cells are of files with these names; totals and footers stay what they are."""
    opened = LocalStore.open(store)
    waiting = list(names)
    for part in reversed(list(opened.partitions())):
        for cell in part.cells:
            if not waiting:
                return
            path = store / cell.name.path
            spec = parse_spec(opened)
            table, footer = decode_cell(path.read_bytes(), path, opened.uuid, spec)
            files = table["file"].to_pylist()
            some = [waiting.pop(0) for _ in range(min(len(waiting), len(files)))]
            column = pa.array([*some, *files[len(some) :]], pa.string())
            planted = table.set_column(table.column_names.index("file"), table.schema.field("file"), column)
            path.write_bytes(encode_cell(planted, footer))
    assert not waiting, "the store has too few rows"


def parse_spec(store: LocalStore) -> object:
    """The shape of the store's table."""
    from loganon.policy import from_canonical  # noqa: PLC0415 - the names of this module stay those of tests

    return from_canonical(store.policy.text, where="store").spec


Sums = dict[str, tuple[int, int, int]]
"""Requests, bytes and successful requests by value."""


def counted(store: Path, expression: str, *, since: datetime | None = None) -> Sums:
    """The sums by an SQL expression, over all cells, from a moment on."""
    where = f"WHERE time >= TIMESTAMPTZ '{since.isoformat()}'" if since else ""
    query = (
        f"SELECT {expression}, sum(requests)::BIGINT, sum(bytes)::BIGINT, "
        f"sum(CASE WHEN success THEN requests ELSE 0 END)::BIGINT "
        f"FROM read_parquet('{store}/access/*/*.parquet') {where} GROUP BY 1"
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {value: (requests, size, good) for value, requests, size, good in connection.sql(query).fetchall()}


def counted_by_time(store: Path, name: Callable[[datetime], str], *, since: datetime | None = None) -> Sums:
    """The sums by what `name` makes of the stored hours (UTC)."""
    found: dict[str, Counter[int]] = {}
    for epoch, amounts in counted(store, "epoch_ms(time)", since=since).items():
        moment = datetime.fromtimestamp(int(epoch) / 1000, tz=NOW.tzinfo)
        found.setdefault(name(moment), Counter()).update(dict(enumerate(amounts)))
    return {key: (sums[0], sums[1], sums[2]) for key, sums in found.items()}


def local_day(zone: tzinfo) -> Callable[[datetime], str]:
    """The name of a moment's day in a zone."""
    return lambda moment: str(moment.astimezone(zone).date())


def any_cell(store: Path, day: date) -> Path:
    """A cell of that day."""
    return next(path for path in cells(store) if f"date={day}" in str(path))
