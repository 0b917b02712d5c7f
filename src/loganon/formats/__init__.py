"""The log formats that loganon reads, each one TOML file beside this module: template, times, examples.

A file holds `title`, `vendor` (the page that documents the format), `dialect`, what the dialect needs, and
`[[example]]` blocks: a `line` with the `fields` read from it, or with `reject`, the reason for which it is refused.
The examples are the tests and the documentation of the format.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loganon.errors import ConfigurationError
from loganon.formats.columns import KEYS as COLUMN_KEYS
from loganon.formats.columns import Columns, parse_columns
from loganon.formats.tokens import syntax_of, time_form, tokens_of

DIALECTS = ("template", "delimited", "jsonlines")
ESCAPES = ("apache+nginx", "json", "hash", "none")
TIMES = ("clf", "iso", "epoch_s", "epoch_ms", "epoch_us")
_FOLDER = Path(__file__).parent
_KEYS = frozenset({"title", "vendor", "dialect", "template", "optional", "escape", "time", "like", "sign", "example"})
_COMMON_KEYS = frozenset({"title", "vendor", "dialect", "time", "example"})
_EXAMPLE_KEYS = frozenset({"line", "fields", "reject"})


@dataclass(frozen=True, slots=True)
class Example:
    """One line: the `fields` read from it by raw name (times ISO 8601 in UTC), or the reason for its refusal."""

    line: str = field(repr=False)
    fields: tuple[tuple[str, str | int], ...] = field(default=(), repr=False)
    reject: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A log format.

    `template` is Apache's LogFormat string or nginx's log_format, as `syntax` says; the pieces in `optional` may be
    missing from a line. `time` is the written form of times: a name of `TIMES`, or strftime's; `day` is for times
    without a year. `like`: the format whose lines these are, too; `sign`: what at least half of the lines must show for
    a log to be taken for this format rather than another that takes them. `columns`: where values stand in lines of the
    other dialects, whose times are told apart by their shape (`any`) unless `time` says more.
    """

    name: str
    title: str
    vendor: str
    dialect: str
    template: str
    optional: tuple[str, ...] = ()
    escape: str = "apache+nginx"
    time: str = "clf"
    syntax: str = "apache"
    day: date | None = None
    like: str = ""
    sign: str = ""
    columns: Columns | None = None
    examples: tuple[Example, ...] = ()


@cache
def load_formats(*, examples: bool = True) -> Mapping[str, Format]:
    """The formats of the package by name, in alphabetical order; read once in a process.

    Without `examples`, which are most of their files, in a third of the time.
    """
    found = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        found[path.stem] = parse_format(path.stem, text if examples else text.partition("\n[[example]]")[0])
    return MappingProxyType({name: _like(fmt, found) for name, fmt in found.items()})


def with_examples(fmt: Format) -> Format:
    """A format of the package that was read without its examples, with them; any other as it is."""
    path = _FOLDER / f"{fmt.name}.toml"
    if fmt.examples or not path.exists():
        return fmt
    return replace(fmt, examples=parse_format(fmt.name, path.read_text(encoding="utf-8")).examples)


def named_format(name: str) -> Format | None:
    """The format of that name; None for "auto": detect it. ConfigurationError with the nearest name for another."""
    if name == "auto":
        return None
    formats = load_formats()
    if name not in formats:
        near = difflib.get_close_matches(name, formats, n=1)
        fix = f'Did you mean "{near[0]}"?' if near else f"Known are auto, {', '.join(formats)}"
        server = "apache" if "%" in name else "nginx" if "$" in name else ""
        if server:
            fix = f"Put `{server}:` before the server's own string"
        raise ConfigurationError(f'no log format is named "{name}"', where="--format", fix=fix)
    return formats[name]


def with_fields(fmt: Format, fields: Sequence[str]) -> Format:
    """The format, with the columns that a delimited log without a header has; another dialect's as it is."""
    if not fields or fmt.columns is None or fmt.dialect != "delimited":
        return fmt
    return replace(fmt, columns=replace(fmt.columns, fields=tuple(fields)))


