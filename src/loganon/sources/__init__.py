"""Where logs come from: files, standard input; and what tells one log from another."""

from __future__ import annotations

import sys

from loganon.sources.files import Log, open_log
from loganon.sources.stdin import Stream

STDIN = "-"
Source = Log | Stream


def open_source(path: str) -> Source:
    """The log at `path`, standard input for `-`; MissingInputError (66) where it cannot be opened."""
    return Stream(sys.stdin.buffer) if path == STDIN else open_log(path)
