"""Writes log lines again, from the columns that a policy permits: one writer for each dialect. No input or output.

A writer takes the permitted columns of one chunk, one row a line, strings as dictionaries, and gives the bytes of that
many lines. What a format has and the policy does not permit is written as a stand-in that parsers of the format accept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loganon.errors import ConfigurationError
from loganon.formats import Format
from loganon.render.delimited import write_delimited
from loganon.render.jsonlines import write_json
from loganon.render.rows import Lines
from loganon.render.template import write_template
from loganon.render.values import Kept, Writer

__all__ = ["Kept", "Lines", "Writer", "Written", "make_writer"]

_DIALECTS: Mapping[str, Callable[[Format, Kept], Writer]] = {
    "template": write_template,
    "delimited": write_delimited,
    "jsonlines": write_json,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What one chunk gives, written again: `text`, the lines each ended by LF; `lines` = `written` + sum of `rejected`.

    `redacted`: written lines in which a value had to be replaced at the last check.
    """

    text: Lines = field(repr=False)
    lines: int
    written: int
    rejected: Counter[str]
    redacted: int


def make_writer(fmt: Format, kept: Kept) -> Writer:
    """A callable from a table of permitted columns to its lines in the format, each ended by LF (bytes), headers too.

    It remembers the header that it wrote last, and so is for the lines of one log.

    `kept`: the raw columns of the format of which something is permitted, each with the columns of the table that it
    became (`Pipeline.kept`). ConfigurationError (78) where the format is one that cannot be written.
    """
    if fmt.dialect not in _DIALECTS:
        raise ConfigurationError(
            f"the format {fmt.name} can be read, but not written",
            where="--format",
            fix="Use `loganon run` on such logs",
        )
    return _DIALECTS[fmt.dialect](fmt, kept)
