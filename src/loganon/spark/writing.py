"""A DataFrame of lines into a store: the executors count, the driver alone commits, once per batch id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from loganon import job
from loganon.api import client_options, key_of, named_zone, several, utc
from loganon.batching import account, coverage, versions
from loganon.chunks import Window
from loganon.clock import Clock
from loganon.errors import BusyError, ConfigurationError, InputOutputError, printable
from loganon.exclude import parse_rules
from loganon.formats.given import resolve
from loganon.lookups import open_lookups
from loganon.openlog import OpenLog
from loganon.policy import Policy, named_policy
from loganon.reading import Reading
from loganon.refusals import other_format, zone_note
from loganon.sources.identity import batch_source
from loganon.spark.carried import Carried, How, carry
from loganon.spark.cluster import Counted, Tables, context_of
from loganon.spark.counting import Batches, count_lines
from loganon.spark.frames import column_of, how_of
from loganon.store import (
    WAIT,
    Batch,
    Committed,
    ConflictError,
    HeldStore,
    Record,
    SourceBatch,
    check_writer,
    parse_place,
)
from loganon.summary import LogSummary, Summary

STREAM = "batches"
"""The label of batches that are given none."""

_ATTEMPTS = 20


def write(
    lines: DataFrame,
    store: str | Path,
    policy: Policy | str | Path | None = None,
    batch_id: str = "",
    *,
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    fields: Sequence[str] = (),
    stream: str = STREAM,
    writer: str | None = None,
    wait: timedelta = WAIT,
    now: datetime | None = None,
    key: bytes | str | Path | None = None,
    storage_options: Mapping[str, str] | None = None,
    accept_versioned: bool = False,
) -> Summary:
    """Count a DataFrame of lines into a store, seal and apply retention; `summary.as_dict()` is the JSON of `run`.

    `batch_id` names the batch: what was written under it is never counted again, whatever it holds the second time; the
    lines are then `already_counted`. All of a batch is counted in one commit, or nothing of it. `lines` and `fields` as
    in `anonymize`, the rest as in `loganon.run`; the store and its key are the driver's alone, executors see neither.
    The lines must be the same whenever Spark reads them again. Raises ConfigurationError and BusyError; other errors
    are in `summary.errors`.
    """
    _require_id(batch_id)
    check_writer(writer)
    context_of(lines.sparkSession)
    moment = datetime.now(UTC) if now is None else utc(now)
    reading = Reading(
        lookups=open_lookups(several(provider_db, "provider_db"), several(trusted_proxies, "trusted_proxies")),
        format=resolve(format),
        timezone=named_zone(timezone),
        stream=stream,
        exclude=parse_rules(several(exclude, "exclude"), where="exclude"),
        fields=several(fields, "fields"),
    )
    work = Writing(lines, reading, batch_id, writer=writer, wait=wait, now=moment)
    return job.carry_out(
        work,
        [reading],
        policy=policy if isinstance(policy, Policy) else named_policy(policy),
        store=parse_place(store, options=client_options(storage_options), accept_versioned=accept_versioned),
        key=key_of(key),
        clock=Clock(moment),
        wait=wait,
    )


def _require_id(given: object) -> None:
    """Nothing for a text; a number, such as the bare epoch of a query, is one that other queries have, too."""
    if not isinstance(given, str) or not given:
        fix = 'Name it by a text, such as its day or f"{query}-{epoch}"'
        raise ConfigurationError("the batch has no id", where="batch_id", fix=fix)


class Writing:
    """Counts one batch, unless it is known."""

    def __init__(
        self, lines: DataFrame, reading: Reading, batch_id: str, *, writer: str | None, wait: timedelta, now: datetime
    ) -> None:
        self._lines = lines
        self._reading = reading
        self._batch_id = batch_id
        self._writer = writer
        self._wait = wait
        self._now = now
        self._domains: Counter[str] = Counter()

    def __call__(self, opened: job.Opened, window: Window, summary: Summary) -> None:
        """The work of a run, as `job.carry_out` wants it."""
        source = batch_source(opened.key.secret, self._batch_id)
        found = LogSummary(printable(self._batch_id), source)
        summary.logs.append(found)
        if self._is_known(opened.store.records(), source, found):
            return
        how = how_of(self._lines, self._reading.format, self._reading.timezone, self._reading.fields, found.log)
        if how is None:
            return
        found.format = how.format.name
        summary.warnings += zone_note(found.log, how.format, how.timezone)
        carried = carry(opened.policy, self._reading.lookups, self._reading.exclude, window)
        with Counted(self._lines.select(column_of(self._lines)), carried, partial(_count, how)) as counted:
            if counted.books and counted.books[0].lines:
                self._commit(opened, how, counted, found, summary)

    def _commit(self, opened: job.Opened, how: How, counted: Counted, found: LogSummary, summary: Summary) -> None:
        spec = opened.policy.spec
        book = counted.books[0]
        assert found.source is not None  # noqa: S101 - it was named above
        stream = printable(self._reading.stream or STREAM)
        log = OpenLog(found, self._reading, stream, found.source, b"", None, how.format, how.timezone, (), 0)
        log.add(book.result(spec), end=book.lines, tail=b"")
        log.tables.clear()
        if not log.fits:
            raise other_format(found.log, how.format)
        part = log.part(opened.key)
        part = replace(part, after=replace(part.after, marker="", state=()))
        with opened.store.locked(self._wait) as held:
            done = self._put(held, opened, counted, log, part)
        if done is not None:
            account([log], spec.schema.empty_table(), done, summary)
            summary.domains.update(self._domains)

    def _put(
        self, held: HeldStore, opened: job.Opened, counted: Counted, log: OpenLog, part: SourceBatch
    ) -> Committed | None:
        """What the commit did; None where the batch has become known."""
        batch = Batch(Tables(counted, self._domains.clear, self._look), (part,))
        for _ in range(_ATTEMPTS):
            if self._is_known(held.records(), log.id, log.summary):
                return None
            try:
                return held.commit(
                    batch, opened.policy.spec, now=self._now, writer=self._writer, footer=versions([log])
                )
            except ConflictError:  # another log has become known, or this batch, in a store without a lock
                continue
            except ValueError:
                what = "the lines were others when Spark read them again; nothing of the batch was counted"
                fix = "Give lines that stay the same, such as those of files"
                raise InputOutputError(what, where=log.summary.log, fix=fix) from None
        raise BusyError("other processes keep changing the store", where=str(opened.store.path), fix="Run it again")

    def _look(self, table: pa.Table) -> None:
        if "domain" in table.schema.names:
            self._domains.update(coverage(table))

    def _is_known(self, records: Mapping[str, Record], source: str, found: LogSummary) -> bool:
        """Whether the batch was counted; then `found` says how many lines it had."""
        record = records.get(source)
        if record is None:
            return False
        found.already_counted, found.format = sum(record.lines.values()), record.format
        return True


def _count(how: How, carried: Carried, batches: Batches) -> Batches:
    yield from count_lines(carried, how, batches)
