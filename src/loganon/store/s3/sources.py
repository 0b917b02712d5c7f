"""What a store knows of its sources: an entry for each that was counted, a birth for each that is about to be.

An entry holds the source's record and its counted lines by day: a day's lines are deleted once the cutoff is past it,
so that a rising cutoff needs no entry to be written.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from loganon.store.documents import count, damaged, day, dump, load
from loganon.store.records import Record, describe_record, parse_record_document

VERSION = 1
_RECENT = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One source. `record`: its `deleted` are those of days no longer in `days`; `days`: counted lines by day;
    `recent`: the random ids of the last batches taken in.
    """

    record: Record
    days: Mapping[date, int] = field(default_factory=dict)
    recent: tuple[str, ...] = ()

    def seen_from(self, cutoff: date | None) -> Record:
        """The record with the lines of all days before the cutoff as deleted."""
        return replace(self.record, deleted=self.record.deleted + _before(self.days, cutoff))

    def taking(self, record: Record, days: Mapping[date, int], batch: str, cutoff: date | None) -> Entry:
        """The entry after a batch; days before the cutoff are no longer kept apart."""
        all_days = Counter(self.days) + Counter(days)
        gone = self.record.deleted + _before(all_days, cutoff)
        kept = {found: lines for found, lines in all_days.items() if cutoff is None or found >= cutoff}
        return Entry(replace(record, deleted=gone), kept, (*self.recent, batch)[-_RECENT:])


@dataclass(frozen=True, slots=True)
class Birth:
    """A source of which nothing is counted yet: a record at offset 0, and the day on which it was made."""

    record: Record
    day: date


def encode_entry(entry: Entry) -> bytes:
    """`sources/<id>.json`."""
    days = {found.isoformat(): lines for found, lines in sorted(entry.days.items()) if lines}
    record = describe_record(entry.record)
    return dump({"version": VERSION, "record": record, "days": days, "recent": list(entry.recent)})


def decode_entry(data: bytes, where: str) -> Entry:
    """The entry; 74 if it is damaged, 78 if a newer program wrote it."""
    document = load(data, where, version=VERSION)
    try:
        record = parse_record_document(document["record"])
        days = {day(found): count(lines) for found, lines in document["days"].items()}
        return Entry(record, days, tuple(str(batch) for batch in document["recent"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged(where) from None


def encode_births(births: Mapping[str, Birth]) -> bytes:
    """`births.json`; no two writes of it are alike, so that its tag tells them apart."""
    born = {
        source: {"record": describe_record(birth.record), "day": birth.day.isoformat()}
        for source, birth in births.items()
    }
    return dump({"version": VERSION, "born": born, "nonce": secrets.token_hex(8)})


def decode_births(data: bytes | None, where: str) -> dict[str, Birth]:
    """The births by source; 74 if they are damaged, 78 if a newer program wrote them."""
    if data is None:
        return {}
    document = load(data, where, version=VERSION)
    try:
        return {
            str(source): Birth(parse_record_document(found["record"]), day(found["day"]))
            for source, found in document["born"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged(where) from None


def _before(days: Mapping[date, int], cutoff: date | None) -> int:
    return sum(lines for found, lines in days.items() if cutoff is not None and found < cutoff)
