"""Holds, and the evidence, of a store in a bucket (moto's server on loopback)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loganon.errors import InputOutputError
from loganon.store.s3.folding import Folding
from support.cli import Inside
from support.object_server import CREDENTIALS, Server, moto_server, require_server
from support.runs import NOW, PLAIN, line

HOLD = """[[hold]]
scope = "2026-11-20"
basis = "a claim"
owner = "legal"
until = 2027-03-01
use = false
[fields]"""
BEFORE, AFTER = "2027-02-28T23:00:00Z", "2027-03-01T00:00:00Z"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_server()
    with moto_server() as found:
        yield found


def commands(folder: Path, server: Server) -> Inside:
    variables = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": CREDENTIALS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["secret_access_key"],
        "AWS_REGION": CREDENTIALS["region"],
    }
    return Inside(folder, variables=variables)


def test_a_held_day_stays_until_the_hold_ends(tmp_path: Path, server: Server) -> None:
    """As in a directory: the cutoff moves, the day stays and is named, and goes when the hold has ended; the evidence
    is that of the bucket."""
    command = commands(tmp_path, server)
    store = f"s3://{server.new_bucket()}/held"
    (tmp_path / "p.toml").write_text(PLAIN.replace("[fields]", HOLD))
    days = (datetime(2026, 11, day, 8, tzinfo=UTC) for day in (19, 20))
    (tmp_path / "a.log").write_bytes(b"".join(map(line, days)))
    done = command("run", "a.log", "--store", store, "--policy", "./p.toml", "--now", NOW.isoformat(), "--quiet")
    assert done.code == 0, done.err
    words = ("retain", "--store", store, "--json", "--accept-cutoff")
    found = command(*words, "2027-02-28", "--now", BEFORE).json
    assert (found["held"], found["partitions_dropped"]) == (["2026-11-20"], ["2026-11-19"])
    seen = command("status", "--store", store, "--now", BEFORE, "--check", "--json")
    assert (seen.code, seen.json["held"], seen.json["partitions"]) == (0, ["2026-11-20"], 1)
    proved = command("verify", "--store", store, "--now", BEFORE, "--report", "out.json", "--quiet")
    assert (proved.code, proved.err) == (0, "")
    (told,) = json.loads((tmp_path / "out.json").read_text())["stores"]
    assert (told["store"], [each["partition"] for each in told["generated"]["deletion_log"]]) == (store, ["2026-11-19"])
    assert any("object storage" in each for each in told["limits"])
    found = command(*words, "2027-03-01", "--now", AFTER).json
    assert (found["held"], found["partitions_dropped"]) == ([], ["2026-11-20"])
    ended = command("verify", "--store", store, "--now", AFTER)
    assert ended.code == 1
    ended.message("the hold on 2026-11-20 ended on 2027-03-01", 'this breaks hold "2026-11-20".until')


def test_a_batch_waits_while_its_day_is_held(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run could only commit, not bring into the table, is of a held day when the next one comes: it stays, and
    `verify` before that run sees it, too."""
    command = commands(tmp_path, server)
    store = f"s3://{server.new_bucket()}/held"
    (tmp_path / "p.toml").write_text(PLAIN.replace("[fields]", HOLD))
    days = (datetime(2026, 11, day, 8, tzinfo=UTC) for day in (19, 20))
    (tmp_path / "a.log").write_bytes(b"".join(map(line, days)))

    def fail(*_: object) -> None:
        raise InputOutputError("no answer", where="here", fix="Run it again")

    with monkeypatch.context() as patched:
        patched.setattr(Folding, "__call__", fail)
        words = ("run", "a.log", "--store", store, "--policy", "./p.toml", "--now", NOW.isoformat(), "--quiet")
        assert command(*words).code == 74
    known = command("status", "--store", store, "--now", BEFORE, "--json").json
    assert known["partitions"] == 0
    with monkeypatch.context() as patched:  # the cutoff rises, and that is all that this run comes to
        patched.setattr(Folding, "__call__", fail)
        patched.setattr("loganon.store.s3.held.trim_batches", fail)
        words = ("retain", "--store", store, "--now", BEFORE, "--accept-cutoff", "2027-02-28", "--quiet")
        assert command(*words).code == 74
    proved = command("verify", "--store", store, "--now", BEFORE, "--json").json
    assert proved["figures"]["partitions"] == 1
    assert command("retain", "--store", store, "--now", BEFORE, "--quiet").code == 0
    assert command("status", "--store", store, "--now", BEFORE, "--json").json["held"] == ["2026-11-20"]
    found = command("retain", "--store", store, "--json", "--accept-cutoff", "2027-03-01", "--now", AFTER).json
    assert (found["held"], found["partitions_dropped"]) == ([], ["2026-11-20"])
