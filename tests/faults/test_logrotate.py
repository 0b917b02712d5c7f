"""Debian's logrotate between runs, in each of its ways; logs that are truncated, replaced or still being written."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from faults.counts import Tally, count_of
from faults.parts import program, sh
from faults.scene import Place, Writer, difference, make_place, moments, told, truth_of
from faults.warm import Warm
from leaks import Needles
from support.cli import Done
from support.runs import NOW

WAYS = {
    "create": "create 0640",
    "create, compress": "create 0640\n compress",
    "create, delaycompress": "create 0640\n compress\n delaycompress",
    "create, dateext": "create 0640\n dateext",
    "create, dateext, compress": "create 0640\n dateext\n compress",
    "olddir": "create 0640\n olddir old\n createolddir 0755",
    "olddir, compress": "create 0640\n olddir old\n createolddir 0755\n compress\n delaycompress",
    "extension": "create 0640\n extension .log",
    "copytruncate": "copytruncate",
    "copytruncate, compress": "copytruncate\n compress",
    "copytruncate, delaycompress": "copytruncate\n compress\n delaycompress",
    "nocreate": "nocreate",
}


class Server:
    """A web server that writes into a log, and logrotate."""

    def __init__(self, place: Place, way: str) -> None:
        self.place = place
        self.log = place.folder / "access.log"
        self.writer = Writer()
        self.written: list[bytes] = []
        self.nights = self.days = 0
        self.configuration = place.folder / "logrotate.conf"
        text = f'"{self.log}" {{\n rotate 20\n size 1\n missingok\n {way}\n}}\n'
        self.configuration.write_text(text)
        self.configuration.chmod(0o644)

    def write(self, count: int) -> None:
        """So many lines more."""
        self.nights += 1
        start = NOW - timedelta(hours=40) + timedelta(hours=self.nights)
        lines = self.writer.lines(moments(start, count, 2))
        self.written += lines
        with self.log.open("ab") as log:
            log.write(b"".join(lines))

    def rotate(self) -> None:
        """As Debian's daily job does it, a day later each time."""
        self.days += 1
        today = f"@{NOW + timedelta(days=self.days):%Y-%m-%d %H:%M:%S}"
        job = (program("logrotate"), "-s", self.place.folder / "status", self.configuration)
        sh(program("faketime"), "-f", today, *job)

    def logs(self) -> list[Path]:
        """What an operator's pattern finds: the log and all that it became."""
        found = [*self.place.folder.glob("access*"), *self.place.folder.glob("old/access*")]
        return sorted(found)

    def run(self) -> Done:
        return self.place.run(logs=self.logs())

    def check(self, done: Done) -> str:
        """What is wrong after a run: any line written is counted, once; no canary of one is found."""
        self.place.needles = Needles(self.writer.needles)
        off = difference(self.place.hours(), truth_of([b"".join(self.written)]))
        ended = f"ended with {done.code}: {done.err}" if done.code else ""
        return told(done) or ended or (f"{off}" if off.lost or off.twice or off.bytes else "") or self.place.leaks(done)


@pytest.fixture
def tally() -> Iterator[Tally]:
    """Of all cases of one test."""
    found = Tally("logrotate")
    yield found
    found.close()


@pytest.fixture
def serve(folder: Path, warm: Warm) -> Callable[[str], Server]:
    """A server whose log is rotated in that way."""

    def make(way: str) -> Server:
        place = make_place(folder / "place", warm.run, ())
        place.folder.chmod(0o755)  # logrotate asks for it
        return Server(place, way)

    return make


@pytest.mark.parametrize("way", WAYS)
def test_logrotate(serve: Callable[[str], Server], tally: Tally, way: str) -> None:
    """Written, rotated and run in different orders, at times rotated twice between runs: all lines are counted."""
    program("logrotate")
    server = serve(WAYS[way])
    for night in range(count_of("logrotate")):
        server.write(15 + night)
        if night % 3 == 1:  # a run between writing and rotating
            tally.add(f"{way}, night {night}, before", wrong=server.check(server.run()))
        server.rotate()
        if night % 3 == 2:  # rotated twice between runs
            server.write(17)
            server.rotate()
        if not server.log.exists():
            server.log.touch()
        server.write(3 + night % 2 * 70)
        tally.add(f"{way}, night {night}", wrong=server.check(server.run()))


def test_truncated_behind_a_run(serve: Callable[[str], Server], tally: Tally) -> None:
    """`copytruncate` by hand: what was counted stays counted, what comes behind the truncation is another log."""
    server = serve("copytruncate")
    for length in (40, 5, 90, 40):
        server.write(length)
        tally.add(f"{length} lines", wrong=server.check(server.run()))
        os.truncate(server.log, 0)


def test_replaced_under_its_name(serve: Callable[[str], Server], tally: Tally) -> None:
    """A log that takes the name and the inode of one that was counted, shorter, as long or longer, is another."""
    server = serve("create")
    server.write(30)
    tally.add("first", wrong=server.check(server.run()))
    inode = server.log.stat().st_ino
    for length in (10, 10, 60, 30):
        with server.log.open("r+b") as log:
            log.truncate(0)
        server.write(length)
        assert server.log.stat().st_ino == inode
        tally.add(f"{length} lines", wrong=server.check(server.run()))


def test_being_compressed(serve: Callable[[str], Server], tally: Tally) -> None:
    """A .gz that is still being written is set aside, or what it has is known; in the end all is counted once."""
    server = serve("create")
    server.write(400)
    counted = len(server.written) // 2
    whole = server.log.read_bytes()
    server.log.write_bytes(b"".join(server.written[:counted]))
    truth = truth_of([b"".join(server.written)])
    assert server.run().code == 0
    server.log.unlink()
    packed = gzip.compress(whole)
    target = server.log.with_name("access.log.1.gz")
    for part in range(0, len(packed), len(packed) // 7):
        target.write_bytes(packed[:part])
        done = server.run()
        off = difference(server.place.hours(), truth)
        wrong = told(done) or (f"ended with {done.code}" if done.code not in {0, 65} else "")
        tally.add(f"{part} bytes", twice=off.twice, wrong=wrong)
    target.write_bytes(packed)
    tally.add("whole", wrong=server.check(server.run()))


def test_line_by_line(serve: Callable[[str], Server], tally: Tally) -> None:
    """A log that grows by any number of bytes between runs: every line is counted once, when its end is there."""
    server = serve("create")
    server.write(12)
    whole = server.log.read_bytes()
    server.log.write_bytes(b"")
    for part in range(0, len(whole), 457):
        with server.log.open("ab") as log:
            log.write(whole[part : part + 457])
        done = server.run()
        off = difference(server.place.hours(), truth_of([server.log]))
        tally.add(f"{part} bytes", lost=off.lost, twice=off.twice, wrong=told(done))
    tally.add("whole", wrong=server.check(server.run()))
