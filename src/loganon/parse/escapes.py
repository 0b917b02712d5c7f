"""The bytes that a server escaped when it wrote them into a log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

_ESCAPE = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([\\"nrtbv]))')
_HASH = re.compile(rb"#([0-9A-Fa-f]{2})")
_JSON = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([\\"/nrtbf])|(?:u[0-9A-Fa-f]{4})(?:\\u[0-9A-Fa-f]{4})*)')
_NAMED = {b"\\": b"\\", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v", b"f": b"\f"}


def unescape(value: bytes) -> bytes:
    r"""The bytes that Apache or nginx wrote as `value`; an escape that neither writes stays as it is.

    Apache writes `\"`, `\\`, `\b`, `\n`, `\r`, `\t`, `\v` and `\xhh` (server/util.c, ap_escape_logitem); nginx writes
    `\xHH` for the quote, the backslash and all that is not printable ASCII, and never a bare backslash
    (ngx_http_log_module, escape=default): so one reader serves both.
    """
    return _ESCAPE.sub(_decoded, value)


def _decoded(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),)) if found[1] is not None else _NAMED[found[2]]


def unescape_hash(value: bytes) -> bytes:
    """The bytes that HAProxy wrote as `value`: `#XX` for a quote, `#`, and what is not printable ASCII (log.c)."""
    return _HASH.sub(lambda found: bytes((int(found[1], 16),)), value)


def unescape_json(value: bytes) -> bytes:
    r"""The bytes that nginx's escape=json wrote as `value`: between JSON's escapes any bytes stand."""
    return _JSON.sub(_from_json, value)


def _from_json(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return _decoded(found)
    if found[2] is not None:
        return _NAMED.get(found[2], found[2])
    return str(json.loads(b'"' + found[0] + b'"')).encode("utf-8", "surrogatepass")


Unescape = Callable[[bytes], bytes]
UNESCAPES: Mapping[str, tuple[bytes, Unescape] | None] = {
    "apache+nginx": (b"\\", unescape),
    "json": (b"\\", unescape_json),
    "hash": (b"#", unescape_hash),
    "none": None,
}
"""The byte that begins an escape, and the reader of values that have one."""


def unescape_column(
    column: pa.DictionaryArray, how: tuple[bytes, Unescape] | None = (b"\\", unescape)
) -> pa.DictionaryArray:
    """`column` with its distinct values unescaped, and distinct again."""
    values = column.dictionary
    if how is None:
        return column
    mark, read = how
    escaped = pc.match_substring(values, mark)
    if not pc.any(escaped).as_py():
        return column
    plain = [read(value) if mark in value else value for value in values.to_pylist()]
    return recode(column.indices, pa.array(plain, pa.binary()))


def recode(indices: pa.Array, values: pa.Array) -> pa.DictionaryArray:
    """A dictionary column of `values[indices]` in which each distinct value stands once."""
    distinct = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary)
