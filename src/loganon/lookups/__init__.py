"""Tables that treatments ask: provider databases, known providers, public suffixes, browser families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from loganon.addresses import Network
from loganon.errors import ConfigurationError
from loganon.lookups.agents import load_rules_version
from loganon.lookups.known import load_known
from loganon.lookups.providers import ProviderDatabase, open_database
from loganon.lookups.suffixes import load_suffixes


@dataclass(frozen=True, slots=True)
class Lookups:
    """What a run opened for its treatments: provider databases, asked in this order, and trusted proxies.

    `sites`: one's own, as the policy's scope names them.
    """

    databases: tuple[ProviderDatabase, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    sites: frozenset[str] = frozenset()

    @property
    def versions(self) -> Mapping[str, str]:
        """What a cell's footer says of the look-ups it was made with."""
        databases = {f"provider_db_{n}": f"{d.type} {d.built:%Y-%m-%d}" for n, d in enumerate(self.databases, 1)}
        lists = {"known_providers": load_known().version, "public_suffixes": load_suffixes().version}
        return databases | lists | {"agents": load_rules_version()}


def open_lookups(
    databases: Sequence[str | Path] = (), trusted_proxies: Sequence[str] = (), *, apart: bool = False
) -> Lookups:
    """The look-ups of a run: databases by path, proxies as networks; ConfigurationError for what is neither.

    `apart`: as in `open_database`.
    """
    found = tuple(open_database(path, apart=apart) for path in databases)
    return Lookups(found, tuple(_network(text) for text in trusted_proxies))


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(
            f'"{text}" is no network', where="--trusted-proxy", fix="Write it as 10.0.0.0/8 or 2001:db8::/32"
        ) from None
