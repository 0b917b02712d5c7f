"""One actor is stopped before each of its operations in turn, another does its whole work there, the first goes on.

What random interleavings meet seldom is met here each time. Every fourth operation, unless `LOGANON_INTERLEAVINGS` is
set: then every one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from loganon.buckets import Bucket
from loganon.store import Limits
from loganon.store.s3.batches import decode_batch, encode_batch
from loganon.store.s3.folding import Folding, Seals
from loganon.store.s3.sealing import seal_days
from loganon.store.s3.table import Table
from support.interleaving import LOCATION, Killed, open_bucket
from support.object_cases import check_settled, keeper, made_log, make_store, open_store, stored, writer
from support.object_server import Hooked, Memory
from support.store_cases import NOW, SPEC, back

STRIDE = 1 if os.environ.get("LOGANON_INTERLEAVINGS") else 4
Actor = Callable[[Bucket], None]
LOG = made_log(6, name="one", days=2)
LOGS = {"one": LOG}


def stopped(memory: Memory, first: Actor, second: Callable[[Memory], None], step: int) -> bool:
    """`first` with the whole of `second` before its operation number `step`; False where it has not so many."""
    count = 0

    def before(_name: str, _key: str) -> None:
        nonlocal count
        count += 1
        if count == step:
            second(memory)

    first(Bucket(Hooked(memory, before=before), LOCATION, lanes=1, pause=lambda _s: None))
    return count >= step


def at_each_step(
    start: Memory, first: Actor, second: Callable[[Memory], None], check: Callable[[Memory], None], *, least: int
) -> None:
    step = 0
    while True:
        step += STRIDE
        memory = Memory(dict(start.objects))
        if not stopped(memory, first, second, step):
            break
        check(memory)
    assert step > least


def new_memory() -> Memory:
    memory = Memory()
    make_store(open_bucket(memory))
    return memory


def settled(memory: Memory) -> None:
    writer(LOGS, name=None, step=100)(open_bucket(memory))
    with open_store(open_bucket(memory)).locked() as held:
        held.recover()
    check_settled(memory, open_bucket(memory), LOGS)


def orphaned(known: Memory, lines: int) -> tuple[Memory, dict[str, bytes]]:
    """The store after a writer died as soon as its batch of so many lines stood, and that batch."""
    memory = Memory(dict(known.objects))

    def after(name: str, key: str) -> None:
        if name == "put" and "/batches/" in key:
            raise Killed

    with suppress(Killed):
        writer(LOGS, name=None, step=lines)(Bucket(Hooked(memory, after=after), LOCATION, lanes=1))
    return memory, {key: data for key, data in memory.objects.items() if "/batches/" in key}


def recover(bucket: Bucket) -> None:
    open_store(bucket).recover()


def test_two_writers() -> None:
    """Another writer counts the same log to its end at any moment of a commit: each line is counted once."""
    first = writer(LOGS, name=None, step=2)
    at_each_step(
        new_memory(), first, lambda memory: writer(LOGS, name="b", step=5)(open_bucket(memory)), settled, least=40
    )


def test_a_batch_says_the_shape_of_the_table() -> None:
    """Who finds the batch of a writer that died knows the table by it, however the writer's rows were coded."""
    ((key, data),) = orphaned(new_memory(), 2)[1].items()
    found = decode_batch(data, key).spec
    assert found is not None
    assert found.schema == SPEC.schema


def test_a_late_request() -> None:
    """While one brings an orphaned batch into the table, others finish it, and a request of a writer that is long
    overtaken arrives at the same key, with more lines than the batch had: it never counts."""
    known = new_memory()
    writer(LOGS, name=None, step=1, most=1)(open_bucket(known))
    start, batches = orphaned(known, 2)
    ((key, data),) = batches.items()
    batch = decode_batch(data, key)
    longer = orphaned(known, 4)[1]
    other = decode_batch(next(iter(longer.values())), key)
    assert (other.source, other.start) == (batch.source, batch.start)
    late = encode_batch(other)

    def meanwhile(memory: Memory) -> None:
        recover(open_bucket(memory))
        assert key not in memory.objects
        memory.objects[key] = late

    at_each_step(start, recover, meanwhile, settled, least=10)


def test_the_cutoff_rises() -> None:
    """The cutoff rises over a writer's lines, and their day is deleted, at any moment of its commit: when it is done,
    nothing stands before the cutoff."""

    def check(memory: Memory) -> None:
        assert not [key for key in memory.objects if key.startswith(f"access/date={back(1)}")]
        assert all(found.holds for found in open_store(open_bucket(memory)).balances().values())
        assert sum(stored(memory.objects).values()) == sum(hour.date() > back(1) for hour, _ in LOG)

    at_each_step(
        new_memory(),
        writer(LOGS, name=None, step=100),
        lambda memory: keeper([back(0)])(open_bucket(memory)),
        check,
        least=20,
    )


def test_a_day_is_sealed() -> None:
    """A day is sealed at any moment of a commit of late lines: when that is done all cells of the day are sealed, and
    no rare value stands that did not stand in the sealed day."""
    day = back(4)
    first = {"early": made_log(12, name="a", days=1, newest=day)[:9]}
    logs = {**first, "late": [(hour, "/late") for hour, _ in made_log(2, name="b", days=1, newest=day)]}
    start = new_memory()
    writer(first, name="a", step=100)(open_bucket(start))

    def check(memory: Memory) -> None:
        partitions = list(open_store(open_bucket(memory)).partitions())
        assert [part.sealed for part in partitions] == [True]
        files: Counter[str] = Counter()
        for (_, file), requests in stored(memory.objects).items():
            files[file] += requests
        assert files.total() == 11
        assert all(count >= SPEC.folds[0].minimum for file, count in files.items() if file != "other")

    def seal_alone(memory: Memory) -> None:
        """One that seals and has not seen the batch, since it looked before that was put."""
        bucket = open_bucket(memory)
        store = open_store(bucket)
        table, seals = Table(bucket, store.uuid, store.policy), Seals(bucket)
        seal_days(bucket, table, Folding(bucket, table, seals, Limits()), seals, SPEC, cutoff=None, now=NOW, held=())

    late = writer(logs, name="b", step=100)
    at_each_step(start, late, lambda memory: keeper([back(40)])(open_bucket(memory)), check, least=20)
    at_each_step(start, late, seal_alone, check, least=20)


def test_two_seal() -> None:
    """Another seals the same day, after late lines have come, at any moment of a sealing: the day is sealed alike."""
    day = back(4)
    log = made_log(12, name="a", days=1, newest=day)
    start = new_memory()
    writer({"early": log[:7]}, name="a", step=100)(open_bucket(start))

    def meanwhile(memory: Memory) -> None:
        writer({"early": log}, name="b", step=100)(open_bucket(memory))
        keeper([back(40)])(open_bucket(memory))

    def check(memory: Memory) -> None:
        keeper([back(40)])(open_bucket(memory))
        assert all(part.sealed for part in open_store(open_bucket(memory)).partitions())
        files: Counter[str] = Counter()
        for (_, file), requests in stored(memory.objects).items():
            files[file] += requests
        assert files.total() == 12
        assert all(count >= SPEC.folds[0].minimum for file, count in files.items() if file != "other")

    at_each_step(start, keeper([back(40)]), meanwhile, check, least=10)
