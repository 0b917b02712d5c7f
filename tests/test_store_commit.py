"""A commit: what is counted, expired, refused; the cells it leaves; the journal it goes through."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loganon.aggregate import merge
from loganon.errors import ConfigurationError, InputOutputError
from loganon.store import Batch, ConflictError, Limits, LocalStore, Record
from loganon.store import held as held_module
from loganon.store.cell import Footer, decode_cell, encode_cell, join_notes
from loganon.store.folds import cap_cell
from loganon.store.layout import CellName
from loganon.store.records import decode_record, encode_record
from support.store_cases import NOW, SPEC, TODAY, at, back, commit, feed, make_store, part, requests_of, rows_of, table
from support.store_disk import Counted, Killed, kill_at

HOURS = st.builds(at, st.sampled_from([back(2), back(1), TODAY]), st.integers(0, 2))
LINES = st.lists(st.tuples(HOURS, st.sampled_from(["/a", "/b", "/c"])), max_size=12)


@hypothesis_settings(max_examples=12)
@given(st.lists(LINES, min_size=1, max_size=4))
def test_any_cut_into_commits_counts_the_same(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[object]]
) -> None:
    """However lines are cut into commits, the table is that of one commit of all, row for row in order."""
    path = tmp_path_factory.mktemp("cut")
    one, many = make_store(path / "one"), make_store(path / "many")
    lines = [line for some in parts for line in some]
    feed(one, "a-source", lines)  # type: ignore[arg-type]  # hypothesis gives lines
    for some in parts:
        feed(many, "a-source", some, rejected=1)  # type: ignore[arg-type]  # hypothesis gives lines
    assert rows_of(one.path) == rows_of(many.path)
    assert requests_of(one.path) == Counter(lines)
    assert many.records()["a-source"].lines == {"counted": len(lines), "malformed": len(parts)} or not lines
    assert all(balance.holds for balance in many.balances().values())
    shutil.rmtree(path)


def test_a_cell_is_a_plain_parquet_file(tmp_path: Path) -> None:
    """A cell has the table's schema, none nullable, unique sorted rows, our footer, no library's metadata, zstd."""
    store = make_store(tmp_path / "s")
    feed(store, "a-source", [(at(TODAY), "/b"), (at(TODAY), "/a"), (at(TODAY), "/b")])
    feed(store, "b-source", [(at(TODAY), "/a")])
    file = pq.ParquetFile(store.path / CellName(TODAY, 0).path)
    assert file.schema_arrow.remove_metadata() == SPEC.schema
    assert [row["file"] for row in file.read().to_pylist()] == ["/a", "/b"]
    notes = {k.decode(): v.decode() for k, v in file.metadata.metadata.items() if k != b"ARROW:schema"}
    assert json.loads(notes.pop("loganon.lines")) == {"a-source": 3, "b-source": 1}
    assert json.loads(notes.pop("loganon.records"))["records"].keys() == {"a-source", "b-source"}
    assert notes == {
        "loganon.store": store.uuid,
        "loganon.schema": "1",
        "loganon.policy": "imos",
        "loganon.policy_sha256": "ab" * 32,
        "loganon.sealed": "false",
        "loganon.rows": "2",
        "loganon.writer": "",
        "loganon.lists": "1",
    }
    assert {file.metadata.row_group(0).column(n).compression for n in range(len(SPEC.schema))} == {"ZSTD"}
    found = pl.scan_parquet(f"{store.path}/access/*/*.parquet").select(pl.col("requests").sum()).collect().item()
    assert found == 4


def test_equal_cells_are_equal_bytes() -> None:
    """The bytes of a cell depend on its rows and footer alone."""
    rows = merge([table([(at(TODAY), "/a"), (at(TODAY), "/b")])], SPEC)
    footer = Footer("u", "imos", "ab", {"b": 1, "a": 1}, sealed=False, rows=2)
    assert encode_cell(rows, footer) == encode_cell(rows, replace(footer, lines={"a": 1, "b": 1}))
    with pytest.raises(ValueError, match="own keys"):
        encode_cell(rows, replace(footer, notes={"sealed": "true"}))


def test_notes_of_all_commits_stay() -> None:
    """Versions that a cell has seen are each named once."""
    assert join_notes({"db": "1; 2", "list": "a"}, {"db": "2", "x": "y"}) == {"db": "1; 2", "list": "a", "x": "y"}
    assert join_notes({"db": "2"}, {"db": "1"}) == {"db": "1; 2"}


def test_lines_before_the_cutoff_expire_in_the_commit(tmp_path: Path) -> None:
    """Lines that were counted before the cutoff rose are counted as expired and make no partition."""
    store = make_store(tmp_path / "s")
    lines = [(at(back(3)), "/old"), (at(back(3), 1), "/old"), (at(back(2)), "/new")]
    with store.locked() as held:
        held.raise_cutoff(back(2))
        done = commit(held, "a-source", lines, rejected=2)
    assert (done.expired, done.cells_written) == ({"a-source": 2}, 1)
    assert store.records()["a-source"].lines == {"counted": 1, "expired": 2, "malformed": 2}
    assert done.records == store.records()
    assert [found.day for found in store.partitions()] == [back(2)]
    assert store.balances()["a-source"].holds


def test_a_batch_that_was_overtaken_is_refused(tmp_path: Path) -> None:
    """A batch whose record has moved on or is gone, or exists though it should be new, is not counted at all."""
    store = make_store(tmp_path / "s")
    lines = [(at(TODAY), "/a")]
    stale = Batch(table(lines), (part("a-source", None, lines),))
    feed(store, "a-source", lines)
    first = store.records()["a-source"]
    feed(store, "a-source", lines)
    before = requests_of(store.path)
    with store.locked() as held:
        for batch in (stale, Batch(table(lines), (part("a-source", first, lines),))):
            with pytest.raises(ConflictError):
                held.commit(batch, SPEC, now=NOW, writer=None, footer={})
        gone = Batch(table(lines), (part("b-source", replace(first, id="b-source"), lines),))
        with pytest.raises(ConflictError):
            held.commit(gone, SPEC, now=NOW, writer=None, footer={})
        assert requests_of(store.path) == before
        commit(held, "a-source", lines)
    assert requests_of(store.path) == Counter(lines * 3)


def test_without_the_test_of_generations_lines_are_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the test above fails where the generation is not compared."""

    def agreeing(self: held_module.Held, batch: Batch) -> dict[str, Record | None]:
        return {p.after.id: self.records().get(p.after.id) for p in batch.sources}

    monkeypatch.setattr(held_module.Held, "_agreeing", agreeing)
    with pytest.raises(pytest.fail.Exception):
        test_a_batch_that_was_overtaken_is_refused(tmp_path)


