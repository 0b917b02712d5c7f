"""`loganon retain`: apply retention only."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import DAY, DURATION, MOMENT, message_options, option

if TYPE_CHECKING:
    from loganon.summary import Summary


@click.command(name="retain")
@option("retain", "--store", required=True, metavar="DIR", help="The store.")
@option("retain", "--dry-run", is_flag=True, help="Print the plan that would be carried out; change nothing.")
@option("retain", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option(
    "retain",
    "--lead",
    type=DURATION,
    default="0s",
    show_default=True,
    help="Drop what would expire within this time, too.",
)
@option(
    "retain", "--wait", type=DURATION, default="60s", show_default=True, help="How long to wait for another process."
)
@option(
    "retain",
    "--accept-cutoff",
    type=DAY,
    metavar="DATE",
    help="Let the cutoff move up to this date by more than 60 days.",
)
@option("retain", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("retain")
@reported
def command(
    store: str,
    dry_run: bool,
    now: datetime | None,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Delete from a store what is past its day, and seal the days that are due."""
    from loganon import job  # noqa: PLC0415 - start-up: polars is not imported for --help

    clock = job.Clock(now or datetime.now(UTC), lead, accept_cutoff)
    plan, summary = job.retain(Path(store), clock=clock, wait=wait, dry_run=dry_run)
    planned = [
        {"partition": d.day.isoformat(), "files": d.files, "rows": d.rows, "bytes": d.bytes, "rule": d.rule}
        for d in plan.drops
    ]
    if as_json:
        cutoff = plan.cutoff.isoformat() if plan.cutoff else None
        click.echo(json.dumps({"cutoff": cutoff, "plan": planned, "dry_run": dry_run, **summary.as_dict()}))
    elif not quiet:
        _print(planned, summary, dry_run=dry_run)
    Messages(messages, quiet=quiet).errors(summary.errors)
    return summary.exit_code


def _print(planned: list[dict[str, object]], summary: Summary, *, dry_run: bool) -> None:
    gone = {day.isoformat() for day in summary.dropped}
    for drop in planned:
        fate = "would be deleted" if dry_run else "deleted" if drop["partition"] in gone else "still there"
        size = f"{drop['files']} files, {drop['rows']:,} rows, {drop['bytes']:,} bytes"
        click.echo(f"{drop['partition']}  {size}: {fate} ({drop['rule']})")
    if not planned and not summary.errors:
        click.echo("nothing is due")
    if summary.sealed:
        click.echo(f"sealed {', '.join(map(str, summary.sealed))}")
