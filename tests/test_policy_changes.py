"""What a change of policy tightens and what it loosens: an order on every key, the worst case where none holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loganon.fields import FIELDS, Options, PathOptions, ProviderOptions, TimeOptions, TruncatedOptions
from loganon.lookups import Lookups
from loganon.periods import Period, parse_period
from loganon.policy import Policy, bundled, load_policy, parse_policy
from loganon.policy.changes import compare, loosened, order_of
from loganon.strictness import Direction, handling, shorter
from loganon.treatments.file import routes_overlap

TIGHTER, LOOSER, NEITHER = Direction.TIGHTER, Direction.LOOSER, Direction.NEITHER
BASE = """
name = "base"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[controller]
name = ""
[purpose]
evaluate = true
share = "none"
[raw]
access = "kept 14 days"
error = "removed after ingest"
[consent]
require = []
exclude_when = ["DNT"]
[fields]
domain  = { as = "provider", known_only = true, known = ["example.com"], minimum = 5 }
network = { as = "truncated", v4 = 20, v6 = 40 }
time    = { as = "hour" }
file    = { as = "path", routes = ["/", "/user/:id", "/blog/*"], minimum = 1 }
browser = { as = "family+major" }
success = { as = "flag" }
"""


def policy(text: str) -> Policy:
    return parse_policy(text, where="p.toml")


def keys(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Every key that takes a value, of a part and of the parts within it."""
    for name, info in model.model_fields.items():
        kinds = (info.annotation, *getattr(info.annotation, "__args__", ()))
        tables = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if tables:
            for table in tables:
                yield from ((f"{name}.{key}", found) for key, found in keys(table))
        else:
            yield name, info


def test_every_key_has_an_order_and_a_description() -> None:
    """A key of a policy without one of them is not finished."""
    found = dict(keys(Policy))
    assert len(found) >= 30
    assert [key for key, info in found.items() if order_of(info) is None] == []
    assert [key for key, info in found.items() if not info.description] == []


@pytest.mark.parametrize(
    ("key", "old", "new", "direction"),
    [
        ("name", '"base"', '"other"', NEITHER),
        ("version", "version = 1", "version = 2", NEITHER),
        ("valid_from", "2026-11-21", "2026-11-22", NEITHER),
        ("controller.name", 'name = ""', 'name = "Me"', NEITHER),
        ("keep_for", '"6 weeks"', '"41 days"', TIGHTER),
        ("keep_for", '"6 weeks"', '"42 days"', NEITHER),
        ("keep_for", '"6 weeks"', '"43 days"', LOOSER),
        ("keep_for", '"6 weeks"', '"10 years"', LOOSER),
        ("purpose.evaluate", "true", "false", TIGHTER),
        ("purpose.share", '"none"', '"anonymous"', LOOSER),
        ("raw.access", '"kept 14 days"', '"kept 13 days"', TIGHTER),
        ("raw.access", '"kept 14 days"', '"kept 3 weeks"', LOOSER),
        ("raw.access", '"kept 14 days"', '"removed after ingest"', TIGHTER),
        ("raw.error", '"removed after ingest"', '"never written"', TIGHTER),
        ("raw.error", '"removed after ingest"', '"kept 1 day"', LOOSER),
        ("consent.require", "require = []", 'require = ["cookie"]', TIGHTER),
        ("consent.exclude_when", '["DNT"]', '["DNT", "Sec-GPC"]', TIGHTER),
        ("consent.exclude_when", '["DNT"]', '["Sec-GPC"]', LOOSER),
        ("fields.domain.known_only", "known_only = true", "known_only = false", LOOSER),
        ("fields.domain.known", '"example.com"', "", TIGHTER),
        ("fields.domain.known", '"example.com"', '"example.com", "example.org"', LOOSER),
        ("fields.domain.minimum", "minimum = 5", "minimum = 6", TIGHTER),
        ("fields.domain.minimum", "minimum = 5", "minimum = 4", LOOSER),
        ("fields.file.minimum", "minimum = 1", "minimum = 0", NEITHER),
        ("fields.network.v4", "v4 = 20", "v4 = 19", TIGHTER),
        ("fields.network.v4", "v4 = 20", "v4 = 21", LOOSER),
        ("fields.network.v6", "v6 = 40", "v6 = 41", LOOSER),
        ("fields.network", 'network = { as = "truncated", v4 = 20, v6 = 40 }\n', "", TIGHTER),
        ("fields.bytes", "[fields]", '[fields]\nbytes = { as = "sum" }', LOOSER),
        ("fields.time.as", '"hour"', '"day"', TIGHTER),
        ("fields.browser.as", '"family+major"', '"family"', TIGHTER),
        ("fields.file.routes", '"/", ', "", TIGHTER),
        ("fields.file.routes", '"/", ', '"/", "/about", ', LOOSER),
        ("fields.file.routes", '["/", "/user/:id", "/blog/*"]', "[]", LOOSER),
        ("fields.file.routes", '"/user/:id", "/blog/*"', '"/blog/*", "/user/:id"', LOOSER),
    ],
)
def test_a_change(key: str, old: str, new: str, direction: Direction) -> None:
    """Each key, one change at a time; the other way round it is the opposite, but for what cannot be compared."""
    assert old in BASE
    before, after = policy(BASE), policy(BASE.replace(old, new, 1))
    (change,) = compare(before, after)
    assert (change.key, change.direction) == (key, direction)
    assert change.sentence.endswith(".")
    assert "{" not in change.sentence
    (back,) = compare(after, before)
    opposite = {TIGHTER: {LOOSER}, LOOSER: {TIGHTER, LOOSER}, NEITHER: {NEITHER}}
    assert back.direction in opposite[direction]


