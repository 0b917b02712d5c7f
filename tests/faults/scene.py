"""Logs full of canaries, what an independent reader counts in them, and what a store made of them.

Every line has a client that is a canary, and most have one more: in the path, the query, the referrer or the agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from leaks import Needles, search_tree
from oracle import read_data, read_log
from support.canaries import ALONE, SPELLINGS, canary
from support.cli import Command, Done
from support.runs import AGENT, MONTHS, NOW, Hours, expected, hours_of

AGE = timedelta(days=41)
CODES = frozenset({0, 1, 65, 66, 73, 74, 75, 78})
POLICY = """
name = "faults"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[fields]
domain  = { as = "provider", known_only = false }
time    = { as = "hour" }
file    = { as = "path", minimum = 3 }
browser = { as = "family+major", minimum = 2 }
success = { as = "flag" }
bytes   = { as = "sum" }
"""
_SENTENCE = re.compile(r"loganon: \S.*\.(?: \S.*[.?!])+|(?:note|loganon): .*")
_CLIENTS = ("dotted", "six", "mapped", "six full")
_PLACES = ("/x/{}/y", "/x?q={}", "/plain", "/plain", "/often")
_WITHIN = [name for name in SPELLINGS if name not in {*ALONE, "trailing", "list", "hex", "HEX", "dashes"}]


def cutoff_of(now: datetime) -> date:
    """The oldest day that may stand at a moment, by the policy of these tests."""
    return (now - AGE).date()


def stamp(moment: datetime, minutes: int = 0) -> str:
    """A moment as access logs write it, in a zone so many minutes ahead of UTC."""
    local = moment + timedelta(minutes=minutes)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    return f"{local:%d}/{MONTHS[local.month - 1]}/{local:%Y:%H:%M:%S} {zone}"


class Writer:
    """Lines of the combined format, each with canaries of its own; `needles` are those of all lines so far."""

    def __init__(self, first: int = 0) -> None:
        self.number = first * 100_000
        self.needles: set[bytes] = set()

    def line(self, moment: datetime) -> bytes:
        """One line, with its LF."""
        self.number += 1
        number = self.number
        client = canary(_CLIENTS[number % len(_CLIENTS)], 2 * number)
        inner = canary(_WITHIN[number % len(_WITHIN)], 2 * number + 1)
        self.needles |= client.needles | inner.needles
        path = _PLACES[number % len(_PLACES)].format(inner.text)
        refers = f"https://example.org/?from={client.text}" if number % 3 == 0 else "-"
        agent = f"{AGENT} {inner.text}" if number % 4 == 0 else AGENT
        status = 404 if number % 7 == 3 else 200
        zone = (0, 120, -330)[number % 3]
        request = f'{client.text} - - [{stamp(moment, zone)}] "GET {path} HTTP/1.1"'
        text = f'{request} {status} {number % 977} "{refers}" "{agent}"'
        return text.encode() + b"\n"

    def lines(self, moments: Iterable[datetime]) -> list[bytes]:
        """One line at each moment."""
        return [self.line(moment) for moment in moments]


def moments(start: datetime, count: int, minutes: float = 11) -> list[datetime]:
    """So many, from `start` on."""
    return [start + timedelta(minutes=minutes * n) for n in range(count)]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a store is from the truth, in lines."""

    lost: int
    twice: int
    bytes: int

    @property
    def wrong(self) -> str:
        """What else differs."""
        return "" if self.lost or self.twice or not self.bytes else f"bytes or successes differ by {self.bytes}"


def difference(found: Hours, truth: Hours) -> Difference:
    """Hour by hour: requests that are missing, requests too many; bytes and successes that differ."""
    lost = twice = rest = 0
    for hour in found.keys() | truth.keys():
        one, other = found.get(hour, (0, 0, 0)), truth.get(hour, (0, 0, 0))
        lost += max(other[0] - one[0], 0)
        twice += max(one[0] - other[0], 0)
        rest += abs(one[1] - other[1]) + abs(one[2] - other[2])
    return Difference(lost, twice, rest)


def truth_of(logs: Iterable[Path | bytes], since: date = date.min) -> Hours:
    """What the oracle counts in logs, from a day on."""
    readings = [read_data(log, "combined") if isinstance(log, bytes) else read_log(log, "combined") for log in logs]
    return expected(*readings, since=since)


@dataclass(slots=True)
class Place:
    """A folder with logs, a store, a key, a policy; `run` is the command in it, by whatever starts commands."""

    folder: Path
    start: Callable[..., Done]
    needles: Needles
    store: Path
    temporary: Path
    logs: tuple[Path, ...] = ()
    now: datetime = NOW

    def words(self, *options: object, logs: Sequence[object] | None = None, now: datetime | None = None) -> list[str]:
        """The arguments of a run."""
        names = logs if logs is not None else [log for log in self.logs if log.exists()]
        moment = (now or self.now).astimezone(UTC).isoformat()
        words = ["run", *names, "--store", self.store, "--now", moment, "--json", "--wait", "0s", *options]
        if not (self.store / "_loganon" / "store.json").exists() and "--policy" not in words:
            words += ["--policy", self.folder / "policy.toml"]
        return [str(word) for word in words]

    @property
    def command(self) -> Command:
        """The command of this folder, with a directory for temporary files of its own."""
        return Command(self.folder, variables={"TMPDIR": str(self.temporary)})

    def run(self, *options: object, logs: Sequence[object] | None = None, now: datetime | None = None) -> Done:
        """A run that nothing disturbs."""
        return self.start(self.command, *self.words(*options, logs=logs, now=now))

    def hours(self) -> Hours:
        """What the store holds; nothing, which is wrong wherever something was counted, if a cell cannot be read."""
        try:
            return hours_of(self.store)
        except pa.ArrowInvalid:
            return {}

    def leaks(self, done: Done | None = None) -> str:
        """Canaries found in the store, in temporary files, in what a command said: none."""
        hits = [hit.path for folder in (self.store, self.temporary) for hit in search_tree(folder, self.needles)]
        if done is not None and self.needles.found_in((done.out + done.err).encode()):
            hits.append("output")
        return f"a canary in {', '.join(hits[:3])}" if hits else ""


def make_place(folder: Path, start: Callable[..., Done], needles: Iterable[bytes]) -> Place:
    """An empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir()
    (folder / "policy.toml").write_text(POLICY)
    return Place(folder, start, Needles(needles), folder / "store", folder / "tmp")


def told(done: Done) -> str:
    """What is wrong with how a command ended: a code that is not in the list, a message that is none."""
    if done.code not in CODES:
        return f"ended with {done.code}: {done.err[-600:]}"
    if done.code and not done.err.startswith("loganon: "):
        return f"{done.code} without a message: {done.err[-600:]}"
    bad = [line for line in done.err.splitlines() if not _SENTENCE.fullmatch(line)]
    return f"no message: {bad[0]}" if bad or "Traceback" in done.err else ""
