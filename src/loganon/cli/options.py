"""Options that several commands share, and the types of their values. Their environment variables are named here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from loganon.errors import ConfigurationError
from loganon.paths import is_there
from loganon.periods import YEARS, parse_duration

_F = TypeVar("_F", bound=Callable[..., Any])
_POLICY, _STORE, _NAMES = "NAME|FILE", "DIR|s3://…", "'NAME ...'"
_GENERAL = {"config", "store", "policy", "provider_db", "key_file"}


class _Moment(click.ParamType[datetime]):
    name = "ISO-8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            moment = None
        if moment is None or not YEARS[0] <= moment.year <= YEARS[1]:
            self.fail("expected a time such as 2026-11-21T00:05:00Z", param, ctx)
        return moment


class _Day(click.ParamType[date]):
    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("expected a date such as 2026-11-21", param, ctx)


class _Duration(click.ParamType[timedelta]):
    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Zone(click.ParamType[ZoneInfo]):
    name = "ZONE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(value)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            self.fail("expected a time zone such as Europe/Berlin", param, ctx)


class _Size(click.ParamType[int]):
    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,11})([KMG]?)", value)
        if found is None:
            self.fail("expected a size such as 64M", param, ctx)
        return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


MOMENT, DAY, DURATION, ZONE, SIZE = _Moment(), _Day(), _Duration(), _Zone(), _Size()


def option(command: str, *names: str, **settings: Any) -> Callable[[_F], _F]:
    """A click option of `command` with its environment variables: its own, then the general one."""
    long = next(name for name in names if name.startswith("--"))
    key = long.removeprefix("--").split("/")[0].replace("-", "_")
    variables = [f"LOGANON_{command}_{key}".upper()]
    if key in _GENERAL:
        variables.append(f"LOGANON_{key}".upper())
    return click.option(*names, envvar=variables, **settings)


def default_key_file() -> Path:
    """Where the key lies unless told otherwise: a systemd credential, `$XDG_STATE_HOME`, or its default."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and is_there(path := Path(credentials) / "loganon.key"):
        return path
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(state) if state else Path("~/.local/state").expanduser()) / "loganon" / "key"
    except RuntimeError:  # neither HOME nor an entry for this user
        raise ConfigurationError("this user has no home for the key", fix="Say where it lies with --key-file") from None


def format_options(command: str) -> Callable[[_F], _F]:
    """The options that say how the lines of a log are read: `format_name`, `format_file`, `format_from`, `day`,
    `timezone`. `formats.given.resolve` takes the first four.
    """
    options = (
        option(
            command,
            "--format",
            "format_name",
            default="auto",
            show_default=True,
            metavar="NAME|apache:…|nginx:…",
            help="The format of the log: a name, or the server's own LogFormat or log_format string.",
        ),
        option(
            command,
            "--format-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A TOML file that describes the format.",
        ),
        option(
            command,
            "--format-from",
            metavar="CONF[:NAME]",
            help="Read the format out of Apache's or nginx's configuration.",
        ),
        option(command, "--date", "day", type=DAY, metavar="DATE", help="A day of the log, for times without a year."),
        option(command, "--timezone", type=ZONE, help="The zone of times without an offset (default: UTC)."),
    )

    return _all_of(options)


def lookup_options(command: str) -> Callable[[_F], _F]:
    """The options that say who is asked about a client: `provider_db`, `trusted_proxy`; `open_lookups` takes them."""
    return _all_of(
        (
            option(
                command,
                "--provider-db",
                multiple=True,
                type=click.Path(path_type=Path),
                help="An MMDB file that knows networks' providers; repeatable.",
            ),
            option(
                command,
                "--trusted-proxy",
                multiple=True,
                metavar="CIDR",
                help="A proxy whose forwarded addresses are believed; repeatable.",
            ),
        )
    )


def single_log_options(command: str) -> Callable[[_F], _F]:
    """The options of commands that read one log without a store: `policy`, how it is read, who is asked."""
    return _all_of(
        (
            option(
                command, "--policy", default="imos", show_default=True, metavar=_POLICY, help="The policy to go by."
            ),
            format_options(command),
            option(command, "--fields", metavar=_NAMES, help="The columns of a W3C log without a header."),
            lookup_options(command),
        )
    )


def intake_options(command: str) -> Callable[[_F], _F]:
    """The options of commands that read logs into a store: `store`, `policy`, how they are read, who is asked,
    `stream`, `writer`, `key_file`, `group`.
    """
    return _all_of(
        (
            option(command, "--store", metavar=_STORE, help="The store; made if there is none."),
            option(
                command,
                "--policy",
                metavar=_POLICY,
                help="The policy of a new store (default: imos). A standing store has its own.",
            ),
            format_options(command),
            option(command, "--fields", metavar=_NAMES, help="The columns of W3C logs without a header."),
            lookup_options(command),
            option(
                command,
                "--stream",
                metavar="LABEL",
                help="The log's label (default: its name without rotation suffixes).",
            ),
            option(command, "--writer", metavar="NAME", help="This writer's name, where several write into one store."),
            option(
                command,
                "--key-file",
                type=click.Path(path_type=Path),
                help="The key of the fingerprints; made if there is none (default: ~/.local/state/loganon/key).",
            ),
            option(command, "--group", metavar="NAME", help="A new store's table can be read by this group."),
        )
    )


def retention_options(
    command: str, *, wait: str = "How long to wait for another process.", reads: bool = True
) -> Callable[[_F], _F]:
    """The options of commands that delete: `lead`, `wait` (what it means), `accept_cutoff`, `accept_versioned`, and of
    those that read logs, too, `accept_clock`.
    """
    options = [
        option(
            command,
            "--lead",
            type=DURATION,
            default="0s",
            show_default=True,
            help="Drop what would expire within this time, too.",
        ),
        option(command, "--wait", type=DURATION, default="60s", show_default=True, help=wait),
        option(
            command,
            "--accept-cutoff",
            type=DAY,
            metavar="DATE",
            help="Let the cutoff move up to this date by more than 60 days.",
        ),
    ]
    if reads:
        text = "Go on although the clock is far behind the last commit."
        options.append(option(command, "--accept-clock", is_flag=True, help=text))
    text = "Go on although the bucket keeps old versions of what is deleted."
    return _all_of([*options, option(command, "--accept-versioned", is_flag=True, help=text)])


def now_option(command: str) -> Callable[[_F], _F]:
    """The option `now`."""
    return option(command, "--now", type=MOMENT, help="The time to go by (UTC without offset).")


def strict_option(command: str) -> Callable[[_F], _F]:
    """The option `strict`."""
    text = "Exit 1 if a line could not be read or a value had to be redacted."
    return option(command, "--strict", is_flag=True, help=text)


def message_options(command: str) -> Callable[[_F], _F]:
    """The options that say what is printed besides the result: `quiet`, `messages`; `Messages` takes them."""
    return _all_of(
        (
            option(command, "--quiet", is_flag=True, help="Print errors only."),
            option(
                command,
                "--messages",
                type=click.Choice(["text", "json"]),
                default="text",
                show_default=True,
                help="The form of messages.",
            ),
        )
    )


def _all_of(options: Sequence[Callable[[_F], _F]]) -> Callable[[_F], _F]:
    def add(function: _F) -> _F:
        for each in reversed(options):
            function = each(function)
        return function

    return add
