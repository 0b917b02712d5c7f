"""Days are sealed: decided once, then cell by cell; a day is sealed when all its cells say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pyarrow as pa

from loganon.aggregate import TableSpec
from loganon.buckets import Bucket
from loganon.errors import InputOutputError
from loganon.periods import Spans, within
from loganon.store.layout import CellName
from loganon.store.s3.folding import Folding, Seals
from loganon.store.s3.names import seal_key
from loganon.store.s3.seals import decide, encode_seal
from loganon.store.s3.table import Table
from loganon.store.sealing import is_due


def seal_days(
    bucket: Bucket,
    table: Table,
    folding: Folding,
    seals: Seals,
    spec: TableSpec,
    *,
    cutoff: date | None,
    held: Spans,
    now: datetime,
) -> tuple[tuple[date, ...], InputOutputError | None]:
    """The days that were due, not sealed, and now are; and why a day could not be, where one could not."""
    sealed, failed = [], None
    for found in table.partitions(table.listed()):
        if (
            found.sealed
            or not is_due(found.day, now)
            or (found.day < (cutoff or date.min) and not within(found.day, held))
        ):
            continue
        names = [cell.name for cell in found.cells]
        try:
            if seals.standing(found.day) is None:
                standing = decide(_tables(bucket, table, names, spec), spec)
                bucket.create(seal_key(found.day), encode_seal(standing))  # where one stands by now, that one holds
            for name in names:
                folding.seal(name, spec)
        except InputOutputError as error:
            failed = failed or error
        else:
            sealed.append(found.day)
    return tuple(sealed), failed


def _tables(bucket: Bucket, table: Table, names: list[CellName], spec: TableSpec) -> Iterator[pa.Table]:
    for name in names:
        found = bucket.get(name.path)
        if found is not None:
            yield table.decode(name, found.data, spec).table
