"""Killed: at every call that changes the disk, and at random moments; then run again, also by other options."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from faults.counts import Tally, count_of
from faults.parts import needs_root, program
from faults.scene import Writer, cutoff_of, difference, make_place, moments, told, truth_of
from faults.tracing import Call, traced
from faults.warm import Warm
from support.runs import NOW

OTHER_OPTIONS = (
    ("--timezone", "Europe/Berlin"),
    ("--timezone", "America/St_Johns", "--format", "combined"),
    ("--format", "auto"),
    ("--format", "common"),
    ("--format", "combined_vhost"),
    ("--policy", "imos"),
    ("--policy", "six-weeks"),
    ("--lead", "3d"),
    ("--final",),
    ("--writer", "other"),
)
OTHER_CLOCKS = tuple(timedelta(hours=hours) for hours in (-20, -1, 1, 24, 24 * 9, 24 * 40))
GROUPS = 2


class Scene:
    """A store that has counted the beginning of two logs, and the logs as they now are.

    The next run raises the cutoff, deletes a day, counts the rest of both logs and seals a day.
    """

    def __init__(self, folder: Path, warm: Warm) -> None:
        writer = Writer()
        first = writer.lines([*moments(NOW - timedelta(days=44), 4), *moments(NOW - timedelta(days=5), 4)])
        rest = writer.lines([*moments(NOW - timedelta(days=5), 6, 1), *moments(NOW - timedelta(hours=3), 12)])
        other = writer.lines([*moments(NOW - timedelta(days=5), 3), *moments(NOW - timedelta(hours=4), 6)])
        self.place = make_place(folder / "place", warm.run, writer.needles)
        self.place.logs = (self.place.folder / "access.log", self.place.folder / "other.log")
        one, two = self.place.logs
        one.write_bytes(b"".join(first))
        two.write_bytes(b"".join(other[:3]))
        done = self.place.run(now=NOW - timedelta(days=4))
        assert done.code == 0, done.err
        one.write_bytes(b"".join(first + rest))
        two.write_bytes(b"".join(other))
        self.content = (one.read_bytes(), two.read_bytes())
        self.before = shutil.copytree(self.place.folder, folder / "before")

    def interrupt(self, warm: Warm) -> None:
        """From now on the run finds a commit that was killed when its first file stood in place."""
        calls = calls_to_kill(self, warm)
        first = next(n for n, call in enumerate(calls) if call.name == "rename" and "/hour-" in call.text)
        after = next(call for call in calls[first + 1 :] if call.name == "rename")
        self.reset()
        inject = f"rename:signal=KILL:when={after.number}"
        assert traced(warm, self.place.command, *self.place.words(), inject=(inject,)).done.code < 0
        assert (self.place.store / "_loganon" / "commit.json").exists()
        shutil.rmtree(self.before)
        shutil.copytree(self.place.folder, self.before)

    def reset(self) -> None:
        """As before the run."""
        shutil.rmtree(self.place.folder)
        shutil.copytree(self.before, self.place.folder)

    def rotate(self, dice: random.Random) -> None:
        """A log may have been renamed before the next run."""
        if dice.random() < 0.3:
            log = self.place.logs[0]
            log.rename(log.with_name("access.log.1"))

    def logs(self) -> list[Path]:
        return sorted(self.place.folder.glob("*.log*"))


def check(tally: Tally, scene: Scene, case: str, dice: random.Random, options: tuple[str, ...], now: datetime) -> None:
    """After the kill: by other options never more than the truth; by the same ones the truth."""
    place = scene.place
    wrong = place.leaks()
    scene.rotate(dice)
    latest = max(NOW, now)
    if options or now != NOW:
        done = place.run(*options, logs=scene.logs(), now=now)
        wrong = wrong or told(done) or place.leaks(done)
        off = difference(place.hours(), truth_of(scene.content))
        wrong = wrong or (f"{off.twice} too many after {options} {now}" if off.twice else "")
    done = place.run(logs=scene.logs(), now=latest)
    lead = timedelta(days=3 if "--lead" in options else 0)
    since = max(cutoff_of(NOW), cutoff_of(now + lead), cutoff_of(latest))
    off = difference(place.hours(), truth_of(scene.content, since=since))
    ended = f"ended with {done.code}: {done.err}" if done.code else ""
    wrong = wrong or told(done) or place.leaks(done) or ended or off.wrong
    tally.add(f"{case}, then {options} at {now}", lost=off.lost, twice=off.twice, wrong=wrong)


def variants(dice: random.Random) -> Iterator[tuple[tuple[str, ...], datetime]]:
    """Every other time the same options, else others."""
    while True:
        yield (), NOW
        yield dice.choice(OTHER_OPTIONS), NOW
        yield (), NOW
        yield dice.choice(((), dice.choice(OTHER_OPTIONS))), NOW + dice.choice(OTHER_CLOCKS)


@pytest.mark.parametrize("group", range(GROUPS))
def test_killed_at_each_call(folder: Path, warm: Warm, group: int) -> None:
    """SIGKILL in place of a call that changes the disk; run again, the store is what the logs say, no line twice.

    Half of the suite's count: each call of one run in turn, as often as that takes.
    """
    program("strace")
    needs_root("strace on a command")
    dice = random.Random(f"calls {group}")
    tally = Tally("kill")
    scene = Scene(folder, warm)
    calls = calls_to_kill(scene, warm)
    assert len(calls) > 60
    choice = variants(dice)
    half = count_of("kill") // 2
    spread = (
        [calls[(n * 37) % len(calls)] for n in range(half)] if half < len(calls) else calls * (half // len(calls) + 1)
    )
    for call in spread[:half][group::GROUPS]:
        scene.reset()
        inject = f"{call.name}:signal=KILL:when={call.number}"
        found = traced(warm, scene.place.command, *scene.place.words(), inject=(inject,))
        options, now = next(choice)
        check(tally, scene, f"{inject} ({found.done.code})", dice, options, now)
    tally.close()


def calls_to_kill(scene: Scene, warm: Warm) -> list[Call]:
    """The calls of one run that change something in the store."""
    found = traced(warm, scene.place.command, *scene.place.words())
    assert found.done.code == 0, found.done.err
    calls = [call for call in found.calls if call.makes and call.within(scene.place.store)]
    calls = [call for call in calls if call.name != "openat" or "O_CREAT" in call.text]
    assert {call.name for call in calls} >= {"write", "fsync", "rename", "unlink", "openat"}
    return calls


@pytest.mark.parametrize("group", range(GROUPS))
def test_killed_at_random(folder: Path, warm: Warm, group: int) -> None:
    """SIGKILL at a random moment of a run, while two logs grow and rotate from run to run: nothing lost or twice.

    The other half of the suite's count.
    """
    dice = random.Random(f"moments {group}")
    tally = Tally("kill")
    scene = Scene(folder, warm)
    choice = variants(dice)
    whole = 0.0
    for number in range(-1, len(range(group, count_of("kill") - count_of("kill") // 2, GROUPS))):
        scene.reset()
        running = warm.start(scene.place.command, *scene.place.words(), held=True)
        running.release()
        if number < 0:
            begun = time.monotonic()
            assert running.wait().code == 0
            whole = time.monotonic() - begun
            continue
        after = dice.uniform(0, whole)
        met = running.kill(after)
        running.wait()
        options, now = next(choice)
        check(tally, scene, f"after {after:.4f} s ({met})", dice, options, now)
    tally.close()
