"""Killed at whatever moment: the next run gives the oracle's counts, nothing is lost and nothing counted twice.

Two ways: in place of each operation that changes the disk, in a whole run; and by SIGKILL at random, `LOGANON_KILLS`
times (25 unless set).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from loganon.keys import Key
from loganon.store import LocalStore, local
from oracle import read_data
from support.cli import SAMPLES, TIMEOUT
from support.runs import KEY, NOW, days, expected, hours_of, ingest, line, lines, plain_policy, rows_of, table_of
from support.store_disk import Counted, Killed, kill_at

KILLS = int(os.environ.get("LOGANON_KILLS", "25"))
GROUPS = 2

# --- at each operation --------------------------------------------------------------------------------------------

OLD = NOW - timedelta(days=44)  # gone by NOW
SEALED = NOW - timedelta(days=5)
LOG = [
    *(line(OLD + timedelta(minutes=n), f"/old/{n}") for n in range(3)),
    *(line(SEALED + timedelta(minutes=n), f"/a/{n % 2}", size=n) for n in range(9)),
    *lines(3, tag="new"),
]
FIRST = 6  # lines of it that an earlier run has counted


class Scene:
    """A store in which an earlier run counted the beginning of a log, and the log as it is now."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "x.log"
        self.log.write_bytes(b"".join(LOG[:FIRST]))
        self.store = folder / "store"
        self.run(NOW - timedelta(days=4))
        self.log.write_bytes(b"".join(LOG))

    def run(self, now: object = NOW) -> None:
        ingest(self.store, [self.log], now=now, policy=plain_policy())  # type: ignore[arg-type]  # a moment


def swap_files(monkeypatch: pytest.MonkeyPatch, files: Counted) -> None:
    """All stores opened from now on work on these files."""
    monkeypatch.setattr(local, "Files", lambda: files)


def check(store: Path) -> None:
    """The counts are those of the log, without what is past its day; nothing stands that should have gone."""
    assert hours_of(store) == expected(read_data(b"".join(LOG), "combined"), since=(NOW - timedelta(days=41)).date())
    assert min(days(store)) > str(OLD.date())
    records = LocalStore.open(store).records().values()
    assert sum(sum(record.lines.values()) for record in records) == len(LOG)


def test_killed_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that raises the cutoff, deletes, counts the rest of a log and seals is killed in place of each operation,
    in the middle of each write: the next run comes to the same."""
    scene = Scene(tmp_path)
    before = shutil.copytree(scene.store, tmp_path / "before")
    files = Counted()
    with monkeypatch.context() as patch:
        swap_files(patch, files)
        scene.run()
    check(scene.store)
    peace = rows_of(table_of(scene.store))
    operations = {operation for operation, _ in files.steps}
    assert operations >= {"create", "write", "sync", "rename", "unlink", "mkdir", "rmdir", "append"}
    assert len(files.steps) > 60
    for step in range(len(files.steps)):
        shutil.rmtree(scene.store)
        shutil.copytree(before, scene.store)
        with monkeypatch.context() as patch:
            swap_files(patch, Counted(kill_at(step)))
            with suppress(Killed):
                scene.run()
        if step % 2:  # a log may have been rotated before the next run
            scene.log.rename(tmp_path / "x.log.1")
            scene.log = tmp_path / "x.log.1"
        else:
            scene.log = scene.log.rename(tmp_path / "x.log")
        with monkeypatch.context() as patch:
            swap_files(patch, Counted())  # without real syncs
            scene.run()
        check(scene.store)
        assert rows_of(table_of(scene.store)) == peace, files.steps[step]


def test_killed_while_the_store_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run of all, killed at each operation: the next makes the store, or goes on with it."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(LOG[:3]))
    now = OLD + timedelta(days=1)
    files = Counted()
    with monkeypatch.context() as patch:
        swap_files(patch, files)
        ingest(tmp_path / "peace", [log], now=now)
    peace = hours_of(tmp_path / "peace")
    assert peace == expected(read_data(log.read_bytes(), "combined"))
    for step in range(len(files.steps)):
        store = tmp_path / str(step)
        with monkeypatch.context() as patch:
            swap_files(patch, Counted(kill_at(step)))
            with suppress(Killed):
                ingest(store, [log], now=now)
        with monkeypatch.context() as patch:
            swap_files(patch, Counted())
            ingest(store, [log], now=now)
        assert hours_of(store) == peace, files.steps[step]


# --- SIGKILL at random --------------------------------------------------------------------------------------------

CHILD = """
import sys
from loganon import job
from loganon.cli import main, run, progress
print("ready", flush=True)
sys.stdin.readline()
main()
"""
"""The command, which waits before it begins so that a kill meets its work rather than its imports."""


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A run that is ready to begin."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, "run", *words, "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
    )


def begin(process: subprocess.Popen[bytes], seconds: float | None) -> bool:
    """The run begins; True if it was killed after so many seconds."""
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdin.write(b"\n")
    process.stdin.flush()
    try:
        process.wait(TIMEOUT if seconds is None else seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(TIMEOUT)
        return True
    else:
        return False
    finally:
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test, whatever becomes of it."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        if process.poll() is None:
            process.kill()
        process.wait(TIMEOUT)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


@pytest.mark.parametrize("group", range(GROUPS))
def test_sigkill_at_random(tmp_path: Path, group: int, children: list[subprocess.Popen[bytes]]) -> None:
    """A log grows from run to run, and is rotated at times. Each run is killed at a random moment of its work; the one
    after it comes to the oracle's counts of the log as it then is."""
    dice = random.Random(group)
    kills = len(range(group, KILLS, GROUPS))
    content = (SAMPLES / "shop.access.log").read_bytes().splitlines(keepends=True)[:1500]
    logs = [tmp_path / "x.log.1", tmp_path / "x.log"]
    rotated = len(content) // 2
    key = tmp_path / "key"
    key.write_bytes(KEY.secret)
    assert Key(key.read_bytes()) == KEY
    words = (*map(str, logs), "--store", "store", "--key-file", "key", "--now", NOW.isoformat(), "--wait", "0s")
    whole = 0.0
    killed = 0
    children.append(start(tmp_path, *words))
    for number in range(kills + 1):
        upto = len(content) * (number + 1) // (kills + 1)
        logs[0].write_bytes(b"".join(content[: min(upto, rotated)]))
        logs[1].write_bytes(b"".join(content[rotated:upto]))
        children.append(start(tmp_path, *words))  # the next gets ready while this one works
        begun = os.times().elapsed
        met = begin(children[-2], None if number == 0 else dice.uniform(0, whole))
        killed += met
        if not met:  # the machine may have been busier before
            whole = os.times().elapsed - begun
        ingest(tmp_path / "store", [log for log in logs if log.stat().st_size])
        assert hours_of(tmp_path / "store") == expected(read_data(b"".join(content[:upto]), "combined"))
    assert killed or not kills, "no run was met at its work"
