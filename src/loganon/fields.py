"""The one table of fields: what of an access may be kept, from which raw columns, as which columns, how treated.

A new field is one row of `FIELDS`; a new treatment is one function, its options and one entry in its field's row.
The options are the keys that a policy may set; their limits stand here, so that a policy is judged by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from loganon.lookups import Lookups
from loganon.treatments import Treatment
from loganon.treatments.browser import make_browser
from loganon.treatments.client import MAX_V4, MAX_V6, make_provider, make_truncated
from loganon.treatments.file import make_path
from loganon.treatments.outcome import as_it_is, success_flag
from loganon.treatments.time import make_time

TIME = pa.timestamp("ms", tz="UTC")
REQUESTS = "requests"


class Options(BaseModel):
    """What a policy says of one field: how it is treated (`as`), and that treatment's own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    as_: str = Field(alias="as")


Minimum = Annotated[int, Field(ge=0, le=1_000_000, description="values seen in fewer accesses of a day become `other`")]


class ProviderOptions(Options):
    """The domain of the client's provider."""

    as_: Literal["provider"] = Field(alias="as")
    known_only: bool = Field(default=True, description="of other domains keep only the public suffix (`.de`)")
    known: tuple[str, ...] = Field(default=(), strict=False, description="domains of further known providers")
    minimum: Minimum = 0


class TruncatedOptions(Options):
    """The client's network: its address without the last bits. Shortened, not certified anonymous."""

    as_: Literal["truncated"] = Field(alias="as")
    v4: int = Field(default=MAX_V4, ge=0, le=MAX_V4, description="bits of an IPv4 address that are kept")
    v6: int = Field(default=MAX_V6, ge=0, le=MAX_V6, description="bits of an IPv6 address that are kept")
    minimum: Minimum = 0


class TimeOptions(Options):
    """The start of the hour or of the day."""

    as_: Literal["hour", "day"] = Field(alias="as")


class PathOptions(Options):
    """The path without query, with personal parts replaced."""

    as_: Literal["path"] = Field(alias="as")
    routes: tuple[str, ...] = Field(default=(), strict=False, description="keep only paths of these shapes")
    minimum: Minimum = 0


class BrowserOptions(Options):
    """The browser's family from a closed list, and its major version."""

    as_: Literal["family+major", "family"] = Field(alias="as")
    minimum: Minimum = 0


class FlagOptions(Options):
    """Whether the access succeeded."""

    as_: Literal["flag"] = Field(alias="as")


class SumOptions(Options):
    """A number, summed over the accesses."""

    as_: Literal["sum"] = Field(alias="as")


@dataclass(frozen=True, slots=True)
class Row:
    """One field: `raw` columns in order of preference, `options` a policy may give, what they store, and who treats.

    `columns(options)` are the stored columns; `other` is what a rare value becomes in each of them, where the field may
    have a minimum; `measure`: summed rather than grouped by. `required`: no policy without it.
    `networks(options)`: the lengths of prefix (IPv4, IPv6) of the networks that alone may stand in its column.
    """

    raw: tuple[str, ...]
    options: type[Options]
    columns: Callable[[Any], tuple[tuple[str, pa.DataType], ...]]
    make: Callable[[Any, str, Lookups], Treatment]
    other: tuple[str, ...] = ()
    measure: bool = False
    required: bool = False
    networks: Callable[[Any], tuple[int, int]] | None = None


def _one(name: str, kind: pa.DataType) -> Callable[[Any], tuple[tuple[str, pa.DataType], ...]]:
    return lambda _: ((name, kind),)


def _browser_columns(options: BrowserOptions) -> tuple[tuple[str, pa.DataType], ...]:
    columns = (("browser", pa.string()), ("browser_version", pa.string()))
    return columns if options.as_ == "family+major" else columns[:1]


FIELDS: Mapping[str, Row] = {
    "time": Row(
        ("time",),
        TimeOptions,
        _one("time", TIME),
        lambda options, _raw, _lookups: make_time(options.as_),
        required=True,  # partitions are made by it
    ),
    "domain": Row(
        ("client",),
        ProviderOptions,
        _one("domain", pa.string()),
        lambda options, _raw, lookups: make_provider(
            known_only=options.known_only,
            extra_known=frozenset(options.known),
            databases=lookups.databases,
            trusted=lookups.trusted_proxies,
        ),
        other=("other",),
    ),
    "network": Row(
        ("client",),
        TruncatedOptions,
        _one("network", pa.string()),
        lambda options, _raw, lookups: make_truncated(v4=options.v4, v6=options.v6, trusted=lookups.trusted_proxies),
        other=("other",),
        networks=lambda options: (options.v4, options.v6),
    ),
    "file": Row(
        ("request", "path"),
        PathOptions,
        _one("file", pa.string()),
        lambda options, raw, _lookups: make_path(raw=raw, routes=options.routes),
        other=("other",),
    ),
    "browser": Row(
        ("agent",),
        BrowserOptions,
        _browser_columns,
        lambda options, _raw, _lookups: make_browser(major=options.as_ == "family+major"),
        other=("other", ""),
    ),
    "success": Row(("status",), FlagOptions, _one("success", pa.bool_()), lambda *_: success_flag),
    "bytes": Row(("bytes",), SumOptions, _one("bytes", pa.int64()), lambda *_: as_it_is, measure=True),
}
"""The fields by name, in the order in which their columns are stored."""
