"""The engine's short ways: each gives what the long one gives, and nothing of another chunk, day or line."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from threading import current_thread
from typing import ClassVar

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loganon import aggregate
from loganon import pipeline as pipeline_module
from loganon.addresses import Address
from loganon.aggregate import merge
from loganon.chunks import MAX_LINE_BYTES, Chunk, Window
from loganon.formats import load_formats
from loganon.lookups import Lookups, agents
from loganon.lookups.providers import Candidate, open_database
from loganon.parse import make_parser, whole_lines
from loganon.parse.template import TemplateParser
from loganon.pipeline import Pipeline, build
from loganon.policy import load_policy
from loganon.sources.inflate import Inflater
from loganon.treatments import file, held
from loganon.treatments.client import make_provider, make_truncated

NEEDS = frozenset({"client", "time", "request", "status", "bytes", "agent"})
EVER = Window(None, None)
LINE = '{} - {} [18/Nov/2026:0{}:00:00 +0000] "GET {} HTTP/1.1" 200 5 "-" "curl/8"\n'

CLIENTS = st.sampled_from(
    [
        "91.44.26.11",
        "2003:0:ab::1",
        "::",
        "f",
        "a.b",
        "host.example",
        "-",
        "",
        "1.2.3.4, 5.6.7.8",
        " 1.2.3.4",
        "1.2.3.4 x",
    ]
)
USERS = st.sampled_from(["-", "jane", "jane doe", "- x", "[", "", "1.2.3.4 -"])
PATHS = st.text(st.sampled_from("/ab.?#;%23F3@0 \\é\x01:*"), min_size=1, max_size=12)


@cache
def pipeline() -> Pipeline:
    """That of the default policy on the combined format."""
    return build(load_policy("imos"), load_formats()["combined"], Lookups(), coded=True)


def chunk(lines: Sequence[str]) -> Chunk:
    data = "".join(lines).encode()
    return Chunk(data, 0, len(data))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CLIENTS, USERS, st.integers(0, 9), PATHS), max_size=12))
def test_lines_alike_behind_the_client_are_read_as_each_by_itself(rows: list[tuple[str, str, int, str]]) -> None:
    """Of lines that are alike behind their client one is matched for all: with the values that each has by itself."""
    text = chunk([LINE.format(*row) for row in rows])
    fast, exact = (
        TemplateParser(load_formats()["combined"], needs=NEEDS, fast=fast)(text, ()) for fast in (True, False)
    )
    assert (fast.rows, fast.lines, fast.rejected) == (exact.rows, exact.lines, exact.rejected)
    assert {name: column.to_pylist() for name, column in fast.columns.items()} == {
        name: column.to_pylist() for name, column in exact.columns.items()
    }


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.builds(
            "{} {}{}".format,
            st.sampled_from(["GET", "CONNECT", "get", "POST", "X"]),
            PATHS,
            st.sampled_from(["", " HTTP/1.1"]),
        ),
        max_size=8,
    )
)
def test_plain_requests_have_the_path_that_the_long_way_gives(requests: list[str]) -> None:
    """A request that needs no more than to be cut is cut as the others are."""
    values = pl.Series(requests, dtype=pl.String)
    long = file._paths(file._without_query(file._request_targets(values)), relative=False)
    assert file.request_paths(values, raw="request").to_list() == long.to_list()


AGENTS = st.lists(
    st.sampled_from(
        [
            "Mozilla/5.0 ",
            "bot",
            "Bot/",
            "cubot",
            "CRAWLER",
            "Spider",
            "+http://",
            "; https://x",
            "(http:",
            "HeadLess",
            "@a.b",
            "Lighthouse",
            "selenium",
            "Playwright",
            "puppeteer",
            "robots/1",
            "LinkCheck",
            "feed fetcher",
            "\u212a",
            " ",
            "x",
        ]
    ),
    max_size=5,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(AGENTS)
def test_agents_that_surely_are_bots_are_found_by_their_words_first(agent: str) -> None:
    """The words that are looked for first stand in all that the rule finds."""
    assert agents._is_surely_bot(agent) == (agents._SURE_BOT.search(agent) is not None)
    assert agents._is_bot(agent) == (agents._BOT.search(agent) is not None)


@given(st.from_regex(agents._BOT) | st.from_regex(agents._SURE_BOT))
def test_what_says_that_it_is_a_bot_holds_one_of_the_words(agent: str) -> None:
    """Whatever either rule finds, in whatever spelling."""
    assert agents._is_bot(agent) == (agents._BOT.search(agent) is not None)
    assert agents._is_surely_bot(agent) == (agents._SURE_BOT.search(agent) is not None)


class Numbers:
    """A database in which an address's last character is its provider's: German, American, or none."""

    def lookup(self, address: Address | str) -> Candidate | None:
        return {"1": Candidate(3320, None), "2": Candidate(None, "mail.example.com")}.get(str(address)[-1])

    def network(self, address: str) -> tuple[Candidate | None, int]:
        return self.lookup(address), 128


TOKENS = st.sampled_from(
    ["91.44.26.1", "91.44.26.2", "91.44.26.3", "2003::1", "10.0.0.1", "dip0.t-ipconnect.de", "-", '"91.44.26.1"', None]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(TOKENS, max_size=6, unique=True), max_size=6))
def test_what_is_remembered_of_clients_is_what_would_be_answered_anew(calls: list[list[str | None]]) -> None:
    """In whatever order values come, held answers are those of a treatment that holds none; also with a full memory."""
    for make in (lambda: make_provider(databases=[Numbers()], known_only=False), make_provider, make_truncated):
        holding = make()
        for tokens in calls:
            values = pl.Series(tokens, dtype=pl.String)
            assert holding(values)[0].to_list() == make()(values)[0].to_list()


class Nested:
    """A database with networks within networks: the longest prefix of an address has a provider or none."""

    networks: ClassVar[dict[str, int | None]] = {
        "0.0.0.0/0": None,
        "91.0.0.0/8": 3320,
        "91.44.0.0/16": None,
        "91.44.26.0/23": 3209,
        "91.44.27.128/25": 3320,
        "91.44.27.255/32": None,
        "128.0.0.0/1": 3209,
        "::/0": None,
        "2003::/19": 3320,
        "2003:0:ab00::/40": None,
        "2003:0:abcd::/48": 3209,
        "2003:0:abcd::ff/128": 3320,
        "2a00::/11": 3209,
        "2a01::/16": None,
    }

    def lookup(self, address: Address | str) -> Candidate | None:
        return self.network(str(address))[0]

    def network(self, address: str) -> tuple[Candidate | None, int]:
        each = ip_address(address)  # for what is no address ValueError, as the library
        parts = [ip_network(f"{each}/{n}", strict=False) for n in range(each.max_prefixlen + 1)]
        bits = max(n for n, part in enumerate(parts) if str(part) in self.networks)
        found = self.networks[str(parts[bits])]
        within = [other for other in map(ip_network, self.networks) if other.version == each.version]
        alike = next(  # the shortest prefix in which no other network begins
            n
            for n in range(bits, each.max_prefixlen + 1)
            if not any(int(other[0]) in _span(parts[n]) and other.prefixlen > bits for other in within)
        )
        return Candidate(found, None) if found else None, alike


def _span(network: IPv4Network | IPv6Network) -> range:
    return range(int(network[0]), int(network[-1]) + 1)


BORDERS = [edge for each in map(ip_network, Nested.networks) for edge in (each[0], each[-1])]
ADDRESSES = st.builds(
    lambda border, step: str(type(border)(min(max(int(border) + step, 0), (1 << border.max_prefixlen) - 1))),
    st.sampled_from(BORDERS),
    st.integers(-2, 2) | st.integers(-70_000, 70_000) | st.integers(-(1 << 90), 1 << 90),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ADDRESSES | TOKENS, max_size=30))
@example(["91.44.26.3", "91.44.26.4", "91.44.26.11", "91.44.26.12"])
@example(["2003:0:abcd::fe", "2003:0:abcd::ff", "2003:0:abcd::100", "2003:0:abce::", "2003::1::2", "2a01:::"])
def test_a_network_is_looked_up_once_for_all_its_addresses(tokens: list[str | None]) -> None:
    """Of many addresses at once each has the answer that it has alone, at whatever border of a network it is."""

    def answers(values: list[str | None]) -> list[str]:
        return make_provider(databases=[Numbers(), Nested()])(pl.Series(values, dtype=pl.String))[0].to_list()

    together, alone = answers(tokens), [answer for token in tokens for answer in answers([token])]
    assert together == alone


def test_networks_of_a_real_database_are_looked_up_once() -> None:
    """The prefix that the library gives with a record is one all of whose addresses have that record."""
    database = open_database(Path(__file__).parent.parent / "sample_logs" / "providers.mmdb")
    v4 = [IPv4Address(number) for number in range(0, 1 << 32, (1 << 32) // 3001)]
    v6 = [IPv6Address(number) for number in range(1 << 125, 1 << 126, (1 << 125) // 3001)]
    for address in (*v4, *v6):
        found, bits = database.network(str(address))
        network = ip_network(f"{address}/{min(bits, address.max_prefixlen)}", strict=False)
        for each in (network[0], network[-1], address):
            assert database.lookup(str(each)) == found


@pytest.mark.parametrize("kind", ["values", "answers"])
def test_what_is_not_numbered_as_it_comes_is_answered_anew(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever order the engine's table gave numbers in, of the values or of their answers: the same, and none held."""
    number = held.Numbers.__call__
    requests = pl.Series(
        ["GET /a HTTP/1.1", None, "GET /user/anna HTTP/1.1", "GET /a?b HTTP/1.1", "-"], dtype=pl.String
    )
    right = file.make_path(raw="request")(requests)[0].to_list()
    assert right == ["/a", "{invalid}", "/user/{user}", "/a", "{invalid}"]

    def disordered(self: held.Numbers, values: pl.Series) -> tuple[pl.Series, pl.Series | None]:
        mine = (self is treat._numbers) == (kind == "values")
        return (number(self, values)[0], None) if mine else number(self, values)

    treat = file.make_path(raw="request")
    monkeypatch.setattr(held.Numbers, "__call__", disordered)
    assert treat(requests)[0].to_list() == right
    assert not len(treat)
    monkeypatch.undo()
    assert treat(requests)[0].to_list() == right


