"""Delimited lines (W3C, tabs, CSV): headers, what is read and refused, and that both ways of reading agree."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Format, load_formats, parse_format, with_fields
from loganon.parse import Parsed, ParseState
from loganon.parse.delimited import DelimitedParser
from loganon.parse.delimited_cut import Cut
from loganon.parse.delimited_header import Header
from loganon.parse.detect import detect, sample_lines
from support.cli import Command
from support.runs import NOW, ingest

FORMATS = {name: fmt for name, fmt in load_formats().items() if fmt.dialect == "delimited"}
COLUMNS = frozenset({"client", "host", "path", "status", "bytes", "referrer", "agent"})
W3C = FORMATS["w3c"]
HEAD = b"#Fields: date time c-ip cs-uri-stem sc-status cs(User-Agent)\n"
OTHER = b"#Fields: c-ip sc-bytes date time sc-status cs-uri-stem\n"
LINE = b"2026-10-10 11:55:13 203.0.113.7 /a 200 curl/8.7.1"
SWAPPED = b"203.0.113.8 55 2026-10-10 11:55:14 404 /b"
CLOUDFRONT = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
)


def parse(
    fmt: Format, data: bytes, state: ParseState = (), *, fast: bool = True, timezone: Any = None, rejects: int = 1000
) -> Parsed:
    parser = DelimitedParser(fmt, needs=COLUMNS, timezone=timezone, max_rejects=rejects, fast=fast)
    return parser(Chunk(data, 0, len(data)), state)


def rows(parsed: Parsed) -> list[dict[str, Any]]:
    names = sorted(parsed.columns)
    return [
        dict(zip(names, row, strict=True)) for row in zip(*(parsed.columns[n].to_pylist() for n in names), strict=True)
    ]


def told(parsed: Parsed) -> tuple[Any, ...]:
    """All that a parser says, but for the way it took."""
    return rows(parsed), parsed.rows, parsed.lines, parsed.rejected, parsed.rejects, parsed.state


# --- headers --------------------------------------------------------------------------------------------------------


def test_a_header_in_mid_file_changes_the_columns() -> None:
    """Each line is read by the last header before it, whatever its case and indentation; headers are no lines."""
    data = HEAD + LINE + b"\n\n \t#FIELDS:  C-IP\tSC-Bytes date time sc-status CS-URI-Stem \n" + SWAPPED + b"\n" + HEAD
    parsed = parse(W3C, data + LINE + b"\n")
    assert [(r["client"], r["path"], r["status"], r["bytes"]) for r in rows(parsed)] == [
        (b"203.0.113.7", b"/a", 200, 0),
        (b"203.0.113.8", b"/b", 404, 55),
        (b"203.0.113.7", b"/a", 200, 0),
    ]
    assert (parsed.lines, parsed.rejected) == (3, {})


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("lines", [1, 40])
def test_a_line_of_blanks_is_none(lines: int, fast: bool) -> None:
    """Nothing but blanks is no line, as an empty line is none: around the header, between lines, at the end."""
    data = b"    \n" + HEAD + b" \t\r\n" + (LINE + b"\n   \n") * lines + b"  "
    parsed = parse(W3C, data, fast=fast)
    assert (parsed.rows, parsed.lines, parsed.rejected) == (lines, lines, {})
    assert [row["client"] for row in rows(parsed)] == [b"203.0.113.7"] * lines


def test_without_header() -> None:
    """Lines before any header are malformed, unless the fields are given; a header goes before them."""
    assert parse(W3C, LINE + b"\n" + HEAD + LINE).rejected == {"malformed": 1}
    given_ = with_fields(W3C, HEAD.decode().split()[1:])
    parsed = parse(given_, LINE + b"\n" + OTHER + SWAPPED)
    assert [r["client"] for r in rows(parsed)] == [b"203.0.113.7", b"203.0.113.8"]


def test_a_header_without_a_time() -> None:
    """Where a header names no time its lines are malformed: the columns before it do not hold any more."""
    assert parse(W3C, HEAD + b"#Fields: c-ip cs-uri a b c d\n" + LINE + b"\n").rejected == {"malformed": 1}


def test_the_date_of_the_header() -> None:
    """Where the lines have no date it is that of `#Date`, which may change in mid-file and is carried on."""
    fields = b"#Fields: time c-ip sc-status\n"
    parsed = parse(W3C, b"#Date: 2026-10-09 00:00:00\n" + fields + b"23:59:59 a 200\n#Date: 2026-10-10\n")
    assert rows(parsed)[0]["time"] == datetime(2026, 10, 9, 23, 59, 59, tzinfo=UTC)
    parsed = parse(W3C, b"00:00:01 a 200\n", parsed.state)
    assert rows(parsed)[0]["time"] == datetime(2026, 10, 10, 0, 0, 1, tzinfo=UTC)
    assert parse(W3C, fields + b"23:59:59 a 200\n").rejected == {"malformed": 1}


def test_the_state_is_a_closed_list() -> None:
    """Of a header only names that the format knows are kept: a forged one puts no value into the source record."""
    state = parse(W3C, b"#Date: 203.0.113.7\n#Fields: date 203.0.113.7 time jane@example.org c-ip\n").state
    assert state == ("date", "-", "time", "-", "c-ip")


def test_local_times() -> None:
    """`date-local` is in the zone given; `date` is UTC, as W3C says, whatever the zone."""
    zone = ZoneInfo("Europe/Berlin")
    for names, hour in ((b"date-local time-local", 22), (b"date time", 0)):
        data = b"#Fields: " + names + b" c-ip\n" + b"2026-10-10 00:30:00.123 a\n" * 20
        for fast in (True, False):
            assert rows(parse(W3C, data, timezone=zone, fast=fast))[0]["time"].hour == hour


def test_a_csv_header_is_no_line() -> None:
    """The names in the first line of a CSV log are no line and give the columns; a line of values never is a header."""
    line = b'"203.0.113.7","1791633600123456","200","/a"'
    parsed = parse(FORMATS["gcs"], b'"c_ip","time_micros","sc_status","cs_uri"\n' + line + b"\n")
    assert (parsed.lines, rows(parsed)[0]["path"]) == (1, b"/a")
    names = b'"1791633600123456","c_ip","time_micros","sc_status"\n'
    assert parse(FORMATS["gcs"], names, parsed.state).rejected == {"malformed": 1}


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "read"),
    [
        (b'"a b"', b"a b"),
        (b'"a ""b"" c"', b'a "b" c'),
        (b'""', b""),
        (b'"', b'"'),
        (b'"a', b'"a'),
        (b'a"b', b'a"b'),
        (b"a+b", b"a b"),
        (b'"a+b c"', b"a+b c"),
        (b"\xff", b"\xff"),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_quotes(agent: bytes, read: bytes, fast: bool) -> None:
    """A value in quotes may hold spaces, and two quotes for one; a quote that a visitor sent is one of its value."""
    data = HEAD + (LINE.replace(b"curl/8.7.1", agent) + b"\n") * 20
    assert {r["agent"] for r in rows(parse(W3C, data, fast=fast))} == {read}


@pytest.mark.parametrize("status", [b"-", b"000", b"-1", b"0"])
def test_no_status(status: bytes) -> None:
    """A status that is none is 0; a word in its place makes the line malformed."""
    assert rows(parse(W3C, HEAD + LINE.replace(b"200", status)))[0]["status"] == 0
    assert parse(W3C, HEAD + LINE.replace(b"200", b"GET") + b"\n").rejected == {"malformed": 1}


def test_what_a_line_is_does_not_depend_on_what_is_wanted() -> None:
    """A line is malformed for its status also where nobody wants the status."""
    data = HEAD + LINE.replace(b"200", b"GET") + b"\n"
    parsed = DelimitedParser(W3C, needs=frozenset())(Chunk(data, 0, len(data)), ())
    assert (parsed.rejected, set(parsed.columns)) == ({"malformed": 1}, {"time"})


# --- both ways ------------------------------------------------------------------------------------------------------

PIECES = (
    b"2026-10-10", b"11:55:13", b"11:55:13.5", b"11:55", b"24:00:00", b"203.0.113.7", b"/a", b"200", b"404", b"-", b"",
    b'"', b'""', b'"a b"', b'"a ""b"""', b'"a\tb"', b"a+b", b"\xff", b"\x1f", b"a\x00", b"a\rb", b"\xef\xbb\xbf", b"55",
    b" ",
)  # fmt: skip
HEADERS = (
    HEAD,
    OTHER,
    b"#Fields: time c-ip\n",
    b"#Date: 2026-10-10\n",
    b"# x\n",
    b" #Fields: date time c-ip\r\n",
    b"\n",
)
ENDS = (b"\n", b"\r\n", b"\r\r\n", b"\n\n", b"")


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of one of the layouts or nearly one, of any delimiter, with or without quotes, or a header."""
    pick = lambda values: draw(st.sampled_from(values))  # noqa: E731 - a local short form
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return pick(HEADERS)
    if kind < 5:
        line = pick((LINE, SWAPPED))
        if kind == 4:
            line = b'"' + line.replace(b" ", b'" "') + b'"'
    else:
        line = b"\x00".join(draw(st.lists(st.sampled_from(PIECES), min_size=2, max_size=7)))
        line = line.replace(b"a\x00", b"a\x01")
    border = pick((b" ", b" ", b"\t", b",", b"  "))
    line = line.replace(b"\x00", b" ").replace(b" ", border) if kind != 4 else line
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.binary(max_size=3)) + line[at + draw(st.integers(0, 2)) :]
    return line.replace(b"\x01", b"\x00") + pick(ENDS)


chunks = st.tuples(st.sampled_from(HEADERS), st.lists(lines(), max_size=40)).map(lambda t: t[0] + b"".join(t[1]))
names = st.sampled_from(["w3c", "iis", "incapsula", "cloudfront", "gcs", "mine"])
MINE = FORMATS | {
    "mine": with_fields(FORMATS["gcs"], ["time_micros", "c_ip", "sc_status"]),
    "cloudfront": with_fields(FORMATS["cloudfront"], HEAD.decode().split()[1:]),
}


@settings(max_examples=300, deadline=None)
@given(data=chunks | st.binary(max_size=300), name=names)
def test_both_ways_agree(data: bytes, name: str) -> None:
    """The fast way and the exact way give the same rows, reasons and masked shapes for arbitrary bytes."""
    fast, exact = parse(MINE[name], data), parse(MINE[name], data, fast=False)
    assert told(fast) == told(exact)
    assert exact.exact == exact.lines


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(PIECES)), min_size=16, max_size=40),
    border=st.sampled_from([b" ", b"\t", b","]),
    quoted=st.booleans(),
)
def test_both_ways_agree_on_tables(cells: list[tuple[bytes, bytes]], border: bytes, quoted: bool) -> None:
    """The same for lines of which most go the fast way, with two values that may be anything."""
    table = [[b"2026-10-10", b"11:55:13", one, other, b"200"] for one, other in cells]
    if quoted:
        table = [[b'"' + value.replace(b'"', b"") + b'"' for value in row] for row in table]
    data = b"#Fields: date time c-ip cs(User-Agent) sc-status\n" + b"".join(border.join(row) + b"\n" for row in table)
    for name in ("w3c", "iis", "cloudfront"):
        assert told(parse(MINE[name], data)) == told(parse(MINE[name], data, fast=False))


def test_the_fast_way_is_taken() -> None:
    """Plain lines and lines of values in quotes go the fast way; one that cannot takes no other with it."""
    quoted = b'"' + LINE.replace(b" ", b'" "') + b'"\n'
    assert parse(W3C, HEAD + (LINE + b"\n") * 50).exact == 0
    assert parse(W3C, HEAD + quoted * 50).exact == 0
    assert parse(W3C, HEAD + (LINE + b"\n") * 50 + b"x\n" + quoted).exact == 2


ODD = (b" x", b"x ", b"", b"x", LINE + b" ", LINE.replace(b" /a", b"  /a"), LINE.replace(b"/a", b""), b"#", b"# x",
       LINE.replace(b" ", b"\t"), LINE.replace(b"a", b"\0"), LINE.replace(b"a", b"\r"), LINE + b"\r", b'"' + LINE,
       LINE.replace(b"a", b'"'), LINE.replace(b"200", b"-"), LINE.replace(b"11:", b"31:"), OTHER[:-1], b" " + LINE,
       b"\xef\xbb\xbf" + LINE, LINE.replace(b"a", b"#"), LINE.replace(b"a", b"\xff"))  # fmt: skip
"""Lines that are none of the layout, or look as if they were not."""


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 4), odd=st.lists(st.sampled_from(ODD), max_size=2), at=st.integers(0, 4), crlf=st.booleans()
)
def test_one_odd_line_among_lines_that_are_alike(count: int, odd: list[bytes], at: int, crlf: bool) -> None:
    """Whether a text is cut at once or line by line changes nothing, wherever the odd line stands."""
    mine = [LINE.replace(b"203", b"%d" % number) for number in range(count)]
    end = b"\r\n" if crlf else b"\n"
    data = HEAD + b"".join(line + end for line in [*mine[:at], *odd, *mine[at:]])
    for name in ("w3c", "iis", "cloudfront"):
        for border in (b" ", b"\t"):
            text = data.replace(b" ", border) if border == b"\t" else data
            assert told(parse(MINE[name], text)) == told(parse(MINE[name], text, fast=False))


def test_a_comment_of_as_many_values_is_no_line() -> None:
    """What begins with `#` is none, whatever stands in it."""
    for text in (b"#" + SWAPPED, b" #" + SWAPPED):
        assert parse(W3C, OTHER + (SWAPPED + b"\n") * 3 + text + b"\n").lines == 3


@pytest.mark.parametrize("border", [b" ", b"\t"])
def test_lines_that_are_alike_are_cut_at_once(border: bytes) -> None:
    """A text without header, empty line and mark is one cut; a log begins with its header all the same."""
    assert W3C.columns is not None
    cut = Cut(W3C.columns)
    line = LINE.replace(b" ", border)
    values = cut.whole((line + b"\n") * 3, width=6, places=[0, 2], plain=frozenset({2}))
    assert values is not None
    assert [value.to_pylist() for value in values] == [[b"2026-10-10"] * 3, [b"203.0.113.7"] * 3]
    for bad in (b"x", line + border + b"y", line.replace(b"a", b"\0"), line.replace(b"a", b"\r")):
        assert cut.whole((line + b"\n") * 3 + bad + b"\n", width=6, places=[0, 2], plain=frozenset()) is None
    header = Header(W3C.columns)
    text, state = header.skip(b"#Version: 1.0\n" + HEAD + line + b"\n", ())
    assert (text, len(state), header.may_stand_in(text)) == (line + b"\n", 6, False)


@settings(max_examples=100, deadline=None)
@given(data=chunks, cut=st.data(), name=names)
def test_cutting_at_a_line_changes_nothing(data: bytes, cut: st.DataObject, name: str) -> None:
    """Chunks cut at any LF give together what one gives, and the same state."""
    whole = parse(MINE[name], data)
    state: ParseState = ()
    found, count, start = [], 0, 0
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    for end in [*sorted(cut.draw(st.sets(st.sampled_from(ends))) if ends else ()), len(data)]:
        parsed = parse(MINE[name], data[start:end], state)
        state, start, count = parsed.state, end, count + parsed.lines
        found += rows(parsed)
    assert (found, count, state) == (rows(whole), whole.lines, whole.state)


@settings(max_examples=100, deadline=None)
@given(hostile=st.binary(max_size=200) | lines(), fast=st.booleans(), quoted=st.booleans())
def test_a_hostile_line_never_changes_its_neighbours(hostile: bytes, fast: bool, quoted: bool) -> None:
    """Whatever bytes stand between two LF, if they are no header the lines before and behind are read the same."""
    hostile = hostile.replace(b"\n", b"").replace(b"#", b"")
    line = b'"' + LINE.replace(b" ", b'" "') + b'"' if quoted else LINE
    before, behind = line.replace(b"203", b"198"), line.replace(b"203", b"192")
    read = rows(parse(W3C, HEAD + (before + b"\n") * 20 + hostile + b"\n" + (behind + b"\n") * 20, fast=fast))
    assert [r["client"] for r in read[:20]] == [b"198.0.113.7"] * 20
    assert [r["client"] for r in read[-20:]] == [b"192.0.113.7"] * 20
    assert len(read) <= 41


@pytest.mark.parametrize("length", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
@pytest.mark.parametrize("fast", [True, False])
def test_too_long(length: int, fast: bool) -> None:
    """A line of 1 MiB is read, one byte more is too long; a NUL is binary."""
    line = LINE.replace(b"/a", b"/" + b"a" * (length - len(LINE) + 1))
    parsed = parse(W3C, HEAD + (LINE + b"\n") * 20 + line + b"\n" + LINE + b"\0\n", fast=fast)
    assert parsed.rejected == {"binary": 1} | ({} if length == MAX_LINE_BYTES else {"too_long": 1})


def test_partial() -> None:
    """A last line without LF that does not parse is partial."""
    assert parse(W3C, HEAD + LINE + b"\n2026-10-10 11:5").rejected == {"partial": 1}


def test_rejects_are_described() -> None:
    """A reject has the line of the file, headers counted, where it failed, and no value."""
    data = HEAD + LINE + b"\n" + LINE + b" x\n" + LINE.replace(b"11:", b"31:") + b"\nshort\n"
    parsed = parse(W3C, data)
    assert [(r.line, r.at) for r in parsed.rejects] == [(2, len(LINE)), (3, 0), (4, 5)]
    assert "203" not in repr(parsed)


# --- formats, detection, runs ---------------------------------------------------------------------------------------


def test_the_most_specific_format() -> None:
    """A log is of the format whose header has the most that tells it; a header alone shows it, too."""
    for name, fmt in FORMATS.items():
        sample = sample_lines(fmt.examples[0].line.encode(), complete=True)
        assert (found := detect(sample, load_formats().values()).format) is not None
        assert found.name == name
    iis = [line for line in sample_lines(FORMATS["iis"].examples[0].line.encode()) if line.startswith(b"#")]
    assert getattr(detect(iis, load_formats().values()).format, "name", None) == "iis"
    assert detect([LINE], load_formats().values()).format is None
    formats = [with_fields(fmt, HEAD.decode().split()[1:]) for fmt in load_formats().values()]
    assert getattr(detect([LINE], formats).format, "name", None) == "w3c"


FILE = 'title = "t"\nvendor = "https://example.org/"\ndialect = "delimited"\n[columns]\ntime = ["date time"]\n'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("template = 1\n" + FILE, "unknown key 'template'"),
        (FILE.replace("time =", "client ="), "must name 'time'"),
        ('delimiter = ";"\n' + FILE, "'delimiter' must be one of"),
        (FILE + '[decode]\nagent = "rot13"', "must be one of"),
        (FILE.replace('["date time"]', "1"), "must be a list of names"),
        (FILE.replace("[columns]\n", ""), "must be one of any"),
    ],
)
def test_mistakes_are_named(text: str, what: str) -> None:
    """A mistake in a format file is a configuration error (78) that says what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        parse_format("x", text)
    assert what in str(caught.value)


