"""Written times as moments in UTC, one conversion for each distinct value.

A time without an offset is read in the zone given: an hour that its clocks showed twice is the first of the two, one
that they left out is an hour later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from loganon.parse import strftime

MOMENT = pa.timestamp("ms", tz="UTC")

CLF = rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"
ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
EPOCH = rb"[0-9]{1,18}(?:\.[0-9]{1,9})?"
SHAPES = {"clf": CLF, "iso": ISO, "epoch_s": EPOCH, "epoch_ms": EPOCH, "epoch_us": EPOCH}
"""The shape of each named form, as a pattern without groups; other forms are strftime's."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), start=1
    )
}
_DAY_PART = re.compile(rb"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4})")
_UNIT_PART = re.compile(rb":[0-9]{2}")
_ZONE_PART = re.compile(rb" ([+-])([0-9]{2})([0-9]{2})")
_ISO = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    rb"(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_EPOCH = re.compile(EPOCH)
_UNITS: dict[str, int | Decimal] = {"epoch_s": 1000, "epoch_ms": 1, "epoch_us": Decimal("0.001")}
_FEW = 64  # times are the sooner read one by one
_UNIX_DAY = date(1970, 1, 1).toordinal()
_DAY = 86_400_000
_FIRST = (date.min.toordinal() - _UNIX_DAY) * _DAY
_LAST = (date.max.toordinal() - _UNIX_DAY + 1) * _DAY - 1


def time_shape(form: str) -> bytes:
    """The pattern, without groups, of times of that written form."""
    return SHAPES[form] if form in SHAPES else strftime.shape_of(form)


def dated(form: str) -> bool:
    """Times of that written form say their year and month."""
    return form in SHAPES or strftime.dated(form)


def has_offset(form: str) -> bool:
    """Times of that written form say their offset, or need none."""
    return form in SHAPES or strftime.has_offset(form)


def parse_times(values: pa.Array, form: str, zone: tzinfo | None = None, day: date | None = None) -> pa.Array:
    """timestamp[ms, UTC] for each of the distinct `values` (binary), null where it is no moment of the years 1 to 9999.

    Month names are English whatever the locale. A leap second (`:60`) is the second before it, so that it stays in
    its hour. `zone` is for written times without an offset, `day` for those without a year: without it they are null.
    """
    if form == "clf" and len(values) > _FEW:
        return _clf_column(values).cast(MOMENT)
    read = reader(form, zone, day)
    return pa.array([read(value) for value in values.to_pylist()], pa.int64()).cast(MOMENT)


def reader(form: str, zone: tzinfo | None = None, day: date | None = None) -> Callable[[bytes], int | None]:
    """A callable from one written time to milliseconds since 1970 in UTC, or None."""
    if form == "clf":
        return _clf
    if form == "iso":
        return lambda value: _iso(value, zone)
    if form not in _UNITS:
        read = strftime.strftime_reader(form, zone, day)
        return lambda value: None if (moment := read(value)) is None else _bounded(moment)
    scale = _UNITS[form]
    return lambda value: _epoch(value, scale)


def _clf(value: bytes) -> int | None:
    if len(value) != _CLF_BYTES:
        return None
    total = 0
    for start, end, read in _CLF_PARTS:
        part = read(value[start:end])
        if part is None:
            return None
        total += part
    return _bounded(total)


def _clf_column(values: pa.Array) -> pa.Array:
    """`_clf` of each value: its parts have few distinct values, each of which is read once."""
    whole = pc.equal(pc.binary_length(values), _CLF_BYTES)
    total = pc.if_else(whole, pa.scalar(0, pa.int64()), pa.scalar(None, pa.int64()))
    for start, end, read in _CLF_PARTS:
        part = pc.binary_slice(values, start, end).dictionary_encode()
        known = pa.array([read(value) for value in part.dictionary.to_pylist()], pa.int64())
        total = pc.add(total, known.take(part.indices))
    bounded = pc.and_(pc.greater_equal(total, _FIRST), pc.less_equal(total, _LAST))
    return pc.if_else(bounded, total, pa.scalar(None, pa.int64()))


def _clf_day(value: bytes) -> int | None:
    """Milliseconds of `10/Oct/2026`."""
    found = _DAY_PART.fullmatch(value)
    day = None if found is None else _day(int(found[3]), _MONTHS.get(found[2], 0), int(found[1]))
    return None if day is None else day * _DAY


def _clf_unit(limit: int, millis: int) -> Callable[[bytes], int | None]:
    """A reader of `:36`, 0 to `limit`; the leap second is the one before it."""

    def read(value: bytes) -> int | None:
        if _UNIT_PART.fullmatch(value) is None or int(value[1:]) > limit:
            return None
        return min(int(value[1:]), 59) * millis

    return read


def _clf_zone(value: bytes) -> int | None:
    """Milliseconds to add for ` -0730`."""
    found = _ZONE_PART.fullmatch(value)
    offset = None if found is None else _offset(found[1], found[2], found[3])
    return None if offset is None else -offset


def _iso(value: bytes, zone: tzinfo | None) -> int | None:
    found = _ISO.fullmatch(value)
    if found is None:
        return None
    written = found[1].split(b"-")
    day = _day(int(written[0]), int(written[1]), int(written[2]))
    if day is None:
        return None
    time = (int(found[2]), int(found[3]), int(found[4]))
    millis = int(((found[5] or b"") + b"000")[:3])
    if found[6] is not None:
        return _moment(day, time, millis, 0)
    if found[7] is not None:
        return _moment(day, time, millis, _offset(found[7], found[8], found[9]))
    return None if zone is None else _local(_moment(day, time, millis, 0), zone)


def _local(moment: int | None, zone: tzinfo) -> int | None:
    """The moment at which clocks in `zone` show what those in UTC show at `moment`; of two such the first."""
    if moment is None:
        return None
    try:
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
        offset = shown.replace(tzinfo=zone).utcoffset()
    except OverflowError:
        return None
    return None if offset is None else _bounded(moment - offset // timedelta(milliseconds=1))


def _epoch(value: bytes, scale: int | Decimal) -> int | None:
    if _EPOCH.fullmatch(value) is None:
        return None
    return _bounded(int(Decimal(value.decode("ascii")) * scale))


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _UNIX_DAY
    except ValueError:
        return None


def _offset(sign: bytes, hours: bytes, minutes: bytes) -> int | None:
    hour, minute = int(hours), int(minutes)
    if hour > 23 or minute > 59:
        return None
    return (hour * 60 + minute) * (-60_000 if sign == b"-" else 60_000)


def _moment(day: int, time: tuple[int, int, int], millis: int, offset: int | None) -> int | None:
    hour, minute, second = time
    if offset is None or hour > 23 or minute > 59 or second > 60:
        return None
    return _bounded(day * _DAY + (hour * 3600 + minute * 60 + min(second, 59)) * 1000 + millis - offset)


def _bounded(moment: int) -> int | None:
    return moment if _FIRST <= moment <= _LAST else None


_CLF_BYTES = 26
_CLF_PARTS: tuple[tuple[int, int, Callable[[bytes], int | None]], ...] = (
    (0, 11, _clf_day),
    (11, 14, _clf_unit(23, 3_600_000)),
    (14, 17, _clf_unit(59, 60_000)),
    (17, 20, _clf_unit(60, 1000)),
    (20, 26, _clf_zone),
)
