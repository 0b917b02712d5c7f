"""A store in a bucket, rule by rule, on a service in memory."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from loganon.buckets import (
    Bucket,
    DeniedError,
    Found,
    Listed,
    Location,
    OddNameError,
    RefusedError,
    RejectedError,
    UnclearError,
    Written,
    parse_location,
)
from loganon.errors import BusyError, CannotWriteError, ConfigurationError, InputOutputError
from loganon.periods import parse_period
from loganon.store import Batch, ConflictError, OutdatedError, plan_retention
from loganon.store.s3 import S3Store
from loganon.store.s3.copying import copy_store
from loganon.store.s3.rehearsal import Rehearsal
from support.interleaving import LOCATION, Killed, open_bucket
from support.object_cases import find, keeper, made_log, make_store, next_part, open_store, stored, wanted, writer
from support.object_server import Hooked, Memory
from support.store_cases import KEY, NOW, SPEC, STAMP, at, back, table

LOG = made_log(6, name="one", days=2)
AGE = parse_period("7 days")


@pytest.fixture
def memory() -> Memory:
    found = Memory()
    make_store(open_bucket(found))
    return found


def names(memory: Memory, folder: str) -> list[str]:
    return sorted(key for key in memory.objects if key.startswith(f"_loganon/{folder}/"))


def put_only(memory: Memory, logs: dict[str, Any], step: int = 100) -> None:
    """A writer that dies as soon as its batch stands."""

    def after(name: str, key: str) -> None:
        if name == "put" and "/batches/" in key:
            raise Killed

    bucket = Bucket(Hooked(memory, after=after), LOCATION, lanes=1, pause=lambda _s: None)
    with pytest.raises(Killed):
        writer(logs, name=None, step=step)(bucket)


def test_the_batch_is_the_commit_point(memory: Memory) -> None:
    """A batch that stands is counted, though its writer died: its source goes on behind it, the books balance, and the
    next to come brings it into the table."""
    put_only(memory, {"one": LOG}, step=4)
    assert stored(memory.objects) == {}
    store = open_store(open_bucket(memory))
    record = find(store.records(), "one")
    assert record is not None
    assert record.lines == {"counted": 4}
    assert all(balance.holds for balance in store.balances().values())
    assert store.pending() == 1
    writer({"one": LOG}, name="other", step=100)(open_bucket(memory))
    assert stored(memory.objects) == wanted({"one": LOG})
    assert open_store(open_bucket(memory)).pending() is None


def test_a_commit_brings_what_waits_before_it(memory: Memory) -> None:
    """A commit that goes on behind a batch whose writer has died meanwhile brings that into the table first."""
    log = [(at(back(1), 1), "/a"), (at(back(1), 1), "/b")]
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        assert held.records() == {}
    put_only(memory, {"one": log}, step=1)
    with store.locked() as held:
        part = next_part("one", log, find(held.records(), "one"), 9)
        assert part is not None
        assert part.after.done == 200
        held.commit(Batch(table(log[1:]), (part,)), SPEC, now=NOW, writer=None, footer={})
    assert stored(memory.objects) == wanted({"one": log})


def test_a_copy_is_as_after_recovery(memory: Memory, tmp_path: Path) -> None:
    """A copy holds what is committed and not yet in the table; the bucket is not changed."""
    put_only(memory, {"one": LOG})
    before = dict(memory.objects)
    copy_store(open_bucket(memory), tmp_path)
    assert memory.objects == before
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert stored(files) == wanted({"one": LOG})


def test_a_new_source_is_entered_once(memory: Memory) -> None:
    """Two that take the same log for new: the later is told that what it read is outdated, and has written nothing."""
    stores = [open_store(open_bucket(memory)) for _ in range(2)]
    with stores[0].locked() as first, stores[1].locked() as second:
        parts = [next_part("one", LOG, find(held.records(), "one"), 6) for held in (first, second)]
        batches = [Batch(table(LOG), (part,)) for part in parts if part]
        first.commit(batches[0], SPEC, now=NOW, writer=None, footer={})
        before = dict(memory.objects)
        with pytest.raises(OutdatedError):
            second.commit(batches[1], SPEC, now=NOW, writer=None, footer={})
    assert memory.objects == before


def test_a_known_source_goes_on_once(memory: Memory) -> None:
    """Two that go on from the same offset: the later is in conflict, whether or not the first batch is taken in by
    then; of a batch of several sources those that others did not touch are counted."""
    logs = {"one": LOG, "two": made_log(4, name="two")}
    writer({name: log[:2] for name, log in logs.items()}, name=None, step=9)(open_bucket(memory))
    stores = [open_store(open_bucket(memory)) for _ in range(2)]
    with stores[0].locked() as first, stores[1].locked() as second:
        records = second.records()
        first.records()
        parts = {name: next_part(name, log, find(records, name), 9) for name, log in logs.items()}
        lines = {name: log[2:] for name, log in logs.items()}
        one = Batch(table(lines["one"]), tuple(p for p in (parts["one"],) if p))
        both = Batch(table([*lines["one"], *lines["two"]]), tuple(p for p in parts.values() if p))
        first.commit(one, SPEC, now=NOW, writer=None, footer={})
        done = second.commit(both, SPEC, now=NOW, writer=None, footer={})
        assert [record.prefix[0][1] for record in done.records.values()] == ["two"]
        with pytest.raises(ConflictError):
            first.commit(one, SPEC, now=NOW, writer=None, footer={})
    assert stored(memory.objects) == wanted(logs)


def test_a_late_put_is_void(memory: Memory) -> None:
    """A batch that is put where the record has gone past, as a request that was long under way, never counts."""
    put_only(memory, {"one": LOG})
    late = {key: data for key, data in memory.objects.items() if "/batches/" in key}
    writer({"one": LOG}, name=None, step=100)(open_bucket(memory))
    memory.objects |= late
    writer({"one": LOG}, name=None, step=100)(open_bucket(memory))
    assert stored(memory.objects) == wanted({"one": LOG})
    assert names(memory, "batches") == []


def test_deletion(memory: Memory) -> None:
    """What is before the cutoff goes, and only what is this store's; it is recorded once and counted as deleted, and a
    cell that comes back goes again without being counted again."""
    old = [(at(back(9), 1), "/old"), *LOG]
    writer({"one": old}, name=None, step=100)(open_bucket(memory))
    cell = next(key for key in memory.objects if str(back(9)) in key)
    kept = memory.objects[cell]
    foreign = f"access/date={back(9)}/notes.txt"
    memory.objects[foreign] = b"mine"
    store = open_store(open_bucket(memory))
    for _ in range(2):
        with store.locked() as held:
            held.raise_cutoff(back(8), NOW)
            deleted = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
        assert cell not in memory.objects
        assert [failure.path for failure in deleted.failures][:1] in ([foreign], [])
        memory.objects[cell] = kept
    del memory.objects[foreign]
    keeper([back(8)])(open_bucket(memory))
    assert stored(memory.objects) == wanted({"one": LOG})
    assert [entry["state"] for entry in store.deletions()] == ["begun", "done"]
    record = find(store.records(), "one")
    assert record is not None
    assert record.deleted == 1
    assert all(balance.holds for balance in store.balances().values())


def test_another_stores_cell_stays(memory: Memory) -> None:
    """A cell with another store's UUID is not deleted, and that is said."""
    other = Memory()
    make_store(open_bucket(other))
    writer({"one": [(at(back(9), 1), "/old")]}, name=None, step=9)(open_bucket(other))
    cell = next(key for key in other.objects if key.startswith("access/"))
    memory.objects[cell] = other.objects[cell]
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        deleted = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert cell in memory.objects
    assert [failure.path for failure in deleted.failures] == [cell]


