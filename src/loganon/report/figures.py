"""The figures of a report, as frozen values and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from loganon.policy import Policy
from loganon.report.coverage import Coverage
from loganon.report.days import REASONS, Days
from loganon.report.question import TITLES, VERSION, Question
from loganon.report.tally import Tally, tally_of
from loganon.report.times import Profile, Series

KEYS: Mapping[str, str] = {
    "store": "the store, as it was given",
    "policy": "name and version of the policy under which it holds its data",
    "generated": "the time that was gone by (UTC)",
    "timezone": "the zone of days and hours",
    "since": "the first hour that was asked for; null: from the beginning",
    "first": "the first hour (or day) with an access, and",
    "last": "the last one, by their beginnings; null without accesses",
    "days": "`used`: how many days of the store were read; `unsealed`: those whose rare values are not folded yet; "
    "`left_out`: those that were not read, with why (`hold`, `overdue`, `unsealed`)",
    "damaged": "cells that cannot be read; their accesses are missing",
    "unfinished": "true where a commit was interrupted, or is not yet in the table: the next run finishes it",
    "total": "`requests` (accesses), and where the policy keeps them `succeeded`, `failed`, `bytes`, `response_time` "
    "(milliseconds)",
    "time": "for each unit of time that was asked for a list of spans, each with its `start`",
    "profile": "accesses by hour of the day and by weekday",
    "by": "for each column a list of values, the most frequent first, and `distinct`, how many there are",
    "coverage": "for each column of text the accesses by kind of value: `named`, `suffix`, `other`, `unknown`, "
    "`invalid`, `redacted`",
}
"""The keys of the JSON, and what each is."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The values of a column and what was counted of each, the most frequent first."""

    column: str
    sums: pl.DataFrame

    @property
    def title(self) -> str:
        """What its table is headed with."""
        return TITLES.get(self.column, self.column.replace("_", " ").capitalize())

    @property
    def distinct(self) -> int:
        """How many values there are."""
        return self.sums.height

    def rows(self, top: int | None = None) -> Iterator[tuple[str, Tally]]:
        """The first `top` values, or all."""
        for row in self.sums.head(self.distinct if top is None else top).iter_rows(named=True):
            yield str(row["value"]), tally_of(row)


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked of a store, and the answer. `first`, `last`: the first and the last stored hour with an access."""

    store: str
    policy: Policy
    question: Question
    since: datetime | None
    days: Days
    unfinished: bool
    first: datetime | None
    last: datetime | None
    total: Tally
    series: tuple[Series, ...]
    profiles: tuple[Profile, ...]
    rankings: tuple[Ranking, ...]
    coverage: tuple[Coverage, ...]

    @property
    def zone(self) -> str:
        """The name of the zone."""
        return str(self.question.zone)

    def as_dict(self, top: int | None = None) -> dict[str, Any]:
        """One JSON object, its keys as in `KEYS`; of each column the first `top` values, or all."""
        return {
            "store": self.store,
            "policy": {"name": self.policy.name, "version": self.policy.version},
            "generated": _utc(self.question.now),
            "timezone": self.zone,
            "since": _utc(self.since),
            "first": _utc(self.first),
            "last": _utc(self.last),
            "days": {
                "used": len(self.days.used),
                "unsealed": [str(day) for day in self.days.unsealed],
                "left_out": [{"date": str(day), "why": why} for day, why in self.days.out.items()],
            },
            "damaged": list(self.days.damaged),
            "unfinished": self.unfinished,
            "total": self.total.as_dict(),
            "time": {each.unit: _spans(each) for each in self.series},
            "profile": {each.unit: {name: tally.as_dict() for name, tally in each.values} for each in self.profiles},
            "by": {
                each.column: {
                    "distinct": each.distinct,
                    "values": [{"value": value, **tally.as_dict()} for value, tally in each.rows(top)],
                }
                for each in self.rankings
            },
            "coverage": {each.column: dict(each.requests) for each in self.coverage},
        }


def ranking_of(column: str, sums: pl.DataFrame) -> Ranking:
    """The ranking out of a column's sums; values that are as frequent as each other by name."""
    return Ranking(column, sums.sort("requests", "value", descending=[True, False]))


def covers_text(column: str) -> bool:
    """Whether a column's values can be `unknown` and the like, each its own way."""
    return column not in (VERSION, "success")


def why_left_out(word: str) -> str:
    """The reason that a word in `left_out` stands for."""
    return REASONS[word]


def _spans(series: Series) -> list[dict[str, Any]]:
    return [
        {"start": series.key(each), **each.tally.as_dict(), **({"left_out": True} if each.left_out else {})}
        for each in series.buckets
    ]


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
