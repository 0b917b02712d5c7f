"""`status` says what a store holds, what goes next and what is wrong, from footers alone, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loganon import clock
from loganon.errors import CannotWriteError, ConfigurationError
from loganon.policy import parse_policy
from loganon.status import KEYS, Status, as_dict, find_problems, load_status
from loganon.status.answer import BEHIND, LONGEST_STEP
from loganon.status.metrics import METRICS, render_metrics, write_metrics
from loganon.status.mounts import find_network
from support.cli import SAMPLES, Inside
from support.defects import (
    OPEN,
    SEALED,
    cell,
    copy_of,
    edit_json,
    file_in,
    healthy_store,
    log_of,
    quarantine,
    record,
    rewrite,
)
from support.runs import NOW, PLAIN, ingest, line, plain_policy
from support.store_cases import snapshot

DAY = timedelta(days=1)
DATABASE = SAMPLES / "providers.mmdb"


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return healthy_store(tmp_path_factory.mktemp("healthy"))


@pytest.fixture
def store(healthy: Path, tmp_path: Path) -> Path:
    return copy_of(healthy, tmp_path)


def problems(store: Path, now: datetime = NOW, **options: timedelta) -> list[str]:
    return [error.what for error in find_problems(load_status(store, now=now), **options)]


def test_the_facts(store: Path) -> None:
    """Each key of the JSON is one that is documented, and says what the store holds; no byte is changed."""
    before = snapshot(store)
    found = as_dict(load_status(store, now=NOW, databases=[DATABASE]))
    assert list(found) == list(KEYS)
    assert json.loads(json.dumps(found)) == found
    assert snapshot(store) == before
    assert (found["partitions"], found["oldest"], found["newest"]) == (6, "2026-11-15", "2026-11-20")
    assert found["cells"] == 16
    assert found["bytes"] == sum(path.stat().st_size for path in store.glob("access/*/*"))
    assert found["next_deletion"] == {"partition": "2026-11-15", "on": "2026-11-22"}
    assert found["cutoff"] == "2026-11-15"
    assert (found["overdue"], found["sealed_through"], found["unsealed"]) == ([], "2026-11-18", [])
    assert found["last_commit"] == NOW.isoformat()
    assert found["lines"]["done"] == (11 + 2) * 14 + 2 * (5 + 1)
    assert found["lines"]["deleted"] == 5 * 14
    assert found["lines"]["rejected"]["malformed"] == 2 * (5 + 1)
    assert found["records"] == {"count": 2, "damaged": [], "agree": True}
    assert found["domains"]["days"] == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert found["domains"]["requests"] == 5 * 14
    assert found["databases"] == [
        {"type": "loganon-sample-ASN", "built": "2026-11-20", "age_days": 1, "path": str(DATABASE)}
    ]
    assert found["policy"]["keep_for"] == "7 days"
    assert found["problems"] == []


def test_a_database_of_the_footers(tmp_path: Path) -> None:
    """Without being given one, `status` tells the databases that the newest cells were made with."""
    log = tmp_path / "a.log"
    log.write_bytes(line(NOW))
    ingest(tmp_path / "store", [log], provider_db=[DATABASE])
    found = as_dict(load_status(tmp_path / "store", now=NOW + 40 * DAY))
    assert found["databases"] == [{"type": "loganon-sample-ASN", "built": "2026-11-20", "age_days": 41, "path": None}]


def test_a_store_without_a_line(tmp_path: Path) -> None:
    """What is not there yet is null, and nothing of it is a problem."""
    log = tmp_path / "a.log"
    log.write_bytes(b"")
    ingest(tmp_path / "store", [log], policy=plain_policy())
    found = as_dict(load_status(tmp_path / "store", now=NOW))
    empty = ("oldest", "newest", "next_deletion", "sealed_through", "domains")
    assert {found[key] for key in empty} == {None}
    assert found["problems"] == []


def test_without_limit(tmp_path: Path) -> None:
    """Under a policy that keeps for ever nothing goes, and nothing is overdue."""
    log = tmp_path / "a.log"
    log.write_bytes(line(datetime(2020, 2, 29, tzinfo=UTC)))
    ingest(tmp_path / "store", [log], policy=parse_policy(PLAIN.replace("6 weeks", "unlimited"), where="test"))
    found = as_dict(load_status(tmp_path / "store", now=NOW))
    assert (found["next_deletion"], found["overdue"], found["sealed_through"]) == (None, [], "2020-02-29")


def test_overdue(store: Path) -> None:
    """A partition is overdue from the first second of its day on, and a seal when it is a day late."""
    assert problems(store, datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)) == []
    assert problems(store, datetime(2026, 11, 22, tzinfo=UTC)) == ["1 partition past its day: 2026-11-15"]
    found = problems(store, datetime(2026, 11, 25, tzinfo=UTC))
    assert found == [
        "4 partitions past their day: 2026-11-15, 2026-11-16, 2026-11-17, 2026-11-18",
        "2 days not sealed in time: 2026-11-19, 2026-11-20",
    ]
    edit_json(store / "_loganon/state.json", cutoff="2026-11-16")
    assert problems(store) == ["1 partition past its day: 2026-11-15"]


def test_the_age_of_the_last_commit(store: Path) -> None:
    """Only with a threshold, and only beyond it."""
    later = NOW + timedelta(hours=1)
    assert problems(store, later, max_age=timedelta(hours=1)) == []
    assert problems(store, later, max_age=timedelta(minutes=59)) == ["the last commit was at 2026-11-21T12:00Z"]


def test_the_guards_are_those_of_a_run(store: Path, tmp_path: Path) -> None:
    """`status` warns of a clock by which a run would refuse to go on, and of no other."""
    assert (BEHIND, LONGEST_STEP) == (clock.AHEAD, clock.LONGEST_STEP)
    assert problems(store, NOW - BEHIND) == []
    assert "24 hours behind" in problems(store, NOW - BEHIND - timedelta(seconds=1))[0]
    far = NOW + LONGEST_STEP
    assert not any("at once" in text for text in problems(store, far))
    assert any("61 days at once" in text for text in problems(store, far + DAY))
    log = tmp_path / "e.log"
    log.write_bytes(b"")
    assert ingest(copy_of(store, tmp_path / "far"), [log], now=far).exit_code == 0
    assert ingest(copy_of(store, tmp_path / "farther"), [log], now=far + DAY).exit_code == 1


def _journal(store: Path) -> None:
    file_in(store, "_loganon/commit.json", b'{"version": 1, "files": [], "directories": []}')


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (quarantine, "1 damaged cell in quarantine: date=2026-11-20/hour-10.parquet"),
        (lambda s: cell(s).write_bytes(b"x"), f"1 cell cannot be read: access/date={OPEN}/hour-10.parquet"),
        (lambda s: record(s).write_bytes(b"{"), "1 source record cannot be read"),
        (lambda s: record(s).unlink(), "the source records are 1 commits on, and the store says 3"),
        (lambda s: cell(s).chmod(0o644), "mode 0644 instead of 0600"),
        (lambda s: (s / "_loganon").chmod(0o755), "mode 0755 instead of 0700"),
        (lambda s: shutil.rmtree(s / "access"), "the table is missing"),
    ],
)
def test_what_is_wrong(plant: Callable[[Path], object], told: str, store: Path, tmp_path: Path) -> None:
    """One line for each under --check, with exit code 1; without it the same is a note."""
    plant(store)
    command = Inside(tmp_path)
    words = ("status", "--store", store, "--now", "2026-11-21T12:00:00Z")
    done = command(*words, "--check")
    assert done.code == 1
    done.message(told)
    again = command(*words)
    assert (again.code, again.err) == (0, done.err)
    assert len(command(*words, "--json").json["problems"]) == 1


def test_a_restored_cell_is_no_problem(store: Path) -> None:
    """Nor is a commit that was interrupted, which the next run finishes; the status tells it."""
    good = cell(store).read_bytes()
    quarantine(store)
    file_in(store, f"access/date={OPEN}/hour-10.restored.parquet", good)
    _journal(store)
    found = as_dict(load_status(store, now=NOW))
    assert (found["problems"], found["quarantined"], found["interrupted"]) == ([], [], True)


def test_many_wrong_modes(store: Path) -> None:
    """Five of them are named, the rest is counted."""
    for path in store.glob("access/*/*"):
        path.chmod(0o644)
    found = problems(store)
    assert len(found) == 6
    assert found[-1].startswith("11 more files")


def test_sealed_through(store: Path) -> None:
    """The last day before the first that is not sealed."""
    for hour in (10, 11):
        rewrite(cell(store, SEALED, hour), sealed="false")
    assert load_status(store, now=NOW).sealed_through == date(2026, 11, 16)


def test_a_table_without_domains(tmp_path: Path) -> None:
    """A policy may keep none."""
    text = "\n".join(row for row in PLAIN.splitlines() if not row.startswith("domain"))
    log = tmp_path / "a.log"
    log.write_bytes(line(NOW))
    ingest(tmp_path / "store", [log], policy=parse_policy(text, where="test"))
    assert as_dict(load_status(tmp_path / "store", now=NOW))["domains"] is None


def test_the_text(store: Path, tmp_path: Path) -> None:
    """A newcomer's first look: one line a fact, values in one column."""
    command = Inside(tmp_path)
    done = command("status", "--store", store, "--now", "2026-11-21T12:00:00Z")
    assert (done.code, done.err) == (0, "")
    first, *rest = done.out.splitlines()
    assert first == str(store)
    assert all(text[:2] == "  " and text[17] == " " and text[18] != " " for text in rest), done.out
    assert "  next deletion   2026-11-15 goes on 2026-11-22, in 1 day" in rest
    assert command("status", "--store", store, "--quiet").out == ""


