"""What a run did, as values: per log and in all. `lines_read = counted + already_counted + sum(rejected)`, always."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loganon.dated import DatedFile
from loganon.errors import (
    BusyError,
    CannotWriteError,
    CheckError,
    ConfigurationError,
    InputOutputError,
    InternalError,
    LoganonError,
    MissingInputError,
    UnreadableDataError,
)
from loganon.pipeline import REASONS, UNREAD

COUNTED = "counted"
_FIRST_APPLIES = tuple(
    kind.exit_code
    for kind in (
        InternalError,
        ConfigurationError,
        CannotWriteError,
        InputOutputError,
        BusyError,
        MissingInputError,
        UnreadableDataError,
        CheckError,
    )
)


@dataclass(slots=True)
class LogSummary:
    """One log of a run: `lines` that this run committed, by outcome; `already_counted`, those of earlier runs.

    `exact`: how many of the lines committed were read one by one rather than by column. `position`: the bytes of the
    file that are done. `failed`: why it was skipped or not read to its end, with the `error` where it is one.
    """

    log: str
    source: str | None = None
    format: str | None = None
    lines: Counter[str] = field(default_factory=Counter)
    already_counted: int = 0
    pending_bytes: int = 0
    exact: int = 0
    position: int = 0
    failed: str = ""
    error: LoganonError | None = None

    def fail(self, reason: str, error: LoganonError | None) -> None:
        """Note why it was not read, or not to its end."""
        self.failed, self.error = reason, error

    def as_dict(self) -> dict[str, Any]:
        """The log's entry in the JSON summary."""
        return {
            "log": self.log,
            "source": self.source,
            "format": self.format,
            "lines_read": self.lines.total() + self.already_counted,
            "counted": self.lines[COUNTED],
            "already_counted": self.already_counted,
            "rejected": _by_reason([self]),
            "pending_bytes": self.pending_bytes,
            "exact": self.exact,
        }


@dataclass(slots=True)
class Summary:
    """One run on one store. `errors` are in the order in which they were met.

    `elsewhere`: files outside the store that are past their age, `expired`: those of them that this run deleted.
    `domains`: lines counted, by what their provider is ("domain", "suffix", "unknown", "other").
    """

    policy: str
    store: str
    logs: list[LogSummary] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    redacted: int = 0
    cells_written: int = 0
    capped: int = 0
    commit_seconds: float = 0.0
    domains: Counter[str] = field(default_factory=Counter)
    sealed: list[date] = field(default_factory=list)
    dropped: list[date] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    elsewhere: list[DatedFile] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    errors: list[LoganonError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    strict: bool = False

    def report(self, error: LoganonError) -> None:
        """Note an error, once."""
        if not any(str(error) == str(known) for known in self.errors):
            self.errors.append(error)

    def warn_of_caps(self) -> None:
        """Where cells were full, that is among the warnings."""
        if self.capped:
            self.warnings.append(f"{self.capped:,} rows went into `other`: a cell held more than it may.")

    @property
    def rejected(self) -> dict[str, int]:
        """Lines rejected by this run, by reason; every reason is there."""
        return _by_reason(self.logs)

    @property
    def counted(self) -> int:
        """Lines that this run counted."""
        return sum(log.lines[COUNTED] for log in self.logs)

    @property
    def already_counted(self) -> int:
        """Lines that earlier runs counted or rejected."""
        return sum(log.already_counted for log in self.logs)

    @property
    def lines_read(self) -> int:
        """All lines: counted, counted before, rejected."""
        return sum(log.lines.total() + log.already_counted for log in self.logs)

    @property
    def exit_code(self) -> int:
        """The first that applies of 70, 78, 73, 74, 75, 66, 65, 1 and 0."""
        codes = {error.exit_code for error in self.errors}
        if self.strict:
            rejected = self.rejected
            if self.redacted or any(rejected[reason] for reason in UNREAD):
                codes.add(CheckError.exit_code)
        return first_applies(codes)

    def as_dict(self) -> dict[str, Any]:
        """The object that `run --json` prints."""
        return {
            "policy": self.policy,
            "store": self.store,
            "lines_read": self.lines_read,
            "counted": self.counted,
            "already_counted": self.already_counted,
            "rejected": self.rejected,
            "redacted": self.redacted,
            "cells_written": self.cells_written,
            "partitions_sealed": [day.isoformat() for day in self.sealed],
            "partitions_dropped": [day.isoformat() for day in self.dropped],
            "skipped": [{"log": log, "reason": reason} for log, reason in self.skipped],
            "sources": [log.as_dict() for log in self.logs],
        }


def first_applies(codes: Iterable[int]) -> int:
    """The first that applies of 70, 78, 73, 74, 75, 66, 65, 1 and 0."""
    met = set(codes)
    return next((code for code in _FIRST_APPLIES if code in met), 0)


def _by_reason(logs: Iterable[LogSummary]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for log in logs:
        total.update(log.lines)
    return {reason: total[reason] for reason in REASONS}
