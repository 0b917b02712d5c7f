"""A standing store under a tighter policy: what is stored becomes what the new policy would have stored, in one step.

Whatever interrupts it, the store is under the old policy with the old table, or under the new one with the new.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from loganon import job
from loganon.clock import Clock
from loganon.errors import BusyError, CannotWriteError, CheckError, ConfigurationError, InputOutputError, LoganonError
from loganon.policy import Policy, PolicyError, parse_policy
from loganon.rewrite import Applied, apply_policy
from loganon.store import Files, LocalStore, PolicyStamp, local
from loganon.store import swap as swap_module
from loganon.verify import Finding, verify
from support.cli import TIMEOUT, Inside
from support.runs import KEY, NOW, cells, check_store, days, ingest, line, rows_of, table_of
from support.store_cases import snapshot
from support.store_disk import Counted, Disk, Killed, fail_at, kill_at

KILLS = int(os.environ.get("LOGANON_KILLS", "3"))
CUTS = int(os.environ.get("LOGANON_KILLS", "8"))
THOROUGH = "LOGANON_KILLS" in os.environ
OLD = """
name = "old"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[purpose]
evaluate = true
[fields]
domain  = { as = "provider", known_only = false }
time    = { as = "hour" }
file    = { as = "path", minimum = 2 }
browser = { as = "family+major" }
success = { as = "flag" }
bytes   = { as = "sum" }
"""
TIGHT = (
    OLD.replace('"old"', '"new"')
    .replace("known_only = false", "known_only = true")
    .replace('"hour"', '"day"')
    .replace("minimum = 2", "minimum = 4")
    .replace('"family+major"', '"family"')
    .replace('success = { as = "flag" }\n', "")
    .replace("evaluate = true", "evaluate = false")
    .replace("6 weeks", "1 week")
)
"""Tighter in each way: age, fields, values, minimum, purpose."""
SEALED = NOW - timedelta(days=5)
GOES = NOW - timedelta(days=9)  # under TIGHT
CLIENTS = ("p5B2C1A0B.dip0.t-ipconnect.de", "mail.fam-schmidt.de", "91.44.26.11")
LOG = [
    *(line(GOES + timedelta(minutes=n), "/gone", client=CLIENTS[n % 3]) for n in range(4)),
    *(line(SEALED + timedelta(minutes=12 * n), f"/{'aab'[n % 3]}", client=CLIENTS[n % 3], size=n) for n in range(9)),
    *(
        line(NOW - timedelta(minutes=20 * n), f"/{'abc'[n % 3]}/{n}", client=CLIENTS[n % 3], size=n)
        for n in range(1, 9)
    ),
]


def policy(text: str) -> Policy:
    return parse_policy(text, where="p.toml")


def apply(store: Path, text: str, *, now: datetime = NOW, dry_run: bool = False, **clock: Any) -> Applied:
    return apply_policy(store, policy(text), clock=Clock(now, **clock), wait=timedelta(0), dry_run=dry_run)


def make(folder: Path, text: str = OLD, log: list[bytes] = LOG, *, now: datetime = NOW) -> Path:
    """A store under this policy that has counted the log."""
    path = folder / "x.log"
    path.write_bytes(b"".join(log))
    ingest(folder / "store", [path], policy=policy(text), now=now)
    return folder / "store"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store under OLD, not to be changed."""
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A store under OLD."""
    return shutil.copytree(made, tmp_path / "store")


def footers(store: Path) -> list[dict[str, str]]:
    """What each cell says of itself."""
    found = [pq.read_metadata(path).metadata for path in cells(store)]
    return [{key.decode().removeprefix("loganon."): value.decode() for key, value in each.items()} for each in found]


# --- what becomes of what is stored ---------------------------------------------------------------------------------

STEPS = {
    "a dropped column": ('success = { as = "flag" }\n', ""),
    "a dropped measure": ('bytes   = { as = "sum" }\n', ""),
    "a dropped field of two columns": ('browser = { as = "family+major" }\n', ""),
    "hour to day": ('"hour"', '"day"'),
    "no major version": ('"family+major"', '"family"'),
    "known providers only": ("known_only = false", "known_only = true"),
    "known providers and one more": ("known_only = false", 'known = ["fam-schmidt.de"]'),
    "a higher minimum": ("minimum = 2", "minimum = 4"),
    "routes": ("minimum = 2", 'routes = ["/a", "/a/*", "/b/:id"]'),
    "a new minimum": ('as = "family+major"', 'as = "family+major", minimum = 4'),
    "another name": ('"old"', '"other"'),
    "purpose": ("evaluate = true", "evaluate = false"),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_table_is_what_the_new_policy_would_have_stored(store: Path, tmp_path: Path, step: str) -> None:
    """Each tightening by itself: the same rows as a new store under the new policy has of the same log, in cells of the
    same names that carry the new policy, sealed as they were; nothing of the old table is left; conservation holds."""
    old, new = STEPS[step]
    assert old in OLD
    text = OLD.replace(old, new)
    if step == "routes":
        text = text.replace('routes = ["/a",', 'minimum = 2, routes = ["/a",')
    done = apply(store, text)
    (tmp_path / "fresh").mkdir()
    fresh = make(tmp_path / "fresh", text)
    assert table_of(store).schema == table_of(fresh).schema
    assert table_of(store).sort_by("time").to_pylist() == table_of(fresh).sort_by("time").to_pylist()
    assert [path.relative_to(store) for path in cells(store)] == [path.relative_to(fresh) for path in cells(fresh)]
    for one, other in zip(footers(store), footers(fresh), strict=True):
        same = ("policy", "policy_sha256", "rows", "sealed", "writer")
        assert [one[name] for name in same] == [other[name] for name in same]
        assert sorted(json.loads(one["lines"]).values()) == sorted(json.loads(other["lines"]).values())
    assert done.replaced.after.cells == len(cells(store))
    assert list((store / "_loganon" / "staging").iterdir()) == []
    assert not (store / "access" / "_table.json").exists()
    check_store(store)


def test_each_row_counts(store: Path) -> None:
    """All at once: days that are too old go and are recorded, the rest is one cell a day, and no request is lost."""
    before = sum(row["requests"] for row in table_of(store).to_pylist() if row["time"].date() > GOES.date())
    done = apply(store, TIGHT)
    assert done.exit_code == 0
    assert [drop.day for drop in done.plan.drops] == list(done.dropped) == [GOES.date()]
    assert {path.name for path in cells(store)} == {"day.parquet"}
    table = table_of(store)
    assert table.column_names == ["time", "domain", "file", "browser", "requests", "bytes"]
    assert sum(table["requests"].to_pylist()) == before
    assert set(table["domain"].to_pylist()) == {"t-ipconnect.de", ".de", "unknown"}
    assert {row["file"] for row in table.to_pylist() if row["time"].date() == SEALED.date()} == {"/a", "other"}
    check_store(store)
    entries = [json.loads(text) for text in (store / "_loganon" / "deletions.jsonl").read_text().splitlines()]
    assert [(entry["partition"], entry["state"]) for entry in entries] == [
        (str(GOES.date()), "begun"),
        (str(GOES.date()), "done"),
    ]
    assert {entry["policy_sha256"] for entry in entries} == {policy(TIGHT).sha256}


def test_networks_are_shortened(tmp_path: Path) -> None:
    """Shorter prefixes: the networks stored become those that contain them."""
    text = OLD.replace('domain  = { as = "provider", known_only = false }', 'network = { as = "truncated" }')
    log = [
        line(NOW - timedelta(hours=2), client=client) for client in ("91.44.26.11", "91.44.27.1", "2003:1:ab::1", "x")
    ]
    store = make(tmp_path, text, log)
    assert set(table_of(store)["network"].to_pylist()) == {
        "91.44.26.0/24",
        "91.44.27.0/24",
        "2003:1:ab::/48",
        "unknown",
    }
    apply(store, text.replace('"truncated"', '"truncated", v4 = 16, v6 = 32'))
    assert set(table_of(store)["network"].to_pylist()) == {"91.44.0.0/16", "2003:1::/32", "unknown"}
    assert sorted(table_of(store)["requests"].to_pylist()) == [1, 1, 2]


def test_no_record_is_more_exact_than_the_table(store: Path) -> None:
    """Where time is by day from now on, the newest line of a source's record, and of its copies in footers, is."""
    apply(store, OLD.replace('"hour"', '"day"'))
    (record,) = LocalStore.open(store).records().values()
    assert record.newest is not None
    assert record.newest == datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)
    assert f"{NOW.date()}T0" in (text := "".join(each.get("records", "") for each in footers(store)))
    assert f"{NOW.date()}T1" not in text.replace(f'"committed":"{NOW.date()}T1', "")


