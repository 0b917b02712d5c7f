"""What flows through the pipeline: pieces of a log, where they come from, which times may be stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

MAX_LINE_BYTES = 1 << 20
"""A longer line is `too_long` (DESIGN.md, "Lines"); the LF and one CR before it do not count."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one input, as bytes.

    `data` holds lines that each end with LF; the last one may lack it where the input ended there. A source bounds
    its memory by cutting a line longer than `MAX_LINE_BYTES` to `MAX_LINE_BYTES + 2` bytes, so that the parser still
    sees it as too long. `start` and `end` are offsets of the decompressed input, in bytes: they count what was cut.
    """

    data: bytes = field(repr=False)
    start: int
    end: int

    @property
    def unterminated(self) -> bool:
        """The last line has no LF: the input ended there."""
        return bool(self.data) and not self.data.endswith(b"\n")


@dataclass(frozen=True, slots=True)
class Window:
    """The times that may be stored: lines before `cutoff` (a UTC date) are expired, after `latest` (UTC) future.

    None on a side: no bound there. Lines before `floor` (UTC) are expired, too: whether they were counted is not known.
    """

    cutoff: date | None
    latest: datetime | None
    floor: datetime | None = None
