"""Paths with what identifies a person replaced by the name of what it is (`{email}`), and nothing else changed.

Columns are searched with Rust expressions; only the distinct paths that hold something suspect are looked at one by
one. A run's own form tells (e-mail, UUID, host, address, IBAN, telephone number, token), or its place (id, user).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import reduce
from operator import or_
from typing import TypeAlias

import polars as pl

from loganon import issued, shapes
from loganon.lookups.known import load_known
from loganon.masks import sure
from loganon.shapes import Span
from loganon.treatments.accounts import HANDLE, SUSPECT_ACCOUNT, USER_SEGMENTS, is_account, is_handle

_ROUNDS = 6  # replacing may bare another shape at its border; what does not settle is given up

_NUMBER = re.compile(r"\s*[0-9]{6,}\s*")
_SEGMENT = re.compile(r"[^/\\]+")
_STEM = re.compile(
    r"(.+?)((?:\.(?:html?|php|json|xml|aspx?|jsp|png|jpe?g|gif|svg|webp|pdf|txt|csv|rss|atom))*)", re.IGNORECASE
)
TEMPLATE = r"\{(?:email|uuid|token|iban|phone|id|user|ip|host)\}"
"""A pattern of what may stand in the place of a run."""
_TEMPLATE = re.compile(rf"[~@]?{TEMPLATE}.*")
_SETTLED = "\uf8ff"  # stands for a template where suspects are looked for again; no path holds it

_HOST_RUN = re.compile(r"[0-9A-Za-z_.-]+")
_FILE_TYPES = frozenset(
    str.split(
        "html htm php json xml asp aspx jsp js mjs css map ts png jpg jpeg gif svg webp avif ico pdf txt csv log "
        "rss atom gz bz2 xz zst tgz tar zip rar iso img bin exe msi dmg deb rpm jar war apk bak old orig tmp conf "
        "cfg ini yml yaml toml sql db woff woff2 ttf otf eot wasm mp3 mp4 webm ogg wav avi doc docx xls xlsx ppt "
        "pptx odt ods md5 sha1 sha256 sig asc "
    )
)
_TOP_LABEL = re.compile(r"[A-Za-z]{2,}|xn--[0-9A-Za-z-]+")
_QUAD_LABEL = re.compile(
    r"(?<![0-9])(?=([0-9]{1,3})([-_x])([0-9]{1,3})\2([0-9]{1,3})\2([0-9]{1,3})(?![0-9]))", re.IGNORECASE
)
_PADDED_LABEL = re.compile(r"(?<![0-9])(?:[01][0-9]{2}|2[0-4][0-9]|25[0-5]){4}(?![0-9])")
_HEX_LABEL = re.compile(r"(?:[A-Za-z]{1,6}-?)?(?:0[xX])?(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{8}")
_CUSTOMER = re.compile(r"[A-Za-z]{1,6}(?:0[xX])?[0-9A-Fa-f]{8}|(?:0[xX])?(?![0-9]{8})[0-9A-Fa-f]{8}")
_V6_DIGITS = re.compile(r"[A-Za-z]{1,6}-?[23][0-9A-Fa-f]{31}")
_V6_GROUPS = re.compile(  # with `-` or `_`: five or more groups of four, all eight, or with a gap
    r"(?<![0-9A-Za-z])[23][0-9A-Fa-f]{3}(?:([-_])[0-9A-Fa-f]{4}){4,}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])[23][0-9A-Fa-f]{3}(?:([-_])[0-9A-Fa-f]{1,4}){7}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])[23][0-9A-Fa-f]{3}(?:[-_][0-9A-Fa-f]{1,4}){0,5}([-_])\3(?:[0-9A-Fa-f]{1,4}[-_]?){0,6}(?![0-9A-Za-z])"
)
_DATED = re.compile(  # of the years only 2001 to 2003 begin an address that is in use
    r"(?:19|20)[0-9]{2}[-_](?:0?[1-9]|1[0-2])[-_][0-9]{1,2}(?:--|__)|20(?!0[1-3])[0-9]{2}"
)
_REVERSE_V6 = re.compile(r"(?:[0-9A-Fa-f]\.){16}")
_HEX_ADDRESS = re.compile(r"(?<![0-9A-Za-z])0[xX][0-9A-Fa-f]{7,8}(?![0-9A-Za-z])")
_DASHED = re.compile(
    r"(?<![0-9A-Za-z])([0-9]{1,3})([-_])([0-9]{1,3})\2([0-9]{1,3})\2([0-9]{1,3})(?![0-9A-Za-z])(?!\2[0-9])"
)
_LAST_DAY = 31
_BORDER = frozenset({"", "/", "\\"})
_USERINFO = re.compile(r"//([^/\\:@]*:[^/\\@]*|(?<=://)[^/\\@]+)@")
_COOKIELESS = re.compile(r"(?<=[()][AFS]\()[0-9A-Za-z_-]{16,}(?=\))")  # of ASP.NET: `/(S(…))/`, `/(A(…)F(…))/`
_NUMBER_BEFORE = re.compile(r"(?:\A|[^0-9A-Za-z])[0-9]+[-_]\Z")

_SUSPECT = "|".join(
    (
        "@|ey[JA]|ew(?:o[gJi]|0K)",
        shapes.SUSPECT_IPV6,
        r"[0-9A-Fa-f]\.(?:0[xX])?[0-9A-Fa-f]{1,5}\.(?:0[xX])?[0-9A-Fa-f]{1,5}\.(?:0[xX])?[0-9A-Fa-f]",
        "[0-9]-[0-9]{1,3}-[0-9]{1,3}-[0-9]|[0-9]_[0-9]{1,3}_[0-9]{1,3}_[0-9]|[0-9][xX][0-9]{1,3}[xX][0-9]{1,3}[xX][0-9]",
        "[23][0-9A-Fa-f]{3}(?:[-_][0-9A-Fa-f]{1,4}){0,5}(?:--|__)|[23][0-9A-Fa-f]{3}(?:[-_][0-9A-Fa-f]{1,4}){4}",
        "0[xX][0-9A-Fa-f]{7}",
        r"[0-9A-Fa-f]{8}[0-9A-Za-z_-]*\.[0-9A-Za-z_-]+\.[0-9A-Za-z_.-]*[A-Za-z]",
        r"[0-9]{12}[^/]*\.",
        "[0-9A-Za-z]{20}",
        shapes.SUSPECT_ENCODED,
        r"[()][AFS]\([0-9A-Za-z_-]{16}",
        "[0-9A-Fa-f]{8}[-_][0-9A-Fa-f]{4}[-_]",
        r"[A-Za-z]{2}[0-9]{2}(?:[ +._-]?[0-9A-Za-z]){11}",
        r"\+[1-9]|(?i:tel:)|(?:^|[^0-9A-Za-z])00[1-9][0-9]*[ .()-]",
        issued.SUSPECT_CARD,
        issued.SUSPECT_HARDWARE,
        r"(?:^|[/\\])\s*[0-9]{6,}\s*(?:[/\\]|$)",
        rf"(?i:(?:^|[/\\])(?:{'|'.join(sorted(USER_SEGMENTS))})[/\\]+[^/\\{_SETTLED}])",
        SUSPECT_ACCOUNT,
        rf"(?:^|[/\\])~[^/{_SETTLED}]",
    )
)


_SUSPECT_SENT = f"{_SUSPECT}|{shapes.ENCODED}"  # before it is decoded


def replace_identifiers(paths: pl.Series) -> pl.Series:
    """The paths (String) with all that identifies a person replaced, until nothing is found; null if that never ends.

    A path is not longer than `shapes.LONGEST_EXACT` characters; nulls stay.
    """
    places = pl.Series(range(0), dtype=pl.UInt32)
    for turn in range(_ROUNDS):
        seen = paths.gather(places) if turn else paths
        open_text = seen.str.replace_all(TEMPLATE, _SETTLED) if turn else seen
        hits = _suspects(open_text)
        before = seen.gather(hits)
        after = pl.Series([_replace(text) for text in before], dtype=pl.String)
        changed = (before != after).arg_true()
        if changed.is_empty():
            return paths
        hits = hits.gather(changed)
        places = places.gather(hits) if turn else hits.cast(pl.UInt32)
        paths = paths.clone().scatter(places, after.gather(changed))
    return paths.clone().scatter(places, None)


def _suspects(texts: pl.Series) -> pl.Series:
    """Where a text stands that may hold something in one of its stages; what has no escape is looked at once."""
    places = sure(texts.str.contains(_SUSPECT_SENT)).arg_true()
    if places.is_empty():
        return places
    sent = texts.gather(places)
    hits = [sure(stage.str.contains(_SUSPECT)) for stage in (sent, *shapes.stages(sent))]
    return places.filter(reduce(or_, hits))


def _replace(path: str) -> str:
    """`path` with each run that identifies replaced by the name of what it is; nothing else of it changes."""
    decoded = shapes.decode(path)
    text = decoded.text
    found = _content(text, _FINDERS)
    for span, name in _positions(text):
        if not any(taken[0] <= span[0] and span[1] <= taken[1] for taken, _ in found):
            found = [(taken, other) for taken, other in found if not _overlap(span, taken)] + [(span, name)]
    replaced = _put(path, [(decoded.sent(span), name) for span, name in found])
    for times in range(shapes.STAGES if text != path else 0):
        decoded = shapes.decode_times(replaced, times)
        found = _content(decoded.text, _FINDERS_SENT)
        replaced = _put(replaced, [(decoded.sent(span), name) for span, name in found])
    return replaced


def _put(path: str, found: Iterable[tuple[Span, str]]) -> str:
    for (start, end), name in sorted(found, reverse=True):
        path = f"{path[:start]}{{{name}}}{path[end:]}"
    return path


def _overlap(one: Span, two: Span) -> bool:
    return one[0] < two[1] and two[0] < one[1]


def _content(text: str, finders: Iterable[_Finder]) -> list[tuple[Span, str]]:
    """What a run's own form tells; of runs that overlap the more telling."""
    found: list[tuple[Span, str]] = []
    for name, find in finders:
        for span in find(text):
            if not any(_overlap(span, taken) for taken, _ in found):
                found.append((span, name))
    return found


