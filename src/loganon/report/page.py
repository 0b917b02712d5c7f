"""A report as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from loganon.pages import count, plural, render, share, size
from loganon.report.charts import day_and_month, picture_of_profile, pictures_over_time
from loganon.report.figures import Report, why_left_out
from loganon.report.tables import coverage_table, profile_table, ranking_table, series_table

_LISTED = 8
_NO_FILES = ("other", "{invalid}", "{redacted}")
"""General answers in the place of files: rare ones, requests without a path, what the gate replaced."""


def make_page(report: Report, *, title: str, top: int, version: str) -> str:
    """The page (HTML), with the `top` values of each column. 78 where the extra `report` is not installed."""
    values = {
        "title": title,
        "lead": _lead(report),
        "tiles": _tiles(report),
        "warnings": list(warnings_of(report)),
        "series": [(series_table(each, report), list(pictures_over_time(each))) for each in report.series],
        "profiles": [(profile_table(each, report), picture_of_profile(each)) for each in report.profiles],
        "rankings": [ranking_table(each, report, top) for each in report.rankings],
        "coverage": coverage_table(report) if report.coverage else None,
        "facts": list(_facts(report)),
    }
    return render("report.html", values, version=version)


def warnings_of(report: Report) -> Iterator[str]:
    """What a reader of the figures must know: days left out, cells that are missing, days not sealed yet."""
    for word in dict.fromkeys(report.days.out.values()):
        days = [str(day) for day, why in report.days.out.items() if why == word]
        yield f"{plural(len(days), 'day is', 'days are')} left out ({why_left_out(word)}): {_some(days)}."
    if report.days.damaged:
        yield f"The accesses of {plural(len(report.days.damaged), 'damaged cell')} are missing."
    if report.unfinished:
        yield "A commit is not finished: what it counts may be missing until the next run."
    if report.days.unsealed:
        days = [str(day) for day in report.days.unsealed]
        verb = "day is" if len(days) == 1 else "days are"
        yield f"{len(days):,} {verb} not sealed yet, so that rare values stand as they are: {_some(days)}."


def _some(days: Sequence[str]) -> str:
    more = len(days) - _LISTED
    return ", ".join(days[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _lead(report: Report) -> str:
    if report.first is None or report.last is None:
        return "No accesses in the time that was asked for."
    zone = report.question.zone
    days = dict.fromkeys(_day(moment.astimezone(zone)) for moment in (report.first, report.last))
    return " to ".join(days)


def _tiles(report: Report) -> list[tuple[str, str]]:
    total = report.total
    found = [(count(total.requests), "accesses")]
    if total.bytes is not None:
        found.append((size(total.bytes), "data sent"))
    if total.succeeded is not None:
        found.append((share(total.succeeded, total.requests), "succeeded"))
    if total.mean_ms is not None:
        found.append((f"{total.mean_ms:,.0f} ms", "for an answer, on average"))
    for each in report.rankings:
        if each.column == "file":
            named = int((~each.sums["value"].is_in(_NO_FILES)).sum())
            found.append((count(named), "different files"))
    return [*found, (count(len(report.days.used)), "stored days")]


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    policy = report.policy
    title = f", {policy.title}" if policy.title else ""
    yield "Policy", f"{policy.name}, version {policy.version}{title}"
    yield "Kept for", str(policy.keep_for)
    yield "Figures as of", f"{report.question.now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if report.since is not None:
        yield "Asked for", f"accesses from {report.since.astimezone(report.question.zone):%Y-%m-%d %H:%M} on"
    daily = policy.spec.unit == "day"
    yield "Times", "days of UTC" if daily else f"zone {report.zone}; an hour counts where it begins"
    yield "An access", "one line of the web server's log; no visitor is counted, and none is told from another"
    if policy.spec.folds:
        rare = ", ".join(f"{fold.columns[0]} under {fold.minimum}" for fold in policy.spec.folds)
        yield "Rare values", f"{rare} accesses on a day: they are `other`, once that day is sealed"


def _day(moment: datetime) -> str:
    return f"{day_and_month(moment)} {moment.year}"
