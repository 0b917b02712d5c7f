"""Source records of an older version, lost, damaged, older copies, expired: made again where certain, else refused."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.periods import parse_period
from loganon.store import Batch, LocalStore, LostRecordsError, Record, plan_retention
from loganon.store.layout import CellName
from loganon.store.mend import plan_mend
from loganon.store.records import encode_record
from loganon.store.snapshots import decode_snapshots, encode_snapshots
from support.store_cases import NOW, SPEC, TODAY, at, back, commit, feed, make_store, part, requests_of, snapshot, table
from support.store_disk import Counted, Disk, Killed, fail_at, kill_at

THOROUGH = settings.get_current_profile_name() == "explore"
FAULTS = ("kill", "fail", "cut")
UNLIMITED = parse_period("unlimited")
WEEK = parse_period("7 days")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Two sources: one read twice, on two days, one read once; each with rejected lines."""
    made = make_store(tmp_path / "s")
    feed(made, "a-source", [(at(back(2)), "/a"), (at(back(1)), "/a")], rejected=1)
    feed(made, "a-source", [(at(back(1)), "/a"), (at(back(2), 5), "/a")])
    feed(made, "b-source", [(at(back(1), 7), "/b")], rejected=2)
    return made


def state_file(store: LocalStore) -> Path:
    return store.path / "_loganon" / "state.json"


def record_of(store: LocalStore, source: str) -> Path:
    return store.path / "_loganon" / "sources" / f"{source}.json"


def make_version_1(store: LocalStore) -> None:
    """The state as the first version wrote it; cells without copies of records."""
    path = state_file(store)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"version": 1, "cutoff": document["cutoff"], "last_commit": document["last_commit"]}))
    (store.path / "_loganon" / "reserve").unlink(missing_ok=True)


def lock(store: LocalStore) -> LocalStore:
    """The store as it is found by a program that starts now, after it has held the lock once."""
    found = LocalStore.open(store.path)
    with found.locked(timedelta(0)):
        pass
    return found


def test_a_store_of_version_1_is_brought_forward(store: LocalStore) -> None:
    """Readable before that, without the lock; the first holder of the lock counts its generations; all else stays."""
    make_version_1(store)
    before = store.records()
    assert (store.cutoff(), store.last_commit(), store.floor(), store.generations()) == (None, NOW, None, (3, 3))
    found = lock(store)
    document = json.loads(state_file(store).read_text())
    assert (document["version"], document["generations"], document["floor"]) == (2, 3, None)
    assert (found.records(), found.notes, found.findings) == (before, [], [])
    assert feed(found, "a-source", [(at(TODAY), "/a")]) == 1
    assert found.generations() == (4, 4)


def test_a_version_1_that_lacks_records_is_not_brought_forward(store: LocalStore) -> None:
    """Lines of a source without a record, or a damaged record, say that some are lost: nothing is counted (74)."""
    make_version_1(store)
    kept = record_of(store, "b-source").read_bytes()
    for data in (None, b"{"):
        record_of(store, "b-source").unlink() if data is None else record_of(store, "b-source").write_bytes(data)
        with pytest.raises(LostRecordsError, match="sources"):
            feed(store, "c-source", [(at(TODAY), "/a")])
        assert json.loads(state_file(store).read_text())["version"] == 1
    record_of(store, "b-source").write_bytes(kept)
    assert feed(store, "c-source", [(at(TODAY), "/a")]) == 1


def test_a_newer_version_is_refused(store: LocalStore) -> None:
    """A store that a newer program wrote is not changed by this one (78), by no operation."""
    path = state_file(store)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 3}))
    before = snapshot(store.path)
    with pytest.raises(ConfigurationError, match="newer"), store.locked():
        pass
    assert snapshot(store.path) == before


def lose_one(store: LocalStore) -> None:
    record_of(store, "a-source").unlink()


def lose_all(store: LocalStore) -> None:
    shutil.rmtree(store.path / "_loganon" / "sources")


