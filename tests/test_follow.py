"""`follow`, step by step in this process: nothing missed and nothing twice through rotation, restarts and failures."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from loganon import job
from loganon.clock import Clock as RunClock
from loganon.errors import BusyError, CannotWriteError, CheckError, ConfigurationError, InputOutputError
from loganon.following import watch
from loganon.following.follower import Follower
from loganon.following.pace import LONGEST_BACKOFF
from loganon.policy import load_policy, parse_policy
from loganon.rewrite import apply_policy
from loganon.sources import files
from loganon.sources.files import Log
from loganon.sources.live import Live
from loganon.store import Held, Limits, LocalStore
from support.following import Clock, Following, held, stamp
from support.runs import KEY, NOW, PLAIN, counts_of, days, hours_of, ingest, line, lines, plain_policy, table_of

LOG = lines(120)
MORE = lines(40, tag="more")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    path.touch()
    return path


def rotated(log: Path, number: int = 1) -> Path:
    return log.with_name(f"{log.name}.{number}")


def test_what_is_written_is_counted(tmp_path: Path, log: Path) -> None:
    """What stands there at the start at once; what comes, once the interval has passed; each line once."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following(0.5)
    assert hours_of(following.store) == counts_of(LOG[:40])
    following.write(log, LOG[40:80])
    following(5)
    assert hours_of(following.store) == counts_of(LOG[:40])
    following(6)
    assert hours_of(following.store) == counts_of(LOG[:80])
    following.write(log, LOG[80:])
    answer = following.end()
    assert (answer["lines_read"], answer["counted"]) == (120, 120)
    assert [source["log"] for source in answer["sources"]] == [str(log)]
    assert hours_of(following.store) == counts_of(LOG)


def test_stopped_before_the_first_interval_has_passed(tmp_path: Path, log: Path) -> None:
    """What came into a log that was empty at the start is committed at a stop, too."""
    following = Following(tmp_path, log)
    following(1)
    following.write(log, LOG)
    assert following.end()["counted"] == 120
    assert hours_of(following.store) == counts_of(LOG)


