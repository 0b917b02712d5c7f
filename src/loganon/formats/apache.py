"""Apache's format directives: what each writes.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats

Formats of other vendors are described with them, and with five of our own that only say where a value ends:
`%{name}skip` a value that is never read, `%{name}personal` one that tells of a person, `%{name}number` one of digits
(`-` and fractions too), `%{name}word` an identifier (letters, digits and `_.:=+/-`), `%{name}rest` all that may
follow; and with `%{iso}t`, `%{epoch}t`, `%{url}U`.
"""

from __future__ import annotations

import re

from loganon.errors import ConfigurationError
from loganon.formats.directive import LIST, Directive, Token

_DIRECTIVE = re.compile(
    r"%(?P<before>[!<>,0-9]*)(?:\{(?P<argument>[^}]*)\})?(?P<behind>[!<>,0-9]*)"
    r"(?P<letter>(?<=\})(?:skip|personal|number|word|rest)|\^(?:ti|to|ut|FB)|[a-zA-Z%])"
)
_CONFIGURED = re.compile(r'\\(["\\tn])')
_CONTROLS = {"t": "\t", "n": "\n"}

_SKIP = Directive(None, "token")
_PERSON = Directive(None, "token", personal=True)
_HEADER = Directive(None, "header", personal=True)
_PORT = Directive(None, "port")
_NUMBER = Directive(None, "number")

_DIRECTIVES = {
    "h": Directive("client", "client", personal=True),
    "{c}h": Directive("client", "client", personal=True),
    "a": Directive("client", "client", personal=True, rank=1),
    "{c}a": Directive("client", "client", personal=True, rank=2),
    "A": Directive(None, "client"),
    "l": Directive(None, "ident", personal=True),
    "u": Directive(None, "user", personal=True),
    "r": Directive("request", "request", personal=True),
    "{}r": Directive("request", "header", personal=True),  # of ours: `-` without quotes stands for a missing one
    "U": Directive("path", "path", personal=True),
    "{}U": Directive("path", "path", personal=True),
    "q": Directive(None, "query", personal=True),
    "f": Directive(None, "path", personal=True),
    "m": Directive("method", "token"),
    "s": Directive("status", "status", rank=1),
    ">s": Directive("status", "status"),
    "b": Directive("bytes", "bytes"),
    "B": Directive("bytes", "bytes"),
    "O": Directive("bytes", "bytes", rank=1),
    "S": Directive(None, "number"),
    "I": _NUMBER,
    "D": Directive("duration_us", "number"),
    "T": Directive("duration_s", "number"),
    "{s}T": Directive("duration_s", "number"),
    "{ms}T": Directive("duration_ms", "number"),
    "{us}T": Directive("duration_us", "number"),
    "{}T": _NUMBER,
    "^FB": _NUMBER,
    "k": _NUMBER,
    "v": Directive("host", "host"),
    "V": Directive("host", "host", rank=1),
    "{host}i": Directive("host", "header", rank=2),
    "p": _PORT,
    "{}p": _PORT,
    "P": _SKIP,
    "{}P": _SKIP,
    "X": _SKIP,
    "H": Directive("protocol", "token"),
    "R": _SKIP,
    "L": _SKIP,
    "{}L": _SKIP,
    "{referer}i": Directive("referrer", "header", personal=True),
    "{user-agent}i": Directive("agent", "agent", personal=True),
    "{cookie}i": Directive("cookie", "header", personal=True),
    "{dnt}i": Directive("dnt", "header", personal=True),
    "{sec-gpc}i": Directive("gpc", "header", personal=True),
    "{x-forwarded-for}i": Directive("client", "client", personal=True, rank=LIST),
    "{forwarded}i": Directive("client", "client", personal=True, rank=LIST),
    "{x-real-ip}i": Directive("client", "header", personal=True, rank=8),
    "{}i": _HEADER,
    "{}o": _HEADER,
    "{}C": _HEADER,
    "{}e": _HEADER,
    "{}n": _HEADER,
    "{}x": _HEADER,
    "{}^ti": _HEADER,
    "{}^to": _HEADER,
    "{}^ut": _HEADER,
    "{}skip": _SKIP,
    "{}personal": _PERSON,
    "{}number": _NUMBER,
    "{}word": Directive(None, "word", personal=True),
    "{}rest": Directive(None, "rest", personal=True),
}
_TIMES = {
    "sec": "epoch_s",
    "msec": "epoch_ms",
    "usec": "epoch_us",
    "msec_frac": "%3f",
    "usec_frac": "%6f",
    "iso": "iso",
    "epoch": "epoch_s",
    "%d/%b/%Y:%H:%M:%S %z": "clf",
    "%d/%b/%Y:%T %z": "clf",
}


def apache_directives(template: str) -> list[Token]:
    """The tokens of a LogFormat string; ConfigurationError names a directive that is not known."""
    found: list[Token] = []
    literal, end = "", 0
    for match in _DIRECTIVE.finditer(template):
        literal += _CONFIGURED.sub(_configured, template[end : match.start()])
        end = match.end()
        if match["letter"] == "%":
            literal += "%"
            continue
        found += [Token(literal)] if literal else []
        literal = ""
        found.append(_token(match))
    literal += _CONFIGURED.sub(_configured, template[end:])
    return found + ([Token(literal)] if literal else [])


def _configured(found: re.Match[str]) -> str:
    return _CONTROLS.get(found[1], found[1])


def _token(match: re.Match[str]) -> Token:
    argument, letter = match["argument"], match["letter"]
    if letter == "t":
        return _time(match[0], argument)
    final = ">" if ">" in match["before"] + match["behind"] and letter == "s" else ""
    names = [final + letter] if argument is None else [f"{{{argument.lower()}}}{letter}", f"{{}}{letter}"]
    for name in names:
        if name in _DIRECTIVES:
            return Token(match[0], _DIRECTIVES[name])
    raise ConfigurationError(f"the directive {match[0]} is not known", fix="Leave it out of the template")


def _time(text: str, argument: str | None) -> Token:
    if argument is None:
        return Token(text, Directive("time", "time", form="clf"), enclosed="[]")
    form = argument.removeprefix("begin:").removeprefix("end:")
    return Token(text, Directive("time", "time", form=_TIMES.get(form, form)))
