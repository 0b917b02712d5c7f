"""Hosts of the web: the domain that a link was followed from, and which of one's own sites was asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from loganon.hosts import site_name
from loganon.lookups.lists import load_list
from loganon.lookups.suffixes import host_name, host_names, load_suffixes
from loganon.treatments import Treatment

UNKNOWN, OTHER, OWN = "unknown", "other", "{own}"
_LONGEST = 4096
_NONE = frozenset({"", "-"})


def make_referrer(*, known: Collection[str], own: Collection[str]) -> Treatment:
    """A treatment: the registrable domain (ICANN section) of a referrer's host if it is listed or `known`, else its
    public suffix; `{own}` for the sites in `own`, `other` for another scheme, `unknown` for none.
    """
    domains = frozenset(load_list("referrers")) | host_names(known)
    suffixes = load_suffixes()

    def answer(text: str) -> str:
        if text in _NONE:
            return UNKNOWN
        name = _host(text[:_LONGEST])
        if name is None:
            return OTHER
        if site_name(name) in own:
            return OWN
        host = host_name(name)
        parts = suffixes.split(host) if host else None
        if parts is None:
            return UNKNOWN
        return parts.registrable if parts.registrable in domains else f".{parts.suffix}"

    return _each(answer)


def make_host(sites: Collection[str]) -> Treatment:
    """A treatment: the name of one of the `sites`, `other` for another host, `unknown` for none."""

    def answer(text: str) -> str:
        if text in _NONE:
            return UNKNOWN
        name = site_name(text[:_LONGEST])
        return name if name is not None and name in sites else OTHER

    return _each(answer)


def _host(text: str) -> str | None:
    """The host of an http or https address, or a bare name; None for the rest, and where a user stands before it."""
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() not in ("http", "https"):
        return None
    place = rest if mark else text
    for end in "/?#\\":
        place = place.partition(end)[0]
    return None if "@" in place else place


def _each(answer: Callable[[str], str]) -> Treatment:
    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        found = [UNKNOWN if text is None else answer(text) for text in values.cast(pl.String)]
        return (pl.Series(values.name, found, dtype=pl.String),)

    return treat
