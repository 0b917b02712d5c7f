"""JSON lines: what is read from an object, what is refused, and that no line changes another."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format, load_formats, parse_format
from loganon.parse import Parsed, make_parser
from loganon.parse.detect import detect, sample_lines
from loganon.parse.json_object import MOST_DEEP, finder, read_object, target
from loganon.parse.jsonlines import JsonLinesParser

FORMATS = {name: fmt for name, fmt in load_formats().items() if fmt.dialect == "jsonlines"}
COLUMNS = frozenset({"client", "host", "path", "status", "bytes", "referrer", "agent"})
NGINX = FORMATS["nginx_json"]
LINE = (
    b'{"time_iso8601":"2026-10-10T14:25:56+02:00","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1",'
    b'"status":"200","body_bytes_sent":"368","http_user_agent":"curl/8.7.1"}'
)


def parse(fmt: Format, data: bytes, *, rejects: int = 1000) -> Parsed:
    return JsonLinesParser(fmt, needs=COLUMNS, max_rejects=rejects)(Chunk(data, 0, len(data)), ())


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
    for path, value in {
        "a.b[0]": "x", "a.b[1].c-d": "y", "a.b[2]": None, "a.b": None, "a.b.c": None, '"id.orig_h"': "z",
        "id.orig_h": None,
        "n[0]": None, "r.x": None, "r|target": "/a b",
    }.items():  # fmt: skip
        assert finder([path])(record) == value, path
    assert finder(["n.x", "a.b[0]", '"id.orig_h"'])(record) == "x"


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


@pytest.mark.parametrize("path", ["a..b", "a[x]", "", "a|b", "[0", '"a'])
def test_a_wrong_path(path: str) -> None:
    """A key that is written as no path is a configuration error."""
    with pytest.raises(ConfigurationError):
        make_parser(parse_format("mine", FILE + f"client = ['{path}']\n"), needs=frozenset())


@pytest.mark.parametrize("name", FORMATS)
def test_detection(name: str) -> None:
    """Each example is of its format, and of no other."""
    for example in FORMATS[name].examples:
        found = detect([example.line.encode()], load_formats().values()).format
        assert (found.name if found else None) == (None if example.reject else name)


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