def w3c_line(hour: int, name: bytes) -> bytes:
    return b"%s %02d:00:00 203.0.113.7 /%s 200 curl/8.7.1\n" % (NOW.date().isoformat().encode(), hour, name)


def test_a_grown_log_goes_on_with_the_recorded_columns(tmp_path: Path) -> None:
    """Lines appended without a header are read by the columns of the record; header lines are never counted."""
    log, store = tmp_path / "x.log", tmp_path / "store"
    log.write_bytes(HEAD)
    assert ingest(store, [log]).skipped == [(str(log), "empty")]
    log.write_bytes(HEAD + w3c_line(0, b"a") + OTHER)
    assert (ingest(store, [log]).counted, ingest(store, [log]).already_counted) == (1, 1)
    with log.open("ab") as file:
        file.write(SWAPPED.replace(b"2026-10-10", NOW.date().isoformat().encode()).replace(b"11:", b"00:") + b"\n")
    again = ingest(store, [log])
    assert (again.counted, again.already_counted, again.lines_read) == (1, 1, 2)
    with log.open("ab") as file:
        file.write(HEAD)
    assert ingest(store, [log]).lines_read == 2
    (record,) = (json.loads(p.read_text()) for p in (store / "_loganon" / "sources").iterdir())
    assert record["state"] == ["date", "time", "c-ip", "cs-uri-stem", "sc-status", "cs(user-agent)"]


