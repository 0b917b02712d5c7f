"""The answers for the usual ones of many agents at once: the same rules, tried on a column, in the same order.

Of the rules those are tried that a usual browser's agent could meet. Every other one needs a text that is in no such
agent; an agent that holds one of these texts is left, and so is what is no ASCII, or so short that it may be a name.
All of them are looked for at once. A test compares both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from loganon.lookups.literals import needed, shortest

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

Name = Callable[[str], str]
Rule = tuple[str, str | None, str | None]
_MAJOR = "^[0-9]{1,3}$"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of the agent database: its pattern, what stands for its first and second group (None: these), its needs.

    `needs`: texts of which each agent that it matches holds one; none where this is not known.
    """

    pattern: str
    family: str
    major: str | None
    groups: int
    needs: frozenset[str]

    @classmethod
    def of(cls, pattern: str, family: str | None, major: str | None) -> _Rule:
        """The rule as the Rust engine of ua-parser reads it: without a bound where it is above 99."""
        groups = re.compile(pattern).groups
        needs = max(needed(pattern), key=shortest, default=frozenset())
        pattern = re.sub(r"(?<!\\)\{([01]),[0-9]{3,}\}", lambda found: "*" if found[1] == "0" else "+", pattern)
        return cls(pattern, family or "$1", major or None, groups, needs)

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
    which nothing is in an agent that is not left. That is longer than `least` characters, and no longer than `most`.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        name: Name,
        *,
        others: Iterable[str],
        texts: Iterable[str],
        least: int,
        most: int,
    ) -> None:
        rare = {text.lower() for text in texts if text.isascii()}
        self._tried = []
        for pattern, family, major in rules:
            sets = _rare(pattern)
            if sets:
                rare |= max(sets, key=shortest)
            else:
                self._tried.append(_Rule.of(pattern, family, major))
        for pattern in others:
            rare |= max(_rare(pattern), key=shortest)
        self._rare = sorted(rare)
        self._name = name
        self._least, self._most = least, most

    def __call__(self, agents: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Both are null for each agent that is left."""
        family = pl.repeat(None, len(agents), dtype=pl.String, eager=True)
        major = family.clone()
        length = agents.str.len_bytes()
        usual = (length == agents.str.len_chars()) & (length > self._least) & (length <= self._most)
        usual &= ~agents.str.contains_any(self._rare, ascii_case_insensitive=True)
        places = usual.fill_null(value=False).arg_true()
        rest = _Rest(agents.gather(places), places)
        for rule in self._tried:
            mine, at = rest.take(rule)
            if len(at):
                names, versions = rule.answers(mine)
                family = family.scatter(at, self._named(names))
                major = major.scatter(at, versions.set(~versions.str.contains(_MAJOR), ""))
        return family.scatter(rest.places, self._name("")), major.scatter(rest.places, "")

    def _named(self, families: pl.Series) -> pl.Series:
        distinct = families.unique().to_list()
        names = [self._name(family) for family in distinct]
        return families.replace_strict(distinct, names, return_dtype=pl.String)


class _Rest:
    """Agents that no rule has matched yet, each with its place."""

    def __init__(self, agents: pl.Series, places: pl.Series) -> None:
        self._frame = pl.DataFrame({"agent": agents, "place": places})

    @property
    def places(self) -> pl.Series:
        """Where those that are left stand."""
        return self._frame["place"]

    def take(self, rule: _Rule) -> tuple[pl.Series, pl.Series]:
        """The agents that the rule matches, and their places; they are no longer of the rest.

        Most rules need one of a few texts, each of which is looked for once.
        """
        frame = self._frame
        if rule.needs:
            key = "\n".join(sorted(rule.needs))
            if key not in frame.columns:
                held = frame["agent"].str.contains_any(sorted(rule.needs))
                self._frame = frame = frame.with_columns(held.alias(key))
            frame = frame.filter(pl.col(key))
        if frame.is_empty():
            return frame["agent"], frame["place"]
        found = frame.filter(frame["agent"].str.contains(rule.pattern))
        if len(found):
            self._frame = self._frame.join(found.select("place"), on="place", how="anti", maintain_order="left")
        return found["agent"], found["place"]


def _rare(pattern: str) -> list[frozenset[str]]:
    """Of the sets of texts that a pattern needs, in small letters, those of which no usual agent holds one."""
    sets = [frozenset(text.lower() for text in texts) for texts in needed(pattern)]
    return [texts for texts in sets if not any(text in agent for text in texts for agent in _USUAL)]
