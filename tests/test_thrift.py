"""Bytes that are no struct of Parquet's end in one error, whatever they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.verify.thrift import read_struct, texts_in

LIST, STRUCT, TEXT = b"\x19", b"\x1c", b"\x18\x02ab"  # field 1: a list, a struct, a text


@pytest.mark.parametrize("inner", [LIST, STRUCT, LIST + STRUCT], ids=["lists", "structs", "both"])
def test_nested_deeper_than_anything_of_parquet(inner: bytes) -> None:
    """However deep: the interpreter's own limit is not reached."""
    with pytest.raises(ValueError, match="too deep"):
        read_struct(inner * 5000)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """A struct within the bytes, or ValueError."""
    try:
        _, end = read_struct(data)
    except ValueError:
        return
    assert 0 < end <= len(data)


def test_texts_and_where_they_stand() -> None:
    """Every text with the numbers of the fields that lead to it."""
    found, end = read_struct(STRUCT + TEXT + b"\x00" + TEXT + b"\x00")
    assert end == len(STRUCT + TEXT + b"\x00" + TEXT + b"\x00")
    assert list(texts_in(found)) == [((1, 1), b"ab"), ((2,), b"ab")]
