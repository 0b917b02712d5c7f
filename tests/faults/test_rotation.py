"""Logs that are written, rotated, compressed, truncated, replaced, copied in any order; runs and crashes between.

Every line is distinct but for the first two of each log, which all logs share. What must hold: no line is counted
twice; what stood in a file that a run read and did not report as set aside is counted once.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import loganon
from faults.counts import Tally, count_of
from faults.dying import Died, dying
from faults.parts import MEMORY
from leaks import Needles, search_tree
from support.runs import KEY, NOW, check_balance, line, plain_policy

NAMES = ("a.log", "b.log", "other.log")
KEPT = 4
SHARED = "/first.html"
_PATH = re.compile(rb'"GET (\S+) HTTP')
CLIENT = "37.158.201.77"
POLICY = plain_policy()


class Rotation(RuleBasedStateMachine):
    """`must`: the lines that a run which ended well had before it; `written`: how often each line was written."""

    tally: Tally | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="loganon-rotation-", dir=MEMORY if MEMORY.is_dir() else None))
        self.store = self.folder / "store"
        self.torn: dict[str, bytes] = {}
        self.must: set[str] = set()
        self.written: Counter[str] = Counter()
        self.number = 0
        self.stale = True

    # --- what servers and rotation do ---------------------------------------------------------------------------------

    def make(self, count: int) -> bytes:
        """So many lines that nothing else wrote."""
        found = []
        for _ in range(count):
            self.number += 1
            path = f"/p/{self.number}.html"
            self.written[path] += 1
            found.append(line(NOW - timedelta(hours=30) + timedelta(minutes=self.number % 97), path, client=CLIENT))
        return b"".join(found)

    def first(self) -> bytes:
        """With what every log begins."""
        self.written[SHARED] += 2
        return line(NOW - timedelta(hours=30), SHARED, client=CLIENT) * 2

    def log(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str) -> bool:
        return self.log(name).exists() and self.log(name).stat().st_size > 0

    @initialize()
    def begin(self) -> None:
        """Two logs stand."""
        for name in NAMES[:2]:
            self.log(name).write_bytes(self.first() + self.make(2))

    @rule(name=st.sampled_from(NAMES), count=st.sampled_from((0, 0, 1, 2, 5, 40)), torn=st.integers(0, 90))
    def write(self, name: str, count: int, torn: int) -> None:
        """Lines are added, or none but those that all logs begin with; the last may end later."""
        start = b"" if self.has(name) else self.first()
        data = start + self.torn.pop(name, b"") + self.make(count)
        if torn > 60:
            self.torn[name] = data[-torn:]
            data = data[:-torn]
        with self.log(name).open("ab") as log:
            log.write(data)
        self.stale = True

    @rule(name=st.sampled_from(NAMES))
    def rotate(self, name: str) -> None:
        """`create`: the log is renamed, those before it are, too."""
        if not self.has(name):
            return
        for number in range(KEPT, 0, -1):
            for ending in ("", ".gz"):
                old = self.log(f"{name}.{number}{ending}")
                if old.exists():
                    old.unlink() if number == KEPT else old.rename(self.log(f"{name}.{number + 1}{ending}"))
        self.log(name).rename(self.log(f"{name}.1"))
        self.torn.pop(name, None)
        self.stale = True

    @rule(
        name=st.sampled_from(NAMES), number=st.integers(1, KEPT), part=st.sampled_from((0.0, 0.5, 0.9, 1.0, 1.0, 1.0))
    )
    def compress(self, name: str, number: int, part: float) -> None:
        """A rotated log is compressed; or that is still going on, and it stands beside what there is of the copy."""
        plain = self.log(f"{name}.{number}")
        if not plain.exists():
            return
        packed = gzip.compress(plain.read_bytes(), mtime=0)
        plain.with_name(f"{plain.name}.gz").write_bytes(packed[: int(len(packed) * part)])
        if part == 1.0:
            plain.unlink()
        self.stale = True

    @rule(name=st.sampled_from(NAMES))
    def copytruncate(self, name: str) -> None:
        """The log is copied and emptied."""
        if not self.has(name):
            return
        for old in (self.log(f"{name}.1"), self.log(f"{name}.1.gz")):
            old.unlink(missing_ok=True)
        shutil.copyfile(self.log(name), self.log(f"{name}.1"))
        self.truncate(name)

    @rule(name=st.sampled_from(NAMES))
    def truncate(self, name: str) -> None:
        """The log is emptied; what nobody had read of it is gone."""
        if self.log(name).exists():
            self.log(name).write_bytes(b"")
            self.torn.pop(name, None)
            self.stale = True

    @rule(name=st.sampled_from(NAMES), count=st.sampled_from((1, 5, 40)))
    def replace(self, name: str, count: int) -> None:
        """Another log takes its name and its inode."""
        if self.log(name).exists():
            self.truncate(name)
            self.write(name, count, 0)

    @rule(name=st.sampled_from(NAMES), into=st.sampled_from(NAMES))
    def copy(self, name: str, into: str) -> None:
        """A copy stands beside the log, or under the name of another."""
        if self.has(name):
            shutil.copyfile(self.log(name), self.log(f"{into}.bak"))
            self.stale = True

    # --- runs ---------------------------------------------------------------------------------------------------------

    def logs(self, chosen: int) -> list[Path]:
        """The logs of which the number has the bit."""
        found = sorted(self.folder.glob("*.log*"))
        return [path for at, path in enumerate(found) if chosen >> (at % 8) & 1]

    def lines(self, path: Path) -> set[str]:
        """The distinct lines of a file; of a damaged one: none."""
        data = path.read_bytes()
        if path.suffix == ".gz":
            try:
                data = gzip.decompress(data)
            except (EOFError, OSError):
                return set()
        whole = data[: data.rfind(b"\n") + 1]
        return {match.decode() for match in _PATH.findall(whole)} - {SHARED}

    def counted(self) -> Counter[str]:
        """What the store holds of each line."""
        found: Counter[str] = Counter()
        for cell in (self.store / "access").glob("*/*.parquet"):
            table = pq.ParquetFile(cell).read(columns=["file", "requests"])
            for file, requests in zip(table["file"].to_pylist(), table["requests"].to_pylist(), strict=True):
                found[file] += requests
        return found

    @precondition(lambda self: self.stale)
    @rule(chosen=st.one_of(st.just(255), st.integers(1, 255)))
    def run(self, chosen: int) -> None:
        """A run on some of the logs; those that it does not set aside are counted whole."""
        logs = self.logs(chosen)
        if not logs:
            return
        with dying(None):
            summary = loganon.run(logs, policy=POLICY, store=self.store, now=NOW, key=KEY.secret)
        answer = summary.as_dict()
        check_balance(answer)
        aside = {skipped["log"] for skipped in answer["skipped"]}
        note(f"run {[path.name for path in logs]}: {answer['counted']} counted, {answer['skipped']}")
        assert {error.exit_code for error in summary.errors} <= {65}, summary.errors
        for path in logs:
            if str(path) not in aside:
                self.must |= self.lines(path)
        self.check()
        self.stale = False

    @rule(chosen=st.integers(1, 255), at=st.integers(0, 90))
    def crash(self, chosen: int, at: int) -> None:
        """A run that dies on its way."""
        logs = self.logs(chosen)
        if not logs:
            return
        with dying(at) as made, suppress(Died):
            loganon.run(logs, policy=POLICY, store=self.store, now=NOW, key=KEY.secret)
        note(f"crash {[path.name for path in logs]} after {len(made)}")
        self.stale = True

    def check(self) -> None:
        """No line twice; every line that must be there is."""
        found = self.counted()
        twice = {path: count for path, count in found.items() if count > self.written[path]}
        lost = {path for path in self.must if not found[path]}
        if self.tally is not None and (twice or lost):
            self.tally.twice += sum(count - self.written[path] for path, count in twice.items())
            self.tally.lost += len(lost)
        assert not twice, "counted twice"
        assert not lost, "not counted, though its file was read"

    @invariant()
    def no_leak(self) -> None:
        """Nothing of a line is in what stands."""
        if not self.stale:
            assert search_tree(self.store, NEEDLES) == []

    def teardown(self) -> None:
        """In the end every log is read once more: what stands is counted, or its file is set aside."""
        try:
            self.stale = True
            self.run(255)
            if self.tally is not None:
                self.tally.cases += 1
        finally:
            shutil.rmtree(self.folder)


NEEDLES = Needles({CLIENT.encode(), CLIENT.replace(".", "-").encode()})


def test_rotation() -> None:
    """Any order of writing, rotating, compressing, truncating, replacing, copying, running and crashing."""
    tally = Tally("rotation")
    machine: Any = type("Rotation", (Rotation,), {"tally": tally})
    machine.TestCase.settings = settings(
        max_examples=count_of("rotation"),
        stateful_step_count=count_of("rotation_steps"),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        machine.TestCase().runTest()
    except BaseException:
        tally.wrong.append("see the steps above")
        with suppress(AssertionError):
            tally.close()
        raise
    tally.close()
