"""Days that are held, in a bucket: what is committed and not in the table yet comes into them past the cutoff, too."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loganon.buckets import Bucket
from loganon.errors import InputOutputError
from loganon.periods import Spans
from loganon.store import plan_retention
from loganon.store.s3.copying import copy_store
from support.interleaving import LOCATION, Killed, open_bucket
from support.object_cases import keeper, make_store, open_store, stored, wanted, writer
from support.object_server import Hooked, Memory
from support.store_cases import NOW, at, back

GONE, DAY, CUTOFF = back(10), back(9), back(2)
HELD = ((DAY, DAY),)
LOG = [(at(day, hour), f"/{hour}") for day in (GONE, DAY, back(1)) for hour in (1, 2)]
LOGS = {"one": LOG}
KEPT = {line: 1 for line in LOG if line[0].date() != GONE}


def holding(held: Spans = HELD) -> Callable[[Bucket], None]:
    """An actor that raises the cutoff past the day and deletes, as a run does that finds these days held."""

    def act(bucket: Bucket) -> None:
        store = open_store(bucket)
        store.held = held
        with store.locked() as open_held:
            open_held.raise_cutoff(CUTOFF, NOW)
            open_held.retain(plan_retention(open_held.partitions(), open_held.cutoff, held=held), NOW)

    return act


def orphaned() -> Memory:
    """A store after a writer died as soon as its batch stood."""
    memory = Memory()
    make_store(open_bucket(memory))

    def after(name: str, key: str) -> None:
        if name == "put" and "/batches/" in key:
            raise Killed

    with suppress(Killed):
        writer(LOGS, name=None, step=100)(Bucket(Hooked(memory, after=after), LOCATION, lanes=1))
    return memory


def raise_only(memory: Memory) -> None:
    """Another run has raised the cutoff past the day, and come no further; it had looked before the batch was put."""
    store = open_store(open_bucket(memory))
    store._ready = True
    with store.locked() as held:
        held.raise_cutoff(CUTOFF, NOW)


def balanced(memory: Memory) -> bool:
    return all(balance.holds for balance in open_store(open_bucket(memory)).balances().values())


def test_a_waiting_batch(tmp_path: Path) -> None:
    """A batch that stands and is brought into the table when the cutoff has passed a held day loses no row of it, and
    `verify`, which reads a copy, finds them; what is before the cutoff and not held goes, and all at the hold's end."""
    memory = orphaned()
    raise_only(memory)
    copy_store(open_bucket(memory), tmp_path, HELD)
    assert sorted(path.parent.name for path in tmp_path.glob("access/*/hour-01*")) == [f"date={DAY}", f"date={back(1)}"]
    holding()(open_bucket(memory))
    assert stored(memory.objects) == KEPT
    assert balanced(memory)
    holding(())(open_bucket(memory))
    assert stored(memory.objects) == wanted(LOGS, CUTOFF)
    assert balanced(memory)


@pytest.mark.parametrize("late", [False, True])
def test_the_cutoff_rises_over_a_held_day(late: bool) -> None:
    """The cutoff rises over a held day at any moment of a commit into it: what was counted of it stands, and also what
    stood there before."""
    step, seen = 0, set()
    while True:
        step += 3
        memory = Memory()
        make_store(open_bucket(memory))
        if late:
            writer({"old": [(at(DAY, 1), "/old")]}, name=None, step=100)(open_bucket(memory))
        count = 0

        def before(_name: str, _key: str, memory: Memory = memory, step: int = step) -> None:
            nonlocal count
            count += 1
            if count == step:
                holding()(open_bucket(memory))

        bucket = Bucket(Hooked(memory, before=before), LOCATION, lanes=1, pause=lambda _s: None)
        writer(LOGS, name=None, step=100, kept=HELD)(bucket)
        if count < step:
            break
        found, record = stored(memory.objects), open_store(open_bucket(memory)).records()
        expired = sum(each.lines.get("expired", 0) for each in record.values())
        assert expired in (0, 4)  # both days before the cutoff, where it rose before the batch was made
        due = {line: 1 for line in LOG if line[0].date() >= (CUTOFF if expired else DAY)}
        assert found == due | ({(at(DAY, 1), "/old"): 1} if late else {})
        assert balanced(memory)
        seen.add(expired)
    assert seen == {0, 4}


def test_what_cannot_be_brought_into_the_table() -> None:
    """Of a batch whose cell is damaged the rows before the cutoff go, but for those of held days, which wait."""
    memory = orphaned()
    damaged = f"access/date={back(1)}/hour-01.parquet"
    memory.objects[damaged] = b"PAR1 no cell PAR1"
    holding()(open_bucket(memory))
    (batch,) = (data for key, data in memory.objects.items() if "/batches/" in key)
    assert {row["time"].date() for row in pq.ParquetFile(io.BytesIO(batch)).read().to_pylist()} == {DAY, back(1)}
    del memory.objects[damaged]
    holding()(open_bucket(memory))
    assert stored(memory.objects) == KEPT
    assert balanced(memory)


def test_a_lost_decision_of_a_held_day() -> None:
    """Late lines wait where the values that stand in a sealed day are lost, also of a held day before the cutoff."""
    memory = orphaned()
    keeper([back(40)])(open_bucket(memory))
    (seal,) = (key for key in memory.objects if "/seals/" in key and str(DAY) in key)
    late = {"two": [(at(DAY, 1), "/rare")]}

    def after(name: str, key: str) -> None:
        if name == "put" and "/batches/" in key:
            raise Killed

    with suppress(Killed):
        writer(late, name=None, step=100)(Bucket(Hooked(memory, after=after), LOCATION, lanes=1))
    kept = memory.objects.pop(seal)
    before = stored(memory.objects)
    store = open_store(open_bucket(memory))
    store.held = HELD
    with store.locked() as held:
        held.raise_cutoff(CUTOFF, NOW)
        held.retain(plan_retention(held.partitions(), held.cutoff, held=HELD), NOW)
    assert any(isinstance(error, InputOutputError) and seal in str(error) for error in store.findings)
    assert stored(memory.objects) == {line: n for line, n in before.items() if line[0].date() != GONE}
    memory.objects[seal] = kept
    holding()(open_bucket(memory))
    assert stored(memory.objects)[at(DAY, 1), "other"] == before[at(DAY, 1), "other"] + 1