def test_clients_that_come_twice_at_once_have_the_same_answer_and_keep_it() -> None:
    """What is remembered does not depend on the values of a call being distinct."""
    treat = make_provider(databases=[Numbers()])
    assert treat(pl.Series(["91.44.1.3", "91.44.1.3", "91.44.1.1"]))[0].to_list() == ["unknown"] * 2 + [
        "t-ipconnect.de"
    ]
    assert treat(pl.Series(["91.44.2.3", "91.44.1.1", "91.44.1.3"]))[0].to_list() == [
        "unknown",
        "t-ipconnect.de",
        "unknown",
    ]


REQUESTS = st.sampled_from(
    [
        *("GET /a HTTP/1.1", "GET /a?b HTTP/2.0", "GET /a?b", "POST /a HTTP/1.1", "GET /user/anna HTTP/1.1", "-", ""),
        *("GET /a%3fb HTTP/1.1", "GET /a?b c HTTP/1.1", "GET /a? HTTP/1.0", "GET /a#b HTTP/1.1", "CONNECT a:1"),
        None,
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(REQUESTS, max_size=8), max_size=5), st.integers(0, 40), st.booleans())
def test_what_is_remembered_of_paths_is_what_would_be_answered_anew(
    calls: list[list[str | None]], most: int, routed: bool
) -> None:
    """Whatever was held, forgotten for its length, or never seen: each call's answers are those of a new treatment."""
    options = {"raw": "request", "routes": ("/a", "/user/:id") if routed else ()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "MOST_BYTES", most)
        holding = file.make_path(**options)
        for requests in calls:
            values = pl.Series(requests, dtype=pl.String)
            fresh = file.make_path(**options)(values)[0].to_list()
            assert holding(values)[0].to_list() == fresh
            (coded,) = holding.coded(values)
            assert coded.to_pylist() == fresh
            assert sorted(coded.dictionary.to_pylist()) == sorted(set(fresh))