def test_early_when_much_waits(tmp_path: Path, log: Path) -> None:
    """As soon as `flush_bytes` wait, a round is due; not before."""
    following = Following(tmp_path, log, flush_interval=3600.0, flush_bytes=10_000)
    following(1)
    following.write(log, LOG[:20])
    following(1)
    assert not hours_of(following.store)
    following.write(log, LOG[20:])
    following(1)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_commits_are_apart(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds are at least twenty commit times apart, however short the interval."""
    following = Following(tmp_path, log, flush_interval=1.0)
    commit = Held.commit

    def slow(self: Held, *args: Any, **named: Any) -> Any:
        following.clock.go(3)
        return commit(self, *args, **named)

    monkeypatch.setattr(Held, "commit", slow)
    following.write(log, LOG[:40])
    following(1)
    following.write(log, LOG[40:])
    following(2, times=29)
    assert hours_of(following.store) == counts_of(LOG[:40])
    following(2, times=2)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_a_commit_that_hung(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long one took, as where a disk or the machine stood still, the next comes within an hour."""
    following = Following(tmp_path, log, retain=False)
    commit = Held.commit

    def hung(self: Held, *args: Any, **named: Any) -> Any:
        following.clock.go(5 * 3600)
        return commit(self, *args, **named)

    following.write(log, LOG[:40])
    with monkeypatch.context() as patch:
        patch.setattr(Held, "commit", hung)
        following(1)
    following.write(log, LOG[40:])
    following(600, times=5)
    assert hours_of(following.store) == counts_of(LOG[:40])
    following(600, times=2)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


@pytest.mark.parametrize("late", [False, True])
def test_renamed(tmp_path: Path, log: Path, late: bool) -> None:
    """`create`: the old file is read to its end, also what is still written to it, and the new one from its start."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:60])
    log.rename(rotated(log))
    following.write(log, MORE)
    if late:
        following()
        following(30)
        following.write(rotated(log), LOG[60:])
    else:
        following.write(rotated(log), LOG[60:])
    following()
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    assert following.end()["counted"] == 160


def test_unlinked(tmp_path: Path, log: Path) -> None:
    """What was removed, such as with its container, is read to its end, and its descriptor is freed after a while."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:])
    log.unlink()
    following()
    assert hours_of(following.store) == counts_of(LOG)
    assert any("access.log" in target for target in held())
    following(31, times=3)
    assert not any("access.log" in target for target in held())
    following.end()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("grown", [False, True])
def test_copied_and_truncated(tmp_path: Path, log: Path, packed: bool, grown: bool) -> None:
    """`copytruncate`: what was written since the last round is found in the copy, plain or compressed; the truncated
    file is another log, also if it has already grown past its old size."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:60])
    following(1)
    if packed:
        copy = rotated(log).with_suffix(".1.gz")
        copy.write_bytes(gzip.compress(log.read_bytes()))
    else:
        copy = Path(shutil.copy(log, rotated(log)))
    stamp(copy, following.clock)
    log.write_bytes(b"")
    content = lines(90, tag="new") if grown else MORE
    following.write(log, content)
    following(1)
    following(11, times=3)
    assert hours_of(following.store) == counts_of([*LOG[:60], *content])
    following.end()


@pytest.mark.parametrize("grown", [False, True])
def test_copied_after_the_clock_was_set_back(tmp_path: Path, log: Path, grown: bool) -> None:
    """What the copy has is read at once also where its time lies before that of the last look; `grown`: the log was
    longer than before when it was looked at again."""
    following = Following(tmp_path, log)
    following(1800)
    following(1800)
    following.write(log, LOG[:30])
    following(times=3)
    following.clock.time -= timedelta(minutes=10)
    following.write(log, LOG[30:40])
    shutil.copyfile(log, rotated(log))
    stamp(rotated(log), following.clock)
    os.truncate(log, 0)
    following.write(log, LOG[40:] if grown else [])
    following(times=3)
    assert hours_of(following.store) == counts_of(LOG if grown else LOG[:40])
    following.end()


def test_many_logs_truncated_at_once(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where logrotate truncates many logs their folder is listed once, after all were looked at."""
    logs = [log.with_name(f"{n}.log") for n in range(20)]
    for each in logs:
        each.touch()
    following = Following(tmp_path, str(log.with_name("*.log")))
    for n, each in enumerate(logs):
        following.write(each, lines(2, tag=f"{n}"))
    following()
    for n, each in enumerate(logs):
        following.write(each, lines(1, tag=f"more{n}"))
        shutil.copyfile(each, rotated(each))
        stamp(rotated(each), following.clock)
        os.truncate(each, 0)
    listed, scandir = [], os.scandir

    def listing(path: Any) -> Any:
        listed.append(str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr("loganon.following.watch.os.scandir", listing)
        following.clock.go(1)
        following.follower.look()
    following(times=2)
    assert listed.count(str(log.parent)) <= 2  # the glob's own, and one
    whole = [each for n in range(20) for each in (*lines(2, tag=f"{n}"), *lines(1, tag=f"more{n}"))]
    assert hours_of(following.store) == counts_of(whole)
    following.end()


def test_truncated_and_silent(tmp_path: Path, log: Path) -> None:
    """Also where nothing comes after the truncation the rest is read from the copy."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:60])
    following(1)
    shutil.copy(log, rotated(log))
    stamp(rotated(log), following.clock)
    log.write_bytes(b"")
    following(1)
    following(11, times=2)
    assert hours_of(following.store) == counts_of(LOG[:60])
    following.end()


def test_unlinked_while_the_store_fails(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removed log is held for as long as it cannot be stored."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()

    def broken(*_: object, **__: object) -> None:
        raise CannotWriteError("no space left on device", where="store")

    with monkeypatch.context() as patch:
        patch.setattr(Held, "commit", broken)
        following.write(log, LOG[40:])
        log.unlink()
        following(60, times=10)
    following(60)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_a_missing_log_is_waited_for(tmp_path: Path, log: Path) -> None:
    """One message when it is missing, one when it is there; its folder may come later, too."""
    shutil.rmtree(log.parent)
    following = Following(tmp_path, log)
    following(times=3)
    assert [error.exit_code for error in following.said.errors] == [66]
    assert str(log) in str(following.said.errors[0])
    log.parent.mkdir()
    following.write(log, LOG)
    following(times=2)
    assert len(following.said.notes) == 1
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_patterns_are_looked_at_again(tmp_path: Path, log: Path) -> None:
    """New files and folders that a pattern leads to are followed; rotated names that it leads to are not read twice."""
    following = Following(tmp_path, tmp_path / "*" / "*.log*")
    following.write(log, LOG[:40])
    following()
    other = tmp_path / "later" / "b.log"
    other.parent.mkdir()
    following.write(other, MORE)
    following.write(log, LOG[40:])
    log.rename(rotated(log))
    following()
    packed = rotated(log, 2).with_suffix(".2.gz")
    packed.write_bytes(gzip.compress(b"".join(LOG)))
    following(times=3)
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    assert not following.said.errors
    following.end()


def test_a_path_with_the_characters_of_a_pattern(tmp_path: Path) -> None:
    """A file of that very name goes before the pattern."""
    odd = tmp_path / "a[1].log"
    following = Following(tmp_path, odd)
    following.write(odd, LOG)
    following()
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_links_to_containers(tmp_path: Path, log: Path) -> None:
    """A link as in /var/log/containers is followed to its file; when it leads to another, both are read to their end;
    a rotated form beside the file is found although the link has another name."""
    link = tmp_path / "pod_web-1.log"
    link.symlink_to(log)
    following = Following(tmp_path, link)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:80])
    shutil.copy(log, rotated(log))
    stamp(rotated(log), following.clock)
    log.write_bytes(b"")
    following(1)
    following.write(log, MORE[:20])
    other = log.with_name("1.log")
    following.write(other, MORE[20:])
    link.unlink()
    link.symlink_to(other)
    following(times=2)
    assert hours_of(following.store) == counts_of([*LOG[:80], *MORE])
    following.end()


@pytest.mark.parametrize("packed", [False, True])
def test_rotated_while_nobody_followed(tmp_path: Path, log: Path, packed: bool) -> None:
    """After a restart the rest of what was rotated meanwhile is found beside the log, and nothing is read twice."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:])
    log.rename(rotated(log))
    following.write(log, MORE)
    if packed:
        rotated(log).with_suffix(".1.gz").write_bytes(gzip.compress(rotated(log).read_bytes()))
        stamp(rotated(log).with_suffix(".1.gz"), following.clock)
        rotated(log).unlink()
    following = following.again(log)
    following(times=3)
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    answer = following.end()
    assert (answer["already_counted"], answer["counted"]) == (40, 120)


def test_rotated_away_before_a_restart(tmp_path: Path, log: Path) -> None:
    """The rest of a log is found also where no new one stands in its place yet."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.write(log, LOG[40:])
    log.rename(rotated(log))
    following = following.again(log)
    following(times=3)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_copied_long_before_the_next_round(tmp_path: Path, log: Path) -> None:
    """A truncated log that has grown past its old size when it is looked at: its copy is found although it is old."""
    following = Following(tmp_path, log, flush_interval=3000.0)
    following.write(log, LOG[:40])
    following(1)
    following.write(log, LOG[40:60])
    shutil.copy(log, rotated(log))
    stamp(rotated(log), following.clock)
    new = lines(90, tag="new")
    log.write_bytes(b"".join(new))
    stamp(log, following.clock)
    following(1001, times=6)
    assert hours_of(following.store) == counts_of([*LOG[:60], *new])
    following.end()


def test_old_rotated_logs_are_not_followed(tmp_path: Path, log: Path) -> None:
    """What was rotated before the store was made was never meant."""
    clock = Clock()
    log.write_bytes(b"".join(MORE))
    rotated(log).write_bytes(b"".join(LOG))
    for path in (log, rotated(log)):
        os.utime(path, (NOW.timestamp() - 3600,) * 2)
    following = Following(tmp_path, log, clock=clock)
    following(times=3)
    assert hours_of(following.store) == counts_of(MORE)
    following.end()


def test_nothing_piles_up(tmp_path: Path, log: Path) -> None:
    """Through many rotations open descriptors and what is remembered stay as few as they were."""
    following = Following(tmp_path, log)
    found = []
    for number in range(30):
        following.write(log, [line(NOW - timedelta(hours=2), f"/{number}/{n}") for n in range(5)])
        following(15)
        log.rename(rotated(log))
        if number >= 10:
            found.append((len(held()), len(following.follower.watch.held), following.follower.figures.logs))
    assert max(found) <= found[0]
    assert following.end()["counted"] == 150


def test_the_last_line_in_the_making(tmp_path: Path, log: Path) -> None:
    """A line without its end waits, and is one line when it is whole."""
    following = Following(tmp_path, log)
    following.write(log, b"".join(LOG[:10])[:-30])
    following()
    assert hours_of(following.store) == counts_of(LOG[:9])
    assert following.follower.figures.lag == len(LOG[9]) - 30
    following.write(log, b"".join(LOG[:10])[-30:])
    following()
    assert following.follower.figures.lag == 0
    assert hours_of(following.store) == counts_of(LOG[:10])
    following.end()


def test_two_logs_that_begin_alike(tmp_path: Path) -> None:
    """Two logs whose first lines are the same so far are two logs as soon as they differ, and no line is lost."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    following = Following(tmp_path, first, second)
    following.write(first, LOG[:2])
    following.write(second, LOG[:3])
    following()
    following.write(first, MORE[:5])
    following.write(second, MORE[5:])
    following(times=2)
    assert hours_of(following.store) == counts_of([*LOG[:2], *MORE[:5], *LOG[:3], *MORE[5:]])
    following.end()


# --- retention --------------------------------------------------------------------------------------------------------


def test_retention_while_nothing_is_logged(tmp_path: Path, log: Path) -> None:
    """A quiet store loses each day at the moment at which it is past: when the day begins, without a line."""
    following = Following(tmp_path, log)
    following.write(log, line(NOW - timedelta(days=2)))
    following()
    assert days(following.store) == ["2026-11-19"]
    for _ in range(39):
        following(24 * 3600)
    assert days(following.store) == ["2026-11-19"]
    following.clock.time = following.clock.time.replace(hour=23, minute=59, second=50)
    following(5)
    assert days(following.store) == ["2026-11-19"]
    following(6)
    assert days(following.store) == []
    assert following.follower.figures.last_retention == following.clock.time
    following.end()


def test_retention_that_fails_in_two_ways(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way is said once, however often it is met; once more when the last is over."""
    following = Following(tmp_path, log)
    following.write(log, LOG)
    finish = job.finish
    ways = ["one", "other"]

    def failing(*args: Any) -> None:
        finish(*args)
        for way in ways:
            args[-1].report(CheckError(way))

    monkeypatch.setattr(job, "finish", failing)
    following(3700, times=4)
    assert [error.what for error in following.said.errors] == ["one", "other"]
    for gone in ("one", "other"):
        assert not following.said.notes
        ways.remove(gone)
        following(3700, times=2)
    assert following.said.notes == [f"{following.store}: retention succeeds again"]
    following.end()


def test_what_stays_in_a_store_that_cannot_be_read_into(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why what is past its day does not go is said, too, not only why nothing is stored."""
    following = Following(tmp_path, log)
    following.write(log, LOG)
    following()

    def broken(*_: object) -> None:
        raise ConfigurationError("the key is missing")

    monkeypatch.setattr(job, "open_store", broken)
    following.follower._session.close()
    following.clock.time += timedelta(days=120)
    following(LONGEST_BACKOFF, times=4)
    kinds = [type(error) for error in following.said.errors]
    assert sorted(kinds, key=str) == sorted([CheckError, ConfigurationError], key=str)
    assert days(following.store) != []


def test_no_retain(tmp_path: Path, log: Path) -> None:
    """With `--no-retain` nothing is deleted or sealed here, and yet no line past its day is stored."""
    following = Following(tmp_path, log, retain=False)
    following.write(log, line(NOW - timedelta(days=2)))
    following()
    following.clock.time += timedelta(days=50)
    following.write(log, line(NOW - timedelta(days=1)))
    following()
    assert days(following.store) == ["2026-11-19"]
    answer = following.end()
    assert (answer["counted"], answer["rejected"]["expired"]) == (1, 1)


@pytest.mark.parametrize("retain", [True, False])
def test_the_oldest_day_is_shown(tmp_path: Path, log: Path, retain: bool) -> None:
    """Once a new store has one, and whoever deletes: of what another job has deleted it is not said for long."""
    following = Following(tmp_path, log, retain=retain)
    following()
    assert following.follower.figures.oldest is None
    following.write(log, line(NOW - timedelta(days=30)) + line(NOW - timedelta(hours=2)))
    following()
    assert str(following.follower.figures.oldest) == "2026-10-22"
    following.clock.time += timedelta(days=20)
    job.retain(following.store, clock=RunClock(following.clock.time), wait=timedelta(), dry_run=False)
    following.write(log, line(following.clock.time))
    following(3700)
    assert str(following.follower.figures.oldest) == "2026-11-21"
    following.end()


def test_sealed_by_the_hour(tmp_path: Path, log: Path) -> None:
    """A day is sealed when it is due, while nothing is logged."""
    following = Following(tmp_path, log)
    following.write(log, line(NOW))
    following()
    for _ in range(80):
        following(3600)
    assert following.end()["partitions_sealed"] == ["2026-11-21"]


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        CannotWriteError("no space left on device", where="store"),
        BusyError("another process holds the store", where="store"),
        ConfigurationError("the store's policy has changed meanwhile", where="store"),
    ],
    ids=["full", "busy", "changed"],
)
def test_a_store_that_fails_and_recovers(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """One message when it begins and one when it is over; the pauses double up to a minute; nothing lost or twice."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    attempts: list[float] = []

    def broken(*_: object, **__: object) -> None:
        attempts.append(following.clock.second)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Held, "commit", broken)
        following.write(log, LOG[40:80])
        following(0.5, times=800)
        following.write(log, LOG[80:])
    pauses = [after - before for before, after in pairwise(attempts)]
    assert [round(pause) for pause in pauses[:6]] == [1, 2, 4, 8, 16, 32]
    assert max(pauses) <= LONGEST_BACKOFF + 1
    assert len(attempts) < 15
    assert [type(found) for found in following.said.errors] == [type(error)]
    assert not following.said.notes
    following(LONGEST_BACKOFF)
    assert hours_of(following.store) == counts_of(LOG)
    assert len(following.said.notes) == 1
    assert following.follower.figures.backoff == 0
    assert following.end()["counted"] == 120


def test_a_store_that_is_gone(tmp_path: Path, log: Path) -> None:
    """No other is made in its place, under whatever policy: it may come back, as a mount does."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    away = following.store.rename(tmp_path / "away")
    following.write(log, LOG[40:80])
    following(10, times=3)
    assert not following.store.exists()
    assert [error.what for error in following.said.errors] == ["the store is gone"]
    away.rename(following.store)
    following.write(log, LOG[80:])
    following(LONGEST_BACKOFF)
    assert hours_of(following.store) == counts_of(LOG)
    assert following.end()["counted"] == 120


def test_another_store_in_its_place(tmp_path: Path, log: Path) -> None:
    """A store that was exchanged between two rounds is opened anew: the log is counted into it as into a new one."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    Following(tmp_path / "fresh", log.with_name("none.log"), clock=following.clock).end()
    following.store.rename(tmp_path / "old")
    (tmp_path / "fresh" / "store").rename(following.store)
    following.write(log, LOG[40:])
    following()
    assert following.said.errors == []
    assert hours_of(tmp_path / "old") == counts_of(LOG[:40])
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_another_store_with_what_is_overdue(tmp_path: Path, log: Path) -> None:
    """Of a store that takes another's place, as of one that was restored, what is past its day goes before anything is
    counted into it, not an hour later; and what was rotated since its last commit is counted into it, too."""
    early = tmp_path / "early.log"
    early.write_bytes(line(NOW - timedelta(days=42)))
    ingest(tmp_path / "spare", [early], now=NOW - timedelta(days=2), policy=plain_policy())
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    log.rename(rotated(log))
    log.touch()
    following(61, times=3)
    following.store.rename(tmp_path / "old")
    (tmp_path / "spare").rename(following.store)
    assert days(following.store) == ["2026-10-10"]
    following.write(log, LOG[40:])
    following()
    assert "2026-10-10" not in days(following.store)
    following(times=3)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_another_process_holds_the_store(tmp_path: Path, log: Path) -> None:
    """For as long as `wait` that is no message; nothing is read twice when the store is free again."""
    following = Following(tmp_path, log, wait=0.0)
    following.write(log, LOG[:40])
    following()
    with LocalStore.open(following.store).locked():
        following.write(log, LOG[40:])
        following(times=2)
        assert [error.exit_code for error in following.said.errors] == [75]
    following(60)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_a_log_that_cannot_be_read(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk below one log is told once, other logs go on, and it is read when that is over."""
    other = log.with_name("other.log")
    other.touch()
    following = Following(tmp_path, log, other)
    following.write(log, LOG[:40])
    following.write(other, MORE[:20])
    following()
    number, read = log.stat().st_ino, os.pread

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, length, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", pread)
        following.write(log, LOG[40:])
        following.write(other, MORE[20:])
        following(times=4)
        assert [error.exit_code for error in following.said.errors] == [74]
        assert hours_of(following.store) == counts_of([*LOG[:40], *MORE])
    following()
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    assert len(following.said.notes) == 1
    following.end()


def test_a_log_that_was_no_log_goes(tmp_path: Path, log: Path) -> None:
    """What is wrong with a log is over once the log has gone: the figures say what is wrong now."""
    words = log.with_name("words.log")
    following = Following(tmp_path, str(log.with_name("*.log")), format="auto")
    following.write(words, b"some words\n" * 10)
    following(times=3)
    assert following.follower.figures.troubles == 1
    words.unlink()
    following(61, times=3)
    assert following.follower.figures.troubles == 0
    assert following.said.notes == [f"{words}: the log is no longer there"]
    following.end()


def test_a_damaged_log_that_stays(tmp_path: Path, log: Path) -> None:
    """What is wrong with a compressed log is not over when it is let go of, only when it has gone."""
    packed = log.with_name("old.log.gz")
    packed.write_bytes(gzip.compress(b"".join(LOG))[:-20])
    following = Following(tmp_path, str(log.with_name("*.log*")))
    following(times=3)
    following(61, times=3)
    assert [each.log for each in following.follower.watch.held] == [str(log)]
    assert (following.follower.figures.troubles, following.said.notes) == (1, [])
    packed.unlink()
    following(times=2)
    assert following.follower.figures.troubles == 0
    assert following.said.notes == [f"{packed}: the log is no longer there"]
    following.end()


def test_a_rotated_log_that_is_set_aside(tmp_path: Path, log: Path) -> None:
    """It is told once, however often the log beside which it lies is read meanwhile, and of that nothing is said."""
    other = log.with_name("other.log")
    following = Following(tmp_path, log, other)
    following.write(log, LOG[:10])
    following.write(other, MORE)
    following()
    following = following.again(log)
    other.rename(rotated(log))
    following.follower.watch.search(lambda _pattern, _stream: 0.0)
    for each in LOG[11:15]:
        following.write(log, [each])
        following()
    assert ["'other.log'" in error.what for error in following.said.errors] == [True]
    assert following.said.notes == []
    assert following.follower.figures.troubles == 1
    assert hours_of(following.store) == counts_of([*LOG[:10], *LOG[11:15], *MORE])
    following.end()


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "written anew"])
def test_a_rotated_log_that_was_set_aside(tmp_path: Path, log: Path, gone: bool) -> None:
    """What is wrong with a rotated form is in the figures for as long as it lies there so, and no longer."""
    other, fresh = log.with_name("other.log"), lines(20, tag="fresh")
    following = Following(tmp_path, log, other)
    following.write(log, LOG)
    following.write(other, MORE)
    following()
    following = following.again(log)
    other.rename(rotated(log))
    following.follower.watch.search(lambda _pattern, _stream: 0.0)
    following(61, times=4)
    assert following.follower.figures.troubles == 1
    assert len(following.said.errors) == 1
    assert following.said.notes == []
    if gone:
        rotated(log).unlink()
    else:
        rotated(log).write_bytes(b"".join(fresh))
    following(11, times=3)
    assert following.follower.figures.troubles == 0
    told = "what was wrong with a rotated form of it is over" if gone else "the log is read again"
    assert following.said.notes == [f"{log}: {told}"]
    assert hours_of(following.store) == counts_of([*LOG, *MORE, *([] if gone else fresh)])
    following.end()