def test_a_lost_seal(memory: Memory) -> None:
    """Where nobody knows any more which values stand in a sealed day, its late lines wait, and that is an error (74):
    no rare value comes into the day. Other lines are counted; once the day is deleted, those that waited are, too."""
    log = [(at(back(5), 1), "/old")] * 9
    writer({"one": log}, name=None, step=99)(open_bucket(memory))
    keeper([back(40)])(open_bucket(memory))
    (seal,) = names(memory, "seals")
    kept = memory.objects.pop(seal)
    logs = {"one": [*log, (at(back(5), 1), "/rare")], "two": [(at(back(1), 1), "/new")]}
    with pytest.raises(InputOutputError, match=seal):
        writer(logs, name=None, step=99)(open_bucket(memory))
    assert stored(memory.objects) == {(at(back(5), 1), "/old"): 9, (at(back(1), 1), "/new"): 1}
    lost = dict(memory.objects)
    memory.objects[seal] = kept
    open_store(open_bucket(memory)).recover()
    assert stored(memory.objects)[at(back(5), 1), "other"] == 1
    memory.objects = lost
    keeper([back(4)])(open_bucket(memory))
    assert stored(memory.objects) == {(at(back(1), 1), "/new"): 1}
    assert all(balance.holds for balance in open_store(open_bucket(memory)).balances().values())
    assert names(memory, "batches") == []


