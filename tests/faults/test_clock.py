"""A wrong clock: jumps both ways, the hours that clocks show twice or never, lines too old and too new."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faults.counts import Tally
from faults.parts import program
from faults.scene import Place, Writer, cutoff_of, difference, make_place, moments, told, truth_of
from faults.warm import Warm
from support.cli import TIMEOUT, Done
from support.runs import NOW, days
from support.store_cases import snapshot

DAY = timedelta(days=1)
JUMPS = (DAY, 2 * DAY, 7 * DAY, 30 * DAY, 60 * DAY, 61 * DAY, 100 * DAY, 365 * DAY, 3653 * DAY)
LIMIT = timedelta(days=60)
OLDEST = NOW - 41 * DAY

Check = Callable[[str, str], None]


@pytest.fixture
def check() -> Iterator[Check]:
    """Notes what is wrong with a case; fails at the end."""
    tally = Tally("clock")

    def add(case: str, wrong: str) -> None:
        tally.add(case, wrong=wrong)

    yield add
    tally.close()


@pytest.fixture
def place(folder: Path, warm: Warm) -> Place:
    """A store that has counted a log, whose oldest day goes by the next midnight; the log has grown since."""
    writer = Writer()
    first = writer.lines([*moments(OLDEST, 3), *moments(NOW - 5 * DAY, 3)])
    more = writer.lines(moments(NOW - timedelta(hours=3), 6))
    found = make_place(folder / "place", warm.run, writer.needles)
    found.logs = (found.folder / "access.log",)
    found.logs[0].write_bytes(b"".join(first))
    assert found.run().code == 0
    found.logs[0].write_bytes(b"".join(first + more))
    return found


def state(place: Place) -> dict[str, bytes]:
    """What stands in the store."""
    return snapshot(place.store)


def wrong_counts(place: Place, *, since: datetime) -> str:
    """What is wrong with the counts of a log whose days before `since` have gone."""
    off = difference(place.hours(), truth_of(place.logs, since=cutoff_of(since)))
    return f"{off}" if off.lost or off.twice or off.bytes else ""


def code(done: Done, wanted: int) -> str:
    """What is wrong with how a command ended."""
    return told(done) or ("" if done.code == wanted else f"ended with {done.code}, not {wanted}: {done.err}")


@pytest.mark.parametrize("jump", JUMPS, ids=lambda jump: f"{jump.days} days")
def test_forward(place: Place, check: Check, jump: timedelta) -> None:
    """A step of the cutoff over 60 days deletes and reads nothing, until it is accepted; one below is taken."""
    before = state(place)
    done = place.run(now=NOW + jump)
    if jump <= LIMIT:
        check("taken", code(done, 0) or wrong_counts(place, since=NOW + jump) or place.leaks(done))
        return
    check("refused", code(done, 1) or ("" if state(place) == before else "the store was changed") or place.leaks(done))
    due = cutoff_of(NOW + jump)
    done = place.run("--accept-cutoff", due - DAY, now=NOW + jump)
    check("less accepted", code(done, 1) or ("" if state(place) == before else "the store was changed"))
    done = place.run()
    check("the right clock again", code(done, 0) or wrong_counts(place, since=NOW))
    done = place.run("--accept-cutoff", due, now=NOW + jump)
    check("accepted", code(done, 0) or ("" if days(place.store) == [] else f"{days(place.store)} stand"))
    done = place.run()
    check("back", code(done, 1))
    done = place.run("--accept-clock")
    check("back, accepted", code(done, 0) or ("" if days(place.store) == [] else f"{days(place.store)} came back"))


@pytest.mark.parametrize("jump", JUMPS, ids=lambda jump: f"{jump.days} days")
def test_back(place: Place, check: Check, jump: timedelta) -> None:
    """With a clock more than a day behind the last commit nothing is read, until it is accepted; nothing comes back."""
    place.run(now=NOW + DAY)
    now = NOW + DAY - jump
    place.logs[0].write_bytes(place.logs[0].read_bytes() + b"".join(Writer(1).lines(moments(OLDEST, 2))))
    before = state(place)
    done = place.run(now=now)
    if jump <= DAY:
        check("taken", code(done, 0) or wrong_counts(place, since=NOW + DAY) or place.leaks(done))
        return
    check("refused", code(done, 1) or ("" if state(place) == before else "the store was changed") or place.leaks(done))
    done = place.run("--accept-clock", now=now)
    gone = str(OLDEST.date())
    check("accepted", code(done, 0) or (f"{gone} came back" if gone in days(place.store) else ""))
    check("accepted", "" if done.json["rejected"]["expired"] == 2 else "lines before the cutoff are not expired")
    done = place.run("--accept-clock", now=NOW + DAY)
    check("forward again", code(done, 0) or wrong_counts(place, since=NOW + DAY))


def test_a_day_ends_at_midnight(place: Place, check: Check) -> None:
    """A partition stands up to its last second and is gone at its day + 42 days, 00:00 UTC; `--lead` shifts that."""
    midnight = (OLDEST + 42 * DAY).replace(hour=0)
    day = str(OLDEST.date())
    for now, stands in ((midnight - timedelta(seconds=1), True), (midnight, False)):
        done = place.run(now=now)
        check(
            f"{now}", code(done, 0) or ("" if (day in days(place.store)) is stands else f"{day} stands: {not stands}")
        )


def test_lead(place: Place, check: Check) -> None:
    """With a lead what would expire within it goes already."""
    done = place.run("--lead", "13h")
    check("lead", code(done, 0) or (f"{OLDEST} stands" if str(OLDEST.date()) in days(place.store) else ""))


def test_too_old_and_too_new(place: Place, check: Check) -> None:
    """A line before the cutoff is expired, one more than 24 h ahead is future: counted as such and not stored."""
    edge = (NOW - 41 * DAY).replace(hour=0)
    cases = [
        (edge - timedelta(seconds=1), "expired"),
        (edge, "counted"),
        (NOW + DAY, "counted"),
        (NOW + DAY + timedelta(seconds=1), "future"),
        (NOW + 3653 * DAY, "future"),
        (NOW - 3653 * DAY, "expired"),
    ]
    writer = Writer(2)
    place.run()
    for moment, answer in cases:
        with place.logs[0].open("ab") as log:
            log.write(writer.line(moment))
        done = place.run()
        found = {"counted": done.json["counted"], **done.json["rejected"]}
        wrong = code(done, 0) or ("" if {k: n for k, n in found.items() if n} == {answer: 1} else f"is {found}")
        check(f"{moment}", wrong)
    inside = [moment for moment, answer in cases if answer == "counted"]
    assert {str(moment.date()) for moment in inside} <= set(days(place.store))
    assert str((edge - DAY).date()) not in days(place.store)
    for later in (NOW + DAY, NOW + 2 * DAY):  # what was `future` once is not counted when its time has come
        assert place.run(now=later).json["counted"] == 0


BERLIN = r'apache:%h [%{%d/%b/%Y:%H:%M:%S}t] "%r" %>s %b'
LOCAL = (
    ("25/Oct/2026:01:59:59", datetime(2026, 10, 24, 23, tzinfo=UTC)),
    ("25/Oct/2026:02:30:00", datetime(2026, 10, 25, 0, tzinfo=UTC)),  # shown twice: the first
    ("25/Oct/2026:03:00:00", datetime(2026, 10, 25, 2, tzinfo=UTC)),
    ("29/Mar/2026:01:59:59", datetime(2026, 3, 29, 0, tzinfo=UTC)),
    ("29/Mar/2026:02:30:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),  # never shown: an hour later
    ("29/Mar/2026:03:00:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),
)


def test_hours_twice_and_never(folder: Path, warm: Warm, check: Check) -> None:
    """Lines of hours that clocks show twice or never are counted once, at one moment; in another zone not again."""
    for month, now in (("Mar", datetime(2026, 3, 30, tzinfo=UTC)), ("Oct", datetime(2026, 10, 26, tzinfo=UTC))):
        place = replace(make_place(folder / month, warm.run, ()), now=now)
        place.logs = (place.folder / "local.log",)
        lines = [(local, hour) for local, hour in LOCAL if month in local for _ in range(3)]
        text = "".join(f'192.0.2.{n} [{local}] "GET / HTTP/1.1" 200 5\n' for n, (local, _) in enumerate(lines))
        place.logs[0].write_text(text)
        done = place.run("--format", BERLIN, "--timezone", "Europe/Berlin")
        wanted: dict[datetime, int] = {}
        for _, hour in lines:
            wanted[hour] = wanted.get(hour, 0) + 1
        found = {hour: counts[0] for hour, counts in place.hours().items()}
        check(f"{month}", code(done, 0) or ("" if found == wanted else f"{found}, not {wanted}"))
        for zone in ("UTC", "America/St_Johns", "Pacific/Apia"):
            done = place.run("--format", BERLIN, "--timezone", zone)
            check(f"{month} in {zone}", code(done, 0) or ("" if done.json["counted"] == 0 else "counted again"))


def faked(place: Place, moment: str) -> Done:
    """A run by the process's own clock, which shows this moment."""
    words = [word for word in place.words("--key-file", place.folder / "key") if word not in {"--now", NOW.isoformat()}]
    ended = subprocess.run(
        [program("faketime"), "-f", moment, *place.command.python, *words],
        capture_output=True,
        text=True,
        env={**place.command.environment(), "TZ": "UTC", "PATH": os.environ["PATH"]},
        timeout=TIMEOUT,
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


def test_the_process_has_a_wrong_clock(place: Place, check: Check) -> None:
    """The real clock, shifted by libfaketime: ten years on and a month back are refused, today is taken."""
    program("faketime")
    before = state(place)
    for moment in ("@2036-11-21 12:00:00", "@2026-10-21 12:00:00"):
        done = faked(place, moment)
        check(moment, code(done, 1) or ("" if state(place) == before else "the store was changed"))
    done = faked(place, "@2026-11-21 12:00:00")
    check("right", code(done, 0) or wrong_counts(place, since=NOW) or place.leaks(done))