def test_a_full_memory_of_clients_begins_anew(monkeypatch) -> None:
    """Beyond its bound nothing is held of what was, and the answers stay right."""
    monkeypatch.setattr(held, "MOST_VALUES", 3)
    treat = make_provider(databases=[Numbers()])
    for start in range(0, 12, 2):
        tokens = [f"91.44.{start + n}.1" for n in range(2)]
        assert treat(pl.Series(tokens))[0].to_list() == ["t-ipconnect.de"] * 2
        assert len(treat) <= 3


def test_parsing_ahead_in_another_thread_changes_nothing() -> None:
    """`treat` of what `parse` gave elsewhere is the call itself; calls from many threads do not disturb one another."""
    chunks = [
        chunk([LINE.format(f"91.44.{n}.{m}", "-", m % 9, f"/p{n * m % 7}") for m in range(40)]) for n in range(24)
    ]
    whole = [pipeline()(each, EVER).table for each in chunks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: pipeline()(each, EVER).table, chunks))
        ahead = [pipeline().treat(parsed, EVER).table for parsed in pool.map(pipeline().parse, chunks)]
    spec = load_policy("imos").spec
    for one, two, three in zip(whole, together, ahead, strict=True):
        assert one.cast(spec.schema).equals(two.cast(spec.schema))
        assert one.cast(spec.schema).equals(three.cast(spec.schema))


