"""Gone on time: what is past its day goes at its day, stays away, and goes whatever became of the logs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from loganon import job
from loganon.errors import CheckError
from loganon.store import LocalStore
from support.cli import Inside
from support.runs import NOW, days, hours_of, ingest, line
from support.store_cases import snapshot

OLD = date(2026, 10, 10)  # 42 days before NOW
YOUNGER = date(2026, 10, 11)
DUE = datetime(2026, 11, 21, tzinfo=UTC)  # OLD + 42 days


def moment(day: date, hour: int = 10) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def write(path: Path, *moments: datetime, tag: str = "a") -> Path:
    path.write_bytes(b"".join(line(each, f"/{tag}/{n}") for n, each in enumerate(moments)))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the partitions OLD and YOUNGER, made when they were of yesterday and the day before."""
    log = write(tmp_path / "first.log", moment(OLD), moment(OLD, 23), moment(YOUNGER, 0), moment(YOUNGER))
    ingest(tmp_path / "store", [log], now=moment(YOUNGER, 23))
    assert days(tmp_path / "store") == [str(OLD), str(YOUNGER)]
    return tmp_path / "store"


def test_at_six_weeks_to_the_second(store: Path, tmp_path: Path) -> None:
    """A partition 42 days old is gone after a run, one a day younger is not; a second earlier neither is."""
    log = write(tmp_path / "new.log", moment(DUE.date() - timedelta(days=1)))
    early = ingest(store, [log], now=DUE - timedelta(seconds=1))
    assert early.dropped == []
    assert days(store)[:2] == [str(OLD), str(YOUNGER)]
    late = ingest(store, [log], now=DUE)
    assert late.dropped == [OLD]
    assert days(store)[0] == str(YOUNGER)
    assert not (store / "access" / f"date={OLD}").exists()


def test_the_command_drops_and_says_so(store: Path, tmp_path: Path) -> None:
    """`run --now` at the day: `partitions_dropped` names it, the store has it no more, in no name either."""
    log = write(tmp_path / "new.log", moment(NOW.date(), 8))
    command = Inside(tmp_path)
    command.key.write_bytes(b"the key of the tests, 32 bytes..")
    done = command("run", log, "--store", store, "--now", "2026-11-21T12:00:00Z", "--json", "--quiet")
    assert done.code == 0, done.err
    assert done.json["partitions_dropped"] == [str(OLD)]
    assert str(OLD) not in {path.name for path in store.rglob("*")}
    assert min(hours_of(store)) == moment(YOUNGER, 0)


def test_nothing_creates_it_again(store: Path, tmp_path: Path) -> None:
    """Lines of a day that is gone are `expired`: of a new log, of the same log grown or named anew, and in a store that
    never had that day; also with the clock set back by less than a day."""
    ingest(store, [write(tmp_path / "new.log", moment(NOW.date(), 8))])
    first = tmp_path / "first.log"
    first.write_bytes(first.read_bytes() + line(moment(OLD, 23), "/late"))
    late = write(tmp_path / "late.log", moment(OLD), moment(YOUNGER), tag="b")
    for now in (NOW, NOW - timedelta(hours=23)):
        summary = ingest(store, [first, late], now=now)
        assert days(store)[0] == str(YOUNGER)
        first.rename(tmp_path / "first.log.1")
        first = tmp_path / "first.log.1"
        if now == NOW:
            assert (summary.rejected["expired"], summary.counted) == (2, 1)
        else:
            assert (summary.rejected["expired"], summary.counted, summary.already_counted) == (0, 0, 7)
    fresh = ingest(tmp_path / "fresh", [late])
    assert (fresh.rejected["expired"], fresh.counted) == (1, 1)
    assert days(tmp_path / "fresh") == [str(YOUNGER)]


def test_the_cutoff_never_moves_back(store: Path, tmp_path: Path) -> None:
    """With an earlier clock, believed or not, the cutoff stays where it was."""
    ingest(store, [write(tmp_path / "new.log", moment(NOW.date(), 8))])
    back = NOW - timedelta(days=10)
    old = write(tmp_path / "old.log", moment(YOUNGER) - timedelta(days=3), moment(YOUNGER), tag="c")
    summary = ingest(store, [old], now=back, accept_clock=True)
    assert (summary.rejected["expired"], summary.counted) == (1, 1)
    assert days(store)[0] == str(YOUNGER)