def test_more_rotated_logs_than_can_be_held(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated form for which no descriptor is free is told, once, and read as soon as one is."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:10])
    following()
    with monkeypatch.context() as patch:
        patch.setattr(watch, "_most_open", lambda: 0)
        rotated(log).write_bytes(b"".join(MORE))
        following.follower.watch.search(lambda _pattern, _stream: 0.0)
        following(times=3)
        assert [error.what for error in following.said.errors] == ["more logs are here than can be held open"]
        assert following.follower.figures.troubles == 1
    following(times=3)
    assert following.said.notes == [f"{log.parent}: all of its logs are held open"]
    assert following.follower.figures.troubles == 0
    assert hours_of(following.store) == counts_of([*LOG[:10], *MORE])
    following.end()


def test_without_proc(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a root without /proc a log is read through its descriptor, through rotation, too."""
    monkeypatch.setattr(files, "_HELD", f"{tmp_path}/none/")
    following = Following(tmp_path, log)
    following.write(log, LOG[:60])
    following(times=2)
    following.write(log, LOG[60:])
    log.rename(rotated(log))
    following.write(log, MORE)
    following(times=3)
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    following.end()


def test_folders_are_no_logs(tmp_path: Path, log: Path) -> None:
    """A folder that a pattern leads to is none of its logs, as in `run`; a `**` in it is one `*`, as there."""
    (log.parent / "old").mkdir()
    (log.parent / "old" / "a").mkdir()
    (log.parent / "old" / "a" / "access.log").write_bytes(b"".join(MORE))
    following = Following(tmp_path, str(log.parent / "*"), str(log.parent / "**" / "*"))
    following.write(log, LOG)
    following(times=2)
    assert (following.said.errors, following.follower.figures.troubles) == ([], 0)
    assert [each.log for each in following.follower.watch.held] == [str(log)]
    following.end()


def test_a_log_whose_file_system_has_gone(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor that leads nowhere any more (a network's or a user's file system that was mounted anew) is let go,
    which is told; the log's path is opened again, and other logs are followed on meanwhile."""
    other = log.with_name("other.log")
    other.touch()
    following = Following(tmp_path, log, other)
    following.write(log, LOG[:40])
    following()
    (stale,) = (each.descriptor for each in following.follower.watch.held if each.log == str(log))
    fstat = os.fstat

    def stating(descriptor: int) -> os.stat_result:
        if descriptor == stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return fstat(descriptor)

    following.write(log, LOG[40:])
    following.write(other, MORE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", stating)
        following(1)
    assert [error.exit_code for error in following.said.errors] == [66]
    following(times=2)
    assert hours_of(following.store) == counts_of([*LOG, *MORE])
    assert len(following.said.notes) == 1
    following.end()


def test_what_is_no_log(tmp_path: Path, log: Path) -> None:
    """A folder in the place of a log, and a log without any format: each told once, the others go on."""
    folder, other = tmp_path / "folder.log", tmp_path / "words.log"
    folder.mkdir()
    other.touch()
    following = Following(tmp_path, folder, other, log, format="auto")
    following.write(other, b"some words\n" * 10)
    following.write(log, LOG)
    following(times=4)
    assert sorted(error.exit_code for error in following.said.errors) == [65, 66]
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_a_pipe_among_the_logs(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named pipe to which a pattern leads is told and never opened: whoever waits to write to it would take that for
    a reader, and be ended as it goes."""
    os.mkfifo(log.with_name("pipe.log"))
    opened: list[str] = []
    before = os.open

    def noting(path: Any, *args: Any, **named: Any) -> int:
        opened.append(str(path))
        return before(path, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", noting)
        following = Following(tmp_path, str(log.with_name("*.log")))
        following.write(log, LOG)
        following(times=4)
    assert hours_of(following.store) == counts_of(LOG)
    assert str(log) in opened
    assert not [path for path in opened if "pipe.log" in path]
    assert [error.exit_code for error in following.said.errors] == [66]
    following.end()


def test_a_clock_that_is_not_believed(tmp_path: Path, log: Path) -> None:
    """More than 24 hours behind the last commit nothing is read, which is told once; it goes on when it is right."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.clock.time -= timedelta(hours=30)
    following.write(log, LOG[40:])
    following(times=10)
    assert [type(error) for error in following.said.errors] == [CheckError]
    assert hours_of(following.store) == counts_of(LOG[:40])
    following.clock.time += timedelta(hours=30)
    following(LONGEST_BACKOFF)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


def test_a_wrong_configuration_ends_it(tmp_path: Path, log: Path) -> None:
    """At the start another policy than the store's is an error (78), not something to wait for."""
    following = Following(tmp_path, log)
    following.end()
    with pytest.raises(ConfigurationError):
        Following(tmp_path, log, policy=load_policy("imos"))


def database(path: Path, number: int) -> None:
    writer = MMDBWriter(ip_version=4, database_type="Test", description={"en": "of a test"})
    writer.insert_network(IPSet(["91.44.0.0/16"]), {"autonomous_system_number": number, "as_domain": f"as{number}.net"})
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)


def test_a_database_that_changes(tmp_path: Path, log: Path) -> None:
    """A new file is asked from the next round on; a damaged one is not, which is told once, and a good one then is."""
    path = tmp_path / "asn.mmdb"
    database(path, 64500)
    following = Following(tmp_path, log, provider_db=[path])
    following.write(log, LOG[:1])
    following()
    database(path, 64501)
    following.write(log, LOG[1:3])
    following()
    (tmp_path / "bad").write_bytes(b"no database")
    (tmp_path / "bad").replace(path)
    following.write(log, LOG[3:6])
    following(times=3)
    assert [error.exit_code for error in following.said.errors] == [78]
    database(path, 64502)
    following.write(log, LOG[6:10])
    following()
    following.end()
    rows = table_of(following.store).group_by("domain").aggregate([("requests", "sum")]).to_pylist()
    assert {row["domain"]: row["requests_sum"] for row in rows} == {
        "as64500.net": 1,
        "as64501.net": 5,
        "as64502.net": 4,
    }


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_stop_is_bounded(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop in the middle of a long log it commits what was read, and a restart reads the rest."""
    monkeypatch.setitem(Log.chunks.__kwdefaults__, "chunk_bytes", 4000)
    clock, seen = Clock(), []

    def stop(follower: Follower, _log: str, position: int) -> None:
        seen.append(position)
        follower.stop()
        clock.go(10)

    with monkeypatch.context() as patch:
        patch.setattr(Follower, "_progress", stop)
        following = Following(tmp_path, log, clock=clock)
        following.write(log, LOG)
        following(1)
        assert len(seen) == 1
        answer = following.end()
    assert 0 < answer["counted"] < 120
    assert hours_of(following.store) == counts_of(LOG[: answer["counted"]])
    following = Following(tmp_path, log, clock=clock)
    following(1)
    assert hours_of(following.store) == counts_of(LOG)
    following.end()


# --- live sources -----------------------------------------------------------------------------------------------------


class Given:
    """A feed that a test fills."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    @property
    def waiting(self) -> int:
        return len(self.data)

    def take(self, limit: int) -> bytes:
        block, self.data = self.data[:limit], self.data[limit:]
        return block

    def stop(self) -> None:
        self.ended = True

    def close(self) -> None:
        pass


@pytest.mark.parametrize("more", [True, False])
def test_a_pipe_while_the_store_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: bool) -> None:
    """Lines of a pipe wait while the disk is full, and are stored once when there is room; at the end of the input
    nothing is given up for that."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)])
    feed.data = b"".join(LOG[:60])
    following(1)
    following()
    assert hours_of(following.store) == counts_of(LOG[:60])

    def broken(*_: object, **__: object) -> None:
        raise CannotWriteError("no space left on device", where="store")

    with monkeypatch.context() as patch:
        patch.setattr(Held, "commit", broken)
        feed.data = b"".join(LOG[60:90] if more else LOG[60:])
        following()
        feed.data += b"".join(LOG[90:] if more else [])
        feed.ended = True
        following(times=5)
        assert not following.follower.ended
    following(LONGEST_BACKOFF, times=3)
    assert following.follower.ended
    assert hours_of(following.store) == counts_of(LOG)
    assert len(following.said.errors) == 1
    assert following.end()["counted"] == 120


def test_a_stop_while_more_has_come_than_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pipe holds by then is stored, too, although the rows of one commit have no room for it."""
    monkeypatch.setattr("loganon.following.intake.MOST_ROWS", 30)
    monkeypatch.setattr("loganon.sources.live.CHUNK_BYTES", sum(map(len, LOG[:40])))
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)])
    feed.data = b"".join(LOG[:10])
    following(times=2)
    feed.data = b"".join(LOG[10:])
    assert following.end()["counted"] == 120
    assert hours_of(following.store) == counts_of(LOG)


