"""Which stored values do not stand in their field's closed list, or are not of its form. None of them is ever named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import polars as pl

from loganon.aggregate import OTHER
from loganon.gate import REDACTED
from loganon.lookups.agents import load_families
from loganon.lookups.known import load_known
from loganon.lookups.lists import load_list
from loganon.lookups.suffixes import host_names, load_suffixes
from loganon.policy import Policy
from loganon.treatments.request import CLASSES, STATUSES
from loganon.treatments.web import OWN

Judge: TypeAlias = Callable[[pl.Series], int]
"""How many of the distinct values are strangers."""

_UNKNOWN = "unknown"
_INVALID = "{invalid}"
_VERSION = r"^(?:[0-9]{1,3})?$"
_LABELS = r"^\.?(?:[0-9a-z_-]{1,63}\.)*[0-9a-z-]{1,63}$"
_NETWORK = r"^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-f:]+(?:\.[0-9.]+)?/[0-9]{1,3})$"
_FILE = r"^[/0-9A-Za-z._~{-][^?#;\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]*$"
_LONGEST_FILE = 1024


_LISTS: Mapping[str, Callable[[Policy], tuple[str, ...]]] = {
    "method": lambda _: load_list("methods"),
    "protocol": lambda _: load_list("protocols"),
    "status": lambda policy: CLASSES if policy.fields.status.as_ == "class" else STATUSES,
    "system": lambda _: load_list("systems"),
    "country": lambda _: load_list("countries"),
    "host": lambda policy: policy.scope.sites,
}
"""What may stand in the columns of closed lists, besides the empty answers."""


def make_judges(policy: Policy) -> Mapping[str, Judge]:
    """The judge of each string column that the policy stores; what it kept is judged by the lists of this version."""
    judges: dict[str, Judge] = {}
    for name, options in policy.kept():
        if name == "domain":
            judges["domain"] = _Domains(known_only=options.known_only, extra=options.known)  # type: ignore[attr-defined]  # this field's options
        elif name == "network":
            judges["network"] = _form(_NETWORK, (_UNKNOWN, OTHER, REDACTED))
        elif name == "file":
            judges["file"] = _files(options.routes)  # type: ignore[attr-defined]  # this field's options
        elif name == "browser":
            families = [known for known, _ in load_families().values()]
            judges["browser"] = _listed((*families, _UNKNOWN, OTHER, f"{OTHER}-bot", REDACTED))
            judges["browser_version"] = _form(_VERSION, (REDACTED,))
        elif name in _LISTS:
            judges[name] = _listed((*_LISTS[name](policy), _UNKNOWN, OTHER, REDACTED))
        elif name == "referrer":
            extra = (*load_list("referrers"), *options.known)  # type: ignore[attr-defined]  # this field's options
            judges["referrer"] = _Domains(known_only=True, extra=extra, providers=False)
    return judges


def _form(pattern: str, others: tuple[str, ...]) -> Judge:
    return lambda values: int((~(values.str.contains(pattern) | values.is_in(list(others)))).sum())


def _listed(known: tuple[str, ...]) -> Judge:
    names = list(dict.fromkeys(known))
    return lambda values: int((~values.is_in(names)).sum())


def _files(routes: tuple[str, ...]) -> Judge:
    others = (OTHER, _INVALID, REDACTED)
    if routes:
        return _listed((*routes, *others))
    form = _form(_FILE, others)
    return lambda values: form(values) + int((values.str.len_chars() > _LONGEST_FILE).sum())


class _Domains:
    """Known providers' domains (any registrable one without `known_only`), public suffixes, and the empty answers."""

    def __init__(self, *, known_only: bool, extra: tuple[str, ...], providers: bool = True) -> None:
        self._known_only = known_only
        self._known = (load_known().domains if providers else frozenset((OWN,))) | host_names(extra)
        self._suffixes = load_suffixes()
        self._answers: dict[str, bool] = dict.fromkeys((_UNKNOWN, OTHER, REDACTED), True)

    def __call__(self, values: pl.Series) -> int:
        """How many are strangers."""
        return sum(not self._is_ours(value) for value in values.to_list())

    def _is_ours(self, value: str) -> bool:
        answer = self._answers.get(value)
        if answer is None:
            answer = self._answers[value] = self._judge(value)
        return answer

    def _judge(self, value: str) -> bool:
        if value.startswith("."):
            probes = (value[1:], f"q0-probe-0q{value}")
            found = [parts.suffix for probe in probes if (parts := self._suffixes.split(probe)) is not None]
            return value[1:] in found
        return value in self._known or (not self._known_only and self._suffixes.is_registrable(value))


def plain_domains() -> Judge:
    """The judge of domains that other versions of the lists let through: their form alone."""
    return _form(_LABELS, (REDACTED,))


def list_versions() -> Mapping[str, str]:
    """The versions of the lists by which domains are judged, as footers note them."""
    return {"known_providers": load_known().version, "public_suffixes": load_suffixes().version}