def damage_one(store: LocalStore) -> None:
    path = record_of(store, "a-source")
    path.write_bytes(path.read_bytes()[:-9])


def set_back(store: LocalStore) -> None:
    record = store.records()["a-source"]
    older = replace(record, generation=1, done=200, lines={"counted": 2, "malformed": 1})
    record_of(store, "a-source").write_bytes(encode_record(older))


LOSSES: list[Callable[[LocalStore], None]] = [lose_one, lose_all, damage_one, set_back]


@pytest.mark.parametrize("lose", LOSSES)
def test_lost_records_are_made_again_from_the_table(store: LocalStore, lose: Callable[[LocalStore], None]) -> None:
    """Lost, damaged or older than they were: each is as it was before, and the run says so."""
    before = store.records()
    lose(store)
    found = lock(store)
    assert (found.records(), found.generations()) == (before, (3, 3))
    (note,) = found.notes
    assert ("2" if lose is lose_all else "1") == note.split()[0]
    assert all(balance.holds for balance in found.balances().values())
    assert lock(store).notes == []


def test_deleted_lines_are_counted_again(store: LocalStore) -> None:
    """What was deleted since a record was copied is found out from what is left."""
    with store.locked() as held:
        held.raise_cutoff(back(1))
        held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    before = store.records()
    assert before["a-source"].deleted == 2
    lose_all(store)
    assert lock(store).records() == before


def test_copies_survive_a_seal_and_later_commits(tmp_path: Path) -> None:
    """Cells that are rewritten keep the newest copy of each source's record."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(4)), "/a")])
    feed(store, "b-source", [(at(back(4)), "/a")])
    feed(store, "a-source", [(at(back(4)), "/a")])
    with store.locked() as held:
        held.seal(SPEC, now=NOW)
    before = store.records()
    lose_all(store)
    assert lock(store).records() == before


def test_what_is_not_certain_is_refused(tmp_path: Path) -> None:
    """A source whose last commit left no copy cannot be made again: nothing is counted (74); the way out is said."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(1)), "/a")])
    feed(store, "a-source", [], rejected=1)
    feed(store, "b-source", [(at(back(1)), "/a")])
    kept = record_of(store, "a-source").read_bytes()
    record_of(store, "a-source").unlink()
    before = snapshot(store.path)
    with pytest.raises(LostRecordsError) as raised:
        feed(store, "c-source", [(at(TODAY), "/a")])
    assert raised.value.exit_code == 74
    assert "key reset" in raised.value.fix
    with pytest.raises(LostRecordsError):
        store.check_records()
    with store.locked() as held, pytest.raises(LostRecordsError):
        held.records()
    assert snapshot(store.path) == before
    assert store.records_safely()[0].keys() == {"b-source"}
    record_of(store, "a-source").write_bytes(kept)
    assert feed(store, "c-source", [(at(TODAY), "/a")]) == 1
    store.check_records()


def test_state_and_records_of_an_older_backup_than_the_table(store: LocalStore, tmp_path: Path) -> None:
    """They agree with one another, but the table knows later commits: nothing is counted, by whoever looks at the table
    first, and by a commit that meets such a cell. Deletion goes on.
    """
    shutil.copytree(store.path / "_loganon", tmp_path / "old")
    feed(store, "a-source", [(at(back(1), 9), "/a")])
    shutil.rmtree(store.path / "_loganon")
    shutil.copytree(tmp_path / "old", store.path / "_loganon")
    with pytest.raises(LostRecordsError):
        feed(store, "a-source", [(at(back(1), 9), "/a")])
    with store.locked() as held:
        assert held.records()
        assert len(list(held.partitions())) == 2
        with pytest.raises(LostRecordsError):
            held.records()
        held.raise_cutoff(back(1))
        assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW).partitions == (back(2),)
    with pytest.raises(LostRecordsError):
        store.check_records()


