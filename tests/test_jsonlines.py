"""JSON lines: what is read from an object, what is refused, and that no line changes another."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format, load_formats, parse_format
from loganon.parse import Parsed, make_parser
from loganon.parse.detect import detect, sample_lines
from loganon.parse.json_object import MOST_DEEP, finder, read_object, target
from loganon.parse.jsonlines import JsonLinesParser
from loganon.parse.moments import any_reader, read_times
from loganon.parse.typed import read_bytes, read_status, typed

FORMATS = {name: fmt for name, fmt in load_formats().items() if fmt.dialect == "jsonlines"}
COLUMNS = frozenset({"client", "host", "path", "status", "bytes", "referrer", "agent"})
BOM = b"\xef\xbb\xbf"
NGINX = FORMATS["nginx_json"]
LINE = (
    b'{"time_iso8601":"2026-10-10T14:25:56+02:00","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1",'
    b'"status":"200","body_bytes_sent":"368","http_user_agent":"curl/8.7.1"}'
)


def parse(fmt: Format, data: bytes, *, rejects: int = 1000, fast: bool = True) -> Parsed:
    return JsonLinesParser(fmt, needs=COLUMNS, max_rejects=rejects, fast=fast)(Chunk(data, 0, len(data)), ())


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    names = sorted(parsed.columns)
    return [
        dict(zip(names, row, strict=True)) for row in zip(*(parsed.columns[n].to_pylist() for n in names), strict=True)
    ]


def row(line: bytes) -> dict[str, Any]:
    (found,) = rows(parse(NGINX, line + b"\n"))
    return found


# --- objects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"", b"x", b"1", b'"a"', b"[1]", b"null", b"{", b'{"a":1}{"b":2}', b'{"a":1} x', b'{"a":1,}', b'{"a":NaN}',
        b'{"a":-Infinity}', b'{"a":01}', b'{"a":"\n"}', b'{"a":"\t"}', b"{'a':1}", b'{"a":"\\q"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":' + b"[" * MOST_DEEP + b"]" * MOST_DEEP + b"}", b'{"a":' * 100_000, b"[" * 1_000_000,
    ],
)  # fmt: skip
def test_no_objects(line: bytes) -> None:
    """What is no JSON object, goes on behind it, or is nested too deep, is refused at an offset within the line."""
    at = read_object(line)
    assert isinstance(at, int)
    assert 0 <= at <= len(line)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a":"b"}', "b"),
        (b' \t{ "a" : "b" }\r', "b"),
        (b'{"a":1.50}', "1.50"),
        (b'{"a":' + b"9" * 5000 + b"}", "9" * 5000),
        (b'{"a":"1","a":"2"}', "2"),
        (b'{"a":"{[{[' * 1 + b"[" * 100 + b'"}', "{[{[" + "[" * 100),
        (b'{"a":"\\u0041\\"\\\\\\/\\n"}', 'A"\\/\n'),
        (b'{"a":"\\x41\\x22\\x5C\\x0a\\x5Cx41"}', 'A"\\\n\\x41'),
        (b'{"a":"\\xC3\\xA4"}', "\u00e4"),
        (b'{"a":"\\\\x41"}', "\\x41"),
        (b'{"a":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"z":' + b"[" * (MOST_DEEP - 1) + b"]" * (MOST_DEEP - 1) + b',"a":"b"}', "b"),
        (b'{"a":null}', None),
        (b'{"a":true}', None),
        (b'{"a":["b"]}', None),
        (b"{}", None),
    ],
)
def test_objects(line: bytes, value: str | None) -> None:
    """A value is a string or a number as it is written; of a key that stands twice the last; others are none."""
    record = read_object(line)
    assert isinstance(record, dict)
    assert finder(["a"])(record) == value


def test_paths() -> None:
    """A path goes into objects and arrays; a key with a dot stands in quotes; the first that has a value is read."""
    record = {"a": {"b": ["x", {"c-d": "y"}]}, "id.orig_h": "z", "n": {}, "r": "GET /a b HTTP/1.1"}
    record |= {"l": ["1.2.3.4", "5"], "e": []}
    for path, value in {
        "a.b[0]": "x", "a.b[1].c-d": "y", "a.b[2]": None, "a.b": None, "a.b.c": None, '"id.orig_h"': "z",
        "id.orig_h": None,
        "n[0]": None, "r.x": None, "r|target": "/a b", "l[*]": "1.2.3.4, 5", "a.b[*]": None, "e[*]": None,
        "r[*]": None,
    }.items():  # fmt: skip
        assert finder([path])(record) == value, path
    assert finder(["n.x", "a.b[0]", '"id.orig_h"'])(record) == "x"


def test_a_date_and_a_time_of_day() -> None:
    """Two keys with a blank between them are a date and a time of day, for the time only; both must be there. A key of
    that name with a blank in it comes first.
    """
    record = {"date": "2026-10-10", "a": {"time": "14:25:56"}, "b c": "x", "b": "y", "c": "z", "n": "1"}
    for path, value in {
        "date a.time": "2026-10-10 14:25:56", '"date" "a".time': "2026-10-10 14:25:56", "date x": None, "x date": None,
        "b c": "x", '"b" "c"': "y z", "n date a": None,
    }.items():  # fmt: skip
        assert finder([path], dated=True)(record) == value, path
    assert finder(["date x", "n"], dated=True)(record) == "1"
    assert finder(["date a.time"])(record) is None


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ("GET /a?x=1 HTTP/1.1", "/a?x=1"),
        ("GET /a", "/a"),
        ("/a b", "/a b"),
        ("CONNECT h:443 HTTP/1.1", "-"),
        ("connect h:443", "-"),
        ("", "-"),
        ("hello", "-"),
        ("\x16\x03", "-"),
    ],
)
def test_targets(request_: str, path: str) -> None:
    """Of a request line the target is read; what is none gives no path."""
    assert target(request_) == path


# --- lines ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b'"2026-10-10T12:25:56Z"', True), (b'"2026-10-10T12:25:56.123456789+00:00"', True), (b"1791635156", True),
        (b"1791635156.999", True), (b'"1791635156.999"', True), (b"1791635156999", True), (b"1791635156999000", True),
        (b"1791635156999000000", True), (b"1.791635156e9", True), (b'"10/Oct/2026:12:25:56 +0000"', True),
        (b'"2026/10/10 12:25:56.123"', True), (b'"2026/10/10T12:25:56"', False), (b'"2026/10-10 12:25:56"', False),
        (b'"2026-10-10 12:25:56"', True), (b'""', False), (b"-1", False), (b"1e99", False), (b"9" * 25, False),
        (b'"2026-13-10T12:25:56Z"', False), (b"null", False), (b'"now"', False),
    ],
)  # fmt: skip
def test_times(value: bytes, moment: bool) -> None:
    """ISO 8601, the Common Log Format's, and s, ms, us or ns since 1970; a line without a moment is malformed."""
    line = LINE.replace(b'"2026-10-10T14:25:56+02:00"', value) + b"\n"
    if moment:
        assert row(line)["time"].replace(microsecond=0) == datetime(2026, 10, 10, 12, 25, 56, tzinfo=UTC)
    else:
        assert parse(NGINX, line).rejected == {"malformed": 1}


