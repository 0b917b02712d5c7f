"""`--remove-source`: a log goes once its last line is committed and no one writes to it; else it stays, and is told."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from loganon import ingest as ingest_module
from loganon import job
from loganon.clock import Clock
from loganon.errors import InputOutputError
from loganon.exclude import parse_rules
from loganon.lookups import open_lookups
from loganon.reading import Input, Reading
from loganon.sources import removal
from loganon.sources.identity import stream_name
from loganon.sources.removal import Counted, left_behind, remove_counted
from loganon.summary import Summary
from support.cli import Command
from support.runs import KEY, NOW, check_store, lines

LOG = b"".join(lines(50))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def removing(store: Path, logs: list[Path], **reading: object) -> Summary:
    """A run that removes its sources."""
    how = Reading(lookups=open_lookups(), remove_source=True, **reading)  # type: ignore[arg-type]  # a test's options
    inputs = [Input(str(log), how) for log in logs]
    summary = job.run(inputs, policy=None, store=store, key=KEY, clock=Clock(NOW), wait=timedelta())
    check_store(store)
    return summary


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def entry(path: Path) -> Counted:
    status = path.stat()
    return Counted(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def test_a_counted_log_goes(store: Path, tmp_path: Path) -> None:
    """Counted, it is gone, compressed or not; nothing lies beside its place; the summary names it."""
    folder = tmp_path / "log"
    folder.mkdir()
    logs = [write(folder / "a.log.1", LOG), write(folder / "b.log.2.gz", gzip.compress(b"".join(lines(30, tag="q"))))]
    summary = removing(store, logs)
    assert (summary.counted, summary.exit_code, summary.warnings[1:]) == (80, 0, [])
    assert summary.removed == [str(log) for log in logs]
    assert list(folder.iterdir()) == []


def test_what_was_counted_before_goes_too(store: Path, tmp_path: Path) -> None:
    """A log that an earlier run counted, and that could not go then."""
    log = write(tmp_path / "a.log.1", LOG)
    job.run([Input(str(log), Reading(lookups=open_lookups()))], policy=None, store=store, key=KEY, clock=Clock(NOW))
    assert log.exists()
    assert removing(store, [log]).already_counted == 50
    assert not log.exists()


def test_a_writer_has_it_open(store: Path, tmp_path: Path) -> None:
    """While another process may still write, the log stays where it is; what it writes is counted by the next run."""
    log = write(tmp_path / "a.log.1", LOG)
    script = "import sys; f = open(sys.argv[1], 'a'); print(flush=True); sys.stdin.read(); f.write(sys.argv[2])"
    late = lines(1, tag="late")[0].decode()
    with subprocess.Popen(
        [sys.executable, "-c", script, log, late], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        summary = removing(store, [log])
    assert (summary.counted, summary.removed) == (50, [])
    assert [text for text in summary.warnings if "a writer has it open" in text]
    assert log.read_bytes() == LOG + late.encode()
    assert removing(store, [log]).counted == 1
    assert not log.exists()


def test_a_writer_opens_it_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens the log for writing in that very moment keeps it from going, and the signal that the kernel sends
    for it ends no process: it is one that is ignored where nobody asks for it.
    """
    log = write(tmp_path / "a.log", LOG)
    seen: list[int] = []
    before = signal.signal(signal.SIGIO, lambda number, _frame: seen.append(number))
    fstat = os.fstat

    def opened(descriptor: int) -> os.stat_result:
        with suppress(BlockingIOError):  # under a lease the kernel lets it wait
            os.close(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", opened)
    try:
        reason = remove_counted(entry(log))
    finally:
        signal.signal(signal.SIGIO, before)
    assert (reason, seen) == ("a writer has it open", [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
    monkeypatch.undo()
    assert remove_counted(entry(log)) is None


def test_bytes_are_pending(store: Path, tmp_path: Path) -> None:
    """A log whose last line is not finished stays; with `--final` that line is counted, and the log goes."""
    log = write(tmp_path / "a.log", LOG + lines(1, tag="half")[0].rstrip(b"\n"))
    assert removing(store, [log]).removed == []
    assert log.exists()
    assert removing(store, [log], final=True).counted == 1
    assert not log.exists()


def test_nothing_of_it_was_counted(store: Path, tmp_path: Path) -> None:
    """A log of which every line was rejected stays, unless lines of it are merely expired."""
    log = write(tmp_path / "a.log", LOG)
    rules = parse_rules([{"path": "/p/*"}], where="exclude")
    summary = removing(store, [log], exclude=rules)
    assert (summary.rejected["excluded"], summary.removed) == (50, [])
    assert [text for text in summary.warnings if "every line of it was rejected" in text]
    old = write(tmp_path / "old.log", b"".join(lines(5, start=NOW - timedelta(days=90), tag="o")))
    assert removing(store, [old]).rejected["expired"] == 5
    assert not old.exists()


def test_a_damaged_log_stays(store: Path, tmp_path: Path) -> None:
    """A compressed log that ends early may come whole later."""
    whole = gzip.compress(b"".join(lines(3000)))
    log = write(tmp_path / "a.log.gz", whole[: len(whole) * 3 // 4])
    summary = removing(store, [log])
    assert summary.counted > 0
    assert summary.exit_code == 65
    assert log.exists()


def test_an_uncommitted_log_stays(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the commit fails, nothing goes."""
    log = write(tmp_path / "a.log", LOG)

    def fail(*_: object) -> None:
        raise InputOutputError("the disk failed")

    monkeypatch.setattr(ingest_module.Ingest, "_commit", fail)
    assert removing(store, [log]).exit_code == 74
    assert log.read_bytes() == LOG


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda log: log.write_bytes(LOG + b"more\n"), "it has grown"),
        (lambda log: log.write_bytes(LOG[:-1]), "it has changed"),
        (lambda log: (log.write_bytes(LOG[::-1]), os.utime(log, (1, 1))), "it has changed"),
        (lambda log: (log.rename(log.with_suffix(".1")), log.write_bytes(LOG)), "another file has taken its place"),
    ],
    ids=["grown", "shrunk", "written anew", "replaced"],
)
def test_it_changed_since_it_was_read(tmp_path: Path, change: Callable[[Path], object], reason: str) -> None:
    """Not the file, or not the bytes, that were read: it stays under its name."""
    log = write(tmp_path / "a.log", LOG)
    found = entry(log)
    change(log)
    content = log.read_bytes()
    assert remove_counted(found) == reason
    assert log.read_bytes() == content
    assert not list(tmp_path.glob(".*"))


def test_it_is_replaced_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file under the name between the look at it and the renaming is put back unharmed."""
    log = write(tmp_path / "a.log", LOG)
    found, rename = entry(log), removal.rename_new

    def late(source: Path, target: Path) -> None:
        if source == log:
            log.rename(tmp_path / "a.log.1")
            log.write_bytes(b"new\n")
        rename(source, target)

    monkeypatch.setattr(removal, "rename_new", late)
    assert remove_counted(found) == "another file has taken its place"
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "a.log.1").read_bytes() == LOG


def test_nothing_is_replaced_when_it_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new log under the name, made while the old one lay aside, is not overwritten; the old one is named."""
    log = write(tmp_path / "a.log", LOG)
    found = entry(log)
    difference, looks = removal._difference, []

    def late(entry: Counted, descriptor: int) -> str | None:
        looks.append(descriptor)
        if len(looks) == 1:
            return difference(entry, descriptor)
        log.write_bytes(b"new\n")
        return "a writer has it open"

    monkeypatch.setattr(removal, "_difference", late)
    reason = remove_counted(found)
    assert reason is not None
    assert "cannot be put back" in reason
    aside = left_behind([log])
    assert [path.read_bytes() for path in aside] == [LOG]
    assert str(aside[0]) in reason
    assert log.read_bytes() == b"new\n"


def test_killed_while_it_lies_aside(store: Path, tmp_path: Path) -> None:
    """The next run finds what a killed one left aside: nothing of it is counted again, and it goes."""
    log = write(tmp_path / "a.log", LOG)
    job.run([Input(str(log), Reading(lookups=open_lookups()))], policy=None, store=store, key=KEY, clock=Clock(NOW))
    aside = log.rename(tmp_path / ".a.log.0123456789abcdef.counted")
    assert stream_name(str(aside)) == "a.log"
    write(log, b"".join(lines(7, tag="new")))
    summary = removing(store, [log])
    assert (summary.counted, summary.already_counted) == (7, 50)
    assert not aside.exists()
    assert not log.exists()


def test_killed_and_the_next_log_has_another_date(store: Path, tmp_path: Path) -> None:
    """What was left aside of a log goes with the next of its stream beside it: a date in a name does not come again."""
    log = write(tmp_path / "a.log-20261120", LOG)
    job.run([Input(str(log), Reading(lookups=open_lookups()))], policy=None, store=store, key=KEY, clock=Clock(NOW))
    aside = log.rename(tmp_path / ".a.log-20261120.0123456789abcdef.counted")
    other = write(tmp_path / ".b.log-20261120.0123456789abcdef.counted", LOG)
    summary = removing(store, [write(tmp_path / "a.log-20261121", b"".join(lines(7, tag="new")))])
    assert (summary.counted, summary.already_counted) == (7, 50)
    assert (aside.exists(), other.exists()) == (False, True)


@pytest.mark.parametrize("logs", ["logs/*.log-*", "./logs/*.log-*", "logs/{site}.log-????", "logs/a.log-1120"])
def test_killed_and_no_other_log_is_there(tmp_path: Path, logs: str) -> None:
    """What a killed run left aside of the logs that a configuration names goes with the next run, although no other log
    has its name again: raw lines stood there for ever."""
    (tmp_path / "logs").mkdir()
    log = write(tmp_path / "logs" / "a.log-1120", LOG)
    aside = log.with_name(".a.log-1120.0123456789abcdef.counted")
    others = [write(log.with_name(name), LOG) for name in (".b.txt-1.0123456789abcdef.counted", ".a.log-1120.counted")]
    (tmp_path / "c.toml").write_text(f'key_file = "key"\n[[input]]\nlogs = "{logs}"\nstore = "store"\n')
    run = Command(tmp_path)
    assert run("run", "--config", "c.toml", "--now", NOW.isoformat()).code == 0
    log.rename(aside)
    with (tmp_path / "c.toml").open("a") as file:
        file.write("remove_source = true\n")
    done = run("run", "--config", "c.toml", "--now", NOW.isoformat(), "--json")
    assert done.code == 0, done.err
    assert '"counted": 0' in done.out
    assert '"already_counted": 50' in done.out
    assert not aside.exists()
    assert all(other.exists() for other in others)


def test_by_the_command(tmp_path: Path) -> None:
    """The option of `run`; what was removed is in the text."""
    log = write(tmp_path / "a.log", LOG)
    done = Command(tmp_path)("run", log, "--store", "store", "--now", NOW.isoformat(), "--remove-source")
    assert done.code == 0, done.err
    assert "logs removed: 1" in done.out
    assert not log.exists()