def parse_format(name: str, text: str) -> Format:
    """The format that a TOML file's `text` describes; ConfigurationError (78) names what is wrong in it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _mistake(name, str(error)) from None
    if data.get("dialect", DIALECTS[0]) not in DIALECTS:
        raise _mistake(name, f"'dialect' must be one of {', '.join(DIALECTS)}")
    if data.get("dialect") in COLUMN_KEYS:
        return _columnar(name, data)
    unknown = sorted(set(data) - _KEYS)
    if unknown:
        raise _mistake(name, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    for key in ("title", "vendor", "dialect", "template") if "like" not in data else ("title", "vendor", "like"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise _mistake(name, f"{key!r} must be a text")
    for key, allowed in (("escape", ESCAPES), ("time", TIMES)):
        if key in data and data[key] not in allowed:
            raise _mistake(name, f"{key!r} must be one of {', '.join(allowed)}")
    template = data.get("template", "")
    optional = tuple(str(piece) for piece in _listed(name, data, "optional"))
    if not all(piece in template for piece in optional):
        raise _mistake(name, "each piece of 'optional' must stand in the template")
    syntax = syntax_of(template)
    form = time_form(tokens_of(template, syntax))
    return Format(
        name=name,
        title=data["title"],
        vendor=data["vendor"],
        dialect=data.get("dialect", "template"),
        template=template,
        optional=optional,
        escape=data.get("escape", "apache+nginx"),
        time=form or data.get("time", "clf"),
        syntax=syntax,
        like=data.get("like", ""),
        sign=data.get("sign", ""),
        examples=_examples(name, data),
    )


def _columnar(name: str, data: Mapping[str, Any]) -> Format:
    """A format of which each line is columns or keys: see `formats.columns`."""
    dialect = data["dialect"]
    known = _COMMON_KEYS | COLUMN_KEYS[dialect]
    unknown = sorted(set(data) - known)
    if unknown:
        raise _mistake(name, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    for key in ("title", "vendor"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise _mistake(name, f"{key!r} must be a text")
    if data.get("time", "any") not in ("any", *TIMES):
        raise _mistake(name, f"'time' must be one of any, {', '.join(TIMES)}")
    try:
        columns = parse_columns(dialect, data)
    except ValueError as error:
        raise _mistake(name, str(error)) from None
    return Format(
        name=name,
        title=data["title"],
        vendor=data["vendor"],
        dialect=dialect,
        template="",
        escape="none",
        time=data.get("time", "any"),
        columns=columns,
        examples=_examples(name, data),
    )


def _like(fmt: Format, formats: Mapping[str, Format]) -> Format:
    """The format, with what it has of another."""
    if not fmt.like:
        return fmt
    if fmt.like not in formats:
        raise _mistake(fmt.name, "'like' must name a format")
    other = formats[fmt.like]
    return replace(
        other, name=fmt.name, title=fmt.title, vendor=fmt.vendor, like=fmt.like, sign=fmt.sign, examples=fmt.examples
    )


def _listed(name: str, data: Mapping[str, Any], key: str) -> list[Any]:
    values = data.get(key, [])
    if not isinstance(values, list):
        raise _mistake(name, f"{key!r} must be a list")
    return values


def _examples(name: str, data: Mapping[str, Any]) -> tuple[Example, ...]:
    return tuple(_example(name, entry) for entry in _listed(name, data, "example"))


def _example(name: str, entry: object) -> Example:
    if not isinstance(entry, dict):
        raise _mistake(name, "each example must be a table")
    unknown = sorted(set(entry) - _EXAMPLE_KEYS)
    if unknown:
        raise _mistake(name, f"unknown key {unknown[0]!r} in an example")
    line, fields, reject = entry.get("line"), entry.get("fields"), entry.get("reject")
    if not isinstance(line, str) or (fields is None) == (reject is None):
        raise _mistake(name, "an example needs 'line' and either 'fields' or 'reject'")
    if reject is not None:
        return Example(line=line, reject=str(reject))
    if not isinstance(fields, dict):
        raise _mistake(name, "'fields' of an example must be a table")
    return Example(line=line, fields=tuple(fields.items()))


def _mistake(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"Format {name} is wrong: {what}", where=f"{name}.toml", fix="Correct the format file")
