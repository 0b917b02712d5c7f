"""`loganon filter`: log lines in, anonymised lines out, in the same format."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import message_options, option, single_log_options, strict_option
from loganon.cli.output import cannot_print
from loganon.errors import CannotWriteError

if TYPE_CHECKING:
    from loganon.filter import FilterSummary
    from loganon.sources import Source

_STDIN = "-"
_READER_GONE = 141  # as a process that SIGPIPE ended


@click.command(name="filter")
@click.argument("log", metavar="[LOG]", default=_STDIN)
@single_log_options("filter")
@option(
    "filter",
    "--error-log",
    type=click.Choice(["apache", "nginx"]),
    help="LOG is this server's error log: mask addresses, URLs, referrers, users; keep the rest of the message.",
)
@strict_option("filter")
@option("filter", "--json", "as_json", is_flag=True, help="Print the summary as one JSON object, on standard error.")
@message_options("filter")
@reported
def command(
    log: str,
    policy: str,
    format_name: str,
    format_file: Path | None,
    format_from: str | None,
    day: date | None,
    fields: str | None,
    timezone: ZoneInfo | None,
    provider_db: tuple[Path, ...],
    trusted_proxy: tuple[str, ...],
    error_log: str | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Write the lines of LOG to standard output, in their format, with only what the policy permits.

    LOG is a file, plain or compressed, or - for standard input (the default). The client becomes its provider's domain,
    the file is treated and stands in a request `GET /file HTTP/1.0`, the time is cut to the policy's precision and
    written in UTC, the agent becomes `Chrome/120`, the status 200 (success) or 400; all else is `-` or 0. JSON lines
    keep the keys that the format knows, W3C and other columns those that it knows, under a header; all others are left
    out with their names. The policy's `minimum` and `keep_for` do not apply: a filter sees neither the day's other
    lines nor what becomes of its output.

    Lines that do not parse are counted and not written; the counts go to standard error. What has come is written
    whenever the input pauses, so that it serves as Apache's piped log:

        CustomLog "|$loganon filter --format combined >>/var/log/anonymous.log" combined
    """
    from loganon.filter import filter_access, filter_errors  # noqa: PLC0415 - start-up: not imported for --help
    from loganon.formats.given import resolve  # noqa: PLC0415 - start-up, as above
    from loganon.lookups import open_lookups  # noqa: PLC0415 - start-up, as above
    from loganon.policy import open_policy  # noqa: PLC0415 - start-up, as above

    name = "standard input" if log == _STDIN else log
    given, fmt, lookups = (
        open_policy(policy),
        resolve(format_name, file=format_file, source=format_from, day=day),
        open_lookups(provider_db, trusted_proxy, apart=log == _STDIN),
    )
    try:
        with _opened(log) as source:
            if error_log is not None:
                summary = filter_errors(name, source, _write, server=error_log)
            else:
                summary = filter_access(
                    name,
                    source,
                    _write,
                    policy=given,
                    lookups=lookups,
                    fmt=fmt,
                    timezone=timezone,
                    fields=tuple((fields or "").split()),
                )
    except BrokenPipeError:  # click would make it 1
        return _READER_GONE
    say = Messages(messages, quiet=quiet)
    if as_json:
        click.echo(json.dumps(summary.as_dict()), err=True)
    else:
        say.note(_told(summary))
        for warning in summary.warnings:
            say.note(warning)
    say.errors(summary.errors)
    return summary.exit_code(strict=strict)


@contextmanager
def _opened(log: str) -> Iterator[Source]:
    """The log; of standard input what has come, as soon as it has. SIGTERM ends it behind what is already there."""
    from loganon.sources import standard_input  # noqa: PLC0415 - start-up: not imported for --help
    from loganon.sources.files import open_log  # noqa: PLC0415 - start-up, as above
    from loganon.sources.inflate import MAGIC_BYTES  # noqa: PLC0415 - start-up, as above
    from loganon.sources.prompt import Prompt  # noqa: PLC0415 - start-up, as above
    from loganon.sources.regular import Regular  # noqa: PLC0415 - start-up, as above
    from loganon.sources.stdin import Stream  # noqa: PLC0415 - start-up, as above

    if log != _STDIN:
        with open_log(log) as source:
            yield source
        return
    descriptor = standard_input().fileno()
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    feed = Regular(descriptor) if regular else Prompt(descriptor, whole=MAGIC_BYTES)
    before = signal.signal(signal.SIGTERM, lambda *_: feed.stop())
    try:
        yield Stream(feed)
    finally:
        signal.signal(signal.SIGTERM, before)


def _write(text: bytes | memoryview) -> None:
    """Write to standard output at once, past Python's buffer: a pipe that broke leaves nothing behind to be flushed."""
    if sys.__stdout__ is None:  # the process was started without one
        raise CannotWriteError("standard output is closed", fix="Send it to a file or a pipe")
    descriptor = sys.stdout.fileno()
    rest = memoryview(text)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # others have made it non-blocking
            select.select([], [descriptor], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_print(error) from None


def _told(summary: FilterSummary) -> str:
    rejected = {reason: count for reason, count in summary.as_dict()["rejected"].items() if count}
    parts = [f"{summary.lines_read:,} lines", f"{summary.written:,} written"]
    parts += [f"{count:,} {reason.replace('_', ' ')}, not written" for reason, count in rejected.items()]
    parts += [f"{summary.redacted:,} redacted"] if summary.redacted else []
    return f"{summary.log} ({summary.format or 'no format found'}): {', '.join(parts)}"