def _positions(text: str) -> Iterator[tuple[Span, str]]:
    """What only a segment's place tells: a number alone in it, the name after `/users/`, `~` or `@`."""
    parents: list[str] = []
    for segment in _SEGMENT.finditer(text):
        part, start = segment[0], segment.start()
        stem = _STEM.fullmatch(part)
        end = start + len(stem[1]) if stem else segment.end()
        if _TEMPLATE.fullmatch(part):
            pass
        elif _NUMBER.fullmatch(part):
            if not _is_date(part.strip()):
                yield segment.span(), "id"
        elif HANDLE.match(part):
            if is_handle(parents, text[start:end]):
                yield (start + 1, end), "user"
        elif is_account(parents, text[start:end], text[segment.end() :]):
            yield (start, end), "user"
        if part == "..":
            del parents[-1:]
        elif part != ".":
            parents.append(part.lower())


def _is_date(digits: str) -> bool:
    if len(digits) != 8 or digits[:2] not in {"19", "20"}:
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _hosts(text: str) -> Iterator[Span]:
    """Host names that spell an address: decimal groups, eight hex digits, twelve decimal ones, or reversed.

    The eight stand in the first label, or anywhere under the domain of a known provider: `app.3f2a9c1b.chunk.js`.
    """
    for run in _HOST_RUN.finditer(text):
        host = run[0].lstrip("._-")
        start = run.end() - len(host)
        labels = host.rstrip("._-").split(".")
        while labels and labels[-1].lower() in _FILE_TYPES:
            labels.pop()
        labels[-1:] = [label.partition("_")[0] for label in labels[-1:]]
        if len(labels) > 1 and _TOP_LABEL.fullmatch(labels[-1]) and _spells_address(labels):
            yield start, start + len(".".join(labels))