def test_a_marked_day_is_deleted(memory: Memory, tmp_path: Path) -> None:
    """An empty object that marks the folder of a day keeps nothing: the day is gone, and stays no part of the store."""
    writer({"one": [(at(back(9), 1), "/old")]}, name=None, step=9)(open_bucket(memory))
    memory.objects[f"access/date={back(9)}/"] = b""

    class Client(Memory):
        """As obstore names such an object."""

        def list(self, prefix: str) -> list[Listed]:
            return [replace(each, key=each.key.rstrip("/")) for each in Memory.list(self, prefix)]

    memory = Client(memory.objects)
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        deleted = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert (deleted.partitions, deleted.failures) == ((back(9),), ())
    assert [entry["state"] for entry in store.deletions()] == ["begun", "done"]
    copy_store(open_bucket(memory), tmp_path)
    assert list((tmp_path / "access").iterdir()) == []


def test_a_damaged_cell_stops_no_deletion(memory: Memory) -> None:
    """A batch whose cell is damaged waits, and that is an error; what is past its day goes, also out of the batch."""
    log = [(at(back(9), 1), "/old"), (at(back(1), 1), "/new"), (at(back(1), 2), "/b")]
    put_only(memory, {"one": log})
    damaged = f"access/date={back(1)}/hour-01.parquet"
    memory.objects[damaged] = b"PAR1 no cell PAR1"
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert [type(error) for error in store.findings] == [InputOutputError]
    (batch,) = (data for key, data in memory.objects.items() if "/batches/" in key)
    assert {row["file"] for row in pq.ParquetFile(io.BytesIO(batch)).read().to_pylist()} == {"/new", "/b"}
    del memory.objects[damaged]
    writer({"one": log}, name=None, step=9)(open_bucket(memory))
    assert stored(memory.objects) == wanted({"one": log}, back(8))
    assert all(balance.holds for balance in store.balances().values())


@pytest.mark.parametrize("key", [f"sources/{'a' * 32}.json", f"batches/{'a' * 32}/{0:020}", "births.json"])
def test_a_damaged_document_stops_no_deletion(memory: Memory, key: str) -> None:
    """Where a record, a batch or the births cannot be read nothing is counted, and that is an error, once; what is past
    its day goes all the same, out of the table and out of the batches that can be read, and days are sealed."""
    writer({"two": [(at(back(9), 2), "/old"), (at(back(5), 2), "/b")]}, name=None, step=9)(open_bucket(memory))
    put_only(memory, {"one": [(at(back(9), 1), "/late"), (at(back(1), 1), "/new")]})
    waiting = names(memory, "batches")
    memory.objects[f"_loganon/{key}"] = b"PAR1 nothing"
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW).partitions == (back(9),)
        assert held.expire_records(AGE, NOW) == ()
        assert held.seal(SPEC, now=NOW) == (back(5),)
        with pytest.raises(InputOutputError, match="damaged"):
            held.records()
    (found,) = store.findings
    assert str(found).startswith(f"a file of the store is damaged. s3://bucket/store/_loganon/{key}. ")
    (batch,) = (memory.objects[name] for name in waiting)
    assert {row["file"] for row in pq.ParquetFile(io.BytesIO(batch)).read().to_pylist()} == {"/new"}
    assert stored(memory.objects).keys() == {(at(back(5), 2), "other")}  # folded: it is sealed


