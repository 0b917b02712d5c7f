"""Several actors on one object store, one operation at a time, in an order that a seed chooses; any may fail or die.

Each actor is a thread that waits before every operation until it is its turn: what runs is the store's own code, and a
seed gives the same history again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loganon.buckets import Bucket, Location, UnclearError
from support.object_server import Hooked, Memory

LOCATION = Location("bucket", "store")


class Killed(BaseException):
    """The actor's process is gone."""


@dataclass(slots=True)
class Odds:
    """How often an operation fails with an unknown outcome (`unclear`), and how often its actor dies there."""

    unclear: float = 0.05
    killed: float = 0.0


@dataclass(slots=True)
class Stage:
    """Runs actors on `memory`; `steps`: the operations that took place, as (actor, operation, key)."""

    memory: Memory
    seed: int
    odds: Odds = field(default_factory=Odds)
    steps: list[tuple[int, str, str]] = field(default_factory=list)

    def run(self, actors: Sequence[Callable[[Bucket], None]]) -> list[BaseException | None]:
        """What ended each of the actors (None: it came to its end)."""
        chance = random.Random(self.seed)
        ended: list[BaseException | None] = [None] * len(actors)
        gates = [threading.Semaphore(0) for _ in actors]
        waiting = threading.Semaphore(0)
        alive = set(range(len(actors)))

        def play(index: int) -> None:
            gates[index].acquire()
            try:
                actors[index](self._bucket(index, chance, gates[index], waiting))
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                ended[index] = error
            alive.discard(index)
            waiting.release()

        threads = [threading.Thread(target=play, args=(index,), daemon=True) for index in range(len(actors))]
        for thread in threads:
            thread.start()
        while alive:
            gates[chance.choice(sorted(alive))].release()
            waiting.acquire()
        for thread in threads:
            thread.join()
        return ended

    def _bucket(
        self, index: int, chance: random.Random, gate: threading.Semaphore, waiting: threading.Semaphore
    ) -> Bucket:
        """The actor's own way to the store: all its waiting is for its turn."""

        def before(name: str, key: str) -> None:
            waiting.release()
            gate.acquire()
            self.steps.append((index, name, key))
            roll = chance.random()
            if roll < self.odds.killed / 2:
                raise Killed
            if self.odds.killed <= roll < self.odds.killed + self.odds.unclear / 2:
                raise UnclearError("not acted")

        def after(_name: str, _key: str) -> None:
            roll = chance.random()
            if roll < self.odds.killed / 2:
                raise Killed
            if self.odds.killed <= roll < self.odds.killed + self.odds.unclear / 2:
                raise UnclearError("acted")

        service = Hooked(self.memory, before, after)
        return Bucket(service, LOCATION, lanes=1, pause=lambda _seconds: None, chance=chance.random)


def open_bucket(memory: Memory) -> Bucket:
    """The store as one sees it to whom nothing happens."""
    return Bucket(memory, LOCATION, lanes=1, pause=lambda _seconds: None)
