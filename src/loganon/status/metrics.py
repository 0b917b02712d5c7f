"""The status of stores as Prometheus metrics, in a file for node_exporter's textfile collector.

Labels are the store's path and the reason of a rejection: nothing from a log.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from loganon.errors import CannotWriteError, ConfigurationError, printable
from loganon.pipeline import REASONS
from loganon.status.answer import find_problems, unsealed
from loganon.status.facts import Status
from loganon.store.records import COUNTED

METRICS = {
    "status_timestamp_seconds": "when these figures were read",
    "problems": "problems that `status --check` would name",
    "partitions": "days that stand",
    "cells": "files of the table",
    "rows": "rows of the table",
    "table_bytes": "size of the table on the disk",
    "oldest_partition_timestamp_seconds": "start of the oldest day that stands",
    "newest_partition_timestamp_seconds": "start of the newest day that stands",
    "cutoff_timestamp_seconds": "start of the oldest day that may exist",
    "next_deletion_timestamp_seconds": "when the next partition goes",
    "sealed_through_timestamp_seconds": "start of the day up to which all are sealed",
    "last_commit_timestamp_seconds": "when something was last counted",
    "overdue_partitions": "days that had to be gone by now",
    "unsealed_partitions": "days whose seal is more than a day late",
    "quarantined_cells": "damaged cells that were put aside",
    "damaged_cells": "cells that cannot be read",
    "source_records": "logs that have a record",
    "damaged_source_records": "source records that cannot be read",
    "permission_problems": "files and directories with another mode or owner than they were made with",
    "domain_unknown_ratio": "share of the newest days' accesses whose domain is unknown",
    "domain_other_ratio": "share of the newest days' accesses whose domain is other",
    "domain_redacted_ratio": "share of the newest days' accesses whose domain was redacted",
    "provider_database_built_timestamp_seconds": "when the oldest provider database in use was built",
}
"""The metrics with one value a store; `loganon_` stands before each."""
LINES = "loganon_source_lines"
LINES_HELP = "lines over all source records, by what became of them"
_MODE = 0o644


def render_metrics(statuses: Sequence[Status], max_age: timedelta | None = None) -> bytes:
    """The text of all stores' metrics, with HELP and TYPE; a metric that a store has no value for is left out."""
    registry = CollectorRegistry(auto_describe=False)
    values = [(printable(status.store), dict(_values(status, max_age))) for status in statuses]
    for name, text in METRICS.items():
        gauge = Gauge(f"loganon_{name}", text, ["store"], registry=registry)
        for store, found in values:
            if name in found:
                gauge.labels(store=store).set(found[name])
    lines = Gauge(LINES, LINES_HELP, ["store", "reason"], registry=registry)
    for status in statuses:
        for reason in (COUNTED, *REASONS):
            lines.labels(store=printable(status.store), reason=reason).set(status.lines.get(reason, 0))
    return bytes(generate_latest(registry))


def write_metrics(path: Path, text: bytes, stores: Sequence[str]) -> None:
    """The file at `path` has this text, readable by all; a reader sees it before or after, never between.

    78 for a name that node_exporter would not read, and for a path inside a store; 73 where it cannot be written.
    """
    if path.suffix != ".prom":
        raise ConfigurationError(
            "node_exporter reads files ending in .prom only", where=str(path), fix=f"Call it {path.stem}.prom"
        )
    if any(path.resolve().is_relative_to(Path(store).resolve()) for store in stores):
        raise ConfigurationError(
            "the metrics file lies inside the store", where=str(path), fix="Keep it in the collector's directory"
        )
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)  # whatever the umask
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        waiting.replace(path)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        raise CannotWriteError(
            f"cannot write the metrics ({error.strerror})",
            where=str(path),
            fix="Give --metrics-file a path that can be written",
        ) from None


def _values(status: Status, max_age: timedelta | None) -> Iterator[tuple[str, float]]:
    days = [part.day for part in status.partitions]
    moments: dict[str, date | datetime | None] = {
        "status": status.now,
        "oldest_partition": days[0] if days else None,
        "newest_partition": days[-1] if days else None,
        "cutoff": status.cutoff,
        "next_deletion": status.next_deletion[1] if status.next_deletion else None,
        "sealed_through": status.sealed_through,
        "last_commit": status.last_commit,
        "provider_database_built": min((each.built for each in status.databases), default=None),
    }
    for name, moment in moments.items():
        if moment is not None and moment != date.min:
            yield f"{name}_timestamp_seconds", _seconds(moment)
    yield "problems", len(find_problems(status, max_age))
    yield "partitions", len(days)
    yield "cells", sum(len(part.cells) for part in status.partitions)
    yield "rows", sum(part.rows for part in status.partitions)
    yield "table_bytes", sum(part.bytes for part in status.partitions)
    yield "overdue_partitions", len(status.overdue)
    yield "unsealed_partitions", len(unsealed(status))
    yield "quarantined_cells", len(status.quarantined)
    yield "damaged_cells", len(status.damaged)
    yield "source_records", status.records
    yield "damaged_source_records", len(status.damaged_records)
    yield "permission_problems", len(status.permissions)
    for kind in ("unknown", "other", "redacted"):
        if kind in status.shares:
            yield f"domain_{kind}_ratio", status.shares[kind]


def _seconds(moment: date | datetime) -> float:
    return (moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)).timestamp()
