"""Parsers: chunks of log lines as columns, one way for each dialect; they read no file and no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import partial
from importlib import import_module

from loganon.addresses import Network
from loganon.formats import Format
from loganon.formats.columns import LISTS
from loganon.parse import directives
from loganon.parse.directives import Directive
from loganon.parse.forwarded import BehindProxies
from loganon.parse.parsed import REASONS, Parsed, Parser, ParseState, Reject
from loganon.parse.typed import JUDGED
from loganon.parse.wrappers import Unwrapped, whole_lines

__all__ = [
    "REASONS",
    "Directive",
    "ParseState",
    "Parsed",
    "Parser",
    "Reject",
    "directives_of",
    "make_parser",
    "whole_lines",
]

_DIALECTS = {
    "template": ("template", "TemplateParser"),
    "delimited": ("delimited", "DelimitedParser"),
    "jsonlines": ("jsonlines", "JsonLinesParser"),
}
"""The parser of each dialect: its module, which is loaded for the first log that has it, and its name there."""


def make_parser(
    fmt: Format,
    *,
    needs: frozenset[str],
    timezone: tzinfo | None = None,
    max_rejects: int = 0,
    wrapped: bool = True,
    fast: bool = True,
    trusted: Sequence[Network] = (),
) -> Parser:
    """The parser of a format that gives the columns `needs`, as far as the format has them.

    Lines that syslog or a container runtime has wrapped are read, too, unless `wrapped` is False.

    `timezone` is for formats whose times have no offset. `max_rejects`: how many rejected lines of each chunk are
    described; all are counted. Without `fast` a template's lines are read one by one: for few lines the sooner done.
    `trusted`: proxies whose forwarded addresses are believed, where the format has them beside the client.
    """
    needs = needs.union(LISTS) if trusted and "client" in needs else needs
    module, name = _DIALECTS[fmt.dialect]
    kind: Callable[..., Parser] = getattr(import_module(f"{__name__}.{module}"), name)
    if fmt.dialect == "template" and not fast:
        kind = partial(kind, fast=False)
    parser = kind(fmt, needs=needs, timezone=timezone, max_rejects=max_rejects)
    parser = Unwrapped(parser) if wrapped else parser
    return parser if (needs & parser.raw).isdisjoint(LISTS) else BehindProxies(parser, trusted)


def directives_of(fmt: Format) -> tuple[Directive, ...]:
    """What the format names, in order: a template's directives, or the columns or keys that are known."""
    if fmt.columns is None:
        return directives.directives_of(fmt)
    named = [Directive(", ".join(names), raw, raw not in JUDGED) for raw, names in fmt.columns.names]
    return (*named, Directive("all others", None, personal=False))