def test_no_store(tmp_path: Path) -> None:
    """78, and no metrics are written."""
    done = Inside(tmp_path)("status", "--store", tmp_path / "none", "--metrics-file", tmp_path / "x.prom")
    assert (done.code, done.out) == (78, "")
    done.message("there is no store")
    assert not (tmp_path / "x.prom").exists()


# --- metrics ----------------------------------------------------------------------------------------------------------


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        found[family.name] = {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in family.samples
        }
    return found


def test_metrics(store: Path, tmp_path: Path) -> None:
    """Prometheus's own parser reads them; labels are the store and the reason alone; the file is for all to read."""
    target = tmp_path / "loganon.prom"
    done = Inside(tmp_path)(
        "status", "--store", store, "--now", "2026-11-21T12:00:00Z", "--metrics-file", target, "--quiet"
    )
    assert done.code == 0, done.err
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    found = families(target.read_text())
    name = str(store)
    missing = {"loganon_provider_database_built_timestamp_seconds"}
    assert set(found) == {f"loganon_{each}" for each in METRICS} - missing | {"loganon_source_lines"} | missing
    assert found["loganon_partitions"] == {(name,): 6}
    assert found["loganon_next_deletion_timestamp_seconds"] == {(name,): datetime(2026, 11, 22, tzinfo=UTC).timestamp()}
    assert found["loganon_last_commit_timestamp_seconds"] == {(name,): NOW.timestamp()}
    assert found["loganon_source_lines"]["malformed", name] == 12
    assert found["loganon_problems"] == {(name,): 0}
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["loganon.prom"]


