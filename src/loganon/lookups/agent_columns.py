"""The answers for the usual ones of many agents at once: the same rules, tried on a column, in the same order.

Of the rules those are tried that a usual browser's agent could meet. Every other one needs a text that is in no such
agent; an agent that holds one of these texts is left, and so is what is no ASCII, or says no more than a name.
All of them are looked for at once. A test compares both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from loganon.lookups.literals import any_of, needed, shortest
from loganon.masks import sure

_USUAL = tuple(
    f"mozilla/5.0 ({text.lower()}"
    for text in (
        "Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0",
        "Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
        "Linux; Android 14; Build/UP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0 Mobile",
        "X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        "X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
        "Android 14; Mobile; rv:120.0) Gecko/120.0 Firefox/120.0",
        "iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Mobile/15E148 Safari/604.1",
        "iPad; CPU OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Mobile/15E148 Safari/604.1",
        "Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
        "Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    )
)
"""Agents that are not to be left, in small letters."""

_COMMON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
"""What most agents are like: texts that it holds do not tell that a rule is not met."""

_FRAME = "mozilla/5.0 (compatible; )"
"""What stands in agents of any kind."""

_WITHIN = 5
"""So many characters of a text are looked for, where they are not of a usual agent or of what is in many.

What holds them and not the text is left, too, which changes no answer; and the automaton of all texts stays so small
that the engine keeps it whole: no agent made for it makes it be built again and again.
"""

Name = Callable[[str], str]
Rule = tuple[str, str | None, str | None]
_MAJOR = "^[0-9]{1,3}$"
_VERSION = "/[0-9]{1,3}$"
_SAYS = "[0-9A-Za-z]"
_NO_ASCII = r"[^\x00-\x7f]"
_EMPTY = r"^[\x00-\x20-]"  # whatever else is in it: one that only holds blanks says nothing, however long it is
_LATER_GROUPS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\((?!\?))", re.DOTALL)
_OPTIONAL_END = re.compile(r"(?:\(\?:\\\.\(\\d\+\)\|\))+\Z")  # `(?:\.(\d+)|)`, perhaps more than once


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of the agent database: its pattern, what stands for its first and second group (None: these), its groups.

    `told`: texts of which each agent that it matches holds one, and of which none is in a common agent; empty where
    this is not known.
    """

    pattern: str
    family: str
    major: str | None
    groups: int
    told: frozenset[str]

    @classmethod
    def of(cls, pattern: str, family: str | None, major: str | None) -> _Rule:
        """The rule as the Rust engine of ua-parser reads it: without a bound where it is above 99."""
        told = [texts for texts in needed(pattern) if not any(text in _COMMON for text in texts)]
        groups = re.compile(pattern).groups
        pattern = re.sub(r"(?<!\\)\{([01]),[0-9]{3,}\}", lambda found: "*" if found[1] == "0" else "+", pattern)
        most = max(told, key=shortest, default=frozenset[str]())
        return cls(_shortened(pattern, groups), family or "$1", major or None, groups, most)

    def answers(self, agents: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The family and the major version that the rule gives to agents that it matches; empty for none."""
        found = agents.str.extract_groups(self.pattern).struct.unnest() if self.groups else None
        nothing = pl.repeat("", len(agents), eager=True)
        family = nothing if found is None else found.to_series(0).fill_null("")
        if "$1" not in self.family:
            family = pl.repeat(self.family, len(agents), eager=True)
        elif self.family != "$1":
            before, _, after = self.family.partition("$1")
            family = before + family + after
        if self.major is not None:
            return family, pl.repeat(self.major, len(agents), eager=True)
        return family, nothing if found is None or self.groups < 2 else found.to_series(1).fill_null("")


class AgentColumns:
    """`columns(agents)` -> families and majors as the rules give them; null for an agent that is left.

    `rules`: pattern, family and major of each (family None: the first group; major None: the second). `name`: from the
    family that a rule gives (empty: none gave one) to the one to answer. `others`: patterns, and `texts`: texts, of
    which nothing is in an agent that is not left. That is none of `names`, with a version or without, and not without
    a letter or a digit; and it is no longer than `most` characters.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        name: Name,
        *,
        others: Iterable[str],
        texts: Iterable[str],
        names: Iterable[str],
        most: int,
    ) -> None:
        rare = {text.lower() for text in texts}
        tried = []
        for pattern, family, major in rules:
            sets = _rare(pattern)
            if sets:
                rare |= max(sets, key=shortest)
            else:
                tried.append(_Rule.of(pattern, family, major))
        for pattern in others:
            rare |= max(_rare(pattern), key=shortest)
        self._left = f"{_EMPTY}|{_NO_ASCII}|{any_of(map(_begin, filter(str.isascii, rare)))}"
        groups = [list(rules) for _, rules in groupby(tried, key=lambda rule: bool(rule.told))]
        self._groups = [(_asked(rules), rules) for rules in groups]
        self._name = name
        self._names = pl.Series([*names], dtype=pl.String).implode()
        self._longest = max(map(len, self._names)) + len("/000")
        self._most = most

    def __call__(self, agents: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Both are null for each agent that is left."""
        usual = (agents.str.len_bytes() <= self._most) & ~agents.str.contains(self._left)
        places = sure(usual).arg_true()
        rest = self._without_names(_Placed(agents.gather(places), places))
        answers = []
        for asked, rules in self._groups:
            mine, rest = rest.parted(asked) if asked else (rest, rest.none)
            for rule in rules:
                if not len(mine.places):
                    break
                found, mine = mine.parted(rule.pattern)
                if len(found.places):
                    answers.append((*self._answers(*rule.answers(found.agents)), found.places))
            rest = rest.and_(mine)
        nothing = pl.repeat("", len(rest.places), eager=True)
        answers.append((*self._answers(nothing, nothing), rest.places))
        family, major, places = (pl.concat(parts, rechunk=True) for parts in zip(*answers, strict=True))
        order = pl.repeat(None, len(agents), dtype=pl.UInt32, eager=True)
        order = order.scatter(places, pl.int_range(len(places), dtype=pl.UInt32, eager=True))
        return family.gather(order), major.gather(order)

    def _without_names(self, agents: _Placed) -> _Placed:
        short = agents.agents.str.len_bytes() <= self._longest
        if not short.any():
            return agents
        few = agents.agents.filter(short)
        more = few.str.contains(_SAYS) & ~few.str.replace(_VERSION, "").is_in(self._names)
        kept = (~short).scatter(short.arg_true(), more)
        return _Placed(agents.agents.filter(kept), agents.places.filter(kept))

    def _answers(self, families: pl.Series, majors: pl.Series) -> tuple[pl.Series, pl.Series]:
        distinct = families.unique().to_list()
        names = [self._name(family) for family in distinct]
        if len(names) == 1:
            named = pl.repeat(names[0], len(families), eager=True)
        else:
            named = families.replace_strict(distinct, names, return_dtype=pl.String)
        return named, majors.set(~majors.str.contains(_MAJOR), "")


@dataclass(frozen=True, slots=True)
class _Placed:
    """Some of the agents, and where they stand."""

    agents: pl.Series
    places: pl.Series

    @property
    def none(self) -> _Placed:
        """None of them."""
        return _Placed(self.agents.head(0), self.places.head(0))

    def and_(self, other: _Placed) -> _Placed:
        """These and others, which stand elsewhere."""
        if not len(other.places):
            return self
        return _Placed(
            pl.concat([self.agents, other.agents], rechunk=True), pl.concat([self.places, other.places], rechunk=True)
        )

    def parted(self, pattern: str) -> tuple[_Placed, _Placed]:
        """Those that a pattern matches, and the others."""
        matched = self.agents.str.contains(pattern)
        if not matched.any():
            return self.none, self
        others = ~matched
        return (
            _Placed(self.agents.filter(matched), self.places.filter(matched)),
            _Placed(self.agents.filter(others), self.places.filter(others)),
        )


def _asked(rules: Iterable[_Rule]) -> str:
    """A pattern that matches all agents that one of the rules matches; empty where that is not known."""
    return "|".join(sorted(re.escape(text) for text in frozenset().union(*(rule.told for rule in rules))))


def _begin(text: str) -> str:
    begin = text[:_WITHIN]
    return text if any(begin in agent for agent in (*_USUAL, _FRAME)) else begin


def _shortened(pattern: str, groups: int) -> str:
    """A pattern that matches the same, and gives the same first two groups, with no other group.

    What may be missing at its end takes no part in how the rest is matched.
    """
    count = 0

    def close(found: re.Match[str]) -> str:
        nonlocal count
        count += found[1] is not None
        return "(?:" if found[1] and count > 2 else found[0]

    short = _LATER_GROUPS.sub(close, _OPTIONAL_END.sub("", pattern))
    return short if re.compile(short).groups == min(groups, 2) else pattern


def _rare(pattern: str) -> list[frozenset[str]]:
    """Of the sets of texts that a pattern needs, in small letters, those of which no usual agent holds one."""
    sets = [frozenset(text.lower() for text in texts) for texts in needed(pattern)]
    return [texts for texts in sets if not any(text in agent for text in texts for agent in _USUAL)]