@pytest.mark.parametrize("days", [400, -3])
def test_a_pipe_while_the_clock_is_not_believed(tmp_path: Path, days: int) -> None:
    """What comes by a pipe while the clock is far off waits until it is right, and is judged then: a line that was
    dated by the clock of next year is `future`, as it is in a file, and does not stand until that year's day."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)])
    feed.data = b"".join(LOG[:60])
    following(times=2)
    assert hours_of(following.store) == counts_of(LOG[:60])
    step = timedelta(days=days)
    following.clock.time += step
    feed.data = b"".join(LOG[60:]) + line(following.clock.time)
    following(times=4)
    assert [type(error) for error in following.said.errors] == [CheckError]
    following.clock.time -= step
    following(LONGEST_BACKOFF, times=2)
    feed.ended = True
    answer = following.end()
    late = [line(NOW + step)] if days < 0 else []
    assert hours_of(following.store) == counts_of(LOG + late)
    assert answer["rejected"]["future"] == (1 if days > 0 else 0)


@pytest.mark.parametrize("name", ["last_commit", "records", "cutoff"])
def test_a_store_that_fails_as_it_is_opened(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever of the store cannot be read at the start, it is read at the next attempt: a pipe and what stands in the
    logs by then are stored."""
    job.open_store(tmp_path / "store", plain_policy(), KEY, NOW, None)
    log.write_bytes(b"".join(LOG[:60]))
    feed = Given()
    feed.data = b"".join(LOG[60:])

    def broken(*_: object) -> None:
        raise InputOutputError("the disk fails", where="state.json")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, name, broken)
        following = Following(tmp_path, log, lives=[Live("-", feed)])
    following(times=3)
    assert hours_of(following.store) == counts_of(LOG)
    feed.ended = True
    assert following.end()["counted"] == 120


