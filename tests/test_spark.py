"""The same lines through Spark give the same table, whatever is killed, retried, speculated or written twice."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import loganon
from leaks import Needles, search_tree
from loganon import job
from loganon.clock import Clock
from loganon.errors import ConfigurationError
from loganon.formats import load_formats
from loganon.lookups import open_lookups
from loganon.parse.detect import SAMPLE_LINES
from loganon.reading import Input, Reading
from loganon.store import parse_place
from loganon.summary import Summary
from loganon.verify import verify
from support.canaries import SPELLINGS, planted
from support.object_server import CREDENTIALS, Server, moto_server, require_server
from support.runs import (
    KEY,
    NOW,
    PLAIN,
    check_balance,
    check_store,
    ingest,
    line,
    lines,
    plain_policy,
    rows_of,
    table_of,
    write_key,
)
from support.spark import WARNING, Cluster, appears, cluster, environment, held_up, kill, require_spark

require_spark()

import loganon.spark  # noqa: E402 - only where it can be used
from loganon.spark.counting import ExecutorError, guarded  # noqa: E402 - as above
from loganon.spark.jobs import count_logs  # noqa: E402 - as above

pytestmark = pytest.mark.filterwarnings(WARNING)

LINES = int(os.environ.get("LOGANON_SPARK_LINES", "6000"))
ODD = [
    b"no line of any format\n",
    b"\x00\n",
    b"\n",
    line(NOW - timedelta(days=60), "/expired"),
    line(NOW + timedelta(days=2), "/future"),
    line(NOW - timedelta(hours=1), "/latin-\xfc").replace(b"\xc3\xbc", b"\xfc"),
    line(NOW - timedelta(hours=1), "/cr").replace(b"\n", b"\r\n"),
    line(NOW - timedelta(hours=1), "/bare-cr").replace(b"/bare-cr", b"/bare\rcr"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_server()
    with moto_server() as found:
        yield found


@pytest.fixture(scope="module")
def spark(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    variables = {f"AWS_{name}".upper(): value for name, value in CREDENTIALS.items()}
    variables |= {"AWS_ENDPOINT_URL": server.endpoint, "AWS_ALLOW_HTTP": "true"}
    with cluster(tmp_path_factory.mktemp("spark"), variables) as found:
        yield found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of many days, good and odd ones, and some that are alike."""
    path = tmp_path_factory.mktemp("logs") / "access.log"
    step = timedelta(days=2) / LINES
    good = [line(NOW - timedelta(days=3) + n * step, f"/p/{n % 997}.html", size=n) for n in range(LINES)]
    path.write_bytes(b"".join(good[: LINES // 2] + ODD + good[LINES // 2 :] + good[-LINES // 10 :]))
    return path


@pytest.fixture(scope="module")
def truth(log: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, Summary]:
    """The table and the summary of `run` on the same log."""
    store = tmp_path_factory.mktemp("run") / "store"
    return sorted_of(store, summary := ingest(store, [log], policy=plain_policy())), summary


def sorted_of(store: Path, _: object = None) -> pa.Table:
    table = table_of(store)
    return table.sort_by([(name, "ascending") for name in table.column_names])


def write(lines_: Any, store: Path, batch_id: str, **settings: Any) -> Summary:
    summary = loganon.spark.write(
        lines_, store, settings.pop("policy", plain_policy()), batch_id=batch_id, key=KEY.secret, now=NOW, **settings
    )
    assert not summary.errors, summary.errors
    check_balance(summary.as_dict())
    check_store(store)
    return summary


def count(spark: Cluster, store: Path, *logs: Path, range_bytes: int = 100_000, **reading: Any) -> Summary:
    summary = count_logs(
        [str(log) for log in logs],
        Reading(lookups=open_lookups(), **reading),
        policy=plain_policy() if not store.exists() else None,
        store=store,
        key=KEY,
        clock=Clock(NOW),
        wait=timedelta(),
        range_bytes=range_bytes,
        session=spark.session,
    )
    check_balance(summary.as_dict())
    check_store(store)
    return summary


def outcomes(summary: Summary) -> tuple[int, dict[str, int], int]:
    return summary.counted, summary.rejected, summary.redacted


def test_write_gives_the_table_of_run(spark: Cluster, log: Path, truth: Any, tmp_path: Path) -> None:
    """A DataFrame of a log's lines gives the table and the counts of `run` on the log; the same batch again is known,
    whatever it holds then; nobody else's batch is taken for it; the store's promises hold."""
    store = tmp_path / "store"
    summary = write(spark.lines(log), store, "2026-11-21")
    assert outcomes(summary) == outcomes(truth[1])
    assert sorted_of(store) == truth[0]
    assert set(summary.domains) == set(truth[1].domains)
    again = write(spark.lines(log).limit(3), store, "2026-11-21")
    assert (again.counted, again.already_counted) == (0, summary.lines_read)
    assert again.logs[0].source == summary.logs[0].source
    one = spark.session.createDataFrame([(line(NOW, "/one"),)], "value binary")
    assert write(one, store, "2026-11-22").counted == 1
    assert verify(store, now=NOW).holds


def test_logs_that_executors_read(spark: Cluster, log: Path, truth: Any, tmp_path: Path) -> None:
    """Executors read ranges of a plain log and the whole of a compressed one; the table is that of `run`. What came
    later is read from where that ended, by this job or by `run`; a rotated and packed log is known; a replaced one is
    set aside."""
    data = log.read_bytes()
    border = data.rfind(b"\n", 0, len(data) // 2) + 1
    growing, packed = tmp_path / "access.log", tmp_path / "other.log.gz"
    other = b"".join(lines(300, tag="other"))
    packed.write_bytes(gzip.compress(other))
    growing.write_bytes(data[: border + 20])
    store = tmp_path / "store"
    first = count(spark, store, growing, packed)
    assert not first.errors, first.errors
    assert first.logs[0].pending_bytes == 20
    growing.write_bytes(data)
    second = count(spark, store, growing, packed)
    assert (first.counted + second.counted, second.already_counted) == (truth[1].counted + 300, first.lines_read)
    expected = tmp_path / "run"
    (tmp_path / "plain.log").write_bytes(other)
    ingest(expected, [log, tmp_path / "plain.log"], policy=plain_policy())
    assert sorted_of(store) == sorted_of(expected)
    rotated = tmp_path / "access.log.1.gz"
    rotated.write_bytes(gzip.compress(data))
    growing.write_bytes(b"".join(lines(200, tag="new")))
    third = count(spark, store, growing, rotated)
    assert (third.counted, third.already_counted) == (200, truth[1].lines_read)
    assert ingest(store, [growing, rotated, packed]).counted == 0
    growing.write_bytes(growing.read_bytes()[:-100] + b"x" * 400 + b"\n")
    replaced = count(spark, store, growing)
    assert (replaced.counted, replaced.skipped) == (0, [(str(growing), "set_aside")])


def test_a_log_that_cannot_be_counted_spoils_no_other(spark: Cluster, tmp_path: Path) -> None:
    """A log of which no line fits the format given, one that is missing and one damaged: each is told as `run` tells
    it, and the others are counted all the same."""
    good, junk, torn, gone = (tmp_path / name for name in ("good.log", "junk.log", "torn.log.gz", "gone.log"))
    good.write_bytes(b"".join(lines(50, tag="good")))
    junk.write_bytes(b"nothing\n" * 50)
    torn.write_bytes(gzip.compress(b"".join(lines(3000, tag="torn")))[:-2000])
    reading = {"format": load_formats()["combined"]}
    summary = count(spark, tmp_path / "store", good, junk, torn, gone, **reading)
    expected = job.run(
        [Input(str(path), Reading(lookups=open_lookups(), **reading)) for path in (good, junk, torn, gone)],
        policy=plain_policy(),
        store=tmp_path / "run",
        key=KEY,
        clock=Clock(NOW),
    )
    assert outcomes(summary) == outcomes(expected)
    assert Counter(map(str, summary.errors)) == Counter(map(str, expected.errors))
    assert sorted(summary.skipped) == sorted(expected.skipped)
    assert sorted_of(tmp_path / "store") == sorted_of(tmp_path / "run")


@pytest.mark.parametrize("victim", ["python", "executor"])
def test_killed_while_it_counts(spark: Cluster, log: Path, truth: Any, tmp_path: Path, victim: str) -> None:
    """A Python process, or a whole executor, is killed in the midst of its task: the task is done again, and its lines
    are counted once."""
    slow = spark.lines(log).mapInArrow(held_up(tmp_path), "value string")
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write, slow, tmp_path / "store", "killed", format="combined")
        worker = int(appears(tmp_path / "attempt-0"))
        kill(worker if victim == "python" else spark.executor_of(worker))
        appears(tmp_path / "attempt-1")
        (tmp_path / "go").touch()
        summary = writing.result(300)
    assert outcomes(summary) == outcomes(truth[1])
    assert sorted_of(tmp_path / "store") == truth[0]


def test_speculation(spark: Cluster, log: Path, truth: Any, tmp_path: Path) -> None:
    """A task that takes long is begun a second time elsewhere, and both come to their end: its lines are counted once.
    (Speculation is on in all tests here.)"""
    slow = spark.lines(log).mapInArrow(held_up(tmp_path, everyone=True), "value string")
    with spark.other_host():
        summary = write(slow, tmp_path / "store", "speculated", format="combined")
    assert (tmp_path / "attempt-1").exists()
    assert outcomes(summary) == outcomes(truth[1])
    assert sorted_of(tmp_path / "store") == truth[0]


DRIVER = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from pyspark.sql import SparkSession
import loganon.spark
from loganon.policy import parse_policy
from loganon.spark.__main__ import command
from loganon.store.files import Files

folder, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
rename = Files.rename

def dying(self, source, target):
    rename(self, source, target)
    if target.name == "commit.json" and any(folder.glob("store/_loganon/staging/*-00000[1-9]")):
        os.kill(os.getpid(), signal.SIGKILL)

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
words = ["--store", "job", "--policy", "plain.toml", "--key-file", "key", "--now", now.isoformat(), "--json"]
command.main([str(folder / "access.log"), *words, "--range", "20K"], standalone_mode=False)
sys.stdout.flush()
Files.rename = dying
lines = spark.read.text(str(folder / "access.log"), lineSep="\\n")
policy = parse_policy((folder / "plain.toml").read_text(), where="plain")
loganon.spark.write(lines, folder / "store", policy, batch_id="day", key=(folder / "key").read_bytes(), now=now)
"""


def test_driver_killed_between_commit_and_return(spark: Cluster, tmp_path: Path) -> None:
    """The command counts a log, and says so in JSON. Then the driver writes the same lines as a batch into another
    store, and is killed behind the commit point, with its cells still staged: the same batch, written again, is known,
    and all of it is there, once."""
    (tmp_path / "access.log").write_bytes(b"".join(lines(500)))
    (tmp_path / "plain.toml").write_text(PLAIN)
    write_key(tmp_path / "key")
    (tmp_path / "driver.py").write_text(DRIVER)
    words = [sys.executable, "driver.py", str(tmp_path), NOW.isoformat()]
    variables = os.environ | environment(tmp_path / "spark")
    ended = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, timeout=300, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    assert [json.loads(text)["counted"] for text in ended.stdout.splitlines()] == [500]
    assert (tmp_path / "store" / "_loganon" / "commit.json").exists()
    summary = write(spark.lines(tmp_path / "access.log"), tmp_path / "store", "day")
    assert (summary.counted, summary.already_counted) == (0, 500)
    ingest(tmp_path / "run", [tmp_path / "access.log"], policy=plain_policy())
    assert sorted_of(tmp_path / "store") == sorted_of(tmp_path / "job") == sorted_of(tmp_path / "run")


def test_buckets(spark: Cluster, server: Server, tmp_path: Path) -> None:
    """Executors read logs out of a bucket, range by range; into a store there each log is a commit of its own, and a
    batch is one; what was counted is known again. The tables are those of `run` into a directory."""
    bucket = server.new_bucket()
    logs = {name: lines(400, tag=name) for name in ("one", "two")}
    for name, content in logs.items():
        server.client.put_object(Bucket=bucket, Key=f"logs/{name}.log", Body=b"".join(content))
        (tmp_path / f"{name}.log").write_bytes(b"".join(content))
    ingest(tmp_path / "run", [tmp_path / f"{name}.log" for name in logs], policy=plain_policy())
    expected = rows_of(table_of(tmp_path / "run"))
    for store in (parse_place(tmp_path / "store"), parse_place(f"s3://{bucket}/store")):
        for known in (0, 800):
            summary = count_logs(
                [f"s3://{bucket}/logs/*.log"],
                Reading(lookups=open_lookups()),
                policy=plain_policy(),
                store=store,
                key=KEY,
                clock=Clock(NOW),
                range_bytes=30_000,
                session=spark.session,
            )
            assert (summary.errors, summary.counted, summary.already_counted) == ([], 800 - known, known)
        assert rows_of(loganon.scan(str(store)).collect().to_arrow().drop(["date"])) == expected
    options = {"policy": plain_policy(), "batch_id": "both", "key": KEY.secret, "now": NOW}
    both = spark.lines(tmp_path / "one.log").union(spark.lines(tmp_path / "two.log"))
    for known in (0, 800):
        summary = loganon.spark.write(both, f"s3://{bucket}/batches", **options)
        assert (summary.errors, summary.counted, summary.already_counted) == ([], 800 - known, known)
    assert rows_of(loganon.scan(f"s3://{bucket}/batches").collect().to_arrow().drop(["date"])) == expected


def test_rows_of_a_dataframe(spark: Cluster, log: Path, tmp_path: Path) -> None:
    """`anonymize` gives the rows of `loganon.anonymize`, `rejected` its counts; provider databases travel along."""
    database = made(tmp_path)
    settings: dict[str, Any] = {"policy": plain_policy(), "provider_db": [database], "now": NOW}
    expected = loganon.anonymize(log, **settings)
    found = loganon.spark.anonymize(spark.lines(log), **settings).toArrow()
    assert found.column_names == expected.table.column_names
    assert rows_of(found) == rows_of(expected.table)
    assert "t-ipconnect.de" in found["domain"].to_pylist()
    assert loganon.spark.rejected(spark.lines(log), **settings) == expected.rejected
    nothing = spark.session.createDataFrame([], "value string")
    assert loganon.spark.anonymize(nothing, plain_policy()).count() == 0
    assert write(nothing, tmp_path / "store", "nothing").lines_read == 0


def made(folder: Path) -> Path:
    """A database that knows the client of the lines."""
    from mmdb_writer import MMDBWriter  # noqa: PLC0415 - one test's
    from netaddr import IPSet  # noqa: PLC0415 - as above

    writer = MMDBWriter(4, "Test-ASN")
    writer.insert_network(IPSet(["91.44.0.0/16"]), {"autonomous_system_number": 3320, "as_domain": "telekom.de"})
    writer.to_db_file(str(folder / "asn.mmdb"))
    return folder / "asn.mmdb"


def test_headers_need_fields(spark: Cluster, tmp_path: Path) -> None:
    """A header stands before one part of the lines: W3C lines of a DataFrame are refused without `fields`, and so is a
    header that says otherwise; with `fields`, and by the job that reads whole logs, they are counted."""
    names = ["date", "time", "cs-method", "cs-uri-stem", "c-ip", "sc-status", "sc-bytes", "cs(User-Agent)"]
    rows = [f"2026-11-20 1{n % 10}:00:00 GET /w/{n} 9.8.7.6 200 {n} Mozilla/5.0" for n in range(200)]
    path = tmp_path / "w3c.log"
    path.write_text("\n".join([f"#Fields: {' '.join(names)}", *rows, ""]))
    with pytest.raises(ConfigurationError, match="fields="):
        write(spark.lines(path), tmp_path / "store", "w3c")
    assert write(spark.lines(path), tmp_path / "store", "w3c", fields=names).counted == 200
    swapped = [*names[:5], "sc-bytes", "sc-status", names[7]]
    with pytest.raises(ConfigurationError, match="a header among the lines names other columns"):
        write(spark.lines(path), tmp_path / "store", "swapped", fields=swapped, format="w3c")
    assert count(spark, tmp_path / "job", path, range_bytes=1000).counted == 200
    assert sorted_of(tmp_path / "store") == sorted_of(tmp_path / "job")


def test_the_format_is_told_behind_empty_lines(spark: Cluster, tmp_path: Path) -> None:
    """However many stand first, a batch is read as `run` reads the log. Of empty lines alone nothing is counted."""
    log = tmp_path / "x.log"
    log.write_bytes(b"\n\r\n" * SAMPLE_LINES + b"".join(lines(5)))
    assert write(spark.lines(log), tmp_path / "store", "behind").counted == 5
    log.write_bytes(b"\n\r\n")
    assert write(spark.lines(log), tmp_path / "store", "nothing").lines_read == 0


@pytest.mark.parametrize("batch_id", ["", None, 0, 7, b"2026-11-20"])
def test_a_batch_is_named_by_a_text(spark: Cluster, log: Path, tmp_path: Path, batch_id: Any) -> None:
    """A number, such as the bare epoch of a query, is refused: every query has such, and its first one is 0."""
    with pytest.raises(ConfigurationError, match="the batch has no id"):
        write(spark.lines(log), tmp_path / "store", batch_id)
    assert not (tmp_path / "store").exists()


def test_one_is_not_several(spark: Cluster, log: Path, tmp_path: Path) -> None:
    """A text where several are taken is an error, before anything is read."""
    with pytest.raises(TypeError, match="fields"):
        write(spark.lines(log), tmp_path / "store", "one", fields="date time")
    for call in (loganon.spark.anonymize, loganon.spark.rejected):
        with pytest.raises(TypeError, match="fields"):
            call(spark.lines(log), fields="date time")
        with pytest.raises(ConfigurationError, match="no tzinfo"):
            call(spark.lines(log), timezone="Europe/Berlin")  # type: ignore[arg-type]  # that is the case


@pytest.mark.parametrize("kind", [ValueError, pl.exceptions.PanicException])
def test_exceptions_hold_no_line(kind: type[BaseException]) -> None:
    """Whatever fails in an executor, what is raised names kind and place, and neither text nor what it came from; so
    for a panic of polars, which is no Exception.
    """

    def fails(batches: Iterator[Any]) -> Iterator[Any]:
        yield from batches
        raise kind("91.44.26.11 is in a line")

    with pytest.raises(ExecutorError) as caught:
        list(guarded(fails)(iter(())))
    assert "91.44" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_canaries(spark: Cluster, tmp_path: Path) -> None:
    """No address, e-mail or token of a line is in the store, in Spark's scratch files, event log or output, neither
    after a job that ends well nor after one that fails with lines in its hands. Without the guard such a job says
    them: so the search would find them. (The last test: it spoils the output.)"""
    choices = [(n, n * 7 % 256, n % 60) for n in range(len(SPELLINGS))] * 3
    data, found = planted(load_formats()["combined"], choices, first=1)
    needles = Needles(found)
    (tmp_path / "canaries.log").write_bytes(data)
    lines_ = spark.lines(tmp_path / "canaries.log")
    store = tmp_path / "store"
    summary = write(lines_, store, "canaries", policy="imos", format="combined")
    assert summary.counted

    def broken(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            raise ValueError(str(batch.column(0).cast("binary").to_pylist()))
        yield from ()

    def step(batches: Iterator[Any]) -> Iterator[Any]:
        yield from guarded(broken)(batches)

    with pytest.raises(Exception, match="an error inside loganon") as caught:
        lines_.mapInArrow(step, "value string").collect()
    assert not needles.found_in(str(caught.value).encode())
    assert not search_tree(store, needles)
    assert not search_tree(spark.folder / "events", needles)
    assert not search_tree(spark.folder / "local", needles)
    assert not needles.found_in((spark.folder / "output").read_bytes())
    for path in spark.folder.rglob("std*"):
        assert not needles.found_in(path.read_bytes())
    with pytest.raises(Exception, match="ValueError"):
        lines_.mapInArrow(broken, "value string").collect()
    assert needles.found_in((spark.folder / "output").read_bytes())
