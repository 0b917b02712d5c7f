"""A report as CSV that neither a spreadsheet nor a terminal executes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from loganon.pages import shown
from loganon.report.figures import Report
from loganon.report.tally import Tally

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell of a formula begins with (OWASP, CSV injection), the full-width signs among them."""


def as_csv(report: Report, top: int | None = None) -> str:
    """A table of `by`, `value` and a column for each measure that the policy keeps; of each column `top` values.

    The first row is the total. A text that a spreadsheet could take for a formula has an apostrophe before it; control
    and bidi characters are escaped. Numbers are digits only.
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(("by", "value", *report.total.as_dict()))
    for by, value, tally in _rows(report, top):
        writer.writerow((by, neutral(value), *tally.as_dict().values()))
    return sink.getvalue()


def neutral(text: str) -> str:
    """The text as a cell that is a text."""
    return ("'" if text.startswith(_FORMULA) else "") + shown(text)


def _rows(report: Report, top: int | None) -> Iterator[tuple[str, str, Tally]]:
    yield "total", "", report.total
    for series in report.series:
        yield from ((series.unit, series.key(bucket), bucket.tally) for bucket in series.buckets)
    for profile in report.profiles:
        yield from ((profile.unit, name, tally) for name, tally in profile.values)
    for ranking in report.rankings:
        yield from ((ranking.column, value, tally) for value, tally in ranking.rows(top))
