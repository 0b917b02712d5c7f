"""`loganon` on a bucket (moto's server on loopback): a store there, logs there, and who reads the table."""

from __future__ import annotations

import bz2
import gzip
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pytest

import loganon
from loganon.buckets import DeniedError, Found
from loganon.keys import make_key
from loganon.s3service import S3
from support.cli import Command, Inside
from support.object_cases import stored
from support.object_server import CREDENTIALS, Faults, Server, fault_proxy, moto_server, require_server
from support.runs import KEY, NOW, PLAIN, counts_of, line, lines, plain_policy

KILLS = int(os.environ.get("LOGANON_S3_KILLS", "1"))
STORE = "s3://{}/sites/one"
NOW_TEXT = NOW.isoformat()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_server()
    with moto_server() as found:
        yield found


def variables(server: Server) -> dict[str, str]:
    """What an operator sets."""
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": CREDENTIALS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["secret_access_key"],
        "AWS_REGION": CREDENTIALS["region"],
    }


def library(server: Server) -> dict[str, str]:
    """The same for the library."""
    return {"aws_endpoint_url": server.endpoint, **{f"aws_{name}": value for name, value in CREDENTIALS.items()}}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "plain.toml"
    path.write_text(PLAIN)
    return path


def objects_of(server: Server, bucket: str, prefix: str = "sites/one") -> dict[str, bytes]:
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
    return {
        key.removeprefix(f"{prefix}/"): server.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys
    }


def hours(objects: dict[str, bytes]) -> dict[object, int]:
    sums: Counter[object] = Counter()
    for (hour, _), requests in stored(objects).items():
        sums[hour] += requests
    return dict(sums)


def expected(data: bytes) -> dict[object, int]:
    return {hour: counts[0] for hour, counts in counts_of(data).items()}


