"""Writes an access log for measurements: invented, seeded, as large as asked; prints lines, bytes and SHA-256.

What is drawn: 200,000 clients with a Zipf tail, 15 % of them IPv6, 85 % in prefixes of known networks; 558 agents;
4,000 paths, 20 % of requests with a query; three days from 2026-11-18 on, times ascending. About 327 bytes a line in
the format `combined`. Memory is that of one block, whatever the number of lines.

The columns of a block are drawn with numpy, looked up in tables of byte strings and joined by pyarrow, whose result
lies in memory as the log's text.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import ipaddress
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NETWORKS = Path(__file__).resolve().parent.parent / "sample_logs" / "networks.csv"
BLOCK = 100_000
CLIENTS, AGENTS, PATHS = 200_000, 558, 4_000
START, DAYS = datetime(2026, 11, 18, tzinfo=UTC), 3
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FORMATS = ("combined", "common", "json", "w3c")

SYSTEMS = (
    "Windows NT 10.0; Win64; x64", "Linux; Android 10; K", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0", "Windows NT 6.1; WOW64", "Linux; Android 14; SM-S918B Build/UP1A.231005.007",
)  # fmt: skip
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
GECKO = "Mozilla/5.0 ({0}; rv:{1}.0) Gecko/20100101 Firefox/{1}.0"
IOS = (
    "Mozilla/5.0 ({}; CPU OS {} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/{}.0 Mobile/15E148 Safari/604.1"
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "python-requests/2.32.3", "curl/8.11.0", "Go-http-client/2.0", "okhttp/4.12.0", "Wget/1.21.4", "-",
)  # fmt: skip
WORDS = (
    "products", "catalogue", "articles", "archive", "gallery", "support", "download", "community", "travel", "garden",
    "kitchen", "history", "science", "letters", "weather", "railway", "theatre", "library", "workshop", "mountains",
    "overview", "introduction", "comparison", "instructions", "questions", "reference", "collection", "programme",
)  # fmt: skip
ENDINGS = ("", "", "/", ".html", ".html", ".php", ".jpg", ".png", ".css", ".js", ".svg", ".pdf")
STATUSES = ((200, 0.86), (304, 0.05), (404, 0.04), (301, 0.02), (206, 0.01), (302, 0.01), (403, 0.005), (500, 0.005))


class Dice:
    """Uniform numbers of one seed; all else is computed from them, since only they are promised to stay the same."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed)).random

    def uniform(self, count: int) -> np.ndarray:
        """`count` numbers in [0, 1)."""
        return self._random(count)

    def below(self, limit: int, count: int = 1) -> np.ndarray:
        """`count` integers from 0 to `limit` - 1."""
        return (self._random(count) * limit).astype(np.int64)

    def one(self, items: Sequence[str]) -> str:
        """One of `items`."""
        return items[int(self.below(len(items))[0])]


class Table:
    """Byte strings of which rows are drawn: `weights` need not sum to 1."""

    def __init__(self, values: Sequence[str], weights: np.ndarray) -> None:
        self.values = pa.array([value.encode() for value in values], pa.binary())
        self._borders = np.cumsum(weights / weights.sum())

    def draw(self, dice: Dice, count: int) -> pa.Array:
        """`count` values."""
        index = np.searchsorted(self._borders, dice.uniform(count), side="right")
        return self.values.take(pa.array(np.minimum(index, len(self.values) - 1)))


def zipf(count: int, exponent: float) -> np.ndarray:
    """Weights of ranks 1 to `count`."""
    return np.arange(1, count + 1, dtype=np.float64) ** -exponent


def make_clients(dice: Dice) -> list[str]:
    """`CLIENTS` distinct addresses, every 20th of each 3 IPv6: 15 %, spread over all ranks."""
    with NETWORKS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    tickets: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for row in rows:
        network = ipaddress.ip_network(row["prefix"])
        pair = (int(network.network_address), network.max_prefixlen - network.prefixlen)
        tickets[network.version] += [pair] * (int(row["weight"]) + 1)
    picks = dice.uniform(CLIENTS * 2).tolist()
    first, second, third = (dice.uniform(CLIENTS * 2).tolist() for _ in range(3))
    found: dict[str, None] = {}
    for number, pick in enumerate(picks):
        version = 6 if len(found) % 20 in (3, 9, 15) else 4
        base, bits = tickets[version][int(pick * len(tickets[version]))]
        if version == 6:
            subnet = int(first[number] * (1 << (bits - 64)))
            found[str(ipaddress.IPv6Address(base + (subnet << 64) + int(second[number] * (1 << 52))))] = None
        elif third[number] < 0.15:  # a network that no table here knows
            found[str(ipaddress.IPv4Address((11 << 24) + int(first[number] * (89 << 24))))] = None
        else:
            found[str(ipaddress.IPv4Address(base + int(first[number] * (1 << bits))))] = None
        if len(found) == CLIENTS:
            break
    return list(found)


