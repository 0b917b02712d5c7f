"""What happens to a store and its logs, one move after another, and what must hold whatever happens.

A schedule is a list of moves, drawn by hypothesis or by dice. The same one is played on the model of the protocol
(`model.py`) and on the real code (`stepping.py`): two runs that take turns operation by operation, logs that grow, are
rotated and truncated, days that pass, kills, power cuts.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

AGE = 7
"""Days that the policy keeps."""
NAMES = ("a.log", "b.log")
FREQUENCY = {
    "a": 8,
    "b": 6,
    "write": 5,
    "rotate": 1,
    "truncate": 1,
    "night": 1,
    "kill": 2,
    "cut": 2,
    "look": 3,
    "tidy": 1,
    "apply": 1,
}
"""Move -> how often dice take it."""
STRESS = FREQUENCY | {"apply": 4, "night": 3, "cut": 4}
"""The same with more of what ends a run or changes what it stands on."""
AMOUNTS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 400)

Move = tuple[str, int]
Schedule = tuple[Move, ...]


def rolled(
    seed: int, moves: Iterable[str] = FREQUENCY, length: int = 45, odds: Mapping[str, int] = FREQUENCY
) -> Schedule:
    """A schedule of these moves by dice; it begins with something to count."""
    dice = random.Random(seed)
    names = list(moves)
    weights = [odds[name] for name in names]
    drawn = dice.choices(names, weights, k=length)
    return (("write", 2), ("write", 1), *((name, dice.choice(AMOUNTS)) for name in drawn))


def drawn() -> st.SearchStrategy[Schedule]:
    """Schedules drawn by hypothesis."""
    names = [name for name, weight in FREQUENCY.items() for _ in range(weight)]
    move = st.tuples(st.sampled_from(names), st.sampled_from(AMOUNTS))
    return st.lists(move, min_size=5, max_size=60).map(lambda moves: (("write", 2), ("write", 1), *moves))


@dataclass(slots=True)
class LogFile:
    """A log file, whatever its name: the lines that stand in it."""

    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Book:
    """The truth: the day of every line ever written, the logs, what completed runs have answered for.

    `stored`: lines that a completed run found counted; `cutoff`: that of the latest completed run.
    """

    today: int = 0
    days: list[int] = field(default_factory=list)
    logs: dict[str, LogFile] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    cutoff: int = -1_000
    moved: int = 0

    @property
    def due(self) -> int:
        """The oldest day that may stand by today's clock."""
        return self.today - AGE + 1

    def write(self, amount: int) -> tuple[str, list[int]]:
        """The name of a log and the lines that it now has more."""
        name = NAMES[amount % 2]
        new = list(range(len(self.days), len(self.days) + 1 + amount % 3))
        self.days += [self.today - (amount + number) % (AGE + 1) for number in new]
        self.logs.setdefault(name, LogFile()).lines += new
        return name, new

    def rotate(self, amount: int) -> tuple[str, str] | None:
        """A log's old name and its new one."""
        name = NAMES[amount % 2]
        if name not in self.logs:
            return None
        self.moved += 1
        target = f"{name}.{self.moved}"
        self.logs[target] = self.logs.pop(name)
        return name, target

    def truncate(self, amount: int) -> tuple[str, str, list[int]] | None:
        """A log's name, the name of the copy that holds what it held, and its new lines."""
        name = NAMES[amount % 2]
        if not self.logs.get(name, LogFile()).lines:
            return None
        self.moved += 1
        target = f"{name}.{self.moved}"
        self.logs[target] = LogFile(self.logs[name].lines[:])
        self.logs[name].lines.clear()
        _, new = self.write(NAMES.index(name) + 2 * (amount % 3))
        return name, target, new

    def tidy(self) -> str | None:
        """A rotated log that is no more, since all its lines are stored."""
        for name, log in self.logs.items():
            if name not in NAMES and self.stored.issuperset(log.lines):
                del self.logs[name]
                return name
        return None


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run was given: the clock, the logs and what stood in them."""

    today: int
    logs: dict[str, tuple[LogFile, tuple[int, ...]]]


class World(ABC):
    """A store and its logs, to which moves happen; `wrong` takes what must not be: the invariant first."""

    def __init__(self) -> None:
        self.book = Book()
        self.wrong: list[str] = []
        self.moves = 0
        self._total = 0
        self._nights = [0, 0]

    def play(self, schedule: Schedule) -> list[str]:
        """What was wrong, after all moves and one run in peace."""
        for name, amount in schedule:
            self.move(name, amount)
            if self.wrong:
                return self.wrong
        self.kill(0)
        self.kill(1)
        self._finish()
        return self.wrong

    def move(self, name: str, amount: int) -> None:
        """One move."""
        self.moves += 1
        if name in ("a", "b"):
            who = "ab".index(name)
            self._nights[who] *= self.running(who)
            self.advance(who, amount)
        elif name == "kill":
            self.kill(amount % 2)
        elif name == "cut":
            self.kill(0)
            self.kill(1)
            self.cut(amount)
            self._total = 0
        elif name == "night":
            self.pass_night()
        elif name == "look":
            self.look()
        else:
            getattr(self, name)(amount)

    def pass_night(self) -> None:
        """It is the next day. No run lasts two nights: to its clock lines would be of the future."""
        self.book.today += 1
        self._total = 0
        for who in (0, 1):
            self._nights[who] += 1
            if self._nights[who] > 1:
                self.kill(who)

    @abstractmethod
    def running(self, who: int) -> bool:
        """True if the process is in the middle of a run."""

    @abstractmethod
    def advance(self, who: int, amount: int) -> None:
        """One of the two processes makes so many operations; it begins a run where it has none."""

    @abstractmethod
    def kill(self, who: int) -> None:
        """One of the two processes is gone."""

    @abstractmethod
    def cut(self, amount: int) -> None:
        """The power fails: of what was not synced a subset stands."""

    @abstractmethod
    def table(self) -> tuple[Counter[int], set[int]]:
        """What a reader finds: how often each line, and the days that have a partition."""

    @abstractmethod
    def peace(self) -> None:
        """One run on all logs that nothing disturbs; `wrong` takes its errors and sources out of balance."""

    def write(self, amount: int) -> None:
        """A log grows."""
        self.book.write(amount)

    def rotate(self, amount: int) -> None:
        """A log has another name."""
        self.book.rotate(amount)

    def truncate(self, amount: int) -> None:
        """A log is copied, and begins anew."""
        self.book.truncate(amount)

    def tidy(self, _amount: int) -> None:
        """A log that is counted is deleted."""
        self.book.tidy()

    @abstractmethod
    def apply(self, amount: int) -> None:
        """The next run changes the policy instead."""

    def begun(self) -> Begun:
        """What a run that starts now is given."""
        return Begun(self.book.today, {name: (log, tuple(log.lines)) for name, log in self.book.logs.items()})

    def completed(self, begun: Begun) -> None:
        """A run has ended without an error: it answers for what stood in its logs, and for what is past."""
        for name, (log, lines) in begun.logs.items():
            if self.book.logs.get(name) is log and tuple(log.lines[: len(lines)]) == lines:
                self.book.stored.update(lines)
        self.book.cutoff = max(self.book.cutoff, begun.today - AGE + 1)

    def look(self) -> None:
        """No read is above the truth, none falls while nothing is deleted, no expired partition is back."""
        lines, days = self.table()
        twice = sorted(line for line, count in lines.items() if count > 1)
        forged = sorted(line for line in lines if not 0 <= line < len(self.book.days))
        back = sorted(day for day in days if day < self.book.cutoff)
        total = sum(
            count for line, count in lines.items() if line not in forged and self.book.days[line] >= self.book.due
        )
        self.wrong += [f"twice: lines {twice}"] * bool(twice)
        self.wrong += [f"above the truth: lines {forged}"] * bool(forged)
        self.wrong += [f"back: days {back}, cutoff {self.book.cutoff}"] * bool(back)
        self.wrong += [f"fell: from {self._total} to {total}"] * (total < self._total)
        self._total = total

    def _finish(self) -> None:
        if not self.wrong:
            self.look()
        if self.wrong:
            return
        self._total = 0
        self.peace()
        self.book.cutoff = max(self.book.cutoff, self.book.due)
        self.look()
        lines, _ = self.table()
        there = self.book.stored.union(*(log.lines for log in self.book.logs.values()))
        lost = sorted(line for line in there if self.book.days[line] >= self.book.due and not lines[line])
        self.wrong += [f"lost: lines {lost}"] * bool(lost)
