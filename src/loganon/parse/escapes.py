"""The bytes that a server escaped when it wrote them into a log."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_ESCAPE = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([\\"nrtbv]))')
_NAMED = {b"\\": b"\\", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v"}


def unescape(value: bytes) -> bytes:
    r"""The bytes that Apache or nginx wrote as `value`; an escape that neither writes stays as it is.

    Apache writes `\"`, `\\`, `\b`, `\n`, `\r`, `\t`, `\v` and `\xhh` (server/util.c, ap_escape_logitem); nginx writes
    `\xHH` for the quote, the backslash and all that is not printable ASCII, and never a bare backslash
    (ngx_http_log_module, escape=default): so one reader serves both.
    """
    return _ESCAPE.sub(_decoded, value)


def _decoded(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),)) if found[1] is not None else _NAMED[found[2]]


def unescape_column(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """`column` with its distinct values unescaped, and distinct again."""
    values = column.dictionary
    escaped = pc.match_substring(values, b"\\")
    if not pc.any(escaped).as_py():
        return column
    plain = [unescape(value) if b"\\" in value else value for value in values.to_pylist()]
    return recode(column.indices, pa.array(plain, pa.binary()))


def recode(indices: pa.Array, values: pa.Array) -> pa.DictionaryArray:
    """A dictionary column of `values[indices]` in which each distinct value stands once."""
    distinct = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary)
