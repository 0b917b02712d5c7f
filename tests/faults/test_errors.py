"""A system call fails: EIO, ENOSPC, EINTR at each call that changes the store. It is said; nothing is lost or twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.counts import ONE_EACH, Tally, count_of
from faults.parts import needs_root, program
from faults.scene import cutoff_of, difference, told, truth_of
from faults.test_kill import Scene, calls_to_kill
from faults.tracing import Call, Traced, traced
from faults.warm import Warm
from support.runs import NOW, Hours

ATTEMPTS = 3
SYNCS = {"fsync", "fdatasync"}
ERRORS = ("EIO", "ENOSPC", "EINTR")
CODE = {"EIO": 74, "ENOSPC": 73, "EINTR": 74}
"""Of a run that one such error stopped; 1 where only a deletion failed, which is tried again."""


def after_a_failed_sync(found: Traced, store: Path) -> str:
    """What is wrong with the calls behind a failed fsync. The system may have forgotten the bytes: an fsync of the same
    file means nothing until they are written again, and the file must not get its final name.

    EINTR is no such failure: the call was not carried out, and Python makes it again.
    """
    at = next((n for n, call in enumerate(found.calls) if call.injected), None)
    if at is None or found.calls[at].name not in SYNCS:
        return ""
    path = found.calls[at].paths[0]
    if found.done.code == 0 and "ENOSPC" not in found.calls[at].result:  # then the reserve is freed and all made anew
        return f"reported success although {path} could not be synced"
    made = any(call.name == "openat" and "O_CREAT" in call.text and path in call.paths for call in found.calls[:at])
    for call in found.calls[at + 1 :]:
        if path not in call.paths:
            continue
        if call.name.startswith("write"):
            return ""
        if made and call.name in SYNCS:
            return f"synced {path} again, as if the first had not failed"
        if call.name.startswith("rename") and call.paths[0] == path and call.within(store):
            return f"put {path} into place, which could not be synced"
    return ""


@pytest.mark.parametrize("interrupted", [False, True])
def test_each_call_fails(folder: Path, warm: Warm, interrupted: bool) -> None:
    """One call of a run fails: the code and the message say so, or the run did all; the next run makes it right.

    Once for a run on a store in order, once for one that finds a commit half done.
    """
    program("strace")
    needs_root("strace on a command")
    tally = Tally("errors")
    scene = Scene(folder, warm)
    if interrupted:
        scene.interrupt(warm)
        scene.reset()
    truth = truth_of(scene.content, since=cutoff_of(NOW))
    calls = calls_to_kill(scene, warm)
    pairs = [(call, error) for n, call in enumerate(calls) for error in (*ERRORS[n % 3 :], *ERRORS[: n % 3])]
    count = count_of("errors")
    wanted = len(calls) if count == ONE_EACH else min(count // 2, len(pairs))
    for n in range(wanted):
        one_error(tally, scene, warm, truth, *pairs[n * len(pairs) // wanted])
    tally.close()


def one_error(tally: Tally, scene: Scene, warm: Warm, truth: Hours, call: Call, error: str) -> None:
    """One run in which one call fails, and the run after it."""
    place = scene.place
    inject = f"{call.name}:error={error}:when={call.number}"
    for _ in range(ATTEMPTS):
        scene.reset()
        found = traced(warm, place.command, *place.words(), inject=(inject,))
        met = next((each for each in found.calls if each.injected), None)
        if met is None or met.within(place.store):
            break  # else the run has opened a file more than the one that was looked at, and another call has failed
    wrong = told(found.done) or place.leaks(found.done)
    if met is None:
        wrong = wrong or "met nothing"
    if error != "EINTR":
        wrong = wrong or after_a_failed_sync(found, place.store)
    if not wrong and met is not None and met.makes and found.done.code not in {0, 1, CODE[error]}:
        wrong = f"ended with {found.done.code}: {found.done.err}"
    if not wrong and found.done.code == 0:
        off = difference(place.hours(), truth)
        wrong = f"success, yet {off}" if off.lost or off.twice else ""
    done = place.run()
    off = difference(place.hours(), truth)
    wrong = (
        wrong or told(done) or place.leaks(done) or off.wrong or (f"then {done.code}: {done.err}" if done.code else "")
    )
    tally.add(f"{inject} on {call.paths}", lost=off.lost, twice=off.twice, wrong=wrong)
