"""Apache's format directives: what each writes, and the pieces of a line that a format string makes of them.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.parse.clock import SHAPES

_DIRECTIVE = re.compile(r"%(?:!?[0-9,]+)?[<>]?(?:\{([^}]*)\})?([a-zA-Z%])")
_CONFIGURED = re.compile(r'\\(["\\t])')

_TOKEN = rb"[^ ]++"
_CLIENT = rb"(?:[^ ,]++, )*+[^ ]++"  # a list, where a proxy's X-Forwarded-For stands for the client
_TEXT = rb'(?:[^"\\]++|\\.)*+'
_ADDRESS = rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3} |(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F:.]*+(?:%[^ ]*+)? "

# name in the format string -> raw column (None: nothing of it is ever kept), kind of shape
_DIRECTIVES: dict[str, tuple[str | None, str]] = {
    "h": ("client", "client"),
    "a": ("client", "client"),
    "{c}a": ("client", "client"),
    "l": (None, "ident"),
    "u": (None, "user"),
    "t": ("time", "time"),
    "r": ("request", "text"),
    "s": ("status", "status"),
    "b": ("bytes", "bytes"),
    "B": ("bytes", "bytes"),
    "v": ("host", "host"),
    "V": ("host", "host"),
    "p": (None, "port"),
    "{host}i": ("host", "header"),
    "{referer}i": ("referrer", "header"),
    "{user-agent}i": ("agent", "header"),
    "{}i": (None, "header"),
    "{}o": (None, "header"),
}

_PERSONAL = frozenset({"client", "ident", "user", "header", "text"})

_SHAPES = {
    "client": _CLIENT,
    "host": rb"\[[0-9a-fA-F:.%]++\]|[^ :,\[]++",
    "port": rb"[0-9]{1,5}|-",
    "status": rb"[0-9]{3}|-1?",
    "bytes": rb"[0-9]{1,15}|-",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line: the pattern of its value, between those of what surrounds it; matched whole, never tried again.

    `column`: where the value may go; None for a literal, and for a value of which nothing is ever kept. `kind`: the
    directive's, or "literal". `bare`: `-` may stand for the whole piece (a missing header written without quotes).
    `text`: what a literal says.
    """

    kind: str
    value: bytes
    column: str | None = None
    before: bytes = b""
    after: bytes = b""
    bare: bool = False
    text: bytes = b""

    @property
    def quoted(self) -> bool:
        """The value stands in quotes."""
        return self.before == b'"'

    def pattern(self, *, capture: bool = False) -> bytes:
        """The piece as a regular expression; with `capture` the value is its one group."""
        value = (b"(" if capture else b"(?:") + self.value + b")"
        return b"(?>" + self.before + value + self.after + (b"|-" if self.bare else b"") + b")"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive of a template: as it is written, the raw column that it gives, and whether it tells of a person."""

    text: str
    column: str | None
    personal: bool


@dataclass(frozen=True, slots=True)
class _Token:
    """A literal (`name` empty), or a directive and whether it stands in quotes."""

    text: str
    name: str = ""
    quoted: bool = False


def pieces(fmt: Format) -> tuple[Piece, ...]:
    """The pieces, in order, of a line of a template format."""
    tokens = _quoted(_tokens(fmt.template))
    optional = {tuple(_tokens(text)) for text in fmt.optional}
    found: list[Piece] = []
    index = 0
    while index < len(tokens):
        pair = tuple(tokens[index : index + 2])
        if pair in optional:
            inner = b"".join(_piece([token], fmt).pattern() for token in pair)
            found.append(Piece("optional", b"(?:" + inner + b")?"))
            index += 2
        else:
            found.append(_piece(tokens[index:], fmt))
            index += 1
    return tuple(found)


def directives_of(fmt: Format) -> tuple[Directive, ...]:
    """The directives of a template format, in order."""
    named = [(token.text, *_DIRECTIVES[token.name]) for token in _tokens(fmt.template) if token.name]
    return tuple(Directive(text, column, kind in _PERSONAL) for text, column, kind in named)


def _tokens(template: str) -> list[_Token]:
    text = _CONFIGURED.sub(lambda found: "\t" if found[1] == "t" else found[1], template)
    found: list[_Token] = []
    end = 0
    for directive in _DIRECTIVE.finditer(text):
        if directive.start() > end:
            found.append(_Token(text[end : directive.start()]))
        end = directive.end()
        found.append(_Token(directive[0], _name(directive)))
    return found + ([_Token(text[end:])] if end < len(text) else [])


def _name(directive: re.Match[str]) -> str:
    argument, letter = directive[1], directive[2]
    name = letter if argument is None else f"{{{argument.lower()}}}{letter}"
    if name not in _DIRECTIVES and argument is not None:
        name = f"{{}}{letter}"
    if name not in _DIRECTIVES:
        raise ConfigurationError(f"the directive {directive[0]} is not known", fix="Leave it out of the template")
    return name


def _quoted(tokens: Sequence[_Token]) -> list[_Token]:
    """The tokens with the quotes around a directive moved into it."""
    found = list(tokens)
    for index in range(1, len(found) - 1):
        before, token, after = found[index - 1 : index + 2]
        if token.name and not before.name and not after.name and before.text[-1:] == after.text[:1] == '"':
            found[index - 1] = replace(before, text=before.text[:-1])
            found[index] = replace(token, quoted=True)
            found[index + 1] = replace(after, text=after.text[1:])
    return [token for token in found if token.text]


def _piece(tokens: Sequence[_Token], fmt: Format) -> Piece:
    """The piece that the first of `tokens` writes; those behind it say where it ends."""
    token = tokens[0]
    if not token.name:
        text = token.text.encode()
        return Piece("literal", re.escape(text), text=text)
    column, kind = _DIRECTIVES[token.name]
    if kind == "time":
        return Piece(kind, SHAPES[fmt.time], column, rb"\[", rb"\]")
    if token.quoted:
        return Piece(kind, _TEXT, column, b'"', b'"', bare=kind == "header")
    return Piece(kind, _shape(kind, tokens, fmt), column)


def _shape(kind: str, tokens: Sequence[_Token], fmt: Format) -> bytes:
    """The pattern of an unquoted value.

    Three rules keep a virtual host in front of the line from being taken for the client, and a client for a virtual
    host, where a user name may hold spaces: a missing client has no ident; an ident is no address; no user name
    begins with "- ".
    """
    following = [_DIRECTIVES[token.name][1] if token.name else token.text for token in tokens[1:4]]
    if kind == "client" and following[:2] == [" ", "ident"]:
        return rb"(?!- (?!- ))" + _CLIENT
    if kind == "ident" and following[:2] == [" ", "user"]:
        return b"(?!" + _ADDRESS + b")" + _TOKEN
    if kind == "user" and following == [" ", "time", " "]:
        end = _piece(tokens[2:], fmt).pattern() + b" " + (b'"' if tokens[4:5] and tokens[4].quoted else b"")
        return b"(?!- (?!" + end + b"))" + _TOKEN + b"(?: (?!" + end + b")[^ ]*+)*+"
    return _SHAPES.get(kind, _TOKEN)
