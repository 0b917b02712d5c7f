"""The reader and the search that other tests lean on are themselves held to fixed answers."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaks import Needles, addresses_in, names_in, search_tree
from oracle import NotThisFormatError, accesses, read_data, read_line, read_log, unix_second

LINE = b'203.0.113.7 - bob [10/Oct/2026:13:55:36 +0200] "GET /a?x=1 HTTP/1.1" 200 2326'


def test_a_line_of_each_format() -> None:
    """The four formats differ in a host before and two quoted parts behind."""
    tail = b' "https://r.example/" "A \\"b\\" \\\\"'
    for style, line in {
        "common": LINE,
        "combined": LINE + tail,
        "common_vhost": b"www.example:443 " + LINE,
        "combined_vhost": b"www.example " + LINE + tail,
    }.items():
        access = read_line(line, style)
        assert (access.client, access.status, access.size, access.success) == (b"203.0.113.7", 200, 2326, True)
        assert access.request == b"GET /a?x=1 HTTP/1.1"
        assert datetime.fromtimestamp(access.second, UTC) == datetime(2026, 10, 10, 11, 55, 36, tzinfo=UTC)
        assert (access.agent is not None) == style.startswith("combined")


@pytest.mark.parametrize(
    "line",
    [
        LINE + b" ",
        LINE + b' "-"',
        LINE[:-5],
        LINE.replace(b"GET", b'G"T'),
        LINE.replace(b"Oct", b"Okt"),
        LINE.replace(b"10/Oct", b"31/Sep"),
        LINE.replace(b"13:55", b"24:55"),
        LINE.replace(b" 200 ", b" 2000 "),
        LINE.replace(b"2326", b"-2326"),
        LINE.replace(b"HTTP/1.1", b"HTTP/1.1\\"),
        LINE.replace(b"203.0.113.7 ", b" "),
        LINE.replace(b" - bob", b"  bob"),
    ],
)
def test_what_is_no_line_of_the_format(line: bytes) -> None:
    """A part that is missing, one too many, or out of its range: the line is rejected whole."""
    with pytest.raises(NotThisFormatError):
        read_line(line, "common")


@pytest.mark.parametrize(
    "stamp", ["29/Feb/2024:23:59:59 -0330", "01/Jan/1970:00:00:00 +0000", "31/Dec/1999:00:30:00 +0100"]
)
def test_times_as_the_standard_library_reads_them(stamp: str) -> None:
    """The day count of the month table is the calendar's."""
    expected = datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z").timestamp()
    assert unix_second(stamp.encode()) == expected


def test_a_user_name_with_spaces() -> None:
    """Servers write it as it is; a virtual host before the client does not make a user name of the client."""
    assert read_line(LINE.replace(b"bob", b"bob [the] builder"), "common").client == b"203.0.113.7"
    with pytest.raises(NotThisFormatError):
        read_line(b"www.example:443 " + LINE.replace(b"bob", b"-"), "common")


def test_days_that_do_not_exist() -> None:
    """1900 has no leap day, 2000 has one."""
    assert unix_second(b"29/Feb/2000:00:00:00 +0000") == 951_782_400
    assert unix_second(b"31/Dec/2016:23:59:60 +0000") == unix_second(b"31/Dec/2016:23:59:59 +0000")
    with pytest.raises(NotThisFormatError):
        unix_second(b"29/Feb/1900:00:00:00 +0000")


def test_lines_and_their_reasons() -> None:
    """Empty lines are none; each other line is counted or has the first reason that applies; a bare CR ends nothing."""
    data = b"\n\r\n" + LINE + b"\r\n" + LINE[:55] + b"\r" + LINE + b"\n"
    data += b"a\x00b\n" + b"x" * (1024 * 1024 + 1) + b"\x00\n" + b"x" * 1024 * 1024 + b"\r\n" + LINE[:50]
    reading = read_data(data, "common")
    assert (reading.lines, reading.counted, reading.pending_bytes) == (5, 1, 50)
    assert reading.rejected == Counter(malformed=2, binary=1, too_long=1)
    reading = read_data(data, "common", final=True)
    assert (reading.lines, reading.pending_bytes, reading.rejected["partial"]) == (6, 0, 1)
    assert read_data(LINE, "common", final=True).counted == 1