def test_state_and_records_of_before_a_source_and_a_table_of_the_middle_of_its_commit(
    store: LocalStore, tmp_path: Path
) -> None:
    """A copy made while a commit is under way can hold cells of a source that its records do not know, but not the
    newest cell, in which that record is: nothing is counted, else the source's log would look new."""
    shutil.copytree(store.path / "_loganon", tmp_path / "old")
    feed(store, "new-source", [(at(back(1), 3), "/a"), (at(back(1), 9), "/a")])
    shutil.rmtree(store.path / "_loganon")
    shutil.copytree(tmp_path / "old", store.path / "_loganon")
    cell = store.path / "access" / f"date={back(1)}" / "hour-09.parquet"
    cell.unlink()
    with store.locked() as held:
        assert len(list(held.partitions())) == 2
        with pytest.raises(LostRecordsError):
            held.records()
        held.raise_cutoff(TODAY)  # what the footers count is no longer there
    with store.locked() as held:
        assert list(held.partitions())
        assert held.records()


def test_without_the_sum_of_generations_a_lost_record_goes_unseen(store: LocalStore) -> None:
    """Control: a state that is told the sum of what is left takes the loss for the truth."""
    lose_one(store)
    path = state_file(store)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"generations": 1}))
    assert "a-source" not in lock(store).records()


