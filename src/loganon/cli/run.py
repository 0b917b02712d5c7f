"""`loganon run`: ingest logs, seal, apply retention."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loganon.cli.messages import Messages, internal_error, reported
from loganon.cli.options import (
    default_key_file,
    intake_options,
    message_options,
    now_option,
    option,
    retention_options,
    strict_option,
)
from loganon.cli.sites import Told, answer_of, choose, config_option, is_fatal, preferred, print_json, tell
from loganon.clock import Clock
from loganon.errors import printable

if TYPE_CHECKING:
    from loganon.rounds import Prepared
    from loganon.summary import Summary


@click.command(name="run")
@click.argument("logs", nargs=-1, metavar="[LOG...]")
@config_option("run")
@intake_options("run")
@now_option("run")
@option("run", "--final", is_flag=True, help="The logs are complete: an unterminated last line is a line.")
@option(
    "run", "--remove-source", is_flag=True, help="Remove each log once it is wholly counted and no one writes to it."
)
@retention_options("run")
@strict_option("run")
@option("run", "--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@message_options("run")
@reported
def command(
    logs: tuple[str, ...],
    config: Path | None,
    store: str | None,
    writer: str | None,
    key_file: Path | None,
    group: str | None,
    now: datetime | None,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_clock: bool,
    accept_versioned: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
    **_read: object,
) -> int:
    """Count LOG... into a store, and delete from it what is past its day.

    LOG is a file, plain or compressed, or - for standard input. What was counted before is not counted again, whatever
    the log is called now.

    Without LOG all sites of a configuration file are gone through, each with its own store and policy, and none spoils
    the others; with --store only the one of that store.
    """  # `_read`: what `choose` asks click for, with where it comes from
    from loganon.cli.progress import progress_of  # noqa: PLC0415 - start-up, as above
    from loganon.rounds import prepare  # noqa: PLC0415 - start-up, as above
    from loganon.sites import Readings  # noqa: PLC0415 - start-up, as above
    from loganon.sources.objects import expand_objects  # noqa: PLC0415 - start-up, as above
    from loganon.summary import first_applies  # noqa: PLC0415 - start-up, as above

    say = Messages(messages, quiet=quiet)
    chosen = choose(config, store, logs=tuple(each for log in logs for each in expand_objects(log)))
    known = chosen.settings
    how: dict[str, Any] = {
        "key": preferred("key_file", key_file, Path(known.key_file) if known.key_file else None) or default_key_file(),
        "clock": Clock(now or datetime.now(UTC), preferred("lead", lead, known.lead), accept_cutoff, accept_clock),
        "writer": preferred("writer", writer, known.writer),
        "wait": preferred("wait", wait, known.wait),
        "group": preferred("group", group, known.group),
        "strict": strict,
        "accept_versioned": accept_versioned,
    }
    paths = [log.path for site in chosen.sites for log in site.logs]
    with progress_of(paths, shown=not (as_json or quiet)) as progress:
        how["progress"] = progress
        prepared = prepare(chosen.sites, Readings())
        if chosen.many:
            tell(chosen, say)
            codes = _all(prepared, how, say, as_json=as_json, shown=not quiet)
        else:
            codes = _one(prepared[0], how, say, as_json=as_json, shown=not quiet)
    return first_applies([*codes, *(error.exit_code for error in chosen.errors)])


def _all(prepared: Sequence[Prepared], how: dict[str, Any], say: Messages, *, as_json: bool, shown: bool) -> list[int]:
    """A run on each of many sites: the exit codes. What is wrong with their configuration is said before the first."""
    told = Told(say, (each.error for each in prepared))
    summaries: list[Summary] = []
    for each in prepared:
        summary = _tried(each, how)
        summaries.append(summary)
        if shown and not as_json and not is_fatal(summary.exit_code):
            print_summary(summary)
        told(summary)
    codes = [summary.exit_code for summary in summaries]
    if as_json and (not codes or not all(map(is_fatal, codes))):
        print_json([answer_of(summary) for summary in summaries], many=True)
    return codes


def _one(prepared: Prepared, how: dict[str, Any], say: Messages, *, as_json: bool, shown: bool) -> list[int]:
    """A run on one store: its exit code; what is wrong with its configuration, or that it is busy, is raised."""
    from loganon import job  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above

    if prepared.error is not None:
        raise prepared.error
    place = parse_place(prepared.site.store, accept_versioned=how["accept_versioned"])
    rest = {name: value for name, value in how.items() if name != "accept_versioned"}
    summary = job.run(prepared.inputs, policy=prepared.policy, store=place, **rest)
    if as_json:
        click.echo(json.dumps(summary.as_dict()))
    elif shown:
        print_summary(summary)
    for warning in summary.warnings:
        say.note(warning)
    say.errors(summary.errors)
    return [summary.exit_code]


def _tried(prepared: Prepared, how: dict[str, Any]) -> Summary:
    """A run on one of many sites, which raises nothing."""
    from loganon.rounds import run_site  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.summary import Summary  # noqa: PLC0415 - start-up, as above

    try:
        return run_site(prepared, **how)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one site must not keep the others from being pruned
        return Summary(prepared.site.policy or "", prepared.site.store, errors=[internal_error(error)])


def print_summary(summary: Summary) -> None:
    """Print what was done: one line a log, one for the store."""
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
    done += [f"logs removed: {len(summary.removed):,}"] if summary.removed else []
    done += [f"{summary.redacted:,} lines redacted"] if summary.redacted else []
    click.echo(f"{printable(summary.store)}  (policy {summary.policy})  {'; '.join(done)}")
