"""Columns that somebody else has parsed: the rows that their lines would have given, and nothing else of them."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv as pa_csv

import loganon
from loganon.columns import COLUMNS
from loganon.errors import ConfigurationError, UnreadableInputError
from loganon.policy import parse_policy
from support.runs import AGENT, NOW, PLAIN, line, plain_policy

COUNT = 40
TIMES = [NOW - timedelta(minutes=37 * n, milliseconds=n) for n in range(COUNT)]
CLIENTS = ["91.44.26.11", "p5B2C1A0B.dip0.t-ipconnect.de", "2003::1", "-"]
PATHS = ["/a?q=jane+doe", "/user/jane.doe@example.org/p", "/ip/91.44.26.11/", "/static/app.3f2a9c1b.js"]
STATUSES = [200, 404, 304, 0]
LOG = [
    line(TIMES[n].replace(microsecond=0), PATHS[n % 4], client=CLIENTS[n % 4], status=STATUSES[n % 4], size=n).replace(
        b'" 0 ', b'" 000 '
    )
    for n in range(COUNT)
]


def columns(**others: Any) -> dict[str, Any]:
    """The accesses of `LOG` as columns."""
    each = {
        "time": TIMES,
        "client": [CLIENTS[n % 4] for n in range(COUNT)],
        "path": [PATHS[n % 4] for n in range(COUNT)],
        "agent": [AGENT] * COUNT,
        "status": [STATUSES[n % 4] for n in range(COUNT)],
        "bytes": list(range(COUNT)),
    }
    return {name: values for name, values in {**each, **others}.items() if values is not None}


def table_of(given: Any, **options: Any) -> pa.Table:
    result = loganon.anonymize(given, policy=plain_policy(), **options)
    assert sum(result.rejected.values()) == 0
    return result.table


@pytest.fixture(scope="module")
def truth() -> pa.Table:
    """What the lines give."""
    return table_of(LOG)


# --- the same rows ------------------------------------------------------------------------------------------------


class Older(pd.DataFrame):
    """A frame of pandas as it was before it spoke Arrow's C stream: what one goes through are its columns' names."""

    @property
    def __arrow_c_stream__(self) -> Any:
        raise AttributeError


class Foreign:
    """A frame of neither, nor does it speak Arrow: one of dask."""

    columns = ("time", "client")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


FORMS = {
    "dict": columns,
    "table": lambda: pa.table(columns()),
    "chunked table": lambda: pa.concat_tables([pa.table(columns()).slice(n, 10) for n in range(0, COUNT, 10)]),
    "record batch": lambda: pa.record_batch(columns()),
    "polars": lambda: pl.DataFrame(columns()),
    "polars, categorical": lambda: pl.DataFrame(columns()).with_columns(pl.col("client", "agent").cast(pl.Categorical)),
    "pandas": lambda: pd.DataFrame(columns()),
    "pandas before 2.2": lambda: Older(columns()),
    "pandas, nullable": lambda: pd.DataFrame(columns()).convert_dtypes(),
    "pandas, category": lambda: pd.DataFrame(columns()).astype({"client": "category"}),
    "duckdb": lambda: duckdb.sql("SELECT * FROM given", connection=_database()),
    "columns in another order": lambda: dict(reversed(columns().items())),
    "dictionaries": lambda: pa.table(columns()).set_column(
        1, "client", pa.array(columns()["client"]).dictionary_encode()
    ),
    "dictionaries of views": lambda: pa.table(columns()).set_column(1, "client", _of_views(columns()["client"])),
    "binary": lambda: columns(path=[path.encode() for path in columns()["path"]]),
    "large strings": lambda: columns(agent=pa.array([AGENT] * COUNT, pa.large_string())),
    "string views": lambda: columns(agent=pa.array([AGENT] * COUNT, pa.string_view())),
    "request": lambda: columns(path=None, request=[f"GET {path} HTTP/1.1" for path in columns()["path"]]),
    "time: us": lambda: columns(time=pa.array(TIMES, pa.timestamp("us", "UTC"))),
    "time: ns of another zone": lambda: columns(time=pa.array(TIMES, pa.timestamp("ns", "Asia/Tokyo"))),
    "time: s": lambda: columns(time=pa.array([t.replace(microsecond=0) for t in TIMES], pa.timestamp("s", "UTC"))),
    "time: no zone": lambda: columns(time=[moment.replace(tzinfo=None) for moment in TIMES]),
    "time: ISO": lambda: columns(time=[moment.isoformat() for moment in TIMES]),
    "time: ISO, no offset": lambda: columns(time=[f"{moment:%Y-%m-%d %H:%M:%S}" for moment in TIMES]),
    "time: CLF": lambda: columns(time=[f"{moment:%d/%b/%Y:%H:%M:%S} +0000" for moment in TIMES]),
    "time: epoch s": lambda: columns(time=[int(moment.timestamp()) for moment in TIMES]),
    "time: epoch s, fraction": lambda: columns(time=[moment.timestamp() for moment in TIMES]),
    "time: epoch ms": lambda: columns(time=[int(moment.timestamp() * 1000) for moment in TIMES]),
    "time: epoch ms, fraction": lambda: columns(time=[moment.timestamp() * 1000 + 0.7 for moment in TIMES]),
    "time: epoch ns": lambda: columns(time=[int(moment.timestamp()) * 10**9 for moment in TIMES]),
    "status: text": lambda: columns(status=[str(status) if status else "-" for status in columns()["status"]]),
    "status: int16": lambda: columns(status=pa.array(columns()["status"], pa.int16())),
    "status: float": lambda: columns(status=[float(status) or float("nan") for status in columns()["status"]]),
    "status: float of 16 bits": lambda: columns(status=np.array(columns()["status"], "float16")),
    "status: null": lambda: columns(status=[status or None for status in columns()["status"]]),
    "bytes: text": lambda: columns(bytes=[str(n) if n else "-" for n in range(COUNT)]),
    "bytes: float": lambda: columns(bytes=[float(n) for n in range(COUNT)]),
    "client: null": lambda: columns(client=[None if client == "-" else client for client in columns()["client"]]),
}


def _of_views(texts: list[str]) -> pa.ChunkedArray:
    views = pa.array(texts, pa.string_view())
    return pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(range(len(texts)), pa.int32()), views)])


def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET timezone = 'UTC'")
    database.register("given", pa.table(columns()))
    return database


@pytest.mark.parametrize("form", FORMS)
def test_columns_give_the_rows_of_their_lines(form: str, truth: pa.Table) -> None:
    """Whatever holds them and of whatever accepted type they are."""
    assert table_of(FORMS[form]()).equals(truth)


def test_what_is_left_out_is_unknown() -> None:
    """Only the time must be there; the others give their field's empty answer."""
    table = table_of({"time": TIMES})
    assert table.num_rows == COUNT
    assert set(zip(*(table[n].to_pylist() for n in table.column_names if n != "time"), strict=True)) == {
        ("unknown", "{invalid}", "unknown", "", False, 0)
    }