def test_another_policy_drops_the_batch(tmp_path: Path) -> None:
    """A batch made under a policy that is no longer the store's is refused."""
    store = make_store(tmp_path / "s")
    path = store.path / "_loganon" / "store.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"policy": document["policy"] | {"sha256": "cd" * 32}}))
    with pytest.raises(ConfigurationError, match="policy"):
        feed(store, "a-source", [(at(TODAY), "/a")])


def test_rows_and_lines_must_agree(tmp_path: Path) -> None:
    """A batch whose requests are not its counted lines, cell by cell, is a programming error: nothing is written."""
    store = make_store(tmp_path / "s")
    lines = [(at(TODAY), "/a")]
    with store.locked() as held:
        for rows, wrong in (([(at(TODAY, 1), "/a")], lines), (lines * 2, lines), ([], lines), (lines, [])):
            with pytest.raises(ValueError, match="not its counted lines"):
                held.commit(Batch(table(rows), (part("a-source", None, wrong),)), SPEC, now=NOW, writer=None, footer={})
        odd = [(at(TODAY) + timedelta(minutes=1), "/a")]
        with pytest.raises(ValueError, match="start of its hour"):
            held.commit(Batch(table(odd), (part("a-source", None, odd),)), SPEC, now=NOW, writer=None, footer={})
    assert (store.records(), requests_of(store.path)) == ({}, {})


def test_writers_keep_their_own_cells(tmp_path: Path) -> None:
    """Two writers of one hour have a file each; readers add them up."""
    store = make_store(tmp_path / "s")
    for writer, source in (("web-1", "a-source"), ("web-2", "b-source")):
        lines = [(at(TODAY), "/a")]
        with store.locked() as held:
            batch = Batch(table(lines), (part(source, None, lines),))
            held.commit(batch, SPEC, now=NOW, writer=writer, footer={})
    names = sorted(path.name for path in store.path.rglob("*.parquet"))
    assert names == ["hour-00.web-1.parquet", "hour-00.web-2.parquet"]
    assert requests_of(store.path) == {(at(TODAY), "/a"): 2}
    with store.locked() as held, pytest.raises(ConfigurationError, match="--writer"):
        held.commit(Batch(table([]), ()), SPEC, now=NOW, writer="Web/1", footer={})


def test_an_unfinished_commit_that_lost_a_file_stops_the_run(tmp_path: Path) -> None:
    """A file of a standing journal that is neither staged nor in place is named and stops all (74); nothing moves."""
    store = make_store(tmp_path / "s")

    def at_the_first_rename(_step: int, operation: str, path: Path) -> None:
        if operation == "rename" and path.suffix == ".parquet":
            raise Killed

    with pytest.raises(Killed):
        feed(LocalStore.open(store.path, files=Counted(at_the_first_rename)), "a-source", [(at(TODAY), "/a")])
    staged = sorted((store.path / "_loganon" / "staging").iterdir())
    staged[0].write_bytes(staged[0].read_bytes()[:-1])
    with pytest.raises(InputOutputError, match=r"neither staged nor in place.*hour-00"), store.locked():
        pass
    assert sorted((store.path / "_loganon" / "staging").iterdir()) == staged