def test_known_providers_when_all_were_kept() -> None:
    """Where any domain was kept, a list of known ones loosens nothing."""
    text = BASE.replace("known_only = true, ", "known_only = false, ")
    closer = BASE.replace('["example.com"]', '["example.com", "example.org"]')
    changes = compare(policy(text), policy(closer))
    assert {change.key: change.direction for change in changes} == {
        "fields.domain.known_only": TIGHTER,
        "fields.domain.known": NEITHER,
    }


def test_a_route_that_goes_must_not_uncover_another() -> None:
    """Paths of a route that goes may fall to a later one, which would be finer: looser."""
    text = BASE.replace('"/user/:id"', '"/b*", "/user/:id"')
    assert [change.direction for change in compare(policy(text), policy(BASE))] == [LOOSER]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("/a", "/b", False),
        ("/a", "/a/", True),
        ("/a/:x", "/a/b", True),
        ("/a/:x", "/a/b/c", False),
        ("/a/*", "/a/b/c", True),
        ("/a/*", "/b/*", False),
        ("/a*", "/ab/c", True),
        ("/*", "/x/y/z", True),
        ("/a", "/a/*", True),
        ("/", "/a/*", False),
        ("/", "/*", True),
        ("/a*", "/b", True),
    ],
)
def test_overlapping_routes(one: str, other: str, *, overlap: bool) -> None:
    """Never False where a path matches both; the last pair is a doubt, and counts as one."""
    assert routes_overlap(one, other) is overlap
    assert routes_overlap(other, one) is overlap


def test_the_same_policy_has_no_changes() -> None:
    """Of each bundled policy; and two that differ never loosen in neither way."""
    found = [load_policy(name) for name in bundled()]
    for one in found:
        assert compare(one, one) == ()
    for one in found:
        for other in found:
            if not loosened(compare(one, other)) and not loosened(compare(other, one)):
                assert all(change.direction is NEITHER for change in compare(one, other))


AGES = st.one_of(
    st.builds(Period, st.integers(1, 900), st.sampled_from(("day", "week", "month", "year"))), st.just(Period(0, "day"))
)
DAYS = st.dates(date(1999, 1, 1), date(2105, 1, 1))


@settings(max_examples=200)
@given(AGES, AGES, st.lists(DAYS, min_size=8, max_size=8))
def test_ages_on_real_days(old: Period, new: Period, starts: list[date]) -> None:
    """An age that is called tighter, or the same, is over no later from any day; never are both ways tighter."""
    direction = shorter(old, new)
    ends = [(new.after(day), old.after(day)) for day in starts]
    if direction is TIGHTER:
        assert all(after <= before for after, before in ends)
        assert shorter(new, old) is LOOSER
    if direction is NEITHER:
        assert all(after == before for after, before in ends)


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ("1 month", "28 days", TIGHTER),
        ("1 month", "29 days", LOOSER),
        ("30 days", "1 month", LOOSER),
        ("31 days", "1 month", TIGHTER),
        ("1 year", "12 months", NEITHER),
        ("1 year", "365 days", TIGHTER),
        ("365 days", "1 year", LOOSER),
        ("366 days", "1 year", TIGHTER),
        ("unlimited", "99999 years", TIGHTER),
        ("99999 years", "unlimited", LOOSER),
    ],
)
def test_ages_of_months(old: str, new: str, direction: Direction) -> None:
    """The calendar's months and years against days: by the worst case."""
    assert shorter(parse_period(old), parse_period(new)) is direction


