"""Where logs come from: files, objects, standard input; and what tells one log from another."""

from __future__ import annotations

import sys
from typing import BinaryIO

from loganon.buckets import is_object
from loganon.errors import MissingInputError
from loganon.sources.files import Log
from loganon.sources.files import open_log as open_file
from loganon.sources.objects import open_object
from loganon.sources.stdin import Stream

STDIN = "-"
Source = Log | Stream


def open_log(path: str, *, at: str | None = None) -> Log:
    """The log at `path`, a file or an object (`s3://bucket/key`); 66 where it cannot be opened. `at` as below."""
    return open_object(path) if is_object(path) else open_file(path, at=at)


def open_source(path: str, *, at: str | None = None) -> Source:
    """The log at `path`, standard input for `-`; MissingInputError (66) where it cannot be opened.

    `at`: where the log lies, if it is not at `path` any more.
    """
    return open_log(path, at=at) if path != STDIN else Stream(standard_input())


def standard_input() -> BinaryIO:
    """Standard input as bytes; MissingInputError (66) where the process was started without one."""
    if sys.stdin is None:
        raise MissingInputError("standard input is closed", where=STDIN, fix="Name a log, or write one into the pipe")
    return sys.stdin.buffer