def test_a_batch_that_follows_a_lost_one(memory: Memory) -> None:
    """It cannot be brought into the table, and nothing is wrong with it: what is past its day goes out of it."""
    log = [(at(back(5), 1), "/first"), (at(back(9), 1), "/old"), (at(back(1), 1), "/new")]
    put_only(memory, {"one": log[:1]})
    lost = names(memory, "batches")
    ahead = Memory(dict(memory.objects))
    open_store(open_bucket(ahead)).recover()
    put_only(ahead, {"one": log})
    (after,) = names(ahead, "batches")
    memory.objects[after] = ahead.objects[after]
    del memory.objects[lost[0]]
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert store.findings == []
    rows = pq.ParquetFile(io.BytesIO(memory.objects[after])).read().to_pylist()
    assert {row["file"] for row in rows} == {"/new"}
    writer({"one": log}, name=None, step=9)(open_bucket(memory))
    open_store(open_bucket(memory)).recover()
    assert stored(memory.objects) == wanted({"one": log}, back(8))
    assert names(memory, "batches") == []


@pytest.mark.parametrize("error", [DeniedError(), UnclearError("500")])
@pytest.mark.parametrize("kind", ["date={}/hour-02", "date={}/hour-03", "batches/", "deletions", "births", "sources/"])
def test_an_object_that_is_not_given_out_stops_no_deletion(memory: Memory, kind: str, error: Exception) -> None:
    """An object that cannot be had though others can, such as one that was archived (403) or lies on a bad sector
    (500), be it a cell that is over or a younger one, keeps no day from being deleted, and a cell not its own."""
    writer({"two": [(at(back(9), 2), "/old"), (at(back(5), 3), "/b")]}, name=None, step=9)(open_bucket(memory))
    keeper([back(9)])(open_bucket(memory))
    put_only(memory, {"one": [(at(back(9), 1), "/late"), (at(back(1), 1), "/new")]})
    memory.objects["_loganon/deletions.jsonl"] = b"\n"
    word = kind.format(back(9) if "02" in kind else back(5))
    (bad,) = (key for key in memory.objects if word in key)

    class Barred(Memory):
        def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
            if key == bad:
                raise error
            return Memory.get(self, key, start=start, length=length, tag=tag)

    store = open_store(open_bucket(Barred(memory.objects)))
    with store.locked() as held:
        held.raise_cutoff(back(8), NOW)
        deleted = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert deleted.partitions == (back(9),)
    assert [failure.path for failure in deleted.failures] == ([bad] if kind == "deletions" else [])
    assert not [key for key in memory.objects if "date=" in key and str(back(9)) in key]
    assert len(store.findings) == (kind != "deletions")
    assert all(bad in str(found) for found in store.findings)
    if kind != "deletions":
        assert [entry["state"] for entry in store.deletions()] == ["begun", "done"]


def test_a_deletion_that_died_is_recorded_as_done(memory: Memory) -> None:
    """Whoever comes next says that all is gone, where the one that deleted it came no further."""
    writer({"one": [(at(back(9), 1), "/old")]}, name=None, step=9)(open_bucket(memory))

    def after(name: str, key: str) -> None:
        if name == "delete" and key.startswith("access/"):
            raise Killed

    bucket = Bucket(Hooked(memory, after=after), LOCATION, lanes=1, pause=lambda _s: None)
    with pytest.raises(Killed):
        keeper([back(8)])(bucket)
    for _ in range(2):
        keeper([back(8)])(open_bucket(memory))
        assert [entry["state"] for entry in open_store(open_bucket(memory)).deletions()] == ["begun", "done"]


