"""`key reset`: the past is closed, nothing is counted twice, and what is new is counted."""

from __future__ import annotations

import errno
import json
import shutil
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from loganon.chunks import Chunk, Window
from loganon.errors import ConfigurationError, LoganonError
from loganon.formats import load_formats
from loganon.lookups import open_lookups
from loganon.pipeline import build
from loganon.store import Batch, LocalStore
from loganon.store.layout import CellName
from support.cli import Inside
from support.runs import NOW as CLOCK
from support.runs import line, plain_policy
from support.store_cases import KEY, NOW, SPEC, TODAY, at, back, feed, make_store, part, requests_of, snapshot, table
from support.store_disk import Counted, Disk, Killed, fail_at, kill_at

THOROUGH = settings.get_current_profile_name() == "explore"
FAULTS = ("kill", "fail", "cut")
NEW = "new-key-check"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Two sources; the newest counted line lies in today's hour 7."""
    made = make_store(tmp_path / "s")
    feed(made, "a-source", [(at(back(2)), "/a"), (at(TODAY, 7), "/a")], rejected=1)
    feed(made, "b-source", [(at(back(1), 7), "/b")], rejected=2)
    return made


def reset(path: Path, files: Counted | None = None) -> None:
    with LocalStore.open(path, files=files).locked(timedelta(0)) as held:
        held.reset_key(NEW, unit="hour", now=NOW)


def take(store: LocalStore, source: str, lines: list[tuple[datetime, str]]) -> dict[str, int]:
    """The source's lines as they came out."""
    with store.locked() as held:
        batch = Batch(table(lines), (part(source, None, lines),))
        return dict(held.commit(batch, SPEC, now=NOW, writer=None, footer={}).records[source].lines)


def test_the_past_is_closed(store: LocalStore) -> None:
    """Records count on and recognise nothing; lines before the end of the newest cell are expired, others are not."""
    before = store.balances()
    reset(store.path)
    found = LocalStore.open(store.path)
    found.check_key(NEW)
    with pytest.raises(ConfigurationError):
        found.check_key(KEY)
    assert found.floor() == at(TODAY, 8)
    assert all((record.prefix, record.marker) == ((), "") for record in found.records().values())
    assert found.balances() == before
    stated, summed = found.generations()
    assert stated == summed
    again = [(at(back(2)), "/a"), (at(TODAY, 7), "/a"), (at(TODAY, 8), "/a")]
    assert take(found, "c-source", again) == {"counted": 1, "expired": 2}
    assert all(balance.holds for balance in found.balances().values())


def test_a_cell_by_day_closes_its_day(tmp_path: Path) -> None:
    """Where time is by day the floor is the end of the newest day."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(TODAY), "/a")])
    with store.locked() as held:
        assert held.reset_key(NEW, unit="day", now=NOW).floor == at(TODAY) + timedelta(days=1)


def test_a_store_that_counted_nothing_has_no_floor(tmp_path: Path) -> None:
    """Nothing counted is nothing to be counted twice."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [], rejected=2)
    with store.locked() as held:
        assert held.reset_key(NEW, unit="hour", now=NOW).floor is None


def test_lost_records_are_made_of_footers(store: LocalStore) -> None:
    """Sources that have lost their records get retired ones that hold what the table holds; the floor covers them."""
    feed(store, "a-source", [], rejected=1)  # no copy of this record stands in the table
    shutil.rmtree(store.path / "_loganon" / "sources")
    reset(store.path)
    found = LocalStore.open(store.path)
    assert found.floor() == at(TODAY, 8)
    assert {source: dict(record.lines) for source, record in found.records().items()} == {
        "a-source": {"counted": 2},
        "b-source": {"counted": 1},
    }
    assert all(balance.holds for balance in found.balances().values())
    assert take(found, "c-source", [(at(TODAY, 7), "/a"), (at(TODAY, 8), "/a")]) == {"counted": 1, "expired": 1}
    found.check_records()


@pytest.mark.parametrize("where", ["table", "quarantine", "moved away"])
def test_a_damaged_cell_raises_the_floor(store: LocalStore, where: str) -> None:
    """A cell that cannot be read held counted lines: its name says until when, also after it was put aside."""
    (store.path / CellName(TODAY, 7).path).write_bytes(b"damaged")
    if where != "table":
        with store.locked() as held:
            feed_damaged = [(at(TODAY, 7), "/x")]
            held.commit(
                Batch(table(feed_damaged), (part("c-source", None, feed_damaged),)),
                SPEC,
                now=NOW,
                writer=None,
                footer={},
            )
        (store.path / CellName(TODAY, 7).path).unlink()
    if where == "moved away":
        shutil.rmtree(store.path / "_loganon" / "quarantine")
    shutil.rmtree(store.path / "_loganon" / "sources")
    reset(store.path)
    assert LocalStore.open(store.path).floor() == at(TODAY, 8)


