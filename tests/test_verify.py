"""`verify` finds what breaks a promise, names it, and calls nothing broken that is not."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loganon import verify as module
from loganon.errors import BusyError, ConfigurationError, InputOutputError
from loganon.policy import parse_policy
from loganon.store import LocalStore
from loganon.store.journal import Journal, Move
from loganon.verify import BROKEN, CHECKS, HELD, NOT_CHECKED, Verification, verify
from support.cli import Command, Inside, without_override
from support.defects import (
    ADDRESS,
    DEFECTS,
    EMAIL,
    OPEN,
    SEALED,
    append_deletion,
    cell,
    copy_of,
    file_in,
    healthy_store,
    log_of,
    put,
    quarantine,
    rewrite,
)
from support.runs import KEY, NOW, PLAIN, ingest, line, lines, plain_policy
from support.store_cases import snapshot

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return healthy_store(tmp_path_factory.mktemp("healthy"))


@pytest.fixture
def store(healthy: Path, tmp_path: Path) -> Path:
    return copy_of(healthy, tmp_path)


def broken(found: Verification) -> set[str]:
    return {check.id for check in found.broken}


def findings(found: Verification, name: str) -> list[str]:
    check = next(check for check in found.checks if check.id == name)
    return [f"{each.where}: {each.what}" for each in check.findings]


def notes(found: Verification, name: str) -> tuple[str, ...]:
    return next(check for check in found.checks if check.id == name).notes


# --- nothing is broken ------------------------------------------------------------------------------------------------


def test_a_healthy_store(store: Path) -> None:
    """Every check is made and holds but the one that was given nothing, nothing is changed, and the sums are told."""
    before = snapshot(store)
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    unasked = dict.fromkeys(("raw", "elsewhere"), NOT_CHECKED)
    assert {check.id: check.outcome for check in found.checks} == dict.fromkeys(CHECKS, HELD) | unasked
    assert snapshot(store) == before
    figures = found.figures
    assert (figures["sources"], figures["partitions"], figures["cells"]) == (2, 6, 16)
    assert figures["lines_done"] == (11 + 2) * 14 + 2 * (5 + 1)
    assert figures["lines_deleted"] == 5 * 14
    assert figures["lines_rejected"]["malformed"] == 2 * (5 + 1)
    assert figures["lines_live"] == figures["lines_done"] - 5 * 14 - 2 * (5 + 1)
    assert figures["domain"]["provider"] + figures["domain"]["other"] + figures["domain"]["suffix"] == pytest.approx(1)


def test_a_store_without_a_line(tmp_path: Path) -> None:
    """A store that was made and never filled holds every promise."""
    log = tmp_path / "a.log"
    log.write_bytes(b"")
    ingest(tmp_path / "store", [log], policy=plain_policy())
    found = verify(tmp_path / "store", now=NOW)
    assert found.holds, found.errors
    assert found.figures["domain"] == {}


@pytest.mark.parametrize("policy", ["imos", "six-weeks", "truncated"])
def test_bundled_policies(policy: str, tmp_path: Path) -> None:
    """What a run under a bundled policy leaves holds, networks of the policy's own length included."""
    log = tmp_path / "a.log"
    hosts = ["91.44.26.11", "2003:0:ab:1::2", "p5B2C1A0B.dip0.t-ipconnect.de", "mail.jane.smith.name", "x.co.ck", "-"]
    paths = ["/", "/a%20b", "/u/jane.doe@example.org", "/ü", "/v1.2.3.4/x.zip", "/~jdoe/", "*", "/?q=1", "//x"]
    log.write_bytes(
        b"".join(
            line(NOW - n * timedelta(hours=9), path, client=host) for n, host in enumerate(hosts) for path in paths
        )
    )
    ingest(tmp_path / "store", [log], policy=parse_bundled(policy), final=True)
    found = verify(tmp_path / "store", now=NOW)
    assert found.holds, found.errors


def parse_bundled(name: str) -> object:
    from loganon.policy import load_policy  # noqa: PLC0415 - one test's

    return load_policy(name)