@pytest.mark.parametrize(
    ("old", "new", "bad"),
    [
        (b'"status":"200"', b'"status":200', False),
        (b'"status":"200"', b'"status":""', False),
        (b'"status":"200"', b'"status":"OKAY"', True),
        (b'"status":"200",', b"", True),
        (b'"body_bytes_sent":"368"', b'"body_bytes_sent":null', False),
        (b'"body_bytes_sent":"368"', b'"body_bytes_sent":-5', True),
        (b'"remote_addr":"203.0.113.7",', b"", True),
        (b'"http_user_agent":"curl/8.7.1"', b'"x":1', False),
    ],
)
def test_values(old: bytes, new: bytes, bad: bool) -> None:
    """Numbers may be strings; a required value that is missing, or one of another type, makes the line malformed."""
    assert parse(NGINX, LINE.replace(old, new) + b"\n").rejected == ({"malformed": 1} if bad else {})


def test_bytes_that_are_no_utf8() -> None:
    """A value that is no UTF-8 stays as it was, with its line: its field gives the empty answer later."""
    assert row(LINE.replace(b"curl", b"\xff\xfe"))["agent"] == b"\xff\xfe/8.7.1"
    assert row(LINE.replace(b"curl", b"\\xff"))["agent"] == b"\xff/8.7.1"
    row(LINE.replace(b"curl", b"\\ud800"))["agent"].decode("utf-8", "surrogatepass")


