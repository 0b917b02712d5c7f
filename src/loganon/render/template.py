"""Lines of a template format (Apache's LogFormat, nginx's log_format), written piece by piece.

Work is done once per distinct value: a column's constant surroundings are joined to its values before they are spread
over the rows, and the rows of all columns are then joined at once, which leaves the text of all lines in one buffer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.parse.directives import Piece, pieces
from loganon.render.values import Kept, Text, Writer, read_text

_STAND_INS = (b"-", b"0", b":0", b"")
"""For what is not permitted, and for numbers and optional pieces: the first that the piece takes is written."""
_FIXED = {"status": b"200"}  # `-` is read as a status by few parsers
_LITERAL = re.compile(rb"\\(.)", re.DOTALL)

_UNSAFE = r'[^\x20-\x7e]|["\\]'
_UNSAFE_BARE = r'[^\x21-\x7e]|["\\]'
_ESCAPED = {byte: f"\\x{byte:02X}" for byte in (*range(0x20), 0x22, 0x5C, *range(0x7F, 0x100))}
_PERCENT = {byte: f"%{byte:02X}" for byte in (*range(0x21), 0x22, 0x5C, *range(0x7F, 0x100))}


def write_template(fmt: Format, kept: Kept) -> Writer:
    """A writer of the format's lines. ConfigurationError (78) where a piece has no stand-in."""
    constants, columns = _plan(pieces(fmt), kept, fmt)
    escapes = fmt.escape != "none"

    def write(table: pa.Table) -> bytes:
        texts = [read_text(piece.column or "", table, kept[piece.column or ""], time=fmt.time) for piece in columns]
        parts: list[pa.Array | pa.Scalar] = []
        for number, (piece, text) in enumerate(zip(columns, texts, strict=True)):
            end = constants[-1] if piece is columns[-1] else ""
            parts.append(text.rows(constants[number] + _safe(piece, text, escapes=escapes) + end))
        return _joined(parts)

    return write


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
    if piece.kind == "optional":  # present: more parsers know the longer form
        candidates: tuple[bytes, ...] = (b":0", *_STAND_INS)
    else:
        candidates = (_FIXED.get(piece.kind, b"-"), *_STAND_INS)
    for candidate in candidates:
        if re.fullmatch(piece.value, candidate, re.DOTALL):
            return candidate
    raise _unwritable(fmt)


def _unwritable(fmt: Format) -> ConfigurationError:
    return ConfigurationError(
        f"lines of the format {fmt.name} cannot be written", where="--format", fix="Use `loganon run` on such logs"
    )


def _safe(piece: Piece, text: Text, *, escapes: bool) -> pl.Series:
    r"""The values as the format writes them: `\xHH` for a quote, a backslash, what is not printable ASCII.

    Apache and nginx both write `\xHH` so, and unlike `\"` it deceives no reader that only looks for quotes. Without
    escapes, and outside of quotes, where a space would end the value, percent-encoding takes their place.
    """
    values = text.values if piece.quoted else text.values.replace({"": "-"})
    quoted = piece.quoted and escapes
    pattern = _UNSAFE if piece.quoted or piece.kind == "time" else _UNSAFE_BARE
    unsafe = values.str.contains(pattern)
    if not unsafe.any():
        return values
    table = _ESCAPED if quoted else _PERCENT
    escaped = ["".join(table.get(byte, chr(byte)) for byte in value.encode()) for value in values.filter(unsafe)]
    return values.clone().scatter(unsafe.arg_true(), pl.Series(escaped, dtype=pl.String))


def _joined(parts: Sequence[pa.Array]) -> bytes:
    """The text of all rows: the one buffer that holds the joined values, one behind the other."""
    lines = pc.binary_join_element_wise(*parts, "") if len(parts) > 1 else parts[0]
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]])
