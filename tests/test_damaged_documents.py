"""What is damaged in a store is told as damaged, whatever it says, and keeps no day from being deleted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from loganon import job
from loganon.clock import Clock
from loganon.status import load_status
from loganon.status.answer import as_dict
from loganon.store.documents import moment, parse_json
from loganon.verify import verify
from support.defects import append_deletion, cell, copy_of, edit_json, healthy_store, record, rewrite
from support.runs import NOW, days

DEEP = "[" * 100_000
LATER = NOW + timedelta(days=2)
LINES = "_loganon/deletions.jsonl"


def misnamed(store: Path) -> None:
    """A cell of the last day that there is."""
    folder = store / "access/date=9999-12-31"
    folder.mkdir(mode=0o700)
    shutil.copy2(cell(store), folder)


def longer_log(store: Path) -> None:
    (store / LINES).write_bytes((store / LINES).read_bytes() + DEEP.encode() + b"\n")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a record nested too deep": lambda store: record(store).write_text(DEEP),
    "a record's commit at the end of the calendar": lambda store: edit_json(
        record(store), committed="9999-12-31T23:59:59-10:00"
    ),
    "a record's newest line before the calendar": lambda store: edit_json(
        record(store), newest="0001-01-01T00:00:00+10:00"
    ),
    "half a surrogate pair in a record": lambda store: edit_json(record(store), stream="\ud800"),
    "a line of the deletion record nested too deep": longer_log,
    "a deletion of no day": lambda store: append_deletion(store, ["2026-11-20"], "begun"),
    "lines of a footer nested too deep": lambda store: rewrite(cell(store), lines=DEEP),
    "lines of a footer that are no number": lambda store: rewrite(cell(store), lines='{"aaaaaaaa":1e400}'),
    "copies of records nested too deep": lambda store: rewrite(cell(store), records=DEEP),
    "a database of no day": lambda store: rewrite(cell(store), provider_db_1="X 2026-13-45"),
    "a cell of the last day that there is": misnamed,
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return healthy_store(tmp_path_factory.mktemp("healthy"))


@pytest.mark.parametrize("name", DAMAGES)
def test_nothing_damaged_keeps_a_day(name: str, healthy: Path, tmp_path: Path) -> None:
    """No damage of a record, of the deletion record or of a footer is an internal error, of `verify`, of `status` or of
    `retain`, which deletes what is due."""
    store = copy_of(healthy, tmp_path)
    DAMAGES[name](store)
    assert verify(store, now=NOW).checks
    assert as_dict(load_status(store, now=NOW))["store"]
    assert days(store)[0] == "2026-11-15"
    job.retain(store, clock=Clock(LATER), wait=timedelta(), dry_run=False, raising=False)
    assert days(store)[0] == "2026-11-17"


@pytest.mark.parametrize("text", [DEEP, '{"a":"\\ud800"}', '{"\\uDFFF":1}', "{", b"\xff"])
def test_no_json(text: str | bytes) -> None:
    """What is no JSON, is nested too deep or holds half a surrogate pair is a ValueError, which readers expect."""
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_json() -> None:
    """Whole pairs, and what only looks like an escape, are text."""
    for value in ("\U0001f600", "\\ud800", "\\\\ud800"):
        assert parse_json(json.dumps([value])) == [value]


@pytest.mark.parametrize("text", ["9999-12-31T23:00:00-10:00", "0001-01-01T00:00:00+01:00", "2026-11-21T00:00:00"])
def test_no_moment(text: str) -> None:
    """A moment that UTC has not, and one without an offset, is none."""
    with pytest.raises(ValueError, match=r"."):
        moment(text)
