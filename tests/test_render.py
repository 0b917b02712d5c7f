"""Lines written again: of the same format, with the permitted values and nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import Chunk, Window
from loganon.errors import ConfigurationError
from loganon.formats import TIMES, Format, load_formats, parse_format
from loganon.lookups import open_lookups
from loganon.lookups.agents import Agents, load_families
from loganon.parse import make_parser
from loganon.parse.clock import parse_times
from loganon.parse.layouts import leaves_of
from loganon.pipeline import Pipeline, build
from loganon.policy import Policy, parse_policy
from loganon.render import make_writer
from loganon.render.rows import Part, gathered, join_rows, text_of
from loganon.render.values import written_times
from support.cli import SAMPLES
from support.runs import PLAIN, plain_policy

FORMATS = load_formats()
ALL = Window(None, None)
LEAST = re.sub(r"(?m)^(domain|file|browser|success|bytes).*\n", "", PLAIN)
"""A policy that keeps the time and nothing else."""


@cache
def pipeline(name: str, policy: Policy | None = None) -> Pipeline:
    """The pipeline whose rows a writer of the format takes."""
    lookups = open_lookups([SAMPLES / "providers.mmdb"])
    return build(policy or plain_policy(), FORMATS[name], lookups, coded=True, timezone=UTC, layouts=True)


def again(name: str, data: bytes, policy: Policy | None = None) -> bytes:
    """The lines of `data`, written again."""
    steps = pipeline(name, policy)
    result = steps(Chunk(data, 0, len(data)), ALL)
    return bytes(make_writer(FORMATS[name], steps.kept)(result.table, result.layouts))


def rows(name: str, data: bytes, policy: Policy | None = None) -> list[dict[str, object]]:
    """The permitted values of each line; all lines are of the format."""
    result = pipeline(name, policy)(Chunk(data, 0, len(data)), ALL)
    assert result.counted == result.lines, "a line was rejected"
    return result.table.to_pylist()


@cache
def refused(name: str, data: bytes) -> frozenset[int]:
    """The numbers of the lines of `data`, none of them empty, that are not of the format."""
    read = make_parser(FORMATS[name], needs=frozenset(), timezone=UTC, max_rejects=len(data))
    return frozenset(reject.line for reject in read(Chunk(data, 0, len(data)), ()).rejects)


def settled(row: dict[str, object]) -> dict[str, object]:
    """A row as it is when its line is read again: a bare public suffix is no host name."""
    return row | ({"domain": "unknown"} if str(row["domain"]).startswith(".") else {})


def good_lines(fmt: Format) -> bytes:
    """The examples of a format that are not refused."""
    return b"".join(example.line.encode() + b"\n" for example in fmt.examples if example.reject is None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", [PLAIN, LEAST], ids=["all fields", "the time only"])
def test_format_is_kept(name: str, text: str) -> None:
    """What is written of a format's examples is of that format and says the same; twice it no longer changes."""
    policy = parse_policy(text, where="test")
    data = good_lines(FORMATS[name])
    once = again(name, data, policy)
    before, after = rows(name, data, policy), rows(name, once, policy)
    assert len(before) > 0
    if "domain" in before[0]:
        before = [settled(row) for row in before]
    assert after == before
    twice = again(name, once, policy)
    assert again(name, twice, policy) == twice


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("common", '- - - [10/Oct/2026:00:00:00 +0000] "-" 200 -'),
        ("combined", '- - - [10/Oct/2026:00:00:00 +0000] "-" 200 - "-" "-"'),
        ("common_vhost", '-:0 - - - [10/Oct/2026:00:00:00 +0000] "-" 200 -'),
        ("combined_vhost", '-:0 - - - [10/Oct/2026:00:00:00 +0000] "-" 200 - "-" "-"'),
    ],
)
def test_stand_ins(name: str, line: str) -> None:
    """What the policy does not keep is written as a value that says nothing, the status as 200."""
    policy = parse_policy(LEAST.replace('"hour"', '"day"'), where="test")
    first = good_lines(FORMATS[name]).splitlines()[0] + b"\n"
    assert again(name, first, policy).decode() == line + "\n"