HOSTILE = st.binary(max_size=200) | st.sampled_from(
    [b"{", b'{"a":', b"}", b'"', b"\\", b'{"a":"', b"[", b'"}', LINE + b",", LINE[:-1], b",", b"\xff", b"\r", LINE * 2]
)


@settings(max_examples=200, deadline=None)
@given(hostile=HOSTILE)
def test_a_hostile_line_never_changes_its_neighbours(hostile: bytes) -> None:
    """Whatever bytes stand between two LF, the lines before and behind are read the same."""
    hostile = hostile.replace(b"\n", b"")
    before, behind = LINE.replace(b"203", b"198"), LINE.replace(b"203", b"192")
    read = rows(parse(NGINX, before + b"\n" + hostile + b"\n" + behind + b"\n"))
    assert read[0]["client"] == b"198.0.113.7"
    assert read[-1]["client"] == b"192.0.113.7"
    assert len(read) <= 3


@settings(max_examples=200, deadline=None)
@given(
    values=st.fixed_dictionaries(
        {}, optional={name: st.text(max_size=20) for name in ("agent", "request_uri", "host")}
    ),
    raw=st.booleans(),
)
def test_what_was_written_is_read(values: dict[str, str], raw: bool) -> None:
    """Values as a JSON writer wrote them are read back, byte for byte."""
    record = {"msec": 1791635156, "remote_addr": "203.0.113.7", "request_uri": "/", "status": 200} | values
    line = json.dumps(record, ensure_ascii=not raw).encode("utf-8", "surrogatepass")
    found = row(line)
    assert found["agent"] == values.get("agent", "-").encode("utf-8", "surrogatepass")
    assert found["path"] == values.get("request_uri", "/").encode("utf-8", "surrogatepass")


def test_lines() -> None:
    """Too long, binary, partial and malformed lines are counted; an empty one is no line."""
    data = b"\n".join(
        [LINE, b"", b'{"a":"' + b"a" * MAX_LINE_BYTES + b'"}', LINE + b"\0", b"x", LINE + b"\r", LINE[:50]]
    )
    parsed = parse(NGINX, data)
    assert parsed.rejected == {"too_long": 1, "binary": 1, "malformed": 1, "partial": 1}
    assert (parsed.rows, parsed.lines) == (2, 6)
    assert [reject.line for reject in parsed.rejects] == [2, 3, 4, 6]


def test_no_value_in_a_representation() -> None:
    """Nothing of a line is in what a parser prints, and no exception leaves it."""
    parsed = parse(NGINX, LINE + b'\n{"secret":"198.51.100.99"\n')
    assert "203" not in repr(parsed)
    assert "198" not in repr(parsed)
    assert "secret" not in repr(parsed)


def test_what_a_line_is_does_not_depend_on_what_is_wanted() -> None:
    """A line is malformed for its status also where nobody wants the status."""
    data = LINE.replace(b'"200"', b'"x"') + b"\n"
    parsed = make_parser(NGINX, needs=frozenset())(Chunk(data, 0, len(data)), ())
    assert (parsed.rejected, set(parsed.columns)) == ({"malformed": 1}, {"time"})


# --- both ways ------------------------------------------------------------------------------------------------------

