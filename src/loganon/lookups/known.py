"""Known providers: domains of networks so large that they name nobody, and the AS numbers that lead to them.

The data file is our own: one provider a line, `domain COUNTRY [AS number ...]`, sorted by domain. Each AS number stands
once, at the domain that the network's customers have in reverse DNS; a provider's further domains have no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from loganon.errors import ConfigurationError
from loganon.lookups.lists import DATA


@dataclass(frozen=True, slots=True)
class KnownProviders:
    """`domains`, the domain `by_asn`, and a `version`: the first 12 hexadecimal digits of the file's SHA-256."""

    domains: frozenset[str]
    by_asn: Mapping[int, str]
    version: str


def parse_known(lines: Iterable[str], *, version: str = "") -> KnownProviders:
    """The providers of a file's lines; ConfigurationError (78) with the number of a line that is wrong or repeats."""
    countries: dict[str, str] = {}
    by_asn: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not _is_form(words):
            raise _wrong(number, "it is not `domain COUNTRY [AS number ...]`")
        domain, country, *numbers = words
        if domain in countries:
            raise _wrong(number, f"{domain} is listed before")
        countries[domain] = country
        for asn in map(int, numbers):
            if by_asn.setdefault(asn, domain) != domain:
                raise _wrong(number, f"AS{asn} is listed before at {by_asn[asn]}")
    return KnownProviders(frozenset(countries), MappingProxyType(by_asn), version)


def _is_form(words: list[str]) -> bool:
    country, numbers = words[1:2], words[2:]
    if not (country and len(country[0]) == 2 and country[0].isascii() and country[0].isupper()):
        return False
    return all(n.isascii() and n.isdigit() and 0 < int(n) < 1 << 32 for n in numbers)


def _wrong(number: int, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"A line of the known providers cannot be used: {why}", where=f"line {number}", fix="Correct the line"
    )


@lru_cache(maxsize=1)
def load_known() -> KnownProviders:
    """The providers of the package's data file, read once a process."""
    data = (DATA / "known_providers.txt").read_bytes()
    return parse_known(data.decode("ascii").splitlines(), version=sha256(data).hexdigest()[:12])
