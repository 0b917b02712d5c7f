"""Lines of the template formats: what is read from them, what is refused, and that both ways of reading agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.formats import Format, load_formats
from loganon.formats.given import resolve
from loganon.parse import Parsed, make_parser
from loganon.parse.mask import mask
from loganon.parse.template import TemplateParser

FORMATS = {name: fmt for name, fmt in load_formats().items() if fmt.dialect == "template"}
COLUMNS = frozenset({"client", "host", "time", "request", "status", "bytes", "referrer", "agent", "path"})
GOOD = b'203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 368 "-" "Mozilla/5.0"'


def parse(fmt: Format, data: bytes, *, fast: bool = True, rejects: int = 1000) -> Parsed:
    parser = TemplateParser(fmt, needs=COLUMNS, max_rejects=rejects, fast=fast)
    return parser(Chunk(data, 0, len(data)), ())


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    names = sorted(parsed.columns)
    return [
        dict(zip(names, row, strict=True)) for row in zip(*(parsed.columns[n].to_pylist() for n in names), strict=True)
    ]


def told(parsed: Parsed) -> tuple[Any, ...]:
    """All that a parser says, but for the way it took and the order of a dictionary."""
    return rows(parsed), parsed.rows, parsed.lines, parsed.rejected, parsed.rejects, parsed.state


CASES = [json.loads(line) for line in (Path(__file__).parent / "cases/parse/lines.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_cases(case: dict[str, Any]) -> None:
    """Each case: the data of a chunk, in Latin-1, gives the fields of its lines and the reasons for the others."""
    for fast in (True, False):
        parsed = parse(FORMATS[case["format"]], case["data"].encode("latin-1"), fast=fast)
        assert [
            [r["client"].decode("latin-1"), r["request"].decode("latin-1"), r["status"], r["bytes"]]
            for r in rows(parsed)
        ] == case["rows"]
        assert parsed.rejected == case["rejected"]
        assert parsed.lines == parsed.rows + sum(parsed.rejected.values())


TOKENS = (
    b"203.0.113.7",
    b"2001:db8::1",
    b"-",
    b"www.example.com:443",
    b"bob",
    b"jane doe",
    b'"',
    b'""',
    b"a\\",
    b"\xff",
    b"",
)
TIMES = (
    b"[10/Oct/2026:13:55:36 +0000]",
    b"[30/Feb/2026:13:55:36 +0000]",
    b"[10/Oct/2026:13:55:36 +2400]",
    b"[-]",
    b"10/Oct",
)
REQUESTS = (
    b'"GET / HTTP/1.1"',
    b'""',
    b'"-"',
    b"-",
    b'"a \\" b"',
    b'"a " b"',
    b'"\\x16\\x03"',
    b'"a\x00b"',
    b'"a\rb"',
    b'"\xe4\x0b\x85"',
    b'"a',
)
NUMBERS = (
    b"200",
    b"-",
    b"000",
    b"-1",
    b"2000",
    b"20",
    b"\xb2\xb2\xb2",
    b" ",
    b"999999999999999",
    b"1000000000000000",
    b"007",
)
HEADERS = (b'"-"', b"-", b'"Mozilla/5.0"', b'"a\\\\"', b'"a\\"', b'"x" "y"', b'"', b"")
ENDS = (b"\n", b"\r\n", b"\r\r\n", b"\r", b"\n\n", b"\x0b\n", b"\x0c", b"\xe2\x80\xa8", b"")


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of one of the formats or nearly one, with mutations, and an end that may be none."""
    pick = lambda values: draw(st.sampled_from(values))  # noqa: E731 - a local short form
    parts = [pick(TOKENS), pick(TOKENS), pick(TIMES), pick(REQUESTS), pick(NUMBERS), pick(NUMBERS), pick(HEADERS)]
    good = draw(st.integers(0, 3))
    if good == 0:
        parts = [
            b"203.0.113.%d" % draw(st.integers(0, 9)),
            b"- -",
            TIMES[0],
            REQUESTS[0],
            b"200",
            b"%d" % draw(st.integers(0, 99)),
        ]
    elif good == 1:
        parts = [*GOOD.split(b" ", 1)]
    line = b" ".join(parts)
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.binary(max_size=3)) + line[at + draw(st.integers(0, 2)) :]
    return line + pick(ENDS)


