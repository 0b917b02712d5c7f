"""The client: provider's domain, public suffix or nothing; never a label or an address of its own."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.addresses import Network, is_global, parse_address, spells_address
from loganon.errors import ConfigurationError
from loganon.lookups.known import load_known
from loganon.lookups.providers import Candidate
from loganon.lookups.suffixes import host_name, load_personal, load_suffixes
from loganon.treatments import held
from loganon.treatments.client import is_private, make_provider, make_truncated

CASES = Path(__file__).parent / "cases" / "client"
STORED = re.compile(r"(\.?[a-z0-9-]+(\.[a-z0-9-]+)*|unknown)")


def load(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


def treat(values: Sequence[str | None], **options: Any) -> list[str]:
    (answers,) = make_provider(**options)(pl.Series("client", values, dtype=pl.String))
    assert answers.dtype == pl.String
    assert answers.null_count() == 0
    return answers.to_list()


SPECIAL = [  # of the registry of special-purpose IPv4 addresses
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        "224.0.0.0/3",
    )
]


class Table:
    """A provider database that answers every address with the same, and keeps what it was asked."""

    def __init__(self, candidate: Candidate | None, *, prefix: int = 128) -> None:
        self.candidate = candidate
        self.prefix = prefix
        self.asked: list[str] = []

    def lookup(self, address: IPv4Address | IPv6Address | str) -> Candidate | None:
        self.asked.append(str(address))
        return self.candidate

    def network(self, address: str) -> tuple[Candidate | None, int]:
        return self.lookup(address), self.prefix


@pytest.mark.parametrize("case", load("hosts.jsonl"), ids=lambda case: f"{case['in']!r}-{case['out']}")
def test_host_names(case: dict[str, Any]) -> None:
    """A host name gives its provider's domain, a public suffix, or `unknown`."""
    answer = treat(
        [case["in"]],
        known_only=case.get("known_only", True),
        extra_known=frozenset(case.get("extra", ())),
        trusted=[ip_network(net) for net in case.get("trusted", ())],
    )
    assert answer == [case["out"]]


@pytest.mark.parametrize("case", load("spellings.jsonl"), ids=lambda case: repr(case["in"]))
def test_address_spellings_reach_the_database(case: dict[str, Any]) -> None:
    """Every spelling of a global address asks for that address and has its provider; no database, no provider."""
    table = Table(Candidate(3320, None))
    address = None if case["out"] is None else parse_address(case["out"])
    is_of_provider = address is not None and is_global(address)
    if address is not None:
        assert treat([case["in"]], known_only=False) == ["unknown"]
    answer = treat([case["in"]], databases=[table])
    if is_of_provider:
        assert answer == ["t-ipconnect.de"]
        assert [parse_address(text) for text in table.asked] == [address]
    elif address is not None:
        assert answer == ["unknown"]
        assert table.asked == []


@pytest.mark.parametrize("case", load("truncated.jsonl"), ids=lambda case: f"{case['in']!r}-{case['out']}")
def test_truncation(case: dict[str, Any]) -> None:
    """An address gives its network, whatever its spelling; anything else gives `unknown`."""
    trusted = [ip_network(net) for net in case.get("trusted", ())]
    (answers,) = make_truncated(v4=case.get("v4", 24), v6=case.get("v6", 48), trusted=trusted)(
        pl.Series([case["in"]], dtype=pl.String)
    )
    assert answers.to_list() == [case["out"]]


@pytest.mark.parametrize(("v4", "v6"), [(25, 48), (24, 49), (-1, 48), (24, -1), (32, 128)])
def test_truncation_bounds(v4: int, v6: int) -> None:
    """A prefix longer than /24 or /48 is a mistake in the policy (78)."""
    with pytest.raises(ConfigurationError) as caught:
        make_truncated(v4=v4, v6=v6)
    assert caught.value.exit_code == 78


def test_databases_in_order() -> None:
    """The first database that leads to a domain or suffix answers; an unlisted AS number alone leads nowhere."""
    nothing, unlisted = Table(None), Table(Candidate(4_200_000_000, None))
    junk, small, big = (
        Table(Candidate(None, "4.3.2.1.in-addr.arpa")),
        Table(Candidate(None, "mail.fam-schmidt.de")),
        Table(Candidate(3320, None)),
    )
    address = ["91.44.26.11"]
    assert treat(address, databases=[nothing, unlisted, junk, big, small]) == ["t-ipconnect.de"]
    assert treat(address, databases=[small, big]) == [".de"]
    assert treat(address, databases=[small, big], known_only=False) == ["fam-schmidt.de"]
    assert treat(address, databases=[Table(Candidate(3320, "telekom.example"))]) == ["t-ipconnect.de"]
    assert treat(address, databases=[Table(Candidate(4_200_000_000, "Vodafone-IP.de"))]) == ["vodafone-ip.de"]
    assert treat(address, databases=[nothing, unlisted, junk]) == ["unknown"]


