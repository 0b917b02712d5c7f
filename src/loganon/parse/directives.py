"""The pieces of a line that a template makes: the shape of each directive's value between those of its neighbours."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.formats.directive import Token
from loganon.formats.tokens import check_tokens, tokens_of
from loganon.parse.clock import time_shape

_MOST_HELD = 128  # formats: ours, and some of a configuration

_TOKEN = rb"[^ ]++"
_CLIENT = rb"(?>(?:[^ ,]++, )*)[^ ]++"  # a list, where a proxy's X-Forwarded-For stands for the client
_TEXT = rb'[^"\\]*+(?>(?:\\.[^"\\]*+)*)'
_RAW_TEXT = rb'[^"]*+'
_ADDRESS = rb'"?(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F:.]*+(?:%[^ ,"]*+)?)[ ,"]'
_NO_CLIENT = (
    rb"(?!(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[?(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F:.]*+(?:%[^ \]]*+)?\]?)"
    rb"(?::[0-9]{1,5})? - )"
)
"""No address, a port behind it or not, to which `- ` for an ident follows."""

_NO_USER = b" - "
"""What Jetty up to 8 writes for a missing user, with a blank before it and one behind."""

_STRICT = frozenset({"time", "status", "bytes"})
"""Kinds that keep their shape in quotes; all others are any text there."""

_SHAPES = {
    "client": _CLIENT,
    "port": rb"[0-9]{1,5}|-",
    "status": rb"[0-9]{3}|0|-1?",
    "bytes": rb"[0-9]{1,15}|-",
    "number": rb" *+[+-]?(?>(?:[0-9]++(?:\.[0-9]++)?)?)",
    "word": rb"[0-9A-Za-z_.:=+/-]*+",
    "upstream": rb"[^ ,]*+(?>(?:(?:, | : )[^ ,]++)*)",
    "value": rb"[^ ]*+",
    "query": rb"[^ ]*+",
    "rest": rb"(?: .*+)?",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line: the pattern of its value, between those of what surrounds it; matched whole, never tried again.

    `column`: where the value may go; None for a literal, and for a value of which nothing is ever kept. `kind`: the
    directive's, "literal", or "optional": `parts` that may be missing together. `bare`: `-` may stand for the whole
    piece (a missing header written without quotes). `text`: what a literal says. `form`: a time's written form.
    """

    kind: str
    value: bytes
    column: str | None = None
    before: bytes = b""
    after: bytes = b""
    bare: bool = False
    text: bytes = b""
    form: str = ""
    parts: tuple[Piece, ...] = ()
    ahead: bytes = b""

    @property
    def quoted(self) -> bool:
        """The value is any text, in quotes."""
        return self.before == b'"' and self.kind not in _STRICT

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the piece and of its parts, in order."""
        return ((self.column,) if self.column else ()) + tuple(c for part in self.parts for c in part.columns)

    def pattern(self, capture: Container[str] = ()) -> bytes:
        """The piece as a regular expression, with a group for each of its columns that is in `capture`."""
        if self.parts:
            inner = b"".join(part.pattern(capture) for part in self.parts)
            return b"(?>(?:" + inner + (b"(?=" + self.ahead + b")" if self.ahead else b"") + b")?)"
        value = (b"(" if self.column in capture else b"(?:") + self.value + b")"
        return b"(?>" + self.before + value + self.after + (b"|-" if self.bare else b"") + b")"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive of a template: as it is written, the raw column that it gives, and whether it tells of a person."""

    text: str
    column: str | None
    personal: bool


@lru_cache(_MOST_HELD)
def pieces(fmt: Format) -> tuple[Piece, ...]:
    """The pieces, in order, of a line of a template format; held, since each log is held against many formats."""
    groups = _groups(fmt)
    tokens = [token for _, group in groups for token in group]
    check_tokens(tokens)
    if not any(t.directive and t.directive.column == "time" for t in tokens):
        raise ConfigurationError(
            f"the format {fmt.name} has no time", where="--format", fix="Add one to the server's log format"
        )
    found: list[Piece] = []
    at = 0
    for index, (optional, group) in enumerate(groups):
        inner = tuple(_piece(tokens[at + i :], fmt) for i in range(len(group)))
        at += len(group)
        if optional:
            value = b"(?:" + b"".join(part.pattern() for part in inner) + b")?"
            follows = groups[index + 1][1] if index + 1 < len(groups) and not groups[index + 1][0] else ()
            found.append(Piece("optional", value, parts=inner, ahead=_ahead(follows, tokens[at:], fmt)))
        else:
            found += inner
    return tuple(found)


def directives_of(fmt: Format) -> tuple[Directive, ...]:
    """The directives of a template format, in order."""
    tokens = [(token, token.directive) for _, group in _groups(fmt) for token in group]
    return tuple(Directive(t.text, d.column, d.personal) for t, d in tokens if d is not None)


