"""A run on a store that was damaged, has lost records, is new, or keeps for ever: what it does and what it says."""

from __future__ import annotations

import grp
import os
import shutil
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import loganon
from loganon.clock import Clock
from loganon.errors import CheckError, ConfigurationError
from loganon.policy import Policy, parse_policy
from loganon.rewrite import apply_policy
from loganon.store import DamagedCellError, LocalStore
from support.cli import Inside
from support.runs import NOW, PLAIN, cells, days, hours_of, ingest, line

DAY = NOW.date()


def write(path: Path, *moments: datetime, tag: str = "a") -> Path:
    path.write_bytes(b"".join(line(each, f"/{tag}/{n}") for n, each in enumerate(moments)))
    return path


def hour(day: date, number: int = 8) -> datetime:
    return datetime(day.year, day.month, day.day, number, tzinfo=UTC)


def keeping(age: str) -> Policy:
    return parse_policy(PLAIN.replace("6 weeks", age), where="test")


def test_a_run_reports_a_damaged_cell(tmp_path: Path) -> None:
    """The cell is put aside, the new lines are counted, and the exit code is 74; the next run has nothing to say."""
    store, log = tmp_path / "store", write(tmp_path / "a.log", hour(DAY), hour(DAY))
    ingest(store, [log])
    (cell,) = cells(store)
    cell.write_bytes(cell.read_bytes()[:-50])
    log.write_bytes(log.read_bytes() + line(hour(DAY), "/new"))
    command = Inside(tmp_path)
    command.key.write_bytes(b"the key of the tests, 32 bytes..")
    done = command("run", log, "--store", store, "--now", NOW.isoformat(), "--json", "--quiet")
    assert (done.code, done.json["counted"]) == (74, 1)
    done.message("quarantine", "hour-08.restored.parquet")
    assert hours_of(store) == {hour(DAY): (1, 10, 1)}
    again = command("run", log, "--store", store, "--now", NOW.isoformat(), "--json", "--quiet")
    assert (again.code, again.json["already_counted"], again.err) == (0, 3, "")


def test_a_store_behind_a_link(tmp_path: Path) -> None:
    """A store that the operator names by a link is the one that it leads to, made there or moved there since: it is
    counted into, proved and changed, and what is wrong with it is seen."""
    command, log, now = Inside(tmp_path), write(tmp_path / "a.log", hour(DAY), hour(DAY, 9)), NOW.isoformat()
    (tmp_path / "old.toml").write_text(PLAIN)
    for name in ("missing", "empty", "standing"):
        real, link = tmp_path / name, tmp_path / f"link-{name}"
        if name == "empty":
            real.mkdir()
        if name == "standing":
            assert command("run", "--store", real, "--policy", tmp_path / "old.toml", "--now", now, log).code == 0
        link.symlink_to(real)
        done = command("run", "--store", link, "--policy", tmp_path / "old.toml", "--now", now, log, "--quiet")
        assert (done.code, done.err) == (0, ""), name
        assert hours_of(real) == {hour(DAY): (1, 10, 1), hour(DAY, 9): (1, 10, 1)}
        assert command("verify", "--store", link, "--now", now, "--quiet").code == 0, name
        apply_policy(link, keeping("5 weeks"), clock=Clock(NOW), wait=timedelta(), dry_run=False)
        assert LocalStore.open(link).policy == LocalStore.open(real).policy
        assert link.is_symlink()
        (real / "access").chmod(0o755)
        command("status", "--store", link, "--now", now).message("mode 0755 instead of 0700")
        command("verify", "--store", link, "--now", now, "--quiet").message("modes", f"{real}/access")


def test_a_scan_names_a_damaged_cell(tmp_path: Path) -> None:
    """Who reads the table by `scan` is told which cell is damaged; it stays where it is."""
    store = tmp_path / "store"
    ingest(store, [write(tmp_path / "a.log", hour(DAY), hour(DAY, 9))])
    cells(store)[0].write_bytes(b"PAR1")
    with pytest.raises(DamagedCellError, match=r"hour-08\.parquet"):
        loganon.scan(store)
    assert cells(store)[0].read_bytes() == b"PAR1"


