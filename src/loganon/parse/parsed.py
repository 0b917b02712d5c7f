"""What a parser gives: columns of the accepted lines, and the rejected ones by reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from loganon.chunks import Chunk

REASONS = ("too_long", "binary", "partial", "malformed")
"""Why a parser rejects a line; of several the first."""

ParseState = tuple[str, ...]
"""What a parser carries from chunk to chunk: column names where a header gives them, else nothing."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected line: its number in the chunk from 0, the reason, the offset at which it failed, its masked shape."""

    line: int
    reason: str
    at: int
    shape: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The accepted lines of a chunk as columns, in line order, and counts: `lines = rows + sum(rejected)`.

    `columns` holds those asked for that the format gives: `time` timestamp[ms, UTC]; `status` int16, 0 where the log
    has `-`, `000` or `-1`; `bytes` int64, 0 where it has `-`; all others the bytes after the format's unescaping, as
    dictionary(int32, binary), in which each distinct value stands once, or as binary: whoever uses the chunk does that
    part of the work, in a thread of its own. An empty line is no line. `exact` lines were read one by one, the others
    by column.
    """

    columns: dict[str, pa.Array | pa.ChunkedArray] = field(repr=False)
    rows: int
    lines: int
    rejected: dict[str, int]
    rejects: tuple[Reject, ...]
    state: ParseState
    exact: int


class Parser(Protocol):
    """Reads the lines of a chunk; `raw` names the columns that the format can give."""

    @property
    def raw(self) -> frozenset[str]:
        """The raw columns that the format has."""
        ...

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines; `state` is what the chunk before it gave, `()` at the beginning of a log."""
        ...