def test_a_commit_that_was_durable_although_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after the commit point: the lines of a pipe stand, and are not stored again."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)])
    commit = Held.commit

    def broken(self: Held, *args: Any, **named: Any) -> None:
        commit(self, *args, **named)
        raise InputOutputError("input/output error", where="store")

    with monkeypatch.context() as patch:
        patch.setattr(Held, "commit", broken)
        feed.data = b"".join(LOG[:60])
        following(1)
        following()
    feed.data += b"".join(LOG[60:])
    following(LONGEST_BACKOFF, times=2)
    assert hours_of(following.store) == counts_of(LOG)
    assert following.end()["counted"] == 120


def test_a_pipe_that_begins_with_no_log(tmp_path: Path) -> None:
    """First lines without any format are counted as malformed and given up; what follows is read."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)], format="auto")
    feed.data = b"no log at all\n" * 3
    following()
    feed.data = b"".join(LOG)
    following(times=2)
    assert hours_of(following.store) == counts_of(LOG)
    assert [error.exit_code for error in following.said.errors] == [65]
    answer = following.end()
    assert (answer["counted"], answer["rejected"]["malformed"]) == (120, 3)


@pytest.mark.parametrize("size", [600_000, 3_000_000])
@pytest.mark.parametrize("whole", [True, False])
def test_a_pipe_that_begins_with_a_long_line(tmp_path: Path, size: int, whole: bool) -> None:
    """A first line longer than what a format is told by is one rejected line, in however many pieces it comes."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)], format="auto")
    feed.data = b"\0" * size + (b"\n" + b"".join(LOG[:60]) if whole else b"")
    following(times=2)
    feed.data += (b"" if whole else b"\n") + b"".join(LOG[60:] if whole else LOG)
    following(times=2)
    assert hours_of(following.store) == counts_of(LOG)
    assert not following.said.errors
    answer = following.end()
    assert (answer["counted"], sum(answer["rejected"].values())) == (120, 1)


