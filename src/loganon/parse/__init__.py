"""Parsers: chunks of log lines as columns, one way for each dialect; they read no file and no clock."""

from __future__ import annotations

from datetime import tzinfo

from loganon.formats import Format
from loganon.parse.directives import Directive, directives_of
from loganon.parse.parsed import REASONS, Parsed, Parser, ParseState, Reject
from loganon.parse.template import TemplateParser

__all__ = ["REASONS", "Directive", "ParseState", "Parsed", "Parser", "Reject", "directives_of", "make_parser"]

_DIALECTS = {"template": TemplateParser}


def make_parser(fmt: Format, *, needs: frozenset[str], timezone: tzinfo | None = None, max_rejects: int = 0) -> Parser:
    """The parser of a format that gives the columns `needs`, as far as the format has them.

    `timezone` is for formats whose times have no offset. `max_rejects`: how many rejected lines of each chunk are
    described; all are counted.
    """
    return _DIALECTS[fmt.dialect](fmt, needs=needs, timezone=timezone, max_rejects=max_rejects)
