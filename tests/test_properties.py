"""What must hold for all inputs: neither chunks nor files nor hostile neighbours change a count, and no address passes.

Tables are those before sealing: of the pipeline, of `anonymize`, or of a store under a policy without minima.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import loganon
from leaks import Needles, addresses_in, spellings
from loganon import batching
from loganon.aggregate import merge
from loganon.chunks import Chunk, Window
from loganon.formats import named_format
from loganon.lookups import open_lookups
from loganon.pipeline import Pipeline, Result, build
from loganon.sources.files import Log
from loganon.store import Batch, Committed
from loganon.store.held import Held
from oracle import read_data
from support.cli import SAMPLES
from support.runs import AGENT, NOW, check_balance, expected, hours_of, ingest, plain_policy, rows_of, stamp, table_of

EDGE = "combined"
LIMITS = Window(NOW.date() - timedelta(days=1), NOW)  # so that some lines are expired and some are future
HALF = settings(max_examples=max(settings.default.max_examples // 2, 1))
SLOW = settings(max_examples=max(settings.default.max_examples // 10, 1))  # of a whole run each


@cache
def pipeline(*, coded: bool = True) -> Pipeline:
    """The pipeline of the plain policy for the combined format, with the provider database of the samples."""
    fmt = named_format(EDGE)
    assert fmt is not None
    return build(plain_policy(), fmt, open_lookups([SAMPLES / "providers.mmdb"]), coded=coded)


# --- lines --------------------------------------------------------------------------------------------------------

octet = st.integers(0, 255)
four = st.builds(
    lambda *parts: ipaddress.IPv4Address(bytes(parts)), st.sampled_from([91, 84, 5, 198]), octet, octet, octet
)
six = st.integers(0, 2**96 - 1).map(lambda low: ipaddress.IPv6Address((0x20030000 << 96) | low))
address = st.one_of(four, six)
"""Addresses that are long enough to be looked for."""


def _written(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> st.SearchStrategy[str]:
    """The plain spellings of PRIVACY.md, 1b, as a client."""
    text = str(found)
    if isinstance(found, ipaddress.IPv4Address):
        high, low = int(found) >> 16, int(found) & 0xFFFF
        return st.sampled_from(
            [text, f"::ffff:{text}", f"::ffff:{high:x}:{low:x}", f"{text}:52100", f"[::ffff:{text}]:443"]
        )
    return st.sampled_from([text, text.upper(), found.exploded, f"[{text}]:443", f"[{text}]"])


client = st.one_of(
    address.flatmap(_written),
    st.sampled_from(
        ["-", "localhost", "p5B2C1A0B.dip0.t-ipconnect.de", "fam-schmidt.de", "10.0.0.1", "crawl.example.com"]
    ),
)
moment = st.integers(0, 3 * 24 * 60).map(lambda minutes: NOW + timedelta(hours=2, minutes=-minutes))
path = st.one_of(
    st.sampled_from(
        ["/", "/a", "/b.html", "/s?q=jane+doe", "/user/jane.doe%40example.org/p", "*", "/x;j=1", "/%zz", "/Ä"]
    ),
    st.text("/abc.%2F~-_", max_size=20).map(lambda text: "/" + text),
)
agent = st.sampled_from([AGENT, "-", "", "curl/8.5.0", "Googlebot/2.1", "x" * 300, 'a \\"b\\" c', "\\xc3\\xbc"])


def _line(who: str, when: datetime, what: str, status: str, size: str, browser: str) -> bytes:
    request = f"GET {what} HTTP/1.1"
    return f'{who} - - [{stamp(when)}] "{request}" {status} {size} "-" "{browser}"'.encode()


good = st.builds(
    _line,
    client,
    moment,
    path,
    st.sampled_from(["200", "304", "404", "500", "-"]),
    st.sampled_from(["0", "17", "-"]),
    agent,
)
"""Lines of the format, without their LF."""

junk = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\r", b'"', b"\0", b"\xff\xfe", b"GET / HTTP/1.0", b'\\"', b" ", b"x" * 5000]),
).map(lambda data: data.replace(b"\n", b""))

SIGNS = (
    b'"',
    b'" ',
    b'\\"',
    b"\\",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\x1b[2J",
    b'"\r"',
    b" - - [",
    b'\r\r"',
    b"\x85",
    b"\xe2\x80\xa8",
)

JOINTS = (b"", b"\r", b"\r\r", b"\0", b'"', b"\x0b", b"\x85", b" ", b"\\n")
"""What may stand where a newline should: a line that holds two must not become two."""


def _spoilt(line: bytes, sign: bytes, where: float) -> bytes:
    at = int(len(line) * where)
    return line[:at] + sign + line[at:]


hostile = st.one_of(
    junk,
    st.builds(_spoilt, good, st.sampled_from(SIGNS), st.floats(0, 1)),
    st.builds(lambda one, mark, other: one + mark + other, good, st.sampled_from(JOINTS), good),  # a missing newline
    st.builds(lambda line, cut: line[: int(len(line) * cut)], good, st.floats(0, 1)),
)
any_line = st.one_of(good, good, hostile)
log = st.lists(any_line, max_size=25).map(lambda found: b"".join(line + b"\n" for line in found))


# --- chunks and files ---------------------------------------------------------------------------------------------


def chunks(data: bytes, sizes: list[int]) -> list[Chunk]:
    """The data cut at newlines into chunks of so many lines, the sizes going round."""
    lines = [each + b"\n" for each in data.split(b"\n")[:-1]]
    found, start = [], 0
    turn = 0
    while lines:
        count = sizes[turn % len(sizes)]
        piece = b"".join(lines[:count])
        del lines[:count]
        found.append(Chunk(piece, start, start + len(piece)))
        start += len(piece)
        turn += 1
    return found


def total(parts: list[Result]) -> tuple[object, ...]:
    """What a log comes to: the table, and lines by outcome."""
    rejected: Counter[str] = Counter()
    cells: Counter[datetime] = Counter()
    for part in parts:
        rejected.update(part.rejected)
        cells.update(part.cells)
    table = (
        merge([part.table for part in parts], plain_policy().spec)
        if parts
        else plain_policy().spec.schema.empty_table()
    )
    counts = (sum(part.lines for part in parts), sum(part.counted for part in parts), sum(p.redacted for p in parts))
    return table.to_pylist(), +rejected, +cells, counts, max((p.newest for p in parts if p.newest), default=None)


@HALF
@given(log, st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_chunks_never_change_the_table(data: bytes, sizes: list[int]) -> None:
    """However a log is cut into chunks: the same table, the same lines by reason, the same cells."""
    whole = [pipeline()(Chunk(data, 0, len(data)), LIMITS)] if data else []
    assert total([pipeline()(chunk, LIMITS) for chunk in chunks(data, sizes)]) == total(whole)


@given(log)
def test_every_line_has_one_outcome(data: bytes) -> None:
    """Lines = counted + rejected; what is counted, and its bytes and successes, are what the oracle counts."""
    result = pipeline()(Chunk(data, 0, len(data)), Window(None, None))
    truth = read_data(data, EDGE)
    assert (result.lines, result.counted) == (truth.lines, truth.counted)
    assert {reason: count for reason, count in result.rejected.items() if count} == dict(truth.rejected)
    found = {hour: [0, 0, 0] for hour in truth.hours}
    for row in result.table.to_pylist():
        each = found[row["time"]]
        each[0] += row["requests"]
        each[1] += row["bytes"]
        each[2] += row["requests"] * row["success"]
    assert {hour: tuple(each) for hour, each in found.items()} == expected(truth)


@HALF
@given(log, st.floats(0, 1))
def test_the_files_never_change_the_table(data: bytes, where: float) -> None:
    """A log split in two at any line is the log."""
    borders = [0, *(at + 1 for at, byte in enumerate(data) if byte == 0x0A)]
    border = borders[int(where * (len(borders) - 1))]
    pieces = [piece for piece in (data[:border], data[border:]) if piece]
    whole = [pipeline()(Chunk(data, 0, len(data)), LIMITS)] if data else []
    assert total([pipeline()(Chunk(piece, 0, len(piece)), LIMITS) for piece in pieces]) == total(whole)


SAMPLE = (SAMPLES / "shop.access.log").read_bytes().splitlines(keepends=True)[:150]


@pytest.mark.parametrize(
    ("chunk_bytes", "flush_rows", "flush_texts"),
    [
        (1, 1, 8 << 20),
        (300, 50, 8 << 20),
        (5000, 1, 8 << 20),
        (5000, 50, 8 << 20),
        (300, 1_000_000, 8 << 20),
        (300, 1_000_000, 3000),
        (1 << 23, 1, 8 << 20),
    ],
)
def test_chunks_never_change_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, flush_rows: int, flush_texts: int
) -> None:
    """The same through a whole run: whatever the size of a chunk and however often a batch is committed."""
    sample = SAMPLE[:10] if flush_rows == 1 and chunk_bytes < 5000 else SAMPLE  # there each line is a commit
    wanted, counted = _stored(sample)
    (tmp_path / "x.log").write_bytes(b"".join(sample))
    monkeypatch.setitem(Log.chunks.__kwdefaults__, "chunk_bytes", chunk_bytes)
    monkeypatch.setattr(batching, "FLUSH_ROWS", flush_rows)
    monkeypatch.setattr(batching, "FLUSH_TEXTS", flush_texts)
    summary = ingest(tmp_path / "s", [tmp_path / "x.log"], policy=plain_policy(), format=EDGE)
    assert (summary.exit_code, summary.counted) == (0, counted)
    assert rows_of(table_of(tmp_path / "s")) == wanted


@pytest.mark.parametrize(("flush_rows", "flush_texts"), [(20, 8 << 20), (1_000_000, 300)])
def test_a_batch_is_bounded_by_rows_and_by_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_rows: int, flush_texts: int
) -> None:
    """What fills a batch, rows or distinct texts, is committed before the log has ended: so memory is bounded."""
    held: list[int] = []
    commit = Held.commit

    def counting(self: Held, batch: Batch, *args: Any, **named: Any) -> Committed:
        held.append(batch.rows.num_rows)
        return commit(self, batch, *args, **named)

    monkeypatch.setattr(Held, "commit", counting)
    monkeypatch.setitem(Log.chunks.__kwdefaults__, "chunk_bytes", 300)
    (tmp_path / "x.log").write_bytes(b"".join(SAMPLE))
    ingest(tmp_path / "whole", [tmp_path / "x.log"], policy=plain_policy(), format=EDGE)
    assert len(held) == 1
    monkeypatch.setattr(batching, "FLUSH_ROWS", flush_rows)
    monkeypatch.setattr(batching, "FLUSH_TEXTS", flush_texts)
    ingest(tmp_path / "parts", [tmp_path / "x.log"], policy=plain_policy(), format=EDGE)
    assert len(held) > 3
    assert max(held[1:]) < held[0]


def _stored(sample: list[bytes]) -> tuple[Counter[tuple[object, ...]], int]:
    result = loganon.anonymize(sample, policy=plain_policy(), format=EDGE)
    return rows_of(result.table), len(sample)


@SLOW
@given(data=st.data())
def test_two_files_never_change_the_store(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Split at any line, in one run or in two, the store holds the same table."""
    at = data.draw(st.integers(1, 39), label="line")
    apart = data.draw(st.booleans(), label="two runs")
    folder = tmp_path_factory.mktemp("split")
    lines = SAMPLE[:40]
    one, two = folder / "x.log.1", folder / "x.log"
    one.write_bytes(b"".join(lines[:at]))
    two.write_bytes(b"".join(lines[at:]))
    for logs in ([one], [two]) if apart else ([one, two],):
        assert ingest(folder / "s", logs, policy=plain_policy(), format=EDGE).exit_code == 0
    assert rows_of(table_of(folder / "s")) == _stored(lines)[0]


