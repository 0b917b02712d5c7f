"""IP addresses out of what logs write for a client: every spelling of an address gives the same answer.

Sources of the spellings: RFC 4291 (IPv6 text, mapped and compatible addresses), RFC 4007 (zone ids), RFC 3056 (6to4),
RFC 4380 (Teredo), RFC 6052 (NAT64), RFC 2765 (translated addresses), RFC 7239 (Forwarded), `inet_aton(3)` (hexadecimal,
octal and shortened IPv4).
Nothing here raises on its input, and no input reaches an exception that leaves this module.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from socket import AF_INET6, inet_pton
from typing import TypeAlias
from urllib.parse import unquote

from loganon.lookalikes import folded

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_TOKEN = 256  # characters; the longest spelling of an address with zone id and port is far below
MAX_LIST = 4096  # characters of a forwarded list that are looked at, from its end
MAX_ELEMENTS = 64  # elements of a forwarded list that are looked at, from its end

_WRAPPING = " \t\r\n\f\v\"'`<>(){},;"
_SEPARATORS = frozenset(",; \t")  # of a list: its first element must not be taken for all of it
_DIGITS = frozenset("0123456789")
_OCTAL = frozenset("01234567")
_HEX = frozenset("0123456789abcdef")
_PORT = frozenset("0123456789abcdefghijklmnopqrstuvwxyz_-.")  # RFC 7239 permits obfuscated ports
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_NESTED = re.compile("%(?:25)+")  # undone in one step: `%252525…41` would take a round for each two characters
_V4 = (1 << 32) - 1

# IANA special-purpose registries: what no provider's customer has.
_SPECIAL_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
_SPECIAL_V6 = "2001::/23 2001:db8::/32 2002::/16 3ffe::/16 3fff::/20"
_PRIVATE = "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16"
_PRIVATE6 = "::1/128 fc00::/7 fe80::/10 fec0::/10"


def _bounds(networks: Sequence[Network]) -> tuple[list[int], list[int]]:
    ordered = sorted((int(net.network_address), int(net.broadcast_address)) for net in networks)
    return [first for first, _ in ordered], [last for _, last in ordered]


_V4_FIRST, _V4_LAST = _bounds([IPv4Network(text) for text in _SPECIAL_V4.split()])
_V6_FIRST, _V6_LAST = _bounds([IPv6Network(text) for text in _SPECIAL_V6.split()])
_PRIVATE_V4 = _bounds([IPv4Network(text) for text in _PRIVATE.split()])
_PRIVATE_V6 = _bounds([IPv6Network(text) for text in _PRIVATE6.split()])


def parse_address(token: str) -> Address | None:
    """The address that a token spells, an IPv4 address embedded in IPv6 as IPv4; None where it spells none.

    Two choices in what is ambiguous: dotted parts with a leading zero are decimal (`091.044.026.011`) unless one has
    more than three digits (`0133.054.032.013` is octal); of an unbracketed IPv6 address with a port the longest valid
    address wins.
    """
    if not token or len(token) > MAX_TOKEN:
        return None
    text = clean(token)
    address = _decode(text.partition("%")[0])
    if address is None and "%" in token and _SEPARATORS.isdisjoint(text):  # `2003::1%ab`: a zone like an escape
        address = _decode(clean(token.partition("%")[0]))
    return None if address is None else embedded(address)


def clean(token: str) -> str:
    """The token percent-decoded until it no longer changes, lower case, without wrapping quotes, blanks, final dots."""
    while "%" in token:  # each round that changes anything shortens the token, so this ends
        decoded = unquote(_NESTED.sub("%", token), errors="replace")
        if decoded == token:
            break
        token = decoded
    if not token.isascii() and len(token) <= MAX_TOKEN:  # one character may become eighteen
        token = folded(unicodedata.normalize("NFKC", token.translate(_DOTS)).translate(_DOTS), [])[0]
    return token.strip(_WRAPPING).rstrip(".").lower()


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries for its client, or itself.

    Mapped, translated, compatible, 6to4, NAT64 with the well-known prefix, Teredo.
    """
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    head = number >> 32
    if head in {0xFFFF, 0xFFFF0000, 0x0064FF9B << 64} or (head == 0 and number > 0xFFFF):
        return IPv4Address(number & _V4)
    if number >> 112 == 0x2002:
        return IPv4Address(number >> 80 & _V4)
    if number >> 96 == 0x20010000:
        return IPv4Address(~number & _V4)  # Teredo writes the client's address inverted
    return IPv6Address(number)  # without a scope id


