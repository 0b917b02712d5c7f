"""`loganon key`: what concerns the key of a store."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import DURATION, default_key_file, message_options, option

if TYPE_CHECKING:
    from loganon.rekey import Rekeyed


@click.group(name="key")
def command() -> None:
    """The key by which a store recognises the logs that it has counted."""


@command.command(name="reset", short_help="a new key for a store whose own, or whose source records, are lost")
@option("key_reset", "--store", required=True, metavar="DIR", help="The store.")
@option(
    "key_reset",
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the key lies, or will lie if there is none (default: as for run).",
)
@option("key_reset", "--yes", is_flag=True, help="Do not ask.")
@option(
    "key_reset", "--wait", type=DURATION, default="60s", show_default=True, help="How long to wait for another process."
)
@option("key_reset", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("key_reset")
@reported
def reset(
    store: str,
    key_file: Path | None,
    yes: bool,
    wait: timedelta,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Give a store another key, when its own is lost or its source records cannot be made again.

    No log is recognised after that, so the past is closed: lines before the floor, which is the end of the newest hour
    (or day) that holds a counted line, are rejected as `expired` from then on, in whatever log they stand. Nothing is
    counted twice; lines of that time that were not counted yet never will be. What the store holds stays.
    """
    from loganon.rekey import reset_key  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.store import require_directory  # noqa: PLC0415 - start-up, as above

    path = key_file or default_key_file()
    _ask(yes=yes)
    done = reset_key(require_directory(store, "the key of a store"), path, now=datetime.now(UTC), wait=wait)
    if as_json:
        click.echo(json.dumps(_as_dict(store, path, done)))
    elif not quiet:
        _print(store, path, done)
    said = Messages(messages, quiet=quiet)
    said.errors(done.findings)
    return next((error.exit_code for error in done.findings), 0)


def _ask(*, yes: bool) -> None:
    """Nothing if the operator wants it; an abort or a usage error otherwise."""
    question = "Lines of the past that are not counted yet will never be. Go on?"
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("a reset closes the past of the store and asks first; without a terminal say --yes")
    click.confirm(question, abort=True, err=True)


def _as_dict(store: str, path: Path, done: Rekeyed) -> dict[str, object]:
    floor = done.reset.floor
    return {
        "store": store,
        "key_file": str(path),
        "key_made": done.made,
        "records_retired": done.reset.retired,
        "floor": floor and floor.isoformat(),
    }


def _print(store: str, path: Path, done: Rekeyed) -> None:
    made = "a new key" if done.made else "the key"
    click.echo(f"{store} goes by {made} in {path}; {done.reset.retired} source records are retired")
    if done.reset.floor is not None:
        click.echo(f"lines before {done.reset.floor:%Y-%m-%dT%H:%MZ} are rejected as expired from now on")
