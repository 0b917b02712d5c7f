"""Which values fold is the same however a table is encoded, and however many values are counted together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.aggregate import are_named, merge
from loganon.store import folds
from loganon.store.cell import Footer, encode_cell, encode_footer
from loganon.store.folds import (
    Limits,
    cap_cell,
    count_values,
    distinct_values,
    find_rare,
    rare_values,
    replace_numbers,
    replace_values,
)
from loganon.threads import in_order
from support.store_cases import SPEC, TIME

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["/a", "/b", "/c", "/d", "other", "unknown", "{ip}"]),
        st.sampled_from([("Firefox", "120"), ("Firefox", "121"), ("Chrome", "120"), ("other-bot", "")]),
        st.booleans(),
        st.integers(1, 4),
    ),
    max_size=30,
)
Rows = list[tuple[str, tuple[str, str], bool, int]]


def cell(rows: Rows, *, coded: bool) -> pa.Table:
    """The rows of one hour, merged."""
    columns = [
        pa.array([0] * len(rows), TIME),
        pa.array([file for file, *_ in rows], pa.string()),
        pa.array([family for _, (family, _), *_ in rows], pa.string()),
        pa.array([major for _, (_, major), *_ in rows], pa.string()),
        pa.array([success for *_, success, _ in rows], pa.bool_()),
        pa.array([requests for *_, requests in rows], pa.int64()),
        pa.array([10] * len(rows), pa.int64()),
    ]
    return merge([pa.table(columns, schema=SPEC.schema)], SPEC, coded=coded)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([1, 3, 100_000]))
def test_a_day_folds_alike_however_it_is_encoded(days: list[Rows], together: int) -> None:
    """The rare values of a day are the same of plain and of coded cells, found by value or by number, in parts or at
    once; and so are the cells without them.
    """
    plain, coded = ([cell(rows, coded=flag) for rows in days] for flag in (False, True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "_TOGETHER", together)
        for fold in SPEC.folds:
            counts = [count_values(table, fold) for table in coded]
            rare = rare_values([count_values(table, fold) for table in plain], fold)
            for one, other, gone in zip(plain, coded, find_rare(counts, fold), strict=True):
                expected = replace_values(one, fold, rare)
                assert replace_numbers(other, fold, gone).cast(SPEC.schema).equals(expected)
                assert replace_values(other, fold, rare).cast(SPEC.schema).equals(expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32).map(Random), st.integers(1, 5000), st.booleans())
def test_values_are_counted_under_the_numbers_that_they_are_replaced_by(random: Random, most: int, coded: bool) -> None:
    """However many values an hour has, in whatever order: the count at each number is that of the number's value."""
    paths = [random.randrange(most) for _ in range(5000)]
    majors = [random.randrange(90) for _ in paths]
    table = pa.table(
        [
            pa.array([0] * len(paths), TIME),
            pa.array([f"/{path}" for path in paths], pa.string()),
            pa.array([f"b{major % 7}" for major in majors], pa.string()),
            pa.array([f"{major}" for major in majors], pa.string()),
            pa.array([True] * len(paths), pa.bool_()),
            pa.array([1] * len(paths), pa.int64()),
            pa.array([10] * len(paths), pa.int64()),
        ],
        schema=SPEC.schema,
    )
    if coded:
        table = table.set_column(1, "file", table["file"].dictionary_encode())
    for fold in SPEC.folds:
        counts = count_values(table, fold)
        assert counts.select(fold.columns).equals(distinct_values(table, fold.columns)[1])
        rows = pl.DataFrame([pl.Series(name, table[name].cast(pa.string())) for name in fold.columns])
        expected = rows.group_by(fold.columns).len().rows()
        assert sorted(counts.rows()) == sorted(expected)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(3, 12), st.integers(2, 5))
def test_a_cell_is_capped_alike_however_it_is_encoded(rows: Rows, most: int, files: int) -> None:
    """A coded cell is cut to the same rows as a plain one, and no request is lost."""
    plain, coded = (cap_cell(cell(rows, coded=flag), SPEC, Limits(most, files)) for flag in (False, True))
    assert (coded[0].cast(SPEC.schema), coded[1]) == plain
    assert sum(plain[0]["requests"].to_pylist()) == sum(requests for *_, requests in rows)


def test_what_is_named() -> None:
    """`unknown`, `other`, `other-bot`, templates, and suffixes where domains stand, are nothing particular; what only
    begins like one of them is: a path without a slash, a domain.
    """
    general = ["unknown", "other", "other-bot", "{ip}", "{invalid}", "{redacted}", "{own}"]
    named = ["unknowns", "others", "/other-bot", "example.de", "", "Firefox"]
    named += ["other-jane.html", "other-schmidt.de", "{jane}", "{user}jane", "{token}/jane", "/{user}"]
    for column in ("file", "domain", "browser", "referrer"):
        answers = are_named(pl.Series([*general, *named]), column).to_list()
        assert answers == [False] * len(general) + [True] * len(named)
        suffixed = column in ("domain", "referrer")
        assert are_named(pl.Series([".de", ".co.uk"]), column).to_list() == [not suffixed] * 2


def test_results_come_in_order_and_so_does_a_failure() -> None:
    """What two threads make comes in the order of the items, of which few are taken ahead; the first failure is the
    caller's.
    """
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 7:
            raise ValueError("seven")
        return -number

    found = in_order(work, items())
    for number in range(7):
        assert next(found) == -number
        assert len(taken) <= number + 3
    with pytest.raises(ValueError, match="seven"):
        next(found)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_another_footer_makes_the_file_that_encoding_makes(rows: Rows) -> None:
    """A cell whose footer alone changes has the very bytes that it has when it is encoded with that footer."""
    table = cell(rows, coded=False)
    before = Footer("u", "imos", "ab", {"a": 1}, sealed=False, rows=len(table), notes={"agents": "1.2"})
    after = replace(before, lines={"a": 1, "b": 22}, sealed=True, notes={})
    assert encode_footer(encode_cell(table, before), after) == encode_cell(table, after)


def test_the_pages_of_another_program_are_written_anew() -> None:
    """Only a file of the library's own version keeps its pages under another footer."""
    table = cell([("/a", ("Firefox", "120"), True, 1)], coded=False)
    footer = Footer("u", "imos", "ab", {"a": 1}, sealed=False, rows=1)
    data = encode_cell(table, footer)
    version = pq.read_metadata(pa.BufferReader(data)).created_by.encode()
    assert encode_footer(data.replace(version, b"x" * len(version)), footer) is None
