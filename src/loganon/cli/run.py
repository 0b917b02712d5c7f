"""`loganon run`: ingest logs, seal, apply retention."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import (
    DAY,
    DURATION,
    MOMENT,
    default_key_file,
    format_options,
    lookup_options,
    message_options,
    option,
)
from loganon.errors import printable

if TYPE_CHECKING:
    from loganon.summary import Summary


@click.command(name="run")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@option("run", "--store", required=True, metavar="DIR", help="The store; made if there is none.")
@option(
    "run",
    "--policy",
    metavar="NAME|FILE",
    help="The policy of a new store (default: imos). A standing store has its own.",
)
@format_options("run")
@option("run", "--fields", metavar="'NAME ...'", help="The columns of W3C logs without a header.")
@lookup_options("run")
@option("run", "--stream", metavar="LABEL", help="The log's label (default: its name without rotation suffixes).")
@option("run", "--writer", metavar="NAME", help="This writer's name, where several write into one store.")
@option(
    "run", "--key-file", type=click.Path(path_type=Path), help="The key of the fingerprints; made if there is none."
)
@option("run", "--group", metavar="NAME", help="A new store's table can be read by this group.")
@option("run", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option("run", "--final", is_flag=True, help="The logs are complete: an unterminated last line is a line.")
@option(
    "run",
    "--lead",
    type=DURATION,
    default="0s",
    show_default=True,
    help="Drop what would expire within this time, too.",
)
@option("run", "--wait", type=DURATION, default="60s", show_default=True, help="How long to wait for another process.")
@option(
    "run", "--accept-cutoff", type=DAY, metavar="DATE", help="Let the cutoff move up to this date by more than 60 days."
)
@option("run", "--accept-clock", is_flag=True, help="Go on although the clock is far behind the last commit.")
@option("run", "--strict", is_flag=True, help="Exit 1 if a line could not be read or a value had to be redacted.")
@option("run", "--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@message_options("run")
@reported
def command(
    logs: tuple[str, ...],
    store: str,
    policy: str | None,
    format_name: str,
    format_file: Path | None,
    format_from: str | None,
    day: date | None,
    fields: str | None,
    timezone: ZoneInfo | None,
    provider_db: tuple[Path, ...],
    trusted_proxy: tuple[str, ...],
    stream: str | None,
    writer: str | None,
    key_file: Path | None,
    group: str | None,
    now: datetime | None,
    final: bool,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_clock: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Count LOG... into a store, and delete from it what is past its day.

    LOG is a file, plain or compressed, or - for standard input. What was counted before is not counted again, whatever
    the log is called now.
    """
    from loganon import job  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.cli.progress import progress_of  # noqa: PLC0415 - start-up, as above
    from loganon.formats.given import resolve  # noqa: PLC0415 - start-up, as above
    from loganon.lookups import open_lookups  # noqa: PLC0415 - start-up, as above
    from loganon.policy import named_policy  # noqa: PLC0415 - start-up, as above
    from loganon.reading import Input, Reading  # noqa: PLC0415 - start-up, as above

    say = Messages(messages, quiet=quiet)
    with progress_of(logs, shown=not (as_json or quiet)) as progress:
        reading = Reading(
            lookups=open_lookups(provider_db, trusted_proxy),
            format=resolve(format_name, file=format_file, source=format_from, day=day),
            timezone=timezone,
            stream=stream,
            final=final,
            fields=tuple((fields or "").split()),
        )
        summary = job.run(
            [Input(log, reading) for log in logs],
            policy=named_policy(policy),
            store=Path(store),
            key=key_file or default_key_file(),
            clock=job.Clock(now or datetime.now(UTC), lead, accept_cutoff, accept_clock),
            writer=writer,
            wait=wait,
            strict=strict,
            group=group,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(summary.as_dict()))
    elif not quiet:
        _print(summary)
    for warning in summary.warnings:
        say.note(warning)
    say.errors(summary.errors)
    return summary.exit_code


def _print(summary: Summary) -> None:
    for log in summary.logs:
        rejected = {reason: count for reason, count in log.as_dict()["rejected"].items() if count}
        parts = [f"{log.lines['counted']:,} counted"]
        parts += [f"{log.already_counted:,} already counted"] if log.already_counted else []
        parts += [f"{count:,} {reason.replace('_', ' ')}" for reason, count in rejected.items()]
        parts += [f"{log.pending_bytes:,} bytes pending"] if log.pending_bytes else []
        total = log.lines.total() + log.already_counted
        click.echo(f"{printable(log.log)}  ({log.format or 'no whole line yet'})  {total:,} lines: {', '.join(parts)}")
    for path, reason in summary.skipped:
        click.echo(f"{printable(path)}  skipped: {reason.replace('_', ' ')}")
    done = [f"{summary.cells_written:,} cells written"]
    done += [f"sealed {', '.join(map(str, summary.sealed))}"] if summary.sealed else []
    done += [f"dropped {', '.join(map(str, summary.dropped))}"] if summary.dropped else []
    done += [f"{summary.redacted:,} lines redacted"] if summary.redacted else []
    click.echo(f"{printable(summary.store)}  (policy {summary.policy})  {'; '.join(done)}")
