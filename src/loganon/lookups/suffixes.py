"""Registrable domains and public suffixes of host names, by the ICANN section of the public suffix list only.

The private section is left out: by it `mueller.myfritz.net` would be a registrable domain, and it names a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import publicsuffixlist

from loganon.addresses import MAX_TOKEN, clean, spells_address
from loganon.lookups.lists import DATA

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_SUBDOMAIN = _LETTERS | {"_"}  # no host name by RFC 952, but reverse DNS has it
_NO_PROVIDER = frozenset({"arpa", "onion"})
# Under `*.ck` every second label is a suffix, a person's too. These are kept in a suffix, the parent stands for others.
_GENERIC = frozenset(["ac", "biz", "co", "com", "edu", "gob", "gov", "gouv", "info", "mil", "net", "ne", "or", "org"])


@dataclass(frozen=True, slots=True)
class HostParts:
    """A host name's `registrable` domain (None: it has none that may be stored) and public `suffix`, both ASCII."""

    registrable: str | None
    suffix: str


def host_name(token: str) -> str | None:
    """The host name in a token, in lower case, ASCII (IDNA), without port and trailing dot; None where it is not one.

    A single label is no provider's host name: None.
    """
    if not token or len(token) > MAX_TOKEN + 8:
        return None
    name, colon, port = clean(token).partition(":")
    if colon and port and not (port.isascii() and port.isdigit()):
        return None
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(0 < len(label) <= 63 for label in labels):
        return None
    if not name.isascii():
        try:  # quadratic in the length of a label, which is bounded here
            name = ".".join(label.encode("idna").decode("ascii") for label in labels)
        except UnicodeError:
            return None
        labels = name.split(".")
    if len(name) > 253 or not all(0 < len(label) <= 63 and _SUBDOMAIN.issuperset(label) for label in labels):
        return None
    return name


def host_names(domains: Iterable[str]) -> frozenset[str]:
    """The domains as host names are compared: lower case, ASCII (`bücher.de`: `xn--bcher-kva.de`), no dot behind."""
    return frozenset(name for name in map(host_name, domains) if name is not None)


class Suffixes:
    """The list of one installed version of `publicsuffixlist`, and the suffixes under which persons register."""

    version: str = publicsuffixlist.__version__

    def __init__(self) -> None:
        self._personal = load_personal()

    @cached_property
    def _ascii(self) -> Any:
        """The rules with ASCII labels: read when the first name comes."""
        return publicsuffixlist.PublicSuffixList(_ascii_rules(), accept_unknown=False, accept_encoded_idn=False)

    @cached_property
    def _every(self) -> Any:
        """The whole list: read when the first name comes that its other rules, of which each has an IDNA label, fit."""
        return publicsuffixlist.PublicSuffixList(accept_unknown=False, only_icann=True)

    def _rules(self, name: str) -> Any:
        return self._ascii if name.isascii() and "xn--" not in name else self._every

    def split(self, name: str) -> HostParts | None:
        """The parts of a name as `host_name` gives it; None under an unknown top-level domain and under `arpa`.

        `registrable` is None for a name that is itself a suffix, under a personal suffix, and where its label spells an
        address.
        """
        if name.rpartition(".")[2] in _NO_PROVIDER:
            return None
        personal = self._personal_suffix(name)
        if personal is not None:
            return HostParts(None, personal)
        rules = self._rules(name)
        registrable: str | None = rules.privatesuffix(name)
        suffix: str | None = rules.publicsuffix(name) if registrable is None else registrable.partition(".")[2]
        if suffix is None:
            return None
        suffix = self._without_wildcard(suffix)
        if registrable is None or not _LETTERS.issuperset(registrable.partition(".")[0]):
            return HostParts(None, suffix)
        if spells_address(registrable.partition(".")[0]) or _numbers_before(name, registrable):
            return HostParts(None, suffix)
        return HostParts(registrable, suffix)

    def is_registrable(self, name: str) -> bool:
        """Whether a domain is itself registrable and may stand in a list of providers."""
        parts = self.split(name)
        return parts is not None and parts.registrable == name

    def _personal_suffix(self, name: str) -> str | None:
        rest = name
        while rest:
            if rest in self._personal:
                return rest
            rest = rest.partition(".")[2]
        return None

    def _without_wildcard(self, suffix: str) -> str:
        label, _, parent = suffix.partition(".")
        if not parent or label in _GENERIC:
            return suffix
        probe = f"q0-{label[:32]}-0q.{parent}"  # a label no rule names: a suffix only by a wildcard
        return parent if self._rules(probe).publicsuffix(probe) == probe else suffix


def _numbers_before(name: str, registrable: str) -> bool:
    """Whether the labels up to the registrable one are a dotted quad, which it ends (`91.44.26.11.de`)."""
    labels = (name[: len(name) - len(registrable)] + registrable.partition(".")[0]).split(".")
    return len(labels) > 3 and all(label.isdigit() and len(label) <= 3 for label in labels[-4:])


def _ascii_rules() -> list[str]:
    """The rules of the ICANN section that have only ASCII labels: read in a quarter of the time of all."""
    text = Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8")
    section = text.partition("// ===BEGIN ICANN DOMAINS===")[2].partition("// ===END ICANN DOMAINS===")[0]
    return [line for line in section.splitlines() if line and not line.startswith("//") and line.isascii()]


def load_personal() -> frozenset[str]:
    """The personal suffixes of the package's data file."""
    text = (DATA / "personal_suffixes.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=1)
def load_suffixes() -> Suffixes:
    """The installed list, read once a process, for its first name (about 10 ms)."""
    return Suffixes()