def test_fields_by_option(tmp_path: Path) -> None:
    """`--fields` names the columns of a log without header, also to the preview; without it nothing of it is stored."""
    log = tmp_path / "x.log"
    log.write_bytes(w3c_line(0, b"a") * 2)
    command, fields = Command(tmp_path), HEAD.decode().partition(" ")[2].strip()
    settings_ = ("--store", tmp_path / "store", "--now", NOW.isoformat(), "--json")
    assert command("run", log, *settings_, "--format", "w3c").code == 65
    assert command("run", log, *settings_).message("--fields")
    done = command("run", log, *settings_, "--fields", fields)
    assert (done.code, done.json["counted"], done.json["sources"][0]["format"]) == (0, 2, "w3c")
    assert command("preview", log, "--json", "--fields", fields).json["counted"] == 2


# --- real logs ------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "path", "count"),
    [
        ("iis", "lnav/logfile_w3c.0", 1),
        ("w3c", "lnav/logfile_w3c.1", 1),
        ("w3c", "lnav/logfile_w3c.2", 14),
        ("iis_advanced", "lnav/logfile_w3c.3", 3),
        ("zeek_http", "lnav/logfile_bro_http.log.0", 197),
    ],
)
def test_real_logs(corpus: Path, name: str, path: str, count: int) -> None:
    """Every line of a real log is read, after detection, by both ways the same."""
    data = (corpus / "logs" / path).read_bytes()
    assert getattr(detect(sample_lines(data), load_formats().values()).format, "name", None) == name
    fast = parse(FORMATS[name], data)
    assert (fast.rows, fast.rejected) == (count, {})
    assert told(fast) == told(parse(FORMATS[name], data, fast=False))


