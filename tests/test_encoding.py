"""Texts as dictionaries: the same values, whether or not it was asked which are equal."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon import encoding
from loganon.encoding import Encoding, encoded

VALUES = st.lists(st.sampled_from([b"a", b"b", b"\xff", b"", b"-"]) | st.binary(max_size=3), max_size=12)


@given(st.lists(st.lists(VALUES, max_size=3), max_size=12))
def test_a_text_keeps_its_values(chunks: list[list[list[bytes]]]) -> None:
    """In a flood or not, in pieces or not: the rows are those that were given, and of a known type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_MANY", 3)
        texts = Encoding()
        for pieces in chunks:
            column = pa.chunked_array([pa.array(piece, pa.binary()) for piece in pieces], pa.binary())
            for whole in (column, pa.concat_arrays(column.chunks) if pieces else pa.array([], pa.binary())):
                found = texts("agent", whole)
                assert found.type == pa.dictionary(pa.int32(), pa.binary())
                assert found.to_pylist() == whole.to_pylist() == encoded(whole).to_pylist()


def test_a_flood_is_asked_for_equal_values_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a chunk of nearly distinct values seven are taken as they are; then it is asked again, of each column."""
    monkeypatch.setattr(encoding, "_MANY", 10)
    flood = pa.array([b"%d" % n for n in range(39)] + [b"0"], pa.binary())
    usual = pa.array([b"%d" % (n % 30) for n in range(40)], pa.binary())
    of_column = Encoding()
    sizes = [len(of_column("agent", flood).dictionary) for _ in range(17)]
    assert sizes == [39, *[40] * 7, 39, *[40] * 7, 39]
    assert len(of_column("request", usual).dictionary) == 30
    assert [len(of_column("agent", usual).dictionary) for _ in range(8)] == [*[40] * 7, 30]
    assert [len(of_column("request", usual).dictionary) for _ in range(8)] == [30] * 8


def test_a_number_stays_a_number() -> None:
    """What is no text is given back as it is."""
    column = pa.array([1, 2], pa.int64())
    assert Encoding()("bytes", column) is column