def is_global(address: Address) -> bool:
    """Whether a provider can have assigned it: not private, link-local, shared, documentation, reserved, multicast."""
    address = embedded(address)
    number = int(address)
    if isinstance(address, IPv4Address):
        return not special_v4(number)[0]
    return number >> 125 == 1 and not _within(number, _V6_FIRST, _V6_LAST)


def special_v4(number: int) -> tuple[bool, int]:
    """Whether no provider can have assigned an IPv4 address, given as a number; and the last one, of those that follow
    it, for which that is the same.
    """
    at = bisect_right(_V4_FIRST, number)
    if at and number <= _V4_LAST[at - 1]:
        return True, _V4_LAST[at - 1]
    return False, _V4_FIRST[at] - 1 if at < len(_V4_FIRST) else _V4


def number_v6(text: str) -> int | None:
    """An IPv6 address in its usual spelling as a number; None for what is none."""
    try:
        return int.from_bytes(inet_pton(AF_INET6, text))
    except OSError:
        return None


def is_private(address: Address) -> bool:
    """Whether its network is not routed: private, loopback, link-local, shared (100.64.0.0/10), unique local."""
    address = embedded(address)
    return _within(int(address), *(_PRIVATE_V4 if isinstance(address, IPv4Address) else _PRIVATE_V6))


def _within(number: int, first: Sequence[int], last: Sequence[int]) -> bool:
    at = bisect_right(first, number) - 1
    return at >= 0 and number <= last[at]


def truncate(address: Address, v4: int, v6: int) -> str:
    """The address's network as text: `91.44.26.0/24`, `2003:0:ab::/48`; IPv4 inside IPv6 is cut as IPv4."""
    address = embedded(address)
    if isinstance(address, IPv4Address):
        return f"{IPv4Address(int(address) >> 32 - v4 << 32 - v4)}/{v4}"
    return f"{IPv6Address(int(address) >> 128 - v6 << 128 - v6)}/{v6}"


def _decode(text: str) -> Address | None:
    text, slash, bits = text.partition("/")
    if slash and not (_DIGITS.issuperset(bits) and 0 < len(bits) <= 3):
        return None
    if text.startswith("["):
        text, _, rest = text[1:].partition("]")
        rest = rest.strip("]")
        if rest and not (rest[0] == ":" and _PORT.issuperset(rest[1:])):
            return None
    text = text.rstrip("]")
    colons = text.count(":")
    if colons == 0:
        return _ipv4(text)
    head, _, port = text.rpartition(":")
    if colons == 1:
        return _ipv4(head) if _PORT.issuperset(port) else None
    address = _ipv6(text)
    if address is None and port and _DIGITS.issuperset(port):
        address = _ipv6(head)
    return address


def _ipv6(text: str) -> IPv6Address | None:
    head, _, tail = text.rpartition(":")
    if "." in tail:
        v4 = _ipv4(tail) if tail.count(".") == 3 else None
        if not isinstance(v4, IPv4Address):
            return None
        text = f"{head}:{int(v4) >> 16:x}:{int(v4) & 0xFFFF:x}"
    try:
        return IPv6Address(text)
    except ValueError:
        return None


