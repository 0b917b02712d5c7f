"""The client: from a raw host token to the domain of its provider, or to a truncated network.

Input: distinct raw values as String (null: no valid UTF-8). Output: one String series as long, without nulls.
What is not understood is `unknown`; no answer holds more of a host name than its registrable domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import polars as pl

from loganon.addresses import (
    Address,
    Network,
    is_global,
    number_v6,
    parse_address,
    rightmost_untrusted,
    special_v4,
    truncate,
)
from loganon.addresses import is_private as is_private_address
from loganon.errors import ConfigurationError
from loganon.lookups.known import load_known
from loganon.lookups.providers import Candidate
from loganon.lookups.suffixes import host_name, host_names, load_suffixes
from loganon.masks import put
from loganon.treatments import Treatment
from loganon.treatments.held import Held

UNKNOWN = "unknown"
MAX_V4 = 24
MAX_V6 = 48
_MOST_CANDIDATES = 400_000
_V6 = (1 << 128) - 1
_LISTS = frozenset(",;= \t%")  # one of these: perhaps more than one element

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_V4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"
_PLAIN = rf"^(?:{_OCTET}(?:\.{_OCTET}){{3}}|[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:]*)$"
# The usual spelling of global addresses that carry no other: first groups without any special network.
_GLOBAL_GROUPS = r"(?:2003|2[4-9a-f][0-9a-f]{2}|2001:[1-9a-f][0-9a-f]{3})"
_DIRECT_V6 = rf"^{_GLOBAL_GROUPS}(?::[0-9a-f]{{0,4}}){{2,7}}$"


class Database(Protocol):
    """What is asked of a provider database."""

    def lookup(self, address: Address | str) -> Candidate | None:
        """What it has on an address; None where nothing."""

    def network(self, address: str) -> tuple[Candidate | None, int]:
        """What it has on an address in its usual spelling, and of how many bits the prefix is all of which has it."""


def make_provider(
    *,
    known_only: bool = True,
    extra_known: frozenset[str] = frozenset(),
    databases: Sequence[Database] = (),
    trusted: Sequence[Network] = (),
) -> Treatment:
    """The treatment `provider`: registrable domain, public suffix with a leading dot (`.de`), or `unknown`.

    `known_only`: of a domain that is neither in our table nor in `extra_known` (registrable domains) only the suffix is
    kept. `databases` are asked in order; the first that leads to a domain or a suffix answers. `trusted`: proxies whose
    forwarded lists are believed; a value may be a list whose last element is the connection's peer.
    """
    return _held(_Provider(known_only, host_names(extra_known), tuple(databases), tuple(trusted)))


def make_truncated(*, v4: int = MAX_V4, v6: int = MAX_V6, trusted: Sequence[Network] = ()) -> Treatment:
    """The treatment `truncated`: `91.44.26.0/24`, `2003:0:ab::/48`; `unknown` for what spells no address.

    ConfigurationError (78) for a prefix longer than /24 or /48.
    """
    if not (0 <= v4 <= MAX_V4 and 0 <= v6 <= MAX_V6):
        raise ConfigurationError(
            "A truncated address may keep at most 24 bits of IPv4 and 48 of IPv6",
            where="the policy's v4 and v6",
            fix=f"Set v4 from 0 to {MAX_V4} and v6 from 0 to {MAX_V6}",
        )
    return _held(_Truncated(v4, v6, tuple(trusted)))


def is_private(token: str, trusted: Sequence[Network] = ()) -> bool:
    """Whether a raw value's client has an address that is not routed: many hint at a proxy before the server."""
    address, _ = read_client(token, trusted)
    return address is not None and is_private_address(address)


def read_client(token: str, trusted: Sequence[Network]) -> tuple[Address | None, str]:
    """The client's address, if it is one, and its token, out of one value or a list."""
    address = parse_address(token)
    if address is None and not _LISTS.isdisjoint(token):
        token = rightmost_untrusted(token, trusted)
        address = parse_address(token)
    return address, token


def _held(answer: Callable[[pl.Series], Iterable[str]]) -> Treatment:
    return Held("client", lambda raw: raw.cast(pl.String), answer, none=UNKNOWN, each=True)


