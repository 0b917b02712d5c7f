"""Sealing and deletion: rare values fold when a day is over, partitions go on time, and nothing else does."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loganon.aggregate import merge
from loganon.periods import parse_period
from loganon.store import Batch, Deleted, Held, LocalStore, plan_retention
from loganon.store.layout import CellName
from support.store_cases import NOW, SPEC, TODAY, at, back, commit, feed, make_store, part, requests_of, rows_of, table
from support.store_disk import Counted

DAY = back(3)


def retain(store: LocalStore, cutoff: date) -> Deleted:
    with store.locked() as held:
        held.raise_cutoff(cutoff)
        return held.retain(plan_retention(held.partitions(), held.cutoff), NOW)


def write(held: Held, source: str, rows: list[tuple[int, str, str]], writer: str | None = None) -> None:
    """Accesses of DAY: hour, file, browser."""
    tables = [table([(at(DAY, hour), file)], browser=browser) for hour, file, browser in rows]
    lines = [(at(DAY, hour), file) for hour, file, _ in rows]
    sources = (part(source, held.records().get(source), lines),)
    held.commit(Batch(merge(tables, SPEC), sources), SPEC, now=NOW, writer=writer, footer={})


def values(store: LocalStore, column: str) -> Counter[object]:
    found: Counter[object] = Counter()
    for row in rows_of(store.path):
        found[row[column]] += row["requests"]  # type: ignore[assignment]  # an int64 column
    return found


@pytest.mark.parametrize("kept", [1000, 3, 0])
def test_a_value_is_rare_over_its_whole_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Rarity is judged over all hours and writers of the day, each field by itself; what is not named never folds;
    however many of its rows fit into memory at once.
    """
    monkeypatch.setattr("loganon.store.sealing._KEPT_ROWS", kept)
    store = make_store(tmp_path / "s")
    with store.locked() as held:
        write(
            held, "a-source", [(h, "/a", "Firefox") for h in range(3)] + [(4, "/rare", "Opera"), (5, "{ip}", "unknown")]
        )
        write(held, "b-source", [(h, "/a", "Firefox") for h in range(2)] + [(4, "/rare", "other-bot")], writer="w")
        before = held.balances()
        assert held.seal(SPEC, now=at(TODAY) - timedelta(seconds=1)) == ()
        assert held.seal(SPEC, now=at(TODAY)) == (DAY,)
        assert held.seal(SPEC, now=NOW) == ()
        assert held.balances() == before
        assert [found.sealed for found in held.partitions()] == [True]
    assert values(store, "file") == {"/a": 5, "other": 2, "{ip}": 1}
    assert values(store, "browser") == {"Firefox": 5, "other": 1, "unknown": 1, "other-bot": 1}
    assert {row["browser_version"] for row in rows_of(store.path) if row["browser"] == "other"} == {""}


def test_late_lines_of_a_sealed_day_keep_what_stands_there(tmp_path: Path) -> None:
    """A late line keeps a value only if it stands anywhere in the sealed day; its cell is sealed, old or new."""
    store = make_store(tmp_path / "s")
    with store.locked() as held:
        write(held, "a-source", [(0, "/a", "Firefox")] * 5, writer="w")
        held.seal(SPEC, now=NOW)
        write(
            held,
            "a-source",
            [(0, "/a", "Firefox"), (7, "/new", "Opera"), (7, "{ip}", "unknown")] + [(8, "/x", "Firefox")] * 9,
        )
        assert held.seal(SPEC, now=NOW) == ()
        assert all(cell.footer and cell.footer.sealed for found in held.partitions() for cell in found.cells)
    assert values(store, "file") == {"/a": 6, "other": 10, "{ip}": 1}
    assert values(store, "browser") == {"Firefox": 15, "other": 1, "unknown": 1}
    assert store.balances()["a-source"].holds


def test_a_day_without_cells_is_not_sealed(tmp_path: Path) -> None:
    """Lines of an empty past day are whole until the next seal."""
    store = make_store(tmp_path / "s")
    with store.locked() as held:
        assert held.seal(SPEC, now=NOW) == ()
        write(held, "a-source", [(0, "/rare", "Opera")])
        assert values(store, "file") == {"/rare": 1}
        assert held.seal(SPEC, now=NOW) == (DAY,)


