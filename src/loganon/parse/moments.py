"""Moments in any of the usual written forms, told apart by their shape, and of a date and a time of day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from loganon.parse.clock import MOMENT, parse_times, reader

_EPOCH = re.compile(rb"[0-9]{1,19}(?:\.[0-9]{1,12})?(?:[eE]\+?[0-9]{1,2})?")
_CLF = re.compile(rb"[0-9]{2}/[A-Z]")
_SLASHED = re.compile(rb"[0-9]{4}/[0-9]{2}/[0-9]{2} ")
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(rb"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?")
_PLAIN = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](?:Z|[+-][0-9]{2}:[0-9]{2})$"
"""Times of which a second is a second after the one before, whatever the zone."""
_LONGEST = 25
_FEW = 64
_SCALES = ((10**11, Decimal(1000)), (10**14, Decimal(1)), (10**17, Decimal("0.001")), (10**20, Decimal("0.000001")))
"""An epoch below so much is in s, ms, us, ns: each bound is the year 5138 of its unit, and 1973 of the next."""
_UNITS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")


def read_times(values: pa.Array, zone: tzinfo | None) -> pa.Array:
    """timestamp[ms, UTC] for each of the distinct `values` (binary), null where it is no moment.

    Read are ISO 8601 (with slashes in its date, too), the Common Log Format's time without brackets, and the time since
    1970 in seconds, milli-, micro- or nanoseconds, told apart by their size. `zone` is for written times without an
    offset.
    """
    read = any_reader(zone)
    plain = pc.match_substring_regex(values, _PLAIN)
    if plain.true_count <= _FEW:
        return pa.array([read(value) for value in values.to_pylist()], pa.int64()).cast(MOMENT)
    found = pc.replace_with_mask(pa.nulls(len(values), pa.int64()), plain, _by_minute(values.filter(plain), read))
    odd = pc.invert(plain)
    others = pa.array([read(value) for value in values.filter(odd).to_pylist()], pa.int64())
    return pc.replace_with_mask(found, odd, others).cast(MOMENT)


def _by_minute(values: pa.Array, read: Callable[[bytes], int | None]) -> pa.Array:
    """`read` of each of the values, which are of the form `_PLAIN`: each minute is read once, and the seconds added."""
    minutes = pc.binary_join_element_wise(
        pc.binary_slice(values, 0, 17), pc.binary_slice(values, 19, _LONGEST), pa.scalar(b"00", values.type)
    ).dictionary_encode()
    known = pa.array([read(value) for value in minutes.dictionary.to_pylist()], pa.int64()).take(minutes.indices)
    seconds = pc.binary_slice(values, 17, 19).cast(pa.string()).cast(pa.int64())
    return pc.add(known, pc.multiply(seconds, 1000))


def any_reader(zone: tzinfo | None) -> Callable[[bytes], int | None]:
    """A callable from one written time to milliseconds since 1970 in UTC, or None; forms as in `read_times`."""
    iso, clf, millis = reader("iso", zone), reader("clf"), reader("epoch_ms")

    def read(value: bytes) -> int | None:
        if _EPOCH.fullmatch(value):
            number = Decimal(value.decode("ascii"))
            scale = next((scale for bound, scale in _SCALES if number < bound), None)
            return None if scale is None else millis(b"%d" % int(number * scale))
        if _CLF.match(value):
            return clf(value)
        return iso(value.replace(b"/", b"-", 2) if _SLASHED.match(value) else value)

    return read


def form_of(value: bytes) -> str:
    """The written form of a moment that `read_times` reads: "clf", "iso", or "epoch_" and s, ms, us or ns."""
    if not _EPOCH.fullmatch(value):
        return "clf" if _CLF.match(value) else "iso"
    number = Decimal(value.decode("ascii"))
    return next((form for (bound, _), form in zip(_SCALES, _UNITS, strict=True) if number < bound), _UNITS[-1])


def read_dates(dates: pa.DictionaryArray, clocks: pa.DictionaryArray, zone: tzinfo | None) -> pa.Array:
    """timestamp[ms, UTC] of dates (`2026-10-10`) and times of day (`13:55:36.5`) in `zone` (None: all are null)."""
    day = reader("iso", UTC)
    days = [day(value + b"T00:00:00") if _DATE.fullmatch(value) else None for value in dates.dictionary.to_pylist()]
    millis = _clock_column(clocks.dictionary)
    total = pc.add(pa.array(days, pa.int64()).take(dates.indices), millis.take(clocks.indices))
    if zone is UTC:
        return total.cast(MOMENT)
    naive = total.dictionary_encode()
    texts = pc.strftime(naive.dictionary.cast(pa.timestamp("ms")), format="%Y-%m-%dT%H:%M:%S").cast(pa.binary())
    return parse_times(texts, "iso", zone).take(naive.indices)


def clock_millis(value: bytes) -> int | None:
    """Milliseconds of a time of day, of which W3C lets the seconds be missing; a leap second is the one before it."""
    found = _CLOCK.fullmatch(value)
    if found is None:
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    return (hour * 3600 + minute * 60 + min(second, 59)) * 1000 + int(((found[4] or b"") + b"000")[:3])


def _clock_column(values: pa.Array) -> pa.Array:
    """`clock_millis` of each value; of those of eight bytes the parts have few distinct values, each read once."""
    whole = pc.equal(pc.binary_length(values), 8)
    total = pc.if_else(whole, pa.scalar(0, pa.int64()), pa.scalar(None, pa.int64()))
    for start, end, frame in ((0, 3, b"%s00"), (3, 6, b"00:%s00"), (6, 8, b"00:00:%s")):
        part = pc.binary_slice(values, start, end).dictionary_encode()
        known = [
            clock_millis(frame % value) if len(value) == end - start else None for value in part.dictionary.to_pylist()
        ]
        total = pc.add(total, pa.array(known, pa.int64()).take(part.indices))
    odd = pc.invert(whole)
    if not pc.any(odd).as_py():
        return total
    return pc.replace_with_mask(
        total, odd, pa.array([clock_millis(v) for v in values.filter(odd).to_pylist()], pa.int64())
    )
