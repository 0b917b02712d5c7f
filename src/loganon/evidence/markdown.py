"""The document as Markdown; whatever stands in a value is text there, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from loganon.errors import printable
from loganon.evidence.document import Block, Listed, Part, Said, Section, Table, spans

_ALWAYS = re.compile(r"[\\`*\[\]|<>~$&@]|_(?![0-9A-Za-z])|(?<![0-9A-Za-z])_|:(?=//)|(?<=www)\.", re.IGNORECASE)
_FIRST = re.compile(r"^(\s*)([-+=#]|[0-9]+(?=[.)](?: |$)))")


def markdown(title: str, parts: Sequence[Part], now: datetime, version: str) -> str:
    """The file's text."""
    lines = [
        f"# {escape(title)}",
        "",
        f"Made by loganon {version} on {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
    ]
    for part in parts:
        lines += [f"## Store {escape(part.store)}", ""]
        for section in part.sections:
            lines += [*_section(section), ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """The text on one line, with a backslash before each character that could mean something there (GFM, too)."""
    return "".join(f"`{run}`" if code else _escaped(run) for code, run in spans(printable(text).strip()))


def _escaped(text: str) -> str:
    marked = _ALWAYS.sub(lambda found: f"\\{found[0]}", text)
    return _FIRST.sub(lambda found: found[1] + (found[2] + "\\" if found[2].isdigit() else "\\" + found[2]), marked)


def _section(section: Section) -> Iterator[str]:
    of = f" ({section.of})" if section.of else ""
    yield f"### {escape(section.title)}{of}"
    for block in section.blocks:
        yield ""
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield f"**{escape(block.caption)}**"
        yield ""
        yield f"| {' | '.join(map(escape, block.columns))} |"
        yield f"|{'|'.join('---:' if n in block.numbers else '---' for n in range(len(block.columns)))}|"
        yield from (f"| {' | '.join(map(escape, row))} |" for row in block.rows)
    elif isinstance(block, Listed):
        yield from (f"- {escape(text)}" for text in block.texts)
    elif isinstance(block, Said):
        yield f"> {escape(block.text)}"
    else:
        yield escape(block)
