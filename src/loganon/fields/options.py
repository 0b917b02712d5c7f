"""The keys that a policy may set of the fields, their limits, and the order of their values.

They are apart from the rows, which know them by name: what needs no policy that is yet to be judged needs no pydantic.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from loganon.errors import ConfigurationError
from loganon.lookups.suffixes import host_name, load_suffixes
from loganon.strictness import Direction, Order, fewer, less, listed, more, neither
from loganon.treatments.client import MAX_V4, MAX_V6
from loganon.treatments.file import make_path, routes_overlap


class Options(BaseModel):
    """What a policy says of one field: how it is treated (`as`), and that treatment's own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    as_: str = Field(alias="as")


AS = "the treatment; there is one"
ONLY = Order(neither)
"""The order where there is one value."""


def _minimum(old: int, new: int) -> Direction:
    return more(max(old, 1), max(new, 1))


def _routes(old: tuple[str, ...], new: tuple[str, ...]) -> Direction:
    """Fewer routes are tighter, if no path of one that goes falls to a later one; the first routes of all are, too."""
    if not old or not new:
        return Direction.TIGHTER if new else Direction.LOOSER
    left = [route for route in old if route in new]
    gone = [(at, route) for at, route in enumerate(old) if route not in new]
    moved = any(routes_overlap(route, later) for at, route in gone for later in old[at + 1 :] if later in new)
    return Direction.LOOSER if list(new) != left or moved else Direction.TIGHTER


def _checked_routes(routes: tuple[str, ...]) -> tuple[str, ...]:
    try:
        make_path(routes=routes)
    except ConfigurationError as error:
        raise ValueError(f"{error.where} matches no path; {error.fix}") from None
    return routes


def checked_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """The domains; ValueError for one that is not registrable."""
    for domain in domains:
        name = host_name(domain)
        parts = name and load_suffixes().split(name)
        if not parts or parts.registrable != name:
            raise ValueError(f'expected registrable domains such as "example.com"; {domain!r} is none')
    return domains


Minimum = Annotated[
    int,
    Field(ge=0, le=1_000_000, description="values seen in fewer accesses of a day become `other`; 0 and 1: none does"),
    Order(
        _minimum,
        tighter="values seen in fewer than {new} accesses of a day become `other`, so far {old}",
        looser="values seen in {new} accesses of a day are kept, so far only those in {old}",
    ),
]


class ProviderOptions(Options):
    """The domain of the client's provider."""

    as_: Annotated[Literal["provider"], ONLY] = Field(alias="as", description=AS)
    known_only: Annotated[
        bool,
        Order(
            listed(False, True),
            tighter="of a domain that is no known provider's only the public suffix is kept",
            looser="any registrable domain is kept, not only known providers'",
        ),
    ] = Field(
        default=True,
        description="keep the domains of known providers only, of others the public suffix (`.de`)",
    )
    known: Annotated[
        tuple[str, ...],
        AfterValidator(checked_domains),
        Order(
            fewer,
            tighter="fewer domains count as known providers",
            looser="further domains count as known providers",
            idle=lambda options: not options.known_only,
        ),
    ] = Field(default=(), strict=False, description="registrable domains of further known providers")
    minimum: Minimum = 0


_PREFIX = Order(
    less,
    tighter="{new} bits of an address are kept, so far {old}",
    looser="{new} bits of an address are kept, so far only {old}",
)


class TruncatedOptions(Options):
    """The client's network: its address without the last bits. Shortened, not certified anonymous."""

    as_: Annotated[Literal["truncated"], ONLY] = Field(alias="as", description=AS)
    v4: Annotated[int, _PREFIX] = Field(
        default=MAX_V4, ge=0, le=MAX_V4, description="bits of an IPv4 address that are kept"
    )
    v6: Annotated[int, _PREFIX] = Field(
        default=MAX_V6, ge=0, le=MAX_V6, description="bits of an IPv6 address that are kept"
    )
    minimum: Minimum = 0


class TimeOptions(Options):
    """The start of the hour or of the day."""

    as_: Annotated[
        Literal["hour", "day"],
        Order(
            listed("hour", "day"), tighter="of the time only the {new} is kept", looser="of the time the {new} is kept"
        ),
    ] = Field(alias="as", description="how exact the time is")


class PathOptions(Options):
    """The path without query, with personal parts replaced."""

    as_: Annotated[Literal["path"], ONLY] = Field(alias="as", description=AS)
    routes: Annotated[
        tuple[str, ...],
        AfterValidator(_checked_routes),
        Order(
            _routes,
            tighter="only paths of fewer shapes are kept",
            looser="paths of other shapes can be kept than so far",
        ),
    ] = Field(
        default=(),
        strict=False,
        description="keep only these shapes: `/blog/*` is any rest, `/user/:id` any one segment; empty: all paths",
    )
    minimum: Minimum = 0


class BrowserOptions(Options):
    """The browser's family from a closed list, and its major version."""

    as_: Annotated[
        Literal["family+major", "family"],
        Order(
            listed("family+major", "family"),
            tighter="the browser's major version is no longer kept",
            looser="the browser's major version is kept, too",
        ),
    ] = Field(alias="as", description="the family with its major version, or alone")
    minimum: Minimum = 0


class FlagOptions(Options):
    """Whether the access succeeded."""

    as_: Annotated[Literal["flag"], ONLY] = Field(alias="as", description=AS)


class SumOptions(Options):
    """A number, summed over the accesses."""

    as_: Annotated[Literal["sum"], ONLY] = Field(alias="as", description=AS)


class MethodOptions(Options):
    """The method of the request, from a closed list."""

    as_: Annotated[Literal["list"], ONLY] = Field(alias="as", description=AS)
    minimum: Minimum = 0


class ProtocolOptions(Options):
    """The version of the protocol, from a closed list."""

    as_: Annotated[Literal["list"], ONLY] = Field(alias="as", description=AS)
    minimum: Minimum = 0


class StatusOptions(Options):
    """The status that the server answered with, or its class."""

    as_: Annotated[
        Literal["number", "class"],
        Order(
            listed("number", "class"),
            tighter="of the status only the class is kept",
            looser="of the status the number is kept",
        ),
    ] = Field(alias="as", description="the number (`404`), or its class (`4xx`)")
    minimum: Minimum = 0


class ReferrerOptions(Options):
    """The registrable domain of the page from which a link was followed, never more of it."""

    as_: Annotated[Literal["domain"], ONLY] = Field(alias="as", description=AS)
    known: Annotated[
        tuple[str, ...],
        AfterValidator(checked_domains),
        Order(fewer, tighter="fewer domains are kept", looser="further domains are kept"),
    ] = Field(
        default=(),
        strict=False,
        description="registrable domains that are kept besides those of search engines and the like; of others the "
        "public suffix (`.de`), of the sites in the scope `{own}`",
    )
    minimum: Minimum = 0


class SystemOptions(Options):
    """The family of the operating system, from a closed list."""

    as_: Annotated[Literal["family"], ONLY] = Field(alias="as", description=AS)
    minimum: Minimum = 0


class CountryOptions(Options):
    """The country that a provider database has for the address (ISO 3166), `unknown` where none has it."""

    as_: Annotated[Literal["code"], ONLY] = Field(alias="as", description=AS)
    minimum: Minimum = 0


class HostOptions(Options):
    """Which of the sites that the scope names; others are `other`."""

    as_: Annotated[Literal["site"], ONLY] = Field(alias="as", description=AS)


class DurationOptions(Options):
    """How long the answers took, in milliseconds, summed over the accesses."""

    as_: Annotated[Literal["sum"], ONLY] = Field(alias="as", description=AS)
