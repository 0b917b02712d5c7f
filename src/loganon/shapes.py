"""Spans of what identifies a person in a text: addresses, e-mails, UUIDs, tokens.

Treatments and the gate share these shapes. Everything is judged percent-decoded, as often as it changes, and with what
lookalikes of ASCII characters stand for. Two ways, one answer: `SUSPECT_*` and `decode_series` work on whole columns
with Rust expressions, in linear time on any length, and may say yes too often; the `find_*` functions are exact, and
see only the few texts that are left, which their callers hold short.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from loganon.lookalikes import folded, lookalikes
from loganon.masks import put, sure

Span: TypeAlias = tuple[int, int]

LONGEST_EXACT = 4096
"""Characters of the longest text that the exact functions are used on; above, a suspect counts as a hit."""

_HEX = frozenset("0123456789abcdefABCDEF")
_SURROGATES = range(0xD800, 0xE000)  # of `%uD83D%uDE00`: by themselves no characters


# --- percent-encoding -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text decoded until it no longer changes, lookalikes folded; `starts[i]`: where character i begins as sent."""

    text: str = field(repr=False)
    starts: tuple[int, ...]

    def sent(self, span: Span) -> Span:
        """The same run in the text as sent."""
        return self.starts[span[0]], self.starts[span[1]]


def decode(sent: str) -> Decoded:
    r"""`sent`, decoded until stable, in one pass: a decoded character may itself begin or end the next escape.

    Escapes are `%HH`, and as IIS and scripts write them `%uHHHH`, `\uHHHH`, `\xHH`. None can overlap another, so that
    the order does not matter, and one stack does what repeated passes would do in quadratic time. Bytes above 127
    become the character of that number: no shape needs them as text, and lookalikes are known by their bytes, too.
    """
    text: list[str] = []
    starts: list[int] = []
    for at, character in enumerate(sent):
        text.append(character)
        starts.append(at)
        while text[-1] in _HEX and (length := _escape_at_end(text)):
            number = int("".join(text[-2 if length < 6 else -4 :]), 16)
            text[-length:] = ["\ufffd" if number in _SURROGATES else chr(number)]
            del starts[1 - length :]
    plain, starts = folded("".join(text), starts)
    return Decoded(plain, (*starts, len(sent)))


def decode_times(sent: str, times: int) -> Decoded:
    """`sent` with its `%HH` undone so often, and nothing else: what a reader sees who decodes that often."""
    text, starts = sent, list(range(len(sent)))
    for _ in range(times):
        kept = list(_USUAL_ESCAPE.finditer(text))
        for found in reversed(kept):
            text = f"{text[: found.start()]}{chr(int(found[1], 16))}{text[found.end() :]}"
            del starts[found.start() + 1 : found.end()]
    return Decoded(text, (*starts, len(sent)))


def _escape_at_end(text: list[str]) -> int:
    """The length of the escape that a text of hexadecimal digits at its end ends with; 0 where it ends with none."""
    if len(text) < 3 or text[-2] not in _HEX:
        return 0
    if text[-3] == "%":
        return 3
    if text[-3] == "x":
        return 4 if text[-4:-3] == ["\\"] else 0
    wide = len(text) > 5 and text[-3] in _HEX and text[-4] in _HEX
    return 6 if wide and text[-6] + text[-5] in _WIDE else 0


_WIDE = ("%u", "%U", "\\u")
_ESCAPES, _CHARACTERS = [f"%{number:02x}" for number in range(256)], [chr(number) for number in range(256)]
_PASSES = 8  # in columns; what is encoded more often goes the exact way
STAGES = 3  # as a text was sent, decoded once, twice
_USUAL = "%[0-9A-Fa-f]{2}"
_USUAL_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNUSUAL = r"(?:%[uU]|\\u)[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
ENCODED = rf"{_USUAL}|{_UNUSUAL}|[^\x00-\x7f]"
"""What a text has that is another one when it is decoded: an escape, or a character that may be a lookalike."""


