"""What the command says on standard error: one line an error, as text or as JSON; never a value from a log."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from loganon.cli.output import cannot_print, unprinted
from loganon.cli.processor import check_processor
from loganon.cli.variables import misspelt
from loganon.errors import InternalError, LoganonError

_SIGPIPE = 141


class Messages:
    """Messages in the form that `--messages` asks for; `quiet` leaves out what is no error."""

    def __init__(self, form: str, *, quiet: bool) -> None:
        self._json = form == "json"
        self._quiet = quiet

    def error(self, error: LoganonError) -> None:
        """One line for each mistake in the error."""
        for each in getattr(error, "mistakes", (error,)):
            self._write("error", str(each), each.what, each.where, each.fix)

    def errors(self, errors: Iterable[LoganonError]) -> None:
        """Each error, in order."""
        for error in errors:
            self.error(error)

    def note(self, text: str) -> None:
        """One line that is no error."""
        if not self._quiet:
            self._write("note", text, text, "", "")

    def _write(self, level: str, line: str, what: str, where: str, fix: str) -> None:
        if self._json:
            parts = {"level": level, "what": what, "where": where, "fix": fix}
            click.echo(json.dumps({k: v for k, v in parts.items() if v}, ensure_ascii=False), err=True)
        else:
            click.echo(f"loganon: {line}", err=True)


def reported(function: Callable[..., int]) -> Callable[..., int]:
    """The command's function, its LoganonErrors said in the form that its `messages` asks for; the exit code.

    What could not be printed is said when all is done, and makes the exit code 73, or 141 where the reader has gone,
    if nothing else was wrong.
    """

    @wraps(function)
    def command(*args: Any, **options: Any) -> int:
        say = Messages(options.get("messages", "text"), quiet=False)
        if not options.get("quiet"):
            for text in misspelt(os.environ, click.get_current_context()):
                say.note(text)
        try:
            check_processor()  # before anything imports polars
            code = function(*args, **options)
        except LoganonError as error:
            say.error(error)
            return error.exit_code
        failed = unprinted()
        if isinstance(failed, BrokenPipeError):
            return code or _SIGPIPE
        if failed is not None:
            told = cannot_print(failed)
            say.error(told)
            return code or told.exit_code
        return code

    return command


def usage_error(error: click.ClickException) -> int:
    """Say what was wrong with the arguments, and where help is, or that help where there are none; the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "loganon"
    text = error.format_message().rstrip(".")
    text += "" if text.endswith(("?", "!")) else "."
    click.echo(f"loganon: {text} Try '{command} --help'.", err=True)
    return error.exit_code


def internal_error(error: BaseException) -> InternalError:
    """That loganon itself failed: kind and place, without the message, which may hold a value."""
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-4:]]
    return InternalError(
        f"an error inside loganon, {type(error).__name__}",
        where=f"At {' > '.join(places)}",
        fix="Nothing of the unfinished batch was stored; please report it with this line",
    )
