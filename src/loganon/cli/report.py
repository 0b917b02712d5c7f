"""`loganon report`: what a store says of its accesses, where its policy allows evaluation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from loganon import __version__
from loganon.cli.asked import ask_each
from loganon.cli.messages import Messages, reported
from loganon.cli.options import MOMENT, ZONE, message_options, option
from loganon.cli.sites import choose, config_option, print_json
from loganon.errors import LoganonError, printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from loganon.report import Report, Since
    from loganon.report.tables import Table

_TOP, _TOP_PAGE = 10, 25
_BARS = ((100, 24), (80, 12))
"""From how many columns of a terminal on there are bars, and how long the longest is."""
_STDOUT = "-"
_PAGE_ONLY = frozenset(("hour of the day", "weekday", "version"))
"""Tables that the terminal shows only where they are asked for."""


class _Since(click.ParamType["Since"]):
    name = "DURATION|DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Since:
        from loganon.report import Since, parse_since  # noqa: PLC0415 - start-up: not imported for --help

        if isinstance(value, Since):
            return value
        try:
            return parse_since(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(name="report")
@config_option("report")
@option("report", "--store", metavar="DIR|s3://…", help="The store.")
@option("report", "--since", type=_Since(), help="From then on: 7d (today and the six days before), 36h, 2026-11-01.")
@option(
    "report",
    "--by",
    multiple=True,
    metavar="COLUMN|UNIT",
    help="Only this: time, hour, day, week, month, file, domain, browser, version, success, or what else the policy "
    "keeps; repeatable.",
)
@option("report", "--timezone", type=ZONE, help="The zone of days and hours, such as Europe/Berlin (default: UTC).")
@option(
    "report",
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"How many values of each column (default: {_TOP}; on a page {_TOP_PAGE}; in CSV and JSON all).",
)
@option("report", "--sealed", is_flag=True, help="Only days whose rare values are folded.")
@option(
    "report",
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one self-contained page.",
)
@option("report", "--title", default="Access report", show_default=True, help="The title of the page.")
@option("report", "--csv", metavar="FILE|-", help="Write the figures as CSV.")
@option("report", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option("report", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("report")
@reported
def command(
    config: Path | None,
    store: str | None,
    since: Since | None,
    by: tuple[str, ...],
    timezone: ZoneInfo | None,
    top: int | None,
    sealed: bool,
    html: Path | None,
    title: str,
    csv: str | None,
    now: datetime | None,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Count the accesses of a store over time, by file, browser, domain and what else its policy keeps.

    Refused (78) where the policy forbids evaluation. Nothing is changed. Without --store all stores of a configuration
    file are reported on.
    """
    from loganon.report import Question, load_report  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above
    from loganon.summary import first_applies  # noqa: PLC0415 - start-up, as above

    if as_json and csv == _STDOUT:
        raise click.UsageError("Only one of --json and --csv - can be printed.", ctx=click.get_current_context())
    chosen, say = choose(config, store), Messages(messages, quiet=quiet)
    if chosen.many and (html or csv):
        what = "A page and CSV are of one store: name it with --store."
        raise click.UsageError(what, ctx=click.get_current_context())
    question = Question(now or datetime.now(UTC), timezone or UTC, since, by, sealed)
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    for asked in ask_each(chosen, lambda site: load_report(parse_place(site.store), question)):
        found, errors = asked.answer, [asked.error] if asked.error else []
        if found is not None:
            errors += _damaged(found)
            _deliver(found, say, html=html, title=title, csv=csv, top=top)
            if not (as_json or quiet or html or csv):
                _print(found, top or _TOP, first=not answers)
        code = first_applies(error.exit_code for error in errors)
        told = found.as_dict(top) if found and as_json else {}
        answers.append(asked.as_dict(told, code, [str(error) for error in errors]) if chosen.many else told)
        codes.append(code)
        say.errors(errors)
    if as_json:
        print_json(answers, many=chosen.many)
    return first_applies(codes)


def _deliver(report: Report, say: Messages, *, html: Path | None, title: str, csv: str | None, top: int | None) -> None:
    """Write the files that are asked for."""
    from loganon.pages import plural, write_page  # noqa: PLC0415 - start-up, as above
    from loganon.report.export import as_csv  # noqa: PLC0415 - start-up, as above
    from loganon.report.page import make_page, warnings_of  # noqa: PLC0415 - start-up, as above

    said = f"{plural(report.total.requests, 'access', 'accesses')} of {plural(len(report.days.used), 'day')}"
    if html is not None:
        write_page(
            html,
            make_page(report, title=title, top=top or _TOP_PAGE, version=__version__),
            [report.store],
            option="--html",
        )
        say.note(f"{html}: {said}.")
    if csv == _STDOUT:
        click.echo(as_csv(report, top), nl=False)
    elif csv:
        write_page(Path(csv), as_csv(report, top), [report.store], option="--csv")
        say.note(f"{printable(csv)}: {said}.")
    for warning in warnings_of(report):
        say.note(warning)


def _damaged(report: Report) -> list[LoganonError]:
    from loganon.store import DamagedCellError  # noqa: PLC0415 - start-up, as above

    return [DamagedCellError(f"{report.store}/{path}") for path in report.days.damaged]


def _print(report: Report, top: int, *, first: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - start-up, as above

    from loganon.report.tables import tables_of  # noqa: PLC0415 - start-up, as above

    console = Console(highlight=False)
    console.print("" if first else "\n", end="")
    console.print(f"{printable(report.store)}  (policy {report.policy.name})", markup=False)
    console.print(_total(report), markup=False)
    for table in tables_of(report, top):
        if table.rows and (report.question.by or table.name not in _PAGE_ONLY):
            console.print()
            console.print(_rich(table, console.width))


def _total(report: Report) -> str:
    from loganon.pages import plural, share, size  # noqa: PLC0415 - start-up, as above

    total = report.total
    parts = [plural(total.requests, "access", "accesses")]
    if total.bytes is not None:
        parts.append(size(total.bytes))
    if total.succeeded is not None and total.requests:
        parts.append(f"{share(total.succeeded, total.requests)} succeeded")
    if report.first and report.last:
        zone = report.question.zone
        parts.append(f"{report.first.astimezone(zone):%Y-%m-%d} to {report.last.astimezone(zone):%Y-%m-%d}")
    return "; ".join(parts)


def _rich(table: Table, width: int) -> RichTable:
    from rich.table import Table as Rich  # noqa: PLC0415 - start-up, as above
    from rich.text import Text  # noqa: PLC0415 - start-up, as above

    found = Rich(title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(table.columns):
        name = index == 0
        found.add_column(
            column,
            justify="left" if name else "right",
            no_wrap=not name,
            overflow="fold" if name else "ellipsis",
            min_width=10 if name else 0,
        )
    longest = next((bar for least, bar in _BARS if width >= least), 0)
    bars = longest and any(table.parts)
    if bars:
        found.add_column("", no_wrap=True)
    for row, part in zip(table.rows, table.parts, strict=True):
        found.add_row(*(Text(cell) for cell in row), *([Text("█" * round(part * longest))] if bars else []))
    return found
