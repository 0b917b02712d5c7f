"""Values that are stored already, brought to tighter options of their treatment: texts in, texts out, one for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network

import polars as pl

from loganon.treatments import Treatment
from loganon.treatments.client import UNKNOWN
from loganon.treatments.file import OTHER, make_path

Again = Callable[[pl.Series], pl.Series]
"""From distinct stored values to what they become."""


def as_stored(values: pl.Series) -> pl.Series:
    """The values themselves."""
    return values


def treated_again(treat: Treatment) -> Again:
    """The first column of a treatment that takes what it gives."""
    return lambda values: treat(values)[0]


def shortened(v4: int, v6: int) -> Again:
    """Networks with prefixes of these lengths that contain those stored."""

    def shorten(text: str) -> str:
        try:
            network = ip_network(text)
        except ValueError:
            return text if text in (OTHER, "{redacted}") else UNKNOWN
        return str(network.supernet(new_prefix=v4 if network.version == 4 else v6))

    return lambda values: pl.Series([shorten(value) for value in values], dtype=pl.String)


def routed(old: Sequence[str], new: Sequence[str]) -> Again:
    """Paths by the `new` routes; where routes were stored before, those that are left, and `other`."""
    if old:
        return lambda values: values.set(~values.is_in(list(new)), OTHER)
    return treated_again(make_path(routes=tuple(new)))