def test_values_as_written() -> None:
    """Each permitted value stands where its raw one stood; user, referrer and query are gone."""
    data = (
        b'p5b2c1a0b.dip0.t-ipconnect.de jane doe [10/Oct/2026:13:55:36 +0200] "POST /a?mail=x HTTP/1.1" 302 368 '
        b'"https://r.example/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) '
        b'Chrome/120.0.0.0 Safari/537.36"\n'
    )
    assert again("combined", data) == (
        b't-ipconnect.de - - [10/Oct/2026:11:00:00 +0000] "GET /a HTTP/1.0" 200 368 "-" "Chrome/120"\n'
    )


def test_escapes() -> None:
    r"""A quote, a backslash and all that is not printable ASCII is written as \xHH, so that no value ends early."""
    data = '203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a\\"b\\\\\\xc3\\xa9 é HTTP/1.1" 404 - "-" "-"\n'.encode()
    written = again("combined", data)
    assert b'"GET /a\\x22b\\x5C\\xC3\\xA9 \\xC3\\xA9 HTTP/1.0" 400 0 "-" "-"\n' in written
    assert rows("combined", written)[0]["file"] == '/a"b\\é é'


def test_format_without_escapes() -> None:
    """Where a format has no escapes, percent-encoding keeps a quote from ending the value."""
    fmt = parse_format(
        "bare", 'title="t"\nvendor="v"\ndialect="template"\nescape="none"\ntemplate=\'%h %t \\"%r\\"\'\n'
    )
    table = pa.table({"time": pa.array([datetime(2026, 10, 10, tzinfo=UTC)]), "domain": ["a b"], "file": ['/"\\']})
    write = make_writer(fmt, {"time": ("time",), "client": ("domain",), "request": ("file",)})
    assert write(table) == b'a%20b [10/Oct/2026:00:00:00 +0000] "GET /%22%5C HTTP/1.0"\n'


@pytest.mark.parametrize("form", TIMES)
@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - the zone is set below
def test_times(form: str, moment: datetime) -> None:
    """A time written in any form is read as the same moment."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    written = written_times(pl.Series([moment], dtype=pl.Datetime("ms", "UTC")), form)
    assert parse_times(written.cast(pl.Binary).to_arrow().cast(pa.binary()), form).to_pylist() == [moment]


def test_agents() -> None:
    """Every family of the closed list, with and without a version, is read back as itself, and `-` as unknown."""
    ask = Agents()
    for name, _ in load_families().values():
        assert ask(name) == (name, "")
        assert ask(f"{name}/120") == (name, "120")
    assert [ask(agent)[0] for agent in ("-", "other", "other-bot")] == ["unknown", "other", "other-bot"]


# --- JSON lines and columns -----------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["203.0.113.7", "a@ex.example", '"', "\\", "\x00", "\u2028", "{", "-", "#x", "a b\tc", "\ud800", "+", "%"]
    ),
)
VALUES = st.one_of(WORDS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none(), st.booleans())


def keyed(fmt: Format) -> list[dict[str, object]]:
    """The examples of a JSON format as objects."""
    return [json.loads(e.line) for e in fmt.examples if e.reject is None and "\\x" not in e.line]


FEWER = settings(max_examples=max(settings.default.max_examples // 4, 1))  # for each of many formats
JSON_FORMATS = [name for name, fmt in FORMATS.items() if fmt.dialect == "jsonlines"]


@pytest.mark.parametrize("name", JSON_FORMATS)
@FEWER
@given(st.data())
def test_no_object_breaks_out(name: str, data: st.DataObject) -> None:
    """Whatever stands under whichever keys: what is written is one object a line, of the same format, with the same
    permitted values and keys that the format knows, each of the kind that the line had there (or a text).
    """
    record = dict(data.draw(st.sampled_from(keyed(FORMATS[name]))))
    for key in data.draw(st.lists(st.sampled_from([*record, "203.0.113.7", "x"]), max_size=3)):
        record[key] = data.draw(
            st.one_of(VALUES, st.lists(VALUES, max_size=2), st.dictionaries(WORDS, VALUES, max_size=2))
        )
    line = json.dumps(record).encode() + b"\n"
    if refused(name, line):
        return
    once = again(name, line)
    assert once.count(b"\n") == 1
    written = json.loads(once)
    assert [settled(row) for row in rows(name, line)] == rows(name, once)
    before = kinds(record)
    assert all(kind in (before[path], "str") for path, kind in kinds(written).items())
    allowed = {step for leaf in leaves_of(FORMATS[name].columns) for step in leaf.steps}
    assert {step for path in kinds(written) for step in path} <= allowed


def kinds(value: object, path: tuple[object, ...] = ()) -> dict[tuple[object, ...], str]:
    """The kind of each value by its path: a text, a number, null."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in kinds(inner, (*path, key)).items()}
    if isinstance(value, list):
        return {k: v for at, inner in enumerate(value) for k, v in kinds(inner, (*path, at)).items()}
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {path: "number" if number else "null" if value is None else type(value).__name__}


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.dialect == "delimited"])
@FEWER
@given(st.data())
def test_no_value_breaks_out(name: str, data: st.DataObject) -> None:
    """Whatever values stand in the columns: what is written has a value for each column of its header, of the same
    format, with the same permitted values.
    """
    fmt = FORMATS[name]
    assert fmt.columns is not None
    example = data.draw(st.sampled_from([e.line for e in fmt.examples if e.reject is None]))
    *head, last = example.split("\n")
    border = "," if fmt.columns.delimiter == "comma" else "\t" if "\t" in last else " "
    values = last.split(border)
    for at in data.draw(st.lists(st.integers(0, len(values) - 1), max_size=2)):
        values[at] = data.draw(WORDS.filter(lambda word: "\n" not in word))
    line = "\n".join([*head, border.join(values)]).encode("utf-8", "surrogatepass") + b"\n"
    if refused(name, line):
        return
    once = again(name, line)
    assert rows(name, once) == [settled(row) for row in rows(name, line)]
    assert again(name, once) == again(name, again(name, once))


