"""The store in a directory: creation, lock, modes, names."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loganon.errors import BusyError, CannotWriteError, ConfigurationError, InputOutputError
from loganon.store import Files, LocalStore, PolicyStamp, creation
from loganon.store.layout import (
    CellName,
    Layout,
    check_writer,
    is_committable,
    parse_cell,
    parse_partition,
    parse_record,
)
from support.store_cases import KEY, NOW, STAMP, TODAY, at, feed, make_store, part, table


@pytest.fixture(params=[0o000, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def modes_under(path: Path) -> dict[str, int]:
    return {str(f.relative_to(path)): stat.S_IMODE(f.stat().st_mode) for f in [path, *path.rglob("*")]}


def test_a_created_store_is_what_it_was_made_with(tmp_path: Path) -> None:
    """A store that is opened again has the identity, policy and key of its creation, and no cutoff or commit yet."""
    made = make_store(tmp_path / "a" / "b" / "store")
    found = LocalStore.open(tmp_path / "a" / "b" / "store")
    assert (found.uuid, found.policy, found.created) == (made.uuid, STAMP, NOW)
    found.check_key(KEY)
    with pytest.raises(ConfigurationError, match="the key is not"):
        found.check_key("other")
    assert (found.cutoff(), found.last_commit(), found.records()) == (None, None, {})


def test_creation_refuses_what_is_not_empty(tmp_path: Path) -> None:
    """A directory that holds anything foreign, or a file, is no place for a store (78), and stays as it is."""
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="not empty"):
        make_store(tmp_path)
    with pytest.raises(ConfigurationError, match="not a directory"):
        make_store(tmp_path / "holiday.jpg")
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]
    assert LocalStore.open_or_none(tmp_path) is None
    with pytest.raises(ConfigurationError, match="there is no store"):
        LocalStore.open(tmp_path)


def test_creation_refuses_a_table_without_a_store(tmp_path: Path) -> None:
    """A table whose `_loganon` was lost is not taken for an interrupted creation."""
    (tmp_path / "access" / "date=2026-11-21").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="not empty"):
        make_store(tmp_path)


def test_two_creations_make_one_store(tmp_path: Path) -> None:
    """Of two processes that create the same store one creates it and the other takes it; another policy is refused."""
    first, second = make_store(tmp_path / "s"), make_store(tmp_path / "s")
    assert first.uuid == second.uuid
    with pytest.raises(ConfigurationError, match="another store"):
        LocalStore.create(tmp_path / "s", PolicyStamp("other", "cd" * 32, ""), key_check=KEY, now=NOW)


def test_a_store_that_is_made_meanwhile_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at the directory another process may finish the store: that is no foreign directory."""
    (tmp_path / "s").mkdir()
    begun = creation._is_begun

    def late(layout: Layout) -> bool:
        monkeypatch.setattr(creation, "_is_begun", begun)
        make_store(tmp_path / "s")
        return begun(layout)

    monkeypatch.setattr(creation, "_is_begun", late)
    creation.check_place(tmp_path / "s")


@pytest.mark.parametrize("name", ["_loganon/store.json", "_loganon/state.json"])
def test_a_newer_version_is_refused(tmp_path: Path, name: str) -> None:
    """What a newer program wrote is not read (78); damage is an I/O error (74); both name the file."""
    store = make_store(tmp_path / "s")
    path = store.path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(ConfigurationError, match=path.name):
        LocalStore.open(store.path).cutoff()
    path.write_text('{"version": 1')
    with pytest.raises(InputOutputError, match=path.name):
        LocalStore.open(store.path).cutoff()


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    """Files are 0600 and directories 0700 under every umask, also those of a commit."""
    store = make_store(tmp_path / "s")
    feed(store, "source-1", [(at(TODAY), "/a")])
    assert {m for p, m in modes_under(store.path).items() if "." in p.rpartition("/")[2] and p != "."} == {0o600}
    directories = [p for p in [store.path, *store.path.rglob("*")] if p.is_dir()]
    assert {stat.S_IMODE(p.stat().st_mode) for p in directories} == {0o700}


@pytest.mark.usefixtures("umask")
def test_a_group_reads_the_table_and_nothing_else(tmp_path: Path) -> None:
    """With a group the table is 0640 and 2750 and the group's; `_loganon` and all in it stay private."""
    group = __import__("grp").getgrgid(os.getgid()).gr_name
    store = make_store(tmp_path / "s", group=group)
    feed(store, "source-1", [(at(TODAY), "/a")])
    modes = modes_under(store.path)
    cell = CellName(TODAY, 0).path
    assert (modes["."], modes["access"], modes[str(Path(cell).parent)], modes[cell]) == (0o2750, 0o2750, 0o2750, 0o640)
    private = {p: m for p, m in modes.items() if p.startswith("_loganon")}
    assert {m & 0o077 for m in private.values()} == {0}
    assert (store.path / cell).stat().st_gid == os.getgid()
    with pytest.raises(ConfigurationError, match="no group"):
        make_store(tmp_path / "t", group="no-such-group")