def test_writers_stay_apart(tmp_path: Path) -> None:
    """A day's cells become one for each writer."""
    for n, writer in enumerate((None, "b")):
        log = tmp_path / f"{n}.log"
        log.write_bytes(b"".join(line(NOW - timedelta(hours=hour), f"/{n}") for hour in (2, 3, 4)))
        ingest(tmp_path / "store", [log], policy=policy(OLD), writer=writer)
    apply(tmp_path / "store", OLD.replace('"hour"', '"day"'))
    assert [path.name for path in cells(tmp_path / "store")] == ["day.b.parquet", "day.parquet"]
    check_store(tmp_path / "store")


def test_runs_go_on(store: Path, tmp_path: Path) -> None:
    """Later runs without --policy work under the new one, know what was counted, and fold by the new minimum; one that
    names the old policy is 78."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join([*LOG, line(NOW - timedelta(minutes=5), "/late"), line(SEALED, "/rare")]))
    apply(store, TIGHT)
    summary = ingest(store, [log])
    assert (summary.policy, summary.counted, summary.already_counted, summary.exit_code) == ("new", 2, len(LOG), 0)
    assert "/rare" not in table_of(store)["file"].to_pylist()
    with pytest.raises(ConfigurationError, match="differs"):
        ingest(store, [log], policy=policy(OLD))


def test_a_run_that_was_reading_is_dropped(store: Path) -> None:
    """What was read, or is to be sealed, under the old policy does not reach a store that is under another by now."""
    before = LocalStore.open(store)
    apply(store, TIGHT)
    kept = snapshot(store)
    with before.locked(timedelta(0)) as held, pytest.raises(ConfigurationError, match="policy has changed"):
        held.seal(policy(OLD).spec, now=NOW + timedelta(days=9))
    assert snapshot(store) == kept


def test_every_promise_is_kept(store: Path) -> None:
    """`verify` finds nothing wrong before or after; an unfinished change is all that it finds while one stands."""
    assert broken_promises(store) == []
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        point = Counted(lambda _step, operation, path: die((operation, path.name) == ("exchange", "access")))
        patch.setattr(local, "Files", lambda: point)
        apply(store, TIGHT)
    assert [finding.where for finding in broken_promises(store)] == ["_loganon/commit.json"]
    apply(store, TIGHT)
    assert broken_promises(store) == []


def broken_promises(store: Path) -> list[Finding]:
    found = verify(store, now=NOW)
    return [finding for check in found.checks for finding in check.findings]


def die(here: bool) -> None:
    if here:
        raise Killed


def test_the_permissions_of_the_table(tmp_path: Path) -> None:
    """A table that a group may read is one for that group afterwards, too, whatever the umask."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(LOG))
    group = grp.getgrgid(os.getgid()).gr_name
    old = policy(OLD)
    stamp = PolicyStamp(old.name, old.sha256, old.canonical)
    LocalStore.create(tmp_path / "store", stamp, key_check=KEY.check, now=NOW, group=group)
    ingest(tmp_path / "store", [log])
    mask = os.umask(0o077)
    try:
        apply(tmp_path / "store", TIGHT)
    finally:
        os.umask(mask)
    for path in (tmp_path / "store" / "access", *(tmp_path / "store" / "access").rglob("*")):
        assert path.stat().st_mode & 0o7777 == (0o2750 if path.is_dir() else 0o640), path
    assert len(cells(tmp_path / "store")) == 2