@pytest.mark.corpus
def test_cloudfront_without_header(corpus: Path) -> None:
    """28,949 lines without header are read by the fields given; without these no format fits."""
    data = gzip.decompress((corpus / "logs/aws-waf-automations/test_data/cf-access-log-sample.gz").read_bytes())
    assert detect(sample_lines(data), load_formats().values()).format is None
    formats = [with_fields(fmt, CLOUDFRONT.split()) for fmt in load_formats().values()]
    fmt = detect(sample_lines(data), formats).format
    assert fmt is not None
    assert fmt.name == "cloudfront"
    fast = parse(fmt, data)
    assert (fast.rows, fast.rejected) == (28_949, {})
    assert told(fast) == told(parse(fmt, data, fast=False))
    assert all(b"%" not in agent for agent in fast.columns["agent"].dictionary.to_pylist())


IIS = (
    "date time {} cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status a b c"
)
LAYOUTS = {
    15: IIS.format("s-ip"),
    16: IIS.format("s-ip") + " x-forwarded-for",
    19: "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) "
    "cs(Referer) cs-host sc-status a b sc-bytes cs-bytes c",
    20: "date time s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version "
    "cs(User-Agent) cs(Referer) cs-host sc-status a b sc-bytes cs-bytes c",
    22: "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
    "cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status a b sc-bytes cs-bytes c",
    33: CLOUDFRONT + " x-forwarded-for ssl-protocol ssl-cipher a b c d e f g h i j k",
}


