"""One line as a JSON object: what is JSON, what is read in its place, and the values under a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST_DEEP = 64
_STEPS = re.compile(r'"([^"]+)"|([^.\[\]"|]+)|\[([0-9]{1,4})\]')
_PATH = re.compile(r'(?:"[^"]+"|[^.\[\]"|]+|\[[0-9]{1,4}\])(?:\.(?:"[^"]+"|[^.\[\]"|]+)|\[[0-9]{1,4}\])*(?:\|target)?')
_HEX = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_STRING = re.compile(r'"(?>(?:[^"\\]++|\\.)*)(?:"|\Z)', re.DOTALL)
_REQUEST = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31} +(.*?)(?: HTTP/[^ ]*)?", re.DOTALL)
_NO_TARGET = "-"

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


def finder(paths: Sequence[str]) -> Find:
    """What gives an object's value under the first of `paths` that has one, as text: a string or a number.

    A path is `a.b[0]`; a key with a dot in it stands in quotes: `"id.orig_h"`. `|target` behind it: the value is a
    request line, of which the target is read; `-` where it is none.
    """
    ways = tuple(_way(path) for path in paths)
    if all(len(steps) == 1 and not asks for steps, asks in ways):
        return _flat(tuple(steps[0] for steps, _ in ways))
    return _deep(ways)


def steps_of(path: str) -> tuple[str | int, ...]:
    """The keys and indices that a path goes through."""
    return _way(path)[0]


def asks_target(path: str) -> bool:
    """Whether the value at a path is a request line, of which the target is read."""
    return _way(path)[1]


def is_path(path: str) -> bool:
    """Whether `path` is written as `finder` reads it."""
    return _PATH.fullmatch(path) is not None


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


def _deep(ways: Sequence[tuple[tuple[Any, ...], bool]]) -> Find:
    def find(record: Mapping[str, Any]) -> str | None:
        for steps, asks in ways:
            value: Any = record
            for step in steps:
                if value.__class__ is dict:
                    value = value.get(step)
                elif value.__class__ is list and step.__class__ is int and step < len(value):
                    value = value[step]
                else:
                    value = None
                    break
            if value.__class__ is str:
                return target(value) if asks else str(value)
        return None

    return find


def _way(path: str) -> tuple[tuple[Any, ...], bool]:
    """The keys (str) and indices (int) of a path, and whether the target of a request line is asked for."""
    text = path.removesuffix("|target")
    return tuple(int(s[3]) if s[3] else s[1] or s[2] for s in _STEPS.finditer(text)), text != path


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