def _groups(fmt: Format) -> list[tuple[bool, list[Token]]]:
    """The tokens, cut at the parts of the template that may be missing (True)."""
    marks, at = [], 0
    for text in fmt.optional:
        start = fmt.template.find(text, at)
        at = start + len(text)
        marks += [start, at]
    # the marks stand for themselves in the template while it is read, so that a directive knows its enclosure
    borders = [0, *marks, len(fmt.template)]
    texts = [fmt.template[a:b] for a, b in pairwise(borders)]
    every = tokens_of(fmt.template, fmt.syntax)
    if not marks:
        return [(False, every)]
    best = {t.text: t.directive.column for t in every if t.directive and t.directive.column}
    groups = [(bool(i % 2), _only(tokens_of(text, fmt.syntax), best)) for i, text in enumerate(texts)]
    return [(optional, group) for optional, group in groups if group]


def _only(tokens: list[Token], columns: Mapping[str, str]) -> list[Token]:
    """The tokens, each with the column that it gives in the whole template."""
    return [t.with_column(columns.get(t.text)) if t.directive and t.directive.column else t for t in tokens]


def _ahead(group: Sequence[Token], tokens: Sequence[Token], fmt: Format) -> bytes:
    """What must stand behind an optional part for it to be taken: the next value, and how it ends."""
    pattern = b""
    for index, token in enumerate(group[:3]):
        if token.quoted:
            return pattern + b'"'
        pattern += _piece(tokens[index:], fmt).pattern()
    return pattern


def _piece(tokens: Sequence[Token], fmt: Format) -> Piece:
    """The piece that the first of `tokens` writes; those behind it say where it ends."""
    token = tokens[0]
    directive = token.directive
    if directive is None:
        text = token.text.encode()
        return Piece("literal", re.escape(text), text=text)
    kind, column = directive.kind, directive.column
    before, after = (re.escape(mark.encode()) for mark in (token.enclosed[:1], token.enclosed[1:]))
    if kind == "time":
        return Piece(kind, time_shape(directive.form), column, before, after, form=directive.form)
    if token.quoted and kind not in _STRICT:
        text = _RAW_TEXT if fmt.escape == "none" else _TEXT
        return Piece(kind, text, column, before, after, bare=kind in ("header", "agent"))
    return Piece(kind, _shape(kind, tokens, fmt), column, before, after)


def _shape(kind: str, tokens: Sequence[Token], fmt: Format) -> bytes:
    """The pattern of a value without quotes: it ends where the literal behind it begins.

    Four rules keep what stands in front of the line, as a virtual host, from being taken for the client, and a client
    for a virtual host, where a user name may hold spaces: a missing client has no ident; an ident is no address, nor a
    list of them, in quotes or not; no user name begins with "- ", or holds an address with a "- " behind it.
    """
    following = [token.directive.kind if token.directive else token.text for token in tokens[1:4]]
    if kind == "client" and following[:2] == [" ", "ident"]:
        return rb"(?!- (?!- ))" + _CLIENT
    if kind == "ident" and following[:2] == [" ", "user"]:
        return b"(?!" + _ADDRESS + b")" + _TOKEN
    if kind == "user" and following == [" ", "time", " "]:
        end = _piece(tokens[2:], fmt).pattern() + b" " + (b'"' if tokens[4:5] and tokens[4].quoted else b"")
        words = b"(?!- (?!" + end + b"))" + _NO_CLIENT + _TOKEN + b"(?>(?: (?!" + end + b")" + _NO_CLIENT + b"[^ ]*+)*)"
        return b"(?:" + _NO_USER + b"|" + words + b")"
    behind = tokens[1].text if len(tokens) > 1 and not tokens[1].directive else ""
    if kind in _STRICT or kind in ("host", "port", "number", "word", "rest"):
        return _host(behind[:1]) if kind == "host" else _SHAPES[kind]
    if behind.startswith(" ") or (not behind and kind in ("client", "token", "ident", "user")):
        return _SHAPES.get(kind, _TOKEN)
    return _up_to(behind.encode(), kind, fmt)


def _host(end: str) -> bytes:
    """A host's name, or its address in brackets; it ends before the mark that stands behind it, if names have none."""
    mark = b"" if not end or end.isalnum() or end in "-._" else re.escape(end.encode())
    return rb"\[[0-9a-fA-F:.%]++\]|[^ :,\[" + mark + rb"]++"


def _up_to(literal: bytes, kind: str, fmt: Format) -> bytes:
    """All up to the first `literal`; the client only up to one that a port follows, where that is what follows."""
    if not literal:
        return b".*+"
    stop = re.escape(literal) + (rb"(?:[0-9]{1,5}|-)(?: |\Z)" if kind == "client" and literal == b":" else b"")
    blank = b" " if kind in ("client", "token", "ident", "user") and literal[:1] not in b"]})>|;\"'" else b""
    plain = b"[^" + blank + (b"" if fmt.escape == "none" else rb"\\") + b"]"
    escaped = b"" if fmt.escape == "none" else rb"\\.|"
    plain = b"." if plain == b"[^]" else plain
    return b"(?>(?:" + escaped + b"(?!" + stop + b")" + plain + b")*)"
