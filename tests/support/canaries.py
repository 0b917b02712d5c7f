"""Canaries: unique addresses, e-mails and tokens in every spelling, and log lines with one in any position.

Lines are built from the examples of a format's own file, so that a new format is covered without a word here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from leaks import spellings
from loganon.formats import Format

MIB = 1 << 20
PLAIN_LINES = 20


@dataclass(frozen=True, slots=True)
class Canary:
    """What goes into a line, and what must then be found nowhere."""

    text: str
    needles: frozenset[bytes]


def _digits(number: int) -> str:
    return hashlib.sha256(b"canary %d" % number).hexdigest()


def _v4(number: int) -> IPv4Address:
    return IPv4Address((37 << 24) | (number * 0x9E3779B1 + 0x5B2C1A) & 0xFFFFFF)  # the factor is odd: all differ


def _v6(number: int) -> IPv6Address:
    return IPv6Address((0x2003_00AB << 96) | int(_digits(number)[:16], 16))


def _word(number: int) -> str:
    return "q" + _digits(number)[:11]


def _jwt(number: int) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    body, sign = b'{"sub":"%s"}' % _word(number).encode(), bytes.fromhex(_digits(number))
    return ".".join((part(b'{"alg":"HS256"}'), part(body), part(sign)))


def _random(number: int) -> str:
    return "Ab1" + base64.b64encode(bytes.fromhex(_digits(number))).decode().replace("+", "x").replace("/", "y")[:24]


_V4: dict[str, Callable[[IPv4Address], str]] = {
    "dotted": str,
    "padded": lambda a: ".".join(f"{byte:03}" for byte in a.packed),
    "hex": lambda a: f"0x{int(a):08x}",
    "HEX": lambda a: f"0X{int(a):08X}",
    "hex parts": lambda a: ".".join(f"0x{byte:02x}" for byte in a.packed),
    "octal parts": lambda a: ".".join(f"0{byte:03o}" for byte in a.packed),
    "number": lambda a: str(int(a)),
    "octal": lambda a: f"0{int(a):o}",
    "mapped": lambda a: f"::ffff:{a}",
    "mapped hex": lambda a: f"::ffff:{int(a) >> 16:x}:{int(a) & 0xFFFF:x}",
    "MAPPED": lambda a: f"0:0:0:0:0:FFFF:{int(a) >> 16:X}:{int(a) & 0xFFFF:X}",
    "compatible": lambda a: f"::{a}",
    "6to4": lambda a: f"2002:{int(a) >> 16:x}:{int(a) & 0xFFFF:x}::1",
    "nat64": lambda a: f"64:ff9b::{int(a) >> 16:x}:{int(a) & 0xFFFF:x}",
    "teredo": lambda a: f"2001:0:4136:e378:8000:63bf:{~int(a) >> 16 & 0xFFFF:x}:{~int(a) & 0xFFFF:x}",
    "bracketed": lambda a: f"[::ffff:{a}]:443",
    "port": lambda a: f"{a}:52100",
    "trailing": lambda a: f"{a}%20",
    "escaped": lambda a: str(a).replace(".", "%2E"),
    "twice": lambda a: str(a).replace(".", "%252e"),
    "zone": lambda a: f"{a}%eth0",
    "list": lambda a: f"{a},10.0.0.1",
    "dashes": lambda a: str(a).replace(".", "-"),
    "name": lambda a: f"p{int(a):08X}.dip0.t-ipconnect.de",
    "name with dashes": lambda a: f"ec2-{str(a).replace('.', '-')}.eu-central-1.compute.amazonaws.com",
    "reverse": lambda a: f"{a.reverse_pointer}",
}
_V6: dict[str, Callable[[IPv6Address], str]] = {
    "six": str,
    "six full": lambda a: a.exploded,
    "SIX": lambda a: str(a).upper(),
    "six zone": lambda a: f"{a}%eth0",
    "six bracketed": lambda a: f"[{a}]:443",
    "six port": lambda a: f"{a.exploded}:52100",
    "six escaped": lambda a: str(a).replace(":", "%3A"),
    "six twice": lambda a: str(a).replace(":", "%253a"),
    "six name": lambda a: f"p{a.exploded.replace(':', '')}.dip0.t-ipconnect.de",
}
_OTHER: dict[str, Callable[[int], tuple[str, tuple[str, ...]]]] = {
    "e-mail": lambda n: (f"jane.{_word(n)}@example.org", (f"jane.{_word(n)}",)),
    "e-mail escaped": lambda n: (f"jane.{_word(n)}%40example.org", (f"jane.{_word(n)}",)),
    "e-mail twice": lambda n: (f"jane.{_word(n)}%2540example%252Eco.uk", (f"jane.{_word(n)}",)),
    "E-MAIL": lambda n: (f"JANE+{_word(n)}@EXAMPLE.ORG", (f"JANE+{_word(n)}", f"jane+{_word(n)}")),
    "uuid": lambda n: (str(uuid.UUID(_digits(n)[:32])), (_digits(n)[20:32],)),
    "token hex": lambda n: ("f0" + _digits(n)[:30], (_digits(n)[:30],)),
    "TOKEN": lambda n: ("F0" + _digits(n)[:38].upper(), (_digits(n)[:38].upper(),)),
    "token mixed": lambda n: (_random(n), (_random(n)[3:],)),
    "jwt": lambda n: (_jwt(n), tuple(_jwt(n).split(".")[1:])),
}
SPELLINGS = (*_V4, *_V6, *_OTHER)
ALONE = frozenset({"number", "octal", "trailing", "six name", "list"})
"""Spellings that are one within a path only where they are all of a segment (PRIVACY.md, section 2)."""


def canary(spelling: str, number: int) -> Canary:
    """The canary of that number, so spelled; raw and percent-encoded it is to be found nowhere."""
    if spelling in _V4:
        text, more = _V4[spelling](_v4(number)), spellings(_v4(number))
    elif spelling in _V6:
        text, more = _V6[spelling](_v6(number)), spellings(_v6(number))
    else:
        text, parts = _OTHER[spelling](number)
        more = {part.encode() for part in parts}
    return Canary(text, frozenset({text.encode(), quote(text, safe="").encode(), _escaped(text), *more}))


def _escaped(text: str) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in text.encode())


# --- lines ----------------------------------------------------------------------------------------------------------

WAYS = ("{}", "/x/{}/y", "/x?q={}", "https://u:{}@host/x", "Mozilla/5.0 (X11; {}) Firefox/120.0", "{} ")
_TOKEN = re.compile(r"""[^\s"'\[\]{},]+""")
_IN_PATH = ("request", "path", "url", "uri")
_TARGETS = ("/x/{}/y", "/x?q={}", "https://u:{}@host/x", "/{}", "/x;s={}")


