"""The tables of PRIVACY.md through the whole program: each case is a line of a log that `run` counts into a store.

The cases stand in tests/cases/{client,file,browser,gate}, one an entry; the tests of each module use the same files for
the functions alone. What a store then holds must be the expected values, each as often as it was expected.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

import loganon
from loganon.addresses import is_global, parse_address
from loganon.errors import ConfigurationError
from loganon.fields import FIELDS
from support.runs import PLAIN, stamp, table_of

CASES = Path(__file__).parent / "cases"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = stamp(datetime(2026, 11, 20, 12, tzinfo=UTC))
KEY = b"the key of the tests, 32 bytes.."
STRICT = PLAIN.replace("known_only = false", "known_only = true")


def cases(name: str) -> list[Any]:
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


def escaped(value: str) -> bytes:
    """A value within quotes as Apache writes it."""
    out = bytearray()
    for byte in value.encode():
        if byte in b'"\\':
            out += b"\\" + bytes([byte])
        elif byte < 0x20 or byte == 0x7F:
            out += b"\\x%02x" % byte
        else:
            out.append(byte)
    return bytes(out)


def combined(*, client: bytes = b"-", request: bytes = b"GET / HTTP/1.1", agent: bytes = b"-") -> bytes:
    return b'%s - - [%s] "%s" 200 1 "-" "%s"\n' % (client, T.encode(), request, agent)


def stored(folder: Path, lines: Iterable[bytes], column: str, policy: str, **options: Any) -> Counter[object]:
    """The values of a column (or of several, as tuples) with their requests, after `loganon.run` on these lines."""
    folder.mkdir(exist_ok=True)
    (folder / "access.log").write_bytes(b"".join(lines))
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    policy_, store = loganon.load_policy(str(folder / "policy.toml")), folder / "store"
    summary = loganon.run(
        [str(folder / "access.log")],
        policy=policy_, store=store, format="combined", now=NOW, key=KEY, **options,
    )  # fmt: skip
    assert summary.errors == []
    assert sum(summary.rejected.values()) == 0, summary.rejected
    found: Counter[object] = Counter()
    for row in table_of(store).to_pylist():
        found[tuple(row[name] for name in column.split("+")) if "+" in column else row[column]] += row["requests"]
    return found


# --- 1. the client --------------------------------------------------------------------------------------------------


def in_a_line(value: str | None) -> bool:
    """Whether the first field of a line can be this: not empty, and no blank but after the commas of a list."""
    words = (value or "").split(", ")
    return not words[-1].endswith(",") and all(
        word and word.isprintable() and not set(' "') & set(word) for word in words
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which all addresses are of AS 3320."""
    path = tmp_path_factory.mktemp("db") / "asn.mmdb"
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-ASN")
    writer.insert_network(IPSet(["0.0.0.0/0", "2000::/3"]), {"autonomous_system_number": 3320})
    writer.to_db_file(str(path))
    return path


def test_host_names(tmp_path: Path) -> None:
    """1a: each host name gives its provider's domain, its public suffix or `unknown`, under the policy of the case."""
    groups: dict[tuple[bool, tuple[str, ...], tuple[str, ...]], list[dict[str, Any]]] = {}
    for case in cases("client/hosts.jsonl"):
        key = (case.get("known_only", True), tuple(case.get("extra", ())), tuple(case.get("trusted", ())))
        if in_a_line(case["in"]) and "smith.name" not in key[1]:  # no policy names it: it is not registrable
            groups.setdefault(key, []).append(case)
    assert sum(map(len, groups.values())) > 80
    assert {known_only for known_only, _, _ in groups} == {True, False}
    for number, ((known_only, extra, trusted), group) in enumerate(groups.items()):
        options = f'as = "provider", known_only = {str(known_only).lower()}, known = {json.dumps(extra)}'
        policy = PLAIN.replace('as = "provider", known_only = false', options)
        lines = [combined(client=case["in"].encode()) for case in group]
        found = stored(tmp_path / str(number), lines, "domain", policy, trusted_proxies=trusted)
        assert found == Counter(case["out"] for case in group), (known_only, extra)


@pytest.mark.parametrize("with_database", [True, False])
def test_address_spellings(tmp_path: Path, database: Path, with_database: bool) -> None:
    """1b: each spelling of a global address has the address's provider; without a database none, and never itself."""
    given = cases("client/spellings.jsonl")
    usable = [case for case in given if in_a_line(case["in"]) and "t-ipconnect" not in case["in"]]
    assert len(usable) > 60
    expected: Counter[str] = Counter()
    for case in usable:
        address = None if case["out"] is None else ip_address(case["out"])
        expected["t-ipconnect.de" if with_database and address and is_global(address) else "unknown"] += 1
    lines = [combined(client=case["in"].encode()) for case in usable]
    found = stored(tmp_path, lines, "domain", STRICT, provider_db=[database] if with_database else [])
    assert found == expected