# --- neighbours ---------------------------------------------------------------------------------------------------


def rows(data: bytes) -> list[dict[str, object]]:
    """The rows of the accepted lines, in order."""
    return pipeline(coded=False)(Chunk(data, 0, len(data)), Window(None, None)).table.to_pylist()


@given(
    st.lists(good, min_size=1, max_size=6),
    st.lists(hostile, min_size=1, max_size=3),
    st.lists(good, min_size=1, max_size=6),
)
@example([_line("a", NOW, "/1", "200", "1", "-")], [b'"\r"', b'\r"'], [_line("b", NOW, "/2", "200", "1", "-")])
@example(
    [_line("a", NOW, "/1", "200", "1", "-")] * 2,
    [_line("x", NOW, '/"', "200", "1", "-"), _line("x", NOW, '/"\r/', "200", "1", "-")],
    [_line("b", NOW, "/2", "200", "1", "-")] * 2,
)
def test_no_line_changes_its_neighbours(before: list[bytes], odd: list[bytes], after: list[bytes]) -> None:
    """A stray quote, a bare CR, a NUL, invalid UTF-8, a missing newline, any bytes: the rows of the lines before and
    after are those that they have alone, and the odd lines' own are those that they have alone."""
    first, middle, last = [b"".join(line + b"\n" for line in part) for part in (before, odd, after)]
    assert rows(first + middle + last) == rows(first) + rows(middle) + rows(last)


