"""A store under a prefix of a bucket: created once, read by anyone, changed by anyone at any time."""

from __future__ import annotations

import hmac
import io
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO

from loganon.buckets import Bucket
from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.periods import Spans
from loganon.store.balance import Balance, balances
from loganon.store.cell import Footer
from loganon.store.cells import CellInfo, Partition
from loganon.store.documents import Document
from loganon.store.folds import Limits
from loganon.store.layout import CellName
from loganon.store.manifest import Manifest, PolicyStamp, decode_manifest, encode_manifest
from loganon.store.quarantine import Quarantined
from loganon.store.records import Record
from loganon.store.s3.deletions import Deletions
from loganon.store.s3.folding import Seals
from loganon.store.s3.held import S3Held
from loganon.store.s3.names import PROBES, STORE
from loganon.store.s3.probe import probe
from loganon.store.s3.table import Table, held_by
from loganon.store.s3.view import View, Viewer, read_state

WAIT = timedelta(seconds=60)


class S3Store:
    """An existing store in a bucket.

    `uuid`, `path` (its URL), `policy` (frozen), `created`, `limits`, `held`, `findings`, `notes`: as of a local store;
    `group`: None, since the bucket's policy says who may read.
    """

    group: None = None
    exclusive = False
    """No lock keeps others out: each source of a batch is committed by itself, and gives its own rows."""

    def __init__(
        self, bucket: Bucket, manifest: Manifest, *, limits: Limits | None = None, accept_versioned: bool = False
    ) -> None:
        self.path = bucket.where()
        self.uuid = manifest.uuid
        self.policy = manifest.policy
        self.created = manifest.created
        self.limits = limits or Limits()
        self.held: Spans = ()
        self.findings: list[LoganonError] = []
        self.notes: list[str] = []
        self._bucket = bucket
        self._manifest = manifest
        self._accept_versioned = accept_versioned
        self._table = Table(bucket, manifest.uuid, manifest.policy)
        self._viewer = Viewer(bucket)
        self._seals = Seals(bucket)
        self._ready = False

    @classmethod
    def create(
        cls,
        bucket: Bucket,
        stamp: PolicyStamp,
        *,
        key_check: str,
        now: datetime,
        limits: Limits | None = None,
        accept_versioned: bool = False,
    ) -> S3Store:
        """A new store under an empty prefix; 78 where anything else lies there, or another was made meanwhile."""
        cls.check_place(bucket)
        probe(bucket, accept_versioned=accept_versioned)
        manifest = Manifest(str(uuid.uuid4()), now.astimezone(UTC), stamp, key_check, None)
        bucket.create(STORE, encode_manifest(manifest))
        standing = _read_manifest(bucket)
        if standing is None:
            raise bucket.busy(STORE)
        if (standing.policy.sha256, standing.key_check) != (stamp.sha256, key_check):
            raise ConfigurationError("another store was made here", where=bucket.where(), fix="Choose another --store")
        return cls(bucket, standing, limits=limits, accept_versioned=accept_versioned)

    @classmethod
    def open(cls, bucket: Bucket, *, limits: Limits | None = None, accept_versioned: bool = False) -> S3Store:
        """The store of the prefix; 78 if there is none."""
        store = cls.open_or_none(bucket, limits=limits, accept_versioned=accept_versioned)
        if store is None:
            raise ConfigurationError(
                "there is no store", where=bucket.where(), fix="Check --store; `loganon run` makes one"
            )
        return store

    @classmethod
    def open_or_none(
        cls, bucket: Bucket, *, limits: Limits | None = None, accept_versioned: bool = False
    ) -> S3Store | None:
        """The store of the prefix; None if there is none. 78 where there is no such bucket."""
        manifest = _read_manifest(bucket)
        if manifest is None:
            return None
        return cls(bucket, manifest, limits=limits, accept_versioned=accept_versioned)

    @staticmethod
    def check_place(bucket: Bucket) -> None:
        """Nothing where `create` could make a store; 78 where something else lies under the prefix.

        An empty object of the prefix's own name is what other tools leave where they make a folder.
        """
        standing = [each.key for each in bucket.list("") if each.key or each.size]
        others = [key for key in standing if key != STORE and not key.startswith(f"{PROBES}/")]
        if others and bucket.get(STORE) is None:
            raise ConfigurationError(
                "the prefix is not empty and holds no store", where=bucket.where(), fix="Choose another --store"
            )

    def catch_up(self) -> None:
        """Nothing: policy and key of a store in a bucket are what they were at its creation."""

    def check_key(self, value: str) -> None:
        """Nothing if the key is the one the store was made with; 78 otherwise."""
        if not hmac.compare_digest(value.encode(), self._manifest.key_check.encode()):
            raise ConfigurationError(
                "the key is not the one that this store was made with",
                where=self.path,
                fix="Give its key by --key-file",
            )

    @contextmanager
    def locked(self, wait: timedelta = WAIT) -> Iterator[S3Held]:
        """The store to change, along with others: there is no lock, and nothing to wait for.

        The first time, the bucket is tried and what others left unfinished is finished.
        """
        del wait
        held = self._held()
        if not self._ready:
            probe(self._bucket, accept_versioned=self._accept_versioned)
            self._ready = True
            try:
                held.recover()
            except InputOutputError as error:  # such as a damaged cell, which must stop no deletion
                self.findings.append(error)
        yield held

    @contextmanager
    def still(self, wait: timedelta = WAIT) -> Iterator[None]:
        """A block; nobody is kept from changing the store."""
        del wait
        yield

    def recover(self) -> None:
        """What is committed is in the table, and what never counts is gone; no more is looked at."""
        self._held().recover()

    def open_cell(self, name: CellName) -> BinaryIO:
        """A cell's file, to read; FileNotFoundError if it has gone."""
        found = self._bucket.get(name.path)
        if found is None:
            raise FileNotFoundError(name.path)
        return io.BytesIO(found.data)

    def cutoff(self) -> date | None:
        """The oldest day that may exist; None before the first is set."""
        return read_state(self._bucket).cutoff

    def floor(self) -> datetime | None:
        """The moment (UTC) before which lines are expired, whatever the cutoff; None: no such moment."""
        return read_state(self._bucket).floor

    def last_commit(self) -> datetime | None:
        """The clock at the last run or commit (UTC), within an hour."""
        return read_state(self._bucket).last_commit

    def records(self) -> dict[str, Record]:
        """All source records by id, with what is committed and not yet in the table."""
        return self._viewer().records()

    def records_safely(self) -> tuple[dict[str, Record], tuple[str, ...]]:
        """As `records`; none is damaged, or that raises."""
        return self.records(), ()

    def check_records(self) -> None:
        """Nothing: a record that is lost cannot be told from one that never was."""

    def generations(self) -> tuple[int, int]:
        """Twice the sum of all records' generations: nothing else states it."""
        found = sum(record.generation for record in self.records().values())
        return found, found

    def quarantined(self) -> list[Quarantined]:
        """None: a damaged cell stays where it is and goes with its day."""
        return []

    def quarantine_log(self) -> list[Document]:
        """None, as above."""
        return []

    def partitions(self) -> Iterator[Partition]:
        """Every day that has cells, oldest first; why a cell of them could not be had is among the findings."""
        yield from self._table.partitions(self._table.listed())
        self.findings += self._table.failed.values()

    def balances(self) -> dict[str, Balance]:
        """Conservation by source id, with what is committed and not yet in the table; exact while nobody writes."""
        view = self._viewer()
        partitions = _with_pending(self.partitions(), view, self)
        return balances(partitions, view.records(), view.state)

    def deletions(self) -> list[Document]:
        """The deletion record, oldest first."""
        return Deletions(self._bucket, self.policy.sha256).entries()

    def pending(self) -> int | None:
        """How many committed batches are not yet in the table, None where all are; the next run finishes them."""
        return sum(len(chain) for chain in self._viewer().pending.values()) or None

    def _held(self) -> S3Held:
        return S3Held(
            self._bucket,
            self._table,
            self._viewer,
            self._seals,
            limits=self.limits,
            held=self.held,
            findings=self.findings,
        )


def _read_manifest(bucket: Bucket) -> Manifest | None:
    found = bucket.get(STORE)
    return decode_manifest(found.data, bucket.where(STORE)) if found else None


def _with_pending(partitions: Iterator[Partition], view: View, store: S3Store) -> Iterator[Partition]:
    """The days, and a made-up cell for each batch's lines that its cell does not hold yet."""
    held: dict[CellName, Mapping[str, int]] = {}
    for found in partitions:
        held |= {cell.name: held_by(cell.footer) for cell in found.cells if cell.footer}
        yield found
    for batch in (each for chain in view.pending.values() for each in chain):
        for name, part in batch.cells.items():
            if batch.end > held.get(name, {}).get(batch.source, 0):
                policy = store.policy
                footer = Footer(
                    store.uuid, policy.name, policy.sha256, {batch.source: part.lines}, sealed=False, rows=0
                )
                yield Partition(name.day, (CellInfo(name, 0, footer),))
