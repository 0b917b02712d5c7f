"""The browser: only families of the closed list, never a part of the agent string."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ua_parser import load_lazy_builtins

from loganon.lookups.agent_columns import _Rule, _shortened
from loganon.lookups.agent_rules import find_browser
from loganon.lookups.agents import (
    _WITHOUT_RULE,
    KINDS,
    LONGEST,
    MANY,
    Agents,
    _columns,
    is_bot,
    load_families,
)
from loganon.lookups.literals import any_of, needed
from loganon.treatments.browser import make_browser

CASES = Path(__file__).parent / "cases" / "browser" / "agents.jsonl"
STORED = {name for name, _ in load_families().values()} | {"other", "other-bot", "unknown"}
treat = make_browser(major=True)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


AGENTS = records(CASES)


def one(agent: str | None) -> tuple[str, str]:
    family, version = treat(pl.Series([agent], dtype=pl.String))
    return family[0], version[0]


@pytest.mark.parametrize("case", AGENTS, ids=lambda case: str(case["agent"])[:40])
def test_cases(case: dict[str, str]) -> None:
    """One agent, its family and its major version."""
    assert one(case["agent"]) == (case["family"], case["version"])


@given(
    st.text(max_size=300) | st.from_regex(r"[A-Za-z ]{1,20}([Bb]ot|crawler|)/[0-9.]{1,20}( CFNetwork)?", fullmatch=True)
)
def test_only_the_closed_list_comes_out(agent: str) -> None:
    """Any agent: a listed family or an empty answer; a version of at most three digits."""
    family, version = one(agent)
    assert family in STORED
    assert re.fullmatch(r"[0-9]{0,3}", version)
    assert is_bot(agent) in {True, False}


def test_without_major_there_is_one_column() -> None:
    """`family` alone stores no version."""
    (family,) = make_browser(major=False)(pl.Series(["curl/8.5.0", None]))
    assert family.to_list() == ["curl", "unknown"]


def test_the_list_is_well_formed() -> None:
    """Sorted, no name twice in any case, short, no contact, no number that could be an id."""
    lines = Path(__file__).parent.parent / "src/loganon/lookups/data/browsers.txt"
    rows = [
        line.partition(" ")[::2] for line in lines.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    assert rows == sorted(rows, key=lambda row: (row[0], row[1].casefold()))
    assert len({name.casefold() for _, name in rows}) == len(rows) == len(load_families())
    for kind, name in rows:
        assert kind in KINDS
        assert len(name) <= 45
        assert not re.search(r"[0-9]{5}|@|https?:|\$", name)


NAMED_BY_A_RULE = {"Lavf", "Nextcloud-Desktop"}  # as the player and the client that they are part of


def kind_of(agent: str) -> str:
    return load_families().get(one(agent)[0].casefold(), ("", "no program"))[1]


def test_each_listed_program_is_found_where_an_agent_names_it() -> None:
    """Whatever stands in the list is answered by its name, or by a nearer one of a rule: never `other` or a browser."""
    browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
    programs = [row for row in load_families().values() if row[1] != "browser" and row[0] not in NAMED_BY_A_RULE]
    agents = [f"Mozilla/5.0 (compatible; {name}/3.2; +http://site.example/)" for name, _ in programs]
    agents += [f"{name}/3.2 (x)" for name, _ in programs]
    assert [agent for agent in agents if kind_of(agent) not in {"bot", "library"}] == []
    bots = {name for name, kind in programs if kind == "bot" and name[0].isalpha()}
    bots -= {"okhttp-bot"}  # of which a rule tells the library
    assert [name for name in bots if kind_of(f"{browser} {name}") != "bot"] == []


def test_what_no_rule_names_is_listed() -> None:
    """A browser that loganon names itself is in the list, and ua-parser has no name for it."""
    for name in _WITHOUT_RULE:
        listed, kind = load_families()[name]
        assert kind == "browser"
        assert find_browser(f"{listed}/7.1") is None
        assert one(f"{listed}/7.1") == (listed, "7")


def test_bots_are_told_from_browsers() -> None:
    """For rules that leave bots out: listed ones and self-declared ones; a library is none."""
    assert is_bot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert is_bot("MyCrawler/1.0 (contact: jane.doe@example.org)")
    assert is_bot("Mozilla/5.0 (Unknown; Linux) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1")
    assert not is_bot("curl/8.5.0")
    assert not is_bot(
        "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/90.0.1.2 Mobile Safari/537.36"
    )
    assert not is_bot(None)


def test_a_flood_of_agents_is_forgotten() -> None:
    """The memory for answers is bounded, and forgetting changes no answer."""
    agents = Agents(capacity=10)
    assert {agents(f"curl/{number}") for number in range(100)} == {("curl", str(number)) for number in range(100)}
    assert len(agents._known) <= 10


def test_only_the_beginning_of_a_huge_agent_is_looked_at() -> None:
    """Bounded work: what stands behind the limit changes nothing."""
    assert one("x" * LONGEST + " Googlebot/2.1") == ("other", "")
    assert one("\u0000" * 8000) == ("other", "")


@pytest.mark.corpus
def test_agreement_with_uap_core(corpus: Path) -> None:
    """Where the family is listed it is uap-core's, with its version; `other` is below 5 % of what is no one-off."""
    rows = [
        json.loads(line) for line in (corpus / "expected" / "ua_uapcore.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    often = Counter(row["expect"]["family"] for row in rows)
    listed = agreed = version = common = other = 0
    for row in rows:
        expected = row["expect"]["family"]
        family, major = one(row["ua"])
        assert family in STORED
        if often[expected] > 1 and expected != "Other":
            common += 1
            other += family == "other"
        if expected.casefold() in load_families():
            listed += 1
            agreed += family.casefold() == expected.casefold()
            wanted = row["expect"]["major"] or ""
            wanted = wanted if re.fullmatch("[0-9]{1,3}", wanted) else ""
            version += family.casefold() == expected.casefold() and major == wanted
    print(
        f"\nuap-core: {listed} of {len(rows)} listed: family {agreed / listed:.2%}, version {version / listed:.2%};",
        end=" ",
    )
    print(f"other: {other} of {common}")
    assert agreed / listed > 0.99
    assert version / listed > 0.99
    assert other / common < 0.05


@pytest.mark.corpus
def test_crawlers_are_bots(corpus: Path) -> None:
    """Most crawlers of the public list are a named bot, a library or `other-bot`."""
    rows = [
        json.loads(line)
        for line in (corpus / "expected" / "ua_crawlers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    families = treat(pl.Series([row["ua"] for row in rows]))[0]
    kinds = Counter(load_families().get(family.casefold(), ("", family))[1] for family in families)
    share = (kinds["bot"] + kinds["library"] + kinds["other-bot"]) / len(rows)
    print(f"\ncrawlers: {dict(kinds)}, as programs: {share:.1%}")
    assert share > 0.85


@pytest.mark.corpus
def test_payloads_leave_nothing(corpus: Path) -> None:
    """Hostile strings as agents: only the closed list comes out."""
    for path in (corpus / "logs" / "payloads").rglob("*.*"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[:2000]
        assert set(treat(pl.Series(lines, dtype=pl.String))[0]) <= STORED


RULES = [(rule.regex, rule.family) for rule in load_lazy_builtins()[0]]
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Linux; Android 10; K",
    "X11; Linux x86_64",
    "iPhone; CPU iPhone OS 17_1 like",
)
TAILS = (
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 Edg/119.0",
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
    "Gecko/20100101 Firefox/120.0",
    "Trident/7.0; rv:11.0) like Gecko",
)


@st.composite
def usual_agents(draw: st.DrawFn) -> str:
    """An agent of a browser, with pieces of other rules and of anything in between."""
    pieces = [f"Mozilla/5.0 ({draw(st.sampled_from(SYSTEMS))})", draw(st.sampled_from(TAILS))]
    for _ in range(draw(st.integers(0, 3))):
        texts = needed(draw(st.sampled_from(RULES))[0]) or [frozenset({"noise"})]
        piece = draw(st.sampled_from(sorted(draw(st.sampled_from(texts)))) | st.text(max_size=12))
        number = draw(st.sampled_from(["", "1.2", " 3.4", "/5", "/1234", "/x", ".6.7 "]))
        pieces.insert(draw(st.integers(0, len(pieces))), piece + number)
    return draw(st.sampled_from([" ", "; ", ""])).join(pieces)


@given(st.lists(usual_agents(), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_many_agents_have_the_answers_of_each(agents: list[str]) -> None:
    """A column of many agents gives what asking for each of them gives, whatever pieces of other rules they hold."""
    assert_alike(agents)


def test_the_known_agents_have_the_same_answers_in_a_column() -> None:
    """Each case, each name of the list alone and with a version, and none: alike in a column and one by one."""
    names = [name for name, _ in load_families().values()]
    agents = [case["agent"] for case in AGENTS] + names + [f"{name}/12" for name in names] + ["", "-", " ", "x" * 4000]
    assert_alike([*agents, None])


def test_a_name_is_read_again_however_a_log_has_it() -> None:
    """Percent-encoded, as `filter` writes it in a W3C log or CSV, or decoded twice, as CloudFront's: it is the name."""
    names = [name for name, _ in load_families().values()]
    encoded = {name: quote(name, safe=" /!()") for name in names if not name.isascii()}
    decoded = {name: unquote(name) for name in names if "%" in name}
    assert encoded
    assert decoded
    for name, written in [*encoded.items(), *decoded.items()]:
        assert one(written) == (name, "")
        assert one(f"{written}/12") == (name, "12")
    assert_alike([f"{written}/12" for written in [*encoded.values(), *decoded.values()]])


def test_agents_of_many_blanks_say_nothing() -> None:
    """Blanks alone, or with a hyphen, are `unknown` whatever their number: also among many agents, by column."""
    blanks = " \t\n\x0b\x0c\r\x1c\x1f"
    assert_alike([text for n in (50, 500, 2500) for text in (" " * n, blanks * n, "-" + " " * n, " " * n + "-")])


def assert_alike(agents: list[str | None]) -> None:
    one_by_one = [Agents()(agent) for agent in agents]
    many = pl.Series([*agents, *(f"filler {number}" for number in range(MANY))], dtype=pl.String)
    family, major = Agents().column(many)
    assert list(zip(family.head(len(agents)), major.head(len(agents)), strict=True)) == one_by_one


def test_usual_agents_are_answered_in_a_column() -> None:
    """A flood of browsers, each of its own kind, asks the engine for none of them."""
    kinds = [f"Mozilla/5.0 ({system}) {tail}" for system in SYSTEMS for tail in TAILS]
    asked = Agents()
    family, _ = asked.column(pl.Series([f"{kind} noise/{number}" for number in range(MANY) for kind in kinds]))
    assert family.head(len(kinds)).to_list() == [Agents()(kind)[0] for kind in kinds]
    assert not asked._known


NAMES = st.sampled_from([name for name, _ in load_families().values()])
SHORT = st.builds(
    "".join,
    st.lists(
        NAMES
        | NAMES.map(str.lower)
        | st.sampled_from([*"/ -;.7", "/12", "/1234", "/v5", "compatible; ", "\t", "\n", "\x1c", "x"]),
        max_size=4,
    ),
)


@given(st.lists(SHORT, min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_many_short_agents_have_the_answers_of_each(agents: list[str]) -> None:
    """Names of the list and what is like them: as `filter` writes them, in other letters, with other versions."""
    assert_alike([*agents])


def test_made_up_agents_are_answered_in_a_column() -> None:
    """A flood of short ones that are nobody's asks the engine for none of them."""
    asked = Agents()
    family, major = asked.column(pl.Series([f"{number:x} zz" for number in range(MANY)]))
    assert set(family) == {"other"}
    assert set(major) == {""}
    assert not asked._known


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_rule_needs_is_in_all_that_it_matches(data: st.DataObject) -> None:
    """Of each set of texts one stands in whatever a rule matches: no agent is taken from a rule that could match it."""
    pattern = data.draw(
        st.sampled_from([regex for regex, _ in RULES] + [r"(?:ab|c[de])f{1,2}", r"x?(yz)+", r"\bq[^a]r"])
    )
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII)))
    found = re.search(pattern, text, re.ASCII)
    assert found
    for texts in needed(pattern):
        assert any(each in found[0] for each in texts)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_shorter_pattern_gives_the_same_groups(data: st.DataObject) -> None:
    """Whatever a rule matches: the first two groups of the pattern that is tried, and of the one they are taken by."""
    pattern = data.draw(st.sampled_from([regex for regex, _ in RULES if "(" in regex]))
    short = _shortened(pattern, re.compile(pattern).groups)
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII)) | st.from_regex(re.compile(short, re.ASCII)))
    text += data.draw(st.sampled_from(["", ".", ".1", ".1.2", ".1.2.3", "1.2", " 7.8"]))
    agents = pl.Series([text, text[1:], text[:-1]])
    assert agents.str.contains(pattern).to_list() == agents.str.contains(short).to_list()
    both = [agents.str.extract_groups(each).struct.unnest().rows() for each in (pattern, short)]
    assert [row[:2] for row in both[0]] == [row[:2] for row in both[1]]


def test_a_pattern_is_shortened_where_that_is_safe() -> None:
    """At most two groups, nothing that may be missing at its end; a pattern whose first two would change stays."""
    chrome = _Rule.of(r"(Chromium|Chrome)/(\d+)\.(\d+)(?:\.(\d+)|)(?:\.(\d+)|)", None, None)
    assert chrome.pattern == r"(Chromium|Chrome)/(\d+)\.(?:\d+)"
    assert _Rule.of(r"(a[(]b\()(?:\.(\d+)|)", None, None).pattern == r"(a[(]b\()(?:\.(\d+)|)"


@given(st.lists(st.text("ab/. X(", min_size=1, max_size=5), min_size=1), st.lists(st.text("abAB/. xX(", max_size=20)))
def test_a_tree_of_texts_finds_what_holds_one(texts: list[str], asked: list[str]) -> None:
    """In large or small letters, whatever text begins another."""
    expected = [any(text.lower() in each.lower() for text in texts) for each in asked]
    assert pl.Series(asked, dtype=pl.String).str.contains(any_of(text.lower() for text in texts)).to_list() == expected


def test_the_automaton_of_all_texts_stays_small() -> None:
    """The engine keeps some thousand states: with more, agents made for it would have it built again and again."""
    assert 500 < sum(character.isalnum() for character in _columns()._left) < 3200


def test_all_patterns_of_a_column_stay_compiled() -> None:
    """polars keeps the 32 patterns that a thread has used last; what it has dropped it compiles, the texts in 8 ms."""
    columns = _columns()
    patterns = {rule.pattern for _, rules in columns._groups for rule in rules}
    assert len(patterns | {asked for asked, _ in columns._groups} | {columns._left, "major"}) <= 32


@pytest.mark.corpus
def test_real_agents_have_the_same_answers_in_a_column(corpus: Path) -> None:
    """All agents of uap-core and of the list of crawlers."""
    files = [corpus / "expected" / name for name in ("ua_uapcore.jsonl", "ua_crawlers.jsonl")]
    assert_alike([json.loads(line)["ua"] for path in files for line in path.read_text(encoding="utf-8").splitlines()])
