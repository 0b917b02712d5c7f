"""Where logs come from: files, standard input; and what tells one log from another."""

from __future__ import annotations

import sys

from loganon.errors import MissingInputError
from loganon.sources.files import Log, open_log
from loganon.sources.stdin import Stream

STDIN = "-"
Source = Log | Stream


def open_source(path: str, *, at: str | None = None) -> Source:
    """The log at `path`, standard input for `-`; MissingInputError (66) where it cannot be opened.

    `at`: where the log lies, if it is not at `path` any more.
    """
    if path != STDIN:
        return open_log(path, at=at)
    if sys.stdin is None:
        raise MissingInputError("standard input is closed", where=path, fix="Name a log, or write one into the pipe")
    return Stream(sys.stdin.buffer)
