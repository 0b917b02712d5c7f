"""How much of each suite runs, and what came of it.

`LOGANON_FAULTS` unset: little, in a minute. `ci`: what CI runs. `large`: what `docs/reliability.md` reports. One suite
alone: `kill=10000`, several with commas. `LOGANON_FAULTS_FIGURES` names a file that gets one JSON object a suite.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

ALL = 1 << 30
"""As many as there are."""
ONE_EACH = ALL - 1
"""Of errors: one of the three at each call."""
LEVELS = ("quick", "ci", "large")
COUNTS = {
    "kill": (16, 200, 10_000),
    "errors": (16, ONE_EACH, ALL),
    "full_disk": (6, 50, ALL),
    "power_cut": (3, 20, 1_000),
    "rotation": (15, 200, 10_000),
    "rotation_steps": (20, 30, 50),
    "concurrency": (2, 20, 1_000),
    "logrotate": (3, 6, 30),
    "model": (60, 2_000, 100_000),
}
"""Suite -> how many, at each level. Suites that are not here run whole, always."""
SHOWN = 20


def count_of(suite: str) -> int:
    """How many of a suite this process runs."""
    wish = os.environ.get("LOGANON_FAULTS", "quick")
    if "=" not in wish:
        return COUNTS[suite][LEVELS.index(wish)]
    named = dict(part.split("=") for part in wish.split(","))
    assert named.keys() <= COUNTS.keys(), f"LOGANON_FAULTS names no suite: {sorted(named.keys() - COUNTS.keys())}"
    return int(named.get(suite, COUNTS[suite][0]))


@dataclass(slots=True)
class Tally:
    """The cases of a suite: how many, lines lost, lines counted twice, and whatever else was wrong."""

    suite: str
    cases: int = 0
    lost: int = 0
    twice: int = 0
    wrong: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def add(self, case: str, *, lost: int = 0, twice: int = 0, wrong: str = "") -> None:
        """One case; `case` is how to make it again."""
        self.cases += 1
        self.lost += lost
        self.twice += twice
        if lost or twice or wrong:
            self.wrong.append(f"{case}: {lost} lost, {twice} twice. {wrong}")

    def close(self) -> None:
        """The figures are written down; fails where anything was wrong."""
        path = os.environ.get("LOGANON_FAULTS_FIGURES")
        if path:
            seconds = round(time.monotonic() - self.since, 1)
            entry = {
                "suite": self.suite,
                "count": self.cases,
                "lost": self.lost,
                "twice": self.twice,
                "wrong": len(self.wrong),
                "seconds": seconds,
            }
            with Path(path).open("a", encoding="utf-8") as figures:
                figures.write(json.dumps(entry) + "\n")
        assert not self.wrong, "\n".join(self.wrong[:SHOWN])