class _Provider:
    """An answer for each client: its provider's domain, or a public suffix."""

    __slots__ = ("_candidates", "_databases", "_extra", "_known", "_known_only", "_suffixes", "_trusted")

    def __init__(
        self, known_only: bool, extra: frozenset[str], databases: tuple[Database, ...], trusted: tuple[Network, ...]
    ) -> None:
        self._known_only = known_only
        self._extra = extra
        self._databases = databases
        self._trusted = trusted
        self._known = load_known()
        self._suffixes = load_suffixes()
        self._candidates: dict[Candidate, str] = {}

    def __call__(self, values: pl.Series) -> Iterable[str]:
        if not self._databases:  # an address in its usual spelling has no answer without one
            plain = values.str.contains(_PLAIN)
            return [UNKNOWN if usual else self._answer(token) for token, usual in zip(values, plain, strict=True)]
        v4, v6 = values.str.contains(_PLAIN_V4), values.str.contains(_DIRECT_V6)
        rest = ~(v4 | v6)
        others = pl.Series([self._answer(token) for token in values.filter(rest).to_list()], dtype=pl.String)
        shown = put(_unknown(len(values)), rest, others)
        shown = put(shown, v4, self._of_v4(values.filter(v4)))
        return put(shown, v6, self._of_v6(values.filter(v6)))

    def _of_v4(self, addresses: pl.Series) -> pl.Series:
        """The answers to IPv4 addresses in their usual spelling."""
        octets = addresses.str.split_exact(".", 3).struct.unnest().cast(pl.UInt32)
        numbers = octets.fold(lambda high, low: high * 256 + low)
        order = numbers.arg_sort()
        ordered = zip(numbers[order].to_list(), order.to_list(), strict=True)
        answers = pl.Series(self._of_networks(ordered, addresses, special=special_v4, bits=32), dtype=pl.String)
        return _unknown(len(addresses)).scatter(order, answers)

    def _of_v6(self, addresses: pl.Series) -> pl.Series:
        """The answers to global IPv6 addresses in their usual spelling; `unknown` for what only looks like one."""
        numbers = map(number_v6, addresses.to_list())
        ordered = sorted([(number, place) for place, number in enumerate(numbers) if number is not None])
        answers = self._of_networks(ordered, addresses, special=lambda _: (False, _V6), bits=128)
        return _unknown(len(addresses)).scatter([place for _, place in ordered], pl.Series(answers, dtype=pl.String))

    def _of_networks(
        self,
        ordered: Iterable[tuple[int, int]],
        addresses: pl.Series,
        *,
        special: Callable[[int], tuple[bool, int]],
        bits: int,
    ) -> Iterator[str]:
        """The answers to addresses of so many bits, given in their order, as numbers and where they stand: each network
        is looked up once, as far as no `special` one lies within.
        """
        answer, end = UNKNOWN, -1
        for number, place in ordered:
            if number > end:
                without, end = special(number)
                answer, prefix = (UNKNOWN, 0) if without else self._of_network(addresses[place])
                end = min(end, number | ((1 << max(bits - prefix, 0)) - 1))
            yield answer

    def _of_network(self, address: str) -> tuple[str, int]:
        """The answer to an address, and the bits of the longest prefix that it depends on."""
        longest = 0
        for database in self._databases:
            candidate, prefix = database.network(address)
            longest = max(longest, prefix)
            answer = UNKNOWN if candidate is None else self._of_candidate(candidate)
            if answer != UNKNOWN:
                return answer, longest
        return UNKNOWN, longest

    def _answer(self, token: str) -> str:
        address, token = read_client(token, self._trusted)
        if address is None:
            return self._of_host(token)
        return self._of_address(address) if is_global(address) else UNKNOWN

    def _of_address(self, address: Address | str) -> str:
        for database in self._databases:
            candidate = database.lookup(address)
            if candidate is not None:
                answer = self._of_candidate(candidate)
                if answer != UNKNOWN:
                    return answer
        return UNKNOWN

    def _of_candidate(self, candidate: Candidate) -> str:
        """The answer to what a database has, held: it has little for many addresses."""
        answer = self._candidates.get(candidate)
        if answer is None:
            asn, domain = candidate
            answer = self._known.by_asn.get(asn) if asn is not None else None
            if answer is None:
                answer = UNKNOWN if domain is None else self._of_host(domain)
            if len(self._candidates) >= _MOST_CANDIDATES:
                self._candidates.clear()
            self._candidates[candidate] = answer
        return answer

    def _of_host(self, token: str) -> str:
        name = host_name(token)
        parts = None if name is None else self._suffixes.split(name)
        if parts is None:
            return UNKNOWN
        domain = parts.registrable
        if domain is not None and (not self._known_only or domain in self._known.domains or domain in self._extra):
            return domain
        return f".{parts.suffix}"


def _unknown(length: int) -> pl.Series:
    return pl.Series([UNKNOWN], dtype=pl.String).new_from_index(0, length)


class _Truncated:
    """An answer for each client: its network."""

    __slots__ = ("_trusted", "_v4", "_v6")

    def __init__(self, v4: int, v6: int, trusted: tuple[Network, ...]) -> None:
        self._v4 = v4
        self._v6 = v6
        self._trusted = trusted

    def __call__(self, values: pl.Series) -> Iterable[str]:
        if self._v4 != MAX_V4:
            return map(self._answer, values)
        plain = values.str.contains(_PLAIN_V4)  # the usual spelling and prefix: cut as text
        tokens = zip(values, plain, strict=True)
        return [f"{token.rpartition('.')[0]}.0/24" if usual else self._answer(token) for token, usual in tokens]

    def _answer(self, token: str) -> str:
        address, _ = read_client(token, self._trusted)
        return UNKNOWN if address is None else truncate(address, self._v4, self._v6)
