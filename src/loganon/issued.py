"""Spans of numbers that were issued to somebody: IBANs, telephone numbers, payment cards, hardware addresses.

Texts come decoded, as those of `shapes` do, and are as short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from loganon.shapes import Span

_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in str.split(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    )
}
_IBAN_START = re.compile(r"(?<![0-9])[A-Za-z]{2}[0-9]{2}")
_IBAN = re.compile(r"[A-Za-z]{2}[0-9]{2}(?:[ +._-]?[0-9A-Za-z]){11,30}")
_PHONE = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:tel:)?\+|tel:0?0?|00(?=[1-9][0-9]*[ .()-]))[1-9](?:[ .()-]{0,2}[0-9]){6,14}(?![0-9A-Za-z])",
    re.IGNORECASE,
)


def find_ibans(text: str) -> Iterator[Span]:
    """IBANs of a known country's length whose checksum holds (ISO 13616), in any case, also in groups."""
    for begin in _IBAN_START.finditer(text):
        wanted = _IBAN_LENGTHS.get(begin[0][:2].upper(), 0)
        found = _IBAN.match(text, begin.start()) if wanted else None
        if found is None:
            continue
        at, letters = found.start(), ""
        while at < found.end() and len(letters) < wanted:
            letters += text[at] if text[at].isalnum() else ""
            at += 1
        bounded = at == len(text) or not (text[at].isascii() and text[at].isalnum())
        if len(letters) == wanted and bounded and _checksum_holds(letters):
            yield found.start(), at


def _checksum_holds(iban: str) -> bool:
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def find_phones(text: str) -> Iterator[Span]:
    """International telephone numbers: a `+` (or `tel:`, or 00 and groups) and 7 to 15 digits, groups allowed."""
    return (found.span() for found in _PHONE.finditer(text))


_CARD = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][ +._-])(?:"
    r"(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}(?=[ +._-])|6011|6[245][0-9]{2}|35[2-8][0-9])"
    r"([ +._-]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
    r"|3[47][0-9]{2}([ +._-]?)[0-9]{6}\2[0-9]{5})(?![0-9A-Za-z])(?![ +._-][0-9])"
)
_HARDWARE = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4,}(?![0-9A-Za-z])")
_LETTER = re.compile(r"[A-Fa-f]")
_NO_CLASS = re.compile(r"(?<![0-9A-Fa-f])(?![0-9][A-Fa-f])[0-9A-Fa-f]{2}")

SUSPECT_CARD = r"[0-9]{15}|[ +._-][0-9]{4}[ +._-][0-9]{4}[ +._-]|[ +._-][0-9]{6}[ +._-][0-9]{5}"
SUSPECT_HARDWARE = "(?:[:-][0-9A-Fa-f]{2}){3}[:-]"  # nearer to the number costs Rust's engine six times as much


def find_cards(text: str) -> Iterator[Span]:
    """Numbers of payment cards of 15 or 16 digits, also in groups, whose check digit holds (ISO/IEC 7812).

    Those that begin with 22 to 27 only in groups: times of a log's or a camera's own begin so.
    """
    return (found.span() for found in _CARD.finditer(text) if _luhn_holds([int(c) for c in found[0] if c.isdigit()]))


def _luhn_holds(digits: list[int]) -> bool:
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def find_hardware(text: str) -> Iterator[Span]:
    """Hardware addresses of six pairs or more (IEEE 802) that hold a letter: without one it may be a time or a date.

    With `-` they hold a digit, too, and not only pairs such as `5a-5b-6a`, which are forms of a school.
    """
    for found in _HARDWARE.finditer(text):
        run = found[0]
        if not _LETTER.search(run):
            continue
        if found[1] == ":" or (any(map(str.isdigit, run)) and _NO_CLASS.search(run)):
            yield found.span()