def stages(values: pl.Series) -> Iterator[pl.Series]:
    """What the values become: `%HH` undone once, twice, all decoded until stable; nothing where they stay as they are.

    `%91.44.26.11` is an address to whoever reads it, while decoding takes the first number for an escape.
    """
    decoded = values
    for _ in range(STAGES - 1):
        before, decoded = decoded, _once(decoded)
        if decoded is before:
            break
        yield decoded
    stable = decode_series(decoded)
    if stable is not decoded:
        yield stable


def _once(values: pl.Series) -> pl.Series:
    mask = sure(values.str.contains(_USUAL))
    if not mask.any():
        return values
    changed = values.filter(mask).str.replace_many(_ESCAPES, _CHARACTERS, ascii_case_insensitive=True)
    return put(values, mask, changed)


def decode_series(values: pl.Series) -> pl.Series:
    """The values, decoded until stable, lookalikes folded (String, same length); nulls stay."""
    decoded = values
    for _ in range(_PASSES):
        before, decoded = decoded, _once(decoded)
        if decoded is before:
            break
    mask = sure(decoded.str.contains(ENCODED))
    if not mask.any():
        return decoded
    left = decoded.filter(mask)
    exact = left.str.contains(f"{_USUAL}|{_UNUSUAL}|{lookalikes()}")
    if not exact.any():
        return decoded
    rest = pl.Series([decode(text).text for text in left.filter(exact)], dtype=pl.String)
    return put(decoded, mask, put(left, exact, rest))


# --- addresses ------------------------------------------------------------------------------------------------------

_OCTET = r"(?:0[xX][0-9A-Fa-f]{1,2}|[0-9]{1,5})"
_V4 = re.compile(
    rf"(?<![0-9])(?<![0-9]\.)(?<![vV])({_OCTET})\.({_OCTET})\.({_OCTET})\.({_OCTET})(?![0-9])(?!\.[0-9]+(?![0-9A-Za-z]))"
)
_G = r"[0-9A-Fa-f]{1,4}"
_QUAD = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_GROUPS = (
    rf"(?:(?:{_G}:){{6}}{_QUAD}|(?:{_G}(?::{_G}){{0,5}})?::(?:{_G}:){{0,5}}{_QUAD}"
    rf"|(?:{_G}:){{7}}{_G}|(?:{_G}(?::{_G}){{0,6}})?::{_G}(?::{_G}){{0,6}}|{_G}(?::{_G}){{0,6}}::)"
)
_V6 = re.compile(
    rf"(?:(?<![0-9A-Za-z]){_GROUPS}(?![0-9A-Za-z])"
    r"|(?<![0-9])(?=(?:[23][0-9A-Fa-f]{3}|[fF][A-Fa-f][0-9A-Fa-f]{2}):[0-9A-Fa-f:]{0,36}[0-9])"
    rf"(?:{_GROUPS}(?![0-9A-Fa-f])|(?:{_G}:){{7}}{_G}))(?:%[0-9A-Za-z]{{1,15}})?"
)


def is_octet(text: str) -> bool:
    """Whether a number names one of 256: decimal (zeros before it allowed), octal after a zero, or hexadecimal."""
    if text[:2] in {"0x", "0X"}:
        return True
    octal = text.startswith("0") and not set(text) & set("89") and int(text, 8) <= 255
    return octal or int(text) <= 255


def find_ipv4(text: str) -> Iterator[Span]:
    """Dotted quads bounded by non-digits; not after a `v` (a version), nor within a longer dotted number."""
    return (found.span() for found in _V4.finditer(text) if all(map(is_octet, found.groups())))


def find_ipv6(text: str) -> Iterator[Span]:
    """IPv6 addresses with their zone, also with a dotted quad at their end; a time of day is none.

    Letters may stand around those that begin as global or local addresses do and go on with a digit (`x2003::1y`), not
    around others (`a::b`, `foo2000::bar`).
    """
    return (found.span() for found in _V6.finditer(text)) if text.count(":") > 1 else iter(())


# --- e-mail ---------------------------------------------------------------------------------------------------------