def test_nothing_to_change(store: Path) -> None:
    """The store's own policy again: nothing is done."""
    before = snapshot(store)
    assert apply(store, OLD).changes == ()
    assert snapshot(store) == before


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("6 weeks", "7 weeks", "keep_for"),
        ("6 weeks", "2 months", "keep_for"),
        ("minimum = 2", "minimum = 0", "fields.file.minimum"),
        ("[purpose]", '[purpose]\nshare = "anonymous"', "purpose.share"),
        ("[purpose]", '[raw]\naccess = "kept 1 day"\n[purpose]', "raw.access"),
        ("[fields]", '[fields]\nnetwork = { as = "truncated" }', "fields.network"),
    ],
)
def test_what_loosens_is_refused(store: Path, old: str, new: str, key: str) -> None:
    """78, each looser change named, also where all else is tighter; nothing is changed; a dry run says the same."""
    before = snapshot(store)
    text = OLD.replace("known_only = false", "known_only = true").replace(old, new)
    for dry_run in (True, False):
        with pytest.raises(PolicyError, match=f"looser in {key}") as raised:
            apply(store, text, dry_run=dry_run)
        assert raised.value.exit_code == 78
        assert len(raised.value.mistakes) == 1
    assert snapshot(store) == before


def test_consent_cannot_be_asked_afterwards(store: Path, tmp_path: Path) -> None:
    """A wish for consent that stored accesses were not held to is refused, but for an empty store."""
    text = OLD.replace("[fields]", '[consent]\nexclude_when = ["DNT"]\n[fields]')
    with pytest.raises(PolicyError, match=r"cannot be brought to the new consent\.exclude_when"):
        apply(store, text)
    (tmp_path / "empty").mkdir()
    empty = make(tmp_path / "empty", OLD, [])
    assert apply(empty, text).new == "old"