def test_dry_run(store: Path, tmp_path: Path) -> None:
    """`retain --dry-run` prints the plan and changes no byte; `retain` then does what it said, and needs no key."""
    command = Inside(tmp_path)
    before = snapshot(store)
    words = ("retain", "--store", store, "--now", "2026-11-21T00:00:00Z")
    plan = command(*words, "--dry-run")
    assert (plan.code, plan.err) == (0, "")
    assert [text.split()[0] for text in plan.out.splitlines()] == [str(OLD)]
    assert "6 weeks" in plan.out
    told = command(*words, "--dry-run", "--json").json
    assert [each["partition"] for each in told["plan"]] == [str(OLD)]
    assert (told["plan"][0]["files"], told["plan"][0]["rows"], told["partitions_dropped"]) == (2, 2, [])
    assert snapshot(store) == before
    done = command(*words, "--json")
    assert (done.code, done.json["partitions_dropped"]) == (0, [str(OLD)])
    assert days(store) == [str(YOUNGER)]


def test_lead(store: Path, tmp_path: Path) -> None:
    """`--lead` drops what would expire within that time, before the next run; lines of it are expired, too."""
    log = write(tmp_path / "new.log", moment(YOUNGER), moment(NOW.date(), 8), tag="d")
    summary = ingest(store, [log], lead=timedelta(hours=12))
    assert summary.dropped == [OLD, YOUNGER]
    assert summary.rejected["expired"] == 1
    assert days(store) == [str(NOW.date())]


def test_lead_of_the_command(store: Path, tmp_path: Path) -> None:
    """As an option: a minute short of the day's end it is not enough, at its end it is."""
    command = Inside(tmp_path)
    words = ("retain", "--store", store, "--now", "2026-11-21T12:00:00Z", "--json", "--lead")
    assert command(*words, "719m").json["partitions_dropped"] == [str(OLD)]
    assert command(*words, "12h").json["partitions_dropped"] == [str(YOUNGER)]


def test_a_long_step_of_the_cutoff(store: Path, tmp_path: Path) -> None:
    """A step of more than 60 days is refused (1), nothing is deleted and nothing read; `--accept-cutoff` lets it, but
    not beyond its date."""
    before = snapshot(store)
    far = datetime(2027, 1, 1, 12, tzinfo=UTC)  # a cutoff of 2026-11-21; it stands at 2026-08-31
    log = write(tmp_path / "new.log", moment(date(2027, 1, 1), 8))
    for accepted in (None, date(2026, 11, 20)):
        summary = ingest(store, [log], now=far, accept_cutoff=accepted)
        assert summary.exit_code == 1
        assert (summary.lines_read, summary.dropped) == (0, [])
        assert len(summary.errors) == 1
        assert "--accept-cutoff 2026-11-21" in str(summary.errors[0])
    assert snapshot(store) == before
    done = ingest(store, [log], now=far, accept_cutoff=date(2026, 11, 21))
    assert (done.exit_code, done.dropped, done.counted) == (0, [OLD, YOUNGER], 1)


def test_a_long_step_by_the_command(store: Path, tmp_path: Path) -> None:
    """`retain` is guarded alike: 1, one message with the way out, nothing deleted."""
    command = Inside(tmp_path)
    before = snapshot(store)
    done = command("retain", "--store", store, "--now", "2027-01-01")
    assert (done.code, done.out) == (1, "")
    done.message("82 days", "2026-08-31", "2026-11-21", "--accept-cutoff 2026-11-21")
    assert snapshot(store) == before
    done = command("retain", "--store", store, "--now", "2027-01-01", "--accept-cutoff", "2026-11-21")
    assert (done.code, done.err) == (0, "")
    assert days(store) == []


def test_sixty_days_are_no_long_step(store: Path, tmp_path: Path) -> None:
    """A step of exactly 60 days goes; a new store has no step."""
    log = write(tmp_path / "new.log", moment(OLD), tag="g")
    assert ingest(store, [log], now=moment(YOUNGER, 23) + timedelta(days=60)).exit_code == 0
    assert days(store) == []
    assert ingest(tmp_path / "fresh", [log], now=moment(date(2036, 1, 1))).exit_code == 0


def test_a_clock_that_is_behind(store: Path, tmp_path: Path) -> None:
    """More than 24 hours behind the last commit nothing is read (1) until `--accept-clock`; 24 hours are no matter."""
    before = snapshot(store)
    log = write(tmp_path / "new.log", moment(OLD, 8), tag="e")
    last = moment(YOUNGER, 23)
    summary = ingest(store, [log], now=last - timedelta(hours=24, seconds=1))
    assert (summary.exit_code, summary.lines_read) == (1, 0)
    assert "--accept-clock" in str(summary.errors[0])
    assert snapshot(store) == before
    assert ingest(store, [log], now=last - timedelta(hours=24)).counted == 1
    other = write(tmp_path / "other.log", moment(OLD, 8), tag="f")
    assert ingest(store, [other], now=last - timedelta(hours=30), accept_clock=True).counted == 1