def test_no_rows() -> None:
    """Columns without a row give an empty, typed table."""
    empty = loganon.anonymize(pa.table(columns()).slice(0, 0), policy=plain_policy())
    assert (empty.table.num_rows, empty.table.schema) == (0, table_of(LOG).schema)


def test_a_line_column_goes_before(truth: pa.Table) -> None:
    """A table with a column `line` holds lines, whatever else it has; so does one of a single unknown name."""
    lines = [each.decode() for each in LOG]
    assert table_of(pa.table({"time": [NOW] * COUNT, "line": lines})).equals(truth)
    assert table_of(pa.table({"value": lines})).equals(truth)
    assert table_of({"line": lines}).equals(truth)
    for beside in ({"line": lines, "status": [200, "-"]}, pd.DataFrame({"line": lines, "status": [200, "-"] * 20})):
        assert table_of(beside).equals(truth)


# --- nothing else -------------------------------------------------------------------------------------------------


def test_other_columns_are_dropped_unread() -> None:
    """Their values are in nothing that is given, of whatever type they are; nor are the client's or the query's."""
    others = {
        "user": ["jane.doe@example.org"] * COUNT,
        "x_forwarded_for": ["203.0.113.77"] * COUNT,
        "Client": ["203.0.113.78"] * COUNT,
        "nested": pa.array([[{"a": "203.0.113.79"}]] * COUNT),
    }
    result = loganon.anonymize(pa.table(columns(**others)), policy=plain_policy())
    assert result.table.column_names == table_of(LOG).column_names
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, result.table.schema) as stream:
        stream.write_table(result.table)
    written = sink.getvalue().to_pybytes() + repr(result).encode()
    for value in ("jane", "203.0.113", "91.44.26", "p5B2C1A0B", "2003::1", "Mozilla"):
        assert value.encode() not in written, value


