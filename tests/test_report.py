"""`loganon report`: the figures are the store's, in any zone, and nothing is reported that must not be used."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from loganon.errors import BusyError, ConfigurationError
from loganon.pages import rendering
from loganon.report import KEYS, Question, Since, load_report, parse_since
from loganon.report import loading as report_loading
from loganon.report.export import neutral
from loganon.report.question import columns_of
from loganon.report.tally import Tally
from loganon.report.times import Gap, series_of, unit_for
from loganon.store import LocalStore
from support.cli import SAMPLES, Done, Inside
from support.object_server import CREDENTIALS, moto_server, require_server
from support.reporting import (
    HOSTILE,
    any_cell,
    counted,
    counted_by_time,
    local_day,
    make_store,
    open_policy,
    plant,
    weeks,
)
from support.runs import NOW, days, ingest, line, lines, plain_policy
from support.store_cases import snapshot

AT = ("--now", NOW.isoformat())
BERLIN = ZoneInfo("Europe/Berlin")
HOLD = """
[[hold]]
scope = "2026-11-10 to 2026-11-12"
basis = "restriction of processing, GDPR Art. 18"
owner = "data protection officer"
until = 2027-01-31
use = false
"""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of twelve days, which no test changes."""
    return make_store(tmp_path_factory.mktemp("standing"), weeks())


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    return Inside(tmp_path)


def asked(command: Inside, store: Path, *words: object) -> dict[str, object]:
    """The JSON of a report that ends well."""
    done = command("report", "--store", store, "--json", *AT, *words)
    assert (done.code, done.json["store"]) == (0, str(store)), done
    return done.json


def values(answer: dict[str, object], column: str) -> dict[str, tuple[int, int, int]]:
    """Requests, bytes and successes by value, in the order in which they stand."""
    listed = answer["by"][column]["values"]  # type: ignore[index]  # parsed JSON
    return {each["value"]: (each["requests"], each["bytes"], each["succeeded"]) for each in listed}


def spans(answer: dict[str, object], unit: str) -> dict[str, tuple[int, int, int]]:
    """The same of spans of time with accesses, by their start."""
    listed = answer["time"][unit]  # type: ignore[index]  # parsed JSON
    return {each["start"]: (each["requests"], each["bytes"], each["succeeded"]) for each in listed if each["requests"]}


# --- the figures ----------------------------------------------------------------------------------------------------


def test_the_figures_are_the_stores(command: Inside, standing: Path) -> None:
    """By file, browser, version, domain, success, hour and day the sums are those that DuckDB finds."""
    answer = asked(command, standing, "--by", "hour", "--by", "day", "--by", "file", "--by", "browser")
    assert values(answer, "file") == counted(standing, "file")
    assert values(answer, "browser") == counted(standing, "browser")
    assert spans(answer, "day") == counted_by_time(standing, local_day(UTC))
    assert spans(answer, "hour") == counted_by_time(standing, lambda at: at.isoformat(timespec="minutes"))
    assert set(answer["by"]) == {"file", "browser"}  # type: ignore[call-overload]  # parsed JSON

    whole = asked(command, standing)
    assert values(whole, "version") == counted(standing, "browser || ' ' || browser_version")
    assert values(whole, "domain") == counted(standing, "domain")
    assert values(whole, "success") == counted(standing, "CASE WHEN success THEN 'succeeded' ELSE 'failed' END")
    (total,) = counted(standing, "'all'").values()
    told = whole["total"]
    assert (told["requests"], told["bytes"], told["succeeded"]) == total  # type: ignore[index]  # as above
    assert told["failed"] == total[0] - total[2]  # type: ignore[index]  # as above


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_days_of_a_zone(command: Inside, standing: Path, zone: str) -> None:
    """Days, weeks, months and hours of the day are the zone's; an hour counts where it begins."""
    here = ZoneInfo(zone)
    answer = asked(
        command, standing, "--timezone", zone, *(w for u in ("day", "week", "month", "time") for w in ("--by", u))
    )
    assert spans(answer, "day") == counted_by_time(standing, local_day(here))
    week = lambda at: str(at.astimezone(here).date() - timedelta(days=at.astimezone(here).weekday()))  # noqa: E731 - a name for a rule
    assert spans(answer, "week") == counted_by_time(standing, week)
    assert spans(answer, "month") == counted_by_time(standing, lambda at: f"{at.astimezone(here):%Y-%m}")
    profile = answer["profile"]["hour of the day"]  # type: ignore[index]  # parsed JSON
    found = {hour: (e["requests"], e["bytes"], e["succeeded"]) for hour, e in profile.items() if e["requests"]}
    assert found == counted_by_time(standing, lambda at: f"{at.astimezone(here):%H}")