def test_status_and_bytes_without_a_number() -> None:
    """`-`, `000` and `-1` are no success; bytes `-` are 0; 100 to 399 is a success."""
    for status, success in ((b"-", 0), (b"000", 0), (b"-1", 0), (b"100", 1), (b"399", 1), (b"400", 0), (b"099", 0)):
        reading = read_data(LINE.replace(b"200 2326", status + b" -") + b"\n", "common")
        assert (reading.counted, reading.bytes, reading.successes) == (1, 0, success)


def test_compressed_logs(tmp_path: Path) -> None:
    """Several members are one log; the end of a compressed log is a line; a torn one gives its whole lines."""
    log = tmp_path / "x.log"
    log.write_bytes(gzip.compress(LINE + b"\n") + gzip.compress(LINE + b"\n" + LINE))
    assert (read_log(log, "common").counted, read_log(log, "common").damaged) == (3, False)
    lines = [LINE[:-4] + b"%d\n" % number for number in range(5000)]
    log.write_bytes(gzip.compress(b"".join(lines))[:9000])
    reading = read_log(log, "common")
    assert reading.damaged
    assert 0 < reading.counted < 5000
    assert reading.lines == reading.counted


def test_spellings_that_are_looked_for() -> None:
    """One address in a line: all its spellings are needles; versions and times are no addresses."""
    found = addresses_in(LINE.replace(b"203.0.113.7", b"91.44.26.11"))
    assert {
        b"91.44.26.11", b"091.044.026.011", b"0x5b2c1a0b", b"1529616907", b"013313015013", b"::ffff:5b2c:1a0b",
        b"2002:5b2c:1a0b", b"64:ff9b::5b2c:1a0b", b"91-44-26-11", b"p5B2C1A0B", b"11.26.44.91",
    } <= found  # fmt: skip
    six = addresses_in("2003:0:ab::1 [10/Oct/2026:13:55:36 +0200]")
    assert {b"2003:0:ab::1", b"2003%3A0%3Aab%3A%3A1", b"2003:0000:00ab:0000:0000:0000:0000:0001"} <= six
    assert addresses_in("/h/2003%3A%3A1/") == addresses_in("2003::1")
    assert b"91.44.26.11" in addresses_in("::ffff:5b2c:1a0b")
    assert b"91.44.26.11" in addresses_in("dslb-091-044-026-011.pools.example")
    assert addresses_in("/v1.2.3.4/x.zip 1.2.3.4.5 10:11:12 2026-10-10-11 ::1") == set()
    assert names_in([b"p5B2C1A0B.dip0.t-ipconnect.de", b"www.x.de", b"ppp7.x.de", b"1.2.3.4", b"2003::1"]) == {
        b"p5B2C1A0B.dip0.t-ipconnect.de", b"p5b2c1a0b.dip0.t-ipconnect.de", b"ppp7.x.de",
    }  # fmt: skip


def test_the_borders_of_a_needle() -> None:
    """Digits on either side make it another number; letters do not."""
    needles = Needles([b"1.2.3.4", b"2003::1", b"::1"])
    assert needles.found_in(b"x1.2.3.4y") == {b"1.2.3.4"}
    assert needles.found_in(b"11.2.3.4 1.2.3.45 2003::12 ::1") == set()
    assert needles.found_in(b"11.2.3.4 1.2.3.4") == {b"1.2.3.4"}
    assert needles.found_in(b"1.2.3.4") == {b"1.2.3.4"}
    assert Needles([]).found_in(b"1.2.3.4") == set()


