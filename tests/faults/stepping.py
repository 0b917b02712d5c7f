"""The real code on the schedules of `schedules.py`: two runs on one store that take turns at every operation.

Each run is a thread that waits before every operation on the store, on its lock and on a log until it is its turn. Its
files are those of `support.store_disk.Disk`, which knows what a power cut may leave.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from faults.schedules import Begun, World
from leaks import Needles, search_tree
from loganon import job
from loganon.clock import Clock
from loganon.errors import BusyError, CheckError, ConfigurationError, MissingInputError, UnreadableDataError
from loganon.lookups import open_lookups
from loganon.policy import Policy, parse_policy
from loganon.reading import Input, Reading
from loganon.rewrite import apply_policy
from loganon.sources.files import Log
from loganon.store import LocalStore, local
from support.canaries import canary
from support.runs import KEY, NOW, PLAIN, line
from support.store_disk import Disk, Killed

PACE = 4
"""Operations of the real code for one of the model's."""
WAIT = timedelta(hours=1)
FIRST = PLAIN.replace("6 weeks", "7 days")
POLICIES = (
    FIRST,
    FIRST.replace('success = { as = "flag" }\n', ""),
    FIRST.replace('success = { as = "flag" }\n', "").replace("family+major", "family"),
)
"""The store's, and what it is changed to, each tighter than the one before."""
Ignored = Callable[[str, Path], bool]


@lru_cache
def policy(number: int) -> Policy:
    """One of `POLICIES`."""
    return parse_policy(POLICIES[number], where="test")


class Process:
    """A run in a thread, operation by operation; `answer` is what it returned, `error` what it raised."""

    def __init__(self, stage: Stage, body: Callable[[], object]) -> None:
        self._stage = stage
        self._body = body
        self._go = threading.Semaphore(0)
        self._rests = threading.Semaphore(0)
        self._dead = False
        self.ended = False
        self.answer: object = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def advance(self, operations: int) -> None:
        """It makes so many operations, or comes to its end."""
        for _ in range(operations):
            if self.ended:
                return
            self._go.release()
            self._rests.acquire()

    def kill(self) -> None:
        """It makes no further operation."""
        self._dead = True
        self.advance(1)
        self._thread.join()

    def wait(self) -> None:
        """In its thread: until it is its turn."""
        if not self._dead:
            self._rests.release()
            self._go.acquire()
        if self._dead:
            raise Killed

    def _play(self) -> None:
        self._stage.processes[threading.get_ident()] = self
        self._go.acquire()
        try:
            if not self._dead:
                self.answer = self._body()
        except BaseException as error:  # noqa: BLE001 - the world judges it
            self.error = error
        del self._stage.processes[threading.get_ident()]
        self.ended = True
        self._rests.release()


class Stage(Disk):
    """A disk that several processes share; outside of them nothing waits."""

    def __init__(self, root: Path, ignored: Ignored) -> None:
        super().__init__(root, ignored)
        self.processes: dict[int, Process] = {}

    def turn(self) -> None:
        """It is this thread's turn."""
        process = self.processes.get(threading.get_ident())
        if process is not None:
            process.wait()

    def step(self, operation: str, path: Path) -> None:
        """One operation, when it is its turn."""
        self.turn()
        super().step(operation, path)

    def read(self, path: Path) -> bytes:
        """A file is read, when it is its turn."""
        self.turn()
        return super().read(path)

    def try_lock(self, descriptor: int) -> bool:
        """The kernel's lock, when it is its turn."""
        self.turn()
        return super().try_lock(descriptor)

    def pause(self, _seconds: float) -> None:
        """The next turn."""
        if threading.get_ident() not in self.processes:
            raise AssertionError("nobody is left who could hold the lock")


@contextmanager
def on(world: RealWorld) -> Iterator[None]:
    """Stores have the world's files, and logs are read when it is the reader's turn."""
    raw = Log._raw

    def gated(self: Log, offset: int, length: int) -> bytes:
        world.stage.step("read", self.path)
        return raw(self, offset, length)

    with patch.object(local, "Files", lambda: world.stage), patch.object(Log, "_raw", gated):
        yield