def _ipv4(text: str) -> Address | None:
    if not text or text[0] not in _DIGITS:
        return None
    parts = text.split(".")
    octal = len(parts) == 1 or any(part[:1] == "0" and len(part) > 3 and _OCTAL.issuperset(part) for part in parts)
    numbers = [_number(part, octal=octal) for part in parts]
    if len(numbers) > 4 or min(numbers) < 0:
        return None
    *leading, last = numbers
    if len(parts) == 1 and last > _V4:
        return IPv6Address(last) if last >> 125 == 1 else None
    if any(number > 255 for number in leading) or last >= 1 << 8 * (5 - len(numbers)):
        return None
    value = last
    for place, number in enumerate(leading):
        value |= number << 8 * (3 - place)
    return IPv4Address(value)


def _number(part: str, *, octal: bool) -> int:
    """The value of one part of a dotted or single-number spelling; -1 where it is no number."""
    if part[:2] == "0x" and 2 < len(part) <= 34 and _HEX.issuperset(part[2:]):
        return int(part, 0)
    if not part or len(part) > 40 or not _DIGITS.issuperset(part):
        return -1
    return int(part, 8) if octal and part[0] == "0" and _OCTAL.issuperset(part) else int(part)


def split_forwarded(value: str) -> list[str]:
    """The elements of `X-Forwarded-For` or the `for=` values of `Forwarded`, in order, at most the last 64.

    An element of `Forwarded` without `for=` gives an empty token, so that it is seen as a hop that is not known.
    """
    text = value if len(value) <= MAX_LIST else value[-MAX_LIST:].partition(",")[2]
    text = clean(text)
    tokens: list[str] = []
    for element in text.rsplit(",", MAX_ELEMENTS)[-MAX_ELEMENTS:]:
        if "=" in element:
            pairs = (pair.partition("=") for pair in element.split(";"))
            tokens.append(next((held.strip(_WRAPPING) for name, _, held in pairs if name.strip() == "for"), ""))
        else:
            tokens.extend(token for token in re.split(r"[\s;]+", element) if token)
    return tokens[-MAX_ELEMENTS:]


def rightmost_untrusted(value: str, trusted: Sequence[Network]) -> str:
    """The client's token in a list of hops whose last is the connection's peer: the rightmost that is no trusted proxy.

    Without trusted proxies it is the last element: of all of them only this one was not written by a client. Where
    every element is a trusted proxy it is the first. A value without separators is its own only element.
    """
    tokens = split_forwarded(value)
    for token in reversed(tokens):
        if not is_trusted(token, trusted):
            return token
    return tokens[0] if tokens else ""


def is_trusted(token: str, trusted: Sequence[Network]) -> bool:
    """Whether the token spells an address of one of the networks; a host name or an unknown hop never is trusted."""
    if not trusted:
        return False
    address = parse_address(token)
    return address is not None and any(address.version == net.version and address in net for net in trusted)


_QUAD = re.compile(r"(?<![0-9])[0-9]{1,3}([^0-9])[0-9]{1,3}\1[0-9]{1,3}\1[0-9]{1,3}(?![0-9])")
_LONG_NUMBER = re.compile(r"[0-9]{8}")
_LONG_HEX = re.compile(r"[0-9a-f]{8,}")
_GROUPS = re.compile(r"(?:[0-9a-f]{1,4}-{1,2}){3,}[0-9a-f]{1,4}")


def spells_address(label: str) -> bool:
    """Whether one label of a host name (lower case, at most 63 characters are looked at) spells an address, or may.

    Four numbers with one separator; a run of eight or more digits; a run of eight or more hexadecimal digits that is
    the whole label or holds a digit; four or more groups of an IPv6 address that hold a digit; an IPv6 address with `-`
    for `:`.
    """
    label = label[:63]
    if _QUAD.search(label) or _LONG_NUMBER.search(label):
        return True
    for found in _LONG_HEX.finditer(label):
        if found.group() == label or not _DIGITS.isdisjoint(found.group()):
            return True
    if any(not _DIGITS.isdisjoint(found.group()) for found in _GROUPS.finditer(label)):
        return True
    return "--" in label and parse_address(label.replace("-", ":")) is not None
