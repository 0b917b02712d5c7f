"""A full disk: with too few free blocks a run says 73 and leaves nothing half; deletion works with none at all."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from faults.counts import Tally, count_of
from faults.parts import mounted
from faults.scene import Place, Writer, cutoff_of, difference, make_place, moments, told, truth_of
from faults.warm import Warm
from support.cli import Done
from support.runs import NOW, Hours, days

BLOCK = 4096
SIZE = 4 << 20
OLD = NOW - timedelta(days=44)


class FullDisk:
    """A place whose store lies on a small disk, in which an earlier run counted the beginning of a log."""

    def __init__(self, folder: Path, disk: Path, warm: Warm) -> None:
        writer = Writer()
        first = writer.lines([*moments(OLD, 4), *moments(NOW - timedelta(days=5), 4)])
        rest = writer.lines([*moments(NOW - timedelta(days=5), 6, 1), *moments(NOW - timedelta(hours=48), 46, 60)])
        self.disk = disk
        self.place = make_place(folder / "place", warm.run, writer.needles)
        self.place.store = disk / "store"
        self.log = self.place.folder / "access.log"
        self.place.logs = (self.log,)
        self.log.write_bytes(b"".join(first))
        done = self.place.run(now=NOW - timedelta(days=4))
        assert done.code == 0, done.err
        self.log.write_bytes(b"".join(first + rest))
        self.before = shutil.copytree(self.place.store, folder / "before")
        self.states = (
            truth_of([b"".join(first)], since=cutoff_of(NOW - timedelta(days=4))),
            truth_of([b"".join(first)], since=cutoff_of(NOW)),
        )
        self.truth = truth_of([self.log], since=cutoff_of(NOW))

    def reset(self) -> None:
        """As before the run, with all space."""
        self.free()
        if self.place.store.exists():
            shutil.rmtree(self.place.store)
        shutil.copytree(self.before, self.place.store)

    def fill(self, blocks: int) -> None:
        """So many blocks are free."""
        with (self.disk / "filler").open("wb", buffering=0) as filler:
            free = os.statvfs(self.disk).f_bavail
            os.posix_fallocate(filler.fileno(), 0, max(1, (free - blocks) * BLOCK))
        assert os.statvfs(self.disk).f_bavail == blocks

    def free(self) -> None:
        """Nothing but the store lies on the disk."""
        (self.disk / "filler").unlink(missing_ok=True)

    def run_with(self, blocks: int) -> Done:
        """The run with so much space."""
        self.reset()
        self.fill(blocks)
        return self.place.run()

    def needed(self) -> int:
        """The fewest blocks with which the run ends well."""
        low, high = 0, 256
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.run_with(middle).code == 0 else (middle + 1, high)
        return low


def half(found: Hours, states: tuple[Hours, ...]) -> str:
    """What is wrong with a store that is none of these."""
    return "" if found in states else "a commit stands half"


def test_each_block_of_a_commit(folder: Path, warm: Warm) -> None:
    """With too little space a run ends with 73, its store as before or as after; with space again it goes on right."""
    tally = Tally("full_disk")
    with mounted(folder / "disk", "-t", "tmpfs", "-o", f"size={SIZE}", "loganon-faults") as disk:
        scene = FullDisk(folder, disk, warm)
        needed = scene.needed()
        assert needed > 40
        steps = min(count_of("full_disk"), needed + 1)
        for step in range(steps):
            blocks = step * needed // (steps - 1)
            done = scene.run_with(blocks)
            wrong = told(done) or scene.place.leaks(done)
            if not wrong and done.code != (73 if blocks < needed else 0):
                wrong = f"ended with {done.code}: {done.err}"
            wrong = wrong or half(scene.place.hours(), (*scene.states, scene.truth))
            scene.free()
            done = scene.place.run()
            off = difference(scene.place.hours(), scene.truth)
            wrong = wrong or told(done) or scene.place.leaks(done) or off.wrong or (done.err if done.code else "")
            tally.add(f"{blocks} of {needed} blocks free", lost=off.lost, twice=off.twice, wrong=wrong)
    tally.close()


@pytest.mark.parametrize("command", ["run", "retain"])
def test_deletion_without_space(folder: Path, warm: Warm, command: str) -> None:
    """With no block free what is due is deleted, by `retain` and by a run that cannot count anything."""
    with mounted(folder / "disk", "-t", "tmpfs", "-o", f"size={SIZE}", "loganon-faults") as disk:
        scene = FullDisk(folder, disk, warm)
        scene.reset()
        place = scene.place
        assert str(OLD.date()) in days(place.store)
        scene.fill(0)
        done = place.run() if command == "run" else retain(place)
        assert done.code == 73, done.err  # counting, or sealing a day, needs space
        assert told(done) == ""
        assert str(OLD.date()) not in days(place.store)
        scene.free()
        assert place.run().code == 0
        off = difference(place.hours(), scene.truth)
        assert (off.lost, off.twice) == (0, 0)
        assert place.leaks() == ""


def retain(place: Place) -> Done:
    """Deletion alone, at the place's moment."""
    return place.start(place.command, "retain", "--store", place.store, "--now", place.now.isoformat())
