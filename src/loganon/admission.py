"""A log told apart from all that are known, before a line of it is read; what is not certain is refused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from loganon.errors import printable
from loganon.keys import Key
from loganon.openlog import OpenLog
from loganon.reading import Input, Reading
from loganon.recognition import SAMPLE_BYTES, last_of, recognise, telling
from loganon.refusals import SkippedError, recorded_zone, set_aside, zone_note
from loganon.sources import STDIN, Source
from loganon.sources.files import BEGINNING_BYTES
from loganon.sources.identity import (
    ENDS_EARLY,
    GOES_ON_DIFFERENTLY,
    GOES_ON_WITH_KNOWN,
    Answer,
    Catalogue,
    goes_on_with_known,
    identify,
    marker,
    stream_name,
)
from loganon.sources.stdin import Stream
from loganon.store import Record
from loganon.summary import LogSummary

_LEAST = 4096
"""Bytes that a compressed log must give to be told apart, where it ends early."""


@dataclass(slots=True)
class Admission:
    """Tells logs apart by their beginnings and ends, as the store's key marks them.

    Records that it was given once are not changed in place.
    """

    key: Key
    _catalogue: tuple[Mapping[str, Record], Catalogue] | None = None

    def open(
        self, given: Input, source: Source, summary: LogSummary, records: Mapping[str, Record], notes: list[str]
    ) -> OpenLog | None:
        """The log, behind what was counted of it; None: it has no whole line yet. SkippedError where nothing is read.

        `notes` takes what the operator should know of it.
        """
        path, reading = given.log, given.reading
        start = source.beginning(SAMPLE_BYTES)
        if not start and source.damaged is None:
            raise SkippedError("empty", "the log is empty", where=path)
        if _waits(source, start, final=reading.final):
            summary.pending_bytes = len(start)
            return None
        if source.damaged is not None and len(start) < _LEAST:
            raise set_aside(path, "a compressed log that ends early", "Run again once it is whole")
        stream = printable(reading.stream or stream_name(path))
        before = None if path == STDIN else self._known(given, source, start, stream, records)
        summary.already_counted = sum(before.lines.values()) - summary.lines.total() if before else 0
        last = before or last_of(records.values(), stream)
        sample = start if before else _sample(source, start)
        fmt = recognise(given, sample, before, last)
        zone = reading.timezone or recorded_zone(path, last)
        notes += [note for note in zone_note(path, fmt, zone) if note not in notes]
        summary.source, summary.format = before.id if before else secrets.token_hex(16), fmt.name
        state, done = (before.state, before.done) if before else ((), 0)
        return OpenLog(
            summary, reading, stream, summary.source, start[:BEGINNING_BYTES], before, fmt, zone, state, done
        )

    def stands(self, log: OpenLog, records: Mapping[str, Record]) -> bool:
        """Whether the records still say of a log what they said when it was opened."""
        if log.summary.log == STDIN:
            return True
        answer = self._identify(log.start, log.stream, log.reading, records)
        return answer.kind != "set_aside" and answer.record == (log.before.id if log.before else None)

    def _identify(self, start: bytes, stream: str, reading: Reading, records: Mapping[str, Record]) -> Answer:
        named = reading.stream is not None
        if self._catalogue is None or self._catalogue[0] is not records:
            self._catalogue = records, Catalogue(records.values())
        alike = self._catalogue[1].alike(self.key.secret, start)
        return identify(self.key.secret, start, stream, named=named, records=alike)

    def _known(
        self, given: Input, source: Source, start: bytes, stream: str, records: Mapping[str, Record]
    ) -> Record | None:
        """The record that a log goes on from, None for a new log; SkippedError where that is not certain."""
        answer = self._identify(start[:BEGINNING_BYTES], stream, given.reading, records)
        before = records[answer.record] if answer.kind == "known" and answer.record else None
        if before is not None:
            tail = source.seek(before.done)
            if tail is None:
                answer = ENDS_EARLY
            elif before.done and marker(self.key.secret, tail) != before.marker:
                answer = GOES_ON_DIFFERENTLY
            elif goes_on_with_known(self.key.secret, source.following(), before, records.values()):
                answer = GOES_ON_WITH_KNOWN
        if answer.kind == "set_aside":
            raise set_aside(given.log, answer.reason, answer.fix)
        return before


def _sample(source: Source, start: bytes) -> bytes:
    """What a log's format is told by: its start, or what follows where that is all blank lines, or its first line is
    longer than all that is looked at.
    """
    if len(start) < SAMPLE_BYTES or b"\n" in start.lstrip(b"\r\n"):
        return start
    return telling(source.blocks()) or start


def _waits(source: Source, start: bytes, *, final: bool) -> bool:
    """A plain file whose first line is not finished, and may still be."""
    whole = final or isinstance(source, Stream) or source.compression is not None
    return not whole and b"\n" not in start and len(start) < SAMPLE_BYTES
