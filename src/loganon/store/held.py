"""A store under its lock: the only place from which it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

from loganon.aggregate import TableSpec
from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.periods import Period, Spans, within
from loganon.store.balance import Balance, balances
from loganon.store.batch import Batch, place, settle
from loganon.store.cells import Cells, Partition
from loganon.store.change import Change
from loganon.store.cutoff import is_another_day, plan_cutoff
from loganon.store.expiry import committed_at, plan_expiry
from loganon.store.files import Files, is_full, reported
from loganon.store.folds import Limits
from loganon.store.footers import Footers
from loganon.store.journal import Journal, Staging
from loganon.store.layout import STORE_FILE, Layout, check_writer
from loganon.store.manifest import Manifest, PolicyStamp, State, decode_manifest, encode_manifest
from loganon.store.merging import stage_cells
from loganon.store.outcomes import Committed, ConflictError, SealError
from loganon.store.quarantine import Quarantine
from loganon.store.records import Record, bury
from loganon.store.replacement import Replaced, Rewrite, plan_replacement, require_whole, stage_table
from loganon.store.reserve import Reserve
from loganon.store.reset import Reset, plan_reset
from loganon.store.retention import Deleted, Failure, Plan, Retention
from loganon.store.salvage import Salvage
from loganon.store.sealing import is_due, seal_day
from loganon.store.standing import Standing
from loganon.store.tallies import Tallies


class Held:
    """A store while its lock is held. `known`: what the caller took it for; `standing`: what it is.

    `findings` and `notes`: lists that take what is found: errors, and what was made good.
    """

    def __init__(
        self,
        files: Files,
        layout: Layout,
        journal: Journal,
        *,
        known: Manifest,
        standing: Manifest,
        limits: Limits,
        findings: list[LoganonError],
        notes: list[str],
        footers: Footers,
        tallies: Tallies,
    ) -> None:
        self._files = files
        self._layout = layout
        self._journal = journal
        self._known = known
        self._manifest = standing
        self._limits = limits
        self._notes = notes
        self._footers = footers
        self._tallies = tallies
        self._cells = Cells(files, layout, standing.uuid, standing.policy, footers, tallies)
        self._quarantine = Quarantine(files, layout)
        self._salvage = Salvage(layout, journal, self._quarantine, findings)
        self._reserve = Reserve(files, layout)
        self._standing = Standing(files, layout, journal)
        self._unsure = True
        self._open = True

    def close(self) -> None:
        """The lock is no longer held: nothing can be changed from here."""
        self._open = False

    def recover(self) -> None:
        """A standing commit is finished, nothing is left in staging, and state and records agree if they can."""
        with reported(self._layout.root):
            self._standing.read()
            self._stand_under(decode_manifest(self._files.read(self._layout.store), self._layout.store))
            made_good = self._standing.mend(self._cells, self._quarantine)
            self._notes += [made_good] if made_good else []
            self._reserve.keep()
        self._unsure = False

    @property
    def lost(self) -> LoganonError | None:
        """Why nothing can be counted: source records are lost and could not be made again."""
        return self._standing.lost

    @property
    def manifest(self) -> Manifest:
        """What the store is, by now."""
        return self._manifest

    @property
    def policy(self) -> PolicyStamp:
        """The policy under which the store stands."""
        return self._manifest.policy

    @property
    def cutoff(self) -> date | None:
        """The oldest day that may exist."""
        return self._standing.state.cutoff

    @property
    def floor(self) -> datetime | None:
        """The moment (UTC) before which lines are expired, whatever the cutoff."""
        return self._standing.state.floor

    @property
    def last_commit(self) -> datetime | None:
        """The clock at the last commit (UTC)."""
        return self._standing.state.last_commit

    def records(self) -> dict[str, Record]:
        """All source records by id; 74 where some are lost."""
        with self._changing():
            self._standing.require_records()
            return dict(self._standing.records)

    def partitions(self) -> Iterator[Partition]:
        """Every day that has a directory, oldest first.

        Whoever looks at all of them learns by `lost` whether the table is newer than the records, as after a backup was
        restored in part.
        """
        with reported(self._layout.root):
            for found in self._cells.partitions():
                self._standing.compare(found)
                yield found

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id."""
        return balances(self.partitions(), self.records(), self._standing.state)

    def raise_cutoff(self, day: date, now: datetime | None = None) -> None:
        """No day before `day` may exist, durably; a day before the present cutoff does not change it.

        `now`: the clock, which is that of the last commit then; where nothing rises, once a day. The lines of all days
        that thereby go are counted as deleted in the same commit. Their files are `retain`'s. On a full disk the
        reserve gives the room for the state alone, and the records are owed their lines.
        """
        if day <= (self.cutoff or date.min) and not is_another_day(self._standing.state, now):
            return
        with self._changing():
            gone = self._going(day)
            try:
                self._standing.apply(plan_cutoff(self._clocked(now), day, gone, self._standing.records))
            except OSError as error:
                if not is_full(error):
                    raise
                self._reserve.release()
                self._standing.read()
                if day > (self.cutoff or date.min):
                    self._standing.apply(plan_cutoff(self._clocked(now), day, gone, {}))

    def commit(
        self, batch: Batch, spec: TableSpec, *, now: datetime, writer: str | None, footer: Mapping[str, str]
    ) -> Committed:
        """The batch is counted, all of it, durably; ConflictError (nothing written) where the store has moved on.

        `footer`: notes for the footers of the cells touched (versions of lists, build dates of databases). A damaged
        cell that is touched lies in quarantine afterwards, and a new one is begun. ValueError: the batch's rows and
        lines do not agree, or a source is there twice.
        """
        with self._changing():
            self._standing.require_records()
            current = self._agreeing(batch)
            placed = place(batch, spec, self.cutoff, check_writer(writer), floor=self.floor)
            clock = committed_at(self._standing.state, now)
            records = {
                part.after.id: settle(part, current[part.after.id], placed.expired[part.after.id], clock)
                for part in batch.sources
            }
            write = partial(
                stage_cells,
                self._cells,
                placed=placed,
                spec=spec,
                limits=self._limits,
                notes=footer,
                records=records,
                now=now,
            )
            staging, capped = self._salvage.stage(write, now)
            generations = (self._standing.state.generations or 0) + len(records)
            state = replace(self._clocked(now), generations=generations)
            self._standing.apply(Change(state, records), staging)
        return Committed(len(placed.lines), dict(placed.expired), capped, records)

    def seal(self, spec: TableSpec, *, now: datetime, held: Spans = ()) -> tuple[date, ...]:
        """The days that were due and are now sealed, each in a commit of its own; of past ones only `held`.

        A cell that cannot be read keeps its day from being sealed, not the others; then a SealError comes at the end. A
        damaged one lies in quarantine afterwards.
        """
        self._check_known("policy")
        sealed, failed = [], None
        for day in self._cells.days():
            if not is_due(day, now) or (day < (self.cutoff or date.min) and not within(day, held)):
                continue
            try:
                with self._changing():
                    staging, done = self._salvage.stage(partial(self._seal, day=day, spec=spec), now)
                    if done:
                        self._standing.apply(Change(self._standing.state), staging)
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
            retention = Retention(self._files, self._layout, self._manifest.uuid, self._manifest.policy.sha256)
            deleted = retention.apply(plan, self.cutoff, now)
            self._reserve.keep()
        left = tuple(Failure(path, reason) for path, reason in self._journal.left)
        return Deleted(deleted.partitions, deleted.failures + left)

    def replace_table(self, rewrite: Rewrite, *, cutoff: date | None, now: datetime) -> Replaced:
        """The store is under another policy, and its table with it, in one commit that also raises the cutoff.

        What is before the cutoff is for `retain`. 74 where a cell is damaged or the table holds anything else; 73 where
        the file system cannot exchange directories.
        """
        with self._changing():
            self._standing.require_records()
            require_whole(self._layout, self._quarantine)
            staging = self._journal.begin()
            try:
                replaced = stage_table(self._cells, staging.begin_table(), rewrite, self._limits)
            except (OSError, LoganonError):  # such as a full disk, which half a table must not keep full
                with suppress(OSError):
                    self._journal.clear()
                raise
            manifest = replace(self._manifest, policy=rewrite.stamp)
            staging.add(STORE_FILE, encode_manifest(manifest))
            change = Change(self._standing.state)
            if cutoff is not None and cutoff > (self.cutoff or date.min):
                change = plan_cutoff(self._standing.state, cutoff, self._going(cutoff), self._standing.records)
            self._standing.apply(
                plan_replacement(self._standing.state, self._standing.records, change, rewrite.new.unit, now), staging
            )
            self._stand_under(manifest)
            self._known = manifest
            self._journal.clear()
        return replaced

    def expire_records(self, age: Period, now: datetime) -> tuple[str, ...]:
        """The ids of the records that are gone; when they go is `plan_expiry`'s."""
        with self._changing():
            change = plan_expiry(self._standing.state, self._standing.records, age, now.astimezone(UTC).date())
            if change is None:
                return ()
            self._standing.apply(change)
            gone = sorted(source for source, record in self._standing.records.items() if record == bury(source))
            self._standing.remove(gone)
        return tuple(gone)

    def reset_key(self, check: str, *, unit: str, now: datetime) -> Reset:
        """The store has another key, whose check value this is: no record stands for a log any more.

        `unit`: what one cell spans. See `reset`.
        """
        with self._changing():
            change = plan_reset(
                self._standing.state,
                self._standing.records,
                self._standing.unreadable,
                list(self._cells.partitions()),
                self._quarantine.names(),
                unit=unit,
                now=now,
            )
            staging = self._journal.begin()
            manifest = replace(self._manifest, key_check=check)
            staging.add(STORE_FILE, encode_manifest(manifest))
            self._standing.apply(change, staging)
            self._manifest = self._known = manifest
            self._standing.lost = None
        return Reset(change.state.floor, len(change.records))

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
        self._check_known("policy", "key")
        current = {}
        for part in batch.sources:
            if part.after.id in current:
                raise ValueError("a batch has each source once")
            found = current[part.after.id] = self._standing.records.get(part.after.id)
            if (found and found.generation) != (part.before and part.before.generation):
                raise ConflictError("another run has counted this log", where=str(self._layout.root), fix="Run again")
        return current

    def _check_known(self, *parts: str) -> None:
        """78 where the store is not what the caller takes it for: its policy, or its key, is another by now."""
        known, standing = self._known, self._manifest
        same = {
            "policy": known.policy.sha256 == standing.policy.sha256,
            "key": known.key_check == standing.key_check,
        }
        for part in parts:
            if not same[part]:
                raise ConfigurationError(
                    f"the store's {part} has changed meanwhile", where=str(self._layout.root), fix="Run again"
                )

    def _clocked(self, now: datetime | None) -> State:
        """The state as a commit by this clock leaves it."""
        return self._standing.state if now is None else replace(self._standing.state, last_commit=now.astimezone(UTC))

    def _going(self, cutoff: date) -> list[Partition]:
        """The days that go when the cutoff rises so far."""
        days = [found for found in self._cells.days() if (self.cutoff or date.min) <= found < cutoff]
        return [self._cells.partition(found) for found in days]

    def _stand_under(self, manifest: Manifest) -> None:
        """The store is what its manifest says; a commit that was finished only now may have changed it."""
        self._manifest = manifest
        self._cells = Cells(self._files, self._layout, manifest.uuid, manifest.policy, self._footers, self._tallies)

    def _seal(self, staging: Staging, *, day: date, spec: TableSpec) -> int:
        """How many cells of the day wait in `staging`, sealed; none where it is."""
        if not self._cells.names(day) or self._cells.sealed(day):
            return 0
        return seal_day(self._cells, staging, day, spec)