# Letters, digits and all that is no ASCII, said by what they are not: so they compile in a fortieth of the time.
_LETTER, _PLAIN, _JOINED = r"[^\x00-@\[-`{-\x7f]", r"[^\x00-/:-@\[-`{-\x7f]", r"[^\x00-,./:-@\[-`{-\x7f]"
_LABEL = r"[^\x00-/:-@\[-^`{-\x7f][^\x00-,./:-@\[-^`{-\x7f]*"  # with an underscore
_MAIL_HOST = re.compile(
    rf"(?:{_LABEL}\.)+{_LETTER}{_JOINED}*{_PLAIN}"
    rf"|\[[0-9A-Za-z:.]+\]|{_QUAD}(?![0-9])"
)
_NOT_LOCAL = frozenset('/\\@,<>()[]";{} \t\r\n')
_ASSET = "js|mjs|ts|css|map|json|wasm|png|jpe?g|gif|webp|avif|svg|ico|html?|mp4|webm|woff2?|ttf|po|xml|pdf|txt|rss"
_NUMBERED = "com|net|org|info|biz|cn|hk|tw"  # under which providers of mail have numbers for names: 163.com
_NO_MAIL_HOST = re.compile(
    rf"(?:[^.]+|[0-9.]+x(?:-[0-9A-Za-z]+)*(?:\.[0-9A-Za-z.]+)?|v?[0-9]+\.[0-9]+(?:[.-].*)?|[0-9]+\.(?!(?:{_NUMBERED})\.)[a-z]+)\.(?:{_ASSET})",
    re.IGNORECASE,
)


def find_emails(text: str) -> Iterator[Span]:
    """E-mail addresses whose domain has a dot, or is an address; `logo@2x.png` and `vue@3.4.1.min.js` are none."""
    end = 0
    at = text.find("@")
    while at >= 0:
        host = _MAIL_HOST.match(text, at + 1)
        start = _local_start(text, at, end)
        if host and start < at and not _NO_MAIL_HOST.fullmatch(host[0]):
            end = host.end()
            yield start, end
        at = text.find("@", at + 1)


def _local_start(text: str, at: int, floor: int) -> int:
    if text[at - 1 : at] == '"':
        quote = text.rfind('"', floor, at - 1)
        return at if quote < 0 or "/" in text[quote:at] else quote
    start = begin = _comments_start(text, at, floor)
    while start > floor and text[start - 1] not in _NOT_LOCAL:
        start -= 1
    return start if start < begin or text[begin : begin + 1] == "(" else at


def _comments_start(text: str, at: int, floor: int) -> int:
    """Where comments in brackets (RFC 5322), or a second `@`, before an `@` begin."""
    start = at
    while text[start - 1 : start] == "@" and start > floor:
        start -= 1
    while text[start - 1 : start] == ")" and start > floor:
        opened = text.rfind("(", floor, start)
        if opened < 0 or "/" in text[opened:start]:
            break
        start = opened
    return start


# --- identifiers ----------------------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9A-Fa-f]{8}([-_])[0-9A-Fa-f]{4}\1[0-9A-Fa-f]{4}\1[0-9A-Fa-f]{4}\1[0-9A-Fa-f]{12}")
_PART = r"[0-9A-Za-z_-]"
_JWT = re.compile(  # the base64url of `{"`, `{ "`, a brace and a new line; after a letter only the usual first keys
    r"(?:(?<![0-9A-Za-z])(?:ey[JA]|ew(?:o[gJi]|0K))|eyJ(?:hbGci|0eXAi|raWQi|lbmMi|jdHki|4NX))"
    rf"{_PART}{{6,}}+(?:(?:\.{_PART}*+){{4}}|(?:\.{_PART}*+){{2}}|\.ey[JA]{_PART}*+)"
)
_RUN = re.compile(r"[0-9A-Za-z]{20,}")
_HEX_RUN = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{20,}")
_BASE64 = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+-")
_BASE64_AFTER = re.compile(r"[0-9A-Za-z_+-]*={0,2}")
_WORDS_BEFORE = re.compile(r"(?:[A-Za-z]?[a-z]{2,}[-_+]+)+")
_WORDS_AFTER = re.compile(r"(?:[-_+]+[A-Za-z]?[a-z]{2,})+\Z")


def find_uuids(text: str) -> Iterator[Span]:
    """UUIDs of any version, in any case, also with `_` for `-`."""
    return (found.span() for found in _UUID.finditer(text))