def test_one_holds_the_store_at_a_time(tmp_path: Path) -> None:
    """While a process holds the store another is told so (75) when its wait is over, and gets it when it is free."""
    store = make_store(tmp_path / "s")
    holder = store.locked()
    holder.__enter__()
    with pytest.raises(BusyError), store.locked(timedelta(0)):
        pass

    class Patient(Files):
        pauses = 0

        def pause(self, seconds: float) -> None:
            assert seconds < 1
            self.pauses += 1
            if self.pauses == 3:
                holder.__exit__(None, None, None)

    waiting = Patient()
    with LocalStore.open(store.path, files=waiting).locked(timedelta(seconds=60)) as held:
        assert held.cutoff is None
    assert waiting.pauses == 3
    with pytest.raises(ValueError, match="no longer held"):
        held.raise_cutoff(TODAY)


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    """A lock that is a link is an error and nothing is made where it points."""
    store = make_store(tmp_path / "s")
    lock = store.path / "_loganon" / "lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "victim")
    with pytest.raises(InputOutputError), store.locked():
        pass
    assert not (tmp_path / "victim").exists()


def test_readers_need_no_lock(tmp_path: Path) -> None:
    """Cutoff, records and partitions can be read while another process holds the store."""
    store = make_store(tmp_path / "s")
    feed(store, "source-1", [(at(TODAY), "/a"), (at(TODAY, 3), "/b")], rejected=2)
    with store.locked():
        reader = LocalStore.open(store.path)
        assert [p.day for p in reader.partitions()] == [TODAY]
        assert reader.records()["source-1"].lines == {"counted": 2, "malformed": 2}
        assert reader.last_commit() == NOW


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("hour-00.parquet", CellName(TODAY, 0)),
        ("hour-23.web-1.parquet", CellName(TODAY, 23, "web-1")),
        ("day.parquet", CellName(TODAY)),
        ("day.a.parquet", CellName(TODAY, -1, "a")),
        ("hour-24.parquet", None),
        ("hour-1.parquet", None),
        ("hour-00.parquet.tmp", None),
        ("hour-00.A.parquet", None),
        ("hour-00..parquet", None),
        ("hour-00.a.b.parquet", None),
        ("hour-00.parquet\n", None),
        ("day." + "a" * 33 + ".parquet", None),
        (".hour-00.parquet", None),
        ("hour-\u0660\u0660.parquet", None),
    ],
)
def test_only_a_cells_name_is_one(name: str, cell: CellName | None) -> None:
    """Names are matched whole; what is read as a cell is written under the same name."""
    assert parse_cell(TODAY, name) == cell
    assert cell is None or cell.file == name


def test_only_names_of_the_store_are_committed() -> None:
    """A journal cannot lead outside the store's own files."""
    assert is_committable(CellName(TODAY, 1, "w").path)
    assert is_committable("_loganon/sources/0123456789abcdef.json")
    for path in (
        "../x",
        "/etc/passwd",
        "access/date=2026-11-21/../../x",
        "access/date=2026-13-01/day.parquet",
        "_loganon/sources/../lock",
        "_loganon/lock",
        "_loganon/sources/short.json",
        "access/day.parquet",
    ):
        assert not is_committable(path)
    assert parse_partition("date=2026-02-30") is None
    assert parse_record("a/b.json") is None
    with pytest.raises(ConfigurationError, match="--writer"):
        check_writer("A/../b")


def test_an_unwritable_store_is_73(tmp_path: Path) -> None:
    """What cannot be written for want of rights, space or a writable disk is 73; the message names the file."""

    class Full(Files):
        def sync(self, descriptor: int) -> None:
            assert descriptor
            raise OSError(errno.ENOSPC, "No space left on device")

    store = make_store(tmp_path / "s")
    full = LocalStore.open(store.path, files=Full())
    with pytest.raises(CannotWriteError, match=r"No space.*staging"):
        feed(full, "source-1", [(at(TODAY), "/a")])
    assert store.records() == {}
    assert feed(store, "source-1", [(at(TODAY), "/a")]) == 1
    assert part("source-1", None, []).cells == {}
    assert table([]).num_rows == 0
