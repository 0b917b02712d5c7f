"""Trusted proxies where a log has the forwarded addresses in a column of their own (PRIVACY.md, 1c)."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

import loganon
from leaks import Needles, search_tree
from loganon.chunks import Chunk
from loganon.formats.given import resolve
from loganon.parse import make_parser
from support.cli import Command
from support.runs import NOW

PROXIES = ["10.0.0.0/8"]
T = "20/Nov/2026:10:00:00 +0000"
ISO = "2026-11-20T10:00:00Z"
AGENT = "Mozilla/5.0"
MAIN = f'%s - - [{T}] "GET /a HTTP/1.1" 200 9 "-" "{AGENT}" "%s"'
W3C = """#Fields: date time cs-method cs-uri-stem c-ip sc-status s-ip X-Forwarded-For
2026-11-20 10:00:00 GET /a %s 200 10.9.9.9 %s"""


def nginx_json(peer: str, listed: str) -> str:
    return json.dumps(
        {"time_iso8601": ISO, "remote_addr": peer, "request": "GET /a H", "status": 200, "http_x_forwarded_for": listed}
    )


def caddy(peer: str, listed: str) -> str:
    headers = {"X-Forwarded-For": [listed]} if listed != "-" else {}
    return json.dumps(
        {"ts": ISO, "request": {"remote_ip": peer, "uri": "/a", "headers": headers}, "size": 9, "status": 200}
    )


def caddy_each(peer: str, listed: str) -> str:
    """Each address in a header line of its own."""
    return caddy(peer, listed).replace(json.dumps([listed]), json.dumps(listed.split(", ")))


def cloudfront_json(peer: str, listed: str) -> str:
    moment = {"date": ISO[:10], "time": ISO[11:19]}
    return json.dumps(
        moment
        | {"c-ip": peer, "cs-uri-stem": "/a", "sc-status": "200", "x-forwarded-for": listed.replace(", ", ",%20")}
    )


WAYS = {
    "nginx_main": ("auto", lambda peer, listed: MAIN % (peer, listed)),
    "iis": ("auto", lambda peer, listed: W3C % (peer, listed.replace(" ", "+"))),
    "w3c": (
        "auto",
        lambda peer, listed: W3C.replace(" s-ip", "").replace(" 10.9.9.9", "") % (peer, listed.replace(" ", "+")),
    ),
    "nginx_json": ("auto", nginx_json),
    "caddy_json": ("auto", caddy),
    "caddy_json, header lines": ("auto", caddy_each),
    "cloudfront_json": ("auto", cloudfront_json),
    "istio": (
        "auto",
        lambda peer, listed: (
            f'[{ISO}] "GET /a HTTP/1.1" 200 - via_upstream - "-" 0 9 2 1 "{listed}" "{AGENT}" "1" "h" "10.0.0.2:80" '
            f"inbound|80|| 127.0.0.6:4 10.0.0.2:80 {peer}:39696 - default"
        ),
    ),
    "list first": (
        "nginx:$http_x_forwarded_for | $remote_addr [$time_local] $status",
        lambda peer, listed: f"{listed} | {peer} [{T}] 200",
    ),
    "Forwarded": (
        r"apache:\"%{Forwarded}i\" %h %t \"%r\" %>s",
        lambda peer, listed: '"{}" {} [{}] "GET /a H" 200'.format(
            ", ".join(f"for={each.strip()};proto=https" for each in listed.split(",")) if listed != "-" else "-",
            peer,
            T,
        ),
    ),
}
"""Formats that have both, each with what writes a line of it."""

CASES = [
    # peer, forwarded, client
    ("10.0.0.1", "91.44.26.11", "91.44.26.0/24"),
    ("10.0.0.1", "198.51.100.9, 91.44.26.11, 10.0.0.2", "91.44.26.0/24"),  # the first is forged
    ("10.0.0.1", "-", "10.0.0.0/24"),
    ("37.1.2.3", "91.44.26.11", "37.1.2.0/24"),  # no proxy of ours has said that
    ("10.0.0.1", "10.0.1.2, 10.0.0.3", "10.0.1.0/24"),  # all are proxies: the first
    ("10.0.0.1", "91.44.26.11, unknown", "unknown"),  # an unknown hop is not skipped
    ("10.0.0.1", "jane", "unknown"),
]
SHORT = """
name = "short"
version = 1
valid_from = 2026-01-01
keep_for = "6 weeks"
[fields]
time = { as = "hour" }
network = { as = "truncated" }
file = { as = "path" }
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "short.toml"
    path.write_text(SHORT)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_the_client_behind_trusted_proxies(way: str, policy: Path) -> None:
    """The rightmost address that is no trusted proxy, of the peer and what it forwards; without the option the peer."""
    fmt, write = WAYS[way]
    for peer, listed, client in CASES:
        given_to = {"policy": policy, "format": fmt}
        found = loganon.anonymize([write(peer, listed)], trusted_proxies=PROXIES, **given_to)
        assert found.table["network"].to_pylist() == [client], (peer, listed)
        peers = loganon.anonymize([write(peer, listed)], **given_to)
        assert peers.table["network"].to_pylist() == [peer.rpartition(".")[0] + ".0/24"]


