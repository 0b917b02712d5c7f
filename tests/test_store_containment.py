"""Deletion goes for this store's own cells, on its own device, by their own names; and it is tried again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from loganon.store import Deleted, Failure, LocalStore, plan_retention
from loganon.store.layout import CellName
from support.cli import Command, without_override
from support.store_cases import NOW, TODAY, at, back, feed, make_store, requests_of

MUST = os.environ.get("LOGANON_SERVERS") == "1"
GONE = back(6)
KEPT = back(1)


def retain(store: LocalStore) -> Deleted:
    with store.locked() as held:
        held.raise_cutoff(back(3))
        return held.retain(plan_retention(held.partitions(), held.cutoff), NOW)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Two cells of a day that goes, one of a day that stays."""
    made = make_store(tmp_path / "s")
    feed(made, "a-source", [(at(GONE), "/a"), (at(GONE, 1), "/a"), (at(KEPT), "/a")])
    return made


@pytest.fixture
def need() -> Iterator[ExitStack]:
    """A stack of what must be undone."""
    with ExitStack() as stack:
        yield stack


def able(command: list[str | Path]) -> None:
    """The command ran; without the right to it the test is skipped."""
    done = subprocess.run(list(map(str, command)), capture_output=True, check=False)
    if done.returncode and not MUST:
        pytest.skip(f"{command[0]}: {done.stderr.decode().strip()}")
    assert done.returncode == 0, done.stderr


def partition(store: LocalStore, day: date = GONE) -> Path:
    return store.path / "access" / f"date={day}"


def test_an_immutable_partition_is_reported_and_tried_again(store: LocalStore, need: ExitStack) -> None:
    """What the system does not let go is a failure of this run (others go); when it does, the next run deletes it."""
    feed(store, "a-source", [(at(back(5)), "/a")])
    able(["chattr", "+i", partition(store)])
    need.callback(subprocess.run, ["chattr", "-i", str(partition(store))], check=False, capture_output=True)
    done = retain(store)
    assert done.partitions == (back(5),)
    assert {failure.path for failure in done.failures} == {CellName(GONE, hour).path for hour in (0, 1)}
    assert store.balances()["a-source"].holds
    subprocess.run(["chattr", "-i", str(partition(store))], check=True)
    assert retain(store) == Deleted((GONE,), ())
    assert store.records()["a-source"].deleted == 3


def test_a_read_only_partition_by_the_command(tmp_path: Path) -> None:
    """`retain` exits 1, names it, and deletes the rest; with the mode put right it exits 0."""
    from loganon.policy import load_policy  # noqa: PLC0415 - one test's policy
    from loganon.store import PolicyStamp  # noqa: PLC0415 - as above

    policy = load_policy("imos")
    stamp = PolicyStamp(policy.name, policy.sha256, policy.canonical)
    path = tmp_path / "real"
    made = LocalStore.create(path, stamp, key_check="k", now=NOW)
    feed(made, "a-source", [(at(GONE), "/a"), (at(back(5)), "/a")])
    command = Command(tmp_path)
    words = ("retain", "--store", path, "--now", f"{back(-37)}T00:00Z", "--json")
    partition(made).chmod(0o500)
    done = command(*words, preexec_fn=without_override)
    assert (done.code, done.json["partitions_dropped"]) == (1, [str(back(5))])
    done.message(f"access/date={GONE}")
    partition(made).chmod(0o700)
    done = command(*words, preexec_fn=without_override)
    assert (done.code, done.json["partitions_dropped"], done.err) == (0, [str(GONE)], "")


@pytest.mark.parametrize("kind", ["hard link", "pipe", "socket", "directory"])
def test_what_is_named_like_a_cell(store: LocalStore, tmp_path: Path, kind: str) -> None:
    """Of a foreign file only the name in the partition goes; what is no file stays and keeps the partition."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    path = partition(store) / "hour-09.parquet"
    if kind == "hard link":
        path.hardlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140600)
    else:
        path.mkdir()
        (path / "hour-00.parquet").write_bytes(b"mine")
    done = retain(store)
    assert victim.read_bytes() == b"mine"
    if kind == "hard link":
        assert done == Deleted((GONE,), ())
    else:
        assert done.partitions == ()
        assert Failure(CellName(GONE, 9).path, "is no regular file of this device") in done.failures
        assert [found.name for found in partition(store).iterdir()] == ["hour-09.parquet"]
    assert partition(store, KEPT).exists()


@pytest.mark.parametrize("where", ["partition", "cell", "inside"])
def test_another_device(store: LocalStore, need: ExitStack, where: str) -> None:
    """Nothing is deleted on a file system that is mounted over a partition, a cell's name, or a file in it."""
    copy = (partition(store) / "hour-01.parquet").read_bytes()
    target = partition(store)
    if where == "inside":
        target = partition(store) / "hour-01.parquet"
        source = store.path.parent / "other"
        source.mkdir()
        able(["mount", "-t", "tmpfs", "none", source])
        need.callback(subprocess.run, ["umount", str(source)], check=True)
        (source / "file").write_bytes(copy)
        able(["mount", "--bind", source / "file", target])
    else:
        if where == "cell":
            target = partition(store) / "hour-02.parquet"
            target.mkdir()
        able(["mount", "-t", "tmpfs", "none", target])
        (target / "hour-01.parquet").write_bytes(copy)
    need.callback(subprocess.run, ["umount", str(target)], check=True)
    done = retain(store)
    assert done.partitions == ()
    assert done.failures
    kept = target if where == "inside" else target / "hour-01.parquet"
    assert kept.read_bytes() == copy


def test_a_restored_store_is_pruned_again(store: LocalStore, tmp_path: Path) -> None:
    """A backup of the whole store brings its old cutoff back; the next run raises it and deletes what was due."""
    backup = shutil.copytree(store.path, tmp_path / "backup")
    retain(store)
    shutil.rmtree(store.path)
    shutil.copytree(backup, store.path)
    found = LocalStore.open(store.path)
    assert retain(found) == Deleted((GONE,), ())
    assert requests_of(store.path) == {(at(KEPT), "/a"): 1}
    assert all(balance.holds for balance in found.balances().values())
    feed(found, "b-source", [(at(TODAY), "/a")])
