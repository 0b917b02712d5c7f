"""Written times as moments in UTC."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon.parse.clock import MOMENT, SHAPES, parse_times, reader


def one(value: str, form: str = "clf", zone: str | None = None) -> datetime | None:
    moments = parse_times(pa.array([value.encode()], pa.binary()), form, ZoneInfo(zone) if zone else None)
    assert moments.type == MOMENT
    found = moments.to_pylist()[0]
    return found.replace(tzinfo=UTC) if found is not None else None


@pytest.mark.parametrize(
    ("value", "form", "moment"),
    [
        ("10/Oct/2026:13:55:36 +0000", "clf", "2026-10-10T13:55:36"),
        ("10/Oct/2026:13:55:36 -0730", "clf", "2026-10-10T21:25:36"),
        ("01/Jan/2026:00:00:00 +2359", "clf", "2025-12-31T00:01:00"),
        ("29/Feb/2024:00:00:00 +0000", "clf", "2024-02-29T00:00:00"),
        ("30/Jun/2015:23:59:60 +0000", "clf", "2015-06-30T23:59:59"),
        ("2026-10-10T13:55:36Z", "iso", "2026-10-10T13:55:36"),
        ("2026-10-10 13:55:36.123456+0200", "iso", "2026-10-10T11:55:36.123"),
        ("2026-10-10T13:55:36,5-07:30", "iso", "2026-10-10T21:25:36.500"),
        ("1703373474.8", "epoch_s", "2023-12-23T23:17:54.800"),
        ("1564511023123", "epoch_ms", "2019-07-30T18:23:43.123"),
        ("1564511023123456", "epoch_us", "2019-07-30T18:23:43.123"),
        ("10/Oct/2026:06:05:27.584 +0200", "%d/%b/%Y:%H:%M:%S.%3f %z", "2026-10-10T04:05:27.584"),
        ("Sat Oct  3 13:55:36 2026 UTC", "%a %b %e %H:%M:%S %Y %Z", "2026-10-03T13:55:36"),
        ("Saturday, October 10 26 01:05:06 PM Z", "%A, %B %d %y %I:%M:%S %p %z", "2026-10-10T13:05:06"),
        ("2026 060 12:00 -07:30", "%Y %j %R %z", "2026-03-01T19:30:00"),
        ("1791640536123456", "%s%6f", "2026-10-10T13:55:36.123"),
        ("30/Jun/15 23:59:60Z", "%d/%b/%y %T%z", "2015-06-30T23:59:59"),
    ],
)
def test_forms(value: str, form: str, moment: str) -> None:
    """Each written form gives its moment, to the millisecond; a leap second is the second before it."""
    assert one(value, form) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("30/Feb/2026:13:55:36 +0000", "clf"),
        ("29/Feb/2026:13:55:36 +0000", "clf"),
        ("00/Jan/2026:13:55:36 +0000", "clf"),
        ("10/Okt/2026:13:55:36 +0000", "clf"),
        ("10/oct/2026:13:55:36 +0000", "clf"),
        ("10/Oct/0000:13:55:36 +0000", "clf"),
        ("01/Jan/0001:00:00:00 +0001", "clf"),
        ("31/Dec/9999:23:59:59 -0001", "clf"),
        ("10/Oct/2026:24:00:00 +0000", "clf"),
        ("10/Oct/2026:13:60:00 +0000", "clf"),
        ("10/Oct/2026:13:55:61 +0000", "clf"),
        ("10/Oct/2026:13:55:36 +2400", "clf"),
        ("10/Oct/2026:13:55:36 +0060", "clf"),
        ("10/Oct/2026:13:55:36 0000", "clf"),
        ("10/Oct/2026:13:55:36 +0000 ", "clf"),
        ("1\u0661/Oct/2026:13:55:36 +0000", "clf"),
        ("", "clf"),
        ("2026-10-10T13:55:36", "iso"),
        ("2026-02-30T13:55:36Z", "iso"),
        ("999999999999999999", "epoch_s"),
        ("nan", "epoch_s"),
        ("-1", "epoch_s"),
        ("10/Oct/2026 06:05:27", "%d/%b/%Y %T"),
        ("30/Feb/2026 06:05:27Z", "%d/%b/%Y %T%z"),
        ("10/Okt/2026 06:05:27Z", "%d/%b/%Y %T%z"),
        ("10/Oct/2026 24:05:27Z", "%d/%b/%Y %T%z"),
        ("10/Oct/2026 13:05:27 PM Z", "%d/%b/%Y %I:%M:%S %p %z"),
        ("10/Oct 06:05:27Z", "%d/%b %T%z"),
        ("999999999999999", "%s"),
    ],
)
def test_no_moment(value: str, form: str) -> None:
    """What is no moment of the years 1 to 9999, or is written otherwise, or has no offset and no zone, is null."""
    assert one(value, form) is None


def test_zone() -> None:
    """A time without an offset is that of the zone given; of an hour shown twice the first; one left out is later."""
    for form, written in (("iso", "2026-{}T{}"), ("%Y-%m-%dT%T", "2026-{}T{}")):
        assert one(written.format("10-25", "02:30:00"), form, "Europe/Berlin") == datetime(
            2026, 10, 25, 0, 30, tzinfo=UTC
        )
        assert one(written.format("03-29", "02:30:00"), form, "Europe/Berlin") == datetime(
            2026, 3, 29, 1, 30, tzinfo=UTC
        )
    assert one("2026-07-01T12:00:00", "iso", "Europe/Berlin") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert one("2026-10-25T02:30:00", "iso", "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - the zone is drawn apart
offsets = st.integers(-1439, 1439)


@given(moment=moments, minutes=offsets)
def test_every_moment(moment: datetime, minutes: int) -> None:
    """A moment written at any offset is read back, whatever the locale."""
    local = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[local.month * 3 - 3 :][:3]
    sign, apart = "-" if minutes < 0 else "+", abs(minutes)
    zone = f"{sign}{apart // 60:02d}{apart % 60:02d}"
    written = f"{local.day:02d}/{month}/{local.year:04d}:{local:%H:%M:%S} {zone}"
    found = reader("clf")(written.encode())
    assert found == (calendar.timegm(local.utctimetuple()) * 1000)


TIMES = st.builds(
    "{:02d}/{}/{:04d}:{:02d}:{:02d}:{:02d} {}{:02d}{:02d}".format,
    *(st.integers(0, 32), st.sampled_from(["Jan", "Feb", "Jun", "Dec", "jan", "Mai"]), st.integers(1970, 2030)),
    *(st.integers(0, 24), st.integers(0, 60), st.integers(0, 61)),
    *(st.sampled_from("+-"), st.integers(0, 24), st.sampled_from([0, 30, 59, 60])),
).map(str.encode)


@given(values=st.lists(TIMES | st.from_regex(SHAPES["clf"], fullmatch=True) | st.binary(max_size=30)))
def test_a_column_is_its_values(values: list[bytes]) -> None:
    """A column gives what its values give one by one."""
    read = reader("clf")
    found = [read(value) for value in values]
    for times in (1, 65):  # few are read one by one
        column = pa.array(values * times, pa.binary())
        assert parse_times(column, "clf").cast(pa.int64()).to_pylist() == found * times
