"""`python -m loganon.spark`, and `spark-submit` of this file: count logs into a store by a Spark job."""

from __future__ import annotations

import json
import sys
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from loganon import __version__
from loganon.cli.hardening import harden
from loganon.cli.messages import Messages, internal_error, reported, usage_error
from loganon.cli.options import (
    SIZE,
    default_key_file,
    intake_options,
    message_options,
    now_option,
    option,
    retention_options,
    strict_option,
)
from loganon.spark import require_pyspark

_STDIN = "-"


@click.command(name="loganon.spark", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="loganon.spark")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@intake_options("spark")
@now_option("spark")
@option("spark", "--final", is_flag=True, help="The logs are complete: an unterminated last line is a line.")
@option(
    "spark",
    "--range",
    "range_bytes",
    type=SIZE,
    default="128M",
    show_default=True,
    help="How much of a plain log one task reads, about.",
)
@retention_options("spark")
@strict_option("spark")
@option("spark", "--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@message_options("spark")
@reported
def command(
    logs: tuple[str, ...],
    store: str | None,
    policy: str | None,
    format_name: str,
    format_file: Path | None,
    format_from: str | None,
    day: date | None,
    timezone: ZoneInfo | None,
    fields: str | None,
    provider_db: tuple[Path, ...],
    trusted_proxy: tuple[str, ...],
    stream: str | None,
    writer: str | None,
    key_file: Path | None,
    group: str | None,
    now: datetime | None,
    final: bool,
    range_bytes: int,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_clock: bool,
    accept_versioned: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Count LOG... into a store, and delete from it what is past its day, by a Spark job.

    LOG is a file that all executors can read under the same path, or an object (s3://bucket/key, also below a prefix/
    or by a pattern), plain or compressed. Store and key are the driver's alone. What was counted before is not counted
    again, by this job or by `loganon run`, whatever the log is called now.
    """
    from loganon.clock import Clock  # noqa: PLC0415 - start-up, as above
    from loganon.formats.given import resolve  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.lookups import open_lookups  # noqa: PLC0415 - start-up, as above
    from loganon.policy import named_policy  # noqa: PLC0415 - start-up, as above
    from loganon.reading import Reading  # noqa: PLC0415 - start-up, as above
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above

    require_pyspark()
    from loganon.spark.jobs import count_logs  # noqa: PLC0415 - --help needs no PySpark

    if store is None:
        raise click.UsageError("Missing option '--store'.")
    if _STDIN in logs:
        raise click.UsageError("Executors cannot read standard input; `loganon run` can.")
    say = Messages(messages, quiet=quiet)
    reading = Reading(
        lookups=open_lookups(provider_db, trusted_proxy),
        format=resolve(format_name, file=format_file, source=format_from, day=day),
        timezone=timezone,
        stream=stream,
        final=final,
        fields=tuple((fields or "").split()),
    )
    summary = count_logs(
        logs,
        reading,
        policy=named_policy(policy),
        store=parse_place(store, accept_versioned=accept_versioned),
        key=key_file or default_key_file(),
        clock=Clock(now or datetime.now(UTC), lead, accept_cutoff, accept_clock),
        writer=writer,
        wait=wait,
        group=group,
        strict=strict,
        range_bytes=range_bytes,
    )
    if as_json:
        click.echo(json.dumps(summary.as_dict()))
    elif not quiet:
        from loganon.cli.run import print_summary  # noqa: PLC0415 - start-up, as above

        print_summary(summary)
    for warning in summary.warnings:
        say.note(warning)
    say.errors(summary.errors)
    return summary.exit_code


def main() -> None:
    """Run the job and exit. What it prints never holds a value from a log."""
    harden()
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # of which nothing is used here
    try:
        code = command.main(prog_name="loganon.spark", standalone_mode=False)
    except click.ClickException as error:
        code = usage_error(error)
    except click.exceptions.Abort:
        code = 130
    except BaseException as error:
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        # a traceback's message could hold a value from a log, also that of a panic of polars, which is no Exception
        failed = internal_error(error)
        Messages("text", quiet=False).error(failed)
        code = failed.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
