"""Provider databases: all layouts serve, wrong and damaged files are refused, known providers are well formed."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from loganon.errors import ConfigurationError
from loganon.lookups import providers
from loganon.lookups.known import load_known, parse_known
from loganon.lookups.providers import Candidate, ProviderDatabase, open_database
from loganon.lookups.suffixes import load_suffixes
from loganon.treatments.client import make_provider

ADDRESS = "91.44.26.11"


def write(path: Path, record: Any, kind: str = "Test", *, version: int = 6) -> Path:
    writer = MMDBWriter(
        ip_version=version, ipv4_compatible=version == 6, database_type=kind, description={"en": "of a test"}
    )
    writer.insert_network(IPSet(["91.44.0.0/16"] + (["2003::/19"] if version == 6 else [])), record)
    writer.to_db_file(str(path))
    return path


LAYOUTS: list[tuple[str, dict[str, Any], str, Candidate]] = [
    (
        "GeoLite2-ASN",
        {"autonomous_system_number": 3320, "autonomous_system_organization": "DT"},
        "asn",
        Candidate(3320, None),
    ),
    (
        "DBIP-ASN-Lite",
        {"autonomous_system_number": 3320, "autonomous_system_organization": "DT"},
        "asn",
        Candidate(3320, None),
    ),
    (
        "iptoasn",
        {"autonomous_system_number": "3320", "autonomous_system_organization": "DT"},
        "asn",
        Candidate(3320, None),
    ),
    ("GeoIP2-ISP", {"autonomous_system_number": 3320, "isp": "DT", "organization": "DT"}, "asn", Candidate(3320, None)),
    (
        "ipinfo lite",
        {"asn": "AS3320", "as_name": "DT", "as_domain": "telekom.com"},
        "asn+domain",
        Candidate(3320, "telekom.com"),
    ),
    (
        "ipinfo asn",
        {"asn": "AS3320", "domain": "telekom.com", "type": "isp"},
        "asn+domain",
        Candidate(3320, "telekom.com"),
    ),
    (
        "IPLocate",
        {"asn": 3320, "name": "DT", "org": "DT", "domain": "telekom.com"},
        "asn+domain",
        Candidate(3320, "telekom.com"),
    ),
    ("as_domain only", {"as_domain": "telekom.com"}, "domain", Candidate(None, "telekom.com")),
    ("GeoIP2-Domain", {"domain": "t-ipconnect.de"}, "domain", Candidate(None, "t-ipconnect.de")),
    ("GeoIP2-Enterprise", {"traits": {"domain": "t-ipconnect.de"}}, "domain", Candidate(None, "t-ipconnect.de")),
    (
        "GeoIP2-Enterprise",
        {"traits": {"autonomous_system_number": 3320, "domain": "x.de"}},
        "asn+domain",
        Candidate(3320, "x.de"),
    ),
]


@pytest.mark.parametrize(
    ("kind", "record", "serves", "expected"), LAYOUTS, ids=[f"{n}-{row[0]}" for n, row in enumerate(LAYOUTS)]
)
def test_layouts(tmp_path: Path, kind: str, record: dict[str, Any], serves: str, expected: Candidate) -> None:
    """Each layout is told by its keys, and gives an AS number, a domain or both."""
    database = open_database(write(tmp_path / "x.mmdb", record, kind))
    assert (database.kind, database.type, database.description) == (serves, kind, "of a test")
    assert database.built.tzinfo is not None
    assert database.lookup(ADDRESS) == expected
    assert database.lookup("2003::1") == expected
    assert database.lookup("8.8.8.8") is None
    (answer,) = make_provider(databases=[database])(pl.Series([ADDRESS, "2003:0:ab::1", "0x5b2c1a0b", "8.8.8.8"]))
    assert answer.to_list() == (
        ["t-ipconnect.de"] * 3 if expected.domain != "telekom.com" or expected.asn else [".com"] * 3
    ) + ["unknown"]


@pytest.mark.parametrize(
    "record",
    [
        {"continent": "EU"},
        {"connection_type": "Cable/DSL"},
        {"asn": "none"},
        {"autonomous_system_number": 0},
        {"traits": "x"},
        "text",
        {},
        {"domain": 7},
    ],
    ids=repr,
)
def test_nothing_that_serves(tmp_path: Path, record: Any) -> None:
    """A database without AS numbers and domains is a mistake (78) that names its type."""
    with pytest.raises(ConfigurationError, match="GeoLite2-Country") as caught:
        open_database(write(tmp_path / "x.mmdb", record, "GeoLite2-Country"))
    assert caught.value.exit_code == 78


def test_no_database(tmp_path: Path) -> None:
    """A missing file, a folder, an empty, a foreign and a cut one are refused by their path."""
    good = write(tmp_path / "good.mmdb", {"asn": 3320}).read_bytes()
    (tmp_path / "empty.mmdb").write_bytes(b"")
    (tmp_path / "foreign.mmdb").write_bytes(b"PK\x03\x04" * 4000)
    (tmp_path / "cut.mmdb").write_bytes(good[: len(good) // 2])
    for name in ("missing.mmdb", "", "empty.mmdb", "foreign.mmdb", "cut.mmdb"):
        with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / name))):
            open_database(tmp_path / name)


def test_damaged_records_are_no_answer(tmp_path: Path) -> None:
    """With any one byte changed a database is refused or answers something or nothing; it never raises otherwise."""
    good = write(tmp_path / "good.mmdb", {"asn": 3320, "as_domain": "telekom.com"}, version=4).read_bytes()
    refused = 0
    for at in range(0, len(good), 7):
        (tmp_path / "bad.mmdb").write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            database = open_database(tmp_path / "bad.mmdb")
        except ConfigurationError:
            refused += 1
            continue
        found = database.lookup(ADDRESS)
        assert found is None or isinstance(found, Candidate)
    assert refused


def test_ipv4_database_and_ipv6_address(tmp_path: Path) -> None:
    """A database of IPv4 only has no answer for IPv6, and raises nothing."""
    database = open_database(write(tmp_path / "x.mmdb", {"asn": 3320}, version=4))
    assert database.lookup(ADDRESS) == Candidate(3320, None)
    assert database.lookup("2003::1") is None
    assert database.lookup("nonsense") is None


def test_replaced_file_is_seen(tmp_path: Path) -> None:
    """After an update of the file the open database is not current; a vanished file leaves the open one standing."""
    path = write(tmp_path / "x.mmdb", {"asn": 3320})
    database = open_database(path)
    assert database.is_current()
    new = write(tmp_path / "new.mmdb", {"asn": 3209})
    new.replace(path)
    assert not database.is_current()
    assert database.lookup(ADDRESS) == Candidate(3320, None)
    assert open_database(path).lookup(ADDRESS) == Candidate(3209, None)
    path.unlink()
    assert database.is_current()


def test_repr_holds_no_reader(tmp_path: Path) -> None:
    """What a message may show of a database is its path and metadata."""
    text = repr(open_database(write(tmp_path / "x.mmdb", {"asn": 3320})))
    assert "Reader" not in text
    assert isinstance(text, str)
    assert issubclass(ProviderDatabase, object)


def _lines() -> list[str]:
    path = Path(load_known.__wrapped__.__code__.co_filename).parent / "data" / "known_providers.txt"
    return [line for line in path.read_text(encoding="ascii").splitlines() if not line.startswith("#")]


def test_known_providers_are_well_formed() -> None:
    """Registrable domains by the ICANN section, sorted, each once; countries; each AS number once; none personal."""
    lines = _lines()
    domains = [line.split()[0] for line in lines]
    assert domains == sorted(set(domains))
    assert all(re.fullmatch(r"[a-z0-9.-]+ [A-Z]{2}( [1-9][0-9]{0,9})*", line) for line in lines)
    numbers = [number for line in lines for number in line.split()[2:]]
    assert len(numbers) == len(set(numbers))
    assert sum(len(line.split()) > 2 for line in lines) >= 420
    suffixes = load_suffixes()
    assert [domain for domain in domains if not suffixes.is_registrable(domain)] == []
    assert len({line.split()[1] for line in lines}) > 100


@pytest.mark.parametrize("missing", ["nothing", "/proc", "memory without a name"])
def test_a_copy_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """One that is read `apart` gives what it held when it was opened, in a root without /proc, too."""
    path = write(tmp_path / "x.mmdb", {"asn": 3320})
    if missing == "/proc":
        monkeypatch.setattr(providers, "_HELD", tmp_path / "none")
    elif missing != "nothing":
        monkeypatch.delattr(os, "memfd_create")
    database = open_database(path, apart=True)
    path.write_bytes(b"")
    assert database.lookup(ADDRESS) == Candidate(3320, None)
    assert database.network(ADDRESS)[0] == Candidate(3320, None)
    assert not database.is_current()


def test_known_providers_pass() -> None:
    """Each listed domain passes as a host name, and each listed AS number leads to a listed domain."""
    known = load_known()
    hosts = pl.Series([f"host-1-2-3-4.pool.{domain}" for domain in sorted(known.domains)])
    assert make_provider()(hosts)[0].to_list() == sorted(known.domains)
    assert set(known.by_asn.values()) <= known.domains


@pytest.mark.parametrize(
    "lines", [["a.de"], ["a.de de 1"], ["a.de DE x"], ["a.de DE 0"], ["a.de DE", "a.de DE"], ["a.de DE 1", "b.de DE 1"]]
)
def test_wrong_lines_are_refused(lines: list[str]) -> None:
    """A line of another form, a domain or an AS number listed twice is an error that names the line."""
    with pytest.raises(ConfigurationError, match=f"line {len(lines)}"):
        parse_known(lines)


@pytest.mark.corpus
def test_real_databases(corpus: Path) -> None:
    """The public test databases: those with AS numbers or domains open, all others are refused."""
    served = set()
    for path in sorted((corpus / "logs" / "maxmind-db" / "test-data").glob("*.mmdb")):
        with suppress(ConfigurationError):
            served.add(open_database(path).type)
    assert served == {"GeoLite2-ASN", "GeoIP2-Domain"}


@pytest.mark.corpus
def test_expected_providers(corpus: Path) -> None:
    """Every prefix of the test databases gives what it should: AS numbers by our table, domains by the host-name rule.

    Where both say something of one prefix and both are listed, they name the same provider.
    """
    folder = corpus / "logs" / "maxmind-db" / "test-data"
    databases = {kind: open_database(folder / f"{kind}-Test.mmdb") for kind in ("GeoLite2-ASN", "GeoIP2-Domain")}
    known, found = load_known(), 0
    agreeing = {
        ("qwest.net", 209),
        ("nuvox.net", 11456),
        ("speakeasy.net", 23504),
        ("covad.net", 18566),
        ("popwifi.it", 28929),
    }
    agreeing |= {("bredband2.com", 29518), ("bbox.fr", 5410), ("sfr.net", 15557), ("comcastbusiness.net", 11025)}
    for domain, asn in agreeing:
        assert domain in known.domains
        assert known.by_asn[asn] in {domain, "comcast.net"}
    for line in (corpus / "expected" / "ip_to_provider.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        database = databases[case["src"].removesuffix("-Test")]
        address = str(ip_network(case["net"]).network_address)
        number, domain = case["expect"].get("autonomous_system_number"), case["expect"].get("domain")
        assert database.lookup(address) == Candidate(number, domain), case["id"]
        answer = make_provider(databases=[database])(pl.Series([f'"{address}"']))[0][0]
        if number is not None and answer != "unknown":
            assert answer == known.by_asn[number]
        found += answer != "unknown"
    print(f"prefixes with a provider or suffix: {found} of 811")
    assert found > 700