def test_the_clock_is_guarded(store: Path) -> None:
    """As in `retain`: a step of the cutoff over 60 days, and a clock far behind, are refused (1); nothing changes."""
    before = snapshot(store)
    far = NOW + timedelta(days=90)
    for now, clock in ((far, {}), (far, {"accept_cutoff": far.date() - timedelta(days=8)}), (NOW - timedelta(3), {})):
        with pytest.raises(CheckError):
            apply(store, TIGHT, now=now, **clock)
        with pytest.raises(CheckError):
            apply(store, TIGHT, now=now, dry_run=True, **clock)
    assert snapshot(store) == before
    assert days(store) != []
    apply(store, TIGHT, now=far, accept_cutoff=far.date() - timedelta(days=6))
    assert days(store) == []
    check_store(store)


def test_the_first_cutoff_is_guarded(tmp_path: Path) -> None:
    """A store that kept without limit has no cutoff whose step would show: what goes at once may not reach back more
    than 60 days either (1), until it is accepted."""
    logged = [line(NOW - timedelta(days=back), f"/{back}") for back in (400, 3)]
    store = make(tmp_path, OLD.replace("6 weeks", "unlimited"), logged)
    before = snapshot(store)
    for dry_run in (True, False):
        with pytest.raises(CheckError, match="394 days past the oldest day"):
            apply(store, OLD.replace("6 weeks", "1 week"), dry_run=dry_run)
    assert snapshot(store) == before
    assert len(days(store)) == 2
    apply(store, OLD.replace("6 weeks", "1 week"), accept_cutoff=NOW.date() - timedelta(days=6))
    assert days(store) == [str(NOW.date() - timedelta(days=3))]
    check_store(store)


def test_what_cannot_be_rewritten(store: Path) -> None:
    """A damaged cell, one in quarantine, and what is no cell: 74, named, nothing is changed."""
    cell = cells(store)[0]
    whole = cell.read_bytes()
    folder = store / "_loganon" / "quarantine" / cell.parent.name
    for place in (
        lambda: cell.write_bytes(whole[:-9]),
        lambda: cell.with_name("note").touch(),
        lambda: folder.mkdir(parents=True),
    ):
        place()
        if folder.exists():
            shutil.copy(cell, folder / f"{16 * 'a'}.{cell.name}")
        before = {name: data for name, data in snapshot(store).items() if "staging" not in name}
        for dry_run in (True, False):
            with pytest.raises(InputOutputError) as raised:
                apply(store, TIGHT, dry_run=dry_run)
            assert raised.value.exit_code == 74
        assert {name: data for name, data in snapshot(store).items() if "staging" not in name} == before
        cell.write_bytes(whole)
        cell.with_name("note").unlink(missing_ok=True)
    shutil.rmtree(folder)
    apply(store, TIGHT)