def _spells_address(labels: list[str]) -> bool:
    host = ".".join(labels)
    return (
        any(_is_quad(found) for label in labels for found in _QUAD_LABEL.finditer(label))
        or any(_V6_GROUPS.search(label) for label in labels)
        or any(_PADDED_LABEL.search(label) for label in labels)
        or (len(labels) > 2 and (_HEX_LABEL.fullmatch(labels[0]) or _V6_DIGITS.fullmatch(labels[0])) is not None)
        or any(True for _ in shapes.find_ipv4(host))
        or _REVERSE_V6.search(host) is not None
        or _is_customer(labels)
    )


def _is_customer(labels: list[str]) -> bool:
    """Whether a name under a known provider's domain has a part of eight hexadecimal digits, which may be letters."""
    domains = load_known().domains
    place = next((n for n in (-2, -3) if ".".join(labels[n:]).lower() in domains), 0)
    parts = (part for label in labels[:place] for part in re.split("[-_]", label))
    return place < 0 and any(map(_CUSTOMER.fullmatch, parts))


def _is_quad(found: re.Match[str]) -> bool:
    return all(shapes.is_octet(found[group]) for group in (1, 3, 4, 5))


def _spelled_addresses(text: str) -> Iterator[Span]:
    """Addresses as one hexadecimal number; as four numbers with dashes; as the groups of IPv6: all eight, of which one
    holds a letter, wherever they stand, fewer alone in a segment.

    Four numbers are one if they stand alone in a segment (with `_`: if two have two digits), or if two of them have two
    digits and one is above 31: `12-10-24-13` within a name is rather a date.
    """
    for found in _HEX_ADDRESS.finditer(text):
        yield found.span()
    for found in _DASHED.finditer(text):
        numbers = [found[group] for group in (1, 3, 4, 5)]
        long = sum(len(number) > 1 for number in numbers) > 1
        if _is_alone(found):
            told = long or found[2] == "-"
        else:
            told = long and found[2] == "-" and max(map(int, numbers)) > _LAST_DAY
        if told and _is_quad(found) and not _NUMBER_BEFORE.search(text[max(found.start() - 8, 0) : found.start()]):
            yield found.span()
    for found in _V6_GROUPS.finditer(text):
        groups = re.split("[-_]", found[0])
        whole = len(groups) == 8 and all(groups) and not all(map(str.isdigit, groups))
        if whole or (_is_alone(found) and not _DATED.match(found[0])):
            yield found.span()