@pytest.mark.corpus
def test_expected_fields(corpus: Path) -> None:
    """Client, time, path, status, bytes and agent are those of the unified suite; its lines have lost their header."""
    every = [json.loads(text) for text in (corpus / "expected/unified_expected.jsonl").read_text().splitlines()]
    seen = 0
    for record in every:
        if record["format"] not in ("iis/access", "crowdsecurity/aws-cloudfront") or not record["accept"]:
            continue
        line, want = record["line"].encode(), record["expect"]
        cloudfront = b"\t" in line
        fields = LAYOUTS.get(len(line.split(b"\t" if cloudfront else b" ")))
        assert fields, record["id"]
        parsed = parse(with_fields(FORMATS["cloudfront" if cloudfront else "iis"], fields.split()), line + b"\n")
        (row,) = rows(parsed)
        seen += 1
        assert row["client"].decode() == want["client"], record["id"]
        if "time_utc" in want:
            assert row["time"] == datetime.fromisoformat(want["time_utc"]).astimezone(UTC), record["id"]
        assert row["status"] == want["status"], record["id"]
        assert row["bytes"] == want.get("bytes", row["bytes"]), record["id"]
        assert row["agent"].decode() == want.get("ua", row["agent"].decode()), record["id"]
        assert row["path"].decode() == want.get("path", want["url"].split("?")[0]), record["id"]
    assert seen == 29
