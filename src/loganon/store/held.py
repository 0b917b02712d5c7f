"""A store under its lock: the only place from which it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from loganon.aggregate import TableSpec, merge
from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.periods import Period
from loganon.store.balance import Balance, balances
from loganon.store.batch import Batch, Placed, place, settle
from loganon.store.cells import Cells, Partition, add_lines, merge_notes
from loganon.store.files import Files, reported
from loganon.store.folds import Limits, cap_cell
from loganon.store.journal import Journal, Staging
from loganon.store.layout import SOURCES, STATE_FILE, Layout, check_writer, record_file
from loganon.store.manifest import PolicyStamp, State, decode_state, encode_state
from loganon.store.records import (
    Record,
    encode_record,
    has_gone,
    read_record,
    read_records,
    readable_record,
    record_ids,
)
from loganon.store.retention import Deleted, Plan, Retention
from loganon.store.sealing import SealedDays, is_due, seal_day


class ConflictError(LoganonError):
    """The store has moved on since the batch was read: drop the batch, read the records and the logs again."""

    exit_code = 75


class SealError(InputOutputError):
    """A day could not be sealed; `sealed` are the others, which are."""

    def __init__(self, error: InputOutputError, sealed: tuple[date, ...]) -> None:
        self.sealed = sealed
        super().__init__(error.what, where=error.where, fix=error.fix)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did.

    `expired`: lines by source that the batch counted and the cutoff did not admit; `capped`: rows that went into
    `other` because their cell was full; `records`: the sources' records as they now stand.
    """

    cells_written: int
    expired: Mapping[str, int]
    capped: int
    records: Mapping[str, Record]


