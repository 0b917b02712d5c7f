"""One line as a JSON object: what is JSON, what is read in its place, and the values under a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_DEEP = 64
_STEPS = re.compile(r'"([^"]+)"|([^.\[\]"|]+)|\[([0-9]{1,4}|\*)\]')
_PATH = re.compile(
    r'(?:"[^"]+"|[^.\[\]"|]+|\[[0-9]{1,4}\])(?:\.(?:"[^"]+"|[^.\[\]"|]+)|\[[0-9]{1,4}\])*(?:\[\*\]|\|target)?'
)
_NAMES = re.compile(r'(?:"[^"]*"|[^" ])+')
_HEX = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_STRING = re.compile(r'"(?>(?:[^"\\]++|\\.)*)(?:"|\Z)', re.DOTALL)
_REQUEST = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31} +(.*?)(?: HTTP/[^ ]*)?", re.DOTALL)
_NO_TARGET = "-"
EVERY = -1
"""The step through all texts of a list, which are joined as the lines of one header are (RFC 9110, 5.3)."""
LISTED, DATED = ", ", " "
"""What is put between the texts of a list, and between a date and a time of day."""

Steps = tuple[Any, ...]
"""Keys (str) and indices (int)."""

Find = Callable[[Mapping[str, Any]], str | None]


def _refuse(_constant: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


class Number(str):
    """A number as it is written, where it must be told from a string."""

    __slots__ = ()


_decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse).raw_decode
_decode_typed = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse).raw_decode


def read_object(line: bytes, *, typed: bool = False) -> dict[str, Any] | int:
    r"""The object that a line is, its numbers as they are written; the offset at which it failed where it is none.

    Of a key that stands twice the last is read, as most readers of JSON do. `\xNN`, which nginx writes where it was not
    told `escape=json`, is read as that byte. Bytes that are no UTF-8 are kept (surrogateescape). An object nested
    deeper than 64 levels is none. With `typed` a number is a `Number`.
    """
    if b"\\x" in line:
        line = _HEX.sub(_as_json, line)
    text = line.decode("utf-8", "surrogateescape").strip(" \t\r")
    if line.count(b"{") + line.count(b"[") > MOST_DEEP and _depth(text) > MOST_DEEP:
        return 0
    try:
        found, end = (_decode_typed if typed else _decode)(text)
    except json.JSONDecodeError as error:  # holds the text: it goes no further
        return len(text[: error.pos].encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return 0
    if end != len(text):
        return len(text[:end].encode("utf-8", "surrogatepass"))
    return found if isinstance(found, dict) else 0


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a value: the keys and indices it goes through, and whether the target of a request line is asked for.

    With two `parts` the value is a date and a time of day under two keys, with a blank between them.
    """

    parts: tuple[Steps, ...]
    asks: bool = False


def finder(paths: Sequence[str], *, dated: bool = False) -> Find:
    """What gives an object's value under the first of `paths` that has one, as text: a string or a number.

    A path is `a.b[0]`; a key with a dot in it stands in quotes: `"id.orig_h"`. `[*]` at its end: all texts of the list,
    with `, ` between them. `|target` behind it: the value is a request line, of which the target is read; `-` where it
    is none. Where the value is `dated`, `date time` is a date and a time of day under two keys.
    """
    ways = tuple(way for path in paths for way in ways_of(path, dated=dated))
    if all(len(way.parts) == 1 and len(way.parts[0]) == 1 and not way.asks for way in ways):
        return _flat(tuple(way.parts[0][0] for way in ways))
    return _deep(ways)


def ways_of(path: str, *, dated: bool = False) -> list[Way]:
    """The ways that a path stands for, the preferred first: a key with a blank in it comes before two keys."""
    names = _NAMES.findall(path) if dated and " " in path else []
    whole = [_way(path)] if _PATH.fullmatch(path) else []
    return [*whole, Way(tuple(_way(name).parts[0] for name in names))] if len(names) == 2 else whole


def is_path(path: str, *, dated: bool = False) -> bool:
    """Whether `path` is written as `finder` reads it."""
    names = [path] if _PATH.fullmatch(path) or not dated else _NAMES.findall(path)
    return len(names) in (1, 2) and all(_PATH.fullmatch(name) for name in names)


def to_bytes(value: str) -> bytes:
    """The bytes of a value; those that were no UTF-8 are as they were."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def target(request: str) -> str:
    """The target of a request line, or of what stands in its place already."""
    if request.startswith("/"):
        return request
    found = _REQUEST.fullmatch(request)
    return _NO_TARGET if found is None or request[:8].upper() == "CONNECT " else found[1]


def _flat(keys: Sequence[Any]) -> Find:
    def find(record: Mapping[str, Any]) -> str | None:
        for key in keys:
            value = record.get(key)
            if value.__class__ is str:
                return str(value)
        return None

    return find


def _deep(ways: Sequence[Way]) -> Find:
    every = tuple((way.parts[0], way.parts[1:], way.asks) for way in ways)

    def find(record: Mapping[str, Any]) -> str | None:
        for steps, further, asks in every:
            value = _at(record, steps)
            if value.__class__ is not str:
                continue
            if not further:
                return target(value) if asks else str(value)
            clock = _at(record, further[0])
            if clock.__class__ is str:
                return f"{value}{DATED}{clock}"
        return None

    return find


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        if value.__class__ is dict:
            value = value.get(step)
        elif value.__class__ is list and step.__class__ is int:
            value = _item(value, step)
        else:
            return None
    return value


def _item(values: list[Any], step: int) -> Any:
    """The value at an index, or all texts of a list as one; None where there is none, or not all are texts."""
    if step != EVERY:
        return values[step] if step < len(values) else None
    return LISTED.join(values) if values and all(each.__class__ is str for each in values) else None


def _way(path: str) -> Way:
    text = path.removesuffix("|target")
    return Way((tuple(_step(found) for found in _STEPS.finditer(text)),), asks=text != path)


def _step(found: re.Match[str]) -> str | int:
    if found[3] == "*":
        return EVERY
    return int(found[3]) if found[3] else found[1] or found[2]


def _as_json(found: re.Match[bytes]) -> bytes:
    r"""`\xNN` as JSON writes that byte; what else follows a backslash as it is."""
    if found[1] is None:
        return found[0]
    code = int(found[1], 16)
    if code < 0x20:
        return b"\\u%04x" % code
    byte = bytes((code,))
    return b"\\" + byte if byte in b'"\\' else byte


def _depth(text: str) -> int:
    """How deep the brackets outside of strings are nested, whether they are closed or not."""
    depth = most = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            most = max(most, depth)
        elif character in "}]":
            depth -= 1
    return most
