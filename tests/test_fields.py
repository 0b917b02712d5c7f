"""The fields beyond the six: closed lists, domains and numbers; hostile values give the empty answer."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ua_parser import load_lazy_builtins

from loganon.fields import FIELDS
from loganon.lookups import Lookups, open_lookups
from loganon.lookups.agents import Systems, load_families
from loganon.lookups.lists import load_list
from loganon.lookups.suffixes import load_suffixes
from loganon.policy import PolicyError, load_policy, parse_policy
from loganon.shapes import personal
from loganon.treatments import Treatment
from loganon.treatments.time import make_time
from support.cli import SAMPLE_NOW, Inside
from support.runs import PLAIN, line, table_of

CASES = tomllib.loads((Path(__file__).parent / "cases" / "fields.toml").read_text("utf-8"))
FURTHER = ("method", "protocol", "status", "referrer", "system", "country", "host", "response_time")
OPTIONS = {
    "method": "list",
    "protocol": "list",
    "status": "number",
    "referrer": "domain",
    "system": "family",
    "country": "code",
    "host": "site",
    "response_time": "sum",
}
SITES = ("www.shop.example",)
SOME = """
[scope]
sites = ["www.shop.example"]
[fields]
time = { as = "hour" }
bytes = { as = "sum" }
method = { as = "list" }
protocol = { as = "list" }
status = { as = "class" }
referrer = { as = "domain", known = ["example.com"] }
system = { as = "family" }
country = { as = "code" }
host = { as = "site" }
response_time = { as = "sum" }
"""
SHORT = """
domain = { as = "provider" }
time = { as = "hour" }
country = { as = "code" }
"""
POLICY = PLAIN.split("[fields]")[0] + SOME


def treatment(name: str, raw: str) -> Treatment:
    row = FIELDS[name]
    given_ = {"as": OPTIONS[name]} | ({"known": ("example.com",)} if name == "referrer" else {})
    return row.make(row.options(**given_), raw, Lookups(sites=frozenset(SITES)))


@pytest.mark.parametrize(("name", "raw"), [(name, raw) for name, columns in CASES.items() for raw in columns])
def test_cases(name: str, raw: str) -> None:
    """Each value of the data file gives its answer; bytes that are no UTF-8 give the empty one."""
    cases = CASES[name][raw]
    (found,) = treatment(name, raw)(pl.Series([*cases, None], dtype=pl.String))
    empty = 0 if name == "response_time" else "unknown"
    assert dict(zip(cases, found.to_list(), strict=False)) == cases
    assert found.to_list()[-1] == empty


def test_every_field_has_cases() -> None:
    """But for the country, which needs a database."""
    assert set(CASES) == set(FURTHER) - {"country"}
    assert list(FIELDS)[-len(FURTHER) :] == list(FURTHER)
    assert not set(FURTHER) & {name for name, _ in load_policy("imos").kept()}


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.text(max_size=60), st.from_regex(r"https?://[^/]{0,30}/?", fullmatch=True))))
def test_never_raises_and_never_passes_on(values: list[str | None]) -> None:
    """Whatever comes in: as many answers as values, none null, none shaped like an address or an e-mail."""
    given_ = pl.Series(values, dtype=pl.String)
    for name in FURTHER:
        for raw in FIELDS[name].raw:
            (found,) = treatment(name, raw)(given_)
            assert (len(found), found.null_count()) == (len(given_), 0)
            if found.dtype == pl.String:
                assert not personal(found).any()


@given(st.lists(st.datetimes(timezones=st.just(UTC))))
def test_a_time_is_the_start_of_its_hour_or_day(moments: list[datetime]) -> None:
    """Whatever the time, before 1970 too, where the milliseconds are negative."""
    given_times = pl.Series(moments, dtype=pl.Datetime("ms", "UTC"))
    hours = [moment.replace(minute=0, second=0, microsecond=0) for moment in moments]
    assert make_time("hour")(given_times)[0].to_list() == hours
    assert make_time("day")(given_times)[0].to_list() == [hour.replace(hour=0) for hour in hours]


def test_the_lists() -> None:
    """Each value once; the referrers are registrable domains, as their own section of the list has them."""
    for name in ("methods", "protocols", "systems", "countries", "referrers"):
        values = load_list(name)
        assert len(values) == len(set(values)) > 4
    assert [domain for domain in load_list("referrers") if not load_suffixes().is_registrable(domain)] == []
    assert load_families()


def test_each_system_that_the_rules_fix_is_listed() -> None:
    """What ua-parser's rules write themselves is no part of an agent: it is answered, and only `Other` is `other`."""
    fixed = {rule.family for rule in load_lazy_builtins()[1] if rule.family and "$" not in rule.family} - {"Other"}
    assert {name.casefold() for name in fixed} <= {name.casefold() for name in load_list("systems")}
    agents = ["Mozilla/5.0 (Web0S; Linux/SmartTV) Chrome/94.0", "Roku/DVP-9.1 (5)", "Mozilla/5.0 (Jane OS; jane)"]
    assert [Systems()(agent) for agent in agents] == ["Web0S", "Roku", "other"]