class Held:
    """The store `uuid` while its lock is held. `policy`: the one the caller works by; `frozen`: the store's."""

    def __init__(
        self,
        files: Files,
        layout: Layout,
        journal: Journal,
        *,
        uuid: str,
        policy: PolicyStamp,
        frozen: PolicyStamp,
        limits: Limits,
    ) -> None:
        self._files = files
        self._layout = layout
        self._journal = journal
        self._uuid = uuid
        self._policy = policy
        self._frozen = frozen
        self._limits = limits
        self._cells = Cells(files, layout, uuid, frozen)
        self._state = State()
        self._unsure = True
        self._open = True

    def close(self) -> None:
        """The lock is no longer held: nothing can be changed from here."""
        self._open = False

    def recover(self) -> None:
        """A standing commit is finished and nothing is left in staging."""
        with reported(self._layout.root):
            self._journal.recover()
            self._state = decode_state(self._files.read(self._layout.state), self._layout.state)
        self._unsure = False

    @property
    def cutoff(self) -> date | None:
        """The oldest day that may exist."""
        return self._state.cutoff

    @property
    def last_commit(self) -> datetime | None:
        """The clock at the last commit (UTC)."""
        return self._state.last_commit

    def records(self) -> dict[str, Record]:
        """All source records by id."""
        with self._changing():
            return read_records(self._files, self._layout)

    def partitions(self) -> Iterator[Partition]:
        """Every day that has a directory, oldest first."""
        with reported(self._layout.root):
            yield from self._cells.partitions()

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id."""
        return balances(self.partitions(), self.records(), self.cutoff)

    def raise_cutoff(self, day: date) -> None:
        """No day before `day` may exist, durably; a day before the present cutoff changes nothing.

        The lines of all days that thereby go are counted as deleted in the same commit. Their files are `retain`'s.
        """
        if day <= (self.cutoff or date.min):
            return
        with self._changing():
            gone: Counter[str] = Counter()
            for found in self._cells.days():
                if (self.cutoff or date.min) <= found < day:
                    gone += self._cells.partition(found).lines
            staging = self._journal.begin()
            for source, lines in gone.items():
                record = readable_record(self._files, self._layout, source)
                if record is not None:
                    _stage_record(staging, replace(record, deleted=record.deleted + lines))
            self._commit(staging, replace(self._state, cutoff=day))

    def commit(
        self, batch: Batch, spec: TableSpec, *, now: datetime, writer: str | None, footer: Mapping[str, str]
    ) -> Committed:
        """The batch is counted, all of it, durably; ConflictError (nothing written) where the store has moved on.

        `footer`: notes for the footers of the cells touched (versions of lists, build dates of databases).
        ValueError: the batch's rows and lines do not agree.
        """
        with self._changing():
            current = self._agreeing(batch)
            placed = place(batch, spec, self.cutoff, check_writer(writer))
            staging = self._journal.begin()
            capped = self._stage_cells(staging, placed, spec, footer)
            records = {}
            for part in batch.sources:
                source = part.after.id
                records[source] = settle(part, current[source], placed.expired[source], now)
                _stage_record(staging, records[source])
            self._commit(staging, replace(self._state, last_commit=now.astimezone(UTC)))
        return Committed(len(placed.cells), dict(placed.expired), capped, records)

    def seal(self, spec: TableSpec, *, now: datetime) -> tuple[date, ...]:
        """The days that were due and are now sealed, each in a commit of its own.

        A damaged cell keeps its day from being sealed, not the others; then a SealError comes at the end.
        """
        sealed, failed = [], None
        for day in self._cells.days():
            if not is_due(day, now) or day < (self.cutoff or date.min):
                continue
            try:
                with self._changing():
                    if not self._cells.names(day) or self._cells.sealed(day):
                        continue
                    staging = self._journal.begin()
                    seal_day(self._cells, staging, day, spec)
                    self._commit(staging, self._state)
                    sealed.append(day)
            except InputOutputError as error:
                failed = failed or error
        if failed is not None:
            raise SealError(failed, tuple(sealed))
        return tuple(sealed)

    def retain(self, plan: Plan, now: datetime) -> Deleted:
        """Deletes the plan's partitions that are before the cutoff; failures are in the answer, not raised."""
        if self.cutoff is None:
            return Deleted((), ())
        with self._changing():
            retention = Retention(self._files, self._layout, self._uuid, self._frozen.sha256)
            return retention.apply(plan, self.cutoff, now)

    def expire_records(self, age: Period) -> tuple[str, ...]:
        """The ids of the records that are gone: newest line and last commit both one `age` before the cutoff."""
        if self.cutoff is None or age.unlimited:
            return ()
        with self._changing():
            records = (readable_record(self._files, self._layout, source) for source in record_ids(self._layout))
            gone = [record.id for record in records if record and has_gone(record, self.cutoff, age)]
            for source in gone:
                self._files.unlink(self._layout.record(source))
            if gone:
                self._files.sync_directory(self._layout.sources)
        return tuple(gone)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A block after whose failure the next one first finishes or drops what it left."""
        if not self._open:
            raise ValueError("the store's lock is no longer held")
        if self._unsure:
            self.recover()
        self._unsure = True
        with reported(self._layout.root):
            yield
        self._unsure = False

    def _agreeing(self, batch: Batch) -> dict[str, Record | None]:
        """The sources' standing records; ConflictError unless they are those that the batch was read by."""
        if self._policy.sha256 != self._frozen.sha256:
            raise ConfigurationError(
                "the store's policy has changed meanwhile", where=str(self._layout.root), fix="Run again"
            )
        current = {}
        for part in batch.sources:
            found = current[part.after.id] = read_record(self._files, self._layout, part.after.id)
            if (found and found.generation) != (part.before and part.before.generation):
                raise ConflictError("another run has counted this log", where=str(self._layout.root), fix="Run again")
        return current

    def _stage_cells(self, staging: Staging, placed: Placed, spec: TableSpec, notes: Mapping[str, str]) -> int:
        """The next versions of all cells touched wait in `staging`; the rows that did not fit."""
        days = SealedDays(self._cells, spec)
        capped = 0
        for name, rows in placed.cells.items():
            table = days.fold(rows, name.day)
            standing = self._cells.read(name, spec)
            old = standing[1] if standing else None
            table, over = cap_cell(merge([standing[0], table], spec) if standing else table, spec, self._limits)
            capped += over
            self._cells.stage(
                staging,
                name,
                table,
                spec,
                lines=add_lines(old.lines if old else {}, placed.lines[name]),
                sealed=days.is_sealed(name.day),
                notes=merge_notes(old, notes),
            )
        return capped

    def _commit(self, staging: Staging, state: State) -> None:
        if state != self._state:
            staging.add(STATE_FILE, encode_state(state))
        staging.commit()
        self._state = state


def _stage_record(staging: Staging, record: Record) -> None:
    staging.add(f"{SOURCES}/{record_file(record.id)}", encode_record(record))