def test_the_days_of_every_start() -> None:
    """The bound on what an age in months lasts is that of every day of the calendar, not of a sample."""
    for months, low, high in ((1, 28, 31), (2, 59, 62), (6, 181, 184), (12, 365, 366), (13, 393, 397)):
        age = Period(months, "month")
        found = {(age.after(day) - day).days for day in (date(2000, 1, 1) + timedelta(n) for n in range(146_097))}
        assert (min(found), max(found)) == (low, high)
        assert shorter(Period(high, "day"), age) is TIGHTER
        assert shorter(Period(high - 1, "day"), age) is LOOSER
        assert shorter(age, Period(low, "day")) is TIGHTER
        assert shorter(age, Period(low + 1, "day")) is LOOSER


def test_raw_logs() -> None:
    """Never written, removed, kept: in this order, whatever the age."""
    order = ["never written", "removed after ingest", "kept 1 day", "kept 1 year", "kept unlimited"]
    for n, one in enumerate(order):
        for other in order[:n]:
            assert handling(one, other) is TIGHTER
            assert handling(other, one) is LOOSER


# --- what is stored, under tighter options --------------------------------------------------------------------------

CLIENTS = [
    "p5B2C1A0B.dip0.t-ipconnect.de",
    "mail.fam-schmidt.de",
    "x.example.com",
    "91.44.26.11",
    "2003:1:ab::1",
    "::ffff:91.44.26.11",
    "jane.smith.name",
    "",
]
PATHS = ["/", "/user/jane", "/user/12/x", "/blog/a/b?q", "/a%40b.example", "*", "/x", "/blog", "/user/jane@x.example"]
PAIRS: list[tuple[str, Options, Options, list[str]]] = [
    (
        "domain",
        ProviderOptions(**{"as": "provider", "known_only": False}),
        ProviderOptions(**{"as": "provider"}),
        CLIENTS,
    ),
    (
        "domain",
        ProviderOptions(**{"as": "provider", "known_only": False}),
        ProviderOptions(**{"as": "provider", "known": ("example.com",)}),
        CLIENTS,
    ),
    (
        "domain",
        ProviderOptions(**{"as": "provider", "known": ("example.com",)}),
        ProviderOptions(**{"as": "provider"}),
        CLIENTS,
    ),
    (
        "network",
        TruncatedOptions(**{"as": "truncated"}),
        TruncatedOptions(**{"as": "truncated", "v4": 9, "v6": 33}),
        CLIENTS,
    ),
    (
        "network",
        TruncatedOptions(**{"as": "truncated"}),
        TruncatedOptions(**{"as": "truncated", "v4": 0, "v6": 0}),
        CLIENTS,
    ),
    (
        "file",
        PathOptions(**{"as": "path"}),
        PathOptions(**{"as": "path", "routes": ("/", "/user/:id", "/blog/*")}),
        PATHS,
    ),
    (
        "file",
        PathOptions(**{"as": "path", "routes": ("/", "/user/:id", "/blog/*")}),
        PathOptions(**{"as": "path", "routes": ("/", "/blog/*")}),
        PATHS,
    ),
]


@pytest.mark.parametrize("index", range(len(PAIRS)))
def test_treated_again(index: int) -> None:
    """What was stored under looser options and is treated again is what the tighter ones make of the raw value."""
    name, old, new, raw = PAIRS[index]
    row = FIELDS[name]
    values = pl.Series(raw, dtype=pl.String)
    stored, wanted = (row.make(options, "path", Lookups())(values)[0] for options in (old, new))
    assert row.again is not None
    named = [
        value for value in stored.to_list() if value.startswith("/") or (value[:1].isalnum() and value != "unknown")
    ]
    again = dict(zip(named, row.again(old, new)(pl.Series(named, dtype=pl.String)).to_list(), strict=True))
    assert [again.get(value, value) for value in stored.to_list()] == wanted.to_list()
    assert stored.to_list() != wanted.to_list()


def test_what_can_differ_can_be_treated_again() -> None:
    """A field with options besides its minimum says how stored values become those under tighter options."""
    for name, row in FIELDS.items():
        free = [
            key
            for key, info in row.options.model_fields.items()
            if key != "minimum" and (key != "as_" or len(getattr(info.annotation, "__args__", ())) > 1)
        ]
        assert bool(free) == (row.again is not None), name
    assert FIELDS["time"].again is not None
    assert TimeOptions(**{"as": "day"}).as_ == "day"
