"""A follower in the tests' own process, whose clock a test steps: write, rotate, tick, look."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from loganon.clock import Clock as RunClock
from loganon.errors import LoganonError
from loganon.following.follower import Follower
from loganon.following.pace import Terms
from loganon.following.session import Target
from loganon.formats import named_format
from loganon.lookups import open_lookups
from loganon.policy import Policy
from loganon.reading import Reading
from loganon.sources.live import Live
from support.runs import KEY, NOW, check_balance, check_store, plain_policy


@dataclass(slots=True)
class Clock:
    """A clock that stands still unless it is told to go on."""

    time: datetime = NOW
    second: float = 1000.0

    def now(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.second

    def pause(self, seconds: float) -> None:
        self.go(seconds)

    def go(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.second += seconds


@dataclass(slots=True)
class Said:
    """What an operator was told."""

    errors: list[LoganonError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def error(self, error: LoganonError) -> None:
        self.errors.append(error)

    def note(self, text: str) -> None:
        self.notes.append(text)


class Following:
    """A follower of `logs` into `folder/store`, and what it needs; each call of it is a tick after so many seconds."""

    def __init__(
        self,
        folder: Path,
        *logs: Path | str,
        clock: Clock | None = None,
        lives: Sequence[Live] = (),
        policy: Policy | None = None,
        provider_db: Iterable[Path] = (),
        format: str = "combined",  # noqa: A002 - the option's name
        accept_clock: bool = False,
        **terms: Any,
    ) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.clock = clock or Clock()
        self.said = Said()
        reading = Reading(lookups=open_lookups(tuple(provider_db)), format=named_format(format))
        self.follower = Follower(
            Target(path=self.store, policy=policy or plain_policy(), key=KEY),
            [str(log) for log in logs],
            lives,
            reading,
            ticker=self.clock,
            teller=self.said,
            terms=Terms(
                **{"flush_interval": 10.0, "wait": 0.0, **terms}, clock=RunClock(NOW, accept_clock=accept_clock)
            ),
        )
        self.follower.open()

    def __call__(self, seconds: float = 11, times: int = 1) -> None:
        for _ in range(times):
            self.clock.go(seconds)
            self.follower.tick()

    def write(self, log: Path, content: Sequence[bytes] | bytes) -> None:
        """Append, at the time of the clock."""
        with log.open("ab") as file:
            file.write(content if isinstance(content, bytes) else b"".join(content))
        stamp(log, self.clock)

    def end(self) -> dict[str, Any]:
        """Stopped as by SIGTERM; the summary, whose balance holds as that of the store does."""
        answer = self.follower.finish().as_dict()
        check_balance(answer)
        check_store(self.store)
        return answer

    def again(self, *logs: Path | str, **options: Any) -> Following:
        """Another process on the same store, after this one was killed."""
        self.follower.close()
        return Following(self.folder, *logs, clock=self.clock, **options)


def stamp(log: Path, clock: Clock) -> None:
    """The file was changed now, by the clock of the test."""
    os.utime(log, (clock.time.timestamp(), clock.time.timestamp()))


def scraped(port: int, name: str) -> list[tuple[dict[str, str], float]]:
    """The samples of a metric, with their labels, that a process serves at the port; none while it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return []
    families = text_string_to_metric_families(text)
    return [(each.labels, each.value) for family in families for each in family.samples if each.name == name]


def held() -> list[str]:
    """The descriptors of this process, by what they lead to."""
    return [target for path in Path("/proc/self/fd").iterdir() if (target := _target(path))]


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