def _is_alone(found: re.Match[str]) -> bool:
    """Whether a run is a segment, but for an extension."""
    text, start, end = found.string, found.start(), found.end()
    return text[max(start - 1, 0) : start] in _BORDER and text[end : end + 1] in {*_BORDER, "."}


def _userinfo(text: str) -> Iterator[Span]:
    """The name and the password of a URL within the path."""
    return (found.span(1) for found in _USERINFO.finditer(text))


def _sessions(text: str) -> Iterator[Span]:
    """Session ids, tickets and anonymous ids that ASP.NET writes into paths where a browser takes no cookies."""
    return (found.span() for found in _COOKIELESS.finditer(text))


_Finder: TypeAlias = tuple[str, Callable[[str], Iterator[Span]]]
_FINDERS: tuple[_Finder, ...] = (
    ("email", shapes.find_emails),
    ("user", _userinfo),
    ("uuid", shapes.find_uuids),
    ("host", _hosts),
    ("ip", shapes.find_ipv6),
    ("ip", shapes.find_ipv4),
    ("ip", _spelled_addresses),
    ("id", issued.find_hardware),
    ("iban", issued.find_ibans),
    ("id", issued.find_cards),
    ("phone", issued.find_phones),
    ("token", _sessions),
    ("token", shapes.find_tokens),
    ("token", shapes.find_encoded),
)
_FINDERS_SENT = tuple(finder for finder in _FINDERS if finder[0] != "token")
"""For a path not decoded to its end (`shapes.stages`): digits of escapes make tokens of words (`Gesch%C3%A4fts…`)."""
