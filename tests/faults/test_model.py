"""The protocol as a model, and the real code, on drawn schedules: two runs, kills, power cuts, logs that change.

Whatever was not synced survives a power cut as any subset. No line is counted twice or lost, no partition comes back,
the balance of every source holds, and no reader finds more than the truth or less than before.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded

from faults.counts import Tally, count_of
from faults.model import RULES, ModelWorld
from faults.schedules import FREQUENCY, STRESS, Schedule, drawn, rolled
from faults.stepping import RealWorld, on
from loganon.store import held

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
ON_THE_CODE = max(6, count_of("model") // 20)
"""Schedules of the suite's that are played on the real code; the others are on the model."""
STEPS = tuple(itertools.product(range(30, 90, 2), range(2, 26), (1, 3, 6, 8)))


def repeated(begun: int, again: int, cut: int) -> Schedule:
    """A run is killed, the next one repeats its commit and is killed, the power fails."""
    return (("write", 2), ("write", 1), ("a", begun), ("kill", 0), ("a", again), ("cut", cut))


AIMED = {"sync of a journal that is repeated": [repeated(*numbers) for numbers in STEPS]}
"""Schedules for rules that only a rare order of moves needs."""


def of_lines(wrong: list[str]) -> tuple[int, int]:
    """Whether lines are lost, whether any is counted twice."""
    return int(any(found.startswith("lost") for found in wrong)), int(any(f.startswith("twice") for f in wrong))


def test_the_model_on_drawn_schedules() -> None:
    """The protocol holds on every schedule that hypothesis draws."""
    tally = Tally("model")

    @seeded(1)
    @settings(
        max_examples=max(1, count_of("model") - ON_THE_CODE), deadline=None, database=None, suppress_health_check=QUIET
    )
    @given(schedule=drawn())
    def every(schedule: Schedule) -> None:
        wrong = ModelWorld().play(schedule)
        tally.cases += 1
        assert not wrong, (schedule, wrong)

    try:
        every()
    except AssertionError as error:  # the smallest schedule that hypothesis found
        tally.add("model", wrong=str(error))
    tally.close()


def test_the_real_code_on_the_same_schedules(folder: Path) -> None:
    """The real code holds on such schedules by dice, as the model does, and leaves no canary behind."""
    tally = Tally("model")
    for seed in range(ON_THE_CODE):
        schedule = rolled(seed, odds=(FREQUENCY, STRESS)[seed % 2])
        world = RealWorld(folder / str(seed))
        world.pace = (4, 1, 7)[seed % 3]
        with on(world):
            wrong = world.play(schedule)
        wrong += [f"model: {found}" for found in ModelWorld().play(schedule)]
        lost, twice = of_lines(wrong)
        tally.add(f"real code, seed {seed}", lost=lost, twice=twice, wrong="; ".join(wrong))
        world.clear()
    tally.close()


@pytest.mark.parametrize("rule", RULES)
def test_the_model_needs_each_rule(rule: str) -> None:
    """Control: with any rule of the protocol left out, a schedule finds what is wrong."""
    schedules = AIMED.get(rule) or [rolled(seed) for seed in range(2_000)]
    found = next((wrong for schedule in schedules if (wrong := ModelWorld([rule]).play(schedule))), None)
    assert found, f"nothing found without {rule}"


@pytest.mark.parametrize("last", ["commit.json", "store.json"])
def test_a_run_after_a_change_of_policy_that_was_killed(folder: Path, last: str) -> None:
    """Behind the commit point of `policy apply` the store is under the new policy, also to the next run."""
    world = RealWorld(folder / "world")
    with on(world):
        world.write(2)
        world.advance(0, 1_000)
        world.apply(0)
        world.until(0, "rename", last)
        world.kill(0)
        world.write(2)
        wrong = world.play(())
    assert not wrong


def test_a_world_sees_a_canary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a canary that a commit writes into a footer is found."""
    commit = held.Held.commit
    numbers = itertools.count()

    def telling(self: held.Held, batch: object, spec: object, **options: object) -> object:
        notes = {"note": f"client {next(iter(client))}"} if next(numbers) == 0 else {}
        return commit(self, batch, spec, **{**options, "footer": notes})  # type: ignore[arg-type]  # as it was called

    world = RealWorld(folder / "world")
    world.write(2)
    client = sorted(needle.decode() for needle in world.needles if needle.count(b".") == 3 and needle[:1].isdigit())
    monkeypatch.setattr(held.Held, "commit", telling)
    with on(world):
        wrong = world.play(())
    assert [found for found in wrong if found.startswith("leak")]