def test_country(tmp_path: Path) -> None:
    """From a database that has countries, in each layout; a code that is none, and no database, give `unknown`."""
    mmdb_writer = pytest.importorskip("mmdb_writer")
    from netaddr import IPSet  # noqa: PLC0415 - comes with mmdb_writer

    layouts: dict[str, Any] = {
        "91.44.0.0/16": {"country": {"iso_code": "DE"}},
        "91.45.0.0/16": {"country_code": "BG"},
        "91.46.0.0/16": {"country": "FR"},
        "91.47.0.0/16": {"country": "ZZ"},
        "91.48.0.0/16": {"country": "jane"},
    }
    writer = mmdb_writer.MMDBWriter(4, "Countries")
    for network, record in layouts.items():
        writer.insert_network(IPSet([network]), record)
    path = tmp_path / "c.mmdb"
    writer.to_db_file(str(path))
    row = FIELDS["country"]
    clients = [
        "91.44.26.11",
        "91.45.1.1",
        "::ffff:91.46.1.1",
        "91.47.1.1",
        "91.48.1.1",
        "9.9.9.9",
        "10.0.0.1",
        "x.de",
        "-",
    ]
    for lookups, wanted in (
        (open_lookups((path,)), ["DE", "BG", "FR", *["unknown"] * 6]),
        (Lookups(), ["unknown"] * 9),
    ):
        (found,) = row.make(row.options(**{"as": "code"}), "client", lookups)(pl.Series(clients))
        assert found.to_list() == wanted


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, ["came from addresses, and no provider database was given", "no database with countries was given"]),
        ({"asn": 3320}, ["no database with countries was given"]),
        ({"country_code": "DE"}, ["came from addresses, and the database that was given has no providers"]),
        ({"asn": 3320, "country_code": "DE"}, []),
    ],
    ids=["none", "providers", "countries", "both"],
)
def test_what_no_database_answers(command: Inside, record: dict[str, Any] | None, said: list[str]) -> None:
    """A field that no database that is given can answer is told, by `run` and by `preview`, with its count."""
    mmdb_writer = pytest.importorskip("mmdb_writer")
    from netaddr import IPSet  # noqa: PLC0415 - comes with mmdb_writer

    policy = PLAIN.split("domain ")[0] + SHORT
    (command.folder / "p.toml").write_text(policy)
    (command.folder / "a.log").write_bytes(line(datetime(2026, 11, 20, 8, tzinfo=UTC), client="9.9.9.9"))
    words: list[str] = []
    if record is not None:
        writer = mmdb_writer.MMDBWriter(4, "Test")
        writer.insert_network(IPSet(["91.44.0.0/16"]), record)
        writer.to_db_file(str(command.folder / "x.mmdb"))
        words = ["--provider-db", "x.mmdb"]
    done = command("run", "a.log", "--store", "s", "--policy", "./p.toml", "--now", SAMPLE_NOW, *words)
    notes = done.err.splitlines()
    assert done.code == 0
    assert len(notes) == len(said), notes
    assert all(text in note and "1 accesses" in note for text, note in zip(said, notes, strict=True))
    shown = command("preview", "a.log", "--policy", "./p.toml", *words).out
    assert ("No database with providers was given" in shown) == any("came from addresses" in text for text in said)
    assert ("No database with countries was given" in shown) == any("with countries" in text for text in said)


