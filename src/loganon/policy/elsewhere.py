"""Dated files outside the store that a policy gives an age: `[[also_expire]]`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from loganon.periods import Period
from loganon.policy.parts import AGE_PATTERN, FREE, Entry, Said, Slug, read_age
from loganon.strictness import Direction, Order, listed, shorter

_WILD = "*?"
_SAID_SO = 3
"""Characters of a file's name that a pattern must fix before files are deleted by it."""


def _age(value: object) -> object:
    age = read_age(value)
    if isinstance(age, Period) and age.unlimited:
        raise ValueError('expected an age such as "60 days"; what has none does not expire')
    return age


def _path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    parts = folder.split("/")[1:]
    if not path.startswith("/") or not folder or not name:
        raise ValueError('expected an absolute path such as "/var/backups/db-*.gz", with a directory and a file name')
    if any(part in ("", ".", "..") for part in parts) or name in (".", "..") or "\0" in path:
        raise ValueError("expected a path without empty parts, . and ..")
    if any(mark in folder for mark in "*?[") or "[" in name or "**" in name:
        raise ValueError("expected * and ? in the file's name only: directories are named, and none below is entered")
    return path


def is_too_wide(path: str) -> bool:
    """Whether a pattern says too little of the name for anything to be deleted by it."""
    return len(path.rpartition("/")[2].translate(str.maketrans("", "", _WILD))) < _SAID_SO


class AlsoExpire(Entry):
    """Dated files elsewhere, such as backups and raw logs, with an age of their own. Several may stand."""

    known_by: ClassVar[str] = "name"
    more: ClassVar[Direction] = Direction.TIGHTER

    name: Annotated[Slug, FREE] = Field(description="a name for the files, which a hold can name, too")
    path: Annotated[
        str,
        AfterValidator(_path),
        Order(lambda *_: Direction.LOOSER, looser="other files are meant than so far"),
    ] = Field(
        description="an absolute path; `*` (any text) and `?` (one character) may stand in the file's name, which must "
        "match as a whole; directories below are not entered, links are not followed"
    )
    age: Annotated[
        Period,
        BeforeValidator(_age),
        PlainSerializer(str),
        WithJsonSchema({"type": "string", "pattern": f"^{AGE_PATTERN}$", "examples": ["60 days"]}),
        Order(shorter, tighter="the files go after {new}, so far after {old}", looser="the files may stand for {new}"),
    ] = Field(description='how old they may be, such as "60 days"; without a default')
    start: Annotated[
        Literal["name", "modified"],
        Order(lambda *_: Direction.LOOSER, looser="the age runs from another moment than so far"),
    ] = Field(
        default="name",
        description='from when the age runs: "name" is the one date in the file\'s name (2026-11-21, 20261121), '
        '"modified" the day of its last change (UTC)',
    )
    owner: Annotated[Said, FREE] = Field(description="who answers for these files")
    action: Annotated[
        Literal["report", "delete"],
        Order(
            listed("report", "delete"),
            tighter="the files are deleted, so far only reported",
            looser="the files are no longer deleted, only reported",
        ),
    ] = Field(
        default="report",
        description='"report": `verify` and `status --check` name what is overdue; "delete": `run`, `follow` and '
        "`retain` delete it",
    )

    copies: Annotated[bool, FREE] = Field(
        default=False,
        description="whether these are copies of the store, such as backups: the notice says when the last goes",
    )

    @property
    def folder(self) -> str:
        """The directory in which the files lie."""
        return self.path.rpartition("/")[0]

    def matches(self, name: str) -> bool:
        """Whether a file of that name, in the directory, is one of them."""
        pattern = self.path.rpartition("/")[2]
        parts = (
            ".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split("([*?])", pattern)
        )
        return re.fullmatch(f"(?s:{''.join(parts)})", name) is not None