def test_the_names_that_are_taken() -> None:
    """They are those of the fields' table and of the signals of consent: what the documentation lists."""
    assert {"time", "client", "path", "request", "agent", "status", "bytes", "method", "host", "cookie"} <= COLUMNS
    assert not {"user", "ident", "query", "forwarded", "line"} & COLUMNS


def test_rejected_rows() -> None:
    """Rows that are no access are counted by reason, as lines are, and the others stay as they are."""
    wrong = columns(
        status=["abc", "99", "-1", "2000", *["200"] * 36],
        time=[*TIMES[:5], None, *TIMES[6:]],
        bytes=[1] * 6 + [-5] + [1] * 33,
        agent=[AGENT] * 7 + ["a\0b", "x" * (2 << 20)] + [AGENT] * 31,
    )
    result = loganon.anonymize(wrong, policy=plain_policy())
    assert {reason: n for reason, n in result.rejected.items() if n} == {"malformed": 5, "binary": 1, "too_long": 1}
    assert result.table.num_rows == COUNT - 7
    floats = loganon.anonymize(columns(bytes=[1.5, float("inf"), *[1.0] * 38]), policy=plain_policy())
    assert floats.rejected["malformed"] == 2


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, ZoneInfo("Europe/Berlin")])
def test_a_moment_of_no_calendar_is_a_row_without_a_time(unit: str, zone: ZoneInfo | None) -> None:
    """A timestamp of another year than 1 to 9999 is `malformed`, as a text is; the rows around it stand."""
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    wrong = [-(2**63) + 1, *([2**63 - 1, 2**40 * parts] if unit != "ns" else [])]  # 2**40 s: the year 36812
    given = pa.array([1_700_000_000 * parts, *wrong, None, 1_700_003_600 * parts], pa.timestamp(unit))
    result = loganon.anonymize({"time": given}, policy=plain_policy(), timezone=zone)
    assert (result.table.num_rows, result.rejected["malformed"]) == (2, len(wrong) + 1)
    assert {moment.year for moment in result.table["time"].to_pylist()} == {2023}


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_first_and_the_last_moment_of_the_calendar(unit: str) -> None:
    """All of the last second is in the years 1 to 9999, as it is where texts write it."""
    given = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    typed = loganon.anonymize({"time": pa.array(given, pa.timestamp(unit, "UTC"))}, policy=plain_policy())
    texts = loganon.anonymize({"time": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"]}, policy=plain_policy())
    assert typed.table.num_rows == 2
    assert typed.table.equals(texts.table)


def test_window_and_exclusion(truth: pa.Table) -> None:
    """`now`, `exclude`, the policy's scope and consent hold as for lines."""
    old = columns(time=[NOW - timedelta(days=50), NOW + timedelta(days=2), *TIMES[2:]])
    result = loganon.anonymize(old, policy=plain_policy(), now=NOW, exclude=[{"client": "91.44.0.0/16"}])
    assert (result.rejected["excluded"], result.rejected["future"]) == (10, 1)
    scoped = parse_policy(PLAIN + '[scope]\nsites = ["www.example.org"]\n', where="p")
    hosts = columns(host=["www.example.org", "other.example"] * (COUNT // 2))
    assert loganon.anonymize(hosts, policy=scoped).rejected["excluded"] == COUNT // 2
    consent = parse_policy(PLAIN + '[consent]\nrequire = ["cookie"]\nexclude_when = ["DNT"]\n', where="p")
    for cookie, dnt in (([True, False] * 20, [False] * COUNT), (["a=b", None] * 20, ["0", "1"] * 20)):
        shown = loganon.anonymize(columns(cookie=cookie, dnt=dnt), policy=consent)
        assert shown.rejected["no_consent"] == COUNT // 2
    assert table_of(columns()).equals(truth)


def test_a_zone() -> None:
    """A time without an offset is of the zone that is given; an hour that was shown twice is the first of the two."""
    shown = [datetime(2026, 7, 1, 12), datetime(2026, 10, 25, 2, 30)]  # noqa: DTZ001 - that is the case
    for times in (shown, [f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in shown]):
        result = loganon.anonymize({"time": times}, policy=plain_policy(), timezone=ZoneInfo("Europe/Berlin"))
        found = [moment.astimezone(UTC) for moment in result.table["time"].to_pylist()]
        assert found == [datetime(2026, 7, 1, 10, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC)]
    fixed = timezone(timedelta(hours=-9, minutes=-30))
    for unit in ("s", "ms", "us", "ns"):
        column = pa.array([datetime(2026, 7, 1, 23, 45), None], pa.timestamp(unit))  # noqa: DTZ001 - as above
        result = loganon.anonymize({"time": column}, policy=plain_policy(), timezone=fixed)
        assert result.table["time"].to_pylist() == [datetime(2026, 7, 2, 9, tzinfo=UTC)]


def test_an_offset_is_never_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments of any offset are of their hour in UTC, also where a variable tells pyarrow to ignore offsets."""
    monkeypatch.setenv("PYARROW_IGNORE_TIMEZONE", "1")
    tokyo = [moment.astimezone(ZoneInfo("Asia/Tokyo")) for moment in TIMES]
    for zone in (None, ZoneInfo("Europe/Berlin")):
        for missing in (None, float("nan"), pd.NaT, pd.NA):
            for held in MOMENTS.values():
                result = loganon.anonymize(held([*tokyo, missing]), policy=plain_policy(), timezone=zone)
                assert result.table["time"].to_pylist() == [m.replace(minute=0, second=0, microsecond=0) for m in TIMES]


MOMENTS: dict[str, Any] = {
    "list": lambda moments: {"time": moments},
    "iterator": lambda moments: {"time": iter(moments)},
    "deque": lambda moments: {"time": deque(moments)},
    "array of objects": lambda moments: {"time": np.array(moments, dtype=object)},
    "series of objects": lambda moments: {"time": pd.Series(moments, dtype=object)},
    "frame of objects": lambda moments: pd.DataFrame({"time": pd.Series(moments, dtype=object)}),
}


@pytest.mark.parametrize("form", MOMENTS)
@pytest.mark.parametrize("first", [0, 1])
def test_moments_with_and_without_an_offset(form: str, first: int) -> None:
    """They are refused together in one column, whatever holds it: one of both would be taken for the other."""
    moments = [NOW, NOW.replace(tzinfo=None)]
    with pytest.raises(ConfigurationError, match="the column `time`"):
        loganon.anonymize(MOMENTS[form]([moments[first], moments[1 - first]]), timezone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (columns(time=None), "no column `time`"),
        (columns(time=[date(2026, 1, 1)] * COUNT), "the column `time`"),
        (columns(time=[NOW, NOW.replace(tzinfo=None)] * (COUNT // 2)), "the column `time`"),
        (columns(time=[True] * COUNT), "the column `time`"),
        (columns(client=pa.array([["203.0.113.9"]] * COUNT)), "the column `client`"),
        (columns(client=[1.5] * COUNT), "the column `client`"),
        (columns(status=[200, "203.0.113.9"] * 20), "the column `status`"),
        (columns(agent=[object()] * COUNT), "the column `agent`"),
        (columns(agent=["a"]), "not equally long"),
        ({"remote_addr": ["203.0.113.9"], "ts": [1]}, "no column `time`"),
        (columns(time="2026-11-20T10:00:00Z"), "the column `time`"),
        (columns(time=b"2026-11-20T10:00:00Z"), "the column `time`"),
        (columns(time=dict(enumerate(TIMES))), "the column `time`"),
        (columns(client={"203.0.113.9", "-"}), "the column `client`"),
        (columns(client=pl.Series(["203.0.113.9"] * COUNT, dtype=pl.Object)), "the column `client`"),
        (pl.DataFrame(columns(client=pl.Series([object()] * COUNT, dtype=pl.Object))), "the column `client`"),
        (pd.DataFrame(columns(status=[200, "203.0.113.9"] * 20)), "the column `status`"),
        (pd.DataFrame(columns(client=["203.0.113.9", 200] * 20)), "the column `client`"),
        (pd.Series([200, "203.0.113.9 - -"]), "the column `line`"),
        (pd.Series(["203.0.113.9 - -", 200]), "the column `line`"),
        (pa.table([[NOW], ["203.0.113.9"], ["-"]], ["time", "client", "client"]), "two columns are named `client`"),
        (pa.table([["203.0.113.9"], ["-"]], ["line", "line"]), "two columns are named `line`"),
        (pd.DataFrame([[NOW, "203.0.113.9", "-"]], columns=["time", "client", "client"]), "two columns are named"),
    ],
)
def test_what_is_no_column(given: Any, says: str) -> None:
    """An error that names the column and never a value, also where pandas or pyarrow would quote it. What is no list of
    values is none of rows: neither a text, nor keys, nor a set, nor addresses of Python's objects in memory.
    """
    with pytest.raises(ConfigurationError, match=says) as raised:
        loganon.anonymize(given)
    assert "203.0.113.9" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("kind", [ValueError, TypeError, OverflowError])
def test_what_an_iterator_raises_is_its_callers_own(kind: type[Exception]) -> None:
    """It is passed on as it is: taken for an error of the values, it would hide why the caller's own code failed."""

    def failing() -> Iterator[str]:
        yield "203.0.113.9"
        raise kind("the caller's own")

    with pytest.raises(kind, match="the caller's own"):
        loganon.anonymize(columns(client=failing()))


def test_a_frame_is_not_the_names_of_its_columns() -> None:
    """One that is not known is refused: what one goes through of it are names, which would be taken for lines."""
    with pytest.raises(TypeError, match="Foreign"):
        loganon.anonymize(Foreign(), format="combined")
    assert not hasattr(Older(), "__arrow_c_stream__")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_other_columns_of_a_frame_are_not_looked_at(frame: Any, truth: pa.Table) -> None:
    """Whatever they hold, they hinder nothing; nor does a name of theirs that comes twice."""
    given = frame(columns())
    if frame is pl.DataFrame:
        other = given.with_columns(pl.Series("user", [object()] * COUNT, dtype=pl.Object))
    else:
        other = given.assign(user=["203.0.113.9", 5] * 20, x=1).rename(columns={"x": "user"})
    assert table_of(other).equals(truth)


def failing(rows: int) -> dict[str, Any]:
    """Streams that hold rows and, where they are read, fail at a value which then is in what they say."""
    database = duckdb.connect()
    database.execute(f"CREATE TABLE t AS SELECT if(i < {rows}, '5', '203.0.113.9') AS c FROM range({rows + 1}) r(i)")
    query = database.sql("SELECT current_timestamp AS time, cast(c AS int) AS bytes FROM t")
    csv = io.BytesIO(b"time,bytes\n" + b"2026-11-20T10:00:00Z,5\n" * rows + b"2026-11-20T10:00:00Z,203.0.113.9\n")
    return {
        "relation": query,
        "reader": query.to_arrow_reader(1000),
        "csv": pa_csv.open_csv(csv, read_options=pa_csv.ReadOptions(block_size=10_000)),
    }


@pytest.mark.parametrize("stream", ["relation", "reader", "csv"])
def test_a_stream_that_fails(stream: str) -> None:
    """It fails with an error of ours that says nothing of what stands in it."""
    with pytest.raises(UnreadableInputError, match="the tables cannot be read") as raised:
        loganon.anonymize(failing(3000)[stream])
    assert "203.0.113.9" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()])
def test_long_values_of_a_dictionary(kind: pa.DataType) -> None:
    """A batch holds so many rows as spell out to a bounded size: a column of texts ends at 2 GiB, which few rows of one
    long value can come to. The rows are the same."""
    rows = 3000
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), pa.array(["x" * (1 << 20)], kind))
    given = {"time": [NOW - timedelta(hours=n) for n in range(rows)], "host": long}
    found = list(loganon.batches(given, policy=plain_policy()))
    assert max(each.table.num_rows for each in found) <= 64
    assert pa.concat_tables([each.table for each in found]).equals(table_of({"time": given["time"]}))
    parts = {"time": [NOW] * 100, "host": pa.array([b"x" * (1 << 20)] * 100, pa.large_binary())}
    assert [each.table.num_rows for each in loganon.batches(parts, policy=plain_policy())] == [50, 50]


def test_batches_of_columns(truth: pa.Table) -> None:
    """A reader of record batches, or an iterable of tables, is taken table by table, as it comes."""
    parts = pa.table(columns()).to_batches(max_chunksize=7)
    reader = pa.RecordBatchReader.from_batches(parts[0].schema, iter(parts))
    for given in (reader, iter(parts), [pl.DataFrame(pa.Table.from_batches([part])) for part in parts]):
        found = list(loganon.batches(given, policy=plain_policy()))  # type: ignore[arg-type]  # pyarrow has no types
        assert len(found) == len(parts)
        assert pa.concat_tables([each.table for each in found]).equals(truth)
    drawn = []
    lazy = loganon.batches((drawn.append(part.num_rows) or part for part in parts), policy=plain_policy())
    next(lazy)
    assert drawn == [7]
    unlike = loganon.batches([{"time": [NOW], "client": ["a"]}, {"time": [NOW]}])
    next(unlike)
    with pytest.raises(ConfigurationError, match="lacks the column `client`"):
        next(unlike)