def test_a_policy_by_day_without_limit(tmp_path: Path) -> None:
    """Cells of whole days, an unlimited age and no minimum: what cannot be said is not called held."""
    text = PLAIN.replace('"hour"', '"day"').replace("6 weeks", "unlimited")
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(lines(400)) + line(datetime(2020, 2, 29, 5, tzinfo=UTC)))
    ingest(tmp_path / "store", [log], policy=parse_policy(text, where="test"))
    found = verify(tmp_path / "store", now=NOW + 900 * DAY)
    assert broken(found) <= {"sealed"}  # the last days are not sealed by a store that is left alone
    assert {check.id for check in found.checks if check.outcome == NOT_CHECKED} == {
        "age",
        "retention",
        "minimum",
        "raw",
        "elsewhere",
    }


def test_a_table_for_a_group(tmp_path: Path) -> None:
    """With --group the table is 0640 in directories 2750 of that group, and nothing else is right."""
    name = grp.getgrgid(os.getgid()).gr_name
    log = tmp_path / "a.log"
    log.write_bytes(log_of(range(19, 21), "a"))
    command = Inside(tmp_path)
    command.key.write_bytes(KEY.secret)
    words = ("--store", tmp_path / "store", "--now", "2026-11-21T12:00:00Z")
    assert command("run", log, *words, "--group", name, "--quiet").code == 0
    assert verify(tmp_path / "store", now=NOW).holds
    cell(tmp_path / "store").chmod(0o600)
    assert broken(verify(tmp_path / "store", now=NOW)) == {"modes"}