def test_partitions_before_the_cutoff_go(tmp_path: Path) -> None:
    """A partition goes when it is before the cutoff, not a day earlier; its lines are deleted lines, once."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(n)), "/a") for n in range(5)] + [(at(back(4)), "/b")], rejected=1)
    assert retain(store, back(3)) == Deleted((back(4),), ())
    assert [found.day for found in store.partitions()] == [back(n) for n in (3, 2, 1, 0)]
    assert store.records()["a-source"].deleted == 2
    assert retain(store, back(3)) == Deleted((), ())
    assert retain(store, back(9)) == Deleted((), ())
    assert store.cutoff() == back(3)
    assert store.balances()["a-source"].holds
    begun, done = store.deletions()
    assert {k: done[k] for k in ("partition", "files", "rows", "rule", "policy_sha256", "state", "time")} == {
        "partition": back(4).isoformat(),
        "files": 1,
        "rows": 2,
        "rule": f"before {back(3)}",
        "policy_sha256": "ab" * 32,
        "state": "done",
        "time": NOW.isoformat(),
    }
    assert (begun["state"], begun["bytes"]) == ("begun", done["bytes"])


def test_a_restored_partition_goes_again(tmp_path: Path) -> None:
    """A partition that a backup brings back is deleted at the next run and its lines are not deleted twice."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(4)), "/a")])
    saved = shutil.copytree(store.path / "access", tmp_path / "saved")
    retain(store, back(3))
    shutil.copytree(saved, store.path / "access", dirs_exist_ok=True)
    assert retain(store, back(3)).partitions == (back(4),)
    assert store.records()["a-source"].deleted == 1
    assert store.balances()["a-source"].holds


def test_the_plan_is_what_is_done(tmp_path: Path) -> None:
    """A plan touches nothing; a partition of a plan that is not before the store's own cutoff stays."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(4)), "/a"), (at(back(2)), "/a")])
    plan = plan_retention(store.partitions(), back(1), "kept 6 weeks")
    assert [(d.day, d.files, d.rows, d.rule) for d in plan.drops] == [(back(n), 1, 1, "kept 6 weeks") for n in (4, 2)]
    assert plan_retention(store.partitions(), None).drops == ()
    with store.locked() as held:
        assert held.retain(plan, NOW) == Deleted((), ())
        held.raise_cutoff(back(2))
        assert held.retain(plan, NOW) == Deleted((back(4),), ())
    assert requests_of(store.path) == {(at(back(2)), "/a"): 1}


def test_deletion_touches_nothing_foreign(tmp_path: Path) -> None:
    """Links, directories, files of other names and other stores' cells stay, are reported, and keep their partition."""
    store, other = make_store(tmp_path / "s"), make_store(tmp_path / "other")
    for one in (store, other):
        feed(one, "a-source", [(at(back(6), h), "/a") for h in range(3)] + [(at(back(5)), "/a")])
    folder = store.path / "access" / f"date={back(6)}"
    victim = tmp_path / "victim.parquet"
    shutil.copy(folder / "hour-00.parquet", victim)
    (folder / "hour-03.parquet").symlink_to(victim)
    (folder / "hour-04.parquet").mkdir()
    (folder / "notes.txt").write_text("mine")
    shutil.copy(other.path / "access" / f"date={back(6)}" / "hour-02.parquet", folder / "hour-05.parquet")
    (store.path / "access" / f"date={back(7)}").symlink_to(other.path / "access" / f"date={back(6)}")
    done = retain(store, back(3))
    assert done.partitions == (back(5),)
    assert sorted(p.name for p in folder.iterdir()) == [*(f"hour-0{n}.parquet" for n in (3, 4, 5)), "notes.txt"]
    prefix = f"access/date={back(6)}"
    assert {f.path for f in done.failures} == {prefix, *(f"{prefix}/hour-0{n}.parquet" for n in (3, 4, 5))}
    assert victim.exists()
    assert requests_of(other.path) == Counter({(at(back(6), h), "/a"): 1 for h in range(3)} | {(at(back(5)), "/a"): 1})
    assert store.balances()["a-source"].holds


def test_a_damaged_cell_of_a_day_that_is_over_goes_with_it(tmp_path: Path) -> None:
    """A cell that cannot be read is not kept for that; a quarantined one goes with its date, another stays."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a"), (at(back(6), 1), "/a")])
    (store.path / CellName(back(6), 1).path).write_bytes(b"damaged")
    for day in (back(6), back(1)):
        quarantined = store.path / "_loganon" / "quarantine" / f"date={day}"
        quarantined.mkdir(parents=True)
        (quarantined / "hour-02.parquet").write_bytes(b"damaged")
    assert retain(store, back(3)) == Deleted((back(6),), ())
    assert [p.name for p in (store.path / "_loganon" / "quarantine").iterdir()] == [f"date={back(1)}"]
    assert not (store.path / "access" / f"date={back(6)}").exists()


def test_what_cannot_be_deleted_stops_nothing_else(tmp_path: Path) -> None:
    """A file that resists is reported; the other partitions go; the next run tries again and records it once."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(n), h), "/a") for n in (6, 5) for h in (0, 1)])

    def resist(_step: int, operation: str, path: Path) -> None:
        if operation == "unlink" and path == store.path / CellName(back(6), 0).path:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    done = retain(LocalStore.open(store.path, files=Counted(resist)), back(3))
    assert (done.partitions, [f.path for f in done.failures]) == ((back(5),), [CellName(back(6), 0).path])
    assert retain(store, back(3)) == Deleted((back(6),), ())
    entries = [(e["partition"], e["state"], e["rows"]) for e in store.deletions()]
    old, new = back(6).isoformat(), back(5).isoformat()
    assert entries == [(old, "begun", 2), (new, "begun", 2), (new, "done", 2), (old, "done", 2)]
    assert store.records()["a-source"].deleted == 4


