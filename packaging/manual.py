"""Manual pages, one for each command: `manual.py DIRECTORY`."""

from __future__ import annotations

import sys

import click
from click_man.core import write_man_pages

from loganon import __version__
from loganon.cli import root

context = click.Context(root)
root.commands = {name: found for name in root.list_commands(context) if (found := root.get_command(context, name))}
write_man_pages("loganon", root, version=__version__, target_dir=sys.argv[1])