def test_forwarded_lists(tmp_path: Path, database: Path) -> None:
    """1c: of a list in the client's place the rightmost address that is no trusted proxy has the provider."""
    usable = [case for case in cases("client/forwarded.jsonl") if in_a_line(case["in"])]
    assert len(usable) > 5
    for number, case in enumerate(usable):
        address = parse_address(case["out"])
        provider = "t-ipconnect.de" if address is not None and is_global(address) else "unknown"
        line = combined(client=case["in"].encode())
        options = {"trusted_proxies": case["trusted"], "provider_db": [database]}
        assert stored(tmp_path / str(number), [line], "domain", STRICT, **options) == {provider: 1}, case


def test_truncated_addresses(tmp_path: Path) -> None:
    """1d: the field `network` keeps the first bits of an address; the gate lets exactly such networks pass."""
    groups: dict[tuple[int, int, tuple[str, ...]], list[dict[str, Any]]] = {}
    for case in cases("client/truncated.jsonl"):
        if in_a_line(case["in"]):
            key = (case.get("v4", 24), case.get("v6", 48), tuple(case.get("trusted", ())))
            groups.setdefault(key, []).append(case)
    assert len(groups) > 4
    for number, ((v4, v6, trusted), group) in enumerate(groups.items()):
        row = f'network = {{ as = "truncated", v4 = {v4}, v6 = {v6} }}\ntime    ='
        policy = PLAIN.replace("time    =", row)
        lines = [combined(client=case["in"].encode()) for case in group]
        found = stored(tmp_path / str(number), lines, "network", policy, trusted_proxies=trusted)
        assert found == Counter(case["out"] for case in group), (v4, v6)


@pytest.mark.parametrize("bits", ["v4 = 25", "v6 = 49", "v4 = 32, v6 = 128", "v4 = -1"])
def test_a_longer_prefix_is_refused(tmp_path: Path, bits: str) -> None:
    """1d: more than /24 or /48 is a mistake in the policy (78)."""
    path = tmp_path / "policy.toml"
    path.write_text(PLAIN.replace("time    =", f'network = {{ as = "truncated", {bits} }}\ntime    ='))
    with pytest.raises(ConfigurationError) as caught:
        loganon.load_policy(str(path))
    assert caught.value.exit_code == 78


# --- 2. the file ----------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    """2: each path and each request line is stored as the table says; what must survive survives."""
    given = [case for path in sorted((CASES / "file").glob("*.jsonl")) for case in cases(f"file/{path.name}")]
    usable = [case for case in given if case["raw"] == "request" or case["in"].startswith("/")]
    assert len(usable) > 0.9 * len(given)
    lines, expected = [], Counter()
    for case in usable:
        request = case["in"] if case["raw"] == "request" else f"GET {case['in']} HTTP/1.1"
        lines.append(combined(request=escaped(request)))
        expected[case["out"]] += 1
    found = stored(tmp_path, lines, "file", PLAIN)
    assert found - expected == Counter()
    assert expected - found == Counter()


# --- 3. the browser -------------------------------------------------------------------------------------------------


def test_agents(tmp_path: Path) -> None:
    """3: each agent gives its family and major version from the closed list, and nothing of itself."""
    lines, expected = [], Counter()
    for case in cases("browser/agents.jsonl"):
        lines.append(combined(agent=b"\xff\xfe" if case["agent"] is None else escaped(case["agent"])))
        expected[case["family"], case["version"]] += 1
    assert len(lines) > 40
    assert stored(tmp_path, lines, "browser+browser_version", PLAIN) == expected


# --- 5. the gate ----------------------------------------------------------------------------------------------------

Treatment = Callable[[pl.Series], tuple[pl.Series, ...]]


def as_it_is(values: pl.Series) -> tuple[pl.Series, ...]:
    return (values.cast(pl.String).rename("file"),)


def test_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5: with the file's treatment switched off each planted shape is `{redacted}`, each other text stays."""
    monkeypatch.setitem(FIELDS, "file", replace(FIELDS["file"], make=lambda *_: as_it_is))  # type: ignore[arg-type]  # the table is read-only by its type only
    caught, passed = cases("gate/caught.jsonl"), [text for text in cases("gate/passed.jsonl") if text]
    lines = [combined(request=escaped(text)) for text in (*caught, *passed)]
    expected = Counter(passed) + Counter({"{redacted}": len(caught) + passed.count("{redacted}")})
    expected["{redacted}"] -= passed.count("{redacted}")
    assert stored(tmp_path, lines, "file", PLAIN) == expected