class RealWorld(World):
    """A store and logs in `folder`. `ignored(operation, path)`: syncs that are left out."""

    def __init__(self, folder: Path, ignored: Ignored = lambda _operation, _path: False) -> None:
        super().__init__()
        self._folder = folder
        self._ignored = ignored
        self._cuts = 0
        self._policy = 0
        self._next_is_apply = False
        self.key = KEY
        self.pace = PACE
        self.needles: set[bytes] = set()
        self._processes: list[tuple[Process, Begun | None] | None] = [None, None]
        self._reading = Reading(lookups=open_lookups((), ()))
        for part in ("logs", "disk-0"):
            (folder / part).mkdir(parents=True)
        self.stage = Stage(folder / "disk-0", ignored)

    @property
    def store(self) -> Path:
        """Where the store lies."""
        return self._folder / f"disk-{self._cuts}" / "s"

    def running(self, who: int) -> bool:
        """True if a thread waits for its turn."""
        return self._processes[who] is not None

    def advance(self, who: int, amount: int) -> None:
        """Operations of one run."""
        process, begun = self._processes[who] = self._processes[who] or self._begin()
        process.advance(amount * self.pace)
        if process.ended:
            self._processes[who] = None
            self._judge(process, begun)

    def until(self, who: int, operation: str, name: str) -> None:
        """One run goes on until it has made this operation on a file or a directory of this name, or to its end."""
        process, begun = self._processes[who] = self._processes[who] or self._begin()
        while not process.ended:
            before = len(self.stage.steps)
            process.advance(1)
            if len(self.stage.steps) > before and _is(self.stage.steps[-1], operation, name):
                return
        self._processes[who] = None
        self._judge(process, begun)

    def kill(self, who: int) -> None:
        """One of the two runs is gone."""
        found = self._processes[who]
        self._processes[who] = None
        if found is not None:
            found[0].kill()

    def together(self) -> None:
        """The two runs take turns until both have come to their end."""
        for who in (0, 1):
            self.advance(who, 0)
        while any(self._processes):
            for who in (0, 1):
                if self._processes[who]:
                    self.advance(who, 5)

    def cut(self, amount: int) -> None:
        """Each operation that was not synced survives or not: none, all, or by dice."""
        dice = random.Random(amount * 7919 + self.moves)
        chance = (0.0, 0.5, 1.0, 0.2, 0.8)[amount % 5]
        self._cuts += 1
        target = self._folder / f"disk-{self._cuts}"
        self.stage.cut(target, lambda: 1.0 if dice.random() < chance else dice.choice((0.0, 0.0, 0.3)))
        self.stage = Stage(target, self._ignored)
        self._search()

    def table(self) -> tuple[Counter[int], set[int]]:
        """All rows, as a reader who knows nothing of the store finds them."""
        lines: Counter[int] = Counter()
        for path in (self.store / "access").glob("*/*.parquet"):
            try:
                rows = pq.ParquetFile(path).read(["file", "requests"]).to_pylist()
            except (pa.ArrowInvalid, OSError):
                self.wrong.append(f"torn: {path.name}")
                continue
            for row in rows:
                lines[_number(row["file"])] += row["requests"]
        days = {path.name.removeprefix("date=") for path in (self.store / "access").glob("date=*")}
        return lines, {(date.fromisoformat(day) - NOW.date()).days for day in days}

    def peace(self) -> None:
        """One run, conservation by source, cells under the policy of the store, no canary."""
        self._next_is_apply = False
        process, begun = self._begin()
        process.advance(1_000_000)
        answer = process.answer
        errors = getattr(answer, "errors", [])
        if process.error is not None or errors:
            self.wrong.append(f"stopped: {(process.error or errors[0])!r}")
            return
        self._judge(process, begun)
        store = LocalStore.open(self.store)
        self.wrong += [f"balance: {found}" for found in store.balances().values() if not found.holds]
        stamps = {c.footer.policy_sha256 for part in store.partitions() for c in part.cells if c.footer}
        if not stamps <= {store.policy.sha256}:
            self.wrong.append("policy: cells under another than the store's")
        self._search()

    def write(self, amount: int) -> None:
        """A log grows."""
        name, new = self.book.write(amount)
        self._append(name, new)

    def rotate(self, amount: int) -> None:
        """A log has another name."""
        names = self.book.rotate(amount)
        if names is not None:
            (self._folder / "logs" / names[0]).rename(self._folder / "logs" / names[1])

    def truncate(self, amount: int) -> None:
        """A log is copied, and begins anew."""
        found = self.book.truncate(amount)
        if found is not None:
            log, copy = (self._folder / "logs" / name for name in found[:2])
            copy.write_bytes(log.read_bytes())
            log.write_bytes(b"")
            self._append(found[0], found[2])

    def tidy(self, _amount: int) -> None:
        """A log that is counted is deleted."""
        name = self.book.tidy()
        if name is not None:
            (self._folder / "logs" / name).unlink()

    def apply(self, _amount: int) -> None:
        """The next run changes the policy instead."""
        self._next_is_apply = True

    def clear(self) -> None:
        """The folder is gone, and no thread waits."""
        self.kill(0)
        self.kill(1)
        shutil.rmtree(self._folder)

    def _append(self, name: str, lines: list[int]) -> None:
        with (self._folder / "logs" / name).open("ab") as file:
            for number in lines:
                moment = NOW + timedelta(days=self.book.days[number], hours=-4 - number % 3)
                client, inner = canary("dotted", 2 * number), canary("e-mail", 2 * number + 1)
                self.needles |= client.needles | inner.needles
                file.write(line(moment, f"/p/{number}.html?q={inner.text}", client=client.text, size=number % 50))

    def _begin(self) -> tuple[Process, Begun | None]:
        clock = Clock(NOW + timedelta(days=self.book.today))
        store, begun = self.store, self.begun()
        stands = (store / "_loganon" / "store.json").exists()
        if self._next_is_apply and stands and self._policy < len(POLICIES) - 1:
            self._next_is_apply = False
            self._policy += 1
            new = policy(self._policy)
            return Process(self.stage, lambda: apply_policy(store, new, clock=clock, wait=WAIT, dry_run=False)), None
        given = None if stands else policy(0)
        inputs = [Input(str(self._folder / "logs" / name), self._reading) for name in begun.logs]

        def run() -> object:
            return job.run(inputs, policy=given, store=store, key=self.key, clock=clock, wait=WAIT, raising=False)

        return Process(self.stage, run), begun

    def _judge(self, process: Process, begun: Begun | None) -> None:
        """A run has ended: nothing may have stopped it but what a log, a clock or a new policy may do."""
        errors: list[BaseException] = list(getattr(process.answer, "errors", []))
        errors += [process.error] if process.error is not None else []
        bad = [error for error in errors if not isinstance(error, _FINE)]
        self.wrong += [f"stopped: {bad[0]!r}"] if bad else []
        skipped = getattr(process.answer, "skipped", [])
        if not errors and begun is not None and not [reason for _, reason in skipped if reason != "empty"]:
            self.completed(begun)

    def _search(self) -> None:
        hits = search_tree(self.stage._root, Needles(self.needles))
        self.wrong += [f"leak: {hits[0].path}"] if hits else []


_FINE = (BusyError, UnreadableDataError, MissingInputError, CheckError, ConfigurationError)


def _is(step: tuple[str, Path], operation: str, name: str) -> bool:
    return (step[0], step[1].name) == (operation, name)


def _number(file: str) -> int:
    """The line that has this path; -1 for none."""
    text = file.removeprefix("/p/").removesuffix(".html")
    return int(text) if text.isdigit() else -1