@pytest.mark.parametrize(
    ("since", "start"),
    [
        ("7d", datetime(2026, 11, 14, 23, tzinfo=UTC)),  # the 15th in Berlin: seven days with today
        ("1d", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("36h", datetime(2026, 11, 20, 0, tzinfo=UTC)),
        ("90m", datetime(2026, 11, 21, 11, tzinfo=UTC)),
        ("2026-11-18", datetime(2026, 11, 17, 23, tzinfo=UTC)),
    ],
)
def test_since(command: Inside, standing: Path, since: str, start: datetime) -> None:
    """Days back are whole days of the zone, today among them; hours back are hours; a date is its midnight."""
    answer = asked(command, standing, "--since", since, "--timezone", "Europe/Berlin")
    assert answer["since"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"
    assert values(answer, "file") == counted(standing, "file", since=start)


def test_since_within_an_hour() -> None:
    """Where the zone's day begins within a stored hour, that hour belongs to the day before."""
    kathmandu = ZoneInfo("Asia/Kathmandu")  # midnight is 18:15 UTC
    assert Since(day=date(2026, 11, 18)).start(NOW, kathmandu) == datetime(2026, 11, 17, 19, tzinfo=UTC)


@pytest.mark.parametrize("text", ["7", "d", "0d", "7w", "-1d", "2026-13-01", "2026-11-1", "yesterday", "9999999d", ""])
def test_since_what_cannot_be_read(command: Inside, standing: Path, text: str) -> None:
    """Anything else is a usage error that says what was expected."""
    with pytest.raises(ValueError, match=r".+"):
        parse_since(text)
    done = command("report", "--store", standing, "--since", text)
    assert (done.code, done.out) == (2, "")


def test_the_whole_range_of_since(command: Inside, standing: Path) -> None:
    """The longest duration and the first date that can be written give the whole store."""
    for text in ("999999d", "0001-01-01", "999999h"):
        assert values(asked(command, standing, "--since", text, "--by", "file"), "file") == counted(standing, "file")


def test_two_hours_of_one_name() -> None:
    """At the end of summer time the hour from two to three is there twice, and each has its own accesses."""
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)  # 02:00 CEST, then 02:00 CET
    hours = tuple((first + timedelta(hours=n), Tally(n + 1)) for n in range(3))
    series = series_of(hours, "hour", BERLIN, start=None, left_out=(), nothing=Tally())
    assert [each.tally.requests for each in series.buckets] == [1, 2, 3]
    assert [series.key(each)[-14:] for each in series.buckets] == [
        "25T02:00+02:00",
        "25T02:00+01:00",
        "25T03:00+01:00",
    ]
    days_of = series_of(hours, "day", BERLIN, start=None, left_out=(), nothing=Tally())
    assert [each.tally.requests for each in days_of.buckets] == [6]


@pytest.mark.parametrize(
    ("zone", "left_out"), [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kiritimati", date(1994, 12, 31))]
)
def test_a_day_that_a_zone_left_out(zone: str, left_out: date) -> None:
    """Samoa had no 30 December 2011: the accesses of the next day, which begins at that moment, are counted once."""
    first = datetime(left_out.year, left_out.month, left_out.day, tzinfo=UTC) - timedelta(days=3)
    hours = tuple((first + timedelta(hours=n), Tally(1)) for n in range(6 * 24))
    series = series_of(hours, "day", ZoneInfo(zone), start=None, left_out=(), nothing=Tally())
    assert sum(each.tally.requests for each in series.buckets) == len(hours)
    found = [each.start.date() for each in series.buckets]
    assert left_out - timedelta(days=1) in found
    assert left_out not in found
    assert left_out + timedelta(days=1) in found


def test_no_gaps() -> None:
    """Spans without accesses stand with zero; a table says many of them in one line."""
    ends = (datetime(2026, 2, 27, 5, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    series = series_of(tuple((at, Tally(1)) for at in ends), "day", BERLIN, start=None, left_out=(), nothing=Tally())
    assert [series.label(each) for each in series.buckets] == [
        str(date(2026, 2, 27) + timedelta(days=n)) for n in range(32)
    ]
    assert [len(each.buckets) if isinstance(each, Gap) else 1 for each in series.lines()] == [1, 30, 1]


@pytest.mark.parametrize(("length", "unit"), [(2, "hour"), (40, "day"), (400, "week"), (4000, "month")])
def test_the_unit_fits_the_span(length: int, unit: str) -> None:
    """Days are shown as hours, months as days, years as weeks, decades as months."""
    assert unit_for(NOW - timedelta(days=length), NOW, hours=True) == unit
    assert unit_for(NOW - timedelta(days=2), NOW, hours=False) == "day"


def test_top(command: Inside, standing: Path) -> None:
    """`--top` cuts the values and says how many there are; what is left is in one row of the terminal's table."""
    answer = asked(command, standing, "--top", "3", "--by", "file")
    known = counted(standing, "file")
    assert answer["by"]["file"]["distinct"] == len(known)  # type: ignore[index]  # parsed JSON
    order = sorted(known, key=lambda file: (-known[file][0], file))
    assert list(values(answer, "file")) == order[:3]
    said = command("report", "--store", standing, "--top", "3", "--by", "file", *AT).out
    rest = sum(known[file][0] for file in order[3:])
    assert re.search(rf"\({len(known) - 3} others\) +{rest} ", said), said


def test_keys(command: Inside, standing: Path) -> None:
    """The JSON has the keys that are documented, in their order."""
    assert list(asked(command, standing)) == list(KEYS)


def test_coverage(tmp_path: Path, command: Inside) -> None:
    """Accesses by kind of value add up to all, in each column of text; the kinds are told apart."""
    clients = ("91.44.26.11", "10.0.0.1", "203.0.113.7", "host.firma.example.de")
    log = [line(NOW - timedelta(hours=2), path, client=c) for c in clients for path in ("/a", "/x@example.org", "*")]
    store = make_store(tmp_path, log, provider_db=[SAMPLES / "providers.mmdb"])
    answer = asked(command, store)
    requests = counted(store, "file")
    coverage = answer["coverage"]
    assert set(coverage) == {"file", "browser", "domain"}  # type: ignore[call-overload]  # parsed JSON
    for column in coverage:  # type: ignore[attr-defined]  # as above
        assert sum(coverage[column].values()) == len(log)  # type: ignore[index]  # as above
    assert coverage["file"]["invalid"] == requests["{invalid}"][0] == 4  # type: ignore[index]  # as above
    domains = counted(store, "domain")
    assert coverage["domain"]["unknown"] == domains["unknown"][0]  # type: ignore[index]  # as above
    suffixes = sum(sums[0] for name, sums in domains.items() if name.startswith("."))
    assert coverage["domain"]["suffix"] == suffixes  # type: ignore[index]  # as above


# --- what is refused or left out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--json",), ("--html", "x.html"), ("--csv", "-")])
def test_refused_where_the_policy_forbids_it(tmp_path: Path, command: Inside, words: tuple[str, ...]) -> None:
    """78 under a policy that forbids evaluation, naming the clause; nothing is printed and nothing written."""
    store = make_store(tmp_path, lines(20), policy=plain_policy())
    before = snapshot(store)
    done = command("report", "--store", store, *words, *AT)
    assert (done.code, done.out) == (78, "")
    done.message("policy plain", "purpose.evaluate", str(store))
    assert snapshot(store) == before
    assert not (tmp_path / "x.html").exists()


def test_imos_is_refused(command: Inside, tmp_path: Path) -> None:
    """Under the default policy there is no report."""
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(20)))
    assert command("run", log, "--store", "store", "--format", "combined", *AT).code == 0
    done = command("report", "--store", "store", *AT)
    assert done.code == 78
    done.message("policy imos", "purpose.evaluate")


def test_held_days_are_left_out(tmp_path: Path, command: Inside) -> None:
    """Days under a hold with `use = false` are not counted, and that is said; when it has ended they are."""
    store = make_store(tmp_path, weeks(a_day=4), policy=open_policy(HOLD))
    answer = asked(command, store)
    closed = {"2026-11-10", "2026-11-11", "2026-11-12"}
    assert answer["days"]["left_out"] == [{"date": day, "why": "hold"} for day in sorted(closed)]  # type: ignore[index]  # parsed JSON
    known = counted_by_time(store, local_day(UTC))
    assert closed < set(known)
    assert spans(answer, "day") == {day: sums for day, sums in known.items() if day not in closed}
    marked = {each["start"] for each in answer["time"]["day"] if each.get("left_out")}  # type: ignore[index]  # as above
    assert marked == closed
    assert (
        "3 days are left out (stored, but not to be used: a hold says so)"
        in command("report", "--store", store, *AT).err
    )
    later = command("report", "--store", store, "--json", "--now", "2027-01-31T00:00:00Z")
    assert "hold" not in later.out


def test_overdue_days_are_left_out(tmp_path: Path, command: Inside) -> None:
    """What had to be deleted by now is not evaluated, though it still stands."""
    store = make_store(tmp_path, weeks(10, a_day=4))
    later = datetime(2026, 12, 28, 1, tzinfo=UTC)  # 42 days after 16 November
    answer = asked(command, store, "--now", later.isoformat())
    kept = {day for day in days(store) if date.fromisoformat(day) + timedelta(days=42) > later.date()}
    assert 0 < len(kept) < len(days(store))
    assert set(spans(answer, "day")) == kept
    gone = sorted(set(days(store)) - kept)
    assert answer["days"]["left_out"] == [{"date": day, "why": "overdue"} for day in gone]  # type: ignore[index]  # parsed JSON


def test_only_sealed_days(standing: Path, command: Inside) -> None:
    """Days that are not sealed are named; with `--sealed` they are left out."""
    answer = asked(command, standing)
    unsealed = ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert answer["days"]["unsealed"] == unsealed  # type: ignore[index]  # parsed JSON
    sealed = asked(command, standing, "--sealed", "--by", "day")
    known = counted_by_time(standing, local_day(UTC))
    assert spans(sealed, "day") == {day: sums for day, sums in known.items() if day not in unsealed}
    assert "3 days are not sealed yet" in command("report", "--store", standing, *AT).err
    assert "not sealed" not in command("report", "--store", standing, "--quiet", *AT).err


def test_an_unknown_column(command: Inside, standing: Path) -> None:
    """A column that the policy does not keep is 78, with the nearest that it does."""
    done = command("report", "--store", standing, "--by", "files", *AT)
    assert (done.code, done.out) == (78, "")
    done.message('"files"', 'Did you mean "file"?')
    command("report", "--store", standing, "--by", "country", *AT).message("under the policy plain", "file, browser")


# --- any policy, any store -------------------------------------------------------------------------------------------


def test_an_empty_store(tmp_path: Path, command: Inside) -> None:
    """A store without accesses has a report, in each form."""
    store = make_store(tmp_path, [])
    answer = asked(command, store)
    assert (answer["first"], answer["total"]) == (None, {"requests": 0, "bytes": 0, "succeeded": 0, "failed": 0})
    done = command("report", "--store", store, "--html", "a.html", "--csv", "a.csv", *AT)
    assert done.code == 0, done
    assert "No accesses in the time that was asked for." in (tmp_path / "a.html").read_text()
    assert (tmp_path / "a.csv").read_text() == "by,value,requests,bytes,succeeded,failed\ntotal,,0,0,0,0\n"
    assert command("report", "--store", store, "--since", "2d", *AT).code == 0
    assert command("report", "--store", store, "--since", "2d", "--html", "b.html", *AT).code == 0


def test_time_by_day(tmp_path: Path, command: Inside) -> None:
    """Where a policy keeps no hours there are none; days are those of UTC, whatever zone is asked for."""
    text = open_policy().canonical
    policy = open_policy().model_validate(
        {
            **json.loads(text),
            "valid_from": date(2026, 11, 21),
            "fields": {**json.loads(text)["fields"], "time": {"as": "day"}},
        }
    )
    store = make_store(tmp_path, weeks(5), policy=policy)
    answer = asked(command, store, "--timezone", "Pacific/Kiritimati", "--since", "3d")
    assert answer["timezone"] == "UTC"
    assert list(answer["profile"]) == ["weekday"]  # type: ignore[call-overload]  # parsed JSON
    start = datetime(2026, 11, 19, tzinfo=UTC)
    assert spans(answer, "day") == counted_by_time(store, local_day(UTC), since=start)
    command("report", "--store", store, "--by", "hour", *AT).message('"hour"')
    assert command("report", "--store", store, "--html", "a.html", *AT).code == 0


def test_further_fields(tmp_path: Path, command: Inside) -> None:
    """Whatever else a policy keeps has a table, too, and response times a mean; without bytes and success none."""
    policy = open_policy(fields='method = { as = "list" }\nstatus = { as = "class" }\nsystem = { as = "family" }')
    store = make_store(tmp_path, weeks(3), policy=policy)
    answer = asked(command, store)
    assert set(answer["by"]) == set(columns_of(policy.spec)) >= {"method", "status", "system"}  # type: ignore[call-overload]  # parsed JSON
    for column in ("method", "status", "system"):
        assert values(answer, column) == counted(store, column)
    said = command("report", "--store", store, *AT).out
    assert all(title in said for title in ("Methods", "Status codes", "Operating systems"))


def test_only_what_is_kept(tmp_path: Path, command: Inside) -> None:
    """A policy of the time alone has a report: accesses over time, and no more."""
    kept = open_policy()
    bare = kept.model_copy(
        update={
            "fields": kept.fields.model_copy(update=dict.fromkeys(("domain", "file", "browser", "success", "bytes")))
        }
    )
    store = make_store(tmp_path, weeks(3), policy=bare)
    answer = asked(command, store)
    assert answer["by"] == {}
    assert set(answer["total"]) == {"requests"}  # type: ignore[call-overload]  # parsed JSON
    assert command("report", "--store", store, *AT).code == 0
    assert command("report", "--store", store, "--html", "a.html", "--csv", "-", *AT).out.startswith(
        "by,value,requests\n"
    )


def test_response_times(tmp_path: Path, command: Inside) -> None:
    """Of a policy that keeps response times the mean of each value is shown, and the sum is in the JSON."""
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(each.rstrip(b"\n") + b" 0.250\n" for each in weeks(2)))
    fmt = (
        'nginx:$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "-" "$http_user_agent" $request_time'
    )
    policy = tmp_path / "p.toml"
    policy.write_text(
        'name = "timed"\nversion = 1\nvalid_from = 2026-11-21\nkeep_for = "6 weeks"\n[purpose]\nevaluate = true\n'
        '[fields]\ntime = { as = "hour" }\nfile = { as = "path" }\nresponse_time = { as = "sum" }\n'
    )
    assert command("run", log, "--store", "store", "--policy", policy, "--format", fmt, *AT).code == 0
    answer = asked(command, tmp_path / "store")
    assert answer["total"] == {"requests": 24, "response_time": 6000}
    said = command("report", "--store", "store", *AT).out
    assert "250 ms" in said
    assert command("report", "--store", "store", "--html", "a.html", *AT).code == 0
    assert "250 ms" in (tmp_path / "a.html").read_text()


def test_nothing_is_changed(command: Inside, standing: Path) -> None:
    """A report leaves every file of the store as it was, and takes no lock."""
    before = snapshot(standing)
    with LocalStore.open(standing).locked(timedelta(0)):
        assert command("report", "--store", standing, "--html", "a.html", *AT).code == 0
    assert snapshot(standing) == before


def test_a_damaged_cell(tmp_path: Path, command: Inside) -> None:
    """Its accesses are missing, which is said, with 74; all others are counted."""
    store = make_store(tmp_path, weeks(4))
    whole = counted(store, "'all'")["all"]
    header, pages = any_cell(store, date(2026, 11, 18)), any_cell(store, date(2026, 11, 19))
    lost = sum(counted_rows(path) for path in (header, pages))
    header.write_bytes(b"PAR1 no more")
    data = bytearray(pages.read_bytes())
    data[4:60] = bytes(56)  # the footer stands, the rows do not
    pages.write_bytes(bytes(data))
    done = command("report", "--store", store, "--json", *AT)
    assert done.code == 74
    assert done.err.count("a cell is damaged") == 2
    assert len(done.json["damaged"]) == 2
    assert done.json["total"]["requests"] == whole[0] - lost
    assert "2 damaged cells" in command("report", "--store", store, "--html", "a.html", *AT).err
    assert "2 damaged cells" in (tmp_path / "a.html").read_text()


def counted_rows(path: Path) -> int:
    """The requests of one cell."""
    return counted(path.parents[2], f"CASE WHEN filename = '{path}' THEN 'this' ELSE 'all' END")["this"][0]


def test_a_cell_that_goes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is deleted between listing and reading makes the store be read again; one that always is, 75."""
    store = make_store(tmp_path, weeks(4))
    real, left = LocalStore.open_cell, [1]

    def vanishing(self: LocalStore, name: object) -> object:
        if left[0]:
            left[0] -= 1
            raise FileNotFoundError(str(name))
        return real(self, name)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(LocalStore, "open_cell", vanishing)
    assert load_report(store, Question(NOW)).total.requests == counted(store, "'all'")["all"][0]
    assert left == [0]
    left[0] = 10**9
    with pytest.raises(BusyError, match="changed while it was read"):
        load_report(store, Question(NOW))


def test_another_policy_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that forbids evaluation holds from the moment it is there: no figures of before are given."""
    store = make_store(tmp_path, weeks(4))
    real = report_loading._read

    def tightened(*arguments: object, **options: object) -> object:
        answer = real(*arguments, **options)  # type: ignore[arg-type]  # passed on
        forbid(tmp_path, store)
        return answer

    monkeypatch.setattr(report_loading, "_read", tightened)
    with pytest.raises(ConfigurationError, match=r"purpose\.evaluate"):
        load_report(store, Question(NOW))


def forbid(folder: Path, store: Path) -> None:
    """`policy apply` of the same policy without evaluation."""
    path = folder / "tight.toml"
    path.write_text(
        'name = "plain"\nversion = 2\nvalid_from = 2026-11-21\nkeep_for = "6 weeks"\n[fields]\n'
        'domain = { as = "provider", known_only = false }\ntime = { as = "hour" }\nfile = { as = "path" }\n'
        'browser = { as = "family+major" }\nsuccess = { as = "flag" }\nbytes = { as = "sum" }\n'
    )
    done = Inside(folder)("policy", "apply", store, path)
    assert done.code == 0, done


def test_rows_of_several_parts(standing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial sums that are made into one on the way change no figure."""
    monkeypatch.setattr("loganon.report.counting._ROWS", 7)
    report = load_report(standing, Question(NOW))
    found = {value: tally.requests for each in report.rankings if each.column == "file" for value, tally in each.rows()}
    assert found == {file: sums[0] for file, sums in counted(standing, "file").items()}


# --- many stores, buckets --------------------------------------------------------------------------------------------


def test_many_stores(tmp_path: Path, command: Inside) -> None:
    """By a configuration all stores are reported on; one that is refused spoils no other; a page needs one store."""
    for name, policy in (("one", open_policy()), ("two", plain_policy())):
        (tmp_path / f"{name}.log").write_bytes(b"".join(weeks(2)))
        ingest(tmp_path / name, [tmp_path / f"{name}.log"], policy=policy, format="combined")
    (tmp_path / "c.toml").write_text('[[input]]\nlogs = "{site}.log"\nstore = "{site}"\n')
    done = command("report", "--config", "c.toml", "--json", *AT)
    assert done.code == 78
    one, two = done.json["stores"]
    assert (one["exit_code"], two["exit_code"]) == (0, 78)
    assert one["total"]["requests"] == counted(tmp_path / "one", "'all'")["all"][0]
    assert "total" not in two
    assert command("report", "--config", "c.toml", "--html", "a.html", *AT).code == 2
    assert command("report", "--config", "c.toml", "--store", "one", "--html", "a.html", *AT).code == 0


@pytest.fixture(scope="module")
def server() -> Iterator[object]:
    require_server()
    with moto_server() as found:
        yield found


def test_a_store_in_a_bucket(tmp_path: Path, server: object) -> None:
    """A bucket's store has the same report as one in a directory."""
    variables = {
        "AWS_ENDPOINT_URL": server.endpoint,  # type: ignore[attr-defined]  # a Server
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": CREDENTIALS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["secret_access_key"],
        "AWS_REGION": CREDENTIALS["region"],
    }
    command = Inside(tmp_path, variables=variables)
    (tmp_path / "access.log").write_bytes(b"".join(weeks(2, a_day=8)))
    place = f"s3://{server.new_bucket()}/site"  # type: ignore[attr-defined]  # as above
    both = []
    for store in (place, "store"):
        run = command("run", "access.log", "--store", store, "--policy", "six-weeks", "--format", "combined", *AT)
        assert run.code == 0, run
        both.append(command("report", "--store", store, "--json", *AT))
    assert [done.code for done in both] == [0, 0], both
    assert both[0].json | {"store": ""} == both[1].json | {"store": ""}
    assert command("report", "--store", place, "--html", "a.html", *AT).code == 0


# --- exports and the terminal ----------------------------------------------------------------------------------------


def hostile(tmp_path: Path) -> Path:
    """A store with names of files that do something where they are not shown as text."""
    store = make_store(tmp_path, weeks(3))
    plant(store, HOSTILE)
    return store


def test_csv(tmp_path: Path, command: Inside) -> None:
    """Each figure is in the CSV, as digits; no cell begins a formula, and nothing in it controls a terminal."""
    store = hostile(tmp_path)
    done = command("report", "--store", store, "--csv", "-", *AT)
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out)))
    known = counted(store, "file")
    files = {row["value"]: int(row["requests"]) for row in rows if row["by"] == "file"}
    assert files == {neutral(file): sums[0] for file, sums in known.items()}
    assert len(files) == len(known)
    for row in rows:
        assert not row["value"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert all(row[name].isdecimal() for name in ("requests", "bytes", "succeeded", "failed"))
    assert all(each.isprintable() for each in done.out.splitlines())
    assert rows[0] | {"by": "", "value": ""} == {
        "by": "",
        "value": "",
        **{name: str(amount) for name, amount in asked(command, store)["total"].items()},  # type: ignore[attr-defined]  # parsed JSON
    }


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@A1", "'@A1"),
        ("\t=1", "'\\t=1"),
        ("\r", "'\\r"),
        ("\uff1d1", "'\uff1d1"),
        ("/=1", "/=1"),
        ("404", "404"),
        ("", ""),
        ("\x1b[0m", "\\x1b[0m"),
    ],
)
def test_cells(text: str, cell: str) -> None:
    """An apostrophe stands before what a spreadsheet would take for a formula, and nowhere else."""
    assert neutral(text) == cell


