"""Variables of the environment that look like an option's, and are none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

import click

PREFIX = "LOGANON_"
_SERVICE = re.compile(r"_SERVICE_(HOST|PORT)|(^|_)PORT(_|$)")
"""What Kubernetes tells every container of a service that is named loganon."""


def misspelt(names: Iterable[str], context: click.Context) -> Iterator[str]:
    """What is to be said of those of `names` that no command has, and that are near to one that a command has.

    Others are somebody else's. The commands are only imported where the running one does not know a name.
    """
    own = _of(context.command)
    strange = sorted({name for name in names if name.startswith(PREFIX)} - own)
    strange = [name for name in strange if not _SERVICE.search(name.removeprefix(PREFIX))]
    known = own | _of(context.find_root().command) if strange else own
    for name in strange:
        near = _nearest(name, own) or _nearest(name, known)
        if name not in known and near:
            yield f"{name}: no option has this variable, and it is not heeded. Did you mean {near}?"


def _of(command: click.Command) -> set[str]:
    """The variables of a command's options, or of those of a group's commands."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = (command.get_command(context, name) for name in command.list_commands(context))
        return {name for each in found if each is not None for name in _of(each)}
    given = (each.envvar for each in command.params)
    return {name for names in given for name in ((names,) if isinstance(names, str) else names or ())}


def _nearest(name: str, known: Iterable[str]) -> str:
    words = sorted(each.removeprefix(PREFIX) for each in known)
    near = difflib.get_close_matches(name.removeprefix(PREFIX), words, n=1, cutoff=0.7)
    return PREFIX + near[0] if near else ""
