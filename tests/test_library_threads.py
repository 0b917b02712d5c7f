"""The library from several threads, before and after a fork: the same rows, or an error that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest

import loganon
from loganon import forking
from loganon.errors import ConfigurationError
from support.cli import SAMPLES
from support.runs import KEY, NOW, check_balance, check_store, lines, plain_policy, rows_of, table_of

AT_ONCE = 4
LIMIT = 120
"""Seconds after which a process is taken to hang: far more than it needs on a loaded machine."""

LOGS = [lines(60 + n, tag=f"t{n}") for n in range(AT_ONCE)]


def test_anonymize_in_threads() -> None:
    """Calls at once, of one log and of different ones and formats, give what they give one after another."""
    names = ("shop.access.log", "hosts.access.log", "vhosts.access.log", "old.access.log")
    given = [(SAMPLES / name).read_bytes() for name in names]
    options = {"policy": plain_policy(), "provider_db": [SAMPLES / "providers.mmdb"]}
    alone = [loganon.anonymize(data, **options) for data in given]  # type: ignore[arg-type]  # of many types
    start = Barrier(AT_ONCE * 2)

    def call(number: int) -> loganon.Result:
        start.wait(LIMIT)
        return loganon.anonymize(given[number % 4], **options)  # type: ignore[arg-type]  # as above

    with ThreadPoolExecutor(AT_ONCE * 2) as threads:
        together = list(threads.map(call, range(AT_ONCE * 2)))
    for number, found in enumerate(together):
        assert found.table.equals(alone[number % 4].table)
        assert found.rejected == alone[number % 4].rejected


def test_run_in_threads_on_a_store_each(tmp_path: Path) -> None:
    """Stores that are written at once hold each what its log gives."""
    start = Barrier(AT_ONCE)

    def call(number: int) -> loganon.Summary:
        log = tmp_path / f"{number}.log"
        log.write_bytes(b"".join(LOGS[number]))
        start.wait(LIMIT)
        return loganon.run([log], policy=plain_policy(), store=tmp_path / f"s{number}", key=KEY.secret, now=NOW)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        summaries = list(threads.map(call, range(AT_ONCE)))
    for number, summary in enumerate(summaries):
        assert (summary.exit_code, summary.counted) == (0, len(LOGS[number]))
        assert rows_of(table_of(tmp_path / f"s{number}")) == rows_of(
            loganon.anonymize(LOGS[number], policy=plain_policy()).table
        )


def test_run_in_threads_on_one_store(tmp_path: Path) -> None:
    """Each line is counted once, also where two threads read the same log: one counts it, the other knows it. The store
    and its key are made by one of them.
    """
    store = tmp_path / "store"
    logs = [tmp_path / f"{number}.log" for number in range(AT_ONCE)]
    for log, content in zip(logs, LOGS, strict=True):
        log.write_bytes(b"".join(content))
    start = Barrier(AT_ONCE * 2)

    def call(number: int) -> loganon.Summary:
        start.wait(LIMIT)
        log = logs[number % AT_ONCE]
        return loganon.run([log], policy=plain_policy(), store=store, key=tmp_path / "key", now=NOW)

    with ThreadPoolExecutor(AT_ONCE * 2) as threads:
        summaries = list(threads.map(call, range(AT_ONCE * 2)))
    for summary in summaries:
        check_balance(summary.as_dict())
        assert summary.exit_code == 0, summary.errors
    assert sum(summary.counted for summary in summaries) == sum(map(len, LOGS))
    assert sum(summary.already_counted for summary in summaries) == sum(map(len, LOGS))
    check_store(store)
    everything = [each for content in LOGS for each in content]
    assert rows_of(table_of(store)) == rows_of(loganon.anonymize(everything, policy=plain_policy()).table)


def test_scan_in_threads(tmp_path: Path) -> None:
    """A store is read by several threads at once."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(LOGS[0]))
    loganon.run([log], policy=plain_policy(), store=tmp_path / "s", key=KEY.secret, now=NOW)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        sums = list(threads.map(lambda _: loganon.scan(tmp_path / "s").select(pl.sum("requests")).collect(), range(8)))
    assert [each.item() for each in sums] == [len(LOGS[0])] * 8


# --- fork ---------------------------------------------------------------------------------------------------------

SCRIPT = """
import multiprocessing, sys
import loganon
LOG = {log!r}

def work(_):
    return loganon.anonymize(LOG, format="combined").table.num_rows

def refused(_):
    try:
        return loganon.anonymize(LOG).table.num_rows
    except loganon.LoganonError as error:
        return type(error).__name__, str(error)

if __name__ == "__main__":
    way, used = sys.argv[1:]
    if used == "imported":
        loganon.anonymize, loganon.run
        import polars
    elif used == "used":
        assert work(0) == 60
    elif used == "polars":
        import polars
        polars.DataFrame({{"a": [1, 2]}}).group_by("a").agg(polars.len())
    elif used == "begun":
        begun = loganon.batches([LOG], format="combined")
        work(0)
    function = refused if way == "fork" and used in ("used", "polars") else work
    if used == "begun":
        def function(_):
            try:
                next(begun)
            except loganon.LoganonError as error:
                return type(error).__name__, str(error)
    if used == "begun":
        import os
        read, write = os.pipe()
        if not os.fork():
            os.write(write, repr(function(0)).encode())
            os._exit(0)
        os.wait()
        print([os.read(read, 4096).decode()])
    else:
        with multiprocessing.get_context(way).Pool(2 if way == "fork" else 1) as pool:
            print(pool.map(function, range(3)))
"""


def outcome(tmp_path: Path, way: str, used: str) -> str:
    """What a process prints that starts workers in this way after that use; it fails where it hangs."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(log=b"".join(LOGS[0])))
    command = [sys.executable, str(script), way, used]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            pytest.fail(f"{way} after {used}: it hangs")
    assert process.returncode == 0, err
    return out.strip()


@pytest.mark.parametrize(
    ("way", "used"), [("fork", "nothing"), ("fork", "imported"), ("spawn", "used"), ("forkserver", "used")]
)
def test_workers(tmp_path: Path, way: str, used: str) -> None:
    """Workers that are forked before the first use count; those of spawn and forkserver do after it, too."""
    assert outcome(tmp_path, way, used) == "[60, 60, 60]"


@pytest.mark.parametrize("used", ["used", "polars", "begun"])
def test_workers_that_are_forked_after_use(tmp_path: Path, used: str) -> None:
    """They are refused, with what to do, and do not hang: whoever used polars, and for what was begun before."""
    found = outcome(tmp_path, "fork", used)
    assert found.count("ConfigurationError") == (1 if used == "begun" else 3), found
    assert "spawn" in found
    assert "forkserver" in found


def test_without_names_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where threads have no names, a fork after loganon's own use is one after use; what a child uses is its own."""
    monkeypatch.setattr(forking, "_TASKS", "/no/such/folder")
    forks = forking._Forks()
    monkeypatch.setattr(forking, "_forks", forks)
    forks.before()
    forks.in_child()
    forking.require_threads()
    forks.before()
    forks.in_child()
    with pytest.raises(ConfigurationError, match="forkserver"):
        forking.require_threads()
    forks.before()
    forks.in_child()
    with pytest.raises(ConfigurationError, match="forkserver"):
        forking.require_threads()