FLOOD = [
    LINE.format("91.44.26.11", "-", n % 9, f"/p{n % 7}").replace("curl/8", f"curl/8 {n * 7 % 90}") for n in range(200)
]


def test_a_flood_of_agents_is_treated_by_another_thread_to_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many distinct agents: a thread of their own, kept for the next chunk; few: none. The table is the same."""
    spec = load_policy("imos").spec
    asked: list[str] = []
    column = agents.Agents.column

    def noted(self: agents.Agents, values: pl.Series) -> tuple[pl.Series, pl.Series]:
        asked.append(current_thread().name)
        return column(self, values)

    monkeypatch.setattr(agents.Agents, "column", noted)
    alone = pipeline()(chunk(FLOOD), EVER).table.cast(spec.schema)
    assert asked == [current_thread().name]
    monkeypatch.setattr(pipeline_module, "MANY", 90)
    new = build(load_policy("imos"), load_formats()["combined"], Lookups(), coded=True)
    for _ in range(2):
        assert new(chunk(FLOOD), EVER).table.cast(spec.schema).equals(alone)
    assert new(chunk(FLOOD[:80]), EVER).table.cast(spec.schema).equals(alone.slice(0, 80))
    assert len(set(asked[1:3])) == 1
    assert asked[1] not in asked[::3]


@pytest.mark.parametrize("broken", ["agents", "paths", "both"])
def test_what_breaks_in_another_thread_is_raised_where_it_was_asked_for(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of a treatment is an error of the call, whichever thread has met it; and nothing goes on behind it."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(broken)

    monkeypatch.setattr(pipeline_module, "MANY", 90)
    new = build(load_policy("imos"), load_formats()["combined"], Lookups(), coded=True)
    with monkeypatch.context() as patch:
        if broken != "paths":
            patch.setattr(agents.Agents, "column", fail)
        if broken != "agents":
            patch.setattr(file, "request_paths", fail)
        with pytest.raises(ZeroDivisionError):
            new(chunk(FLOOD), EVER)
    assert new(chunk(FLOOD), EVER).counted == len(FLOOD)


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["/a", "/b", "/c"]), st.sampled_from(["Chrome", "other"])), max_size=20
)


def table(rows: list[tuple[int, str, str]]) -> pa.Table:
    """Rows of the default policy's schema."""
    start = datetime(2026, 11, 18, tzinfo=UTC)
    columns = {
        "time": [start + timedelta(hours=hour) for hour, _, _ in rows],
        "domain": ["unknown"] * len(rows),
        "file": [path for _, path, _ in rows],
        "browser": [name for _, _, name in rows],
        "browser_version": [""] * len(rows),
        "success": [True] * len(rows),
        "requests": [1] * len(rows),
        "bytes": [7] * len(rows),
    }
    schema = load_policy("imos").spec.schema
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=4))
def test_a_coded_merge_is_the_merge(parts: list[list[tuple[int, str, str]]]) -> None:
    """With dictionaries for its strings the merged table holds the same rows in the same order."""
    spec = load_policy("imos").spec
    tables = [table(rows) for rows in parts]
    plain = merge(tables, spec)
    assert merge(tables, spec, coded=True).cast(spec.schema).equals(plain)
    keys = [tuple(row[name] for name in spec.keys) for row in plain.to_pylist()]
    assert keys == sorted(set(keys))
    assert sum(plain["requests"].to_pylist()) == sum(map(len, parts))


