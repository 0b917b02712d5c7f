"""What a run needs of a store, wherever it lies: the local directory and the bucket both give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from loganon.aggregate import TableSpec
from loganon.errors import LoganonError
from loganon.periods import Period, Spans
from loganon.store.balance import Balance
from loganon.store.batch import Batch
from loganon.store.cells import Partition
from loganon.store.documents import Document
from loganon.store.layout import CellName
from loganon.store.manifest import PolicyStamp
from loganon.store.outcomes import Committed
from loganon.store.quarantine import Quarantined
from loganon.store.records import Record
from loganon.store.retention import Deleted, Plan


class HeldStore(Protocol):
    """A store while it may be changed: the methods of `Held`, where each is described."""

    @property
    def cutoff(self) -> date | None:
        """The oldest day that may exist."""
        ...

    @property
    def floor(self) -> datetime | None:
        """The moment before which lines are expired, whatever the cutoff."""
        ...

    @property
    def last_commit(self) -> datetime | None:
        """The clock at the last commit."""
        ...

    def records(self) -> dict[str, Record]:
        """All source records by id."""
        ...

    def partitions(self) -> Iterator[Partition]:
        """Every day that stands, oldest first."""
        ...

    def raise_cutoff(self, day: date, now: datetime | None = None) -> None:
        """No day before `day` may exist."""
        ...

    def commit(
        self, batch: Batch, spec: TableSpec, *, now: datetime, writer: str | None, footer: Mapping[str, str]
    ) -> Committed:
        """The batch is counted; what was overtaken is not among the answer's records."""
        ...

    def seal(self, spec: TableSpec, *, now: datetime, held: Spans = ()) -> tuple[date, ...]:
        """The days that were due and are now sealed."""
        ...

    def retain(self, plan: Plan, now: datetime) -> Deleted:
        """The plan is carried out."""
        ...

    def expire_records(self, age: Period, now: datetime) -> tuple[str, ...]:
        """The ids of the records that are gone."""
        ...


class Store(Protocol):
    """An existing store: the methods of `LocalStore`, where each is described.

    `path`: its directory or URL; `exclusive`: whoever may change it is alone, and a batch of many sources is committed
    whole; else each source by itself, which then needs its own rows.
    """

    @property
    def path(self) -> Path | str:
        """Its directory or URL."""
        ...

    @property
    def uuid(self) -> str:
        """Its identity."""
        ...

    @property
    def policy(self) -> PolicyStamp:
        """The policy that it is held under."""
        ...

    held: Spans
    """Spans of days that stay, whatever the cutoff: whoever knows the policy says so before the store is changed."""

    @property
    def created(self) -> datetime:
        """When it was made (UTC)."""
        ...

    @property
    def group(self) -> str | None:
        """Who else may read its files."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whoever may change it is alone."""
        ...

    @property
    def findings(self) -> list[LoganonError]:
        """What was found wrong while it was changed."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was made good."""
        ...

    def catch_up(self) -> None:
        """A commit that brings another policy or key, and stands unfinished, is finished."""
        ...

    def check_key(self, value: str) -> None:
        """78 where the store has another key."""
        ...

    def check_records(self) -> None:
        """74 where records are lost."""
        ...

    def locked(self, wait: timedelta = ...) -> AbstractContextManager[HeldStore]:
        """The store to change."""
        ...

    def cutoff(self) -> date | None:
        """The oldest day that may exist."""
        ...

    def floor(self) -> datetime | None:
        """The moment before which lines are expired."""
        ...

    def last_commit(self) -> datetime | None:
        """The clock at the last commit."""
        ...

    def records(self) -> dict[str, Record]:
        """All source records by id."""
        ...

    def records_safely(self) -> tuple[dict[str, Record], tuple[str, ...]]:
        """The records that can be read, and the ids of the others."""
        ...

    def generations(self) -> tuple[int, int]:
        """What the records' generations are to add up to, and what they do."""
        ...

    def partitions(self) -> Iterator[Partition]:
        """Every day that stands, oldest first."""
        ...

    def open_cell(self, name: CellName) -> BinaryIO:
        """A cell's file, to read; OSError if it has gone."""
        ...

    def pending(self) -> object | None:
        """What is committed and not finished; None where nothing is."""
        ...

    def balances(self) -> dict[str, Balance]:
        """Conservation by source."""
        ...

    def deletions(self) -> list[Document]:
        """The deletion record."""
        ...

    def quarantined(self) -> list[Quarantined]:
        """Damaged cells."""
        ...
