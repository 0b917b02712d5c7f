"""One live source into a store: lines become rows as they come, and rows are committed when they are due.

A live source cannot be read again, so what was read waits here, as rows, until a commit has succeeded; its lines are
counted at most once. While a commit stands in doubt nothing more is read, and what comes waits in the feed's bound.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa

from loganon.batching import account, gather, versions
from loganon.chunks import Window
from loganon.errors import UnreadableInputError, printable
from loganon.keys import Key
from loganon.openlog import OpenLog
from loganon.parse import whole_lines
from loganon.pipeline import Pipeline, build
from loganon.policy import Policy
from loganon.reading import Input, Reading
from loganon.recognition import LONGEST_LINE, SAMPLE_BYTES, last_of, recognise
from loganon.refusals import SkippedError, recorded_zone, zone_note
from loganon.sources.files import BEGINNING_BYTES
from loganon.sources.identity import stream_name
from loganon.sources.live import Live
from loganon.store import Batch, Committed, HeldStore, OutdatedError, Record, Store
from loganon.summary import COUNTED, LogSummary, Summary

MOST_ROWS = 500_000
"""Rows that wait at most; then they are committed at once, and until they are nothing more is read."""

ENOUGH_LINES = 100
"""Lines that are waited for before their format is judged, unless a commit is due."""

_ATTEMPTS = 20


class Intake:
    """`take` reads what has come, `commit` stores it; one per source and process, with one source id."""

    def __init__(self, store: Store, policy: Policy, key: Key, live: Live, reading: Reading, *, writer: str | None):
        self.id = secrets.token_hex(16)
        self.live = live
        self._store = store
        self._policy = policy
        self._key = key
        self._reading = reading
        self._writer = writer
        self._log: OpenLog | None = None
        self._pipeline: Pipeline | None = None
        self._in_doubt = False
        self._committed = 0  # the offset up to which lines are stored
        self._unread = LogSummary(live.log)  # lines that have no format
        self.notes: list[str] = []

    @property
    def pending(self) -> int:
        """Bytes that have come and are not committed."""
        return self.live.given - self._committed + self.live.waiting

    @property
    def rows(self) -> int:
        """Rows that wait for a commit."""
        return self._log.rows if self._log is not None else 0

    @property
    def begun(self) -> bool:
        """Its format is known, and lines of it were read."""
        return self._log is not None

    @property
    def full(self) -> bool:
        """Nothing more is read until a commit has succeeded."""
        return self._in_doubt or self.rows >= MOST_ROWS

    @property
    def waits(self) -> bool:
        """There is something to commit."""
        return bool(self._unread.lines) or (self._log is not None and bool(self._log.lines))

    def read_as(self, reading: Reading) -> None:
        """From now on with the look-ups of `reading`."""
        self._reading, self._pipeline = reading, None
        if self._log is not None:
            self._log.reading = reading

    def lost(self) -> int:
        """Lines that wait and are given up, since they were read under another policy; no longer there after this."""
        if self._log is None:
            return 0
        lines = self._log.lines.total()
        self._committed = self._log.done
        self._log.lines.clear()
        self._log.cells.clear()
        self._log.tables.clear()
        return lines

    def move(self, store: Store, policy: Policy) -> int:
        """Go on into the store as it was opened anew; the lines that are given up, since the policy is another."""
        changed = policy.sha256 != self._policy.sha256
        self._store, self._policy = store, policy
        if not changed:
            return 0
        self._pipeline, self._in_doubt = None, False
        return self.lost()

    def take(self, window: Window, *, hurry: bool) -> None:
        """What has come by now, as rows; `hurry`: the first lines are judged however few they are.

        SkippedError where the first lines have no format: they are given up.
        """
        if self.full or not (self._log is not None or self._begin(hurry=hurry)):
            return
        log = self._log
        assert log is not None  # noqa: S101 - `_begin` has made it
        if self._pipeline is None:
            rules = self._reading.exclude
            self._pipeline = build(
                self._policy, log.format, self._reading.lookups, coded=True, rules=rules, timezone=log.timezone
            )
        end = self.live.given + self.live.waiting
        try:
            for chunk in self.live.chunks(whole_lines):
                log.add(self._pipeline(chunk, window, log.state), end=chunk.end, tail=self.live.tail)
                if log.rows >= MOST_ROWS:
                    log.compact(self._policy.spec)
                if chunk.end >= end or log.rows >= MOST_ROWS:
                    return
        except OSError as error:
            what = f"standard input cannot be read: {error.strerror}"
            raise UnreadableInputError(what, where=self.live.log, fix="Check the command before the pipe") from None

    def commit(self, *, now: datetime, wait: timedelta, summary: Summary) -> None:
        """What waits is stored; it goes on to wait where that fails."""
        if self._unread.lines:
            summary.logs.append(self._unread)
            self._unread = LogSummary(self.live.log)
        log = self._log
        if log is None or not log.lines:
            return
        log.summary = LogSummary(self.live.log, self.id, log.format.name)
        spec = self._policy.spec
        rows = gather([log], spec)
        log.tables, log.compacted = [rows], True
        with self._store.locked(wait) as held:
            done = self._put(held, log, rows, now)
        self._in_doubt = False
        account([log], rows, done, summary)
        self._committed = log.done
        summary.logs.append(log.summary)

    def _put(self, held: HeldStore, log: OpenLog, rows: pa.Table, now: datetime) -> Committed:
        """What the commit did, or an earlier one that was in doubt."""
        attempts = 0
        while True:
            standing = held.records().get(self.id)
            if self._in_doubt and standing is not None and standing.done == log.done:
                return Committed(0, {log.id: _expired(log, standing)}, 0, {log.id: standing})
            log.before = standing  # nobody else counts it; its record may have been written anew
            self._in_doubt = True
            batch = Batch(rows, (log.part(self._key),))
            try:
                return held.commit(batch, self._policy.spec, now=now, writer=self._writer, footer=versions([log]))
            except OutdatedError:  # another log became known; it cannot be this one
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise

    def _sample(self) -> tuple[int, bytes]:
        """Where what the format is told by begins, and that; nothing while it is to come.

        A first line longer than all that is looked at is passed over: it costs no other line its format.
        """
        start = self.live.peek(SAMPLE_BYTES)
        if len(start) < SAMPLE_BYTES or b"\n" in start or self._reading.format is not None:
            return 0, start
        longer = self.live.peek(LONGEST_LINE)
        first = longer.find(b"\n") + 1
        if first and (behind := self.live.peek(first + SAMPLE_BYTES)[first:]):
            return first, behind
        return 0, longer if self.live.feed.ended or len(longer) == LONGEST_LINE else b""

    def _begin(self, *, hurry: bool) -> bool:
        """Whether the format is known; SkippedError where what came is none."""
        first, start = self._sample()
        few = start.count(b"\n") < ENOUGH_LINES and len(start) < SAMPLE_BYTES and self._reading.format is None
        if not start or (few and not hurry and not self.live.feed.ended):
            return False
        stream = printable(self._reading.stream or stream_name(self.live.log))
        last = last_of(self._store.records().values(), stream)
        given = Input(self.live.log, self._reading)
        try:
            fmt = recognise(given, start[:SAMPLE_BYTES], None, last)
        except SkippedError:
            seen = self.live.peek(first + len(start))
            end = seen.rfind(b"\n") + 1 or len(seen)
            self.live.discard(end)
            self._unread.lines["malformed"] += seen[:end].count(b"\n") or 1
            raise
        zone = self._reading.timezone or recorded_zone(self.live.log, last)
        self.notes = zone_note(self.live.log, fmt, zone)
        found = LogSummary(self.live.log, self.id, fmt.name)
        begins = self.live.beginning[:BEGINNING_BYTES]
        self._log = OpenLog(found, self._reading, stream, self.id, begins, None, fmt, zone, (), 0)
        return True


def _expired(log: OpenLog, standing: Record) -> int:
    """How many of the counted lines the commit in doubt did not admit."""
    before: Mapping[str, int] = log.before.lines if log.before else {}
    return before.get(COUNTED, 0) + log.lines[COUNTED] - standing.lines.get(COUNTED, 0)