def test_special_addresses_are_never_looked_up() -> None:
    """Private, loopback, documentation and multicast addresses ask no database, however they are spelled."""
    table = Table(Candidate(3320, None))
    special = "10.0.0.1 127.0.0.1 192.0.2.1 198.51.100.7 203.0.113.7 169.254.1.1 172.16.0.1 192.168.0.1 100.64.0.1"
    values = [
        *special.split(),
        *("224.0.0.1", "255.255.255.255", "0.0.0.0"),
        "::1",
        "fe80::1",
        "fd00::1",
        "2001:db8::1",
        "2001:0db8::1",
        "2002:a00:1::",
        "::ffff:10.0.0.1",
        "2001:0::1",
        "3fff::1",
    ]
    assert set(treat(values, databases=[table])) == {"unknown"}
    assert table.asked == []


@given(st.lists(st.sampled_from(SPECIAL), min_size=1), st.integers(0, 8))
def test_special_addresses_within_a_network_that_is_not(networks: list[Network], prefix: int) -> None:
    """Where a database has one answer for a network, the special ones in it have none, and their neighbours have it."""
    edges = [int(edge) for net in networks for edge in (net.network_address, net.broadcast_address)]
    numbers = sorted({min(max(edge + step, 0), 2**32 - 1) for edge in edges for step in (-1, 0, 1)})
    addresses = [IPv4Address(number) for number in numbers]
    expected = ["t-ipconnect.de" if is_global(address) else "unknown" for address in addresses]
    table = Table(Candidate(3320, None), prefix=prefix)
    assert treat([str(address) for address in addresses], databases=[table]) == expected
    assert all(is_global(IPv4Address(asked)) for asked in table.asked)


@given(st.builds(IPv4Address, st.integers(0, 2**32 - 1)) | st.builds(IPv6Address, st.integers(0, 2**128 - 1)))
def test_fast_way_agrees_with_the_exact_one(address: IPv4Address | IPv6Address) -> None:
    """An address in its usual spelling has the answer of one in a spelling that goes the long way."""
    table = Table(Candidate(3320, None))
    plain, quoted = treat([str(address), f'"{address}"'], databases=[table])
    assert plain == quoted


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
SUFFIX = st.sampled_from(
    [
        "de",
        "co.uk",
        "name",
        "com.br",
        "nom.br",
        "ck",
        "t-ipconnect.de",
        "comcast.net",
        "internal",
        "in-addr.arpa",
        "xn--55qx5d.cn",
    ]
)


@given(st.lists(LABEL, min_size=1, max_size=6), SUFFIX, st.sampled_from(["", ".", ":443", "%20"]), st.booleans())
def test_no_label_of_the_client(labels: list[str], suffix: str, tail: str, upper: bool) -> None:
    """Under `known_only` no label of the client is stored, and of an unlisted domain none but its suffix."""
    host = ".".join([*labels, suffix])
    (answer,) = treat([(host.upper() if upper else host) + tail])
    assert STORED.fullmatch(answer)
    is_suffix = answer.startswith(".") and f".{suffix}".endswith(answer)
    assert is_suffix or answer in load_known().domains or answer == "unknown"


@given(st.text(max_size=80) | st.text("abcdef0123456789.:-%[]@, xz", max_size=40), st.booleans())
def test_whatever_comes_in(value: str, known_only: bool) -> None:
    """Any value gives a domain, a suffix or `unknown`: short, in ASCII, without the shape of an address."""
    (answer,) = treat([value], known_only=known_only)
    assert STORED.fullmatch(answer)
    assert len(answer) <= 254
    assert parse_address(answer) is None
    assert not spells_address(answer.partition(".")[0])


def test_empty_and_null() -> None:
    """No rows give no rows, rows without a readable value give `unknown`, with and without a database."""
    for databases in ((), (Table(Candidate(3320, None)),)):
        assert treat([], databases=databases) == []
        assert treat([None, "", "91.44.26.11", None], databases=databases)[::3] == ["unknown", "unknown"]


