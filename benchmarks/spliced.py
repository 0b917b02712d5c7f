"""`loganon run` or `filter` with a compiled kernel: `python benchmarks/spliced.py LIBRARY run ...`. See `splice.py`."""

from __future__ import annotations

import sys
from importlib import import_module

from loganon import cli
from loganon.cli import start

LIBRARY = sys.argv.pop(1)
COMMAND = cli.main


def spliced() -> None:
    """The command; only once the process is set up are the libraries imported, as they are without the kernel."""
    user = "loganon.filter" if sys.argv[1] == "filter" else "loganon.ingest"
    import_module("splice").splice(LIBRARY, import_module(user))
    COMMAND()


if __name__ == "__main__":
    cli.main = spliced
    start.main()