@pytest.mark.parametrize("border", [(8 << 20) - 3, (8 << 20) - 7, 8 << 20])
def test_a_needle_across_two_pieces(border: int) -> None:
    """Long data is searched in pieces; nothing is lost between them."""
    assert Needles([b"91.44.26.11"]).found_in(b"x" * border + b"91.44.26.11" + b"y") == {b"91.44.26.11"}


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ["dictionary", "PLAIN", "DELTA_BYTE_ARRAY"])
def test_a_value_inside_parquet_is_found(tmp_path: Path, compression: str, version: str, encoding: str) -> None:
    """An address in one row of a column is found, however the file is encoded."""
    values = [f"/page/{number}" for number in range(3000)] + ["/ip/91.44.26.11/", "/ip/91.44.26.12/"]
    table = pa.table({"file": values, "requests": list(range(len(values)))})
    choice: dict[str, object] = {"use_dictionary": True}
    if encoding != "dictionary":
        choice = {"use_dictionary": False, "column_encoding": {"file": encoding}}
    (tmp_path / "access").mkdir()
    pq.write_table(
        table, tmp_path / "access/cell.parquet", compression=compression, data_page_version=version, **choice,
        write_statistics=False,
    )  # fmt: skip
    needles = [b"91.44.26.11", b"91.44.26.12", b"91.44.26.13"]
    hits = search_tree(tmp_path, needles)
    assert {hit.needle for hit in hits if hit.where == "values file"} == set(needles[:2])
    if encoding != "DELTA_BYTE_ARRAY":
        assert {hit.needle for hit in hits if hit.where == "page file"} == set(needles[:2])


def test_a_dictionary_value_that_no_row_uses_is_found(tmp_path: Path) -> None:
    """A page may hold more than the rows show."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["/a", "/91.44.26.11"]))
    pq.write_table(pa.table({"file": column}), tmp_path / "x.parquet", compression="zstd", write_statistics=False)
    assert "page file" in {hit.where for hit in search_tree(tmp_path, [b"91.44.26.11"])}


def test_names_and_other_files_are_searched(tmp_path: Path) -> None:
    """A needle in a file's name, a hidden file, or a folder's name is a hit."""
    (tmp_path / "91.44.26.11").mkdir()
    (tmp_path / ".hidden").write_bytes(b"\x00\xff91.44.26.11")
    assert [(hit.path, hit.where) for hit in search_tree(tmp_path, [b"91.44.26.11"])] == [
        (".hidden", "raw"),
        ("91.44.26.11", "name"),
    ]


@pytest.mark.corpus
def test_nasa_lines_as_another_suite_reads_them(corpus: Path) -> None:
    """Client, time, status and bytes of 10,000 lines of 1995 equal those that another project's reader gave."""
    data = (corpus / "logs/nasa-http/nasa_19950801.log").read_bytes()
    with (corpus / "expected/unified_expected.jsonl").open(encoding="utf-8") as file:
        records = [record for record in map(json.loads, file) if record["src"] == "nasa-imhotep"]
    expected = {record["n"]: record["expect"] for record in records}
    found = list(accesses(data, "common"))
    assert len(found) == len(expected) == 10_000
    for number, access in enumerate(found):
        wanted = expected[number]
        moment = datetime.fromtimestamp(access.second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert access.client.decode() == wanted["client"]
        assert (moment, access.status, access.size) == (wanted["time_utc"], wanted["status"], wanted["bytes"])
        assert access.request.split(b" ")[1].decode("latin-1") == wanted["url"]
    reading = read_data(data, "common")
    assert (reading.lines, reading.malformed, reading.requests) == (10_000, 0, 10_000)


@pytest.mark.corpus
def test_apache_lines_of_2015(corpus: Path) -> None:
    """All 5,000 lines are combined; the sums per hour add up to those of the columns cut with a plain split."""
    data = (corpus / "logs/elastic-examples/apache_logs/apache_logs").read_bytes()
    reading = read_data(data, "combined")
    assert (reading.lines, reading.counted) == (5000, 5000)
    cut = [line.split(b'"')[2].split() for line in data.splitlines()]
    assert reading.bytes == sum(int(size) for _, size in cut if size != b"-")
    assert reading.successes == sum(100 <= int(status) < 400 for status, _ in cut)
    hours = Counter(line.split(b"[")[1][:14] for line in data.splitlines())
    assert {moment.strftime("%d/%b/%Y:%H").encode(): hour.requests for moment, hour in reading.hours.items()} == hours
    assert len(reading.clients) == len({line.split(b" ")[0] for line in data.splitlines()})