def test_cache_is_bounded_and_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many distinct values come, few are held; neither repr nor pickle shows one."""
    monkeypatch.setattr(held, "MOST_VALUES", 50)
    treatment = make_provider()
    for start in range(0, 1000, 20):
        hosts = [f"h{n}.dip0.t-ipconnect.de" for n in range(start, start + 20)]
        assert set(treatment(pl.Series(hosts))[0]) == {"t-ipconnect.de"}
        assert len(treatment) <= 50  # type: ignore[arg-type]  # it is a `Held`
    treatment(pl.Series([f"h{n}.x.de" for n in range(500)]))
    assert len(treatment) <= 50  # type: ignore[arg-type]  # it is a `Held`
    assert "t-ipconnect" not in repr(treatment)
    with pytest.raises(TypeError):
        pickle.dumps(treatment)


@given(st.lists(st.lists(st.integers(0, 90), max_size=60), max_size=10))
def test_a_flood_of_clients_has_the_same_answers(chunks: list[list[int]]) -> None:
    """Held or not, each row has its client's own answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "MOST_VALUES", 40)
        patch.setattr(held, "UNHELD", 2)
        treatment = make_provider(databases=[Table(Candidate(3320, None))])
        for chunk in chunks:
            names = [f"2003::{n}" if n < 80 else f"h{n}.arcor-ip.net" for n in chunk]
            expected = ["t-ipconnect.de" if n < 80 else "arcor-ip.net" for n in chunk]
            rows = pl.Series([None, *names, "", None], dtype=pl.String)
            assert treatment(rows)[0].to_list() == ["unknown", *expected, "unknown", "unknown"]


def test_in_a_flood_a_client_is_looked_up_once_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is held a client that stands in many rows is asked for once."""
    monkeypatch.setattr(held, "MOST_VALUES", 40)
    table = Table(Candidate(3320, None))
    treatment = make_provider(databases=[table])
    for turn in range(2):
        treatment(pl.Series([f"2003:{turn}::{n}" for n in range(30)]))
    table.asked.clear()
    treatment(pl.Series(["2003::1", "2003::2"] * 20))
    assert len(treatment) == 0, "nothing is held"  # type: ignore[arg-type]  # it is a `Held`
    assert sorted(table.asked) == ["2003::1", "2003::2"]


def test_private_share() -> None:
    """A value's client is private when its address is; in a list, that of the client."""
    trusted: list[Network] = [ip_network("10.0.0.0/8")]
    assert is_private("10.0.0.1")
    assert is_private("::ffff:192.168.1.1")
    assert is_private("91.44.26.11, 10.0.0.1")
    assert not is_private("91.44.26.11, 10.0.0.1", trusted)
    assert not any(map(is_private, ["91.44.26.11", "192.0.2.1", "host.internal", "-", ""]))


def test_personal_suffixes_are_suffixes() -> None:
    """Each personal suffix is sorted in its file, a public suffix by the ICANN section, and gives the suffix only."""
    suffixes = load_suffixes()
    for name in load_personal():
        parts = suffixes.split(f"jane.smith.{name}")
        assert parts is not None
        assert (parts.registrable, parts.suffix) == (None, name)
        found = suffixes._every.publicsuffix(f"jane.{name}")
        assert found in {name, f"jane.{name}"}, name


@pytest.mark.corpus
def test_real_host_names(corpus: Path) -> None:
    """Real client names: the answer is a known provider or a public suffix, never holding the client's own label."""
    hosts = (corpus / "expected" / "client_hosts.txt").read_text(encoding="utf-8").split()
    answers = treat(hosts)
    known = load_known().domains
    for host, answer in zip(hosts, answers, strict=True):
        name = host_name(host)
        assert answer == "unknown" or answer in known or answer.startswith("."), "not a permitted answer"
        assert answer == "unknown" or (name is not None and ("." + name).endswith("." + answer.lstrip(".")))
        if answer.startswith("."):
            assert load_suffixes()._every.is_public(answer[1:])
    named = sum(answer in known for answer in answers) / len(hosts)
    nothing = sum(answer == "unknown" for answer in answers) / len(hosts)
    print(f"real host names: {named:.1%} a provider, {nothing:.1%} nothing")
    assert named > 0.25


@pytest.mark.corpus
def test_public_suffix_cases(corpus: Path) -> None:
    """The public suffix list's own cases, by the ICANN section: the same registrable domain, in ASCII."""
    compared = 0
    for line in (corpus / "expected" / "domain_psl.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        host, expected = case["host"], case["expect"]
        (answer,) = treat([host], known_only=False)
        if f".{host}".endswith(".uk.com"):  # a suffix of the private section
            assert answer == "uk.com"
        elif expected is None:
            assert answer == "unknown" or answer.startswith("."), case["id"]
        elif expected.endswith(".example"):  # no such top-level domain
            assert answer == "unknown"
        else:
            assert answer == ".".join(label.encode("idna").decode() for label in expected.split(".")), case["id"]
            compared += 1
    assert compared > 60
