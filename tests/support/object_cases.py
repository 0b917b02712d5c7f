"""Logs, writers and what must hold of a store in a bucket, by a counter that knows nothing of the store's code."""

from __future__ import annotations

import io
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from loganon.buckets import Bucket
from loganon.periods import Spans
from loganon.store import Batch, ConflictError, Record, SourceBatch, plan_retention
from loganon.store.s3 import S3Store
from support.object_server import Memory
from support.store_cases import KEY, NOW, SPEC, STAMP, TODAY, Line, at, table

LENGTH = 100  # bytes of each made-up line
Log = Sequence[Line]


def make_store(bucket: Bucket) -> S3Store:
    return S3Store.create(bucket, STAMP, key_check=KEY, now=NOW)


def open_store(bucket: Bucket) -> S3Store:
    store = S3Store.open_or_none(bucket)
    assert store is not None
    return store


def made_log(count: int, *, name: str, days: int = 3, newest: date = TODAY) -> list[Line]:
    """Accesses to files of this log's own, spread over hours of the last days."""
    return [(at(newest - timedelta(days=n % days), n * 7 % 24), f"/{name}/{n % 5}") for n in range(count)]


def find(records: Mapping[str, Record], name: str) -> Record | None:
    """The record of a log, which is told by its prints; there are never two."""
    found = [record for record in records.values() if record.prefix == ((10, name),)]
    assert len(found) < 2, f"{name} is known twice"
    return found[0] if found else None


def next_part(name: str, log: Log, before: Record | None, step: int) -> SourceBatch | None:
    """The next lines of a log after what its record has done; None at its end."""
    done = before.done // LENGTH if before else 0
    lines = log[done : done + step]
    if not lines:
        return None
    old = before or Record(id=secrets.token_hex(16), stream="access.log", prefix=((10, name),), format="combined")
    cells = Counter(hour for hour, _ in lines)
    counts = Counter(old.lines) + Counter(counted=len(lines))
    newest = max([*cells, *([old.newest] if old.newest else [])])
    after = replace(old, lines=dict(counts), done=old.done + LENGTH * len(lines), newest=newest)
    return SourceBatch(before, after, cells, _coded(table(lines)))


def writer(
    logs: Mapping[str, Log], *, name: str | None, step: int, now: datetime = NOW, most: int = 10_000, kept: Spans = ()
) -> Callable[[Bucket], None]:
    """An actor that counts all logs to their ends, `step` lines of each at a time, as a run does; others may, too.

    `kept`: days that stay, whatever the cutoff.
    """

    def act(bucket: Bucket) -> None:
        store = open_store(bucket)
        store.held = kept
        for _ in range(most):
            with store.locked() as held:
                records = held.records()
                found = {log: next_part(log, lines, find(records, log), step) for log, lines in logs.items()}
                parts = tuple(part for part in found.values() if part)
                if not parts:
                    return
                rows = _coded(table([line for log, part in found.items() if part for line in _lines(logs[log], part)]))
                try:
                    held.commit(Batch(rows, parts), SPEC, now=now, writer=name, footer={"lists": "1"})
                except ConflictError:
                    continue
            for error in store.findings:
                raise error

    return act


def _coded(rows: pa.Table) -> pa.Table:
    """The rows as a run gives them: texts as dictionaries."""
    columns = [column.dictionary_encode() if pa.types.is_string(column.type) else column for column in rows.columns]
    return pa.table(columns, schema=pa.schema([f.with_type(c.type) for f, c in zip(rows.schema, columns, strict=True)]))


def keeper(cutoffs: Iterable[date], *, now: datetime = NOW) -> Callable[[Bucket], None]:
    """An actor that raises the cutoff, step by step, deletes what is before it and seals what is due."""

    def act(bucket: Bucket) -> None:
        store = open_store(bucket)
        for cutoff in cutoffs:
            with store.locked() as held:
                held.raise_cutoff(cutoff)
                held.retain(plan_retention(held.partitions(), held.cutoff), now)
                held.seal(SPEC, now=now)

    return act


def _lines(log: Log, part: SourceBatch) -> Log:
    start = part.before.done // LENGTH if part.before else 0
    return log[start : part.after.done // LENGTH]


# --- what must hold -----------------------------------------------------------------------------------------------


def stored(objects: Mapping[str, bytes]) -> Counter[tuple[datetime, str]]:
    """Requests by hour and file, out of the table's objects."""
    sums: Counter[tuple[datetime, str]] = Counter()
    for key, data in objects.items():
        if key.startswith("access/"):
            for row in pq.ParquetFile(io.BytesIO(data)).read().to_pylist():
                sums[row["time"].astimezone(UTC), row["file"]] += row["requests"]
    return sums


def wanted(logs: Mapping[str, Log], cutoff: date | None = None) -> Counter[tuple[datetime, str]]:
    """Each line of each log, once, from the cutoff on."""
    return Counter(line for log in logs.values() for line in log if cutoff is None or line[0].date() >= cutoff)


def by_hour(counts: Counter[tuple[datetime, str]]) -> Counter[datetime]:
    """Whatever the file."""
    sums: Counter[datetime] = Counter()
    for (hour, _), requests in counts.items():
        sums[hour] += requests
    return sums


def check_settled(memory: Memory, bucket: Bucket, logs: Mapping[str, Log], *, folded: bool = False) -> None:
    """`check_objects` of a store in memory."""
    check_objects(memory.objects, open_store(bucket), logs, folded=folded)


def check_objects(
    objects: Mapping[str, bytes], store: S3Store, logs: Mapping[str, Log], *, folded: bool = False
) -> None:
    """After all writers are done and one more run has looked: every line once, nothing pending, the books balance.

    `folded`: values may have become `other`.
    """
    found, due = stored(objects), wanted(logs, store.cutoff())
    if folded:
        assert by_hour(found) == by_hour(due)
    else:
        assert found == due
    assert not [key for key in objects if key.startswith("_loganon/batches/")]
    balances = store.balances()
    assert all(balance.holds for balance in balances.values()), balances
    records = store.records()
    for name, log in logs.items():
        record = find(records, name)
        assert record is not None
        assert record.done == LENGTH * len(log)
        assert sum(record.lines.values()) == len(log)