MINE = parse_format(
    "mine",
    'title = "t"\nvendor = "https://example.org/"\ndialect = "jsonlines"\n[keys]\ntime = ["t", "s.t"]\n'
    "client = ['c', 'h.\"x.ip\"[0]']\npath = ['u', 'r|target']\nstatus = ['s.s', 's']\n"
    "bytes = ['b']\nagent = ['a[1]', 'a']\n",
)
TEXTS = (
    "2026-10-10T14:25:56+02:00", "2026-10-10T14:25:07Z", "203.0.113.7", "GET /a?b HTTP/1.1", "GET /a", "/a",
    "CONNECT x:1 H",
    "GET /\u00e4 HTTP/1.1", "200", "", "-", "a b", "{", "}", "[", ":", ",", "\\\\", "\\\"", "\\u0041", "\\ud800", "\\q",
    "\\x41", "\t", "\x1f", "\x7f", "\udcff", "1e5", "null",
)  # fmt: skip
NUMBERS = (
    "0",
    "200",
    "404",
    "1791635156",
    "-1",
    "01",
    "1.0",
    "1e5",
    "-0",
    "1791635156.25",
    "123456789012345678901",
    "NaN",
)
KEYS = ("t", "s", "b", "c", "u", "r", "a", "h", "x.ip", "x", "", "u\\u0000", "\u00e4")