def test_run_and_retain(tmp_path: Path, server: Server, policy: Path) -> None:
    """`run` makes the store, counts once, goes on where it was; `retain` deletes what is past its day, and says so."""
    bucket = server.new_bucket()
    store = STORE.format(bucket)
    command = Inside(tmp_path, variables=variables(server))
    old = [line(NOW - timedelta(days=40, minutes=n), "/old") for n in range(3)]
    log = tmp_path / "access.log"
    log.write_bytes(b"".join([*old, *lines(30)]))
    ended = command("run", log, "--store", store, "--policy", policy, "--now", NOW_TEXT, "--json", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["counted"] == 33
    assert hours(objects_of(server, bucket)) == expected(log.read_bytes())
    with log.open("ab") as file:
        file.write(b"".join(lines(5, tag="more")))
    again = command("run", log, "--store", store, "--now", NOW_TEXT, "--json")
    assert (again.json["counted"], again.json["already_counted"]) == (5, 33)
    assert hours(objects_of(server, bucket)) == expected(log.read_bytes())
    later = (NOW + timedelta(days=3)).isoformat()
    planned = command("retain", "--store", store, "--now", later, "--json", "--dry-run")
    gone = [drop["partition"] for drop in planned.json["plan"]]
    assert gone == [str((NOW - timedelta(days=40)).date())]
    done = command("retain", "--store", store, "--now", later, "--json")
    assert done.json["partitions_dropped"] == gone
    left = objects_of(server, bucket)
    assert not [key for key in left if gone[0] in key]
    assert left["_loganon/deletions.jsonl"].count(b"\n") == 2
    assert command("retain", "--store", store, "--now", later, "--json").json["plan"] == []


def test_many_logs_at_once(tmp_path: Path, server: Server, policy: Path) -> None:
    """Many new logs of one run are committed in one go, and are known in the next, renamed and compressed."""
    bucket = server.new_bucket()
    command = Inside(tmp_path, variables=variables(server))
    logs = [tmp_path / f"{n}.log" for n in range(5)]
    for n, log in enumerate(logs):
        log.write_bytes(b"".join(lines(10, tag=f"log{n}")))
    whole = b"".join(log.read_bytes() for log in logs)
    store = STORE.format(bucket)
    ended = command("run", *logs, "--store", store, "--policy", policy, "--now", NOW_TEXT, "--json")
    assert (ended.code, ended.json["counted"]) == (0, 50)
    packed = tmp_path / "0.log.1.gz"
    packed.write_bytes(gzip.compress(logs[0].read_bytes()))
    again = command("run", packed, *logs[1:], "--store", store, "--now", NOW_TEXT, "--json")
    assert (again.code, again.json["counted"], again.json["already_counted"]) == (0, 0, 50)
    assert hours(objects_of(server, bucket)) == expected(whole)


def test_logs_in_a_bucket(tmp_path: Path, server: Server, policy: Path) -> None:
    """Logs are read from `s3://` too: one, those below a prefix, those that fit a pattern; compressed ones as well;
    what is missing is 66."""
    bucket = server.new_bucket()
    command = Inside(tmp_path, variables=variables(server))
    whole = [lines(20, tag=tag) for tag in "abc"]
    bodies = (b"".join(whole[0]), gzip.compress(b"".join(whole[1])), bz2.compress(b"".join(whole[2])))
    for name, body in zip(("a.log", "b.log.gz", "deep/c.log.bz2"), bodies, strict=True):
        server.client.put_object(Bucket=bucket, Key=f"logs/{name}", Body=body)
    cases = {
        f"s3://{bucket}/logs/a.log": whole[:1],
        f"s3://{bucket}/logs/*.gz": whole[1:2],
        f"s3://{bucket}/logs/*": whole[:2],
        f"s3://{bucket}/logs/": whole,
    }
    for n, (log, parts) in enumerate(cases.items()):
        store = tmp_path / f"store{n}"
        ended = command("run", log, "--store", store, "--policy", policy, "--now", NOW_TEXT, "--json", "--quiet")
        assert (ended.code, ended.err) == (0, "")
        found = {str(f.relative_to(store)): f.read_bytes() for f in store.rglob("*.parquet")}
        assert hours(found) == expected(b"".join(b"".join(part) for part in parts)), log
    server.client.put_object(Bucket=bucket, Key="logs/a.log", Body=bodies[0] + b"".join(lines(4, tag="more")))
    store = tmp_path / "store0"
    again = command("run", f"s3://{bucket}/logs/a.log", "--store", store, "--now", NOW_TEXT, "--json")
    assert (again.json["counted"], again.json["already_counted"]) == (4, 20)
    for missing in (f"s3://{bucket}/logs/z.log", f"s3://{bucket}/none/", "s3://nobody-made-it/a.log"):
        ended = command("run", missing, "--store", store, "--now", NOW_TEXT)
        assert ended.code == 66, ended
        ended.message(missing)


def test_readers(tmp_path: Path, server: Server) -> None:
    """`loganon.scan`, polars, pyarrow and DuckDB read the table in the bucket, and agree."""
    bucket = server.new_bucket()
    store = STORE.format(bucket)
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(40)))
    options = library(server)
    now, key = NOW, b"the key of the tests, 32 bytes.."
    summary = loganon.run([log], policy=plain_policy(), store=store, now=now, key=key, storage_options=options)
    assert (summary.counted, summary.errors) == (40, [])
    table = f"{store}/access/*/*.parquet"
    frame = loganon.scan(store, storage_options=options).collect()
    assert frame["requests"].sum() == 40
    assert frame.columns[-1] == "date"
    plain = pl.scan_parquet(table, storage_options={**options, "aws_allow_http": "true"}, hive_partitioning=True)
    assert plain.select(pl.col("requests").sum()).collect().item() == 40
    host = server.endpoint.removeprefix("http://")
    files = pafs.S3FileSystem(
        access_key=CREDENTIALS["access_key_id"],
        secret_key=CREDENTIALS["secret_access_key"],
        endpoint_override=host,
        scheme="http",
        region=CREDENTIALS["region"],
    )
    dataset = ds.dataset(f"{table.removeprefix('s3://').split('/*')[0]}", filesystem=files, partitioning="hive")
    assert sum(dataset.to_table()["requests"].to_pylist()) == 40
    assert loganon.scan(store, sealed=True, storage_options=options).collect().is_empty()
    assert loganon.sealed_through(store, storage_options=options) is None
    later = now + timedelta(days=4)  # all days are sealed by then
    assert loganon.run([], store=store, now=later, key=key, storage_options=options).sealed
    assert loganon.scan(store, sealed=True, storage_options=options).collect()["requests"].sum() == 40
    assert loganon.sealed_through(store, storage_options=options) == frame["date"].max()