def make_agents(dice: Dice) -> list[str]:
    """`AGENTS` distinct agents, those of new browsers first, a crawler after every twelve."""
    found: list[str] = []
    for version in range(142, 80, -1):
        found += [CHROME.format(system, version) for system in SYSTEMS[: 7 if version > 110 else 4]]
        found.append(CHROME.format(SYSTEMS[1], version).replace(" Safari", " Mobile Safari"))
        found.append(CHROME.format(SYSTEMS[0], version) + f" Edg/{version}.0.{3000 + version}.{version % 90}")
        found.append(GECKO.format(SYSTEMS[version % 4], version))
        if version % 3 == 0:
            major = version // 8
            found += [IOS.format(kind, f"{major}_{dice.one('12345')}", major) for kind in ("iPhone", "iPad")]
    found = list(dict.fromkeys(found))[: AGENTS - len(BOTS)]
    for number, bot in enumerate(BOTS):
        found.insert(12 * (number + 1), bot)
    return found


def make_paths(dice: Dice) -> list[str]:
    """`PATHS` distinct paths of one to five segments."""
    found = {"/": None, "/index.html": None, "/favicon.ico": None, "/robots.txt": None}
    while len(found) < PATHS:
        depth = 1 + int(dice.below(5)[0])
        path = "".join("/" + dice.one(WORDS) for _ in range(depth))
        if depth > 1:
            path += f"-{int(dice.below(400)[0])}" + dice.one(ENDINGS)
        found[path] = None
    return list(found)


def make_queries(dice: Dice) -> list[str]:
    """2,000 queries, with the `?`."""
    kinds = ("?q={0}+{1}", "?page={2}&sort={0}", "?utm_source={0}&utm_campaign={1}-{2}", "?id={2}&lang=de", "?s={0}{2}")
    return [dice.one(kinds).format(dice.one(WORDS), dice.one(WORDS), int(dice.below(90_000)[0])) for _ in range(2000)]


def make_referrers(dice: Dice, paths: Sequence[str], queries: Sequence[str]) -> list[str]:
    """1,500 referrers: none, search engines, pages of the site itself."""
    outside = ("https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/", "https://news.example/")
    own = [f"https://magazines.measured-site.example{dice.one(paths)}{dice.one(queries)}" for _ in range(1490)]
    return ["-", *own[:3], *outside, *own[3:]]


@dataclass(frozen=True, slots=True)
class Tables:
    """What rows are drawn of."""

    clients: Table
    agents: Table
    paths: Table
    queries: Table
    methods: Table
    protocols: Table
    statuses: Table
    referrers: Table


def make_tables(seed: int) -> Tables:
    """All tables of one seed."""
    dice = Dice(seed)
    paths = make_paths(dice)
    queries = make_queries(dice)
    referrers = make_referrers(dice, paths, queries)
    return Tables(
        clients=Table(make_clients(dice), zipf(CLIENTS, 0.8)),
        agents=Table(make_agents(dice), zipf(AGENTS, 0.9)),
        paths=Table(paths, zipf(PATHS, 0.9)),
        queries=Table(queries, zipf(2000, 0.5)),
        methods=Table(["GET", "POST", "HEAD"], np.array([0.93, 0.05, 0.02])),
        protocols=Table(["HTTP/1.1", "HTTP/2.0"], np.array([0.6, 0.4])),
        statuses=Table([str(code) for code, _ in STATUSES], np.array([share for _, share in STATUSES])),
        referrers=Table(referrers, zipf(len(referrers), 0.5)),
    )