BOTH = {
    "apache": (
        r"apache:%h \"%{X-Forwarded-For}i\" \"%{Forwarded}i\" %t \"%r\" %>s",
        lambda first, other: [f'10.0.0.1 "{first}" "{other}" [{T}] "GET /a H" 200'],
    ),
    "nginx, the list in front": (
        'nginx:$http_forwarded - $remote_addr "$http_x_forwarded_for" [$time_local] "$request" $status',
        lambda first, other: [f'{first} - 10.0.0.1 "{other}" [{T}] "GET /a H" 200'],
    ),
    "nginx_json": (
        "auto",
        lambda first, other: [nginx_json("10.0.0.1", first).replace("}", f', "http_forwarded": "{other}"}}')],
    ),
    "w3c": (
        "auto",
        lambda first, other: [
            "#Fields: date time cs-uri-stem c-ip sc-status Forwarded X-Forwarded-For",
            f"2026-11-20 10:00:00 /a 10.0.0.1 200 {other} {first}",
        ],
    ),
}
"""Formats that have both headers, the preferred one first."""


@pytest.mark.parametrize("way", BOTH)
def test_one_header_may_be_missing(way: str, policy: Path) -> None:
    """Of `X-Forwarded-For` and `Forwarded` the second is read where the first is missing, and nowhere else."""
    fmt, write = BOTH[way]
    for first, other, client in [
        ("91.44.26.11", "-", "91.44.26.0/24"),
        ("-", "for=91.44.26.11", "91.44.26.0/24"),
        ("91.44.26.11", "for=37.1.2.3", "91.44.26.0/24"),
        ("-", "-", "10.0.0.0/24"),
    ]:
        lines = write(first, other)
        found = loganon.anonymize(lines + lines[-1:] * 20, policy=policy, format=fmt, trusted_proxies=PROXIES)
        assert found.table["network"].to_pylist() == [client] * 21, (first, other)


@pytest.mark.parametrize("name", ["nginx_main", "combined"])
@given(rows=st.lists(st.sampled_from([*CASES, ("203.0.113.9, 10.0.0.1", "91.44.26.11", "")]), max_size=30))
def test_the_fast_way_gives_the_same_clients(name: str, rows: list[tuple[str, str, str]]) -> None:
    """Lines read by column and one by one have the same clients; a format without the column is as it was."""
    fmt = resolve(name)
    assert fmt is not None
    end = 0 if name == "nginx_main" else len(' "%s"')
    text = MAIN[: len(MAIN) - end]
    data = "".join((text % row[: 2 if name == "nginx_main" else 1]) + "\n" for row in rows).encode()
    trusted = [ip_network(each) for each in PROXIES]
    parsers = [make_parser(fmt, needs=frozenset({"client"}), trusted=trusted, fast=fast) for fast in (True, False)]
    one, other = (parser(Chunk(data, 0, len(data)), ()) for parser in parsers)
    assert set(one.columns) == {"time", "client"}
    assert one.columns["client"].to_pylist() == other.columns["client"].to_pylist()


def test_an_exclusion_is_of_the_same_client(policy: Path) -> None:
    """A rule's `client` is the one that is counted, in a list or behind a trusted proxy, not the text of its column."""

    def excluded(line: str, network: str, **options: object) -> int:
        rules = [{"client": network}]
        found = loganon.anonymize([line], policy=policy, exclude=rules, **options)  # type: ignore[arg-type]  # one of two
        return found.rejected["excluded"]

    beside, within = MAIN % ("10.0.0.1", "91.44.26.11"), (MAIN % ("91.44.26.11, 10.0.0.1", "-"))[: -len(' "-"')]
    for line in (beside, within):
        assert (excluded(line, "10.0.0.0/8"), excluded(line, "91.44.26.0/24")) == (1, 0)
        trusted = {"trusted_proxies": PROXIES}
        assert (excluded(line, "10.0.0.0/8", **trusted), excluded(line, "91.44.26.0/24", **trusted)) == (0, 1)


def test_commands(tmp_path: Path) -> None:
    """`preview` says what the column is read for; `run` and `filter` write of its addresses what the policy permits."""
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-ASN")
    writer.insert_network(IPSet(["91.0.0.0/10"]), {"autonomous_system_number": 3320})
    writer.to_db_file(str(tmp_path / "asn.mmdb"))
    lines = [MAIN % ("10.0.0.1", f"198.51.100.9, 91.44.26.{n}") for n in range(1, 40)]
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n")
    needles = Needles([b"198.51.100.9", *(b"91.44.26.%d" % n for n in range(1, 40))])
    command = Command(tmp_path)
    options = ("--provider-db", "asn.mmdb", "--trusted-proxy", PROXIES[0])
    shown = command("preview", "access.log", *options)
    assert "domain, as provider, behind a trusted proxy" in shown.out
    assert "100% domain" in shown.out
    assert "behind a trusted proxy" not in command("preview", "access.log").out
    written = command("filter", "access.log", *options)
    assert written.out.count("t-ipconnect.de") == 39
    assert written.out.count('"-"\n') == 39
    done = command(
        "run", "access.log", "--store", "store", "--key-file", command.key, "--now", NOW.isoformat(), *options
    )
    table = loganon.scan(tmp_path / "store").collect()
    assert table["domain"].unique().to_list() == ["t-ipconnect.de"]
    assert needles.found_in((shown.out + written.out + written.err + done.out + done.err).encode()) == set()
    assert search_tree(tmp_path / "store", needles) == []