def test_deletion_waits_for_no_record(tmp_path: Path) -> None:
    """With records lost for good the cutoff rises, partitions go, days are sealed; deleted lines are owed."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a"), (at(back(4)), "/a")])
    feed(store, "a-source", [], rejected=1)
    feed(store, "b-source", [(at(back(6)), "/a")])
    kept = record_of(store, "a-source").read_bytes()
    record_of(store, "a-source").write_bytes(b"{")
    with store.locked() as held:
        held.raise_cutoff(back(5))
        assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW).partitions == (back(6),)
        assert held.seal(SPEC, now=NOW) == (back(4),)
        assert held.expire_records(WEEK, NOW) == ()
        assert held.lost is not None
    assert store.records_safely()[1] == ("a-source",)
    assert store.balances()["a-source"] == type(store.balances()["a-source"])(1, 1, 0, 0)
    assert store.balances()["b-source"].holds
    record_of(store, "a-source").write_bytes(kept)
    found = lock(store)
    assert found.records()["a-source"].deleted == 1
    assert json.loads(state_file(store).read_text())["owed"] == {}
    assert all(balance.holds for balance in found.balances().values())


def test_records_that_had_expired_stand_for_no_lost_ones(tmp_path: Path) -> None:
    """A backup of the records that is older than an expiry brings back as many as it lacks: they are told apart."""
    store = make_store(tmp_path / "s")
    feed(store, "old-source", [(at(back(30)), "/a")], now=at(back(30)))
    backup = shutil.copytree(store.path / "_loganon" / "sources", tmp_path / "backup")
    with store.locked() as held:
        held.raise_cutoff(back(9))
        held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
        assert held.expire_records(WEEK, NOW) == ("old-source",)
    feed(store, "new-source", [(at(TODAY), "/a")])
    before = store.records()
    assert store.generations() == (1, 1)
    shutil.rmtree(store.path / "_loganon" / "sources")
    shutil.copytree(backup, store.path / "_loganon" / "sources")
    assert store.generations() == (1, 1)  # the sum alone sees nothing
    found = lock(store)
    with found.locked() as held:
        held.expire_records(WEEK, NOW)
    assert (found.records(), len(found.notes)) == (before, 1)


def test_a_record_that_expired_is_gone_in_one_commit(tmp_path: Path) -> None:
    """Killed, failing or without power while records expire: the sum of generations is that of the records left."""
    store = make_store(tmp_path / "s")
    feed(store, "old-source", [(at(back(30)), "/a")], now=at(back(30)))
    feed(store, "new-source", [(at(TODAY), "/a")])

    def expire(path: Path, files: Counted) -> None:
        with LocalStore.open(path, files=files).locked(timedelta(0)) as held:
            held.raise_cutoff(back(9))
            held.expire_records(WEEK, NOW)

    interrupt(store.path, tmp_path / "x", expire, lambda path: list(LocalStore.open(path).records()) == ["new-source"])


def interrupt(
    store: Path, space: Path, act: Callable[[Path, Counted], None], holds: Callable[[Path], bool], *, whole: bool = True
) -> None:
    """`act` killed, failing or without power at each operation; done again, it has done what it does in peace."""
    files = Counted()
    act(shutil.copytree(store, space / "peace"), files)
    assert holds(space / "peace")
    for step in range(len(files.steps)):
        for fault in FAULTS if THOROUGH else (FAULTS[step % 3],):
            path = space / f"{step}-{fault}"
            shutil.copytree(store, path)
            with suppress(Killed, LoganonError):
                match fault:
                    case "kill":
                        act(path, Counted(kill_at(step)))
                    case "fail":
                        act(path, Counted(fail_at(step, errno.EIO)))
                    case _:
                        disk = Disk(path)
                        disk.act = kill_at(step)
                        try:
                            act(path, disk)
                        finally:
                            disk.cut(path.with_name(f"{step}-after"), lambda: 0.0)
                            path = path.with_name(f"{step}-after")
            act(path, Counted())
            assert holds(path), (files.steps[step], fault)
            stated, found = LocalStore.open(path).generations()
            assert not whole or stated == found
            shutil.rmtree(path)


@pytest.mark.parametrize("what", ["upgrade", "rebuild"])
def test_mending_is_one_commit(store: LocalStore, tmp_path: Path, what: str) -> None:
    """An upgrade or a rebuilding that is interrupted at any operation is made whole by the next holder of the lock."""
    before = store.records()
    if what == "upgrade":
        make_version_1(store)
    else:
        lose_all(store)

    def act(path: Path, files: Counted) -> None:
        with LocalStore.open(path, files=files).locked(timedelta(0)) as held:
            held.records()

    def holds(path: Path) -> bool:
        document = json.loads((path / "_loganon" / "state.json").read_text())
        return LocalStore.open(path).records() == before and document["generations"] == 3

    interrupt(store.path, tmp_path / "x", act, holds)


def test_records_of_an_unlimited_table_expire_after_60_days(tmp_path: Path) -> None:
    """Not a day earlier; the floor rises above their lines, so that a log that comes back is not counted twice."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(62), 7), "/a"), (at(back(61), 3), "/a")], now=at(back(61)))
    feed(store, "b-source", [(at(back(80)), "/a")], now=at(back(60)))
    with store.locked() as held:
        assert held.expire_records(UNLIMITED, at(TODAY) - timedelta(days=1, seconds=1)) == ()
        assert held.floor is None
        assert held.expire_records(UNLIMITED, at(TODAY) - timedelta(days=1)) == ("a-source",)
        assert held.floor == at(back(60))
        assert held.expire_records(UNLIMITED, at(TODAY)) == ("b-source",)
        assert held.floor == at(back(60))
        lines = [(at(back(62), 7), "/a"), (at(back(61), 23), "/a"), (at(back(60)), "/a")]
        done = held.commit(Batch(table(lines), (part("c-source", None, lines),)), SPEC, now=NOW, writer=None, footer={})
    assert done.expired == {"c-source": 2}
    assert requests_of(store.path).total() == 4
    assert (store.records().keys(), store.generations()) == ({"c-source"}, (1, 1))
    assert store.balances().keys() == {"c-source"}
    assert store.balances()["c-source"].holds
    lose_all(store)
    assert lock(store).records().keys() == {"c-source"}  # the copies of those that expired are in the table still


