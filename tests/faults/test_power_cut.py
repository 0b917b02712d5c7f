"""The power fails under a run: what was reported as counted is there, nothing is twice, nothing expired comes back."""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from faults.counts import Tally, count_of
from faults.image import FLUSH, LOG_FLUSH, NO_LOG_FLUSH, Image, mounted_image
from faults.parts import needs_root, program
from faults.scene import Writer, cutoff_of, difference, make_place, moments, told, truth_of
from faults.tracing import Call, attach, traced
from faults.warm import Warm
from support.runs import NOW, days

FLAGS = (NO_LOG_FLUSH, NO_LOG_FLUSH, NO_LOG_FLUSH, LOG_FLUSH, FLUSH)
NIGHTS = (NOW - timedelta(days=4), NOW, NOW + timedelta(days=2))
OLD = NOW - timedelta(days=44)


@dataclass(slots=True)
class Night:
    """One run: its moment, its log, and what a run in peace does."""

    now: datetime
    log: Path
    content: bytes
    calls: list[Call]
    seconds: float = 0.0


class Nights:
    """Three nightly runs, each with a log of its own that is removed once it was reported as counted."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        writer = Writer()
        contents = (
            [*moments(OLD, 4), *moments(NIGHTS[0] - timedelta(days=2), 9, 40)],
            [*moments(NIGHTS[0] - timedelta(days=2), 5), *moments(NIGHTS[1] - timedelta(hours=5), 12, 22)],
            [*moments(NIGHTS[1] - timedelta(hours=5), 5), *moments(NIGHTS[2] - timedelta(hours=5), 12, 22)],
        )
        self.warm = warm
        self.image: Image | None = None
        self.place = make_place(folder / "place", warm.run, writer.needles)
        self.place.store = folder / "disk" / "store"
        self.place.temporary = folder / "disk" / "tmp"
        self.nights = [
            Night(now, self.place.folder / f"access-{number}.log", b"".join(writer.lines(content)), [])
            for number, (now, content) in enumerate(zip(NIGHTS, contents, strict=True))
        ]

    def write(self) -> None:
        """All logs are there, and no key but that of the store to come."""
        self.place.temporary.mkdir()
        (self.place.folder / "key").unlink(missing_ok=True)
        for night in self.nights:
            night.log.write_bytes(night.content)

    def learn(self) -> None:
        """The calls that each run makes on the disk."""
        self.write()
        for night in self.nights:
            words = self.place.words(logs=[night.log], now=night.now)
            begun = time.monotonic()
            found = traced(self.warm, self.place.command, *words)
            night.seconds = time.monotonic() - begun
            assert found.done.code == 0, found.done.err
            night.calls = [call for call in found.calls if call.makes and call.within(self.place.store)]

    def run(self, night: Night) -> str:
        """One run in peace, unless its log was counted; the log goes. What is wrong with it."""
        if not night.log.exists():
            return ""
        done = self.place.run(logs=[night.log], now=night.now)
        night.log.unlink()
        return told(done) or (f"ended with {done.code}: {done.err}" if done.code else "")

    def cut(self, night: Night, dice: random.Random, image: Image) -> str:
        """The power fails during one run; the disk is mounted again. How it was."""
        words = self.place.words(logs=[night.log], now=night.now)
        running = self.warm.start(self.place.command, *words, held=True)
        flags = dice.choice(FLAGS)
        if dice.random() < 0.6:
            call = dice.choice(night.calls)
            how = f"{call.name} {call.number}, flags {flags}"
            tracer = attach(running, self.place.folder / "trace", f"{call.name}:signal=KILL:when={call.number}")
            done = running.wait()
            image.cut(flags)
            tracer.communicate()
        else:
            after = dice.uniform(0, night.seconds)
            how = f"{after:.4f} s, flags {flags}"
            running.release()
            running.pause(after)
            image.cut(flags)
            running.kill()
            done = running.wait()
        if done.code == 0:  # it was reported as counted
            night.log.unlink()
        image.unmount()
        image.mount()
        return f"{how}, ended with {done.code}"

    def check(self, upto: Night) -> str:
        """What is wrong with the disk after the cut: a day that was deleted stands again."""
        if not (self.place.store / "access").exists():
            return ""
        done = [night for night in self.nights if night.now <= upto.now and not night.log.exists()]
        cutoff = cutoff_of(max((night.now for night in done), default=NIGHTS[0]))
        back = [day for day in days(self.place.store) if day < str(cutoff)]
        return f"{back} came back" if back else ""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty file system."""
    needs_root("mounting")
    folder = tmp_path_factory.mktemp("template")
    image = Image(folder / "image", folder / "disk")
    image.make()
    return image.file


def test_a_disk_that_another_still_has(folder: Path, template: Path) -> None:
    """After a cut what is on the disk can be read, though the file system that was cut lives on in another's mounts."""
    with mounted_image(folder / "image", folder / "disk", template) as image:
        (image.at / "kept").write_text("x")
        other = subprocess.Popen([program("unshare"), "--mount", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"x\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"x\n"  # it runs, with mounts of its own
        image.cut(FLUSH)
        image.unmount()
        image.mount()
        assert (image.at / "kept").read_text() == "x"
        other.communicate()


def test_power_cuts(folder: Path, warm: Warm, template: Path) -> None:
    """Three nightly runs, one of which or two of which lose their power at any moment, and are run again."""
    program("strace")
    tally = Tally("power_cut")
    nights = Nights(folder, warm)
    with mounted_image(folder / "image", folder / "disk", template):
        nights.learn()
    for seed in range(count_of("power_cut")):
        dice = random.Random(seed)
        chosen = dice.choice(nights.nights)
        how: list[str] = []
        wrong = ""
        with mounted_image(folder / "image", folder / "disk", template) as image:
            nights.write()
            for night in nights.nights:
                if night is chosen:
                    how = [nights.cut(night, dice, image) for _ in range(dice.choice((1, 1, 2))) if night.log.exists()]
                    wrong = wrong or nights.check(night)
                said = nights.run(night)
                wrong = wrong or said
            found = nights.place.hours()
            wrong = wrong or nights.place.leaks()
            image.unmount()
            raw = nights.place.needles.found_in(image.file.read_bytes())
        off = difference(found, truth_of((night.content for night in nights.nights), since=cutoff_of(NIGHTS[2])))
        wrong = wrong or off.wrong or (f"{len(raw)} canaries in the image" if raw else "")
        tally.add(f"seed {seed}, {chosen.log.name}: {how}", lost=off.lost, twice=off.twice, wrong=wrong)
    tally.close()