def test_a_full_disk_keeps_no_partition(tmp_path: Path) -> None:
    """Where the deletion cannot be recorded the partition goes all the same, and the failure is reported."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a")])
    with store.locked() as held:
        held.raise_cutoff(back(3))

    def full(_step: int, operation: str, path: Path) -> None:
        if operation in ("append", "create", "write"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with LocalStore.open(store.path, files=Counted(full)).locked() as held:
        done = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert done.partitions == (back(6),)
    assert [f.path for f in done.failures] == ["_loganon/deletions.jsonl"]
    assert requests_of(store.path) == {}


def test_a_deletion_is_recorded_as_soon_as_there_is_room(tmp_path: Path) -> None:
    """What could not be recorded before the partition went is recorded after it, and nothing is reported."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a")])
    with store.locked() as held:
        held.raise_cutoff(back(3))

    def full(_step: int, operation: str, path: Path) -> None:
        if operation in ("append", "create", "write") and (store.path / "access" / f"date={back(6)}").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with LocalStore.open(store.path, files=Counted(full)).locked() as held:
        assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW) == Deleted((back(6),), ())
    assert [(e["state"], e["rows"]) for e in store.deletions()] == [("begun", 1), ("done", 1)]


def test_a_torn_deletion_record_is_taken_up(tmp_path: Path) -> None:
    """A line that a crash cut short neither counts nor damages the next; what has begun and is gone is finished."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a"), (at(back(5)), "/a")])
    retain(store, back(5))
    log = store.path / "_loganon" / "deletions.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    retain(store, back(4))
    assert [(e["partition"], e["state"]) for e in store.deletions()] == [
        (back(6).isoformat(), "begun"),
        (back(5).isoformat(), "begun"),
        (back(5).isoformat(), "done"),
        (back(6).isoformat(), "done"),
    ]


def test_a_record_goes_one_age_after_its_lines(tmp_path: Path) -> None:
    """A record goes when its newest line and its last commit are both one age before the cutoff, not a day earlier."""
    store = make_store(tmp_path / "s")
    age = parse_period("7 days")
    feed(store, "a-source", [(at(back(9)), "/a")], now=at(back(8)))
    feed(store, "b-source", [(at(back(9)), "/a")], now=at(back(7)))
    feed(store, "rejected", [], rejected=3, now=at(back(8)))
    with store.locked() as held:
        assert held.expire_records(age, NOW) == ()
        held.raise_cutoff(back(2))
        assert held.expire_records(age, NOW) == ()
        held.raise_cutoff(back(1))
        assert held.expire_records(parse_period("unlimited"), NOW) == ()
        assert held.expire_records(age, NOW) == ("a-source", "rejected")
        assert list(held.records()) == ["b-source"]
        commit(held, "a-source", [(at(TODAY), "/a")])
        assert all(balance.holds for balance in held.balances().values())


def test_the_cutoff_and_its_deletions_are_one(tmp_path: Path) -> None:
    """As soon as the cutoff has risen its days are gone for readers of the balance, though their files still stand."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a"), (at(TODAY), "/a")])
    with store.locked() as held:
        held.raise_cutoff(back(5))
        assert held.balances()["a-source"].holds
        assert held.balances()["a-source"].deleted == 1
        assert len(list(held.partitions())) == 2
        held.raise_cutoff(back(5))
        held.raise_cutoff(back(6))
        assert held.balances()["a-source"].deleted == 1


def test_a_cell_by_day_has_a_days_name(tmp_path: Path) -> None:
    """Where time is by day the cell is the day."""
    store = make_store(tmp_path / "s")
    lines = [(at(DAY), "/a")]
    with store.locked() as held:
        spec = replace(SPEC, unit="day")
        held.commit(Batch(table(lines), (part("a-source", None, lines),)), spec, now=NOW, writer=None, footer={})
        assert held.seal(spec, now=NOW) == (DAY,)
    assert pq.ParquetFile(store.path / "access" / f"date={DAY}" / "day.parquet").metadata.num_rows == 1