@pytest.mark.parametrize("days", [9, 10, 11])
def test_a_damaged_batch_goes_when_all_of_it_is_over(memory: Memory, days: int) -> None:
    """Of a batch that cannot be read nobody knows the days, but none is later than the day after it was put: it goes
    when that is before the cutoff, and from then on everything is counted again. Its lines are expired."""
    log = {"one": [(at(back(9), 1), "/late"), (at(back(10), 1), "/old")]}
    put_only(memory, log)
    memory.modified = at(back(days))
    (name,) = names(memory, "batches")
    memory.objects[name] = b"PAR1 nothing"
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(back(9), NOW)
        held.retain(plan_retention(held.partitions(), held.cutoff, held=((back(11), back(10)),)), NOW)
        assert names(memory, "batches") == [name]  # it may be of a day that is held
        held.retain(plan_retention(held.partitions(), held.cutoff, held=((back(9), back(9)),)), NOW)
    assert len(store.findings) == 1
    assert names(memory, "batches") == ([name] if days < 11 else [])
    if days == 11:
        log["two"] = [(at(back(1), 1), "/new")]
        writer(log, name=None, step=9)(open_bucket(memory))
        assert stored(memory.objects) == wanted(log, back(9))
        assert all(balance.holds for balance in store.balances().values())


def test_a_damaged_batch_that_is_partly_in_the_table(memory: Memory) -> None:
    """It stays, whenever it was put, while a cell stands that holds some of it: it would be read again into that."""
    log = {"one": [(at(back(5), hour), "/b") for hour in (1, 2)]}

    def after(name: str, key: str) -> None:
        if name == "put" and key.startswith("access/"):
            raise Killed

    with pytest.raises(Killed):
        writer(log, name=None, step=9)(Bucket(Hooked(memory, after=after), LOCATION, lanes=1))
    memory.modified = at(back(40))
    (name,) = names(memory, "batches")
    memory.objects[name] = b"PAR1 nothing"
    for cutoff, left in ((back(5), [name]), (back(4), [])):
        store = open_store(open_bucket(memory))
        with store.locked() as held:
            held.raise_cutoff(cutoff, NOW)
            held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
        assert names(memory, "batches") == left


@pytest.mark.parametrize("torn", [b"no entry\n", b'{"partition":"2026', b'{"a":1}\n[]\n'])
def test_a_torn_record_of_deletions(memory: Memory, torn: bytes) -> None:
    """A line that is no entry of the deletion record stops no deletion, and none that follows it is lost."""
    writer({"one": [(at(back(9), 1), "/old")]}, name=None, step=9)(open_bucket(memory))
    memory.objects["_loganon/deletions.jsonl"] = torn
    keeper([back(8)])(open_bucket(memory))
    assert not stored(memory.objects)
    found = [(entry["partition"], entry["state"]) for entry in open_store(open_bucket(memory)).deletions()]
    assert found == [(str(back(9)), "begun"), (str(back(9)), "done")]


def test_what_is_no_listing(memory: Memory) -> None:
    """An answer to a listing that names nothing, such as a proxy's page with the status 200, is not taken for a store
    without records: it is asked again, and after ten times that is an error (74). Else each log would look new."""
    writer({"one": LOG}, name=None, step=9)(open_bucket(memory))
    asked: list[str] = []

    class Paged(Memory):
        def list(self, prefix: str) -> list[Listed]:
            asked.append(prefix)
            return []

    store = open_store(open_bucket(Paged(memory.objects)))
    with pytest.raises(InputOutputError, match="does not answer"):
        store.records()
    assert asked.count("_loganon") == 10