def test_a_clock_that_is_behind_in_the_command(store: Path, tmp_path: Path) -> None:
    """Exit code 1, the message on one line, and the JSON object all the same."""
    command = Inside(tmp_path)
    command.key.write_bytes(b"the key of the tests, 32 bytes..")
    log = write(tmp_path / "new.log", moment(OLD, 8))
    words = ("run", log, "--store", store, "--now", "2026-10-10T00:00:00Z", "--json")
    done = command(*words)
    assert (done.code, done.json["lines_read"]) == (1, 0)
    done.message("--accept-clock", "2026-10-11T23:00Z")
    assert command(*words, "--accept-clock").json["counted"] == 1


@pytest.mark.parametrize("kind", ["missing", "no_format", "directory", "set_aside", "damaged"])
def test_deletion_whatever_became_of_the_logs(store: Path, tmp_path: Path, kind: str) -> None:
    """Ingestion fails for each of these reasons, with its exit code; the partition goes all the same."""
    log = tmp_path / "bad.log"
    code = 66 if kind in ("missing", "directory") else 65
    if kind == "no_format":
        log.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9)
    elif kind == "directory":
        log.mkdir()
    elif kind == "set_aside":
        first = tmp_path / "first.log"
        log = tmp_path / "first.log.1"
        log.write_bytes(first.read_bytes()[: first.read_bytes().index(b"\n") + 1])
    elif kind == "damaged":
        log.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(50))
    summary = ingest(store, [log])
    assert (summary.exit_code, summary.dropped) == (code, [OLD]), summary.errors
    assert days(store) == [str(YOUNGER)]


def test_deletion_although_ingestion_broke(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside loganon in the middle of a log does not keep what is past its day; and before the first line is
    read the cutoff is raised and the partition gone."""

    class BrokenError(Exception):
        pass

    def broken(*_: object, **__: object) -> None:
        assert LocalStore.open(store).cutoff() == YOUNGER
        assert days(store) == [str(YOUNGER)]
        raise BrokenError

    log = write(tmp_path / "new.log", moment(NOW.date(), 8))
    before = moment(YOUNGER, 23) + timedelta(days=1)
    ingest(store, [log], now=before)
    monkeypatch.setattr(job.Ingest, "__call__", broken)
    with pytest.raises(BrokenError):
        ingest(store, [log])
    assert days(store) == [str(YOUNGER)]


def test_an_immutable_file_stops_nothing_else(tmp_path: Path) -> None:
    """What cannot be deleted is reported (1); the other partitions go, the new log is counted; the next run deletes."""
    start = OLD - timedelta(days=2)
    log = write(tmp_path / "first.log", *(moment(start + timedelta(days=n)) for n in range(4)))
    store = tmp_path / "store"
    ingest(store, [log], now=moment(YOUNGER, 23))
    guarded = store / "access" / f"date={start}" / "not-a-cell"
    guarded.write_bytes(b"")
    new = write(tmp_path / "new.log", moment(NOW.date(), 8))
    summary = ingest(store, [new])
    assert (summary.exit_code, summary.counted) == (1, 1)
    assert summary.dropped == [start + timedelta(days=1), OLD]
    assert days(store) == [str(start), str(YOUNGER), str(NOW.date())]
    assert all(isinstance(error, CheckError) for error in summary.errors)
    assert len(summary.errors) == 1
    guarded.unlink()
    again = ingest(store, [new])
    assert (again.exit_code, again.dropped) == (0, [start])


def test_unlimited(tmp_path: Path) -> None:
    """A policy that keeps for ever deletes nothing, in whatever year."""
    from loganon.policy import parse_policy  # noqa: PLC0415 - one test's policy
    from support.runs import PLAIN  # noqa: PLC0415 - as above

    policy = parse_policy(PLAIN.replace("6 weeks", "unlimited"), where="test")
    log = write(tmp_path / "first.log", moment(OLD), moment(date(1995, 8, 1)))
    summary = ingest(tmp_path / "store", [log], policy=policy, now=moment(date(2090, 1, 1)))
    assert (summary.exit_code, summary.counted, summary.dropped) == (0, 2, [])
    assert ingest(tmp_path / "store", [log], now=moment(date(2190, 1, 1))).exit_code == 0
    assert days(tmp_path / "store") == ["1995-08-01", str(OLD)]