def test_a_pipe_of_what_is_no_log(tmp_path: Path) -> None:
    """That a pipe has no format is said once, whatever its lines are like; all of them are counted as malformed."""
    feed = Given()
    following = Following(tmp_path, lives=[Live("-", feed)], format="auto")
    for n in range(30):
        feed.data = bytes([97 + n % 26]) * n + b" (some) - [words]\n" * 120
        following(0.5, times=2)
    following()
    assert len(following.said.errors) == 1
    assert following.end()["rejected"]["malformed"] == 30 * 120


def test_a_policy_that_is_changed(tmp_path: Path, log: Path) -> None:
    """After `policy apply` logs are read, and days deleted, under the new policy; lines of a pipe that were read under
    the old one and wait are given up, and their number is said."""
    feed = Given()
    following = Following(tmp_path, log, lives=[Live("-", feed)], format="combined")
    following.write(log, LOG[:40])
    following()
    feed.data = b"".join(MORE[:20])
    following(1)
    text = PLAIN.replace("6 weeks", "5 weeks").replace('browser = { as = "family+major" }', "")
    clock = RunClock(following.clock.time)
    apply_policy(following.store, parse_policy(text, where="x"), clock=clock, wait=timedelta(), dry_run=False)
    following.write(log, LOG[40:])
    following(times=2)
    feed.data = b"".join(MORE[20:])
    following(LONGEST_BACKOFF, times=2)
    assert hours_of(following.store) == counts_of([*LOG, *MORE[20:]])
    assert "browser" not in table_of(following.store).column_names
    assert not following.said.errors
    assert any("20 lines that waited are given up" in note for note in following.said.notes)
    for _ in range(34):
        following(24 * 3600)
    assert days(following.store) == ["2026-11-21"]
    following(24 * 3600)
    assert days(following.store) == []
    following.end()


