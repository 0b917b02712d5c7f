"""Which format a log has: the one given, or recorded, or found in its first lines."""

from __future__ import annotations

from collections.abc import Iterable

from loganon.formats import Format, load_formats, with_fields
from loganon.parse.archives import archive_of
from loganon.parse.detect import SHARE, archived, detect, sample_lines
from loganon.reading import Input
from loganon.refusals import error_log, no_log, unknown_format
from loganon.store import Record

SAMPLE_BYTES = 1 << 19
"""Detection looks at the first 1,000 lines, within this many bytes."""

LONGEST_LINE = 1 << 24
"""Bytes of a first line behind which others are looked for, in what cannot be read again."""


def telling(blocks: Iterable[bytes]) -> bytes:
    """The first bytes of a log by which its format is told, `SAMPLE_BYTES` or all of a shorter one: behind blank lines,
    and behind lines that are longer than all that is looked at.
    """
    held = b""
    for block in blocks:
        held = (held + block).lstrip(b"\r\n")
        while len(held) >= SAMPLE_BYTES:
            end = held.find(b"\n")
            if 0 <= end < SAMPLE_BYTES:
                return held[:SAMPLE_BYTES]
            if end < 0:
                held = held[:SAMPLE_BYTES]
                break
            held = held[end:].lstrip(b"\r\n")
    return held


def last_of(records: Iterable[Record], stream: str) -> Record | None:
    """The record of the stream that was committed last: what a new log of it is likely to be like."""
    found = [(record.committed, record) for record in records if record.stream == stream and record.committed]
    return max(found, key=lambda each: each[0])[1] if found else None


def recognise(given: Input, start: bytes, before: Record | None, last: Record | None) -> Format:
    """The format given, or recorded for the log, or for its stream if it fits, or found in its first lines."""
    reading = given.reading
    if before is None and (kind := archive_of(start)):  # else its lines are counted, and once more in their own log
        raise no_log(given.log, archived(kind))
    if reading.format is not None:
        return with_fields(reading.format, reading.fields)
    formats = {name: with_fields(fmt, reading.fields) for name, fmt in load_formats(examples=False).items()}
    recorded = formats.get(last.format) if last else None
    if recorded is not None and before is not None:
        return recorded
    lines = sample_lines(start)
    if recorded is not None and (found := detect(lines, [recorded])).format and found.share >= SHARE:
        return recorded
    found = detect(lines, formats.values())
    if found.error_log:
        raise error_log(given.log, found.error_log)
    if found.format is None:
        raise unknown_format(given.log, found)
    return found.format
