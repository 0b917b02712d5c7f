"""The figures as tables of texts, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loganon.pages import count, plural, share, shown, size
from loganon.report.coverage import KINDS
from loganon.report.figures import Ranking, Report
from loganon.report.tally import Tally
from loganon.report.times import Bucket, Profile, Series

_LONGEST = 160
_Row = tuple[str, Tally]
_Amount = Callable[[Tally], str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first cell of a row is what it is about, the others are amounts.

    `note` is said of it; `parts`: of each row its accesses as a part of the most that one has, 0 to 1.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    parts: tuple[float, ...]


def series_table(series: Series, report: Report) -> Table:
    """Accesses of each span of time."""
    rows: list[_Row] = []
    for line in series.lines():
        if isinstance(line, Bucket):
            rows.append((series.label(line) + (" (days left out)" if line.left_out else ""), line.tally))
        else:
            ends = " to ".join(series.label(each) for each in (line.buckets[0], line.buckets[-1]))
            why = "left out" if line.buckets[0].left_out else "no accesses"
            rows.append((f"{ends}: {why}", line.buckets[0].tally))
    unit = series.unit.capitalize()
    note = f"Zone {report.zone}" + ("; a week is named by its Monday" if series.unit == "week" else "")
    return _table(series.unit, f"By {series.unit}", note, unit, rows, _amounts(report.total, shares=False))


def profile_table(profile: Profile, report: Report) -> Table:
    """Accesses by hour of the day, or by weekday."""
    note = f"All days together; zone {report.zone}"
    amounts = _amounts(report.total)
    return _table(profile.unit, f"By {profile.unit}", note, profile.unit.capitalize(), profile.values, amounts)


def ranking_table(ranking: Ranking, report: Report, top: int) -> Table:
    """The most frequent values, and all others in one row."""
    found = [(shown(value, _LONGEST), tally) for value, tally in ranking.rows(top)]
    more = ranking.distinct - len(found)
    note = f"The {len(found)} most frequent of {count(ranking.distinct)}" if more else plural(len(found), "value")
    rest = [(f"({plural(more, 'other')})", _rest(report.total, found))] if more else []
    amounts = _amounts(report.total, success=ranking.column != "success")
    return _table(
        ranking.column, ranking.title, note, ranking.column.replace("_", " ").capitalize(), found, amounts, rest
    )


def coverage_table(report: Report) -> Table:
    """Of each column of text, the shares of values that say something and of those that do not."""
    whole = report.total.requests
    rows = tuple(
        (each.column, *(share(each.requests[kind], whole) if each.requests[kind] else "-" for kind in KINDS))
        for each in report.coverage
    )
    note = "Of all accesses, by the kind of value that stands in a column"
    return Table("coverage", "Coverage", note, ("Column", *KINDS.values()), rows, (0.0,) * len(rows))


def tables_of(report: Report, top: int) -> Iterator[Table]:
    """All tables of a report, in order: time, profiles, columns, coverage."""
    yield from (series_table(each, report) for each in report.series)
    yield from (profile_table(each, report) for each in report.profiles)
    yield from (ranking_table(each, report, top) for each in report.rankings)
    if report.coverage:
        yield coverage_table(report)


def _table(
    name: str,
    title: str,
    note: str,
    first: str,
    rows: Sequence[_Row],
    amounts: dict[str, _Amount],
    rest: Sequence[_Row] = (),
) -> Table:
    most = max((tally.requests for _, tally in rows), default=0)
    cells = tuple((label, *(amount(tally) for amount in amounts.values())) for label, tally in (*rows, *rest))
    parts = tuple(tally.requests / most if most else 0.0 for _, tally in rows) + (0.0,) * len(rest)
    return Table(name, title, note, (first, *amounts), cells, parts)


def _amounts(whole: Tally, *, shares: bool = True, success: bool = True) -> dict[str, _Amount]:
    """What is said of a tally: by column, for what the policy keeps."""
    found: dict[str, _Amount] = {"Accesses": lambda tally: count(tally.requests)}
    if shares:
        found["Share"] = lambda tally: share(tally.requests, whole.requests)
    if success and whole.succeeded is not None:
        found["Success"] = lambda tally: share(tally.succeeded or 0, tally.requests)
    if whole.bytes is not None:
        found["Data"] = lambda tally: size(tally.bytes or 0)
    if whole.response_time is not None:
        found["Time each"] = lambda tally: "-" if tally.mean_ms is None else f"{tally.mean_ms:,.0f} ms"
    return found


def _rest(total: Tally, rows: Sequence[_Row]) -> Tally:
    """The total without these."""
    known = [tally.as_dict() for _, tally in rows]
    whole = total.as_dict()
    left = {name: whole[name] - sum(each[name] for each in known) for name in whole if name != "failed"}
    return Tally(**left)
