"""`loganon retain`: apply retention only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loganon.cli.messages import Messages, internal_error, reported
from loganon.cli.options import message_options, now_option, option, retention_options
from loganon.cli.sites import Told, answer_of, choose, config_option, is_fatal, preferred, print_json
from loganon.clock import Clock
from loganon.errors import LoganonError, printable

if TYPE_CHECKING:
    from loganon.store import Plan
    from loganon.summary import Summary


@click.command(name="retain")
@config_option("retain")
@option("retain", "--store", metavar="DIR|s3://…", help="The store.")
@option("retain", "--dry-run", is_flag=True, help="Print the plan that would be carried out; change nothing.")
@now_option("retain")
@retention_options("retain", reads=False)
@option("retain", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("retain")
@reported
def command(
    config: Path | None,
    store: str | None,
    dry_run: bool,
    now: datetime | None,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_versioned: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Delete from a store what is past its day, and seal the days that are due.

    Without --store in all stores of a configuration file, of which none spoils the others.
    """
    from loganon import job  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above
    from loganon.summary import Summary, first_applies  # noqa: PLC0415 - start-up, as above

    chosen = choose(config, store)
    known = chosen.settings
    clock = Clock(now or datetime.now(UTC), preferred("lead", lead, known.lead), accept_cutoff)
    wait = preferred("wait", wait, known.wait)
    told = Told(Messages(messages, quiet=quiet))
    summaries, answers = [], []
    for site in chosen.sites:
        if chosen.many and not site.stands:
            continue
        plan: Plan | None = None
        try:
            site.require_known()
            plan, summary = job.retain(
                parse_place(site.store, accept_versioned=accept_versioned),
                clock=clock,
                wait=wait,
                dry_run=dry_run,
                raising=not chosen.many,
            )
        except Exception as error:
            if not chosen.many:
                raise
            failed = error if isinstance(error, LoganonError) else internal_error(error)
            summary = Summary("", site.store, errors=[failed])
        summaries.append(summary)
        answers.append(_answer(plan, summary, dry_run=dry_run, many=chosen.many))
        if not (as_json or quiet or is_fatal(summary.exit_code)):
            _print(answers[-1], summary, dry_run=dry_run, many=chosen.many)
        told(summary)
    codes = [summary.exit_code for summary in summaries]
    if as_json and (not codes or not all(map(is_fatal, codes))):
        print_json(answers, many=chosen.many)
    return first_applies(codes)


def _answer(plan: Plan | None, summary: Summary, *, dry_run: bool, many: bool) -> dict[str, Any]:
    """The object of one store."""
    drops = plan.drops if plan else ()
    planned = [
        {"partition": d.day.isoformat(), "files": d.files, "rows": d.rows, "bytes": d.bytes, "rule": d.rule}
        for d in drops
    ]
    cutoff = plan.cutoff.isoformat() if plan and plan.cutoff else None
    rest = answer_of(summary) if many else summary.as_dict()
    elsewhere = [
        {
            "entry": file.entry,
            "path": file.path,
            "due": file.due.isoformat(),
            "delete": file.delete,
            "held": file.held.isoformat() if file.held else None,
            "deleted": file.path in summary.expired,
        }
        for file in summary.elsewhere
    ]
    kept = [day.isoformat() for day in plan.kept] if plan else []
    told = {"cutoff": cutoff, "plan": planned, "held": kept, "also_expire": elsewhere, "dry_run": dry_run}
    return {**told, **rest}


def _print(answer: dict[str, Any], summary: Summary, *, dry_run: bool, many: bool) -> None:
    planned = answer["plan"]
    if many:
        click.echo(f"{printable(summary.store)}  (policy {summary.policy})")
    gone = {day.isoformat() for day in summary.dropped}
    for drop in planned:
        fate = "would be deleted" if dry_run else "deleted" if drop["partition"] in gone else "still there"
        size = f"{drop['files']} files, {drop['rows']:,} rows, {drop['bytes']:,} bytes"
        click.echo(f"{drop['partition']}  {size}: {fate} ({drop['rule']})")
    for day in answer["held"]:
        click.echo(f"{day}  is past its day and held")
    for file in answer["also_expire"]:
        click.echo(f"{printable(file['path'])}: {_fate(file, dry_run=dry_run)} ({file['entry']}, due {file['due']})")
    if not planned and not answer["also_expire"] and not summary.errors:
        click.echo("nothing is due")
    if summary.sealed:
        click.echo(f"sealed {', '.join(map(str, summary.sealed))}")


def _fate(file: dict[str, Any], *, dry_run: bool) -> str:
    """What becomes of a file outside the store that is past its age."""
    if file["held"]:
        return f"held until {file['held']}"
    if not file["delete"]:
        return "overdue, and only reported"
    return "would be deleted" if dry_run else "deleted" if file["deleted"] else "still there"
