"""A directory and a bucket under one history: the same table, the same deletions, the same books, run after run."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loganon import job
from loganon.buckets import Bucket, Location
from loganon.clock import Clock
from loganon.formats import named_format
from loganon.lookups import open_lookups
from loganon.policy import Policy, parse_policy
from loganon.reading import Input, Reading
from loganon.store import Place, Store, open_standing
from loganon.summary import Summary
from support.interleaving import LOCATION, Killed
from support.object_server import Hooked, Memory
from support.runs import KEY, PLAIN, line

EXAMPLES = int(os.environ.get("LOGANON_INTERLEAVINGS", "5"))
START = datetime(2026, 1, 20, 12, tzinfo=UTC)
NEVER = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One run: `hours` after the one before; what was logged since, as (log, days ago, file); or `retain` alone.

    `dies`: first a run on the bucket that dies at this operation; or (0) the run on the bucket dies as soon as all is
    committed and nothing in the table.
    """

    hours: int
    logged: tuple[tuple[int, int, str], ...] = ()
    retain: bool = False
    lead: int = 0
    dies: int = NEVER


@dataclass(frozen=True, slots=True)
class Hold:
    """Days from `first` on, so many days after the start, held until `until` after it."""

    first: int
    days: int
    until: int

    def text(self, number: int) -> str:
        first = START.date() + timedelta(self.first)
        scope = f"{first} to {first + timedelta(self.days)}"
        return (
            f'[[hold]]\nscope = "{scope}"\nbasis = "claim {number}"\nowner = "x"\n'
            f"until = {START.date() + timedelta(self.until)}\n"
        )


_lines = st.tuples(st.integers(0, 1), st.sampled_from([0, 0, 1, 2, 3, 5, 8, 20, 45, -2]), st.sampled_from("aaab"))
_steps = st.builds(
    Step,
    hours=st.sampled_from([1, 13, 24, 72, 216, 960]),
    logged=st.lists(_lines, max_size=8).map(tuple),
    retain=st.booleans(),
    lead=st.sampled_from([0, 0, 24]),
    dies=st.sampled_from([NEVER, NEVER, 0]) | st.integers(1, 60),
)
_holds = st.builds(Hold, st.integers(-8, 20), st.integers(0, 5), st.integers(0, 60))


def policy_of(age: str, minimum: int, unit: str, holds: Iterable[Hold]) -> Policy:
    text = PLAIN.replace("6 weeks", age).replace('as = "hour"', f'as = "{unit}"')
    text = text.replace('{ as = "path" }', f'{{ as = "path", minimum = {minimum} }}')
    told = {hold.text(0).splitlines()[1]: hold.text(number) for number, hold in enumerate(holds)}  # a scope once
    return parse_policy(text.replace("[fields]", "".join(told.values()) + "[fields]"), where="test")


def run(place: Place, policy: Policy, logs: list[Path], step: Step, now: datetime) -> Summary:
    clock = Clock(now, lead=timedelta(hours=step.lead))
    if step.retain or not logs:
        return job.retain(place, clock=clock, wait=timedelta(), dry_run=False, raising=False)[1]
    how = Reading(lookups=open_lookups((), ()), format=named_format("combined"))
    inputs = [Input(str(log), how) for log in logs]
    return job.run(inputs, policy=policy, store=place, key=KEY, clock=clock, wait=timedelta())


def table(objects: Mapping[str, bytes]) -> Counter[tuple[object, ...]]:
    """Requests by day of the partition and all values of the row."""
    sums: Counter[tuple[object, ...]] = Counter()
    for key, data in objects.items():
        if key.startswith("access/"):
            for row in pq.ParquetFile(io.BytesIO(data)).read().to_pylist():
                sums[(key.split("/")[1], *(value for name, value in row.items() if name != "requests"))] += row[
                    "requests"
                ]
    return sums


