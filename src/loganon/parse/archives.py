"""Which kind of archive begins so. The files in one may stand as they are, a log's lines among them: it is no log."""

from __future__ import annotations

import re

HEADER_BYTES = 512
_SUM = slice(148, 156)
_BEGINNINGS = {
    "zip": re.compile(rb"PK\x03\x04"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "RAR": re.compile(rb"Rar!\x1a\x07"),
    "ar": re.compile(rb"!<arch>\n"),
    "cpio": re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}|\xc7\x71|\x71\xc7"),
}


def archive_of(beginning: bytes) -> str | None:
    """The kind of archive that begins with these bytes, at least 512 of a longer one; None: none that is known."""
    found = next((kind for kind, magic in _BEGINNINGS.items() if magic.match(beginning)), None)
    return found or ("tar" if _is_tar(beginning[:HEADER_BYTES]) else None)


def _is_tar(header: bytes) -> bool:
    """Whether it is the header of a tar's first file, in any of its forms: the sum in it is that of its bytes."""
    if len(header) < HEADER_BYTES or not header[0]:
        return False
    try:
        told = int(header[_SUM].strip(b"\0 "), 8)
    except ValueError:
        return False
    return told == sum(header) - sum(header[_SUM]) + len(header[_SUM]) * ord(" ")