def test_metrics_of_several_stores(store: Path, tmp_path: Path) -> None:
    """One file for all, each metric once; a store's odd name is quoted."""
    odd = tmp_path / 'a "store" \\ of\nlines'
    shutil.copytree(store, odd)
    cell(odd).chmod(0o644)
    statuses: list[Status] = [load_status(path, now=NOW) for path in (store, odd)]
    text = render_metrics(statuses).decode()
    found = families(text)
    assert sorted(found["loganon_problems"].values()) == [0, 1]
    assert len(found["loganon_problems"]) == 2
    assert text.count("# TYPE loganon_problems gauge") == 1


def test_where_metrics_are_written(store: Path, tmp_path: Path) -> None:
    """Not into a store, not under a name that nobody reads, and an error leaves the last file and no other."""
    target = tmp_path / "x.prom"
    write_metrics(target, b"old\n", [str(store)])
    for path in (tmp_path / "x.txt", store / "access/x.prom", store / "x.prom"):
        with pytest.raises(ConfigurationError):
            write_metrics(path, b"new\n", [str(store)])
    with pytest.raises(CannotWriteError):
        write_metrics(tmp_path / "none/x.prom", b"new\n", [])
    (tmp_path / "y.prom").mkdir()
    with pytest.raises(CannotWriteError):
        write_metrics(tmp_path / "y.prom", b"new\n", [])
    assert target.read_bytes() == b"old\n"
    assert sorted(path.name for path in tmp_path.iterdir() if "prom" in path.name) == ["x.prom", "y.prom"]


