"""Lines of a template format (Apache's LogFormat, nginx's log_format), written piece by piece.

Work is done once per distinct value: a column's constant surroundings are joined to its values before they are spread
over the rows, and those of all columns are then spread at once, which leaves the text of all lines in one buffer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.parse.directives import Piece, pieces
from loganon.render.rows import Lines, Part, gathered, text_of
from loganon.render.values import Kept, Write, Writer, read_text

_FIXED = {"status": b"200", "port": b"0", "number": b"0"}
"""Stand-ins of kinds for which few parsers read `-`."""
_STAND_INS = (b"-", b"0", b"")
"""For what is not permitted: the first that the piece takes is written."""
_LITERAL = re.compile(rb"\\(.)", re.DOTALL)
_FREE = frozenset({"text", "request", "agent"})  # kinds that may hold spaces without quotes


_Way: TypeAlias = tuple[str, Callable[[str], str]]
"""The characters that may stand as they are, and what writes a text that has others."""


def _escaping(escape: str, safe: Iterable[int]) -> _Way:
    """The way that writes each byte that is not `safe` by the pattern `escape`."""
    kept = frozenset(safe)
    table = [chr(byte) if byte in kept else escape % byte for byte in range(256)]
    return bytes(kept).decode(), lambda value: "".join(table[byte] for byte in value.encode())


def _json(value: str) -> str:
    return json.dumps(value)[1:-1] if re.search(r'[\x00-\x1f\x7f"\\]', value) else value


_PRINTABLE = frozenset(range(0x20, 0x7F))
_PLAIN = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._~/{}%+-")
_QUOTED: Mapping[str, _Way] = {
    "apache+nginx": _escaping("\\x%02X", _PRINTABLE - {*b'"\\'}),
    "json": (bytes(_PRINTABLE - {*b'"\\'}).decode(), _json),
    "hash": _escaping("#%02X", _PRINTABLE - {*b'"#'}),
    "none": _escaping("%%%02X", _PRINTABLE - {*b'"\\'}),
}
r"""By the format's escapes: how values are written in quotes.

Apache and nginx both write `\xHH`; unlike `\"` it deceives no reader that only looks for quotes.
"""
_BARE = _escaping("%%%02X", _PLAIN)
_BARE_FREE = _escaping("%%%02X", {*_PLAIN, 0x20})
"""Without quotes a value ends at the literal behind it, whatever that is: percent-encoding keeps it from that."""


def write_template(fmt: Format, kept: Kept) -> Writer:
    """A writer of the format's lines. ConfigurationError (78) where a piece has no stand-in."""
    constants, columns = _plan(_written(pieces(fmt), kept), kept, fmt)

    def write(table: pa.Table, layouts: pa.Array | None = None) -> Lines:  # noqa: ARG001 - all lines are alike
        if not table.num_rows:
            return b""
        pieces: list[Part | str] = [constants[0]]
        for piece, behind in zip(columns, constants[1:], strict=True):
            raw = piece.column or ""
            text = read_text(raw, table, kept[raw], time=piece.form or fmt.time)
            pieces += [*text.pieces(_writing(piece, fmt.escape)), behind]
        return text_of(gathered(pieces))

    return write


def _written(parts: Sequence[Piece], kept: Kept) -> list[Piece]:
    """The pieces without those that may be missing, unless something of them is permitted.

    The port of a virtual host at the beginning is written, too: GoAccess and others know it only with one.
    """
    found: list[Piece] = []
    for index, piece in enumerate(parts):
        if not piece.parts:
            found.append(piece)
        elif index <= 1 or any(column in kept for column in piece.columns):
            found += _written(piece.parts, kept)
    return found


def _plan(parts: Sequence[Piece], kept: Kept, fmt: Format) -> tuple[list[str], list[Piece]]:
    """The pieces that permitted columns are written into, and the constant text before each and behind the last."""
    constants, columns = [b""], []
    for piece in parts:
        before, after = _LITERAL.sub(rb"\1", piece.before), _LITERAL.sub(rb"\1", piece.after)
        if piece.column in kept:
            constants[-1] += before
            constants.append(after)
            columns.append(piece)
        else:
            constants[-1] += before + _stand_in(piece, fmt) + after
    constants[-1] += b"\n"
    if not columns:
        raise _unwritable(fmt)
    return [text.decode() for text in constants], columns


def _stand_in(piece: Piece, fmt: Format) -> bytes:
    if piece.kind == "literal":
        return piece.text
    first = b"0" if piece.kind == "bytes" and fmt.escape == "json" else _FIXED.get(piece.kind, b"-")
    for candidate in (first, *_STAND_INS):
        if re.fullmatch(piece.value, candidate, re.DOTALL):
            return candidate
    raise _unwritable(fmt)


def _unwritable(fmt: Format) -> ConfigurationError:
    return ConfigurationError(
        f"lines of the format {fmt.name} cannot be written", where="--format", fix="Use `loganon run` on such logs"
    )


def _writing(piece: Piece, escape: str) -> Write:
    """A callable that writes values as the format does."""
    if piece.kind == "time":
        return lambda values: values
    if piece.before == b'"':
        return partial(_written_so, _QUOTED[escape])
    way = _BARE_FREE if piece.kind in _FREE else _BARE
    return lambda values: _written_so(way, pc.if_else(pc.equal(values, ""), "-", values))


def _written_so(way: _Way, values: pa.StringArray) -> pa.StringArray:
    safe, encode = way
    unsafe = pc.not_equal(pc.ascii_ltrim(values, characters=safe), "")
    if not unsafe.true_count:
        return values
    encoded = [encode(value) for value in values.filter(unsafe).to_pylist()]
    return pc.replace_with_mask(values, unsafe, pa.array(encoded, pa.string()))