def test_a_second_loss_is_met_by_a_second_reset(store: LocalStore) -> None:
    """Copies in footers from before a reset make nothing again: they are of another key."""
    reset(store.path)
    feed(LocalStore.open(store.path), "c-source", [(at(TODAY, 9), "/a")])
    shutil.rmtree(store.path / "_loganon" / "sources")
    with pytest.raises(LoganonError, match="key reset"):
        feed(LocalStore.open(store.path), "d-source", [(at(TODAY, 9), "/a")])
    reset(store.path)
    found = LocalStore.open(store.path)
    assert found.floor() == at(TODAY, 10)
    assert all(balance.holds for balance in found.balances().values())


def test_copies_from_before_the_floor_stand_for_nothing(tmp_path: Path) -> None:
    """A source that two resets left without a record does not make up for a commit that is lost."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(TODAY), "/a")])
    for _ in range(2):
        shutil.rmtree(store.path / "_loganon" / "sources")
        (store.path / "_loganon" / "sources").mkdir()
        reset(store.path)
    found = LocalStore.open(store.path)
    assert found.records() == {}
    feed(found, "d-source", [(at(TODAY, 9), "/a")])
    feed(found, "d-source", [], rejected=1)
    (store.path / "_loganon" / "sources" / "d-source.json").unlink()
    with found.locked() as held, pytest.raises(LoganonError, match="key reset"):
        held.records()


def test_a_backup_from_before_the_reset_is_seen(store: LocalStore, tmp_path: Path) -> None:
    """Records from before a reset do not stand for those after it, however many they are."""
    feed(store, "a-source", [], rejected=1)
    backup = shutil.copytree(store.path / "_loganon" / "sources", tmp_path / "backup")
    (store.path / "_loganon" / "sources" / "a-source.json").unlink()
    reset(store.path)
    found = LocalStore.open(store.path)
    feed(found, "c-source", [(at(TODAY, 9), "/a")])
    shutil.rmtree(store.path / "_loganon" / "sources")
    shutil.copytree(backup, store.path / "_loganon" / "sources")
    with found.locked() as held, pytest.raises(LoganonError, match="key reset"):
        held.records()


def test_a_batch_of_the_old_key_is_refused(store: LocalStore) -> None:
    """What was read by the old key before the reset is not committed after it (78)."""
    overtaken = LocalStore.open(store.path)
    reset(store.path)
    with pytest.raises(ConfigurationError, match="key has changed"):
        feed(overtaken, "c-source", [(at(TODAY, 9), "/a")])


def test_without_the_floor_lines_are_counted_twice(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the floor is what holds the promise."""
    monkeypatch.setattr("loganon.store.held.Held.floor", property(lambda _: None))
    with pytest.raises(AssertionError):
        test_the_past_is_closed(store)


def test_interrupted_at_every_operation(store: LocalStore, tmp_path: Path) -> None:
    """Killed, failing, without power: the store goes by one key or the other, whole; done again it is done."""
    files = Counted()
    reset(shutil.copytree(store.path, tmp_path / "peace"), files)
    before, table_before = store.records(), requests_of(store.path)
    for step in range(len(files.steps)):
        for fault in FAULTS if THOROUGH else (FAULTS[step % 3],):
            path = tmp_path / f"{step}-{fault}"
            shutil.copytree(store.path, path)
            layer = Disk(path) if fault == "cut" else Counted()
            layer.act = fail_at(step, errno.EIO) if fault == "fail" else kill_at(step)
            with suppress(Killed, LoganonError):
                reset(path, layer)
            if isinstance(layer, Disk):
                path = tmp_path / f"{step}-after"
                layer.cut(path, lambda: 0.0)
            with LocalStore.open(path).locked(timedelta(0)) as held:
                records, floor = held.records(), held.floor
            changed = floor is not None
            assert json.loads((path / "_loganon" / "store.json").read_text())["key_check"] == (NEW if changed else KEY)
            assert changed or records == before
            assert not changed or not any(record.prefix for record in records.values())
            reset(path)
            assert requests_of(path) == table_before
            found = LocalStore.open(path)
            found.check_key(NEW)
            assert found.floor() == at(TODAY, 8)
            shutil.rmtree(path)


# The command


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    return Inside(tmp_path)


def log(path: Path, count: int) -> Path:
    """Lines of the day, one a quarter of an hour from one o'clock on."""
    first = CLOCK.replace(hour=1)
    path.write_bytes(b"".join(line(first + timedelta(minutes=15 * n), f"/{n}") for n in range(count)))
    return path