def test_a_link_in_the_place_of_the_metrics(tmp_path: Path) -> None:
    """The link is replaced; what it leads to is not written."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "x.prom").symlink_to(secret)
    write_metrics(tmp_path / "x.prom", b"new\n", [])
    assert secret.read_bytes() == b"secret"
    assert not (tmp_path / "x.prom").is_symlink()


def test_many_stores(store: Path, tmp_path: Path) -> None:
    """Without --store all of a configuration file, in one object and one metrics file; databases are the file's."""
    for name in ("good", "bad", "lost"):
        shutil.copytree(store, tmp_path / "stores" / name)
    cell(tmp_path / "stores/bad").chmod(0o644)
    (tmp_path / "stores/lost/_loganon/state.json").write_bytes(b"{")
    for name in ("good", "bad", "lost", "coming"):
        (tmp_path / f"{name}.log").write_bytes(b"")
    config = tmp_path / "loganon.toml"
    config.write_text(
        f'provider_db = "{DATABASE}"\n[[input]]\nlogs = "{tmp_path}/{{site}}.log"\nstore = "stores/{{site}}"\n'
    )
    command = Inside(tmp_path)
    words = ("status", "--config", config, "--now", "2026-11-21T12:00:00Z", "--metrics-file", tmp_path / "x.prom")
    done = command(*words, "--json")
    assert done.code == 74
    bad, good, lost = done.json["stores"]
    assert (good["exit_code"], good["problems"], len(good["databases"])) == (0, [], 1)
    assert (bad["exit_code"], len(bad["problems"])) == (0, 1)
    assert (lost["exit_code"], len(lost["errors"])) == (74, 1)
    assert len(families((tmp_path / "x.prom").read_text())["loganon_partitions"]) == 2
    again = command(*words, "--json", "--check")
    assert [each["exit_code"] for each in again.json["stores"]] == [1, 0, 74]


# --- the file system --------------------------------------------------------------------------------------------------

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:44 / /mnt/share rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
41 22 0:45 / /mnt/ssh rw shared:21 master:3 - fuse.sshfs user@host:/ rw
42 22 0:46 / /mnt/win rw - cifs //server/share rw
43 22 0:47 / /mnt/local rw - fuse.ntfs-3g /dev/sdb1 rw
broken
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [("8:1", None), ("0:44", "nfs4"), ("0:45", "fuse.sshfs"), ("0:46", "cifs"), ("0:47", None), ("9:9", None)],
)
def test_network_file_systems(device: str, kind: str | None) -> None:
    """Those over a network are told, by the device number of what is mounted."""
    assert find_network(MOUNTS, device) == kind


def test_a_store_on_a_network_file_system(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` says that its locks do not hold there."""
    from loganon.status import mounts  # noqa: PLC0415 - one test's

    device = store.stat().st_dev
    text = f"40 22 {os.major(device)}:{os.minor(device)} / {tmp_path} rw - nfs4 server:/export rw\n"
    file_in(tmp_path, "mountinfo", text.encode())
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
    done = Inside(tmp_path)("status", "--store", store, "--now", "2026-11-21T12:00:00Z")
    assert "nfs4" in done.out
    assert "not supported" in done.out


def test_many_days(tmp_path: Path) -> None:
    """The footers alone are read, but for the newest days: a store's older rows are never opened."""
    log = tmp_path / "a.log"
    log.write_bytes(log_of(range(10, 21), "a"))
    ingest(tmp_path / "store", [log], policy=plain_policy())
    for day in range(10, 18):
        path = cell(tmp_path / "store", f"2026-11-{day}")
        data = bytearray(path.read_bytes())
        data[4:40] = bytes(36)  # the first page; the footer stands at the end
        path.write_bytes(data)
    found = as_dict(load_status(tmp_path / "store", now=NOW))
    assert (found["damaged"], found["cells"]) == ([], 22)