def test_retain_reports_what_it_put_aside(tmp_path: Path) -> None:
    """A damaged cell that only the seal meets is a finding of `retain`, too (74)."""
    store = tmp_path / "store"
    ingest(store, [write(tmp_path / "a.log", hour(DAY), hour(DAY, 9))])
    cells(store)[0].write_bytes(b"")
    command = Inside(tmp_path)
    done = command("retain", "--store", store, "--now", (NOW + timedelta(days=3)).isoformat(), "--json")
    assert (done.code, done.json["partitions_sealed"]) == (74, [str(DAY)])
    done.message("hour-08.restored.parquet")


def test_a_run_makes_lost_records_again(tmp_path: Path) -> None:
    """Without its records a store counts no line twice: they are made again, and the run says how many."""
    store, log = tmp_path / "store", write(tmp_path / "a.log", hour(DAY), hour(DAY, 9))
    ingest(store, [log])
    before = hours_of(store)
    shutil.rmtree(store / "_loganon" / "sources")
    log.write_bytes(log.read_bytes() + line(hour(DAY, 10), "/new"))
    summary = ingest(store, [log])
    assert (summary.counted, summary.already_counted, summary.exit_code) == (1, 2, 0)
    assert summary.warnings[0].startswith("1 source record was lost")
    assert hours_of(store) == before | {hour(DAY, 10): (1, 10, 1)}


def test_a_run_without_records_counts_nothing_and_deletes(tmp_path: Path) -> None:
    """Where they cannot be made again nothing is read (74); what is past its day goes and due days are sealed."""
    store = tmp_path / "store"
    old = DAY - timedelta(days=42)
    ingest(store, [write(tmp_path / "a.log", hour(old), hour(DAY - timedelta(days=4)))], now=hour(old) + timedelta(1))
    ingest(store, [write(tmp_path / "b.log", hour(old), tag="b")], now=hour(old) + timedelta(1))
    for path in (store / "_loganon" / "sources").iterdir():
        path.unlink()
    for path in cells(store):  # as a copy of a record that is lost with its cell
        if b"b.log" in path.read_bytes():
            path.unlink()
    command = Inside(tmp_path)
    command.key.write_bytes(b"the key of the tests, 32 bytes..")
    words = ("--store", store, "--now", NOW.isoformat(), "--json")
    new = write(tmp_path / "c.log", hour(DAY), tag="c")
    done = command("run", new, *words, "--quiet")
    assert (done.code, done.json["lines_read"]) == (74, 0)
    done.message("key reset")
    assert str(old) not in days(store)
    done = command("retain", *words)
    assert done.code == 74
    done.message("key reset")
    assert command("key", "reset", "--store", store, "--key-file", command.key, "--yes").code == 0
    done = command("run", new, *words, "--quiet")
    assert (done.code, done.json["counted"]) == (0, 1)


def test_a_log_that_comes_back_to_a_store_that_keeps_for_ever(tmp_path: Path) -> None:
    """60 days after its last line and its last commit a log is no longer known, and its lines are expired."""
    store, policy = tmp_path / "store", keeping("unlimited")
    log = write(tmp_path / "a.log", hour(DAY - timedelta(days=1)), hour(DAY))
    assert ingest(store, [log], policy=policy).counted == 2
    before = hours_of(store)
    known = ingest(store, [log], now=hour(DAY) + timedelta(days=59))
    assert (known.already_counted, known.counted) == (2, 0)
    late = write(tmp_path / "late.log", hour(DAY, 23), hour(DAY + timedelta(days=1), 0), tag="b")
    summary = ingest(store, [log, late], now=hour(DAY) + timedelta(days=60))
    assert (summary.already_counted, summary.rejected["expired"], summary.counted) == (0, 3, 1)
    assert hours_of(store) == before | {hour(DAY + timedelta(days=1), 0): (1, 10, 1)}
    assert LocalStore.open(store).floor() == hour(DAY + timedelta(days=1), 0)
    again = ingest(store, [log, late], now=hour(DAY) + timedelta(days=60))
    assert (again.already_counted, again.counted) == (4, 0)


