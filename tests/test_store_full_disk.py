"""A full disk: what is past its day goes all the same; what could not be counted is counted once there is room."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from loganon.errors import CannotWriteError
from loganon.store import LocalStore, plan_retention
from loganon.store.reserve import SIZE
from support.cli import Inside
from support.runs import line
from support.store_cases import NOW, SPEC, TODAY, at, back, commit, feed, make_store
from support.store_disk import Counted

MUST = os.environ.get("LOGANON_SERVERS") == "1"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True, check=False
    )
    if made.returncode and not MUST:
        pytest.skip(f"cannot mount a tmpfs: {made.stderr.decode().strip()}")
    assert made.returncode == 0
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    """The file that takes all room that is left."""
    path = place / "filler"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    with pytest.raises(OSError, match="No space"):
        (place / "more").write_bytes(bytes(1 << 12))
    (place / "more").unlink(missing_ok=True)
    return path


def test_partitions_go_from_a_full_disk(small: Path) -> None:
    """The cutoff rises, partitions and records go, and what cannot be written stops nothing; then it is counted."""
    store = make_store(small / "s")
    feed(store, "a-source", [(at(back(6), hour), f"/{n}") for n in range(9) for hour in range(3)])
    feed(store, "b-source", [(at(back(6)), "/a"), (at(TODAY), "/a")])
    filler = fill(small)
    full = LocalStore.open(store.path)
    with full.locked() as held:
        with pytest.raises(CannotWriteError):
            commit(held, "c-source", [(at(TODAY, hour), f"/{n}") for n in range(300) for hour in range(24)])
        held.raise_cutoff(back(5))
        done = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert done.partitions == (back(6),)
    assert (store.cutoff(), [found.day for found in store.partitions()]) == (back(5), [TODAY])
    assert all(balance.holds for balance in store.balances().values())
    filler.unlink()
    feed(store, "c-source", [(at(TODAY), "/a")])
    assert (store.path / "_loganon" / "reserve").stat().st_size == SIZE
    assert json.loads((store.path / "_loganon" / "state.json").read_text())["owed"] == {}
    assert store.records()["a-source"].deleted == 27
    assert all(balance.holds for balance in store.balances().values())


def test_the_command_on_a_full_disk(small: Path, tmp_path: Path) -> None:
    """`retain` and `run` delete what is past its day; what could not be counted for want of room is counted later."""
    command = Inside(tmp_path)
    store = small / "store"
    words = ("--store", store, "--json", "--quiet", "--now")
    old = tmp_path / "old.log"
    old.write_bytes(b"".join(line(at(back(42), hour), f"/{hour}") for hour in range(24)))
    assert command("run", old, *words, f"{back(41)}T01:00Z").json["counted"] == 24
    filler = fill(small)
    done = command("retain", *words, f"{TODAY}T12:00Z")
    assert (done.code, done.json["partitions_dropped"]) == (0, [str(back(42))]), done.err
    assert not (store / "access" / f"date={back(42)}").exists()
    filler.unlink()
    new = tmp_path / "new.log"
    new.write_bytes(b"".join(line(at(TODAY, n % 12), f"/{n}") for n in range(500)))
    filler = fill(small)
    done = command("run", new, *words, f"{TODAY}T12:00Z")
    assert (done.code, done.json["counted"]) == (73, 0)
    filler.unlink()
    assert command("run", new, *words, f"{TODAY}T12:00Z").json["counted"] == 500
    assert command("verify", "--store", store, "--now", f"{TODAY}T12:00Z", "--quiet").code == 0


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_the_reserve_is_what_the_cutoff_rises_in(tmp_path: Path, error: int) -> None:
    """Without room the reserve is given up, then the state alone is written; records get their lines when there is."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a")])
    reserve = store.path / "_loganon" / "reserve"
    assert reserve.stat().st_size == SIZE
    assert reserve.stat().st_blocks * 512 >= SIZE
    assert min(reserve.read_bytes()) >= 128
    assert len(zlib.compress(reserve.read_bytes())) > SIZE // 2

    def full(_step: int, operation: str, path: Path) -> None:
        if operation in ("create", "write", "append") and reserve.exists():
            raise OSError(error, os.strerror(error), str(path))

    files = Counted(full)
    with LocalStore.open(store.path, files=files).locked(timedelta(0)) as held:
        held.raise_cutoff(back(5))
        assert not reserve.exists()
        assert held.cutoff == back(5)
        assert held.balances()["a-source"].holds
    assert store.records()["a-source"].deleted == 0
    with store.locked() as held:
        assert held.records()["a-source"].deleted == 1
        assert held.balances()["a-source"].holds
    assert reserve.exists()


def test_without_a_reserve_the_cutoff_waits(tmp_path: Path) -> None:
    """Control: where there is no room at all raising the cutoff fails (73)."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(6)), "/a")])

    def full(_step: int, operation: str, path: Path) -> None:
        if operation in ("create", "write", "append"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with LocalStore.open(store.path, files=Counted(full)).locked(timedelta(0)) as held, pytest.raises(CannotWriteError):
        held.raise_cutoff(back(5))
    assert store.cutoff() is None


def test_a_store_without_room_for_a_reserve_works(tmp_path: Path) -> None:
    """That the reserve cannot be made fails nothing and leaves nothing behind; it is made when it can be."""
    store = make_store(tmp_path / "s")

    def no_reserve(_step: int, operation: str, path: Path) -> None:
        if operation == "write" and path.name.endswith("-reserve"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    for day in (TODAY, back(1)):
        with LocalStore.open(store.path, files=Counted(no_reserve)).locked(timedelta(0)) as held:
            commit(held, f"{day}-source", [(at(day), "/a")])
            held.seal(SPEC, now=NOW)
    assert not (store.path / "_loganon" / "reserve").exists()
    assert not list((store.path / "_loganon" / "staging").iterdir())
    with store.locked():
        assert (store.path / "_loganon" / "reserve").exists()
