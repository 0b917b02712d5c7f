"""The one table of fields: what of an access may be kept, from which raw columns, as which columns, how treated.

A new field is one row; a new treatment is one function, its options and one entry in its field's row. Options stand
beside their fields, with their limits and orders, so that a policy and its changes are judged by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import pyarrow as pa

from loganon.fields.further import FURTHER
from loganon.fields.row import Row, one
from loganon.treatments.again import as_stored, routed, shortened, treated_again
from loganon.treatments.browser import make_browser
from loganon.treatments.client import make_provider, make_truncated
from loganon.treatments.file import make_path
from loganon.treatments.outcome import as_it_is, success_flag
from loganon.treatments.time import make_time

if TYPE_CHECKING:
    from loganon.fields.options import (
        BrowserOptions,
        Options,
        PathOptions,
        ProviderOptions,
        TimeOptions,
        TruncatedOptions,
    )

__all__ = [
    "FIELDS",
    "REQUESTS",
    "TIME",
    "Options",
    "PathOptions",
    "ProviderOptions",
    "Row",
    "TimeOptions",
    "TruncatedOptions",
]

if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if not name.endswith("Options"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.options"), name)


TIME = pa.timestamp("ms", tz="UTC")
REQUESTS = "requests"


def _browser_columns(options: BrowserOptions) -> tuple[tuple[str, pa.DataType], ...]:
    columns = (("browser", pa.string()), ("browser_version", pa.string()))
    return columns if options.as_ == "family+major" else columns[:1]


def _path_technique(options: PathOptions) -> str:
    if options.routes:
        return f"binning into {len(options.routes)} routes; no other path is kept"
    return "black-marker anonymisation of the query and of what identifies a person in the path"


FIELDS: Mapping[str, Row] = {
    "time": Row(
        ("time",),
        "TimeOptions",
        one("time", TIME),
        lambda options, _raw, _lookups: make_time(options.as_),
        required=True,  # partitions are made by it
        technique=lambda options: f"precision degradation to the start of the {options.as_} (UTC)",
        again=lambda _old, new: treated_again(make_time(new.as_)),
    ),
    "domain": Row(
        ("client",),
        "ProviderOptions",
        one("domain", pa.string()),
        lambda options, _raw, lookups: make_provider(
            known_only=options.known_only,
            extra_known=frozenset(options.known),
            databases=lookups.databases,
            trusted=lookups.trusted_proxies,
        ),
        other=("other",),
        technique=lambda options: (
            "binning by the domain of the provider"
            + (", of unknown providers by public suffix" if options.known_only else ", known or not")
        ),
        again=lambda _old, new: treated_again(
            make_provider(known_only=new.known_only, extra_known=frozenset(new.known))
        ),
    ),
    "network": Row(
        ("client",),
        "TruncatedOptions",
        one("network", pa.string()),
        lambda options, _raw, lookups: make_truncated(v4=options.v4, v6=options.v6, trusted=lookups.trusted_proxies),
        other=("other",),
        networks=lambda options: (options.v4, options.v6),
        technique=lambda options: f"truncation to {options.v4} bits of IPv4 and {options.v6} of IPv6",
        again=lambda _old, new: shortened(new.v4, new.v6),
    ),
    "file": Row(
        ("request", "path"),
        "PathOptions",
        one("file", pa.string()),
        lambda options, raw, _lookups: make_path(raw=raw, routes=options.routes),
        other=("other",),
        technique=_path_technique,
        again=lambda old, new: routed(old.routes, new.routes),
    ),
    "browser": Row(
        ("agent",),
        "BrowserOptions",
        _browser_columns,
        lambda options, _raw, _lookups: make_browser(major=options.as_ == "family+major"),
        other=("other", ""),
        technique=lambda options: (
            "binning into a closed list of families" + (" and major versions" if options.as_ == "family+major" else "")
        ),
        again=lambda *_: as_stored,
    ),
    "success": Row(
        ("status",),
        "FlagOptions",
        one("success", pa.bool_()),
        lambda *_: success_flag,
        technique=lambda _: "binning into success (status 100 to 399) or not",
    ),
    "bytes": Row(
        ("bytes",),
        "SumOptions",
        one("bytes", pa.int64()),
        lambda *_: as_it_is,
        measure=True,
        technique=lambda _: "aggregation: summed over the accesses of a row",
    ),
    **FURTHER,
}
"""The fields by name, in the order in which their columns are stored."""