def test_json_has_the_values_and_controls_nothing(tmp_path: Path, command: Inside) -> None:
    """The JSON is one line of ASCII, and every value in it is the stored one."""
    store = hostile(tmp_path)
    done = command("report", "--store", store, "--json", *AT)
    assert done.out.isascii()
    assert done.out.rstrip("\n").isprintable()
    assert values(done.json, "file") == counted(store, "file")
    assert set(HOSTILE) <= set(values(done.json, "file"))


def test_the_terminal_is_not_controlled(tmp_path: Path, command: Inside) -> None:
    """What the terminal gets is text: no control or bidi character; markup of rich is shown as it is."""
    store = hostile(tmp_path)
    plant(store, ["[bold red]x[/]", *HOSTILE])
    done: Done = command("report", "--store", store, "--top", "200", *AT)
    assert done.code == 0
    assert all(each.isprintable() for each in done.out.splitlines())
    assert "[bold red]x[/]" in done.out
    assert "\\x1b[31m" in done.out


def test_the_terminals_tables(command: Inside, standing: Path) -> None:
    """The overview has the total and a table each of time, files, browsers, domains, success and coverage."""
    done = command("report", "--store", standing, *AT)
    titles = ("By day", "Files", "Browsers", "Domains of the providers", "Success", "Coverage")
    places = [done.out.index(f"\n{title} ") for title in titles]
    assert places == sorted(places)
    total = counted(standing, "'all'")["all"]
    assert f"{total[0]:,} accesses; " in done.out
    assert "By weekday" not in done.out
    assert "By weekday" in command("report", "--store", standing, "--by", "time", *AT).out