@pytest.mark.parametrize(
    ("age", "day", "goes"),
    [
        ("1 month", date(2026, 1, 31), date(2026, 2, 28)),
        ("1 month", date(2026, 1, 28), date(2026, 2, 28)),
        ("1 month", date(2028, 1, 31), date(2028, 2, 29)),
        ("1 year", date(2028, 2, 29), date(2029, 2, 28)),
        ("2 weeks", date(2026, 3, 25), date(2026, 4, 8)),
    ],
)
def test_calendar_ages(tmp_path: Path, age: str, day: date, goes: date) -> None:
    """A partition goes at 00:00 UTC of the day on which it reaches its age by the calendar, not a second earlier."""
    store, policy = tmp_path / "store", keeping(age)
    ingest(store, [write(tmp_path / "a.log", hour(day))], policy=policy, now=hour(day, 9))
    midnight = datetime(goes.year, goes.month, goes.day, tzinfo=UTC)
    empty = write(tmp_path / "empty.log")
    far = {"accept_cutoff": goes}
    assert ingest(store, [empty], now=midnight - timedelta(seconds=1), **far).dropped == []
    assert ingest(store, [empty], now=midnight, **far).dropped == [day]


def test_the_clock_of_a_cutoff_is_remembered(tmp_path: Path) -> None:
    """After a run that only raised the cutoff a clock far behind it is not believed: its lines would expire unseen."""
    store = tmp_path / "store"
    ingest(store, [write(tmp_path / "a.log", hour(DAY))])
    empty = write(tmp_path / "empty.log")
    ingest(store, [empty], now=NOW + timedelta(days=50))
    summary = ingest(store, [write(tmp_path / "b.log", hour(DAY), tag="b")])
    assert (summary.exit_code, summary.lines_read) == (1, 0)
    assert isinstance(summary.errors[0], CheckError)


@pytest.mark.parametrize("place", ["not empty", "a file", "no group"])
def test_no_key_for_a_store_that_cannot_be_made(tmp_path: Path, place: str) -> None:
    """Where a store cannot be made (78) no key is left behind, and no directory."""
    store = tmp_path / "new" / "store"
    if place == "not empty":
        store = tmp_path / "taken"
        store.mkdir()
        (store / "holiday.jpg").write_bytes(b"x")
    elif place == "a file":
        store = tmp_path / "file"
        store.write_bytes(b"")
    log = write(tmp_path / "a.log", hour(DAY))
    group = ["--group", "no-such-group"] if place == "no group" else []
    command = Inside(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = command("run", log, "--store", store, *group)
    assert done.code == (2 if "No such option" in done.err else 78)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []
    with pytest.raises(ConfigurationError):
        LocalStore.check_place(store, group[-1] if group else None)


def test_a_group_reaches_its_table(tmp_path: Path) -> None:
    """Directories that are made above a store let its group through, and show it nothing else; without one nobody."""
    from support.store_cases import feed, make_store  # noqa: PLC0415 - one test's names

    name = grp.getgrgid(os.getegid()).gr_name
    for group, mode in ((name, 0o710), (None, 0o700)):
        top = tmp_path / str(mode)
        made = make_store(top / "a" / "b" / "store", group=group)
        feed(made, "a-source", [(hour(DAY), "/a")])
        for folder in (top, top / "a", top / "a" / "b"):
            assert stat.S_IMODE(folder.stat().st_mode) == mode
            assert folder.stat().st_gid == os.getegid()
