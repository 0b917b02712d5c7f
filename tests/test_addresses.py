"""Addresses: every spelling of one address gives one answer; nothing else is an address."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.addresses import (
    MAX_TOKEN,
    is_global,
    is_private,
    parse_address,
    rightmost_untrusted,
    spells_address,
    split_forwarded,
    truncate,
)

CASES = Path(__file__).parent / "cases" / "client"


def load(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", load("spellings.jsonl"), ids=lambda case: repr(case["in"]))
def test_one_address_one_answer(case: dict[str, Any]) -> None:
    """Every spelling of an address decodes to it; what spells none gives None."""
    address = parse_address(case["in"])
    assert (None if address is None else str(address)) == case["out"]


V4 = st.builds(IPv4Address, st.integers(0, 2**32 - 1))
V6 = st.builds(IPv6Address, st.integers(0, 2**128 - 1))


def _v4_spellings(address: IPv4Address) -> list[str]:
    n = int(address)
    a, b, c, d = address.packed
    hexes = f"{n >> 16:x}:{n & 0xFFFF:x}"
    return [
        str(address),
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"{n}",
        f"{n:#x}",
        f"0x{n:08X}",
        f"0{n:011o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:03o}.0{b:03o}.0{c:03o}.0{d:03o}",
        f"{a}.{n & 0xFFFFFF}",
        f"{a}.{b}.{n & 0xFFFF}",
        f"::ffff:{hexes}",
        f"0:0:0:0:0:FFFF:{address}",
        f"::ffff:0:{address}",
        f"64:ff9b::{hexes}",
        f"2002:{hexes}::1",
        f"2001:0:4136:e378:8000:63bf:{~n >> 16 & 0xFFFF:x}:{~n & 0xFFFF:x}",
    ]


def _wrappings(text: str) -> list[str]:
    escaped = "".join(f"%{ord(char):02X}" for char in text)
    wrapped = [text, f'"{text}"', f" {text} ", f"{text}.", f"{text}%20", f"[{text}]", f"[{text}]:443", f"{text}%eth0"]
    wrapped += [text.upper().replace("0X", "0x"), escaped, escaped.replace("%", "%25"), f"[{text}%25eth0]:52100"]
    return wrapped if ":" in text else [*wrapped, f"{text}:52100", f"{text}:"]


@given(V4, st.data())
def test_any_spelling_of_ipv4(address: IPv4Address, data: st.DataObject) -> None:
    """Any spelling in any wrapping of any IPv4 address is that address."""
    token = data.draw(st.sampled_from(_v4_spellings(address)).flatmap(lambda text: st.sampled_from(_wrappings(text))))
    assert parse_address(token) == address


@given(V6, st.data())
def test_any_spelling_of_ipv6(address: IPv6Address, data: st.DataObject) -> None:
    """Any spelling of any IPv6 address has the answer of its usual one; with a port that is no group, the same."""
    texts = [str(address), address.exploded, address.exploded.upper(), f"{address}:52100", f"{address.exploded}:443"]
    token = data.draw(st.sampled_from(texts).flatmap(lambda text: st.sampled_from(_wrappings(text))))
    assert parse_address(token) == parse_address(str(address))


@given(st.text(max_size=300) | st.text("0123456789abcdefx.:[]%/-, ", max_size=60))
def test_never_raises(token: str) -> None:
    """Whatever the token, there is an address, which reads back as itself, or None."""
    address = parse_address(token)
    assert address is None or parse_address(str(address)) == address


def test_bounded() -> None:
    """An over-long token is no address, and a long list is looked at only at its end."""
    assert parse_address("1" * (MAX_TOKEN + 1)) is None
    assert parse_address("%" + "25" * 120 + "3191.44.26.11") == IPv4Address("191.44.26.11")
    assert len(split_forwarded("10.0.0.1," * 100_000)) <= 64
    assert rightmost_untrusted("9.9.9.9," + "10.0.0.1," * 100_000, [ip_network("10.0.0.0/8")]) == "10.0.0.1"


@pytest.mark.parametrize("case", load("forwarded.jsonl"), ids=lambda case: repr(case["in"]))
def test_forwarded(case: dict[str, Any]) -> None:
    """The client is the rightmost element that is no trusted proxy; an unknown hop is not skipped."""
    assert rightmost_untrusted(case["in"], [ip_network(net) for net in case["trusted"]]) == case["out"]


@pytest.mark.parametrize(
    "text",
    [
        *("0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.255.255", "192.0.0.1", "192.0.2.1"),
        *("192.168.1.1", "198.18.0.1", "198.51.100.9", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "2001:db8::1", "3fff:1::1", "100::1", "2001:2::1"),
        *("::ffff:10.0.0.1", "2002:a00:1::1", "64:ff9b:1::1"),
    ],
)
def test_not_global(text: str) -> None:
    """Addresses of special-purpose registries have no provider, embedded ones neither."""
    address = parse_address(text)
    assert address is not None
    assert not is_global(address)


@pytest.mark.parametrize(
    "text", ["91.44.26.11", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2003::1", "2001:4860::1", "2001:200::1"]
)
def test_global(text: str) -> None:
    """Addresses beside those networks are global, and not private."""
    address = parse_address(text)
    assert address is not None
    assert is_global(address)
    assert not is_private(address)


def test_private_is_not_documentation() -> None:
    """The hint at a proxy counts networks that are not routed, not documentation or multicast."""
    found = [
        is_private(address)
        for text in ["10.1.1.1", "::1", "fd00::1", "100.64.0.1", "192.0.2.1", "ff02::1"]
        if (address := parse_address(text))
    ]
    assert found == [True, True, True, True, False, False]


@given(V4 | V6, st.integers(0, 24), st.integers(0, 48))
def test_truncation_keeps_only_the_prefix(address: IPv4Address | IPv6Address, v4: int, v6: int) -> None:
    """The truncated text is the network that holds the address, and nothing of the rest survives."""
    network = ip_network(truncate(address, v4, v6), strict=True)
    parsed = parse_address(str(address))
    assert parsed is not None
    assert parsed in network
    assert network.prefixlen == (v4 if network.version == 4 else v6)


@pytest.mark.parametrize(
    "label",
    [
        *("1-2-3-4", "p5b2c1a0b", "ip-1-2-3-4x", "5b2c1a0b", "deadbeef", "091044026011", "1529616907", "0x5b2c1a0b"),
        *("2003-0-ab--1", "ip6-1-2-b", "91x44x26x11", "ab--cd"),
    ],
)
def test_labels_that_spell_addresses(label: str) -> None:
    """A label that spells an address, or may, is recognised."""
    assert spells_address(label)


@pytest.mark.parametrize(
    "label",
    [
        *("comcast", "vodafone-ip", "t-ipconnect", "1e100", "163data", "1und1", "31173", "xn--bcher-kva", "facebook"),
        *("decade", "fam-schmidt", "as13285", "012", "cafe-bad"),
    ],
)
def test_labels_that_do_not(label: str) -> None:
    """Names of providers survive."""
    assert not spells_address(label)


@pytest.mark.corpus
def test_peers_masking_cases(corpus: Path) -> None:
    """Each address of another anonymiser's cases is read, and its truncation is a network, nothing after the prefix."""
    read = 0
    for line in (corpus / "expected" / "ip_anonymisers.jsonl").read_text(encoding="utf-8").splitlines():
        token = json.loads(line)["expect"].get("ip")
        if token is None:
            continue
        address = parse_address(token)
        if "foo" in token or "no_ip" in token:
            assert address is None
            continue
        assert address is not None, "an address of the cases is not read"
        ip_network(truncate(address, 24, 48), strict=True)
        read += 1
    assert read >= 20
