"""A batch whose cells come one at a time is counted whole or not at all, and once, whatever is killed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from loganon.periods import parse_period
from loganon.sources.identity import batch_source, identify
from loganon.store import Batch, Files, LocalStore, Record, SourceBatch, plan_retention
from loganon.store.files import open_regular
from support.store_cases import NOW, SPEC, TODAY, at, back, make_store, requests_of, table
from support.store_disk import Counted, Killed, kill_at

SOURCE = batch_source(b"key", "2026-11-21")
CELLS = {
    at(back(3), 5): ["/often"] * 6,
    at(back(1), 9): ["/a", "/b"],
    at(TODAY, 8): ["/a"] * 2,
}
BEFORE_CUTOFF = {at(back(9), 1): ["/old"]}


class OneByOne:
    """The rows of each cell, as they are asked for, the newest first."""

    def __init__(self, cells: dict[datetime, list[str]]) -> None:
        self._cells = cells
        self.times = 0

    def __iter__(self) -> Iterator[pa.Table]:
        self.times += 1
        for start in sorted(self._cells, reverse=True):
            yield table([(start, file) for file in self._cells[start]])


def batch_of(cells: dict[datetime, list[str]], rejected: int = 2) -> Batch:
    counts = Counter({start: len(files) for start, files in cells.items()})
    lines = {"counted": counts.total(), "malformed": rejected}
    after = Record(SOURCE, "batches", done=counts.total() + rejected, lines=lines, newest=max(cells))
    return Batch(OneByOne(cells), (SourceBatch(None, after, counts),))


def write(store: LocalStore, cells: dict[datetime, list[str]] = CELLS | BEFORE_CUTOFF) -> bool:
    """As a driver does: whether the batch was counted now; one that is known is left alone."""
    with store.locked() as held:
        held.raise_cutoff(back(7))
        if SOURCE in held.records():
            return False
        held.commit(batch_of(cells), SPEC, now=NOW, writer=None, footer={})
        return True


def requests(cells: dict[datetime, list[str]]) -> dict[tuple[object, object], int]:
    return dict(Counter((start, file) for start, files in cells.items() for file in files))


def test_cells_come_one_at_a_time(tmp_path: Path) -> None:
    """Cells in any order are counted in one commit; lines before the cutoff are expired; the balance holds; a cell that
    stands is added to."""
    store = make_store(tmp_path / "s")
    assert write(store)
    assert requests_of(store.path) == requests(CELLS)
    record = store.records()[SOURCE]
    assert record.lines == {"counted": 10, "expired": 1, "malformed": 2}
    assert all(balance.holds for balance in store.balances().values())
    assert not write(store)
    other = batch_of(CELLS)
    renamed = replace(other.sources[0], after=replace(other.sources[0].after, id=batch_source(b"key", "other")))
    with store.locked() as held:
        held.commit(replace(other, sources=(renamed,)), SPEC, now=NOW, writer=None, footer={})
    assert requests_of(store.path) == {name: 2 * count for name, count in requests(CELLS).items()}


@pytest.mark.parametrize(
    "given", [{}, {at(TODAY, 8): ["/a"] * 2}, CELLS | {at(TODAY, 9): ["/more"]}, CELLS | {at(TODAY, 8): ["/a"]}]
)
def test_rows_that_are_not_the_lines(tmp_path: Path, given: dict[datetime, list[str]]) -> None:
    """A cell too few, too many, or of other sums than the books say: nothing of the batch is counted."""
    store = make_store(tmp_path / "s")
    wrong = replace(batch_of(CELLS), rows=OneByOne(given))
    with store.locked() as held, pytest.raises(ValueError, match="not its counted lines"):
        held.commit(wrong, SPEC, now=NOW, writer=None, footer={})
    assert (store.records(), requests_of(store.path)) == ({}, {})
    assert write(store)
    assert not list((store.path / "_loganon" / "staging").iterdir())


def test_killed_at_every_operation(tmp_path: Path) -> None:
    """A driver that is killed at any operation of its commit, and writes the batch again: it is counted once, whole."""
    made = make_store(tmp_path / "made")
    with made.locked() as held:  # the reserve is there
        held.raise_cutoff(back(7))
    files = Counted()
    write(LocalStore.open(shutil.copytree(made.path, tmp_path / "counted"), files=files))
    again: Counter[bool] = Counter()
    for step in range(1, len(files.steps)):
        path = shutil.copytree(made.path, tmp_path / str(step))
        with pytest.raises(Killed):
            write(LocalStore.open(path, files=Counted(kill_at(step))))
        store = LocalStore.open(path, files=Files())
        again[write(store)] += 1
        assert requests_of(path) == requests(CELLS), files.steps[step]
        assert all(balance.holds for balance in store.balances().values())
        shutil.rmtree(path)
    assert again[True] > 5  # before the commit point
    assert again[False] > 5  # behind it


def test_a_damaged_cell_begins_again(tmp_path: Path) -> None:
    """A standing cell that cannot be read goes into quarantine, and the batch's cells are asked for once more."""
    store = make_store(tmp_path / "s")
    assert write(store)
    first = store.records()[SOURCE]
    cell = next((store.path / "access").glob("*/*08.parquet"))
    with open_regular(cell) as file:
        data = bytearray(file.read())
    data[40] ^= 0xFF
    cell.write_bytes(data)
    batch = batch_of(CELLS)
    before = replace(batch.sources[0], before=first, after=replace(batch.sources[0].after, lines={"counted": 20}))
    with store.locked() as held:
        held.commit(replace(batch, sources=(before,)), SPEC, now=NOW, writer=None, footer={})
    assert isinstance(batch.rows, OneByOne)
    assert batch.rows.times == 2
    assert requests_of(store.path)[(at(back(3), 5), "/often")] == 12


def test_a_batch_is_no_log() -> None:
    """A batch's source does not tell its name without the key, differs by name and key, and is no log."""
    assert len({SOURCE, batch_source(b"key", "2026-11-22"), batch_source(b"other", "2026-11-21")}) == 3
    assert "2026" not in SOURCE
    record = Record(SOURCE, "access.log")
    assert identify(b"key", b"a line\n", "access.log", named=False, records=[record]).kind == "new"


def test_a_batch_whose_record_has_gone(tmp_path: Path) -> None:
    """A batch that comes again after its record has expired: each line that was counted is expired now."""
    store, age = make_store(tmp_path / "s"), parse_period("7 days")
    assert write(store)
    later = NOW + timedelta(days=30)
    with store.locked() as held:
        held.raise_cutoff(age.cutoff(later.date()), later)
        held.retain(plan_retention(held.partitions(), held.cutoff), later)
        assert held.expire_records(age, later) == (SOURCE,)
        again = held.commit(batch_of(CELLS), SPEC, now=later, writer=None, footer={})
    assert again.expired == {SOURCE: 10}
    assert requests_of(store.path) == {}
    assert all(balance.holds for balance in store.balances().values())
