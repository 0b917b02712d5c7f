"""The method, the protocol's version and the status of an access, each from a closed list."""

from __future__ import annotations

import polars as pl

from loganon.lookups.lists import load_list
from loganon.masks import sure
from loganon.treatments import Treatment

UNKNOWN, OTHER = "unknown", "other"
STATUSES = tuple(str(number) for number in range(100, 600))
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_METHOD = r"^([^ ]+) "
_PROTOCOL = r" ([^ ]+)$"
_SAME = {"HTTP/2.0": "HTTP/2", "HTTP/3.0": "HTTP/3", "h2": "HTTP/2", "h3": "HTTP/3"}
_BARE = r"^[0-9](?:\.[0-9])?$"


def make_method(raw: str) -> Treatment:
    """A treatment: the method out of the request line, or out of its own column."""
    known = load_list("methods")

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        texts = values.cast(pl.String)
        return (_listed(_part(texts, _METHOD) if raw == "request" else texts, known),)

    return treat


def make_protocol(raw: str) -> Treatment:
    """A treatment: the protocol's version out of the request line, or out of its own column."""
    known = load_list("protocols")

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        texts = values.cast(pl.String)
        texts = _part(texts, _PROTOCOL) if raw == "request" else texts
        texts = pl.select(pl.when(texts.str.contains(_BARE)).then("HTTP/" + texts).otherwise(texts)).to_series()
        return (_listed(texts.replace(_SAME), known),)

    return treat


def make_status(form: str) -> Treatment:
    """A treatment: the status as a text, of 100 to 599, or with the form "class" as `4xx`."""

    def treat(values: pl.Series) -> tuple[pl.Series, ...]:
        texts = values.cast(pl.String)
        good = sure(texts.str.contains("^[1-5][0-9]{2}$"))
        named = texts.str.head(1) + "xx" if form == "class" else texts
        none = texts.is_in(["", "-", "0"]) | texts.is_null()
        return (
            pl.select(pl.when(good).then(named).when(none).then(pl.lit(UNKNOWN)).otherwise(pl.lit(OTHER))).to_series(),
        )

    return treat


def _part(texts: pl.Series, pattern: str) -> pl.Series:
    """What the pattern finds in a request line: nothing in an empty one, the whole of one that it does not fit."""
    return pl.select(pl.coalesce(texts.str.extract(pattern), texts)).to_series()


def _listed(texts: pl.Series, known: tuple[str, ...]) -> pl.Series:
    none = texts.is_in(["", "-"]) | texts.is_null()
    good = sure(texts.is_in(list(known)))
    return pl.select(pl.when(good).then(texts).when(none).then(pl.lit(UNKNOWN)).otherwise(pl.lit(OTHER))).to_series()