def ran(command: Inside, store: Path, *logs: Path) -> dict[str, object]:
    done = command("run", *logs, "--store", store, "--now", "2026-11-21T12:00:00Z", "--json", "--quiet")
    assert done.code == 0, done.err
    answer: dict[str, object] = done.json
    return answer


def test_after_a_lost_key(tmp_path: Path, command: Inside) -> None:
    """Ingestion says what to do; after the reset known lines are expired, later ones are counted, and it goes on."""
    store, first = tmp_path / "store", log(tmp_path / "access.log", 10)
    assert ran(command, store, first)["counted"] == 10
    command.key.unlink()
    stopped = command("run", first, "--store", store, "--now", "2026-11-21T12:00:00Z")
    assert stopped.code == 78
    stopped.message("loganon key reset")
    done = command("key", "reset", "--store", store, "--key-file", command.key, "--yes")
    assert (done.code, done.err) == (0, "")
    assert "2026-11-21T04:00Z" in done.out  # the tenth line is of 03:15
    grown = log(first, 20)
    answer = ran(command, store, grown)
    assert (answer["counted"], answer["rejected"]["expired"]) == (8, 12)  # type: ignore[index]  # parsed JSON
    answer = ran(command, store, log(first, 24))
    assert (answer["counted"], answer["already_counted"]) == (4, 20)
    assert command.key.stat().st_mode & 0o777 == 0o600
    assert all(balance.holds for balance in LocalStore.open(store).balances().values())


def test_the_command_answers_in_json(tmp_path: Path, command: Inside) -> None:
    """One object: store, key file, whether it was made, records, floor."""
    store = tmp_path / "store"
    ran(command, store, log(tmp_path / "access.log", 10))
    done = command("key", "reset", "--store", store, "--key-file", tmp_path / "other", "--yes", "--json").json
    assert done == {
        "store": str(store),
        "key_file": str(tmp_path / "other"),
        "key_made": True,
        "records_retired": 1,
        "floor": "2026-11-21T04:00:00+00:00",
    }
    kept = command("key", "reset", "--store", store, "--key-file", tmp_path / "other", "--yes", "--json").json
    assert (kept["key_made"], kept["floor"]) == (False, done["floor"])
    assert command("key", "reset", "--store", store, "--key-file", tmp_path / "other", "--yes", "--quiet").out == ""


def test_it_asks_first(tmp_path: Path, command: Inside) -> None:
    """Without `--yes` and without a terminal it refuses (2), says what to say, and changes nothing."""
    store = tmp_path / "store"
    ran(command, store, log(tmp_path / "access.log", 10))
    before = snapshot(store)
    done = command("key", "reset", "--store", store, "--key-file", tmp_path / "other")
    assert (done.code, done.out) == (2, "")
    done.message("--yes")
    assert snapshot(store) == before
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("case", ["no store", "key inside", "no directory"])
def test_what_it_refuses(tmp_path: Path, command: Inside, case: str) -> None:
    """No store, a key inside the store (78), a key that cannot be written (73): nothing is changed or made."""
    store = tmp_path / "store"
    ran(command, store, log(tmp_path / "access.log", 10))
    before = snapshot(tmp_path)
    key = {"key inside": store / "key", "no directory": Path("/proc/none/key")}.get(case, tmp_path / "other")
    target = tmp_path / "nothing" if case == "no store" else store
    done = command("key", "reset", "--store", target, "--key-file", key, "--yes")
    assert done.code == (73 if case == "no directory" else 78)
    done.message()
    after = snapshot(tmp_path)
    assert {name for name in after if name not in before} == set()
    assert Counter(after) == Counter(before)


def test_help_says_what_it_costs(command: Inside) -> None:
    """`--help` says that uncounted lines of the past are lost."""
    done = command("key", "reset", "--help")
    text = " ".join(done.out.split())
    assert "never will be" in text
    assert "expired" in text


def test_the_pipeline_knows_the_floor() -> None:
    """A line before the floor is `expired` when it is read, one at the floor is counted, whatever the cutoff."""
    moments = [CLOCK.replace(hour=h, minute=m) for h, m in ((7, 59), (8, 0), (8, 1))]
    data = b"".join(line(moment) for moment in moments)
    pipeline = build(plain_policy(), load_formats()["combined"], open_lookups((), ()), coded=False)
    result = pipeline(Chunk(data, 0, len(data)), Window(back(40), None, CLOCK.replace(hour=8, minute=0)))
    assert (result.counted, result.rejected["expired"]) == (2, 1)
