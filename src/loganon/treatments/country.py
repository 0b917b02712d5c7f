"""The country of a client's address, as provider databases have it; the address goes nowhere."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from loganon.addresses import Network, is_global
from loganon.lookups.lists import load_list
from loganon.lookups.providers import ProviderDatabase
from loganon.treatments import Treatment
from loganon.treatments.client import read_client

UNKNOWN = "unknown"


def make_country(*, databases: Sequence[ProviderDatabase], trusted: Sequence[Network]) -> Treatment:
    """A treatment: the code of ISO 3166 that the first database has that has one, else `unknown`."""
    known = frozenset(load_list("countries"))
    proxies = tuple(trusted)

    def answer(token: str) -> str:
        address, _ = read_client(token, proxies)
        if address is None or not is_global(address):
            return UNKNOWN
        codes = (database.country(address) for database in databases)
        return next((code for code in codes if code in known), UNKNOWN)

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        found = [UNKNOWN if token is None else answer(token) for token in values.cast(pl.String)]
        return (pl.Series(values.name, found, dtype=pl.String),)

    return treat
