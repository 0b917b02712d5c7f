"""The protocol of a store in a bucket: the store's own code under every kind of interleaving, loss and death."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.buckets import Bucket
from support.interleaving import Killed, Odds, Stage, open_bucket
from support.object_cases import check_settled, keeper, made_log, make_store, open_store, stored, wanted, writer
from support.object_server import Memory
from support.store_cases import SPEC, back

EXAMPLES = int(os.environ.get("LOGANON_INTERLEAVINGS", "5"))
LOGS = {"one": made_log(6, name="one"), "two": made_log(4, name="two")}
seeds = st.integers(0, 2**32)


def raise_unexpected(ended: list[BaseException | None], *expected: type[BaseException]) -> None:
    for error in ended:
        if error is not None and not isinstance(error, expected):
            raise error


def settle(memory: Memory, logs: dict[str, list], *, folded: bool = False) -> None:  # type: ignore[type-arg]  # lines
    """One more run to which nothing happens, and then all must hold."""
    bucket = open_bucket(memory)
    writer(logs, name=None, step=100)(bucket)
    with open_store(bucket).locked() as held:
        held.recover()
    check_settled(memory, bucket, logs, folded=folded)


def test_one_writer() -> None:
    """Without faults each line of each log is counted once, at once."""
    memory = Memory()
    bucket = open_bucket(memory)
    make_store(bucket)
    writer(LOGS, name=None, step=2)(bucket)
    assert stored(memory.objects) == wanted(LOGS)
    settle(memory, LOGS)


@settings(max_examples=EXAMPLES)
@given(seed=seeds, writers=st.integers(2, 3), named=st.booleans())
def test_writers_at_once(seed: int, writers: int, named: bool) -> None:
    """Several writers count the same logs at once, with lost requests and lost replies: each line is counted once."""
    memory = Memory()
    make_store(open_bucket(memory))
    stage = Stage(memory, seed, Odds(unclear=0.08))
    actors = [writer(LOGS, name=f"w{n}" if named else None, step=2 + n) for n in range(writers)]
    raise_unexpected(stage.run(actors))
    settle(memory, LOGS)


@settings(max_examples=EXAMPLES)
@given(seed=seeds)
def test_killed_writers(seed: int) -> None:
    """Writers die at any operation, before or after it took place; others and later ones finish what they left."""
    memory = Memory()
    make_store(open_bucket(memory))
    actors: list[Callable[[Bucket], None]] = [writer(LOGS, name=None, step=2) for _ in range(3)]
    raise_unexpected(Stage(memory, seed, Odds(unclear=0.03, killed=0.03)).run(actors), Killed)
    raise_unexpected(Stage(memory, seed + 1, Odds(unclear=0.03, killed=0.03)).run(actors[:2]), Killed)
    settle(memory, LOGS)


@settings(max_examples=EXAMPLES)
@given(seed=seeds, killed=st.booleans())
def test_retention_meanwhile(seed: int, killed: bool) -> None:
    """The cutoff rises and days are deleted and sealed while others write, and all may die: no line is counted twice,
    none is lost from the cutoff on, nothing stands before it, and what was deleted is in the books."""
    memory = Memory()
    make_store(open_bucket(memory))
    logs = {"one": made_log(10, name="one", days=6), "two": made_log(8, name="two", days=5)}
    cutoffs = [back(5), back(3), back(2)]
    actors = [writer(logs, name="a", step=3), writer(logs, name="b", step=2), keeper(cutoffs)]
    stage = Stage(memory, seed, Odds(unclear=0.04, killed=0.02 if killed else 0))
    raise_unexpected(stage.run(actors), Killed)
    writer(logs, name=None, step=100)(open_bucket(memory))
    keeper([back(2)])(open_bucket(memory))
    settle(memory, logs, folded=True)
    assert not [key for key in memory.objects if "/date=" in key and key.split("date=")[1][:10] < str(back(2))]
    check_seals(memory)


def check_seals(memory: Memory) -> None:
    """In a sealed day each named file has the requests that its minimum asks for."""
    days = {part.day for part in open_store(open_bucket(memory)).partitions() if part.sealed}
    sums: Counter[tuple[date, str]] = Counter()
    for (hour, file), requests in stored(memory.objects).items():
        sums[hour.date(), file] += requests
    rare = {
        key: count
        for key, count in sums.items()
        if key[0] in days and key[1] != "other" and count < SPEC.folds[0].minimum
    }
    assert not rare


@settings(max_examples=EXAMPLES)
@given(seed=seeds)
def test_sealing_by_several(seed: int) -> None:
    """Several seal the same days while late lines come, and may die: in the end all are sealed alike, no rare value
    stands, and no line is lost."""
    memory = Memory()
    make_store(open_bucket(memory))
    old = back(4)
    logs = {f"log{n}": made_log(9, name="x", days=2, newest=old) for n in range(2)}
    logs["late"] = made_log(6, name="x", days=1, newest=old)
    writer({name: log[:6] for name, log in logs.items()}, name="a", step=4)(open_bucket(memory))
    actors = [keeper([back(40)]), keeper([back(40)]), writer(logs, name="b", step=3)]
    raise_unexpected(Stage(memory, seed, Odds(unclear=0.04, killed=0.02)).run(actors), Killed)
    writer(logs, name="c", step=100)(open_bucket(memory))
    keeper([back(40)])(open_bucket(memory))
    settle(memory, logs, folded=True)
    assert all(part.sealed for part in open_store(open_bucket(memory)).partitions() if part.day <= old)
    check_seals(memory)