@pytest.mark.parametrize("entry", [{"staged": "../../x"}, {"final": "../x"}, {"final": "_loganon/lock"}, {"size": "1"}])
def test_a_journal_cannot_lead_elsewhere(tmp_path: Path, entry: dict[str, str]) -> None:
    """A `commit.json` with any name that is not the store's own is damage (74)."""
    store = make_store(tmp_path / "s")
    good = {"staged": "a" * 32 + "-000000", "final": CellName(TODAY, 0).path, "size": 1, "sha256": "x"}
    (store.path / "_loganon" / "commit.json").write_text(json.dumps({"version": 1, "files": [good | entry]}))
    with pytest.raises(InputOutputError), store.locked():
        pass


def test_staging_that_no_journal_names_is_cleared(tmp_path: Path) -> None:
    """What a killed run left in staging is gone with the next."""
    store = make_store(tmp_path / "s")
    with pytest.raises(Killed):
        feed(LocalStore.open(store.path, files=Counted(kill_at(8))), "a-source", [(at(TODAY), "/a")])
    assert list((store.path / "_loganon" / "staging").iterdir())
    with store.locked():
        assert not list((store.path / "_loganon" / "staging").iterdir())


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
RECORDS = st.builds(
    Record,
    id=st.just("0123abcd-0"),
    stream=TEXT,
    prefix=st.lists(st.tuples(st.integers(0, 4096), TEXT), max_size=3).map(tuple),
    marker=TEXT,
    done=st.integers(0, 2**60),
    format=TEXT,
    timezone=st.none() | TEXT,
    state=st.lists(TEXT, max_size=3).map(tuple),
    lines=st.dictionaries(TEXT, st.integers(1, 9), max_size=3),
    deleted=st.integers(0, 9),
    newest=MOMENTS,
    committed=MOMENTS,
    generation=st.integers(0, 9),
)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    """Writing and reading a record gives the same record."""
    assert decode_record(encode_record(record), Path("0123abcd-0.json")) == record


@pytest.mark.parametrize(
    "change", [{"done": -1}, {"lines": {"a": "1"}}, {"id": "another-1"}, {"prefix": [1]}, {"newest": "x"}]
)
def test_a_damaged_record_is_an_error(change: dict[str, object]) -> None:
    """A record of any other shape is damage (74); one of a newer version is refused (78)."""
    path = Path("0123abcd-0.json")
    document = json.loads(encode_record(Record("0123abcd-0", "s")))
    with pytest.raises(InputOutputError, match="0123abcd-0"):
        decode_record(json.dumps(document | change).encode(), path)
    with pytest.raises(ConfigurationError):
        decode_record(json.dumps(document | {"version": 2}).encode(), path)


def test_a_cell_of_another_shape_is_refused(tmp_path: Path) -> None:
    """Rows whose columns are not the table's are not merged."""
    rows = merge([table([(at(TODAY), "/a")])], SPEC)
    data = encode_cell(rows, Footer("u", "imos", "ab", {"a": 1}, sealed=False, rows=1))
    other = replace(SPEC, schema=pa.schema([*list(SPEC.schema)[:-1], pa.field("bytes", pa.int64(), nullable=True)]))
    with pytest.raises(InputOutputError):
        decode_cell(data, tmp_path / "c", "u", other)


@given(
    st.lists(
        st.tuples(st.sampled_from(["/a", "/b", "/c", "/d", "{ip}", "other"]), st.booleans()), min_size=1, max_size=30
    ),
    st.integers(2, 8),
    st.integers(1, 4),
)
def test_a_full_cell_keeps_its_sums_and_its_limits(accesses: list[tuple[str, bool]], rows: int, files: int) -> None:
    """Beyond a cap the sums stay, what is kept was served before what was not and is no rarer, and the cap holds."""
    parts = [table([(at(TODAY), file)], success=success) for file, success in accesses]
    full = merge(parts, SPEC)
    found, over = cap_cell(full, SPEC, Limits(rows=rows, files=files))
    assert found.select(["requests", "bytes"]).to_pandas().sum().tolist() == [len(accesses), 10 * len(accesses)]
    kept, named = set(found["file"].to_pylist()), {file for file, _ in accesses if file.startswith("/")}
    gone = named - kept
    assert (over > 0) == bool(gone)
    served, counts = {file for file, success in accesses if success}, Counter(file for file, _ in accesses)
    rank = {file: (file in served, counts[file]) for file in named}
    assert all(rank[out] <= rank[stays] for out in gone for stays in kept & named)
    unnamed = {file for file, _ in accesses} - named
    if gone:
        assert len(kept) <= max(files, len(unnamed | {"other"}))
    fits = full.num_rows <= rows and len(named | unnamed) <= files
    assert fits == (found == full) or not gone


def test_dates_are_dates() -> None:
    """The days of the table are UTC days."""
    assert CellName(date(2026, 1, 1), 23).start == at(date(2026, 1, 1), 23)