def test_another_process_holds_it(store: Path) -> None:
    """75; a dry run needs no lock."""
    with LocalStore.open(store).locked(timedelta(0)):
        with pytest.raises(BusyError):
            apply(store, TIGHT)
        apply(store, TIGHT, dry_run=True)


class NoExchange(Files):
    """A file system without `RENAME_EXCHANGE`."""

    def exchange(self, one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(one), None, str(other))


def test_a_file_system_that_cannot(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """73 with the reason, before anything is changed; the store goes on under the old policy."""
    before = snapshot(store)
    with monkeypatch.context() as patch:
        patch.setattr(local, "Files", NoExchange)
        with pytest.raises(CannotWriteError, match="renameat2"):
            apply(store, TIGHT)
        with LocalStore.open(store).locked(timedelta(0)) as held:
            assert held.policy.name == "old"
    assert snapshot(store) == before
    assert list((store / "_loganon" / "staging").iterdir()) == []


def test_a_table_that_is_a_mount(store: Path) -> None:
    """A directory that is mounted cannot be exchanged: 73 before anything is changed, not after the commit point."""
    table = store / "access"
    mounted = subprocess.run(["mount", "--bind", table, table], capture_output=True, check=False)
    if mounted.returncode:
        assert not os.environ.get("LOGANON_SERVERS"), (
            "nothing can be mounted here, and LOGANON_SERVERS says that it can"
        )
        pytest.skip("nothing can be mounted here")
    before = snapshot(store)
    try:
        with pytest.raises(CannotWriteError, match="renameat2"):
            apply(store, TIGHT)
        assert LocalStore.open(store).policy.name == "old"
        assert not (store / "_loganon" / "commit.json").exists()
    finally:
        subprocess.run(["umount", table], check=True)
    with LocalStore.open(store).locked(timedelta(0)):
        pass
    assert snapshot(store) == before
    apply(store, TIGHT)


# --- interrupted ----------------------------------------------------------------------------------------------------

Outcome = tuple[str, Counter[tuple[object, ...]], object]


def outcome(store: Path, files: Files | None = None) -> Outcome:
    """Policy, rows from the cutoff on, and what the records say, after the next lock; all of one moment.

    The cells carry the policy of the store, conservation holds, and nothing of another table is left.
    """
    standing = LocalStore.open(store, files=files)
    with standing.locked(timedelta(0)) as held:
        name, cutoff = held.policy.name, held.cutoff
        assert all(balance.holds for balance in held.balances().values())
        records = {key: (dict(record.lines), record.deleted, record.newest) for key, record in held.records().items()}
        assert {each["policy_sha256"] for each in footers(store)} == {held.policy.sha256}
    rows: Counter[tuple[object, ...]] = Counter()
    for path in cells(store):
        if cutoff is None or path.parent.name >= f"date={cutoff}":
            rows.update({tuple(row.items()): 1 for row in pq.ParquetFile(path).read().to_pylist()})
    assert not list((store / "_loganon" / "staging").iterdir())
    assert not (store / "_loganon" / "commit.json").exists()
    assert {path.name[:5] for path in (store / "access").iterdir()} == {"date="}
    return name, rows, (records, cutoff)


@dataclass(frozen=True, slots=True)
class Truth:
    """Both outcomes, the steps between them, and a copy of the store before each step that follows a change."""

    before: Outcome
    after: Outcome
    steps: list[tuple[str, Path]]
    copies: dict[int, Path]


@pytest.fixture(scope="module")
def truth(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """An application left in peace."""
    folder = tmp_path_factory.mktemp("truth")
    store = shutil.copytree(made, folder / "store")
    before = outcome(store)
    files = Counted()
    copies = {}

    def copy(step: int, _operation: str, _path: Path) -> None:
        if step and not files.steps[step - 1][0].startswith("sync"):  # a kill after a sync leaves what one before does
            copies[step] = shutil.copytree(store, folder / str(step))

    files.act = copy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "Files", lambda: files)
        apply(store, TIGHT)
    return Truth(before, outcome(store), files.steps, copies)


def settled(store: Path, truth: Truth) -> None:
    """The store is whole, under the old policy or the new one; applied once more it comes to the same as in peace."""
    found = outcome(store, Counted())
    assert found in (truth.before, truth.after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "Files", Counted)
        apply(store, TIGHT)
        clock = Clock(NOW)
        _, summary = job.retain(store, clock=clock, wait=timedelta(0), dry_run=False)
    assert summary.errors == []
    assert outcome(store, Counted()) == truth.after
    assert days(store)[0] > str(GOES.date())


def test_the_application_does_something_of_everything(truth: Truth) -> None:
    """What the tests below interrupt: the table is exchanged once for good, old cells go, and a day past its age."""
    operations = [operation for operation, _ in truth.steps]
    assert operations.count("exchange") == 2  # one is the test whether it can be done
    assert {"create", "write", "sync", "rename", "unlink", "mkdir", "rmdir", "append"} <= set(operations)
    assert truth.before[0] == "old"
    assert truth.after[0] == "new"


def test_killed_at_every_operation(truth: Truth) -> None:
    """Killed in place of any operation, also in the middle of a write."""
    reached = []
    for n, store in enumerate(truth.copies.values()):
        found = outcome(store, Counted())
        assert found in (truth.before, truth.after)
        reached.append(found[0])
        if THOROUGH or n % 3 == 0 or reached[-2:] == ["old", "new"]:
            settled(store, truth)
    assert reached == sorted(reached, reverse=True)
    assert set(reached) == {"old", "new"}


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_failed_at_every_operation(
    truth: Truth, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """A failing operation is 73 or 74, or, of what is to be deleted, in the answer; once more it comes to the same."""
    for step in range((error == errno.EIO) * 4, len(truth.steps), 1 if THOROUGH else 11):
        store = shutil.copytree(made, tmp_path / "s")
        with monkeypatch.context() as patch:
            patch.setattr(local, "Files", lambda at=step: Counted(fail_at(at, error)))
            code = 0
            try:
                apply(store, TIGHT)
            except LoganonError as raised:
                code = raised.exit_code
            assert code in (0, 73, 74)
        settled(store, truth)
        shutil.rmtree(store)


def test_half_a_table_does_not_keep_the_disk_full(store: Path, truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for the second table it is 73, and what was written of it is gone at once."""
    point = [n for n, (what, path) in enumerate(truth.steps) if what == "write" and path.suffix == ".parquet"][1]
    with monkeypatch.context() as patch:
        patch.setattr(local, "Files", lambda: Counted(fail_at(point, errno.ENOSPC)))
        with pytest.raises(CannotWriteError):
            apply(store, TIGHT)
    assert list((store / "_loganon" / "staging").iterdir()) == []
    settled(store, truth)


def power_cuts(made: Path, folder: Path, seed: int, truth: Truth, ignored: Callable[[str, Path], bool]) -> None:
    """One schedule: killed at random; then the power fails, or it does not; and again; then peace."""
    dice = random.Random(seed)
    chance = dice.choice((0.0, 0.5, 1.0))
    root = folder / f"{seed}-0"
    root.mkdir()
    shutil.copytree(made, root / "s")
    disk = Disk(root, ignored)
    for number in range(1, 4):
        disk.act = kill_at(len(disk.steps) + int(dice.random() * 1.2 * len(truth.steps)))
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            patch.setattr(local, "Files", lambda on=disk: on)
            apply(root / "s", TIGHT)
        if dice.random() < 0.7:
            root = folder / f"{seed}-{number}"
            disk.cut(root, lambda: 1.0 if dice.random() < chance else dice.choice((0.0, 0.0, 0.3)))
            assert outcome(shutil.copytree(root / "s", folder / f"{seed}-{number}-seen"), Counted()) in (
                truth.before,
                truth.after,
            )
            disk = Disk(root, ignored)
    settled(root / "s", truth)


def test_power_cuts(made: Path, truth: Truth, tmp_path: Path) -> None:
    """Kills and power cuts in a row, operations that were not synced surviving or not: the old or the new, whole."""
    for seed in range(CUTS):
        power_cuts(made, tmp_path, seed, truth, lambda _operation, _path: False)


def test_the_journal_is_gone_before_the_id_goes(made: Path, truth: Truth, tmp_path: Path) -> None:
    """Killed when the journal was unlinked and that was not synced; then a lock; then a power cut that keeps only what
    came after: the journal that is back must still find its table."""
    (tmp_path / "before").mkdir()
    shutil.copytree(made, tmp_path / "before" / "s")
    disk = Disk(tmp_path / "before")
    (point,) = [n for n, (what, path) in enumerate(truth.steps) if (what, path.name) == ("unlink", "commit.json")]
    disk.act = kill_at(point + 1)
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(local, "Files", lambda: disk)
        apply(tmp_path / "before" / "s", TIGHT)
    assert disk.unsafe("commit.json")
    disk.act = None
    with LocalStore.open(tmp_path / "before" / "s", files=disk).locked(timedelta(0)):
        fates = iter([0.0] if disk.unsafe("commit.json") else [])
        disk.cut(tmp_path / "after", lambda: next(fates, 1.0))
    settled(tmp_path / "after" / "s", truth)


SYNCS: dict[str, Callable[[str, Path], bool]] = {
    "files": lambda operation, _: operation == "sync",
    "store": lambda operation, path: operation == "sync_directory" and path.name == "s",
    "_loganon": lambda operation, path: operation == "sync_directory" and path.name == "_loganon",
    "staging": lambda operation, path: operation == "sync_directory" and path.name == "staging",
    "the waiting table": lambda operation, path: operation == "sync_directory" and path.name.endswith("-table"),
    "its partitions": lambda operation, path: operation == "sync_directory" and "-table" in path.parent.name,
}


@pytest.mark.parametrize("missing", SYNCS)
def test_each_sync_is_needed(made: Path, truth: Truth, tmp_path: Path, missing: str) -> None:
    """Control: with one kind of sync left out the power cuts find it."""
    assert broken(made, tmp_path, truth, SYNCS[missing])


def broken(made: Path, folder: Path, truth: Truth, ignored: Callable[[str, Path], bool]) -> bool:
    """True if a schedule finds something wrong."""
    for seed in range(60):
        try:
            power_cuts(made, folder, seed, truth, ignored)
        except (AssertionError, LoganonError, OSError) as error:
            print(seed, repr(error)[:300])
            return True
    return False


def test_the_id_is_needed(made: Path, truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with a table that is exchanged whether or not it already stands the kills find it."""
    monkeypatch.setattr(swap_module, "is_table", lambda _files, folder, _table: "staging" in folder.parts)
    assert broken(made, tmp_path, truth, lambda _operation, _path: False)


def test_readers_see_one_table(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the table's files between any two operations finds the old rows or the new, never both."""
    store = shutil.copytree(made, tmp_path / "store")
    seen = []

    def look(_step: int, operation: str, _path: Path) -> None:
        if operation in ("exchange", "rename", "unlink", "rmdir"):
            seen.append(rows_of(table_of(store)) if cells(store) else None)

    with monkeypatch.context() as patch:
        patch.setattr(local, "Files", lambda: Counted(look))
        before = rows_of(table_of(store))
        apply(store, OLD.replace('"hour"', '"day"'))
    after = rows_of(table_of(store))
    assert before != after
    turn = seen.index(after)
    assert seen[:turn] == [before] * turn
    assert seen[turn:] == [after] * (len(seen) - turn)


def test_what_cannot_be_deleted_is_reported(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of the old table that cannot be deleted (an immutable file) stops nothing: 1, named, tried again."""

    class Guarded(Files):
        def unlink(self, path: Path, *, at: int | None = None) -> None:
            if "-table" in str(path) and path.name.startswith("hour-1"):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
            super().unlink(path, at=at)

    with monkeypatch.context() as patch:
        patch.setattr(local, "Files", Guarded)
        done = apply(store, TIGHT)
        assert done.exit_code == 1
        assert done.errors
        assert all("staging" in str(error) for error in done.errors)
        _, summary = job.retain(store, clock=Clock(NOW), wait=timedelta(0), dry_run=False)
        assert summary.exit_code == 1
    assert {path.name for path in cells(store)} == {"day.parquet"}
    _, summary = job.retain(store, clock=Clock(NOW), wait=timedelta(0), dry_run=False)
    assert summary.exit_code == 0
    assert list((store / "_loganon" / "staging").iterdir()) == []


def test_the_old_table_is_deleted_within_its_bounds(store: Path, tmp_path: Path) -> None:
    """Of a table left in staging only this store's cells go: no link is followed, nothing else is deleted."""
    other = tmp_path / "precious"
    other.mkdir()
    (other / "hour-00.parquet").write_bytes(b"precious")
    left = store / "_loganon" / "staging" / f"{32 * 'a'}-table"
    (left / "date=2026-11-20").mkdir(parents=True)
    (left / "date=2026-11-21").symlink_to(other)
    (left / "date=2026-11-20" / "hour-00.parquet").symlink_to(other / "hour-00.parquet")
    (left / "date=2026-11-20" / "notes").write_bytes(b"precious")
    shutil.copy(cells(store)[0], left / "date=2026-11-20" / "hour-01.parquet")
    (left / "date=2026-11-20" / "hour-02.parquet").write_bytes(b"half a cell")
    _, summary = job.retain(store, clock=Clock(NOW), wait=timedelta(0), dry_run=False)
    assert summary.exit_code == 1
    assert (other / "hour-00.parquet").read_bytes() == b"precious"
    assert sorted(path.name for path in (left / "date=2026-11-20").iterdir()) == ["hour-00.parquet", "notes"]


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(store: Path, tmp_path: Path) -> None:
    """`policy apply` says what changes; a dry run the same, and changes nothing; --json is one object."""
    command = Inside(tmp_path)
    (tmp_path / "new.toml").write_text(TIGHT)
    words = ("policy", "apply", store, "new.toml", "--now", NOW.isoformat())
    before = snapshot(store)
    dry = command(*words, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    for part in ("keep_for", "fields.success", "tighter", "would be rebuilt", f"{GOES.date()}  ", "would be deleted"):
        assert part in dry.out
    told = command(*words, "--dry-run", "--json").json
    assert (told["dry_run"], told["partitions_due"], told["partitions_dropped"]) == (True, [str(GOES.date())], [])
    assert snapshot(store) == before
    done = command(*words, "--json").json
    assert (done["partitions_dropped"], done["old"], done["policy"]) == ([str(GOES.date())], "old", "new")
    assert done["cells"] == told["cells"]
    assert done["rows"] == told["rows"]
    assert "say the same" in command(*words).out
    (tmp_path / "old.toml").write_text(OLD)
    back = command("policy", "apply", store, "old.toml", "--now", NOW.isoformat(), "--json")
    assert (back.code, back.out) == (78, "")
    said = back.err.splitlines()
    keys = ("keep_for", "purpose.evaluate", "time.as", "known_only", "minimum", "browser.as", "fields.success")
    assert len(said) == len(keys)
    assert all(any(key in each for each in said) for key in keys)
    assert command("policy", "diff", "new.toml", store).code == 0
    assert command("policy", "diff", store, "old.toml").code == 1


CHILD = """
import sys
from loganon import job, rewrite
from loganon.cli import main, policy
print("ready", flush=True)
sys.stdin.readline()
main()
"""
"""The command, which waits before it begins so that a kill meets its work rather than its imports."""


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test, whatever becomes of it."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait(TIMEOUT)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


def test_sigkill_at_random(made: Path, truth: Truth, tmp_path: Path, children: list[subprocess.Popen[bytes]]) -> None:
    """The command, killed at a random moment of its work."""
    dice = random.Random(1)
    (tmp_path / "new.toml").write_text(TIGHT)
    whole = 0.0
    for number in range(KILLS + 1):
        store = shutil.copytree(made, tmp_path / "s")
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, "policy", "apply", "s", "new.toml", "--now", NOW.isoformat(), "--quiet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        children.append(process)
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        begun = os.times().elapsed
        process.stdin.write(b"\n")
        process.stdin.flush()
        with suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0, whole) if number else TIMEOUT)
        process.kill()
        process.wait(TIMEOUT)
        whole = whole or os.times().elapsed - begun
        settled(store, truth)
        shutil.rmtree(store)