@settings(max_examples=30, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([0, 6, 64]))
def test_rows_are_summed_alike_however_far_their_keys_can_be_packed(
    parts: list[list[tuple[int, str, str]]], room: int
) -> None:
    """Keys with their places in one number, keys alone in one, and keys that do not fit give the same table; the sum
    over all rows may be more than a number holds.
    """
    spec = load_policy("imos").spec
    tables = [table(rows) for rows in parts]
    large = [t.set_column(t.schema.get_field_index("bytes"), "bytes", pa.array([1 << 61] * len(t))) for t in tables]
    expected: Counter[tuple[object, ...]] = Counter()
    for row in (row for each in large for row in each.to_pylist()):
        expected[tuple(row[name] for name in spec.keys)] += row["requests"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aggregate, "_BITS", room)
        found = merge(large, spec).to_pylist()
    assert [(tuple(row[name] for name in spec.keys), row["requests"]) for row in found] == sorted(expected.items())
    assert [row["bytes"] for row in found] == [_wrapped(n << 61) for _, n in sorted(expected.items())]


def _wrapped(number: int) -> int:
    """As a signed number of 64 bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def test_an_open_part_is_seen_however_much_stands_before_it() -> None:
    """A chunk does not end within a line that came in parts, also where the part is as long as a line may be."""
    part = b"2026-10-10T06:05:27.1Z stdout P "
    for size in (1, MAX_LINE_BYTES - len(part)):
        plain = b"x" * 1000 + b"\n"
        opened = part + b"y" * size + b"\n"
        before = plain * (5 * MAX_LINE_BYTES // len(plain))
        assert whole_lines(before + opened) == len(before)
        assert (
            whole_lines(before + opened + part.replace(b" P ", b" F ") + b"\n")
            == len(before) + len(opened) + len(part) + 1
        )


def test_few_lines_are_read_alike_without_the_fast_way() -> None:
    """Detection reads its first lines one by one: with the same answer."""
    lines = chunk([LINE.format("91.44.26.11", "-", 1, "/a"), "not a line\n"])
    for name in ("combined", "common", "nginx_error" if "nginx_error" in load_formats() else "combined"):
        slow, fast = (
            make_parser(load_formats()[name], needs=NEEDS, wrapped=False, fast=fast)(lines, ())
            for fast in (False, True)
        )
        assert (slow.rows, slow.rejected) == (fast.rows, fast.rejected)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=300).map(lambda part: part * 40), min_size=1, max_size=3),
    st.integers(0, 400),
    st.sampled_from(["whole", "short", "flipped", "padded", "followed"]),
)
def test_gzip_gives_the_same_by_the_fast_engine_as_by_the_exact_one(parts: list[bytes], at: int, kind: str) -> None:
    """With the optional package for gzip the same bytes come out as without, damaged or not, and the same is damage."""
    pytest.importorskip("isal", reason="the extra `gzip` is not installed")
    data = b"".join(gzip.compress(part, mtime=0) for part in parts)
    at = min(at, len(data) - 1)
    given_data = {
        "whole": data,
        "short": data[:at],
        "flipped": data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :],
        "padded": data + b"\0" * at,
        "followed": data + b"x" * at,
    }[kind]
    found = []
    for again in (None, lambda: io.BytesIO(given_data).read):
        inflater = Inflater("gzip", io.BytesIO(given_data).read, again)
        found.append((b"".join(iter(lambda each=inflater: each.read(1000), b"")), inflater.damaged))
    assert found[0] == found[1]