def test_in_a_store(command: Inside) -> None:
    """All of them, from a log that shows them to a table that `verify` holds; hosts of others are `excluded`."""
    (command.folder / "p.toml").write_text(POLICY)
    fmt = 'apache:%v:%p %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'
    base = line(datetime(2026, 11, 20, 8, tzinfo=UTC)).decode().rstrip("\n")
    shown = base.replace('"-"', '"https://www.google.com/?q=91.44.26.11"')
    lines = [
        f"www.shop.example:443 {shown} 41999\n",
        f"www.shop.example:443 {shown} 1000\n",
        f"x.example:80 {base} 1\n",
    ]
    (command.folder / "a.log").write_text("".join(lines))
    words = ("--policy", "./p.toml", "--store", "s", "--now", SAMPLE_NOW, "--json")
    done = command("run", "a.log", "--format", fmt, *words).json
    assert (done["counted"], done["rejected"]["excluded"], done["redacted"]) == (2, 1, 0)
    (row,) = table_of(command.folder / "s").to_pylist()
    row.pop("time")
    assert row == {
        "method": "GET",
        "protocol": "HTTP/1.1",
        "status": "2xx",
        "referrer": "google.com",
        "system": "Linux",
        "country": "unknown",
        "host": "www.shop.example",
        "requests": 2,
        "bytes": 20,
        "response_time": 43,
    }
    found = command("verify", "--store", "s", "--now", SAMPLE_NOW)
    assert found.code == 0, found.err
    shown_ = command("policy", "show", "s", "--json").json
    assert all(each["technique"] for each in shown_["kept"])


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    """The command in a folder of its own."""
    return Inside(tmp_path)


def test_a_log_that_does_not_show_them(command: Inside) -> None:
    """The empty answer of each, and every line counts."""
    text = POLICY.replace('[scope]\nsites = ["www.shop.example"]\n', "").replace('host = { as = "site" }\n', "")
    (command.folder / "p.toml").write_text(text)
    (command.folder / "a.log").write_text(
        json.dumps(
            {
                "time_iso8601": "2026-11-20T08:00:00+00:00",
                "remote_addr": "91.44.26.11",
                "request_uri": "/",
                "status": 200,
                "body_bytes_sent": 1,
            }
        )
        + "\n"
    )
    done = command(
        "run", "a.log", "--format", "nginx_json", "--policy", "./p.toml", "--store", "s", "--now", SAMPLE_NOW, "--json"
    ).json
    assert done["counted"] == 1
    (row,) = table_of(command.folder / "s").to_pylist()
    assert {row[name] for name in ("method", "protocol", "referrer", "system", "country")} == {"unknown"}
    assert (row["status"], row["response_time"]) == ("2xx", 0)


def test_a_host_needs_sites() -> None:
    """Without the scope there is no closed list for it: 78."""
    with pytest.raises(PolicyError, match=r"scope\.sites is missing"):
        parse_policy(POLICY.replace('[scope]\nsites = ["www.shop.example"]\n', ""), where="p")


def test_verify_knows_the_lists() -> None:
    """A value that is in no list is a stranger in each column, and what the treatments give is none."""
    from loganon.verify.values import make_judges  # noqa: PLC0415 - beside its use

    judges = make_judges(parse_policy(POLICY, where="p"))
    for name in set(FURTHER) - {"response_time"}:
        assert judges[name](pl.Series(["unknown", "other", "{redacted}"])) == 0, name
        assert judges[name](pl.Series(["jane", "91.44.26.11", "x.example.org"])) == 3, name
    assert judges["referrer"](pl.Series([".de", "{own}", "google.com", "example.com"])) == 0
    assert judges["referrer"](pl.Series(["t-ipconnect.de"])) == 1
