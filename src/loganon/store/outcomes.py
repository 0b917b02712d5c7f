"""How a change of a store ends: what a commit did, or why nothing was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from loganon.errors import InputOutputError, LoganonError
from loganon.store.records import Record


class ConflictError(LoganonError):
    """The store has moved on since the batch was read: drop the batch, read the records and the logs again."""

    exit_code = 75


class OutdatedError(ConflictError):
    """A log has become known since the records were read, and nothing was written: read the records again.

    Where they say of the batch's logs what they said before, these need not be read again.
    """


class SealError(InputOutputError):
    """A day could not be sealed; `sealed` are the others, which are."""

    def __init__(self, error: InputOutputError, sealed: tuple[date, ...]) -> None:
        self.sealed = sealed
        super().__init__(error.what, where=error.where, fix=error.fix)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did.

    `expired`: lines by source that the batch counted and the cutoff did not admit; `capped`: rows that went into
    `other` because their cell was full; `records`: the sources' records as they now stand. A store without a lock
    commits each source by itself: those that are not among `records` were overtaken, and nothing of them is counted.
    """

    cells_written: int
    expired: Mapping[str, int]
    capped: int
    records: Mapping[str, Record]