def draw_block(dice: Dice, tables: Tables, first: int, count: int, total: int, *, hostile: bool) -> dict[str, pa.Array]:
    """The columns of lines `first` to `first + count`: byte strings, and `time` in seconds from `START` on."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    seconds = numbers * (DAYS * 86_400) // total
    sizes = np.exp(6.0 + 5.5 * dice.uniform(count)).astype(np.int64)
    block = {
        "time": pa.array(seconds),
        "client": tables.clients.draw(dice, count),
        "method": tables.methods.draw(dice, count),
        "path": tables.paths.draw(dice, count),
        "query": tables.queries.draw(dice, count),
        "protocol": tables.protocols.draw(dice, count),
        "status": tables.statuses.draw(dice, count),
        "size": pa.array(sizes),
        "referrer": tables.referrers.draw(dice, count),
        "agent": tables.agents.draw(dice, count),
    }
    asked = pa.array(dice.uniform(count) < 0.2)
    block["query"] = pc.if_else(asked, block["query"], pa.scalar(b"", pa.binary()))
    empty = pc.equal(block["status"], pa.scalar(b"304", pa.binary()))
    block["size"] = _text(pc.if_else(empty, pa.scalar(0, pa.int64()), block["size"]))
    if hostile:
        mixed = _text(pa.array(numbers * 2_654_435_761 % (1 << 40)))  # odd factor: distinct for distinct lines
        block["path"] = _join(block["path"], b"/page-", mixed)
        block["agent"] = _join(block["agent"], b" noise/", mixed)
    return block


def _text(numbers: pa.Array) -> pa.Array:
    return numbers.cast(pa.string()).cast(pa.binary())


def _join(*parts: pa.Array | bytes) -> pa.Array:
    whole = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*whole, pa.scalar(b"", pa.binary()))


def _stamps(seconds: pa.Array, write: Callable[[datetime], str]) -> pa.Array:
    """Times as `write` puts them, made once for each distinct second."""
    codes = seconds.dictionary_encode()
    texts = [write(START + timedelta(seconds=second)).encode() for second in codes.dictionary.to_pylist()]
    return pa.array(texts, pa.binary()).take(codes.indices)


def _clf_time(moment: datetime) -> str:
    return f"{moment.day:02}/{MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"


def _request(block: dict[str, pa.Array]) -> pa.Array:
    return _join(block["method"], b" ", block["path"], block["query"], b" ", block["protocol"])


def _common(block: dict[str, pa.Array], end: bytes = b"\n") -> pa.Array:
    stamps = _stamps(block["time"], _clf_time)
    parts = (block["client"], b" - - [", stamps, b'] "', _request(block), b'" ', block["status"], b" ", block["size"])
    return _join(*parts, end)


def _combined(block: dict[str, pa.Array]) -> pa.Array:
    return _join(_common(block, b' "'), block["referrer"], b'" "', block["agent"], b'"\n')


def _json(block: dict[str, pa.Array]) -> pa.Array:
    pairs: list[pa.Array | bytes] = [b'{"time_iso8601":"', _stamps(block["time"], lambda moment: moment.isoformat())]
    pairs += [b'","remote_addr":"', block["client"], b'","request":"', _request(block)]
    pairs += [b'","status":', block["status"], b',"body_bytes_sent":', block["size"]]
    return _join(*pairs, b',"http_referer":"', block["referrer"], b'","http_user_agent":"', block["agent"], b'"}\n')


def _w3c(block: dict[str, pa.Array]) -> pa.Array:
    stamps = _stamps(block["time"], lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}")
    query = pc.replace_substring(block["query"], pattern=b"?", replacement=b"")
    query = pc.if_else(pc.equal(query, pa.scalar(b"", pa.binary())), pa.scalar(b"-", pa.binary()), query)
    agent = pc.replace_substring(block["agent"], pattern=b" ", replacement=b"+")
    parts = (stamps, block["client"], b"-", block["method"], block["path"], query, block["status"], block["size"])
    spaced = [item for part in (*parts, agent, block["referrer"]) for item in (part, b" ")]
    return _join(*spaced[:-1], b"\n")


W3C_HEADER = (
    b"#Software: generated\n#Version: 1.0\n"
    b"#Fields: date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status sc-bytes"
    b" cs(User-Agent) cs(Referer)\n"
)
WRITERS: dict[str, Callable[[dict[str, pa.Array]], pa.Array]] = {
    "combined": _combined,
    "common": _common,
    "json": _json,
    "w3c": _w3c,
}


def generate(lines: int, seed: int, style: str = "combined", *, hostile: bool = False) -> Iterator[memoryview]:
    """The text of the log, in pieces of whole lines (the W3C header is one more piece)."""
    tables = make_tables(seed)
    dice = Dice(seed + 1)
    if style == "w3c":
        yield memoryview(W3C_HEADER)
    for first in range(0, lines, BLOCK):
        count = min(BLOCK, lines - first)
        text = WRITERS[style](draw_block(dice, tables, first, count, lines, hostile=hostile))
        start, end = np.frombuffer(text.buffers()[1], np.int32)[[text.offset, text.offset + len(text)]]
        yield memoryview(text.buffers()[2])[int(start) : int(end)]


def write_log(target: BinaryIO, pieces: Iterator[memoryview]) -> tuple[int, str]:
    """Bytes written to `target`, and their SHA-256."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces:
        target.write(piece)
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what the command line asks for; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--format", choices=FORMATS, default="combined")
    parser.add_argument("--hostile", action="store_true", help="every agent and every path unique")
    parser.add_argument("--gzip", action="store_true", help="compress; bytes and SHA-256 are of what it inflates to")
    chosen = parser.parse_args(arguments)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        target: BinaryIO = stack.enter_context(chosen.out.open("wb"))
        if chosen.gzip:
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=0)
            target = stack.enter_context(packed)  # type: ignore[assignment]  # a GzipFile writes as a file does
        pieces = generate(chosen.lines, chosen.seed, chosen.format, hostile=chosen.hostile)
        size, digest = write_log(target, pieces)
    json.dump({"lines": chosen.lines, "bytes": size, "sha256": digest}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