def find_tokens(text: str) -> Iterator[Span]:
    """JWTs; runs of 20 or more characters that are hex with digit and letter, or hold lower, upper and digit.

    The latter are taken with the base64url run that they stand in.
    """
    end = 0
    for found in _JWT.finditer(text):
        end = found.end()
        yield found.span()
    for found in _RUN.finditer(text):
        run, start = found[0], found.start()
        if start < end or not (any(map(str.isdigit, run)) and any(map(str.isalpha, run))):
            continue
        if _HEX_RUN.fullmatch(run):
            end = found.end()
            yield start, end
        elif run.upper() != run and run.lower() != run:
            span = _base64(text, start, found.end(), end)
            end = span[1]
            yield span


_ENCODED = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{8,}(?![0-9A-Za-z])={0,2}")
SUSPECT_ENCODED = (  # a run of digits, dots, colons and `a` to `f`; or one with an `@`, which has three ways to stand
    r"(?:^|[^0-9A-Za-z])(?:(?:[LMNOQRYZ][0-9A-Za-z]{3}){2}[LMNOQRYZ][0-9A-Za-z]"
    r"|(?:[0-9A-Za-z]{4})*(?:Q[D-H]|[0-9A-Za-z](?:[EUk0][AB]|[0-9A-Za-z][159BFJNRVZdhlptx]A)))"
)


def find_encoded(text: str) -> Iterator[Span]:
    """Addresses and e-mails in base64, which of such text has no other characters than letters and digits."""
    for found in _ENCODED.finditer(text):
        run = found[0].rstrip("=")
        try:
            meant = b64decode(run + "=" * (-len(run) % 4)).decode("ascii")
        except ValueError:
            continue
        if holds_personal(meant):
            yield found.span()


def _base64(text: str, start: int, end: int, floor: int) -> Span:
    """The base64url run around a random piece, without the plain words at its ends (`main-`, `-min`)."""
    first = start
    while first > floor and text[first - 1] in _BASE64:
        first -= 1
    words = _WORDS_BEFORE.match(text, first, start)
    start = words.end() if words else first
    after = _BASE64_AFTER.match(text, end)
    if after and after[0]:
        words = _WORDS_AFTER.search(text, end, after.end())
        end = words.start() if words else after.end()
    return start, end


# --- the gate's question --------------------------------------------------------------------------------------------

SUSPECT_IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.(?:0[xX])?[0-9A-Fa-f]"
SUSPECT_IPV6 = r"::|(?:[0-9A-Fa-f]{1,4}:){6}"
SUSPECT_EMAIL = r"@[^/@\\]*\.|@\["
_SUSPECT = f"{SUSPECT_IPV4}|{SUSPECT_IPV6}|{SUSPECT_EMAIL}"
_SIGN = r"[^\x00-$&-9;-?A-\[\]-\x7f]|\.[0-9]"
"""Before it is decoded: `%`, `:`, `@`, a backslash, what is no ASCII, a digit behind a dot. It is a part of all that is
encoded and of each shape, found in half the time of all of them."""


def holds_personal(text: str) -> bool:
    """Whether a decoded text of bounded length holds an IPv4, IPv6 or e-mail shape."""
    return any(True for find in (find_ipv4, find_ipv6, find_emails) for _ in find(text))


def personal(values: pl.Series) -> pl.Series:
    """Which values (String) hold an IPv4, IPv6 or e-mail shape in one of their `stages` (Boolean, no nulls).

    A value too long for the exact functions counts as soon as it is suspect.
    """
    mask = sure(values.str.contains(_SIGN))
    if not mask.any():
        return mask
    before = values.filter(mask)
    held = _held(before)
    for stage in stages(before):
        other = sure(stage != before)
        held = put(held, other, held.filter(other) | _held(stage.filter(other)))
        before = stage
    return put(mask, mask, held)


def _held(texts: pl.Series) -> pl.Series:
    """Which texts hold such a shape as they stand."""
    suspect = sure(texts.str.contains(_SUSPECT))
    exact = [len(text) > LONGEST_EXACT or holds_personal(text) for text in texts.filter(suspect)]
    return put(suspect, suspect, pl.Series(exact, dtype=pl.Boolean))