def neighbours(odd: list[bytes]) -> None:
    """Between each two of the odd lines stands a good one of its own path and size: each is counted, and the whole is
    what the oracle finds."""
    good_one = [_line("91.44.26.11", NOW, f"/n/{n}", "200", str(5000 + n), AGENT) for n in range(len(odd) + 1)]
    mixed = [line for pair in zip(good_one, odd, strict=False) for line in pair] + good_one[len(odd) :]
    data = b"".join(line + b"\n" for line in mixed)
    result = pipeline(coded=False)(Chunk(data, 0, len(data)), Window(None, None))
    truth = read_data(data, EDGE)
    found = [(row["file"], row["bytes"]) for row in result.table.to_pylist()]
    own = [(f"/n/{n}", 5000 + n) for n in range(len(odd) + 1)]
    assert [each for each in found if each in set(own)] == own
    assert (result.lines, result.counted) == (truth.lines, truth.counted)
    assert {reason: count for reason, count in result.rejected.items() if count} == dict(truth.rejected)
    assert sum(size for _, size in found) == truth.bytes


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_at_each_place(sign: bytes) -> None:
    """A quote, a CR, a NUL, no UTF-8 and their like, at each place of a line: its neighbours are untouched."""
    line = _line("91.44.26.12", NOW, "/odd?x", "200", "7", "curl/8.5.0")
    odd = [line[:at] + sign + line[at:] for at in range(len(line) + 1)]
    neighbours(odd)
    neighbours(odd[len(odd) // 2 :][:1])  # one alone: where the others need not go the slow way for their number


@pytest.mark.parametrize("joint", JOINTS)
def test_two_lines_in_one(joint: bytes) -> None:
    """Without its newline, or with another sign in its place, a line and the next are one, which is no line."""
    line = _line("91.44.26.12", NOW, "/odd", "200", "7", "curl/8.5.0")
    neighbours([line + joint + line])
    neighbours([line + joint + line, line, line + joint + line + joint + line])


def test_quotes_that_would_make_up_for_each_other() -> None:
    """Lines that have too many and too few quotes, as many as two good ones together: the hardest for a fast cut."""
    line = _line("91.44.26.12", NOW, "/odd", "200", "7", "curl/8.5.0")
    more, less = line + b'"', line[:-1]
    for odd in (
        [more, less],
        [less, more],
        [line[:-3], b'"curl/8.5.0"'],
        [line + b'"\r"' + line, less, more],
        [b'"' * 6],
    ):
        neighbours(odd)
        data = b"".join(each + b"\n" for each in odd)  # and with nothing between
        assert rows(data) == [row for each in odd for row in rows(each + b"\n")]


@HALF
@given(st.lists(good, min_size=1, max_size=4), hostile)
def test_an_unterminated_end_changes_nothing_before(before: list[bytes], odd: bytes) -> None:
    """Whatever stands at the end without its newline: the lines before it are counted as alone."""
    first = b"".join(line + b"\n" for line in before)
    assert rows(first + odd)[: len(rows(first))] == rows(first)


@HALF
@given(st.lists(st.tuples(any_line, st.booleans()), max_size=20))
def test_one_carriage_return_before_the_newline_is_dropped(found: list[tuple[bytes, bool]]) -> None:
    """A log with CR LF line ends is the log with LF; an empty line is none."""
    plain = b"".join(line.rstrip(b"\r") + b"\n" for line, _ in found)
    other = b"".join(line.rstrip(b"\r") + (b"\r\n\r\n\n" if crlf else b"\n") for line, crlf in found)
    assert rows(other) == rows(plain)


# --- addresses ----------------------------------------------------------------------------------------------------

PLACES = (
    "/ip/{}/",
    "/json/{}.json",
    "/x/{}",
    "/{}",
    "/a/b-{}/c",
    "/s?ip={}",
    "/p;c={}",
    "http://{}/x",
    "http://u:{}@host/x",
    "/r#{}",
)


def _planted(
    found: ipaddress.IPv4Address | ipaddress.IPv6Address, where: int, encode: bool, who: str, when: datetime
) -> bytes:
    text = quote(str(found), safe="") if encode else str(found)
    field = [str(found)] * 5
    what = PLACES[where].format(text)
    return (
        f'{who} {field[0]} {field[1]} [{stamp(when)}] "GET {what} HTTP/1.1" 200 5 "https://{field[2]}/x?y={field[3]}" '
        f'"Mozilla/5.0 (compatible; {field[4]}; +http://{text}/bot)"'
    ).encode()


@given(
    st.lists(
        st.tuples(address, st.integers(0, len(PLACES) - 1), st.booleans(), client, moment), min_size=1, max_size=8
    ),
    st.lists(any_line, max_size=8),
)
def test_no_cell_contains_an_address(planted: list[tuple[object, ...]], others: list[bytes]) -> None:
    """Addresses as client, ident, user, in path, query, referrer and agent: none, in any spelling, is in any cell of
    the table, coded or not, raw or percent-decoded."""
    lines = [_planted(*each) for each in planted]  # type: ignore[arg-type]  # drawn so
    data = b"".join(line + b"\n" for line in [*lines, *others])
    needles = set().union(*(spellings(each[0]) for each in planted))  # type: ignore[arg-type]  # an address
    needles |= addresses_in(b"\n".join(line for line in lines))
    for coded in (True, False):
        table = pipeline(coded=coded)(Chunk(data, 0, len(data)), Window(None, None)).table
        cells = "\n".join(str(value) for row in table.to_pylist() for value in row.values() if isinstance(value, str))
        assert Needles(needles).found_in(cells.encode()) == set()
        assert addresses_in(cells) == set()


@SLOW
@given(lines=st.lists(good, min_size=1, max_size=20))
def test_no_address_reaches_the_disk(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """The same for every byte of a store and for the summary of its run."""
    from leaks import search_tree  # noqa: PLC0415 - the one test that searches a folder

    folder = tmp_path_factory.mktemp("leak")
    (folder / "x.log").write_bytes(b"".join(line + b"\n" for line in lines))
    summary = ingest(folder / "s", [folder / "x.log"], now=NOW.astimezone(UTC), format=EDGE)
    check_balance(summary.as_dict())
    assert summary.counted == sum(count for count, _, _ in hours_of(folder / "s").values())
    needles = addresses_in(b"\n".join(line.split(b" ", 1)[0] for line in lines))
    assert search_tree(folder / "s", needles) == []
    assert Needles(needles).found_in(repr(summary).encode()) == set()
