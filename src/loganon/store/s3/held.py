"""A store in a bucket while a caller changes it. Nothing is held: others may change it at the same time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from loganon.aggregate import TableSpec
from loganon.buckets import Bucket
from loganon.errors import InputOutputError, LoganonError
from loganon.periods import Period, Spans
from loganon.store.balance import Balance, balances
from loganon.store.batch import Batch, Placed, SourceBatch, place, settle
from loganon.store.cells import Partition
from loganon.store.expiry import UNLIMITED, floor_over
from loganon.store.folds import Limits
from loganon.store.layout import CellName, check_writer
from loganon.store.manifest import State, decode_state, encode_state
from loganon.store.outcomes import Committed, ConflictError, OutdatedError, SealError
from loganon.store.records import Record
from loganon.store.retention import Deleted, Plan
from loganon.store.s3.batches import Part, StoredBatch
from loganon.store.s3.commits import enter_births, put_batch
from loganon.store.s3.deletions import Deletions
from loganon.store.s3.endings import end_sources, plan_endings
from loganon.store.s3.folding import Folding, Seals
from loganon.store.s3.names import STATE
from loganon.store.s3.retention import Retention, trim_batches
from loganon.store.s3.sealing import seal_days
from loganon.store.s3.sources import Birth
from loganon.store.s3.table import Table
from loganon.store.s3.view import View, Viewer, drop_batch, read_state

_STEP = timedelta(hours=1)


class S3Held:
    """The store, with what of it was last read. `held`: spans of days that stay, whatever the cutoff; `findings`: takes
    errors met after a commit point.
    """

    def __init__(
        self,
        bucket: Bucket,
        table: Table,
        viewer: Viewer,
        seals: Seals,
        *,
        limits: Limits,
        held: Spans,
        findings: list[LoganonError],
    ) -> None:
        self._bucket = bucket
        self._table = table
        self._viewer = viewer
        self._folding = Folding(bucket, table, seals, limits, held)
        self._seals = seals
        self._findings = findings
        self._view: View | None = None
        self._state = read_state(bucket)

    def recover(self) -> None:
        """Every batch that is committed is in table and record, whoever committed it; what is void is gone."""
        view = self._see()
        self._folding(view.pending, view.births)
        end_sources(self._bucket, view, view.ending)
        for batch in view.void:
            drop_batch(self._bucket, batch)
        self._view = None

    @property
    def cutoff(self) -> date | None:
        """The oldest day that may exist, as it was last read."""
        return self._state.cutoff

    @property
    def floor(self) -> datetime | None:
        """The moment (UTC) before which lines are expired, whatever the cutoff."""
        return self._state.floor

    @property
    def last_commit(self) -> datetime | None:
        """The clock at the last run or commit (UTC), within an hour."""
        return self._state.last_commit

    def records(self) -> dict[str, Record]:
        """All source records by id, as they now stand; what is committed next is held against them."""
        return self._see().records()

    def partitions(self) -> Iterator[Partition]:
        """Every day that has cells, oldest first; why a cell of them could not be had is among the findings."""
        yield from self._table.partitions(self._table.listed())
        for error in self._table.failed.values():
            self._find(error)

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id, after what was pending is in the table."""
        self.recover()
        view = self._see()
        return balances(self.partitions(), view.records(), view.state)

    def raise_cutoff(self, day: date, now: datetime | None = None) -> None:
        """No day before `day` may exist, for any writer; a day before the present cutoff does not change it.

        `now`: the clock, which is kept as that of the last commit.
        """

        def change(data: bytes | None) -> bytes | None:
            self._state = standing = decode_state(data, self._bucket.where(STATE)) if data else State()
            clock = _clock(standing.last_commit, now)
            risen = day if day > (standing.cutoff or date.min) else standing.cutoff
            self._state = replace(standing, cutoff=risen, last_commit=clock)
            return None if self._state == standing else encode_state(self._state)

        self._bucket.change(STATE, change)
        self._view = None

    def commit(
        self, batch: Batch, spec: TableSpec, *, now: datetime, writer: str | None, footer: Mapping[str, str]
    ) -> Committed:
        """Each source of the batch is counted whole, or not at all where others were faster: those that `records` of
        the answer names are. ConflictError where none is; OutdatedError (nothing was written) where a source has
        become known since `records()`: it may be one of the batch's.

        A batch of several sources must give the rows of each. `footer`: notes for the footers of the cells touched.
        """
        view = self._view or self._see()
        known = view.records()
        self._state = read_state(self._bucket)
        agreeing = [part for part in batch.sources if _agrees(part, known.get(part.after.id))]
        stored = {part.after.id: self._stored(part, batch, known, spec, now, writer, footer) for part in agreeing}
        new = {part.after.id: _birth(part, now) for part in agreeing if part.before is None}
        if not enter_births(self._bucket, view, new):
            self._bucket.wait(2)
            raise OutdatedError("another log became known", where=self._bucket.where(), fix="Run again")
        done = {source: each for source, (each, _) in stored.items() if put_batch(self._bucket, each)}
        self._view = None
        if not done:
            raise ConflictError("another run has counted this log", where=self._bucket.where(), fix="Run again")
        chains = {source: (*view.pending.get(source, ()), each) for source, each in done.items()}
        cells = capped = 0
        try:
            folded = self._folding(chains, {**view.births, **new})
            cells, capped = folded.cells, folded.capped
        except LoganonError as error:  # it is committed: whoever comes next finishes it
            self._findings.append(error)
        expired = {source: stored[source][1] for source in done}
        return Committed(cells, expired, capped, {s: each.record for s, each in done.items() if each.record})

    def seal(self, spec: TableSpec, *, now: datetime, held: Spans = ()) -> tuple[date, ...]:
        """The days that were due and are now sealed; SealError at the end where one could not be."""
        sealed, failed = seal_days(
            self._bucket, self._table, self._folding, self._seals, spec, cutoff=self.cutoff, now=now, held=held
        )
        if failed is not None:
            raise SealError(failed, sealed)
        return sealed

    def retain(self, plan: Plan, now: datetime) -> Deleted:
        """Deletes the plan's partitions that are before the cutoff; failures are in the answer, not raised.

        Batches that are not yet in the table are first brought there, so that none outlasts its days.
        """
        self._state = read_state(self._bucket)
        if self.cutoff is None:
            return Deleted((), ())
        self._folding = replace(self._folding, held=plan.held)
        try:
            self.recover()
        except InputOutputError as error:  # of a cell, a batch, a record: none of them keeps a day that is over
            self._find(error)
        for found in trim_batches(self._bucket, self._table, self.cutoff, plan.held):
            self._find(found)
        deletions = Deletions(self._bucket, self._table.policy.sha256)
        return Retention(self._bucket, self._table, deletions).apply(plan, self.cutoff, now)

    def expire_records(self, age: Period, now: datetime) -> tuple[str, ...]:
        """The ids of the sources that are gone: newest line and last commit both one `age` before the cutoff.

        Where nothing expires they go 60 days after both, and the floor rises above their lines first: whoever no longer
        finds the record reads a floor by which they are expired.
        """
        border = now.astimezone(UTC).date() if age.unlimited else self.cutoff
        if border is None:
            return ()
        try:
            view = self._see()
        except InputOutputError as error:  # a record that cannot be read keeps no day from being sealed
            self._find(error)
            return ()
        ending = plan_endings(view, border, UNLIMITED if age.unlimited else age)
        if age.unlimited:
            self._raise_floor(floor_over(view.entries[source].record for source in ending if source in view.entries))
        gone = end_sources(self._bucket, view, ending)
        self._view = None
        return gone

    def _raise_floor(self, moment: datetime | None) -> None:
        """Lines before the moment are expired, for any writer; None, or an earlier one than stands, changes nothing."""

        def change(data: bytes | None) -> bytes | None:
            standing = decode_state(data, self._bucket.where(STATE)) if data else State()
            if moment is None or (standing.floor is not None and standing.floor >= moment):
                return None
            return encode_state(replace(standing, floor=moment))

        self._bucket.change(STATE, change)

    def _find(self, error: LoganonError) -> None:
        """The error is among the findings, once."""
        if all(str(error) != str(known) for known in self._findings):
            self._findings.append(error)

    def _see(self) -> View:
        self._view = self._viewer()
        self._state = self._view.state
        return self._view

    def _stored(
        self,
        part: SourceBatch,
        batch: Batch,
        known: Mapping[str, Record],
        spec: TableSpec,
        now: datetime,
        writer: str | None,
        notes: Mapping[str, str],
    ) -> tuple[StoredBatch, int]:
        """One source's part as its object, and how many of its lines the cutoff does not admit."""
        source = part.after.id
        rows = batch.rows if part.rows is None and len(batch.sources) == 1 else part.rows
        if rows is None:
            raise ValueError("each source of a batch must give its rows")
        placed = place(Batch(rows, (part,)), spec, self.cutoff, check_writer(writer), floor=self.floor)
        record = settle(part, known.get(source), placed.expired[source], now)
        start = part.before.done if part.before else 0
        if record.done <= start:
            raise ValueError("a batch goes forward in its source")
        stored = StoredBatch(
            secrets.token_hex(16), source, start, record, spec, _parts(placed, source, spec), dict(notes)
        )
        return stored, placed.expired[source]


def _clock(known: datetime | None, now: datetime | None) -> datetime | None:
    """The clock to keep: a new one where it is an hour later, or behind."""
    if now is None or (known is not None and known <= now.astimezone(UTC) < known + _STEP):
        return known
    return now.astimezone(UTC)


def _agrees(part: SourceBatch, current: Record | None) -> bool:
    return (current and current.generation) == (part.before and part.before.generation)


def _birth(part: SourceBatch, now: datetime) -> Birth:
    """The source before its first batch: it is recognised by the same prints, and nothing of it is done."""
    after = part.after
    record = Record(after.id, after.stream, prefix=after.prefix, format=after.format, timezone=after.timezone)
    return Birth(record, now.astimezone(UTC).date())


def _parts(placed: Placed, source: str, spec: TableSpec) -> dict[CellName, Part]:
    """The rows with their texts: whoever finds the batch takes the table's shape from them."""
    return {name: Part(placed.lines[name][source], rows.cast(spec.schema)) for name, rows in placed.cells()}
