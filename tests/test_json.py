"""`run --json`: exactly the object of DESIGN.md, and its sums hold, in all and for each source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.cli import SAMPLE_NOW, SAMPLES, Command, Done, Inside
from support.runs import check_balance, hours_of

REASONS = ["malformed", "binary", "too_long", "partial", "expired", "future", "excluded", "no_consent"]
KEYS = [
    "policy",
    "store",
    "lines_read",
    "counted",
    "already_counted",
    "rejected",
    "redacted",
    "cells_written",
    "partitions_sealed",
    "partitions_dropped",
    "skipped",
    "sources",
]
SOURCE_KEYS = ["log", "source", "format", "lines_read", "counted", "already_counted", "rejected", "pending_bytes"]
SOURCE_KEYS += ["exact"]
LOGS = {
    "hosts.access.log": ("common", 900, {}),
    "old.access.log": ("common", 400, {"malformed": 5, "binary": 1, "expired": 186}),
    "shop.access.log": ("combined", 3000, {}),
    "shop.access.log.1.gz": ("combined", 800, {}),
    "vhosts.access.log": ("combined_vhost", 450, {}),
}
"""Format, lines and rejected lines of each sample log, at the time that the tests go by."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done, Done]:
    """All sample logs and an empty one, twice."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "empty.log").write_bytes(b"")
    command = Command(folder)
    words = ["run", "empty.log", *(SAMPLES / name for name in LOGS), "--store", "store", "--now", SAMPLE_NOW, "--json"]
    words += ["--provider-db", SAMPLES / "providers.mmdb"]
    return folder / "store", command(*words), command(*words)


def check_shape(found: dict[str, Any]) -> None:
    """The keys, the reasons and the types; nothing more."""
    assert list(found) == KEYS
    numbers = [found[name] for name in ("lines_read", "counted", "already_counted", "redacted", "cells_written")]
    for source in found["sources"]:
        assert list(source) == SOURCE_KEYS
        assert list(source["rejected"]) == REASONS
        numbers += [source[name] for name in ("lines_read", "counted", "already_counted", "pending_bytes", "exact")]
        numbers += source["rejected"].values()
    assert list(found["rejected"]) == REASONS
    assert {type(number) for number in [*numbers, *found["rejected"].values()]} == {int}
    for name in ("partitions_sealed", "partitions_dropped"):
        assert all(isinstance(day, str) and len(day) == 10 for day in found[name])
    assert all(list(each) == ["log", "reason"] for each in found["skipped"])


def test_the_first_run(runs: tuple[Path, Done, Done]) -> None:
    """Every sample log with its format and counts; the whole is the sum of the sources; the empty one is skipped."""
    store, done, _ = runs
    found = done.json
    assert (done.code, done.err) == (0, "")
    check_shape(found)
    check_balance(found)
    assert (found["policy"], found["store"]) == ("imos", "store")
    assert found["skipped"] == [{"log": "empty.log", "reason": "empty"}]
    assert [Path(source["log"]).name for source in found["sources"]] == list(LOGS)
    for source, (style, lines, rejected) in zip(found["sources"], LOGS.values(), strict=True):
        assert (source["format"], source["lines_read"], source["already_counted"]) == (style, lines, 0)
        assert {reason: count for reason, count in source["rejected"].items() if count} == rejected
        assert source["log"].startswith(str(SAMPLES)), "the path as it was given"
    for reason in REASONS:
        assert found["rejected"][reason] == sum(source["rejected"][reason] for source in found["sources"])
    assert found["counted"] == sum(requests for requests, _, _ in hours_of(store).values())
    assert found["cells_written"] == len(list((store / "access").glob("*/*.parquet")))
    assert found["partitions_sealed"] == sorted(
        path.name[5:] for path in (store / "access").iterdir() if path.name <= "date=2026-11-18"
    )


def test_the_second_run(runs: tuple[Path, Done, Done]) -> None:
    """Whatever the first counted or rejected is `already_counted`; no reason has a line; the sources are the same."""
    _, first, done = runs
    found = done.json
    assert done.code == 0
    check_shape(found)
    check_balance(found)
    assert (found["counted"], found["cells_written"], found["redacted"]) == (0, 0, 0)
    assert found["already_counted"] == found["lines_read"] == first.json["lines_read"] == 5550
    assert set(found["rejected"].values()) == {0}
    assert [s["source"] for s in found["sources"]] == [s["source"] for s in first.json["sources"]]
    assert [s["already_counted"] for s in found["sources"]] == [lines for _, lines, _ in LOGS.values()]


def test_nothing_but_the_object(runs: tuple[Path, Done, Done]) -> None:
    """One line, one object; messages, where there are any, are on standard error."""
    for done in runs[1:]:
        assert done.out.count("\n") == 1
        assert isinstance(json.loads(done.out), dict)


def test_strict(tmp_path: Path) -> None:
    """`--strict`: exit 1 where a line was malformed or binary; what was counted stands. Expired is no matter."""
    command = Inside(tmp_path)
    words = ("--store", tmp_path / "store", "--now", SAMPLE_NOW, "--json", "--quiet", "--strict")
    done = command("run", SAMPLES / "old.access.log", *words)
    assert (done.code, done.json["counted"], done.json["rejected"]["malformed"]) == (1, 208, 5)
    again = command("run", SAMPLES / "old.access.log", *words)
    assert (again.code, again.json["already_counted"]) == (0, 400)
    clean = command("run", SAMPLES / "hosts.access.log", *words)
    assert (clean.code, clean.json["counted"]) == (0, 900)


def test_messages_as_json(tmp_path: Path) -> None:
    """`--messages json`: each line on standard error is one object with what, where and what to do."""
    command = Inside(tmp_path)
    words = ("--store", tmp_path / "store", "--now", SAMPLE_NOW, "--messages", "json", "--json")
    done = command("run", SAMPLES / "shop.access.log.1.gz", tmp_path / "missing.log", *words)
    said = [json.loads(text) for text in done.err.splitlines()]
    assert done.code == 66
    assert [each["level"] for each in said] == ["note", "error"]
    assert said[1]["where"] == str(tmp_path / "missing.log")
    assert all(said[1][part] for part in ("what", "where", "fix"))
    done = command("run", SAMPLES / "hosts.access.log", *words, "--policy", "six-weeks")
    assert (done.code, done.out) == (78, "")
    refused = [json.loads(text) for text in done.err.splitlines()]
    assert [each["level"] for each in refused] == ["error"]


def test_options_from_the_environment(tmp_path: Path) -> None:
    """Each option has a variable of its command and some a general one; the option wins over both."""
    variables = {
        "LOGANON_STORE": str(tmp_path / "general"),
        "LOGANON_KEY_FILE": str(tmp_path / "its-key"),
        "LOGANON_RUN_NOW": SAMPLE_NOW,
        "LOGANON_RUN_JSON": "1",
        "LOGANON_RUN_QUIET": "true",
        "LOGANON_PROVIDER_DB": str(SAMPLES / "providers.mmdb"),
        "LOGANON_POLICY": "six-weeks",
    }
    log = SAMPLES / "hosts.access.log"
    done = Inside(tmp_path, variables=variables)("run", log)
    assert (done.code, done.json["counted"], done.json["policy"]) == (0, 900, "six-weeks")
    assert done.json["store"] == str(tmp_path / "general")
    assert (tmp_path / "its-key").exists()
    own = Inside(tmp_path, variables={**variables, "LOGANON_RUN_STORE": str(tmp_path / "own")})
    assert own("run", log).json["store"] == str(tmp_path / "own")
    given = own("run", log, "--store", tmp_path / "given", "--policy", "imos")
    assert (given.json["store"], given.json["policy"]) == (str(tmp_path / "given"), "imos")
