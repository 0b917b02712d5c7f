"""A cell is written the same however its texts are coded, and a day sealed by who wrote it as by anybody else."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.aggregate import merge
from loganon.store import cells
from loganon.store.batch import Batch
from loganon.store.cell import Footer, decode_cell, encode_cell
from loganon.store.cells import Standing
from loganon.store.layout import CellName
from loganon.store.local import LocalStore
from loganon.store.sealing import _sealed
from loganon.store.tallies import Tallies, Tally
from support.store_cases import NOW, SPEC, Line, at, back, make_store, part, rows_of, table

DAY = back(5)
FOOTER = Footer("u", "imos", "ab", {"a": 1}, sealed=False, rows=0)


def coded(plain: pa.Table, *, more: int = 0) -> pa.Table:
    """The rows as a batch has them: with dictionaries in another order, and `more` values that no row has."""
    columns = []
    for field in plain.schema:
        column = plain[field.name].combine_chunks()
        if pa.types.is_string(field.type):
            own = column.dictionary_encode().dictionary.to_pylist()
            values = pa.array([*(f"/nobody/{n}" for n in range(more)), *sorted(own, reverse=True)], field.type)
            column = pa.DictionaryArray.from_arrays(
                pa.array([values.index(v).as_py() for v in column], pa.int32()), values
            )
        columns.append(column)
    return _table(columns)


def _table(columns: list[pa.Array]) -> pa.Table:
    kinds = [column.type for column in columns]
    return pa.table(columns, schema=pa.schema([f.with_type(k) for f, k in zip(SPEC.schema, kinds, strict=True)]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([f"/{n}" for n in range(30)]), min_size=1, max_size=60), st.integers(0, 40))
def test_a_cell_has_the_same_bytes_however_its_texts_are_coded(files: list[str], more: int) -> None:
    """Plain, coded, or with a batch's values that the cell does not have: one file, and no value of others."""
    plain = table([(at(DAY), file) for file in files])
    data = encode_cell(coded(plain, more=more), FOOTER)
    assert data == encode_cell(plain, FOOTER)
    assert pq.read_table(pa.BufferReader(data)).cast(plain.schema).equals(plain)
    found = pq.ParquetFile(pa.BufferReader(data), read_dictionary=["file"]).read()["file"].combine_chunks()
    assert set(found.dictionary.to_pylist()) == set(files)


@pytest.mark.parametrize("length", [30, 3000])
def test_texts_too_long_for_one_page_change_nothing(length: int) -> None:
    """A column's dictionary may be beyond what a page of it takes: the bytes are those of plain texts all the same."""
    plain = table([(at(DAY), f"/{n % 800:0{length}}") for n in range(1200)])
    plain = pa.concat_tables([plain, plain]).combine_chunks()
    data = encode_cell(plain, FOOTER)
    one = _table([c.chunk(0).dictionary_encode() if pa.types.is_string(c.type) else c for c in plain.columns])
    assert data == encode_cell(one, FOOTER)
    assert (len(set(plain["file"].to_pylist())) * length > 1 << 20) == (length == 3000)


def _lines(few: int, many: int) -> list[Line]:
    """Five hours: `many` accesses of one file in each, `few` of another over all; two hours have one of their own."""
    common = [(at(DAY, hour), "/many") for hour in range(5) for _ in range(many)]
    return [*common, *((at(DAY, n % 5), "/few") for n in range(few)), (at(DAY, 1), "/own/1"), (at(DAY, 2), "/own/2")]


def _counted(store: LocalStore, lines: list[Line]) -> None:
    """The lines are committed as a run does it: coded."""
    with store.locked(timedelta()) as held:
        rows = merge([coded(table(lines), more=3)], SPEC, coded=True)
        batch = Batch(rows, (part("a" * 32, held.records().get("a" * 32), lines),))
        held.commit(batch, SPEC, now=NOW, writer=None, footer={})


@pytest.mark.parametrize(("few", "changed"), [(1, 3), (40, 2)])
def test_who_wrote_a_day_seals_it_as_anybody_does(
    tmp_path: Path, few: int, changed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the run that counted a day only those of its cells are decoded in which something is rare; the rows are the
    same as where another process seals it.
    """
    rows, decoded = {}, Counter[str]()
    for name in ("writer", "other"):
        store = make_store(tmp_path / name)
        _counted(store, _lines(few, 30))
        _counted(store, [(at(DAY, 0), "/many"), (at(DAY, 4), "/new")] * 9)  # into cells that stand
        store = store if name == "writer" else LocalStore.open(store.path)

        def noted(*given: object, name: str = name, **more: object) -> object:
            decoded[name] += 1
            return decode_cell(*given, **more)  # type: ignore[arg-type]  # as they came

        with monkeypatch.context() as patch, store.locked(timedelta()) as held:
            patch.setattr(cells, "decode_cell", noted)
            assert held.seal(SPEC, now=NOW) == (DAY,)
        rows[name] = rows_of(store.path)
    assert rows["writer"] == rows["other"]
    assert decoded == {"writer": changed, "other": 5}
    assert {row["file"] for row in rows["writer"]} >= {"/many", "/new", "other"}


def test_a_cell_with_rare_values_is_not_sealed_unread() -> None:
    """Without its rows they would stay in it; one without any keeps its pages."""
    cell = Standing(CellName(DAY, 1, ""), b"pages", None, FOOTER, Tally((1, 2), []))
    assert _sealed(SPEC, {cell.name: [pl.Series([False])] * len(SPEC.folds)}, cell).data == b"pages"
    with pytest.raises(ValueError, match="must be read"):
        _sealed(SPEC, {cell.name: [pl.Series([False, True])] * len(SPEC.folds)}, cell)


def test_a_tally_is_good_for_the_very_bytes(tmp_path: Path) -> None:
    """A cell that somebody has replaced since is read anew, whatever was known of the one before."""
    store = make_store(tmp_path / "store")
    _counted(store, _lines(1, 30))
    older = LocalStore.open(store.path)
    _counted(older, [(at(DAY, 3), "/later")])  # by another process
    with store.locked(timedelta()) as held:
        held.seal(SPEC, now=NOW)
    assert Counter(row["file"] for row in rows_of(store.path) if row["time"] == at(DAY, 3)) == {"/many": 1, "other": 1}


def test_few_tallies_are_kept() -> None:
    """They are known by the file's bytes, until they are forgotten, up to so many values."""
    known, name = Tallies(most=3), CellName(DAY, 1, "")
    tally = Tally((1, 2), [pl.DataFrame({"file": ["/a", "/b"], "requests": [1, 1]})])
    assert known.find(name, b"x") is None
    known.add(name, hashlib.sha256(b"x").hexdigest(), tally)
    assert (known.find(name, b"x"), known.find(name, b"y"), known.full) == (tally, None, True)
    known.add(name, hashlib.sha256(b"y").hexdigest(), tally)
    assert (known.find(name, b"x"), known.find(name, b"y"), known.full) == (None, tally, True)
    known.forget([name, name])
    assert (known.find(name, b"y"), known.full) == (None, False)