def test_a_commit_that_was_interrupted(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit of which no file, or only some, are in place is read as done, with a note; so is a batch given up."""
    log = tmp_path / "c.log"
    log.write_bytes(log_of(range(17, 21), "c"))
    apply = Journal.apply

    class KilledError(Exception):
        pass

    def stop(_: Journal, __: object, pending: Iterable[Move], *___: object) -> None:
        for move in list(pending)[:renamed]:
            (store / "_loganon/staging" / move.staged).rename(store / move.final)
        raise KilledError

    for renamed in (0, 3):
        again = copy_of(store, tmp_path / f"{renamed}")
        monkeypatch.setattr(Journal, "apply", stop)
        with pytest.raises(KilledError):
            ingest(store, [log])
        monkeypatch.setattr(Journal, "apply", apply)
        found = verify(store, now=NOW)
        assert found.holds, found.errors
        assert "interrupted" in notes(found, "journal")[0]
        shutil.rmtree(store)
        shutil.move(again, store)
    file_in(store, f"_loganon/staging/{'0' * 32}-000000")
    found = verify(store, now=NOW)
    assert found.holds
    assert "given up" in notes(found, "journal")[0]


def test_after_an_interrupted_commit_is_finished(store: Path, tmp_path: Path) -> None:
    """The next run's store holds again, and its own files are those that belong."""
    log = tmp_path / "c.log"
    log.write_bytes(log_of(range(17, 21), "c"))
    ingest(store, [log])
    assert verify(store, now=NOW).holds


def test_a_store_that_changes_while_it_is_read(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a commit between two readings makes look broken is read again before it is called so."""
    log = tmp_path / "a.log"
    log.write_bytes(log_of(range(10, 21), "a") + log_of(range(20, 21), "a"))
    check_records, seen = module.check_records, []

    def meanwhile(*arguments: object) -> object:
        if not seen:
            ingest(store, [log])
        seen.append(check_records(*arguments))  # type: ignore[arg-type]  # passed on
        return seen[-1]

    monkeypatch.setattr(module, "check_records", meanwhile)
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert len(seen) == 2


def test_a_store_that_changes_in_every_reading(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last reading is made while nobody else may change the store; with its lock held elsewhere that is 75."""
    cell(store).chmod(0o644)
    calls = []

    def restless(path: Path) -> tuple[object, ...]:
        calls.append(path)
        return (*read_tree(path), len(calls))

    from loganon.store import local  # noqa: PLC0415 - one test's
    from loganon.store.tree import read_tree  # noqa: PLC0415 - as above

    monkeypatch.setattr(module, "_prove", lambda *_: Verification("", "", "", NOW, broken_checks(), {}))
    monkeypatch.setattr(local, "read_tree", restless)
    with LocalStore.open(store).still(), pytest.raises(BusyError):
        verify(store, now=NOW, wait=timedelta())
    assert broken(verify(store, now=NOW, wait=timedelta())) == {"modes"}


def broken_checks() -> tuple[module.Check, ...]:
    return (module.Check("modes", BROKEN, (module.Finding("x", "y"),)),)


# --- what is broken is found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect(name: str, store: Path) -> None:
    """Each is found by the checks that stand with it, and by no other; no finding holds what must not be printed."""
    defect = DEFECTS[name]
    defect.plant(store)
    found = verify(store, now=NOW)
    assert broken(found) == defect.breaks, [str(error) for error in found.errors]
    told = json.dumps(found.as_dict()) + "".join(map(str, found.errors))
    assert ADDRESS not in told
    assert EMAIL not in told
    assert "jane" not in told
    assert KEY.secret.decode() not in told


def test_enough_kinds_of_defects() -> None:
    """Every check but those that need another clock, another user or a mount is broken by a planted defect."""
    found = {check for defect in DEFECTS.values() for check in defect.breaks}
    assert set(CHECKS) - found == {"device", "owner", "raw", "elsewhere"}
    assert len(DEFECTS) > 60


def test_an_owner(store: Path) -> None:
    """A file of another user or of another group than the table's."""
    if os.geteuid() != 0:
        if os.environ.get("LOGANON_SERVERS") == "1":
            pytest.fail("files can be given away by root only")
        pytest.skip("files can be given away by root only")
    os.chown(cell(store), 4711, -1)
    assert broken(verify(store, now=NOW)) == {"owner"}


def test_another_file_system(store: Path) -> None:
    """What is mounted within a store is found, and not entered."""
    script = (
        "import sys; from pathlib import Path; from datetime import datetime; from loganon.verify import verify; "
        "found = verify(Path(sys.argv[1]), now=datetime.fromisoformat(sys.argv[2])); "
        "print(sorted(check.id for check in found.broken))"
    )
    target = cell(store).parent
    call = f"mount -t tmpfs none '{target}' && chmod 700 '{target}' && exec '{sys.executable}' -c \"$0\" \"$1\" \"$2\""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", call, script, str(store), NOW.isoformat()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and os.environ.get("LOGANON_SERVERS") != "1":
        pytest.skip("this system lets nobody mount here")
    assert "'device'" in done.stdout, done


@pytest.mark.parametrize("where", ["", "access/date=2026-11-20", "access/date=2026-11-20/hour-10.parquet"])
def test_an_extended_attribute(where: str, store: Path) -> None:
    """An address in an attribute of a file or a directory is found; other attributes, as tools set them, are not."""
    try:
        os.setxattr(store / where, "user.origin", b"backup")
    except OSError:
        pytest.skip("the file system of the tests has no extended attributes")
    assert verify(store, now=NOW).holds
    os.setxattr(store / where, "user.client", ADDRESS.encode())
    found = verify(store, now=NOW)
    assert broken(found) == {"address"}
    assert findings(found, "address") == [f"{where}: an extended attribute shaped like an address or an e-mail"]
    os.removexattr(store / where, "user.client")
    os.setxattr(store / where, f"user.{EMAIL}", b"")
    assert broken(verify(store, now=NOW)) == {"address"}


def test_a_later_clock(store: Path) -> None:
    """Without a run: at the first second of the day a partition is past its age; a day later retention has not run,
    and days are not sealed."""
    assert verify(store, now=datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)).holds
    found = verify(store, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert broken(found) == {"age"}
    assert findings(found, "age") == ["access/date=2026-11-15: a partition had to go on 2026-11-22 (7 days)"]
    assert broken(verify(store, now=datetime(2026, 11, 23, tzinfo=UTC))) == {"age", "retention", "sealed"}


def test_a_month_in_which_many_days_go_at_once(tmp_path: Path) -> None:
    """By the calendar the cutoff moves four days on 28 February; retention is late a day after it had to run, not by
    how far it moves."""
    policy = parse_policy(PLAIN.replace("6 weeks", "1 month"), where="test")
    log = tmp_path / "a.log"
    log.write_bytes(line(datetime(2026, 2, 10, 10, tzinfo=UTC)))
    ingest(tmp_path / "store", [log], policy=policy, now=datetime(2026, 2, 27, 0, 5, tzinfo=UTC))
    for day, late in ((27, set()), (28, set()), (29, {"retention"})):
        now = datetime(2026, 2, 1, 0, 1, tzinfo=UTC) + (day - 1) * DAY
        assert broken(verify(tmp_path / "store", now=now)) == late


def test_a_hold_that_ends_before_its_day_goes(tmp_path: Path) -> None:
    """A day is held until the hold ends, also where its age comes only later."""
    held = '[[hold]]\nscope = "2026-11-20"\nbasis = "a claim"\nowner = "legal"\nuntil = {}\n'
    policy = parse_policy(PLAIN + held.format("2026-11-25"), where="test")
    log = tmp_path / "a.log"
    log.write_bytes(line(datetime(2026, 11, 20, 10, tzinfo=UTC)))
    ingest(tmp_path / "store", [log], policy=policy)
    found = verify(tmp_path / "store", now=NOW)
    assert notes(found, "age") == ("access/date=2026-11-20 is held until 2026-11-25",)


def test_an_earlier_clock(store: Path) -> None:
    """A commit more than a day ahead of the clock, not one that is less."""
    assert verify(store, now=NOW - DAY).holds
    assert broken(verify(store, now=NOW - DAY - timedelta(seconds=1))) == {"clock"}


def test_a_cell_put_aside_and_restored(store: Path) -> None:
    """Where a good copy stands in for a damaged cell, no line is lost."""
    good = cell(store).read_bytes()
    quarantine(store)
    restored = cell(store).with_name("hour-10.restored.parquet")
    file_in(store, str(restored.relative_to(store)), good)
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert len(notes(found, "quarantine")) == 1


def test_damage_within_a_sealed_day(store: Path) -> None:
    """A day of which a cell is damaged is not called too rare: what it held is not known."""
    path = cell(store, SEALED)
    path.write_bytes(path.read_bytes()[:-9])
    found = verify(store, now=NOW)
    assert broken(found) == {"readable", "conservation"}
    assert SEALED in notes(found, "minimum")[0]


def test_a_deletion_whose_end_was_not_recorded(store: Path) -> None:
    """A crash between the deletion and its record: what is gone is gone, and the note says so."""
    append_deletion(store, "2026-11-09", "begun")
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert "2026-11-09" in notes(found, "deletions")[0]


def test_a_deletion_record_that_is_gone(store: Path) -> None:
    """Where lines were deleted and no entry says so, the record was lost: that is noted, and no text of it repeated."""
    assert not notes(verify(store, now=NOW), "deletions")
    (store / "_loganon/deletions.jsonl").unlink()
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert notes(found, "deletions") == ("the deletion record is empty, and the records name 70 deleted lines",)


def test_a_held_day_that_was_deleted(tmp_path: Path) -> None:
    """Under the store's own policy, before the hold's end: it breaks the hold. Under another, or after: it does not."""
    hold = '[[hold]]\nscope = "2026-11-05"\nbasis = "b"\nowner = "o"\nuntil = 2026-11-21\n[fields]'
    log = tmp_path / "a.log"
    log.write_bytes(log_of(range(19, 21), "a"))
    ingest(tmp_path / "store", [log], policy=parse_policy(PLAIN.replace("[fields]", hold), where="held"))
    mine = LocalStore.open(tmp_path / "store").policy.sha256
    entry = {"partition": "2026-11-05", "rows": 1, "bytes": 1, "files": 1, "rule": "r", "state": "done", "version": 1}
    for time, sha256, breaks in (
        ("2026-11-20T23:00:00+00:00", mine, True),
        ("2026-11-21T00:00:00+00:00", mine, False),
        ("2026-11-20T23:00:00+00:00", "0" * 64, False),
    ):
        told = json.dumps(entry | {"time": time, "policy_sha256": sha256}) + "\n"
        file_in(tmp_path / "store", "_loganon/deletions.jsonl", told.encode())
        found = verify(tmp_path / "store", now=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
        assert broken(found) == ({"deletions"} if breaks else set()), found.errors
        if breaks:
            assert 'this breaks hold "2026-11-05".until' in str(found.errors[0])


def test_an_unfinished_change_of_policy(store: Path, tmp_path: Path) -> None:
    """While two tables stand nothing is said of either, no figure is given, and the way out is named, by the command,
    too."""
    journal = {"version": 2, "files": [], "directories": [], "table": "0" * 32}
    file_in(store, "_loganon/commit.json", json.dumps(journal).encode())
    found = verify(store, now=NOW)
    assert broken(found) == {"journal"}
    assert "loganon retain" in str(found.errors[0])
    outcomes = {check.id: check.outcome for check in found.checks}
    assert outcomes["conservation"] == outcomes["address"] == NOT_CHECKED
    assert outcomes["modes"] == outcomes["policy"] == HELD
    assert {bool(figure) for figure in found.figures.values()} == {False}
    done = Inside(tmp_path)("verify", "--store", store, "--now", NOW.isoformat())
    assert done.code == 1, done
    done.message("a change of policy is unfinished", "loganon retain")
    assert "0 lines of 0 sources: 0 stored, 0 deleted, 0 rejected" in done.out


def test_a_label_shaped_like_an_address(store: Path, tmp_path: Path) -> None:
    """The label of a log is the operator's: a note, which does not repeat it."""
    log = tmp_path / "d.log"
    log.write_bytes(log_of(range(19, 20), "d"))
    ingest(store, [log], stream=f"vhost-{ADDRESS}.log")
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert "1 label" in notes(found, "address")[0]
    assert ADDRESS not in json.dumps(found.as_dict())


def test_lists_of_another_version(store: Path) -> None:
    """A domain that other lists let through is judged by its form, so that an upgrade breaks no promise."""
    rewrite(cell(store), put("domain", "fam-schmidt.de"), known_providers="0123456789ab")
    assert verify(store, now=NOW).holds
    rewrite(cell(store), put("domain", "Not A Domain"), known_providers="0123456789ab")
    assert broken(verify(store, now=NOW)) == {"values"}


def test_notes_that_are_no_defect(store: Path) -> None:
    """Versions of four numbers, several versions in one cell, and databases whose type says more than a word."""
    rewrite(cell(store), agents="0.18.0.1; 202611.2.post1", public_suffixes="1.0.2.20261118")
    rewrite(cell(store, OPEN, 11), provider_db_1="DBIP-ASN-Lite (compat=GeoLite2-ASN) 2026-11-01; x:y 2026-12-01")
    found = verify(store, now=NOW)
    assert found.holds, found.errors
    assert found.figures["lists"]["agents"]["0.18.0.1; 202611.2.post1"] == 1


def test_a_file_named_like_an_address(store: Path) -> None:
    """Such a name is not printed."""
    file_in(store, f"access/date={OPEN}/{ADDRESS}.log")
    found = verify(store, now=NOW)
    assert broken(found) == {"foreign"}
    assert findings(found, "foreign")[0].startswith(f"access/date={OPEN}/{{redacted}}:")


def test_what_cannot_be_verified(store: Path, tmp_path: Path) -> None:
    """No store is 78, as everywhere; a damaged `state.json` is 74."""
    with pytest.raises(ConfigurationError):
        verify(tmp_path / "none", now=NOW)
    (store / "_loganon/state.json").write_bytes(b"{")
    with pytest.raises(InputOutputError):
        verify(store, now=NOW)
    (store / "_loganon/state.json").unlink()
    os.mkfifo(store / "_loganon/state.json")  # which nobody writes to
    with pytest.raises(InputOutputError):
        verify(store, now=NOW)


# --- raw logs ---------------------------------------------------------------------------------------------------------


def raw_store(tmp_path: Path, access: str, error: str = "kept 7 days") -> Path:
    text = f'{PLAIN}[raw]\naccess = "{access}"\nerror = "{error}"\n'
    log = tmp_path / "first"
    log.write_bytes(line(NOW))
    ingest(tmp_path / "store", [log], policy=parse_policy(text, where="test"))
    return tmp_path / "store"


def raw_log(tmp_path: Path, name: str, age: timedelta, data: bytes = b"x\n") -> Path:
    path = tmp_path / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    moment = (NOW - age).timestamp()
    os.utime(path, (moment, moment))
    return path


@pytest.mark.parametrize(
    ("access", "name", "age", "holds"),
    [
        ("kept 14 days", "access.log.14.gz", 14 * DAY - timedelta(seconds=1), True),
        ("kept 14 days", "access.log.14.gz", 14 * DAY + timedelta(seconds=1), False),
        ("kept 1 month", "access.log.30.gz", 30 * DAY, True),
        ("kept 1 month", "access.log.30.gz", 32 * DAY, False),
        ("kept unlimited", "access.log.1", 9000 * DAY, True),
        ("kept 14 days", "access.log-20261106", timedelta(), True),  # the end of that day is 14 days and a half ago
        ("kept 14 days", "access.log-20261105.gz", timedelta(), False),  # touched, or copied
        ("kept 14 days", "access-2026-10-01.log", timedelta(), False),
        ("kept 14 days", "access.2026_10_01.log", timedelta(), False),
        ("kept 14 days", "access-2026-02-31.log", timedelta(), True),  # no date
        ("kept 14 days", "access.1020261001.log", timedelta(), True),  # a longer number
        ("kept 14 days", "error.log.8", 8 * DAY, False),
        ("kept 14 days", "terror.log.8", 8 * DAY, True),
        ("kept 14 days", "vhost_error.log.6", 6 * DAY, True),
        ("removed after ingest", "access.log", 2 * DAY, True),
        ("removed after ingest", "access.log.1", 2 * DAY + timedelta(seconds=1), False),
        ("never written", "access.log", timedelta(), False),
    ],
)
def test_raw_logs(access: str, name: str, age: timedelta, holds: bool, tmp_path: Path) -> None:
    """A raw log is as old as its last line: by its last change, or by the date in its name where that is earlier."""
    store = raw_store(tmp_path, access)
    path = raw_log(tmp_path, name, age)
    if "20261106" in name:
        now = NOW - timedelta(hours=12)  # exactly 14 days after the end of that day
        found = verify(store, now=now, raw=[str(path)])
    else:
        found = verify(store, now=NOW, raw=[f"{path.parent}/*"])
    assert (broken(found) == set()) is holds, found.errors
    if not holds:
        assert findings(found, "raw")[0].startswith(str(path))


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (1, True)])
def test_a_raw_log_of_the_last_of_february(seconds: int, late: bool, tmp_path: Path) -> None:
    """The last line of a log is of the day in its name: an age in months runs from that day, not from the next, and
    the finding names it."""
    store = raw_store(tmp_path, "kept 1 month")
    path = raw_log(tmp_path, "access-2026-02-28.log", timedelta())
    now = datetime(2026, 3, 29, 0, 0, seconds, tzinfo=UTC)
    found = findings(verify(store, now=now, raw=[str(path)]), "raw")
    told = f'{path}: a raw log has its last line of 2026-02-28, and the policy says "kept 1 month"'
    assert found == [told] * late


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
def test_raw_logs_that_may_not_be_read(tmp_path: Path) -> None:
    """Where nothing may be looked at nothing is proved; what is found is named by the path that leads to it."""
    raw_store(tmp_path, "never written")
    log = raw_log(tmp_path, "access.log", timedelta())
    words = ("verify", "--store", "store", "--now", NOW.isoformat(), "--raw", "logs/*")
    found = Command(tmp_path)(*words)
    log.parent.chmod(0)
    closed = Command(tmp_path)(*words, preexec_fn=without_override)
    log.parent.chmod(0o700)
    for done, path in ((found, log), (closed, log.parent)):
        assert done.code == 1
        assert f" {path}. " in done.err


@pytest.mark.parametrize("rule", ["kept 14 days", "removed after ingest"])
@pytest.mark.parametrize("moment", [10**12, -(10**12)])
def test_a_raw_log_of_no_year_of_the_calendar(moment: int, rule: str, tmp_path: Path, far_off: Path) -> None:
    """Some file systems keep changes of a year beyond 9999, or before 1: such a log is named, and ends no check; a
    date in its name says its age all the same."""
    store = raw_store(tmp_path, rule)
    for name in ("access.log", f"access-{NOW:%Y-%m-%d}.log"):
        (far_off / name).write_bytes(b"x\n")
        os.utime(far_off / name, (moment, moment))
    found = findings(verify(store, now=NOW, raw=[f"{far_off}/*"]), "raw")
    told = f'{far_off}/access.log: a raw log was last changed in no year of the calendar, and the policy says "{rule}"'
    assert found == [told]


def test_raw_logs_that_hold_nothing(tmp_path: Path) -> None:
    """An empty file holds no address; a pattern that matches nothing is noted; a directory is no log."""
    store = raw_store(tmp_path, "never written")
    raw_log(tmp_path, "access.log", 99 * DAY, b"")
    (tmp_path / "logs/old").mkdir()
    found = verify(store, now=NOW, raw=[f"{tmp_path}/logs/*", f"{tmp_path}/none/*.log"])
    assert found.holds
    assert len(notes(found, "raw")) == 1
    assert next(check for check in found.checks if check.id == "raw").outcome == HELD


@pytest.mark.parametrize(
    ("pattern", "mode", "told"),
    [
        ("logs/*.log", 0o300, "found"),
        ("logs/**/*.log", 0o000, "found"),
        ("logs/in/*.log", 0o600, "found"),  # to be listed, not to be entered
        ("logs/in/*.log", 0o300, ""),  # to be entered, and need not be listed
        ("l*s/*.log", 0o000, "noted"),  # one among others
    ],
)
def test_raw_logs_that_cannot_be_looked_at(pattern: str, mode: int, told: str, tmp_path: Path) -> None:
    """A folder of raw logs that is closed to the user is a finding, and a note where only a wildcard leads there: who
    cannot look does not say that no log is there."""
    store = raw_store(tmp_path, "never written")
    raw_log(tmp_path, "a.log", DAY)
    (tmp_path / "logs/in").mkdir()
    (tmp_path / "logs").chmod(mode)
    try:
        words = ("verify", "--store", store, "--now", NOW.isoformat(), "--json", "--raw", tmp_path / pattern)
        done = Command(tmp_path)(*words, preexec_fn=without_override)
    finally:
        (tmp_path / "logs").chmod(0o700)
    assert done.code == (told == "found"), done
    check = next(check for check in json.loads(done.out)["checks"] if check["id"] == "raw")
    found = [(each["where"], each["clauses"]) for each in check["findings"]]
    assert found == [(str(tmp_path / "logs"), ["raw.access", "raw.error"])] * (told == "found")
    noted = [note for note in check["notes"] if note.startswith(f"{tmp_path}/logs is left out")]
    assert len(noted) == (told == "noted")


def test_raw_logs_in_a_bucket(store: Path) -> None:
    """What lies in a bucket is not looked at, and is said to be not judged, rather than to hold."""
    found = verify(store, now=NOW, raw=["s3://logs/*.gz"])
    assert findings(found, "raw") == [
        "s3://logs/*.gz: raw logs are not judged: they lie in a bucket, whose own rules delete them"
    ]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command(store: Path, tmp_path: Path) -> None:
    """Exit 0 and a table of all checks; with a defect exit 1, the check marked, and one line for each finding."""
    command = Inside(tmp_path)
    words = ("verify", "--store", store, "--now", "2026-11-21T12:00:00Z")
    done = command(*words)
    assert (done.code, done.err) == (0, "")
    assert all(check in done.out for check in CHECKS)
    assert "BROKEN" not in done.out
    cell(store).chmod(0o644)
    done = command(*words)
    assert done.code == 1
    done.message("modes", "mode 0644 instead of 0600", f"access/date={OPEN}/hour-10.parquet")
    assert "BROKEN       modes" in done.out
    assert command(*words, "--quiet").out == ""
    assert json.loads(command(*words, "--messages", "json").err)["where"] == str(cell(store))


def test_the_command_as_json(store: Path, tmp_path: Path) -> None:
    """One object, with every check's answer and every figure; the findings stand in it, too."""
    command = Inside(tmp_path)
    cell(store).unlink()
    done = command("verify", "--store", store, "--now", "2026-11-21T12:00:00Z", "--json")
    assert done.code == 1
    found = done.json
    assert (found["holds"], found["broken"]) == (False, ["conservation"])
    assert [check["id"] for check in found["checks"]] == list(CHECKS)
    assert set(found["figures"]) == set(module.FIGURES)
    assert len(next(check for check in found["checks"] if check["id"] == "conservation")["findings"]) == 1


def test_many_findings_of_one_kind(store: Path, tmp_path: Path) -> None:
    """Beyond fifty of a check the rest is counted on standard error, and listed in the JSON."""
    for number in range(60):
        file_in(store, f"access/x{number}")
    command = Inside(tmp_path)
    done = command("verify", "--store", store, "--now", "2026-11-21T12:00:00Z", "--json")
    assert len(done.err.splitlines()) == 51
    assert "foreign: 10 more findings" in done.err
    assert len(next(check for check in done.json["checks"] if check["id"] == "foreign")["findings"]) == 60


def test_no_store(tmp_path: Path) -> None:
    """78, one line, nothing on standard output."""
    done = Inside(tmp_path)("verify", "--store", tmp_path / "none")
    assert (done.code, done.out) == (78, "")
    done.message("there is no store")


def test_many_stores(store: Path, tmp_path: Path) -> None:
    """Without --store all of a configuration file, each by its own `raw`; one that cannot be read spoils no other."""
    for name in ("bad", "lost"):
        shutil.copytree(store, tmp_path / "stores" / name, symlinks=True)
    shutil.copytree(store, tmp_path / "stores" / "good", symlinks=True)
    cell(tmp_path / "stores" / "bad").chmod(0o644)
    (tmp_path / "stores/lost/_loganon/state.json").write_bytes(b"{")
    config = tmp_path / "loganon.toml"
    inputs = [
        f'[[input]]\nlogs = "{name}.log"\nstore = "stores/{name}"\nraw = "raw-{name}*"\n'
        for name in ("good", "bad", "lost", "coming")
    ]
    config.write_text("".join(inputs))
    (tmp_path / "raw-good.log").write_bytes(b"x")
    os.utime(tmp_path / "raw-good.log", (0, 0))
    command = Inside(tmp_path)
    words = ("verify", "--config", config, "--now", "2026-11-21T12:00:00Z")
    done = command(*words, "--json")
    assert done.code == 74
    good, bad, lost = done.json["stores"]
    assert (good["exit_code"], good["broken"]) == (1, ["raw"])
    assert (bad["exit_code"], bad["broken"]) == (1, ["modes"])
    assert (lost["exit_code"], len(lost["errors"])) == (74, 1)
    text = command(*words)
    assert text.out.count("\nclosed list\n") == 2
    assert len(text.err.splitlines()) == 3