def accepted(fmt: Format) -> list[str]:
    """The example lines that the format accepts."""
    return [example.line for example in fmt.examples if example.reject is None]


def plant(fmt: Format, spelling: str, number: int, place: int, way: int) -> tuple[str, Canary]:
    """A line of the format with one of its words replaced by a canary, which may spoil the line."""
    found = canary(spelling, number)
    examples = [example for example in fmt.examples if example.reject is None]
    example = examples[place % len(examples)]
    words = list(_TOKEN.finditer(example.line))
    word = words[place // len(examples) % len(words)]
    begins, ends = _request(example.line, dict(example.fields))
    if begins <= word.start() < ends:
        if "/" in word[0] and not word[0].startswith("HTTP"):
            text = _TARGETS[way % len(_TARGETS)].format(found.text)
        elif spelling in ALONE or spelling in {"hex", "HEX", "dashes"}:
            text = word[0]  # a number between the words of a request line is no shape of a path
        else:
            text = found.text
    elif word[0].isdigit() and spelling in {"number", "octal"}:
        text = word[0]  # a number for a number of bytes is that number of bytes
    else:
        text = WAYS[way % len(WAYS)].format(found.text)
    return example.line[: word.start()] + text + example.line[word.end() :], found


def _request(line: str, fields: dict[str, str | int]) -> tuple[int, int]:
    """Where the request or the path stands in the line; the whole line where that cannot be told."""
    for name in _IN_PATH:
        text = fields.get(name)
        if isinstance(text, str) and text not in {"", "-"}:
            at = line.find(text)
            return (at, at + len(text)) if at >= 0 else (0, len(line))
    return 0, 0


def planted(fmt: Format, choices: Sequence[tuple[int, int, int]], *, first: int) -> tuple[bytes, set[bytes]]:
    """A log of the format and its needles: plain lines, one for each choice (spelling, place, way), hostile ones."""
    plain = accepted(fmt)
    lines = [plain[at % len(plain)].encode() for at in range(PLAIN_LINES)]
    needles: set[bytes] = set()
    for at, (spelling, place, way) in enumerate(choices):
        text, found = plant(fmt, SPELLINGS[spelling % len(SPELLINGS)], first + at, place, way)
        lines.append(text.encode())
        needles |= found.needles
    last = first + len(choices)
    for at, name in enumerate(("dotted", "six", "e-mail", "jwt", "token hex", "number", "name")):
        found = canary(name, last + at)
        needles |= found.needles
        here, line = found.text.encode(), plain[0].encode()
        lines += [
            here,
            here + b" " + line,
            line + b" " + here,
            line[: len(line) // 2] + here,
            b"\x00" + here,
            here + b"\r" + line,
            b'"' + here,
            b'{"client":"' + here,
            b"\xff\xfe" + here + line,
        ]
    here = canary("dotted", last + 8)
    needles |= here.needles
    lines.append(here.text.encode() + b"A" * MIB + here.text.encode())
    return b"\n".join(lines) + b"\n", needles
