"""The fields beyond the six: none is in the policy `imos`.

Each has a closed list, or is a registrable domain or a number; what is in none of them is `other`, `unknown` where the
log does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from loganon.fields.row import Row, one
from loganon.treatments.again import treated_again
from loganon.treatments.country import make_country
from loganon.treatments.duration import UNITS, make_duration
from loganon.treatments.request import make_method, make_protocol, make_status
from loganon.treatments.system import make_system
from loganon.treatments.web import make_host, make_referrer


def _listed(name: str, raw: tuple[str, ...], options: str, make: Any) -> Row:
    return Row(
        raw,
        options,
        one(name, pa.string()),
        make,
        other=("other",),
        written=False,
        technique=lambda _: "binning into a closed list",
    )


FURTHER: Mapping[str, Row] = {
    "method": _listed("method", ("method", "request"), "MethodOptions", lambda _o, raw, _l: make_method(raw)),
    "protocol": _listed("protocol", ("protocol", "request"), "ProtocolOptions", lambda _o, raw, _l: make_protocol(raw)),
    "status": Row(
        ("status",),
        "StatusOptions",
        one("status", pa.string()),
        lambda options, _raw, _lookups: make_status(options.as_),
        other=("other",),
        written=False,
        technique=lambda options: "as it is, of 100 to 599" if options.as_ == "number" else "binning into five classes",
        again=lambda _old, new: treated_again(make_status(new.as_)),
    ),
    "referrer": Row(
        ("referrer",),
        "ReferrerOptions",
        one("referrer", pa.string()),
        lambda options, _raw, lookups: make_referrer(known=frozenset(options.known), own=lookups.sites),
        other=("other",),
        written=False,
        technique=lambda _: "binning by registrable domain, of those not listed by public suffix",
        again=lambda _old, new: treated_again(make_referrer(known=frozenset(new.known), own=frozenset())),
    ),
    "system": _listed("system", ("agent",), "SystemOptions", lambda *_: make_system()),
    "country": Row(
        ("client",),
        "CountryOptions",
        one("country", pa.string()),
        lambda _options, _raw, lookups: make_country(databases=lookups.databases, trusted=lookups.trusted_proxies),
        other=("other",),
        written=False,
        technique=lambda _: "binning by the country of the address",
    ),
    "host": Row(
        ("host",),
        "HostOptions",
        one("host", pa.string()),
        lambda _options, _raw, lookups: make_host(lookups.sites),
        other=("other",),
        written=False,
        technique=lambda _: "binning into the sites of the scope",
    ),
    "response_time": Row(
        tuple(UNITS),
        "DurationOptions",
        one("response_time", pa.int64()),
        lambda _options, raw, _lookups: make_duration(raw),
        measure=True,
        written=False,
        technique=lambda _: "aggregation: summed over the accesses of a row",
    ),
}
"""The fields by name, in the order in which their columns are stored behind the six."""
