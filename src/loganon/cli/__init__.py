"""The command line: arguments -> one call -> exit code. Each command has a file, imported when it is called for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from loganon import __version__
from loganon.cli.hardening import harden
from loganon.cli.messages import Messages, internal_error, usage_error

_COMMANDS = {
    "preview": "what loganon would make of a log; nothing is written",
    "run": "ingest logs, seal, apply retention",
    "follow": "tail live logs, a pipe or syslog, for as long as they last",
    "filter": "log lines in, anonymised lines out, in the same format",
    "retain": "apply retention only",
    "status": "how a store is: what it holds, what goes next, what is wrong",
    "verify": "prove the promises on a store",
    "report": "accesses over time, by file, browser and domain; a page; where the policy allows evaluation",
    "policy": "check, show, compare and apply policies",
    "key": "give a store another key when its own is lost",
    "formats": "the log formats that loganon reads",
}


class _Lazy(click.Group):
    """A group whose commands are modules of this package, imported on use: `--help` loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"loganon.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - holds the modules of this package to their one name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every option can be set by an environment variable LOGANON_<COMMAND>_<OPTION>.",
)
@click.version_option(__version__, prog_name="loganon")
def root() -> None:
    """Keep of access logs what a written policy permits, count it into Parquet, delete it on time."""


def main() -> None:
    """Run the command and exit; the only place that catches errors. What it prints never holds a value from a log."""
    harden()
    try:
        code = root.main(prog_name="loganon", standalone_mode=False)
    except click.ClickException as error:
        code = usage_error(error)
    except click.exceptions.Abort:
        code = 130
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - a traceback's message could hold a value from a log: only places are shown
        failed = internal_error(error)
        Messages("text", quiet=False).error(failed)
        code = failed.exit_code
    sys.exit(code if isinstance(code, int) else 0)