def test_a_copy_that_was_changed_rebuilds_nothing() -> None:
    """A footer has no checksum: copies of records have one of their own."""
    record = Record("a-source", "s", prefix=((5, "ab12"),), lines={"counted": 1}, generation=1)
    text = encode_snapshots({"a-source": record})
    assert decode_snapshots(text) == {"a-source": record}
    for changed in (text.replace("ab12", "ab13"), text[:-3], "[]", "null", "{}", '{"records": {}}', ""):
        assert decode_snapshots(changed) == {}


@pytest.mark.parametrize("stream", ["10.0.0.5-access.log", "jane@example.org.log", "a%31%30.0.0.5.log"])
def test_a_log_named_after_a_person_leaves_no_copy(tmp_path: Path, stream: str) -> None:
    """A record whose log's name has the shape of an address stays out of the table's footers."""
    store = make_store(tmp_path / "s")
    lines = [(at(TODAY), "/a")]
    one = part("a-source", None, lines)
    batch = Batch(table(lines), (replace(one, after=replace(one.after, stream=stream)),))
    with store.locked() as held:
        held.commit(batch, SPEC, now=NOW, writer=None, footer={})
    (found,) = store.partitions()
    assert [cell.footer.records for cell in found.cells if cell.footer] == [{}]
    lose_all(store)
    with pytest.raises(LostRecordsError):
        feed(store, "b-source", lines)


def test_cells_that_hold_more_than_was_counted_rebuild_nothing(store: LocalStore) -> None:
    """Where the table has more lines of a source than its record counts, something is counted twice: refused (74)."""
    shutil.copy(
        store.path / CellName(back(1), 0).path, store.path / "access" / f"date={back(1)}" / "hour-09.copy.parquet"
    )
    lose_one(store)
    with pytest.raises(LostRecordsError):
        feed(store, "c-source", [(at(TODAY), "/a")])


def test_all_well_costs_no_look_at_the_table() -> None:
    """While the sums agree nothing is planned, and no partition is read."""
    records = {"a-source": Record("a-source", "s", generation=2)}

    def never() -> list[object]:
        raise AssertionError

    from loganon.store.manifest import State  # noqa: PLC0415 - this test's only

    assert plan_mend(State(generations=2), records, (), never, whole=True) is None  # type: ignore[arg-type]  # it is not called


def test_a_day_is_a_day_for_every_age() -> None:
    """A record goes when both its newest line and its last commit have reached the age; the ages are calendar ages."""
    from loganon.store.records import has_gone  # noqa: PLC0415 - this test's only

    month = parse_period("1 month")
    record = Record(
        "a-source", "s", newest=datetime(2026, 1, 31, tzinfo=UTC), committed=datetime(2026, 1, 31, tzinfo=UTC)
    )
    assert not has_gone(record, date(2026, 2, 27), month)
    assert has_gone(record, date(2026, 2, 28), month)


def test_a_clock_that_runs_back_makes_no_record_look_expired(tmp_path: Path) -> None:
    """A record that is committed by a clock from before the last expiry is a record like any other."""
    store = make_store(tmp_path / "s")
    feed(store, "old-source", [(at(back(1)), "/a")], now=at(back(1)))
    with store.locked() as held:
        held.raise_cutoff(TODAY)
        held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
        assert held.expire_records(parse_period("1 day"), NOW) == ("old-source",)
    feed(store, "new-source", [], rejected=1, now=at(back(2)))
    assert lock(store).records().keys() == {"new-source"}
    lock(store).check_records()


def test_a_holder_that_failed_goes_on(store: LocalStore) -> None:
    """What was lost and made again is known to the holder; a later batch goes on from it."""
    lose_all(store)
    with LocalStore.open(store.path).locked() as held:
        commit(held, "a-source", [(at(TODAY), "/a")])
    assert store.records()["a-source"].generation == 3
    with (
        pytest.raises(InputOutputError),
        LocalStore.open(store.path, files=Counted(fail_at(3, errno.EIO))).locked() as held,
    ):
        commit(held, "b-source", [(at(TODAY), "/a")])