@pytest.mark.parametrize(
    "named",
    [
        lambda name: name.upper(),
        lambda name: name.removeprefix("aws_"),
        lambda name: {"aws_endpoint_url": "aws_endpoint"}.get(name, name),
    ],
)
@pytest.mark.parametrize("without_tls", [{}, {"aws_allow_http": "true"}, {"ALLOW_HTTP": "true"}])
def test_storage_options(tmp_path: Path, server: Server, named: Any, without_tls: dict[str, str]) -> None:
    """They are taken as polars takes them: names in any letters, with and without `aws_`, and what lets an endpoint
    without TLS be used may be said."""
    store = STORE.format(server.new_bucket())
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(3)))
    options = {named(name): value for name, value in library(server).items()} | without_tls
    loganon.run([log], policy=plain_policy(), store=store, now=NOW, key=KEY.secret, storage_options=options)
    assert loganon.scan(store, storage_options=options).collect()["requests"].sum() == 3


def test_duckdb(tmp_path: Path, server: Server) -> None:
    """DuckDB reads the table by its own S3 client, where that extension can be had."""
    duckdb: Any = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    try:
        connection.execute("INSTALL httpfs; LOAD httpfs")
    except duckdb.Error:
        pytest.skip("DuckDB's extension httpfs is not here and cannot be downloaded")
    bucket = server.new_bucket()
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(40)))
    loganon.run(
        [log],
        policy=plain_policy(),
        store=STORE.format(bucket),
        now=NOW,
        key=make_key(b"the key of the tests, 32 bytes..").secret,
        storage_options=library(server),
    )
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{CREDENTIALS['access_key_id']}', "
        f"SECRET '{CREDENTIALS['secret_access_key']}', "
        f"ENDPOINT '{server.endpoint.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)"
    )
    found = connection.execute(f"SELECT sum(requests) FROM '{STORE.format(bucket)}/access/*/*.parquet'").fetchone()
    assert found == (40,)