@st.composite
def shapes(draw: st.DrawFn) -> str:
    """An object in which `\\1` stands for a text and `\\2` for a number: one that the format knows, or any."""
    if draw(st.integers(0, 3)):
        known = '{"t":"\1","c":"\1","r":"\1","s":\2,"b":\2,"h":{"x.ip":["\1"]},"a":"\1"}'
        return draw(
            st.sampled_from([known, known.replace(",", ", "), known.replace('"b":\2', '"b":null,"b":\2,"z":[1,\2]')])
        )
    values = st.recursive(
        st.sampled_from(['"\1"', "\2", "null", "true", "1"]),
        lambda inside: (
            st.lists(inside, max_size=3).map(lambda each: "[" + ",".join(each) + "]")
            | st.lists(st.tuples(st.sampled_from(KEYS), inside), max_size=4).map(
                lambda pairs: "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"
            )
        ),
        max_leaves=6,
    )
    pairs = draw(st.lists(st.tuples(st.sampled_from(KEYS), values), min_size=1, max_size=6))
    return '{"t":"\1",' + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Lines of a few shapes, some of them with any bytes in them."""
    kinds = draw(st.lists(shapes(), min_size=1, max_size=3))
    usual = draw(st.booleans())
    texts = st.sampled_from(TEXTS[:13] if usual else TEXTS)
    numbers = st.sampled_from(NUMBERS[:4] if usual else NUMBERS)
    lines = []
    for _ in range(draw(st.sampled_from([2, 20, 40]))):
        pieces = re.split("([\1\2])", draw(st.sampled_from(kinds)))
        text = "".join(
            draw({"\1": texts, "\2": numbers}[piece]) if piece in ("\1", "\2") else piece for piece in pieces
        )
        line = text.encode("utf-8", "surrogateescape")
        if draw(st.integers(0, 7)) == 0:
            at = draw(st.integers(0, len(line)))
            odd = draw(st.binary(max_size=3) | st.sampled_from([b'"', b'","', b"{", b"}", b'":', b"\r", b'":"', b"1"]))
            line = line[:at] + odd + line[at + draw(st.integers(0, 3)) :]
        lines.append(line + draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b" \n"])))
    return b"".join(lines)


def told(parsed: Parsed) -> tuple[object, ...]:
    return rows(parsed), parsed.lines, parsed.rows, parsed.rejected, parsed.rejects


@settings(max_examples=200, deadline=None)
@given(data=objects() | st.binary(max_size=300))
def test_both_ways_agree(data: bytes) -> None:
    """The fast way and the exact way give the same rows, reasons and masked shapes for arbitrary bytes."""
    fast, exact = parse(MINE, data), parse(MINE, data, fast=False)
    assert told(fast) == told(exact)
    assert exact.exact == exact.lines


PARTED = parse_format(
    "parted",
    'title = "t"\nvendor = "https://example.org/"\ndialect = "jsonlines"\n[keys]\ntime = ["d s.t", "m"]\n'
    "client = ['c']\nagent = ['a[*]']\npath = ['u']\n",
)
PARTS = st.fixed_dictionaries(
    {"c": st.sampled_from(["203.0.113.7", "/1", "/1, /3"])},
    optional={
        "d": st.sampled_from(["2026-10-10", "2026-10-11", "2026-13-10", "/1", ""]),
        "s": st.fixed_dictionaries({"t": st.sampled_from(["14:25:56", "14:25:57.5", "x", " ", "/3 /5"])}),
        "m": st.sampled_from([1791635156, "2026-10-10T14:25:56Z", None]),
        "a": st.lists(st.sampled_from(["x", "y, z", "", "/1"]), max_size=3) | st.just(["x", 1]) | st.just("x"),
    },
)


@settings(max_examples=150, deadline=None)
@given(kinds=st.lists(PARTS, min_size=1, max_size=3), count=st.sampled_from([1, 20, 40]))
def test_both_ways_agree_on_values_of_several_texts(kinds: list[dict[str, object]], count: int) -> None:
    """The same for lists that are joined, and for a date and a time of day under two keys."""
    data = b"".join(json.dumps(kind).encode() + b"\n" for kind in kinds for _ in range(count))
    assert told(parse(PARTED, data)) == told(parse(PARTED, data, fast=False))


VALUES = st.sampled_from(
    [b"/", b"\xff", b"{", b'"', b"\\", b'\\"', b"\x00", b"\t", b"\r", b"", b",", b'":"', b"\xef\xbb\xbf", b"a" * 99]
)


@settings(max_examples=80, deadline=None)
@given(each=st.lists(st.tuples(VALUES, VALUES), min_size=16, max_size=40))
def test_both_ways_agree_on_values(each: list[tuple[bytes, bytes]]) -> None:
    """The same for lines of which most go the fast way, with two values that may be anything."""
    data = b"".join(LINE.replace(b"curl", one).replace(b"/a", other) + b"\n" for one, other in each)
    assert told(parse(NGINX, data)) == told(parse(NGINX, data, fast=False))


ODD = (
    *(b"", b" ", b"{}", b"x", b"{", LINE + b" ", LINE + b"\r", LINE + b"x", LINE[:-1] + b',"x":"y"}', BOM + LINE),
    *(LINE.replace(b"a", byte) for byte in (b"\\u0041", b"\0", b"\t", b"\r", b"\xff")),
    *(LINE.replace(b'"368"', b"368"), LINE.replace(b"368", b"x"), LINE.replace(b"T14:", b"T34:")),
    *(LINE.replace(b":", b": "), LINE.replace(b"GET /a", b"/a"), LINE.replace(b"203", b"")),
)
"""Lines that have not the shape of the others, or look as if they had not."""


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 4), odd=st.lists(st.sampled_from(ODD), max_size=2), at=st.integers(0, 4), crlf=st.booleans()
)
@example(count=2, odd=[BOM + LINE], at=0, crlf=False)
def test_one_odd_line_among_lines_of_one_shape(count: int, odd: list[bytes], at: int, crlf: bool) -> None:
    """Whether a text is cut at once or by its shapes changes nothing; nor does what the chunk before it was."""
    mine = [LINE.replace(b"203", b"%d" % number) for number in range(count)]
    end = b"\r\n" if crlf else b"\n"
    data = b"".join(line + end for line in [*mine[:at], *odd, *mine[at:]])
    expected = told(parse(NGINX, data, fast=False))
    parser = JsonLinesParser(NGINX, needs=COLUMNS, max_rejects=1000)
    assert [told(parser(Chunk(data, 0, len(data)), ())) for _ in range(3)] == [expected] * 3


def test_lines_of_one_shape_are_cut_at_once() -> None:
    """Values at which nothing else is looked are as they are cut; after a text of several shapes it is not tried."""
    parser = JsonLinesParser(NGINX, needs=COLUMNS)
    same, mixed = (LINE + b"\n") * 3, LINE + b"\n" + LINE.replace(b"curl", b'x","y":"z') + b"\n"
    kinds = [
        str(parser(Chunk(data, 0, len(data)), ()).columns["client"].type) for data in (same, same, mixed, *[same] * 8)
    ]
    coded = "dictionary<values=binary, indices=int32, ordered=0>"
    assert kinds == ["binary", "binary", *[coded] * 8, "binary"]


WRITTEN = st.tuples(
    st.sampled_from(
        ["2026-10-10T14:25", "2026-02-30T14:25", "1899-12-31T23:59", "2026-10-25T02:30", "2026-10-10 14:25"]
    ),
    st.sampled_from([":00", ":07", ":59", ":60", ":6", "", ":30.25"]),
    st.sampled_from(["Z", "+02:00", "-23:59", "+24:00", "+0200", ""]),
).map("".join)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        WRITTEN | st.sampled_from(["-", "1791635156", "10/Oct/2026:13:55:36 +0200"]), min_size=80, unique=True
    )
)
def test_many_times_are_read_as_each_of_them(values: list[str]) -> None:
    """Times that are read minute by minute are those that are read one by one, in a zone or in none."""
    column = pa.array([value.encode() for value in values], pa.binary())
    for zone in (UTC, ZoneInfo("Europe/Berlin"), None):
        read = any_reader(zone)
        assert read_times(column, zone).cast(pa.int64()).to_pylist() == [read(value) for value in column.to_pylist()]


@given(
    values=st.lists(
        st.from_regex(r"[0-9.-]{0,17}", fullmatch=True) | st.sampled_from(["OK", "", "-1", "200.0"]), min_size=1
    )
)
def test_many_numbers_are_read_as_each_of_them(values: list[str]) -> None:
    """A column of statuses or sizes is what each of its values is read as; those that are none make lines malformed."""
    column = pa.array([value.encode() for value in values], pa.binary()).dictionary_encode()
    for raw, read in (("status", read_status), ("bytes", read_bytes)):
        moments = pa.array([0] * len(values), pa.timestamp("ms", "UTC"))
        numbers = pa.array(range(len(values)), pa.int32())
        rows, bad = typed(numbers, {raw: column}, moments, wanted=frozenset({raw, "time"}), decode={})
        each = [read(value.encode()) for value in values]
        assert rows.columns[raw].to_pylist() == [value for value in each if value is not None]
        assert bad == [index for index, value in enumerate(each) if value is None]


def test_the_fast_way_is_taken() -> None:
    """Lines alike but for their values go the fast way, of more than one kind; one that cannot takes none with it."""
    plain = LINE.replace(b'"200"', b"200")
    other = plain.replace(b'"http_user_agent"', b'"x":{"y":[null,"z"]},"http_user_agent"')
    swapped = LINE.replace(b"remote_addr", b"x").replace(b"http_user_agent", b"remote_addr")
    assert parse(NGINX, (plain + b"\n") * 50).exact == 0
    assert parse(NGINX, (plain + b"\n") * 50 + (other + b"\n") * 50).exact == 0
    assert parse(NGINX, (LINE + b"\n") * 50 + (swapped + b"\n") * 50).exact == 0
    assert parse(NGINX, b"x\n" + (LINE + b"\n") * 50 + LINE.replace(b"/a", b'/\\"') + b"\n").exact == 2
    parts = b'{"d":"2026-10-10","s":{"t":"14:25:56"},"c":"203.0.113.7","a":["x","y"]}\n'
    assert parse(PARTED, parts * 50 + parts.replace(b',"y"', b"") * 50).exact == 0


# --- formats --------------------------------------------------------------------------------------------------------

FILE = 'title = "t"\nvendor = "https://example.org/"\ndialect = "jsonlines"\n[keys]\ntime = ["t"]\n'


def test_a_format_of_ones_own() -> None:
    """Other keys are mapped by a format file."""
    fmt = parse_format("mine", FILE + "client = ['nginx.\"x.ip\"']\npath = ['nginx.req|target']\nagent = ['ua[1]']\n")
    line = b'{"t":1791635156,"nginx":{"x.ip":"203.0.113.7","req":"GET /a HTTP/1.1"},"ua":["a","b"]}\n'
    assert rows(parse(fmt, line)) == [
        {
            "time": datetime(2026, 10, 10, 12, 25, 56, tzinfo=UTC),
            "client": b"203.0.113.7",
            "path": b"/a",
            "agent": b"b",
        }
    ]


@pytest.mark.parametrize("path", ["a..b", "a[x]", "", "a|b", "[0", '"a', "a[*].b", '"a" "b"'])
def test_a_wrong_path(path: str) -> None:
    """A key that is written as no path is a configuration error."""
    with pytest.raises(ConfigurationError):
        make_parser(parse_format("mine", FILE + f"client = ['{path}']\n"), needs=frozenset())


@pytest.mark.parametrize("name", FORMATS)
def test_detection(name: str) -> None:
    """Each example is of its format, and of no other."""
    for each in FORMATS[name].examples:
        found = detect([each.line.encode()], load_formats().values()).format
        assert (found.name if found else None) == (None if each.reject else name)


# --- real logs ------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "path", "count", "rejected"),
    [
        ("traefik_json", "crowdsec-hub/traefik_json/traefik_json.log", 6, {"malformed": 1}),
        ("caddy_json", "crowdsec-hub/caddy-basic-auth-bf/caddy-logs.log", 6, {}),
        ("cloudflare_json", "lnav/logfile_cloudflare.json", 1, {}),
    ],
)
def test_real_logs(corpus: Path, name: str, path: str, count: int, rejected: dict[str, int]) -> None:
    """A real log is of its format; all its accesses are read."""
    data = (corpus / "logs" / path).read_bytes()
    found = detect(sample_lines(data, complete=True), load_formats().values()).format
    assert found is not None
    assert found.name == name
    parsed = parse(FORMATS[name], data)
    assert (parsed.rows, parsed.rejected) == (count, rejected)


@pytest.mark.corpus
def test_no_access_log(corpus: Path) -> None:
    """JSON that holds no accesses is of no format."""
    for path in ("elastic-examples/nginx_json_plus_logs/nginxplus_json_logs",):
        data = (corpus / "logs" / path).read_bytes()
        assert detect(sample_lines(data), load_formats().values()).format is None


OURS = {
    "cloudflare/logpull": "cloudflare_json",
    "crowdsecurity/traefik-logs": "traefik_json",
    "zeek/http": "zeek_http_json",
}
PEERS = {"u00988": "client"}  # the peer takes the last of two forwarded addresses; the list is the treatment's business


@pytest.mark.corpus
def test_expected_fields(corpus: Path) -> None:
    """Client, time, path, status, bytes and agent are those of the unified suite, for each record of our formats."""
    every = [json.loads(text) for text in (corpus / "expected/unified_expected.jsonl").read_text().splitlines()]
    seen = 0
    for record in every:
        name = OURS.get(record["format"])
        if name is None or not record["accept"] or not record["line"].startswith("{"):
            continue
        seen += 1
        want = record["expect"]
        (found,) = rows(parse(FORMATS[name], record["line"].encode() + b"\n"))
        got = {
            "client": found["client"].decode(),
            "time_utc": found["time"],
            "status": found["status"],
            "bytes": found["bytes"],
            "ua": found["agent"].decode(),
            "path": found["path"].decode().split("?")[0],
        }
        if "time_utc" in want:
            want["time_utc"] = datetime.fromisoformat(want["time_utc"]).astimezone(UTC)
        wrong = {key for key, value in got.items() if key in want and want[key] != value}
        assert wrong == set(filter(None, [PEERS.get(record["id"])])), record["id"]
    assert seen == 20
