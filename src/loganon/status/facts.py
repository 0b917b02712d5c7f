"""How a store is at one moment: what it holds, what goes next, what is wrong. Read from footers; no page is opened,
but for the domains of its newest days.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loganon.dated import Dated, load_dated
from loganon.errors import ConfigurationError, InputOutputError
from loganon.fields import REQUESTS
from loganon.gate import REDACTED
from loganon.lookups.providers import open_database
from loganon.policy import Policy, from_canonical
from loganon.policy.hold import Hold
from loganon.status.mounts import network_file_system
from loganon.store import LocalStore, Partition, Place, Store, open_standing
from loganon.store.layout import partition_name
from loganon.store.tree import Fault, find_wrong_modes, find_wrong_owners

RECENT = 3
"""Newest days whose domains are counted."""
_DOMAIN = "domain"
_SHAPE = pa.schema([(_DOMAIN, pa.string()), (REQUESTS, pa.int64())])
_NOTE = "provider_db_"
_DATABASE = re.compile(r"(.+) ([0-9]{4}-[0-9]{2}-[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Database:
    """A provider database: its type, the day it was built, and its path (None: a footer names it)."""

    type: str
    built: date
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The facts; lists are in order. `domains`: requests by kind of domain in the `recent` days."""

    store: str
    uuid: str
    created: datetime
    policy: Policy
    policy_sha256: str
    partitions: tuple[Partition, ...]
    cutoff: date | None
    last_commit: datetime | None
    lines: Mapping[str, int]
    deleted: int
    records: int
    damaged_records: tuple[str, ...]
    generations: tuple[int, int]
    recent: tuple[date, ...]
    domains: Mapping[str, int]
    databases: tuple[Database, ...]
    quarantined: tuple[str, ...]
    permissions: tuple[Fault, ...]
    interrupted: bool
    network: str | None
    now: datetime
    has_table: bool = True
    elsewhere: Dated = field(default_factory=Dated)

    @property
    def today(self) -> date:
        """The day of the clock, in UTC."""
        return self.now.astimezone(UTC).date()

    @property
    def overdue(self) -> tuple[date, ...]:
        """Days that had to be gone by now."""
        return tuple(part.day for part in self.partitions if self._goes(part.day) <= self.today)

    @property
    def next_deletion(self) -> tuple[date, date] | None:
        """The next day to go that is not overdue, and when it goes."""
        coming = [(self._goes(part.day), part.day) for part in self.partitions if self._goes(part.day) > self.today]
        on, day = min(coming, default=(date.max, date.max))
        return None if on == date.max else (day, on)

    @property
    def held(self) -> tuple[date, ...]:
        """Days that a hold keeps for now."""
        holds = [hold for hold in self.policy.hold if hold.stands(self.today)]
        return tuple(part.day for part in self.partitions if any(hold.covers(part.day) for hold in holds))

    @property
    def ended(self) -> tuple[Hold, ...]:
        """Holds that have ended and still stand in the policy."""
        return tuple(hold for hold in self.policy.hold if not hold.stands(self.today))

    @property
    def sealed_through(self) -> date | None:
        """The day up to which all days that stand are sealed."""
        return sealed_until(self.partitions)

    @property
    def damaged(self) -> tuple[str, ...]:
        """The cells that cannot be read."""
        return tuple(name.path for part in self.partitions for name in part.damaged)

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of each kind of domain; nothing without accesses."""
        total = sum(self.domains.values())
        return {kind: round(count / total, 4) for kind, count in self.domains.items()} if total else {}

    def _goes(self, day: date) -> date:
        """The day on which a partition goes. One before the cutoff goes as its holds end, also before its age comes: a
        `--lead` moved the cutoff; one that no hold keeps had to go at once.
        """
        if self.cutoff is None or day >= self.cutoff:
            return self.policy.goes(day)
        return max(
            (hold.until for hold in self.policy.hold if hold.covers(day) and hold.stands(self.today)), default=date.min
        )


def sealed_until(partitions: Iterable[Partition]) -> date | None:
    """The day up to which all of the days, given oldest first, are sealed; one without cells counts for nothing."""
    found = None
    for part in partitions:
        if part.cells and not part.sealed:
            break
        found = part.day if part.cells else found
    return found


def load_status(place: Place, *, now: datetime, databases: Sequence[str | Path] = ()) -> Status:
    """The status of the store at `place`; 78 where there is none, 74 where its own files cannot be read.

    `databases`: provider databases whose age is to be told besides those that the footers name.
    """
    given = [open_database(each) for each in databases]
    store = open_standing(place)
    partitions = tuple(store.partitions())
    recent = tuple(part for part in partitions if part.cells)[-RECENT:]
    records, damaged = store.records_safely()
    lines: Counter[str] = Counter()
    for record in records.values():
        lines.update(record.lines)
    local = store if isinstance(store, LocalStore) else None
    policy = from_canonical(store.policy.text, where=str(store.path))
    entries = local.tree() if local else ()
    return Status(
        store=str(place),
        uuid=store.uuid,
        created=store.created,
        policy=policy,
        policy_sha256=store.policy.sha256,
        partitions=partitions,
        cutoff=store.cutoff(),
        last_commit=store.last_commit(),
        lines=lines,
        deleted=sum(record.deleted for record in records.values()),
        records=len(records),
        damaged_records=tuple(damaged),
        generations=store.generations(),
        recent=tuple(part.day for part in recent),
        domains=_domains(store, recent),
        databases=(
            *(Database(each.type, each.built.date(), str(each.path)) for each in given),
            *_noted(recent),
        ),
        quarantined=_unrestored(store, partitions),
        permissions=(
            (*find_wrong_modes(entries, local.modes), *find_wrong_owners(entries, local.modes)) if local else ()
        ),
        interrupted=_is_interrupted(store),
        network=network_file_system(local.path) if local else None,
        now=now,
        has_table=local is None or local.has_table,
        elsewhere=load_dated(policy, today=now.astimezone(UTC).date(), store=local.path if local else None),
    )


def _unrestored(store: Store, partitions: Iterable[Partition]) -> tuple[str, ...]:
    """The damaged cells in quarantine for which no good copy stands."""
    standing = {(part.day, cell.name.file) for part in partitions for cell in part.cells}
    lost = [each for each in store.quarantined() if (each.day, each.restored) not in standing]
    return tuple(f"{partition_name(each.day)}/{each.file}" for each in lost)


def _is_interrupted(store: Store) -> bool:
    try:
        return store.pending() is not None
    except (InputOutputError, ConfigurationError):
        return True


def _domains(store: Store, partitions: Iterable[Partition]) -> Mapping[str, int]:
    """Requests by kind of domain; nothing where the policy keeps none."""
    tables = []
    for cell in (cell for part in partitions for cell in part.cells):
        try:
            with store.open_cell(cell.name) as opened, pq.ParquetFile(opened) as file:  # read_table would import pandas
                if not set(_SHAPE.names) <= set(file.schema_arrow.names):
                    return {}
                tables.append(file.read(columns=_SHAPE.names, use_threads=False).cast(_SHAPE))
        except (pa.ArrowException, OSError, ValueError, KeyError):
            continue  # a damaged cell is a problem of its own
    if not tables:
        return {}
    kinds: Counter[str] = Counter()
    sums = pa.concat_tables(tables).group_by(_DOMAIN).aggregate([(REQUESTS, "sum")]).to_pydict()
    for domain, count in zip(sums[_DOMAIN], sums[f"{REQUESTS}_sum"], strict=True):
        kinds[_kind(domain)] += count
    return {kind: kinds[kind] for kind in ("provider", "suffix", "unknown", "other", "redacted")}


def _kind(domain: str) -> str:
    if domain.startswith("."):
        return "suffix"
    return {"unknown": "unknown", "other": "other", REDACTED: "redacted"}.get(domain, "provider")


def _noted(partitions: Iterable[Partition]) -> list[Database]:
    """The databases that the cells of these days were made with, the newest first."""
    texts = {
        text
        for part in partitions
        for cell in part.cells
        if cell.footer
        for name, value in cell.footer.notes.items()
        if name.startswith(_NOTE)
        for text in value.split("; ")
    }
    found = [database for text in texts if (database := _database(text))]
    return sorted(found, key=lambda each: (each.built, each.type))[::-1]


def _database(text: str) -> Database | None:
    """The database that a note names; None for a note of another form, or of no day."""
    match = _DATABASE.fullmatch(text)
    try:
        return Database(match[1], date.fromisoformat(match[2])) if match else None
    except ValueError:
        return None