def test_a_tighter_age_holds_while_nothing_is_logged(tmp_path: Path, log: Path) -> None:
    """A policy applied to a store into which nothing comes any more: its days go by the new age."""
    following = Following(tmp_path, log)
    following.write(log, line(NOW))
    following()
    text = PLAIN.replace("6 weeks", "1 week")
    clock = RunClock(following.clock.time)
    apply_policy(following.store, parse_policy(text, where="x"), clock=clock, wait=timedelta(), dry_run=False)
    for _ in range(7):
        following(24 * 3600)
    assert days(following.store) == []
    following.end()


def test_a_cell_that_is_full(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That rows went into `other` is said once while it runs, and how many at the end."""
    monkeypatch.setattr("loganon.store.local.Limits", lambda: Limits(rows=4, files=2))
    following = Following(tmp_path, log)
    for start in range(0, 120, 40):
        following.write(log, LOG[start : start + 40])
        following()
    assert len([note for note in following.said.notes if "more than it may" in note]) == 1
    assert "rows went into `other`" in following.follower.finish().warnings[0]


def test_an_error_log_is_said_once(tmp_path: Path, log: Path) -> None:
    """A pattern that leads to an error log, too: it is left out, and that is said once."""
    other = log.with_name("error.log")
    following = Following(tmp_path, log.parent / "*.log", format="auto")
    following.write(other, b"2026/11/21 10:00:00 [error] 1#1: *1 open() failed, client: 1.2.3.4\n" * 5)
    following.write(log, LOG)
    following()
    following.write(other, b"2026/11/21 10:00:01 [error] 1#1: *1 open() failed, client: 1.2.3.4\n")
    following(times=2)
    assert hours_of(following.store) == counts_of(LOG)
    assert len([note for note in following.said.notes if "error log" in note]) == 1
    following.end()


def test_the_clock_is_accepted(tmp_path: Path, log: Path) -> None:
    """A clock far behind the last commit stops the rounds, and that is said; with `--accept-clock` it is gone by."""
    following = Following(tmp_path, log)
    following.write(log, LOG[:40])
    following()
    following.clock.go(-2 * 86400)
    refused = following.again(log)
    refused.write(log, LOG[40:])
    refused(times=3)
    assert [type(error) for error in refused.said.errors] == [CheckError]
    assert hours_of(refused.store) == counts_of(LOG[:40])
    refused.clock.go(86400 + 3600)  # so that the lines are not in its future
    accepted = refused.again(log, accept_clock=True)
    accepted(times=2)
    assert hours_of(accepted.store) == counts_of(LOG)
    assert not accepted.said.errors
    accepted.end()