def books(store: Store) -> tuple[object, ...]:
    """The cutoff; the floor; what was deleted; of each source its lines, which balance."""
    found = sorted(store.balances().values(), key=lambda each: (each.done, each.live, each.deleted))  # type: ignore[attr-defined]  # both have it
    assert all(balance.holds for balance in found)
    return store.cutoff(), store.floor(), {(entry["partition"], entry["state"]) for entry in store.deletions()}, found


def told(summary: Summary) -> dict[str, object]:
    """What a run says, but for the store's name and the ids of the sources."""
    return summary.as_dict() | {"store": "", "sources": []}


@settings(max_examples=EXAMPLES)
@given(
    age=st.sampled_from(["2 days", "4 days", "1 week", "1 month", "unlimited"]),
    minimum=st.sampled_from([1, 3]),
    unit=st.sampled_from(["hour", "day"]),
    holds=st.lists(_holds, max_size=2),
    steps=st.lists(_steps, min_size=2, max_size=7),
)
@example("2 days", 1, "hour", [Hold(-1, 0, 30)], [Step(1, ((0, 1, "a"), (0, 0, "b")), dies=0), Step(24)])
@example(
    "unlimited", 1, "hour", [], [Step(1, ((0, 1, "a"), (1, 0, "b"))), Step(960), Step(960, ((0, 80, "a"),)), Step(1)]
)
@example(
    "2 days",
    1,
    "hour",
    [Hold(-1, 0, 9)],
    [Step(1, ((0, 1, "a"), (0, 0, "b")), dies=0), Step(216), Step(1, retain=True)],
)
def test_one_history(age: str, minimum: int, unit: str, holds: list[Hold], steps: list[Step]) -> None:
    """A directory and a bucket count, seal, hold and delete alike, also where runs on the bucket die; and no day stands
    before the cutoff that is not held."""
    policy, now, memory = policy_of(age, minimum, unit, holds), START, Memory()
    left, dead = NEVER, False

    def before(name: str, key: str) -> None:
        nonlocal left, dead
        left -= 1
        dead = dead or left == 0 or (left < 0 and name == "put" and key.startswith("access/"))
        if dead:
            raise Killed

    def bucket(_location: Location) -> Bucket:
        return Bucket(Hooked(memory, before), LOCATION, lanes=1, pause=lambda _s: None)

    with TemporaryDirectory() as folder, patch("loganon.store.places.open_bucket", bucket):
        place = Path(folder, "store")
        whole = True
        for step in steps:
            now += timedelta(hours=step.hours)
            for log, ago, file in step.logged:
                with Path(folder, f"{log}.log").open("ab") as lines:
                    lines.write(line(now - timedelta(days=ago), f"/{log}/{file}"))
            logs = sorted(Path(folder).glob("*.log"))
            if not place.exists() and (step.retain or not logs):
                continue
            if step.dies != NEVER:
                left, whole = step.dies, False
                with suppress(Killed):
                    run(LOCATION, policy, logs, step, now)
                left, dead = NEVER, False
            if step.dies == 0 and minimum == 1:  # else what is late would be counted before a day is sealed there
                run(place, policy, logs, step, now)
                continue
            summaries = [run(each, policy, logs, step, now) for each in (place, LOCATION)]
            assert [each.errors for each in summaries] == [[], []]
            local, remote = open_standing(place), open_standing(LOCATION)
            files = {str(path.relative_to(place)): path.read_bytes() for path in place.glob("access/*/*")}
            assert table(memory.objects) == table(files)
            assert books(remote) == books(local)
            if whole:
                assert told(summaries[0]) == told(summaries[1])
            whole = True
            cutoff = local.cutoff() or date.min
            over = {date.fromisoformat(Path(name).parent.name[5:]) for name in files}
            assert not [day for day in over if day < cutoff and not _is_held(policy, day, now)]


def _is_held(policy: Policy, day: date, now: datetime) -> bool:
    return any(hold.covers(day) and hold.stands(now.date()) for hold in policy.hold)