chunks = st.lists(lines(), max_size=12).map(b"".join)


PIECES = (
    b'"',
    b" ",
    b"-",
    b'"-"',
    b"\\",
    b'\\"',
    b"#22",
    b"[",
    b"]",
    b"{a} ",
    b", ",
    b":80",
    b"/",
    b"\x00",
    b"\r",
    b"\xff",
    b"\n",
)


@st.composite
def of_format(draw: st.DrawFn, name: str) -> bytes:
    """Lines of a format's examples, some of them with a piece cut out, put in, or put in place of another."""
    texts = [example.line.encode() for example in FORMATS[name].examples]
    found = []
    for _ in range(draw(st.integers(1, 8))):
        line = draw(st.sampled_from(texts))
        for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
            at = draw(st.integers(0, len(line)))
            line = line[:at] + draw(st.sampled_from(PIECES) | st.just(b"")) + line[at + draw(st.integers(0, 4)) :]
        found.append(line + draw(st.sampled_from((b"\n", b"\n", b"\r\n", b""))))
    return b"".join(found)


@pytest.mark.parametrize("name", sorted(FORMATS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_ways_agree(name: str, data: st.DataObject) -> None:
    """The fast way and the exact way give the same rows, reasons and masked shapes for arbitrary bytes."""
    text = data.draw(of_format(name) | chunks | st.binary(max_size=300))
    fast, exact = parse(FORMATS[name], text), parse(FORMATS[name], text, fast=False)
    assert told(fast) == told(exact)
    assert exact.exact == exact.lines


OWN = {
    "%h": "203.0.113.7",
    "%a": "198.51.100.1",
    "%{c}a": "10.0.0.1",
    "%A": "192.0.2.1",
    "%t": "[10/Oct/2026:13:55:36 +0000]",
    "[%{end:%d/%b/%Y:%T %z}t]": "[11/Oct/2026:00:00:01 +0000]",
    '"%r"': '"GET /a H"',
    "%>s": "200",
    "%s": "301",
    "%b": "5",
    "%O": "777",
    '"%{User-Agent}i"': '"curl/8"',
    '"%{X-Forwarded-For}i"': '"91.44.26.11"',
    "%{X-Forwarded-For}i": "91.44.26.11",
}
"""Directives with what each writes; several give one column: in `BEST`, the best first."""
BEST = {"client": ("%h", "%a", "%{c}a"), "status": ("%>s", "%s"), "bytes": ("%b", "%O")}


@pytest.mark.parametrize(
    "names",
    [
        ["%A", "%h", "%t", '"%r"'],
        ["%{c}a", "%a", "%t", '"%r"'],
        ["%{X-Forwarded-For}i", "%h", "%t", '"%r"'],
        ['"%{X-Forwarded-For}i"', "%a", "%h", "%t", '"%r"'],
        ["%h", "%t", '"%r"', "%>s", "%b", '"%{User-Agent}i"', "%s", "%O"],
        ["%h", "%t", '"%r"', "%s", "%O", '"%{User-Agent}i"', "%>s", "%b"],
        ["%h", "%t", '"%r"', "%s", "%>s", "%O"],
        ["%t", '"%r"', "[%{end:%d/%b/%Y:%T %z}t]"],
        ["[%{end:%d/%b/%Y:%T %z}t]", "%h", "%t", '"%r"'],
    ],
)
def test_several_directives_for_one_column(names: list[str]) -> None:
    """Of an operator's own string each column is that of the directive that says most of it, read by column or one by
    one, wherever the others stand.
    """
    fmt = resolve("apache:" + " ".join(names).replace('"', '\\"'))
    assert fmt is not None
    line = " ".join(OWN[name] for name in names).encode() + b"\n"
    fast, exact = parse(fmt, line * 20), parse(fmt, line * 20, fast=False)
    assert told(fast) == told(exact)
    assert fast.rows == 20
    for column, best in BEST.items():
        expected = next((OWN[name] for name in best if name in names), None)
        read = {str(value, "ascii") if column == "client" else str(value) for value in _values(fast, column)}
        assert read == ({expected} if expected else set())
    time = next(OWN[name] for name in names if name.endswith(("%t", "t]")))
    assert {f"{moment:[%d/%b/%Y:%H:%M:%S +0000]}" for moment in _values(fast, "time")} == {time}


def _values(parsed: Parsed, column: str) -> list[Any]:
    return parsed.columns[column].to_pylist() if column in parsed.columns else []


UNQUOTED = {"aws_apigw_csv", "aws_apigw_http", "aws_apigw_rest", "bunny", "squid"}  # no texts in quotes behind blanks
FAST = sorted(set(FORMATS) - {"aws_alb", "aws_elb", "heroku"} - UNQUOTED)  # of the others a quoted part may be missing


@pytest.mark.parametrize("name", FAST)
def test_formats_of_the_fast_way(name: str) -> None:
    """The first example of a format goes the fast way."""
    assert parse(FORMATS[name], FORMATS[name].examples[0].line.encode() + b"\n").exact == 0


def test_the_fast_way_is_taken() -> None:
    """Lines without a backslash go the fast way, one that needs the exact way does not take the others with it."""
    odd = GOOD.replace(b"Mozilla", b"Mo\\x22zilla")
    assert parse(FORMATS["combined"], b"\n".join([GOOD] * 50)).exact == 0
    assert (
        parse(FORMATS["combined"], b"\n".join([GOOD] * 50 + [odd, b"x", GOOD.replace(b" - -", b" - jane doe")])).exact
        == 2
    )


@settings(max_examples=100, deadline=None)
@given(data=chunks, cut=st.data())
def test_cutting_at_a_line_changes_nothing(data: bytes, cut: st.DataObject) -> None:
    """Two chunks cut at any LF give together what one gives."""
    whole = parse(FORMATS["combined"], data)
    at = cut.draw(st.sampled_from([0, *(i + 1 for i, byte in enumerate(data) if byte == 10)]))
    first, second = parse(FORMATS["combined"], data[:at]), parse(FORMATS["combined"], data[at:])
    assert rows(first) + rows(second) == rows(whole)
    assert first.lines + second.lines == whole.lines


@settings(max_examples=200, deadline=None)
@given(hostile=st.binary(max_size=200) | lines(), fast=st.booleans())
def test_a_hostile_line_never_changes_its_neighbours(hostile: bytes, fast: bool) -> None:
    """Whatever bytes stand between two LF, the lines before and behind are read the same."""
    hostile = hostile.replace(b"\n", b"")
    before, behind = GOOD.replace(b"203", b"198"), GOOD.replace(b"203", b"192")
    read = rows(parse(FORMATS["combined"], before + b"\n" + hostile + b"\n" + behind + b"\n", fast=fast))
    assert read[0]["client"] == b"198.0.113.7"
    assert read[-1]["client"] == b"192.0.113.7"
    assert len(read) <= 3


@pytest.mark.parametrize("length", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("fast", [True, False])
def test_too_long(length: int, end: bytes, fast: bool) -> None:
    """A line of 1 MiB is read, one byte more is too long; the LF and one CR do not count."""
    line = GOOD.replace(b"/a", b"/" + b"a" * (length - len(GOOD) + 1))
    assert len(line) == length
    parsed = parse(FORMATS["combined"], GOOD + b"\n" + line + end, fast=fast)
    assert parsed.rejected == ({} if length == MAX_LINE_BYTES else {"too_long": 1})
    assert parsed.rows == 2 - len(parsed.rejected)


@settings(max_examples=300, deadline=None)
@given(line=st.binary(max_size=400) | lines())
def test_a_masked_shape_holds_no_value(line: bytes) -> None:
    """A shape has no digit but 9, no letter but a, A, T; it is printable ASCII without runs, 120 characters at most."""
    shape = mask(line)
    assert len(shape) <= 120
    assert all(c in "9aAT?" or (c.isascii() and c.isprintable() and not c.isalnum()) for c in shape)
    assert not any(a == b and a != "T" for a, b in pairwise(shape))


def test_a_masked_shape_shows_the_line() -> None:
    """The shape keeps the punctuation, so that one sees what is wrong."""
    assert mask(b'203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /index" 200') == '9.9.9.9 - - [T] "A /a" 9'


def test_no_value_in_a_representation() -> None:
    """Neither what a parser gives nor the format's own objects print a value of a line."""
    parsed = parse(FORMATS["combined"], b"198.51.100.99 secret\n" + GOOD)
    assert (parsed.rows, parsed.lines) == (1, 2)
    for value in (b"198.51", b"secret", b"203.0", b"Mozilla"):
        assert value.decode() not in repr(parsed)
        assert value.hex().upper() not in repr(parsed)


def test_only_what_is_needed_is_kept() -> None:
    """A parser gives the columns asked for, the time always, and never the user."""
    parser = make_parser(FORMATS["combined"], needs=frozenset({"agent", "user", "host"}))
    assert "user" not in parser.raw
    assert set(parser(Chunk(GOOD, 0, len(GOOD)), ()).columns) == {"agent", "time"}


def records(fmt: Format, corpus: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The records of the unified suite that `fmt` reads, each with the row read."""
    ours = ("common", "apache/access", "nginx/access", "parse_apache_log:common", "parse_apache_log:combined")
    every = [json.loads(text) for text in (corpus / "expected/unified_expected.jsonl").read_text().splitlines()]
    every = [record for record in every if record["format"] in ours and record["accept"]]
    parsed = parse(fmt, b"".join(record["line"].encode() + b"\n" for record in every), rejects=len(every))
    rejected = {reject.line for reject in parsed.rejects}
    assert parsed.lines == len(every)
    yield from zip((r for i, r in enumerate(every) if i not in rejected), rows(parsed), strict=True)


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "least"), [("common", 10_000), ("combined", 10), ("combined_vhost", 0)])
def test_expected_fields(corpus: Path, name: str, least: int) -> None:
    """Client, time, status, bytes and agent are those of the unified suite, for each record of our formats."""
    seen = 0
    for record, row in records(FORMATS[name], corpus):
        want = record["expect"]
        seen += 1
        assert want.get("client") in row["client"].decode().split(", "), record["id"]
        if "time_utc" in want:
            assert row["time"] == datetime.fromisoformat(want["time_utc"]).astimezone(UTC), record["id"]
        assert row["status"] == want.get("status", 0), record["id"]
        assert row["bytes"] == want.get("bytes", 0), record["id"]
        if want.get("ua"):
            assert row["agent"].decode() == want["ua"], record["id"]
    assert seen >= least


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "path", "count"),
    [
        ("common", "nasa-http/nasa_19950801.log", 10_000),
        ("combined", "elastic-examples/apache_logs/apache_logs", 5_000),
    ],
)
def test_real_logs(corpus: Path, name: str, path: str, count: int) -> None:
    """Every line of a real log is read, by both ways the same."""
    data = (corpus / "logs" / path).read_bytes()
    fast = parse(FORMATS[name], data)
    assert (fast.rows, fast.rejected) == (count, {})
    assert told(fast) == told(parse(FORMATS[name], data, fast=False))
