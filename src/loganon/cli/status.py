"""`loganon status`: how a store is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loganon.cli.asked import ask_each
from loganon.cli.messages import Messages, reported
from loganon.cli.options import DURATION, MOMENT, message_options, option
from loganon.cli.sites import choose, config_option, print_json
from loganon.errors import CheckError, printable

if TYPE_CHECKING:
    from loganon.sites import Site
    from loganon.status import Status


@click.command(name="status")
@config_option("status")
@option("status", "--store", metavar="DIR|s3://…", help="The store.")
@option("status", "--check", is_flag=True, help="Exit 1 if something is overdue or wrong; one line names each.")
@option("status", "--max-age", type=DURATION, help="With --check: the last commit may be this old, such as 26h.")
@option(
    "status",
    "--metrics-file",
    type=click.Path(path_type=Path),
    metavar="X.prom",
    help="Write the figures for node_exporter's textfile collector.",
)
@option(
    "status",
    "--provider-db",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An MMDB file whose age is to be told; repeatable.",
)
@option("status", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option("status", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("status")
@reported
def command(
    config: Path | None,
    store: str | None,
    check: bool,
    max_age: timedelta | None,
    metrics_file: Path | None,
    provider_db: tuple[Path, ...],
    now: datetime | None,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Say what a store holds, what goes next, and what is wrong; nothing is changed.

    Without --store of all stores of a configuration file.
    """
    from loganon.status import as_dict, find_problems, load_status  # noqa: PLC0415 - start-up: not imported for --help
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above
    from loganon.summary import first_applies  # noqa: PLC0415 - start-up, as above

    chosen, say = choose(config, store), Messages(messages, quiet=quiet)
    clock = now or datetime.now(UTC)
    statuses, answers, codes = [], [], []
    for asked in ask_each(
        chosen, lambda site: load_status(parse_place(site.store), now=clock, databases=provider_db or _databases(site))
    ):
        status, code, told = asked.answer, 0, {}
        if asked.error is not None:
            code = asked.error.exit_code
            say.error(asked.error)
        if status is not None:
            problems = find_problems(status, max_age)
            code = CheckError.exit_code if check and problems else 0
            statuses.append(status)
            told = as_dict(status, max_age)
            _tell(status, problems, say, check=check, shown=not (as_json or quiet))
        answers.append(asked.as_dict(told, code, []) if chosen.many else told)
        codes.append(code)
    if metrics_file is not None:
        from loganon.status.metrics import render_metrics, write_metrics  # noqa: PLC0415 - start-up, as above

        write_metrics(metrics_file, render_metrics(statuses, max_age), [site.store for site in chosen.sites])
    if as_json:
        print_json(answers, many=chosen.many)
    return first_applies(codes)


def _databases(site: Site) -> tuple[str, ...]:
    """The provider databases that the site's logs are read with, each once."""
    return tuple(dict.fromkeys(path for log in site.logs for path in log.input.provider_db))


def _tell(status: Status, problems: Sequence[CheckError], say: Messages, *, check: bool, shown: bool) -> None:
    if shown:
        _print(status)
    if check:
        say.errors(problems)
        return
    for problem in problems:
        say.note(str(problem))


def _print(status: Status) -> None:
    click.echo(printable(status.store))
    for name, text in _lines(status):
        click.echo(f"  {name:<15} {text}")


def _lines(status: Status) -> Iterator[tuple[str, str]]:
    policy = status.policy
    title = f", {printable(policy.title)}" if policy.title else ""
    yield "policy", f"{policy.name}, version {policy.version}{title}; kept for {policy.keep_for}"
    yield "store", f"{status.uuid}, made {_minute(status.created)}"
    yield from _table(status)
    yield "last commit", _ago(status.last_commit, status.now) if status.last_commit else "none yet"
    rejected = {reason: count for reason, count in status.lines.items() if reason != "counted" and count}
    told = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in sorted(rejected.items())]
    logs = f"{status.records:,} log{'' if status.records == 1 else 's'}"
    counted = f"{status.lines.get('counted', 0):,} counted"
    yield "lines", f"{sum(status.lines.values()):,} of {logs}: {', '.join([counted, *told])}"
    if status.domains:
        shares = [f"{share:.1%} {kind}" for kind, share in status.shares.items()]
        yield "domains", f"of the last {_days(len(status.recent))}: {', '.join(shares)}"
    for each in status.databases:
        origin = printable(each.path) if each.path else "by the footers"
        yield (
            "database",
            f"{printable(each.type)} of {each.built}, {_days((status.today - each.built).days)} old ({origin})",
        )
    yield from _state(status)


def _table(status: Status) -> Iterator[tuple[str, str]]:
    days = [part.day for part in status.partitions]
    cells = sum(len(part.cells) for part in status.partitions)
    size = sum(part.bytes for part in status.partitions)
    rows = sum(part.rows for part in status.partitions)
    if days:
        span = f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0])
        yield "partitions", f"{_days(len(days))}, {span}; {rows:,} rows in {cells:,} cells, {_size(size)}"
    else:
        yield "partitions", "none yet"
    if status.overdue:
        yield "overdue", f"{_days(len(status.overdue))}, the oldest {status.overdue[0]}"
    if status.next_deletion:
        day, on = status.next_deletion
        yield "next deletion", f"{day} goes on {on}, in {_days((on - status.today).days)}"
    yield "sealed through", str(status.sealed_through or "no day yet")


def _state(status: Status) -> Iterator[tuple[str, str]]:
    wrong = len(status.permissions)
    yield "permissions", f"{wrong:,} files or directories are not as they were made" if wrong else "as they were made"
    if status.quarantined:
        yield "quarantine", f"{len(status.quarantined):,} damaged cells"
    if status.interrupted:
        yield "commit", "one was interrupted; the next run finishes it"
    if status.network:
        yield (
            "file system",
            f"{status.network}: a network file system, on which locks are not to be relied on; not supported",
        )


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _ago(moment: datetime, now: datetime) -> str:
    hours = (now - moment).total_seconds() / 3600
    if hours < 0:
        return f"{_minute(moment)}, ahead of the clock"
    return f"{_minute(moment)}, {f'{hours:.0f} hours' if hours < 48 else _days(int(hours // 24))} ago"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"
