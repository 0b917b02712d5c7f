"""Negative controls: the real code without one of its rules is found wrong, and on the same schedule with it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from faults.controls import CONTROLS, Control
from faults.counts import Tally
from faults.stepping import RealWorld, on


def played(control: Control, number: int, folder: Path, *, whole: bool) -> list[str]:
    """What was wrong on this schedule, with the rule (`whole`) or without it."""
    ignored = (lambda _operation, _path: False) if whole else control.ignored
    world = RealWorld(folder / f"{number}-{whole}", ignored)
    with on(world):
        if whole:
            control.play(world, number)
        else:
            with control.without():
                control.play(world, number)
    world.clear()
    return world.wrong


def tried(control: Control, folder: Path) -> tuple[int, list[str]]:
    """How many schedules were needed until something was wrong, and what was; nothing, if none was enough."""
    for count, number in enumerate(control.numbers, 1):
        wrong = played(control, number, folder, whole=False)
        if wrong:
            return count, wrong
    return len(control.numbers), []


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_each_rule_is_needed(control: Control, folder: Path) -> None:
    """Without the rule one of the invariants that it holds is found broken; with it, nothing is."""
    tally = Tally("controls")
    count, wrong = tried(control, folder)
    print(f"without {control.name}: {count} schedules, {'; '.join(wrong)[:200]}")
    found = [each for each in wrong if each.startswith(control.finds)]
    tally.add(control.name, wrong="" if found else f"not found in {count} schedules: {wrong[:2]}")
    if found:
        held = played(control, control.numbers[count - 1], folder, whole=True)
        tally.wrong += [f"{control.name}: {held[:2]} also with it"] * bool(held)
    tally.close()


DOUBLE = [
    pytest.param(control, patches, id=f"without {name}") for control in CONTROLS for name, patches in control.singly
]


@pytest.mark.parametrize(("control", "patches"), DOUBLE)
def test_of_two_rules_either_is_enough(control: Control, patches: slice, folder: Path) -> None:
    """Where two rules hold the same invariant, one of them taken away alone is made up for by the other."""
    single = replace(control, patches=control.patches[patches])
    found = [wrong for number in range(4) for wrong in played(single, number, folder, whole=False)]
    assert not [wrong for wrong in found if not wrong.startswith("stopped: LostRecordsError")]