def test_a_folder_that_is_marked(memory: Memory, tmp_path: Path) -> None:
    """An empty object in the place of a folder is how other tools mark it: a store can be made there, and it is nothing
    in a copy. Any other object is in the copy, also under a name that no file can have."""
    make_store(open_bucket(Memory({"": b""})))
    with pytest.raises(ConfigurationError, match="not empty"):
        make_store(open_bucket(Memory({"": b"something"})))
    writer({"one": LOG}, name=None, step=9)(open_bucket(memory))
    cell = min(key for key in memory.objects if key.startswith("access/"))
    day, long = cell.rpartition("/")[0], "n" * 300
    for number, marked in enumerate([("",), ("access", "_loganon/sources", day)]):
        memory.objects |= dict.fromkeys(marked, b"")
        folder = tmp_path / str(number)
        folder.mkdir()
        copy_store(open_bucket(memory), folder)
        assert {path.name for path in folder.iterdir()} == {"access", "_loganon"}
    del memory.objects[""]
    memory.objects |= dict.fromkeys([day, f"{cell}/x", "_loganon/state.json/x", f"a/{long}", f"a/{long}2", "b/c"], b"x")
    folder = tmp_path / "last"
    folder.mkdir()
    copy_store(open_bucket(memory), folder)
    strange = {f"{quote(key, safe='')} (object)" for key in (day, f"{cell}/x", "_loganon/state.json/x")}
    long_ones = {f"a%2F{long}"[:200] + " (object)"}
    assert {path.name for path in folder.iterdir()} - {"a"} == {"access", "_loganon", "b"} | strange | long_ones
    assert (folder / "b" / "c").read_bytes() == b""
    assert (folder / cell).read_bytes() == memory.objects[cell]


def test_records_end(memory: Memory) -> None:
    """A record goes one age after what it speaks of; a writer that still knew it is refused, and nothing is left."""
    old = [(at(back(20), 1), "/old"), (at(back(20), 2), "/old")]
    early = NOW - timedelta(days=19)
    writer({"one": old[:1]}, name=None, step=9, now=early)(open_bucket(memory))
    late = open_store(open_bucket(memory))
    with late.locked() as held:
        part = next_part("one", old, find(held.records(), "one"), 9)
        assert part is not None
        other = open_store(open_bucket(memory))
        with other.locked() as ender:
            ender.raise_cutoff(back(13), NOW)
            assert ender.expire_records(AGE, NOW) == ()
            ender.raise_cutoff(back(6), NOW)
            assert ender.expire_records(AGE, NOW) == (part.after.id,)
        with pytest.raises(ConflictError):
            held.commit(Batch(table(old[1:]), (part,)), SPEC, now=NOW, writer=None, footer={})
        assert held.records() == {}
    assert [names(memory, folder) for folder in ("sources", "batches")] == [[], []]


def test_births_end(memory: Memory) -> None:
    """A source that was entered and never counted goes one age later."""

    def after(name: str, key: str) -> None:
        if name == "put" and key.endswith("births.json"):
            raise Killed

    bucket = Bucket(Hooked(memory, after=after), LOCATION, lanes=1, pause=lambda _s: None)
    with pytest.raises(Killed):
        writer({"one": LOG}, name=None, step=9)(bucket)
    store = open_store(open_bucket(memory))
    (record,) = store.records().values()
    assert (record.done, record.generation) == (0, 0)
    with store.locked() as held:
        held.raise_cutoff(back(0) + timedelta(days=6), NOW)
        assert held.expire_records(AGE, NOW) == ()
        held.raise_cutoff(back(0) + timedelta(days=7), NOW)
        assert held.expire_records(AGE, NOW) == (record.id,)
        assert held.records() == {}


class Loose(Memory):
    """A service that takes every write."""

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:  # noqa: ARG002 - what it ignores
        self.objects[key] = data
        return Written("1")


class Versioned(Memory):
    """A service whose bucket had versioning once."""

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        return Written(Memory.put(self, key, data, tag=tag).tag, "null")


class Lossy(Memory):
    """A service that refuses the fourth write of all, whose condition holds: as where its reply was lost."""

    writes = 0

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        self.writes += 1
        if self.writes == 4:
            raise RefusedError
        return Memory.put(self, key, data, tag=tag)


def test_a_lost_reply_is_no_unfit_service() -> None:
    """One write that fails by chance while the service is tried does not make it unfit."""
    service = Lossy()
    make_store(open_bucket(service))
    assert service.writes > 8
    assert not [key for key in service.objects if "/probes/" in key]


def test_unfit_services() -> None:
    """A service that ignores conditions is refused, and one that answers with versions, on or suspended."""
    with pytest.raises(ConfigurationError, match="conditions of a write"):
        make_store(open_bucket(Loose()))
    with pytest.raises(ConfigurationError, match="old versions"):
        make_store(open_bucket(Versioned()))
    assert S3Store.create(open_bucket(Versioned()), STAMP, key_check=KEY, now=NOW, accept_versioned=True).uuid


