"""Committed batches into the table: their cells first, then the source's record, then the batch's object goes.

Each step looks first whether it is done, so that it can be repeated by anyone, at any time, with any of the steps of
others in between. Days before the cutoff are left out, unless they are held: their lines are counted, and deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pyarrow as pa

from loganon.aggregate import TableSpec, merge
from loganon.buckets import Bucket
from loganon.errors import InputOutputError
from loganon.periods import Spans, within
from loganon.store.cell import join_notes
from loganon.store.documents import damaged
from loganon.store.folds import Limits, cap_cell
from loganon.store.layout import CellName
from loganon.store.s3.batches import StoredBatch
from loganon.store.s3.names import SEALS, parse_seal, seal_key, source_key
from loganon.store.s3.seals import Standing, apply_seal, decode_seal
from loganon.store.s3.sources import Birth, Entry, decode_entry, encode_entry
from loganon.store.s3.table import Cell, Table, add_lines
from loganon.store.s3.view import drop_batch, read_state


@dataclass(slots=True)
class Seals:
    """The decisions of sealed days; each is read once, for it never changes."""

    bucket: Bucket
    _known: dict[date, Standing] = field(default_factory=dict)

    def days(self) -> set[date]:
        """The days that are decided."""
        return {day for each in self.bucket.list(SEALS) if (day := parse_seal(each.key))}

    def standing(self, day: date) -> Standing | None:
        """The values that stand in a day; None where it is not decided."""
        if day not in self._known:
            found = self.bucket.get(seal_key(day))
            if found is None:
                return None
            self._known[day] = decode_seal(found.data, self.bucket.where(seal_key(day)))
        return self._known[day]


@dataclass(frozen=True, slots=True)
class Folded:
    """How many cells were written, and how many rows went into `other` because their cell was full."""

    cells: int = 0
    capped: int = 0


@dataclass(frozen=True, slots=True)
class Folding:
    """Brings batches into the table. `held`: spans of days that stay, whatever the cutoff."""

    bucket: Bucket
    table: Table
    seals: Seals
    limits: Limits
    held: Spans = ()

    def __call__(self, chains: Mapping[str, Sequence[StoredBatch]], births: Mapping[str, Birth]) -> Folded:
        """The chains, by source, are in the table and in the records, and their objects are gone.

        A cell that cannot be read keeps back only the sources that touch it; then its error comes at the end.
        """
        cutoff, decided = read_state(self.bucket).cutoff, self.seals.days()
        touched = {name: group for name, group in _by_cell(chains.values()) if self._stays(name.day, cutoff)}

        def fold(name: CellName) -> int | InputOutputError | None:
            try:
                return self._fold(name, touched[name], sealed=name.day in decided)
            except InputOutputError as error:
                return error

        results = dict(zip(touched, self.bucket.map(fold, list(touched)), strict=True))
        self._recheck(touched, decided)
        failed = {name: error for name, error in results.items() if isinstance(error, InputOutputError)}
        kept_back = {batch.source for name in failed for batch in touched[name]}
        for source, chain in chains.items():
            if source not in kept_back:
                self._take_in(source, chain, births.get(source), cutoff)
        for error in failed.values():
            raise error
        written = [capped for capped in results.values() if isinstance(capped, int)]
        return Folded(len(written), sum(written))

    def seal(self, name: CellName, spec: TableSpec) -> None:
        """The cell, if there is one, is sealed; its day must be decided."""

        def change(cell: Cell | None) -> Cell | None:
            if cell is None or cell.sealed:
                return None
            return replace(cell, table=self._sealed(cell.table, name.day, spec), sealed=True)

        self._rewrite(name, spec, change)

    def _fold(self, name: CellName, chain: Sequence[StoredBatch], *, sealed: bool) -> int | None:
        """The batches are in the cell; the rows that did not fit, None where all were in it already."""
        spec = _spec(chain[0])
        over: int | None = None

        def change(cell: Cell | None) -> Cell | None:
            nonlocal over
            over = None
            held = dict(cell.held) if cell else {}
            missing = [batch for batch in chain if batch.end > held.get(batch.source, 0)]
            if not missing:
                return None
            rows = [batch.cells[name].rows for batch in missing]
            table = merge([cell.table, *rows] if cell else rows, spec)
            folds = sealed or (cell is not None and cell.sealed)
            if folds:
                table = self._sealed(table, name.day, spec)
            table, over = cap_cell(table, spec, self.limits)
            lines, notes = dict(cell.lines) if cell else {}, dict(cell.notes) if cell else {}
            for batch in missing:
                held[batch.source] = batch.end
                lines = add_lines(lines, batch.source, batch.cells[name].lines)
                notes = join_notes(notes, batch.notes)
            return Cell(table, lines, folds, held, notes)

        self._rewrite(name, spec, change)
        return over

    def _recheck(self, names: Mapping[CellName, Sequence[StoredBatch]], decided: set[date]) -> None:
        """Of the cells written those go that by now are before the cutoff; those of days decided since are sealed."""
        cutoff, since = read_state(self.bucket).cutoff, self.seals.days() - decided
        for name, chain in names.items():
            if not self._stays(name.day, cutoff):
                self.bucket.delete(name.path)
            elif name.day in since:
                self.seal(name, _spec(chain[0]))

    def _take_in(self, source: str, chain: Sequence[StoredBatch], birth: Birth | None, cutoff: date | None) -> None:
        """The source's record holds the chain, whose objects are gone."""
        key = source_key(source)

        def change(data: bytes | None) -> bytes | None:
            if data is not None:
                entry = decode_entry(data, self.bucket.where(key))
            elif birth is not None:
                entry = Entry(birth.record)
            else:
                return None  # it has ended
            done = entry.record.done
            for batch in chain:
                if batch.record is not None and batch.start == entry.record.done:
                    entry = entry.taking(batch.record, batch.days, batch.id, cutoff)
            return encode_entry(entry) if entry.record.done > done else None

        standing = self.bucket.change(key, change)
        done = decode_entry(standing, self.bucket.where(key)).record.done if standing else 0
        for batch in chain:
            if batch.end <= done:
                drop_batch(self.bucket, batch)

    def _sealed(self, table: pa.Table, day: date, spec: TableSpec) -> pa.Table:
        standing = self.seals.standing(day)
        if standing is not None:
            return apply_seal(table, standing, spec)
        if self._stays(day, read_state(self.bucket).cutoff):  # without it rare values would stand in a sealed day
            raise damaged(self.bucket.where(seal_key(day)))
        return table  # the day is deleted by now

    def _stays(self, day: date, cutoff: date | None) -> bool:
        return cutoff is None or day >= cutoff or within(day, self.held)

    def _rewrite(self, name: CellName, spec: TableSpec, change: Callable[[Cell | None], Cell | None]) -> None:
        """The cell's next version stands, as `change` gives it; where it gives None, nothing is written."""

        def next_of(data: bytes | None) -> bytes | None:
            cell = change(None if data is None else self.table.decode(name, data, spec))
            return None if cell is None else self.table.encode(name, cell)

        self.bucket.change(name.path, next_of)


def _by_cell(chains: Iterable[Sequence[StoredBatch]]) -> Iterator[tuple[CellName, list[StoredBatch]]]:
    """The cells in order, each with the batches that touch it; those of one source in their order."""
    found: dict[CellName, list[StoredBatch]] = {}
    for chain in chains:
        for batch in chain:
            for name in batch.cells:
                found.setdefault(name, []).append(batch)
    yield from sorted(found.items(), key=lambda each: each[0])


def _spec(batch: StoredBatch) -> TableSpec:
    if batch.spec is None:
        raise ValueError("this batch holds nothing")
    return batch.spec
