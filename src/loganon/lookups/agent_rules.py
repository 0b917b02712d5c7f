"""What uap-core's rules say of an agent: of the package ua-parser, by its Rust engine, in linear time.

It is loaded for the first agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from operator import attrgetter

from ua_parser import Domain, load_lazy_builtins
from ua_parser.regex import Resolver

from loganon.lookups.agent_columns import AgentColumns, Name


def find_browser(agent: str) -> tuple[str, str] | None:
    """The family and the major version that the rules give to an agent; None where none matches."""
    found = _browsers().ua.extract(agent)
    return None if found is None else (found.family, found.major or "")


def find_system(agent: str) -> str | None:
    """The family of the operating system that the rules give to an agent; None where none matches."""
    found = _systems()(agent, Domain.OS).os
    return None if found is None else found.family


def make_columns(
    name: Name, *, others: Iterable[str], texts: Iterable[str], names: Iterable[str], most: int
) -> AgentColumns:
    """The rules for browsers, for the usual ones of many agents at once."""
    rules = map(attrgetter("regex", "family", "major"), load_lazy_builtins()[0])
    return AgentColumns(rules, name, others=others, texts=texts, names=names, most=most)


@cache
def _browsers() -> Resolver:
    """The rules for browsers alone: those for devices would take more time to read than all others together."""
    return Resolver((load_lazy_builtins()[0], [], []))


@cache
def _systems() -> Resolver:
    return Resolver(([], load_lazy_builtins()[1], []))