@pytest.mark.parametrize(
    ("error", "expected", "tries"),
    [
        (DeniedError(), CannotWriteError, 1),
        (RejectedError("400"), InputOutputError, 1),
        (OddNameError(), InputOutputError, 1),
        (UnclearError("503"), InputOutputError, 10),
    ],
)
def test_errors(memory: Memory, error: Exception, expected: type[Exception], tries: int) -> None:
    """What is denied or rejected is an error at once; what is unclear is tried again, with pauses that grow."""
    asked, pauses = [], []

    def before(name: str, key: str) -> None:
        if name == "put":
            asked.append(key)
            raise error

    bucket = Bucket(Hooked(memory, before=before), LOCATION, lanes=1, pause=pauses.append, chance=lambda: 1.0)
    with pytest.raises(expected):
        bucket.create("x", b"1")
    assert len(asked) == tries
    assert pauses == sorted(pauses)
    assert len(pauses) == (tries if tries > 1 else 0)


def test_contention_is_bounded(memory: Memory) -> None:
    """Where others are always faster the error is 75, after a bound."""
    turn = iter(range(1000))

    def before(name: str, key: str) -> None:
        if name == "put" and key == "x":
            memory.objects["x"] = str(next(turn)).encode()

    bucket = Bucket(Hooked(memory, before=before), LOCATION, lanes=1, pause=lambda _s: None)
    with pytest.raises(BusyError):
        bucket.change("x", lambda data: b"mine" + (data or b""))


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://b/../x", "s3://b/x//y", "b/x"])
def test_what_is_no_location(url: str) -> None:
    """An address has a bucket and a plain prefix (78)."""
    with pytest.raises(ConfigurationError):
        parse_location(url)


def test_locations() -> None:
    """Bucket and prefix; slashes around it do not count."""
    assert parse_location("s3://b/x/y/") == Location("b", "x/y")
    assert str(parse_location("s3://b")) == "s3://b"


def test_rehearsal(memory: Memory) -> None:
    """What is done in a rehearsal is seen there and nowhere else."""
    before = dict(memory.objects)
    bucket = open_bucket(memory).over(Rehearsal)
    writer({"one": LOG}, name=None, step=2)(bucket)
    assert memory.objects == before
    assert sum(part.rows for part in open_store(bucket).partitions()) > 0


def test_records_of_an_unlimited_table_end_after_60_days(memory: Memory) -> None:
    """As in a directory, where nothing expires: a record goes 60 days after its newest line and its last commit; the
    floor rises above its lines before that, whoever dies there, so that a log that comes back is expired."""
    log = {"one": [(at(back(20), 1), "/old"), (at(back(20), 2), "/old")]}
    early, age = NOW - timedelta(days=19), parse_period("unlimited")
    writer(log, name=None, step=9, now=early)(open_bucket(memory))
    store = open_store(open_bucket(memory))
    with store.locked() as held:
        held.raise_cutoff(age.cutoff(back(0)), NOW)
        assert (held.cutoff, held.expire_records(age, early + timedelta(days=59)), store.floor()) == (None, (), None)

    def before(name: str, key: str) -> None:
        if name == "put" and "/batches/" in key:
            raise Killed

    late = open_store(Bucket(Hooked(memory, before=before), LOCATION, lanes=1, pause=lambda _s: None))
    with late.locked() as held, pytest.raises(Killed):
        held.expire_records(age, early + timedelta(days=60))
    assert store.floor() == at(back(19))
    with store.locked() as held:
        assert len(held.expire_records(age, early + timedelta(days=60))) == 1
    log["one"].append((at(back(19), 0), "/new"))
    writer(log, name=None, step=9)(open_bucket(memory))
    (record,) = store.records().values()
    assert record.lines == {"counted": 1, "expired": 2}
    assert stored(memory.objects) == wanted(log)
    assert all(balance.holds for balance in store.balances().values())