def test_numbers_stay_numbers() -> None:
    """A time that is a number is written as one in its unit, a text as a text in its form, one that is no time, too."""
    line = b'{"msec":1791635156.123,"time_local":"x","timestamp":-5,"time":"10/Oct/2026:14:25:56 +0200",'
    line += b'"@timestamp":"1791635156123","remote_addr":"203.0.113.7","request_uri":"/a","status":404,"bytes":"7"}\n'
    record = json.loads(again("nginx_json", line.replace(b'"time_local":"x",', b"")))
    assert record == {
        "msec": 1791633600,
        "@timestamp": "1791633600000",
        "timestamp": 1791633600,
        "time": "10/Oct/2026:12:00:00 +0000",
        "remote_addr": "unknown",
        "request_uri": "/a",
        "status": 400,
        "bytes": "7",
    }
    assert json.loads(again("nginx_json", line.replace(b'"x"', b'"2026-10-10T12:25:56Z"')))["timestamp"] == 1791633600


def test_a_date_and_a_time_of_day_under_two_keys() -> None:
    """Each is written under its key, in its form, as texts; of a list that is read as one the first stands for all."""
    line = b'{"date":"2026-10-10","time":"14:25:56","c-ip":"203.0.113.7","cs-uri-stem":"/a","sc-status":"404"}\n'
    record = json.loads(again("cloudfront_json", line))
    assert (record["date"], record["time"]) == ("2026-10-10", "14:00:00")
    line = b'{"date":20261010,"time":142556,"timestamp":"1791635156","c-ip":"a","cs-uri-stem":"/a","sc-status":200}\n'
    assert again("cloudfront_json", line) == b""
    line = b'{"ts":1791635156,"request":{"uri":"/a","headers":{"X-Forwarded-For":["a","b"]}},"status":200,"size":1}\n'
    assert json.loads(again("caddy_json", line))["request"]["headers"] == {"X-Forwarded-For": ["-"]}


def test_no_value_ends_early() -> None:
    """A quote, a backslash or a blank in a value stays within it, as the format writes such."""
    text = 'a"b\\cé'
    line = (
        json.dumps({"time": "2026-10-10T14:25:56Z", "RequestPath": f"/{text}", "DownstreamStatus": 200}).encode()
        + b"\n"
    )
    assert json.loads(again("traefik_json", line))["RequestPath"] == f"/{text}"
    data = b'#Fields: date time cs-uri-stem c-ip\n2026-10-10 11:55:13 "/a b" 203.0.113.7\n'
    assert again("w3c", data).splitlines()[-1] == b"2026-10-10 11:00:00 /a%20b unknown"


