"""Damaged cells: put aside, never rewritten, recorded, deleted with their date; a good copy comes back beside them."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.store import LocalStore, Quarantined, SealError, check_writer, plan_retention, restored_file
from loganon.store.cell import Footer, encode_cell
from loganon.store.layout import CellName
from support.store_cases import NOW, SPEC, TODAY, at, back, commit, feed, make_store, requests_of, rows_of, snapshot
from support.store_disk import Counted, Disk, Killed, fail_at, kill_at

CELL = CellName(TODAY, 0)
DAMAGE = ["cut", "flip", "empty", "wrong sum", "wrong rows", "no footer"]


def damage(store: LocalStore, kind: str, name: CellName = CELL) -> bytes:
    """The cell's bytes, which now are damaged."""
    path = store.path / name.path
    data = bytearray(path.read_bytes())
    rows = pq.ParquetFile(path).read()
    footer = Footer(store.uuid, "imos", "ab", {"a-source": 50}, sealed=False, rows=rows.num_rows)
    match kind:
        case "cut":
            data = data[:-40]
        case "flip":
            data[len(data) // 8] ^= 1
        case "empty":
            data = bytearray()
        case "wrong sum":
            data = bytearray(encode_cell(rows, replace(footer, lines={"a-source": 49})))
        case "wrong rows":
            data = bytearray(encode_cell(rows, replace(footer, rows=49)))
        case "no footer":
            sink = pa.BufferOutputStream()
            pq.write_table(rows.replace_schema_metadata(None), sink)
            data = bytearray(bytes(sink.getvalue()))
    path.write_bytes(data)
    return bytes(data)


def lying(store: LocalStore) -> dict[str, bytes]:
    """What lies in quarantine, by the cell's name."""
    folder = store.path / "_loganon" / "quarantine"
    return {path.name.split(".", 1)[1]: path.read_bytes() for path in folder.rglob("*.parquet")}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with fifty lines in CELL and one two hours later."""
    made = make_store(tmp_path / "s")
    feed(made, "a-source", [(at(TODAY), f"/{n}") for n in range(50)])
    feed(made, "a-source", [(at(TODAY, 2), "/a")])
    return made


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cell_that_a_batch_meets_is_put_aside(store: LocalStore, kind: str) -> None:
    """Byte for byte it lies in quarantine under its date; the batch stands, in a new cell, and the finding is 74."""
    data = damage(store, kind)
    assert feed(store, "b-source", [(at(TODAY), "/new")]) == 1
    assert lying(store) == {"hour-00.parquet": data}
    assert store.quarantined() == [Quarantined(TODAY, "hour-00.parquet", len(data))]
    assert store.quarantined()[0].restored == "hour-00.restored.parquet"
    assert requests_of(store.path) == {(at(TODAY), "/new"): 1, (at(TODAY, 2), "/a"): 1}
    (entry,) = store.quarantine_log()
    assert {k: entry[k] for k in ("partition", "cell", "size", "reason", "time")} == {
        "partition": TODAY.isoformat(),
        "cell": "hour-00.parquet",
        "size": len(data),
        "reason": "damaged",
        "time": NOW.isoformat(),
    }
    (finding,) = store.findings
    assert finding.exit_code == 74
    assert "hour-00.parquet" in str(finding)
    assert "hour-00.restored.parquet" in str(finding)
    assert store.balances()["b-source"].holds
    assert not store.balances()["a-source"].holds  # fifty lines are missing, and are not forgotten


@pytest.mark.parametrize("kind", ["store", "schema", "columns", "directory", "pipe", "link"])
def test_what_is_not_this_programs_to_judge_stops_the_batch(store: LocalStore, kind: str) -> None:
    """Another store's or a newer program's cell, other columns, and what is no file at all stay untouched (74)."""
    path = store.path / CELL.path
    rows = pq.ParquetFile(path).read()
    footer = Footer(store.uuid, "imos", "ab", {"a-source": 50}, sealed=False, rows=50)
    path.unlink()
    match kind:
        case "store":
            path.write_bytes(encode_cell(rows, replace(footer, store="another")))
        case "schema":
            path.write_bytes(encode_cell(rows, replace(footer, schema=99)))
        case "columns":
            path.write_bytes(encode_cell(rows.append_column("more", rows["file"]), footer))
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(store.path / CellName(TODAY, 2).path)
    before = path.lstat()
    with pytest.raises(LoganonError, match="hour-00") as raised:
        feed(store, "a-source", [(at(TODAY), "/new")])
    assert raised.value.exit_code == 74
    assert path.lstat() == before
    assert (store.quarantined(), store.quarantine_log(), store.findings) == ([], [], [])
    assert feed(store, "a-source", [(at(TODAY, 1), "/a")]) == 1


def test_a_disk_that_fails_is_no_damage(store: LocalStore) -> None:
    """A cell that cannot be read for a failing disk stays where it is, and the batch fails (74)."""

    class Failing(Counted):
        def read(self, path: Path) -> bytes:
            if path.suffix == ".parquet" and "access" in path.parts:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return super().read(path)

    before = snapshot(store.path)
    with pytest.raises(InputOutputError, match="hour-00"):
        feed(LocalStore.open(store.path, files=Failing()), "a-source", [(at(TODAY), "/new")])
    assert snapshot(store.path) == before


def test_a_footer_that_the_disk_cannot_read_is_no_damage(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where only the footer is asked for: the batch fails (74), the cells stay."""

    def failing(_file: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("loganon.store.cell.pq.read_metadata", failing)
        with pytest.raises(InputOutputError):
            feed(store, "a-source", [(at(TODAY, 5), "/new")])
    assert store.quarantined() == []
    assert feed(store, "a-source", [(at(TODAY, 5), "/new")]) == 1


def test_a_new_version_that_is_damaged_does_not_condemn_the_standing_one(store: LocalStore) -> None:
    """What was written and is read back wrong fails the batch; the standing cell is good and stays."""

    class Rotting(Counted):
        def read(self, path: Path) -> bytes:
            data = super().read(path)
            return data[:-1] if path.parent.name == "staging" and data[:4] == b"PAR1" else data

    before = requests_of(store.path)
    with pytest.raises(InputOutputError):
        feed(LocalStore.open(store.path, files=Rotting()), "a-source", [(at(TODAY), "/new")])
    assert (requests_of(store.path), store.quarantined()) == (before, [])


def test_a_seal_puts_a_damaged_cell_aside(tmp_path: Path) -> None:
    """The day is sealed by what is left of it; a day of which nothing is left is not sealed."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(5)), "/a"), (at(back(4)), "/a"), (at(back(4), 1), "/a")])
    for name in (CellName(back(5), 0), CellName(back(4), 1)):
        damage(store, "cut", name)
    with store.locked() as held:
        assert held.seal(SPEC, now=NOW) == (back(4),)
    assert [(q.day, q.file) for q in store.quarantined()] == [
        (back(5), "hour-00.parquet"),
        (back(4), "hour-01.parquet"),
    ]
    assert len(store.findings) == 2
    assert [(p.day, len(p.cells), p.sealed) for p in store.partitions()] == [(back(5), 0, False), (back(4), 1, True)]


def test_another_stores_cell_keeps_only_its_own_day_from_being_sealed(tmp_path: Path) -> None:
    """The other days are sealed, then the error names the cell (74), which stays as it is."""
    store, other = make_store(tmp_path / "s"), make_store(tmp_path / "other")
    feed(store, "a-source", [(at(back(5)), "/a"), (at(back(4)), "/a")])
    feed(other, "a-source", [(at(back(5)), "/a")])
    name = CellName(back(5), 0).path
    shutil.copy(other.path / name, store.path / name)
    with store.locked() as held, pytest.raises(SealError, match=f"date={back(5)}"):
        held.seal(SPEC, now=NOW)
    assert [found.sealed for found in store.partitions()] == [False, True]
    assert (store.path / name).read_bytes() == (other.path / name).read_bytes()


def test_late_lines_meet_a_damaged_cell_of_their_sealed_day(tmp_path: Path) -> None:
    """Late lines are folded against what is left of their sealed day; the damaged cell is put aside."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(4)), "/a")] * 5 + [(at(back(4), 1), "/b")] * 5)
    with store.locked() as held:
        held.seal(SPEC, now=NOW)
    damage(store, "cut", CellName(back(4), 1))
    feed(store, "a-source", [(at(back(4)), "/a"), (at(back(4), 2), "/b")])
    assert [q.file for q in store.quarantined()] == ["hour-01.parquet"]
    assert requests_of(store.path) == {(at(back(4)), "/a"): 6, (at(back(4), 2), "other"): 1}


def test_it_goes_with_its_date(store: LocalStore) -> None:
    """A quarantined cell is gone with its partition, not a day earlier; what was recorded of it stays."""
    damage(store, "cut")
    feed(store, "a-source", [(at(TODAY), "/new")])
    for cutoff, left in ((TODAY, 1), (TODAY + timedelta(days=1), 0)):
        with store.locked() as held:
            held.raise_cutoff(cutoff)
            assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW).failures == ()
        assert len(store.quarantined()) == left
    assert not list((store.path / "_loganon" / "quarantine").iterdir())
    assert len(store.quarantine_log()) == 1


def test_a_cell_that_is_damaged_when_its_day_is_over_is_recorded(store: LocalStore) -> None:
    """It goes with its day, like any other; the record says that it was damaged."""
    damage(store, "cut")
    with store.locked() as held:
        held.raise_cutoff(TODAY + timedelta(days=1))
        assert held.retain(plan_retention(held.partitions(), held.cutoff), NOW).partitions == (TODAY,)
    assert [entry["cell"] for entry in store.quarantine_log()] == ["hour-00.parquet"]
    assert list((store.path / "_loganon" / "quarantine").iterdir()) == []


def test_a_good_copy_comes_back(store: LocalStore, tmp_path: Path) -> None:
    """Put back as `hour-HH.restored.parquet` it is read, sealed, folded against, balanced and deleted as any cell."""
    good = shutil.copy(store.path / CELL.path, tmp_path / "good.parquet")
    damage(store, "cut")
    feed(store, "a-source", [(at(TODAY), "/new")])
    name = restored_file(CELL)
    shutil.copy(good, store.path / "access" / f"date={TODAY}" / name)
    assert store.balances()["a-source"].holds
    feed(store, "a-source", [(at(TODAY), "/new")] * 4 + [(at(TODAY), "/0")])
    assert requests_of(store.path).total() == 57
    later = NOW + timedelta(days=3)
    with store.locked() as held:
        assert held.seal(SPEC, now=later) == (TODAY,)
    assert all(cell.footer and cell.footer.sealed for found in store.partitions() for cell in found.cells)
    assert {row["file"] for row in rows_of(store.path)} == {"other", "/new"}
    assert store.balances()["a-source"].holds
    with store.locked() as held:
        held.raise_cutoff(TODAY + timedelta(days=1))
        assert held.retain(plan_retention(held.partitions(), held.cutoff), later).partitions == (TODAY,)
    assert store.balances()["a-source"].holds
    assert store.records()["a-source"].deleted == 57


def test_an_unsealed_copy_unseals_its_day(tmp_path: Path) -> None:
    """A copy from before the seal may hold rare values: the day is sealed once more, as a whole."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(back(4)), "/a")] * 5 + [(at(back(4), 1), "/rare"), (at(back(4), 1), "/a")])
    good = shutil.copy(store.path / CellName(back(4), 1).path, tmp_path / "good.parquet")
    with store.locked() as held:
        assert held.seal(SPEC, now=NOW) == (back(4),)
    damage(store, "cut", CellName(back(4), 1))
    feed(store, "a-source", [(at(back(4), 1), "/a")])
    shutil.copy(good, store.path / "access" / f"date={back(4)}" / "hour-01.restored.parquet")
    with store.locked() as held:
        assert held.seal(SPEC, now=NOW) == (back(4),)
        assert held.seal(SPEC, now=NOW) == ()
    assert {row["file"] for row in rows_of(store.path)} == {"/a", "other"}


def test_readers_go_on(store: LocalStore) -> None:
    """Partitions are listed although one cell is damaged; the balance is that of the readable ones."""
    damage(store, "cut")
    (found,) = store.partitions()
    assert (found.damaged, found.rows, found.bytes > 0) == ((CELL,), 1, True)
    assert store.balances()["a-source"].live == 1


def take_in(path: Path, files: Counted) -> None:
    """A batch that meets a damaged cell; one that was counted before is not counted again."""
    store = LocalStore.open(path, files=files)
    with store.locked(timedelta(0)) as held:
        if "b-source" not in held.records():
            commit(held, "b-source", [(at(TODAY), "/new")])


@pytest.mark.parametrize("fault", ["kill", "fail", "cut"])
def test_interrupted_at_every_operation(store: LocalStore, tmp_path: Path, fault: str) -> None:
    """Killed, failing or without power at any operation: the cell lies in quarantine once, the batch counts once."""
    data = damage(store, "cut")
    files = Counted()
    take_in(shutil.copytree(store.path, tmp_path / "peace"), files)
    peace = requests_of(tmp_path / "peace")
    for step in range(len(files.steps)):
        path = tmp_path / f"{step}" / "s"
        shutil.copytree(store.path, path)
        match fault:
            case "cut":
                disk = Disk(path)
                disk.act = kill_at(step)
                with suppress(Killed):
                    take_in(path, disk)
                disk.cut(tmp_path / f"{step}-cut", lambda: 0.0)
                path = tmp_path / f"{step}-cut"
            case "kill":
                with suppress(Killed):
                    take_in(path, Counted(kill_at(step)))
            case _:
                with suppress(LoganonError):
                    take_in(path, Counted(fail_at(step, errno.EIO)))
        take_in(path, Counted())
        after = LocalStore.open(path)
        assert lying(after) == {"hour-00.parquet": data}, files.steps[step]
        assert requests_of(path) == peace
        (entry,) = after.quarantine_log()
        assert (path / "_loganon" / "quarantine" / f"date={TODAY}" / entry["file"]).exists()


@pytest.mark.parametrize("fault", ["full disk", "bad sector"])
def test_a_damaged_cell_past_its_day_is_kept_by_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Where it cannot be put aside it is unlinked; where the disk cannot read it, it goes as a damaged one."""
    with store.locked() as held:
        held.raise_cutoff(TODAY + timedelta(days=1))

    def full(_step: int, operation: str, path: Path) -> None:
        if operation in ("append", "create", "mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def unreadable(_file: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files = Counted()
    if fault == "full disk":
        damage(store, "cut")
        files.act = full
    else:
        monkeypatch.setattr("loganon.store.retention.read_footer", unreadable)
    with LocalStore.open(store.path, files=files).locked(timedelta(0)) as held:
        done = held.retain(plan_retention(held.partitions(), held.cutoff), NOW)
    assert done.partitions == (TODAY,)
    assert store.quarantined() == []


def test_no_writer_takes_the_name_of_restored_copies() -> None:
    """`--writer restored` is refused (78): a copy from a backup would replace its cells."""
    with pytest.raises(ConfigurationError, match="restored"):
        check_writer("restored")
