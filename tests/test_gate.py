"""The gate: the last check before anything leaves memory."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.gate import REDACTED, Gate, GateError, check

CASES = Path(__file__).parent / "cases" / "gate"
SCHEMA = pa.schema([("domain", pa.string()), ("file", pa.string()), ("requests", pa.int64())])


def cases(name: str) -> list[str]:
    return [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def table(files: list[str], *, encoded: bool = False, domain: str = ".de") -> pa.Table:
    column = pa.array(files, pa.string())
    return pa.table(
        {
            "domain": [domain] * len(files),
            "file": column.dictionary_encode() if encoded else column,
            "requests": [1] * len(files),
        }
    )


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("value", cases("passed"))
def test_legitimate_names_pass(value: str, encoded: bool) -> None:
    """Versions, times, asset names, templates: as they are."""
    clean, rows = check(table([value], encoded=encoded), SCHEMA)
    assert (clean["file"].to_pylist(), rows) == ([value], 0)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("value", cases("caught"))
def test_shapes_are_redacted(value: str, encoded: bool) -> None:
    """Every spelling of a shape is replaced whole, and its rows are counted."""
    clean, rows = check(table([value, "/a", value], encoded=encoded), SCHEMA)
    assert (clean["file"].to_pylist(), rows) == ([REDACTED, "/a", REDACTED], 2)
    assert clean.schema.field("file").type == (pa.dictionary(pa.int32(), pa.string()) if encoded else pa.string())


PLAIN = st.text(st.sampled_from("abcXYZ/-_ %"), max_size=12)


@given(PLAIN, st.sampled_from(["91.44.26.11", "2003:0:ab::1", "jane@example.org", "jane%2540example.org"]), PLAIN)
def test_a_planted_canary_is_caught_in_every_position(before: str, canary: str, after: str) -> None:
    """With no treatment before it the gate finds its shapes wherever they stand: the test of the gate itself."""
    values = [f"/{before}/{canary}/{after}", f"{before} {canary}", f"{canary} {after}"]
    clean, rows = check(table(values), SCHEMA)
    assert rows == 3
    assert set(clean["file"].to_pylist()) == {REDACTED}


def test_a_row_with_two_bad_values_counts_once() -> None:
    """`redacted` counts lines, not values."""
    clean, rows = check(table(["91.44.26.11", "/a"], domain="jane@example.org"), SCHEMA)
    assert (clean["domain"].to_pylist(), rows) == ([REDACTED, REDACTED], 2)


@given(st.lists(st.sampled_from(["/a", "91.44.26.0/24", "91.44.26.11", "jane@example.org"]), min_size=4, max_size=4))
def test_each_column_is_looked_at(values: list[str]) -> None:
    """One look at all columns together finds what a look at each finds, wherever it stands; networks stay apart."""
    schema = pa.schema([(name, pa.string()) for name in ("a", "b", "c", "d")])
    rows = pa.table([[value, "/plain"] for value in values], schema=schema)
    clean, redacted = check(rows, schema, networks={"c": (24, 48)})
    fine = [
        value == "/a" or (name == "c" and value.endswith("/24")) for name, value in zip("abcd", values, strict=True)
    ]
    wanted = [value if good else REDACTED for good, value in zip(fine, values, strict=True)]
    assert [clean[name].to_pylist() for name in "abcd"] == [[value, "/plain"] for value in wanted]
    assert redacted == (not all(fine))


def test_chunks_and_emptiness() -> None:
    """A column of several chunks, and an empty table."""
    both = pa.concat_tables([table(["/a"]), table(["91.44.26.11", "/b"])])
    clean, rows = check(both, SCHEMA)
    assert (clean["file"].to_pylist(), rows) == (["/a", REDACTED, "/b"], 1)
    assert check(SCHEMA.empty_table(), SCHEMA)[1] == 0


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        ("91.44.26.0/24", True),
        ("2003:0:ab::/48", True),
        ("91.44.26.11/24", False),
        ("91.44.26.0/25", False),
        ("91.44.0.0/16", False),
        ("2003:0:ab:1::/64", False),
        ("2003:0:ab::1/48", False),
        ("91.44.26.0", False),
        ("x91.44.26.0/24", False),
        ("091.44.26.0/24", False),
        ("jane@example.org", False),
    ],
)
def test_a_truncated_network_passes_where_it_is_allowed(value: str, stays: bool) -> None:
    """Exactly the policy's prefix with no bit behind it, and only in its column."""
    clean, rows = check(table([value]), SCHEMA, networks={"file": (24, 48)})
    assert (clean["file"].to_pylist() == [value], rows) == (stays, 0 if stays else 1)
    assert check(table([value]), SCHEMA, networks={"domain": (24, 48)})[1] == 1


@pytest.mark.parametrize(
    "bad",
    [
        pa.table({"file": ["91.44.26.11"], "domain": ["x"], "requests": [1]}),
        pa.table({"domain": ["x"], "file": ["91.44.26.11"], "requests": [1], "user": ["jane"]}),
        pa.table({"domain": ["x"], "file": ["91.44.26.11"], "requests": pa.array([1], pa.int32())}),
        pa.table({"domain": ["x"], "file": pa.array([None, "91.44.26.11"], pa.string())[:1], "requests": [1]}),
        pa.table({"domain": ["x"], "file": pa.array([b"91.44.26.11"]), "requests": [1]}),
        pa.table(
            {
                "domain": ["x"],
                "file": pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([None], pa.string())),
                "requests": [1],
            }
        ),
    ],
)
def test_another_schema_is_an_error_without_values(bad: pa.Table) -> None:
    """Names, order, types and nulls are exact; the message holds no value."""
    with pytest.raises(GateError) as raised:
        check(bad, SCHEMA)
    assert "91.44" not in str(raised.value)
    assert "jane" not in str(raised.value)


def test_the_tests_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with the gate's question always answered no, a canary gets through."""
    monkeypatch.setattr("loganon.gate.personal", lambda values: pl.repeat(value=False, n=len(values), eager=True))
    assert check(table(["91.44.26.11"]), SCHEMA)[1] == 0


NETWORKS = {"file": (24, 48)}
MAYBE = ["91.44.26.0/24", "9.9.9.0/24", "91.44.26.0/25", "91.44.26.1/24", "2003:0:ab::/48", "2003:0:ab::/49"]


@given(
    st.lists(
        st.lists(st.sampled_from(MAYBE + cases("passed")[:20] + cases("caught")[:20]), min_size=1, max_size=8),
        max_size=5,
    )
)
def test_what_is_remembered_changes_nothing(several: list[list[str]]) -> None:
    """Table after table a gate that remembers values says what one says that does not."""
    gate = Gate(SCHEMA, networks=NETWORKS)
    for files in several:
        for encoded in (False, True):
            given_table = table(files, encoded=encoded)
            clean, rows = gate(given_table)
            wanted, redacted = check(given_table, SCHEMA, networks=NETWORKS)
            assert (clean.to_pylist(), rows) == (wanted.to_pylist(), redacted)


def test_only_so_many_values_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound older values are forgotten and looked at again: a gate's memory does not grow with the log."""
    monkeypatch.setattr("loganon.gate._REMEMBERED_BYTES", 200)
    gate, remembered = Gate(SCHEMA, networks=NETWORKS), []
    for start in range(0, 100, 5):
        assert gate(table([f"91.44.{number}.0/24" for number in range(start, start + 5)]))[1] == 0
        assert gate(table(["/from/9.9.9.9"]))[1] == 1
        remembered.append(sum(values.nbytes for values in gate._clean.values()))
    assert 0 < max(remembered) <= 2 * 200