def test_one_thing_on_standard_output(command: Inside, standing: Path) -> None:
    """JSON and CSV are not mixed; with files to write the tables are not printed."""
    assert command("report", "--store", standing, "--json", "--csv", "-", *AT).code == 2
    done = command("report", "--store", standing, "--html", "a.html", "--csv", "a.csv", "--json", *AT)
    assert done.code == 0
    assert done.json["total"]
    assert command("report", "--store", standing, "--html", "a.html", *AT).out == ""
    assert (command.folder / "a.csv").read_text() == command("report", "--store", standing, "--csv", "-", *AT).out


def test_the_page_names_no_place(tmp_path: Path, command: Inside, standing: Path) -> None:
    """The page says nothing of where the store lies, and not its id."""
    assert command("report", "--store", standing, "--html", "a.html", *AT).code == 0
    page = (tmp_path / "a.html").read_text("utf-8")
    assert str(standing) not in page
    assert standing.parent.name not in page
    assert LocalStore.open(standing).uuid not in page


@pytest.mark.parametrize("missing", ["jinja2", "pygal"])
def test_without_the_extra(tmp_path: Path, command: Inside, standing: Path, missing: str) -> None:
    """Without the extra a page is refused (78) with what to install; tables, CSV and JSON need none of it."""
    rendering._environment.cache_clear()
    with mock.patch.dict(sys.modules, {missing: None}):
        done = command("report", "--store", standing, "--html", "a.html", "--quiet", *AT)
        assert command("report", "--store", standing, "--json", *AT).code == 0
        assert command("report", "--store", standing, "--csv", "a.csv", *AT).code == 0
        assert command("report", "--store", standing, *AT).code == 0
    assert (done.code, done.out) == (78, "")
    done.message("the extra `report`", "pip install 'loganon-access[report]'")
    assert not (tmp_path / "a.html").exists()