def test_a_date_in_the_header_only() -> None:
    """Lines that have the time of day only stand under the date of their own time, and no other."""
    data = b"#Date: 2026-10-10 16:44:49\n#Fields: time c-ip cs-uri-stem\n16:44:50 203.0.113.7 /a\n"
    data += b"#Date: 2026-10-11\n00:10:00 - /b\n"
    assert again("w3c", data) == (
        b"#Version: 1.0\n#Date: 2026-10-10\n#Fields: time c-ip cs-uri-stem\n16:00:00 unknown /a\n"
        b"#Version: 1.0\n#Date: 2026-10-11\n#Fields: time c-ip cs-uri-stem\n00:00:00 unknown /b\n"
    )


def test_order_of_lines() -> None:
    """Lines laid out in different ways come out in the order in which they came in."""
    text = '{{"time":"2026-10-10T14:25:56Z","RequestPath":"/{0}","DownstreamStatus":200{1}}}\n'
    lines = [text.format(n, ',"ClientHost":"203.0.113.7"' if n % 3 else "") for n in range(50)]
    out = again("traefik_json", "".join(lines).encode()).splitlines()
    assert [json.loads(line)["RequestPath"] for line in out] == [f"/{n}" for n in range(50)]
    assert ["ClientHost" in json.loads(line) for line in out] == [n % 3 > 0 for n in range(50)]


def test_columns_of_any_encoding() -> None:
    """Plain strings, dictionaries and several chunks give the same lines, and no rows give no bytes."""
    steps = pipeline("combined")
    data = good_lines(FORMATS["combined"])
    table = steps(Chunk(data, 0, len(data)), ALL).table
    plain = table.cast(plain_policy().spec.schema)
    write = make_writer(FORMATS["combined"], steps.kept)
    assert write(plain) == write(table) == write(pa.concat_tables([table.slice(0, 2), plain_coded(table.slice(2))]))
    assert write(table.slice(0, 0)) == b""


def plain_coded(table: pa.Table) -> pa.Table:
    """The table with other dictionaries of the same values."""
    return pa.table(
        {
            name: column.cast(pa.string()).dictionary_encode() if pa.types.is_dictionary(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


@given(st.data())
def test_rows_are_their_parts(data: st.DataObject) -> None:
    """Each row is the texts of its parts, one behind the other, however many texts a part has."""
    rows = data.draw(st.integers(1, 120))
    pieces: list[Part | str] = []
    columns = []
    for texts in data.draw(st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=12), min_size=1, max_size=5)):
        codes = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=rows, max_size=rows))
        between = data.draw(st.text(max_size=3))
        pieces += [Part(pa.array(texts, pa.string()), pl.Series(codes, dtype=pl.UInt32)), between]
        columns.append([texts[code] + between for code in codes])
    lines = ["".join(row) for row in zip(*columns, strict=True)]
    assert join_rows(["<", *pieces]).to_pylist() == ["<" + line for line in lines]
    assert bytes(text_of(gathered(pieces))).decode() == "".join(lines)
    assert bytes(text_of(join_rows(pieces).slice(rows // 2))).decode() == "".join(lines[rows // 2 :])


EDGES = [0, 9, 10, 9999, 10_000, 19_999, 99_999_999, 100_000_000, 2**32 - 1, 2**32, 2**62, -1]


@given(st.lists(st.sampled_from(EDGES) | st.integers(-5, 2**33), min_size=1, max_size=8))
def test_numbers_are_written_as_they_are(numbers: list[int]) -> None:
    """A number has all its digits, and no zero before them."""
    table = pa.table({"time": [datetime(2026, 10, 10, tzinfo=UTC)] * len(numbers), "bytes": pa.array(numbers)})
    fmt = parse_format("plain", 'title="t"\nvendor="v"\ndialect="template"\ntemplate=\'%b %t\'\n')
    write = make_writer(fmt, {"time": ("time",), "bytes": ("bytes",)})
    assert [line.split()[0].decode() for line in bytes(write(table)).splitlines()] == [str(n) for n in numbers]


def test_unwritable() -> None:
    """A dialect without a writer is a configuration error (78), before any line is read."""
    fmt = Format("x", "x", "x", "unheard-of", "")
    with pytest.raises(ConfigurationError) as caught:
        make_writer(fmt, {"time": ("time",)})
    assert caught.value.exit_code == 78