def test_no_room_for_the_copy(tmp_path: Path, server: Server, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store cannot be copied to be proved, `verify` says so, and where it could be (73)."""
    store = STORE.format(server.new_bucket())
    command = Inside(tmp_path, variables=variables(server))
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(4)))
    assert command("run", log, "--store", store, "--policy", policy, "--now", NOW_TEXT, "--quiet").code == 0
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    done = command("verify", "--store", store, "--now", NOW_TEXT)
    assert (done.code, done.out) == (73, "")
    done.message(store, "TMPDIR")


def test_refusals(tmp_path: Path, server: Server, policy: Path) -> None:
    """What cannot be is refused with 78, in one sentence, and nothing is made: no bucket, no prefix of one, a group,
    another policy; a bucket with versions, unless accepted."""
    command = Inside(tmp_path, variables=variables(server))
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(4)))
    run = ("run", log, "--policy", policy, "--now", NOW_TEXT, "--store")
    command(*run, "s3://nobody-made-it/x").message("no such bucket")
    command(*run, "s3://").message("no address")
    bucket = server.new_bucket()
    command(*run, STORE.format(bucket), "--group", "users").message("group")
    assert objects_of(server, bucket) == {}
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    refused = command(*run, STORE.format(bucket))
    assert refused.code == 78
    refused.message("old versions", "--accept-versioned")
    assert objects_of(server, bucket) == {}
    assert command(*run, STORE.format(bucket), "--accept-versioned").code == 0
    assert command("retain", "--store", STORE.format(bucket), "--now", NOW_TEXT).code == 78
    assert command("retain", "--store", STORE.format(bucket), "--now", NOW_TEXT, "--accept-versioned").code == 0


def test_without_the_extra(tmp_path: Path, policy: Path) -> None:
    """Without obstore an address of a bucket is refused (78) with the way to get it; all else works."""
    hide = "import sys; sys.modules['obstore'] = None; from loganon.__main__ import main; main()"
    command = Command(tmp_path, python=(sys.executable, "-c", hide))
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(4)))
    run = ("run", log, "--policy", policy, "--now", NOW_TEXT, "--store")
    ended = command(*run, "s3://bucket/store")
    assert ended.code == 78
    ended.message("extra `s3`", "pip install")
    assert command(*run, tmp_path / "store").code == 0


def test_processes_killed(tmp_path: Path, server: Server, policy: Path) -> None:
    """Processes that count the same logs at once are killed at random, behind a proxy that loses what it likes: in the
    end each line is counted once."""
    bucket = server.new_bucket()
    store = STORE.format(bucket)
    logs = [tmp_path / f"{n}.log" for n in range(3)]
    for n, log in enumerate(logs):
        log.write_bytes(b"".join(lines(20, tag=f"first{n}")))
    chance = random.Random(KILLS)
    with fault_proxy(server, Faults(rate=0.04, seed=KILLS)) as proxy:
        command = Command(tmp_path, variables=variables(proxy))
        run = ["run", *map(str, logs), "--store", store, "--policy", str(policy), "--now", NOW_TEXT]
        assert command(*run).code == 0
        for round_ in range(KILLS):
            for n, log in enumerate(logs):
                with log.open("ab") as file:
                    file.write(b"".join(lines(9, tag=f"r{round_}n{n}")))
            words = [*command.python, *run, "--key-file", str(command.key), "--quiet"]
            started = [subprocess.Popen(words, env=command.environment(), stderr=subprocess.DEVNULL) for _ in range(2)]
            for process in started:
                try:
                    process.wait(1.0 + chance.random() * 2)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
        last = command(*run, "--json")
        assert last.code == 0, last
    objects = objects_of(server, bucket)
    assert hours(objects) == expected(b"".join(log.read_bytes() for log in logs))
    settled = Inside(tmp_path, variables=variables(server))("run", *logs, "--store", store, "--now", NOW_TEXT, "--json")
    assert settled.json["counted"] == 0
    assert not [key for key in objects_of(server, bucket) if key.startswith("_loganon/batches/")]


def test_verify_and_status(tmp_path: Path, server: Server, policy: Path) -> None:
    """`verify` proves a store in a bucket, also while a batch waits that nobody has brought into the table, and changes
    nothing; it finds what is foreign, what is missing and what is overdue. `status` says what there is."""
    bucket = server.new_bucket()
    store = STORE.format(bucket)
    command = Inside(tmp_path, variables=variables(server))
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(30)))
    assert command("run", log, "--store", store, "--policy", policy, "--now", NOW_TEXT, "--quiet").code == 0
    before = objects_of(server, bucket)
    proved = command("verify", "--store", store, "--now", NOW_TEXT, "--json")
    assert (proved.code, proved.err) == (0, ""), proved
    assert proved.json["store"] == store
    told = command("status", "--store", store, "--now", NOW_TEXT, "--json")
    assert told.code == 0, told
    assert told.json["store"] == store
    assert objects_of(server, bucket) == before
    first = min(key for key in before if key.startswith("access/"))
    server.client.delete_object(Bucket=bucket, Key=f"sites/one/{first}")
    server.client.put_object(Bucket=bucket, Key="sites/one/access/notes.txt", Body=b"")
    broken = command("verify", "--store", store, "--now", NOW_TEXT)
    assert broken.code == 1
    assert "conservation" in broken.out + broken.err
    assert f" {store}/access/notes.txt. " in broken.err
    late = (NOW + timedelta(days=50)).isoformat()
    assert command("status", "--check", "--store", store, "--now", late, "--quiet").code == 1
    assert command("verify", "--store", f"s3://{bucket}/other", "--now", NOW_TEXT).code == 78


def test_a_cell_that_cannot_be_read(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the table is told the object's address and what is wrong with it: damaged, or not given out."""
    store = STORE.format(server.new_bucket())
    (tmp_path / "a.log").write_bytes(b"".join(lines(3)))
    command = Inside(tmp_path, variables=variables(server))
    assert command("run", "a.log", "--store", store, "--now", NOW_TEXT, "--quiet").code == 0
    bucket = store.removeprefix("s3://").partition("/")[0]
    keys = [each["Key"] for each in server.client.list_objects_v2(Bucket=bucket)["Contents"]]
    cell = min(key for key in keys if "/access/" in key)
    server.client.put_object(Bucket=bucket, Key=cell, Body=b"PAR1 nothing")
    with pytest.raises(loganon.LoganonError, match=f"a cell is damaged. s3://{bucket}/{cell}. "):
        loganon.scan(store, storage_options=library(server))
    get = S3.get

    def barred(self: S3, key: str, **options: Any) -> Found:
        if key in cell:
            raise DeniedError
        return get(self, key, **options)

    monkeypatch.setattr(S3, "get", barred)
    with pytest.raises(loganon.LoganonError, match=f"permits no reading. s3://{bucket}/{cell}. "):
        loganon.scan(store, storage_options=library(server))
