"""The log formats that loganon reads, each one TOML file beside this module: template, times, examples.

A file holds `title`, `vendor` (the page that documents the format), `dialect`, what the dialect needs, and
`[[example]]` blocks: a `line` with the `fields` read from it, or with `reject`, the reason for which it is refused.
The examples are the tests and the documentation of the format.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from loganon.errors import ConfigurationError

DIALECTS = ("template",)
ESCAPES = ("apache+nginx", "none")
TIMES = ("clf", "iso", "epoch_s", "epoch_ms", "epoch_us")
_KEYS = frozenset({"title", "vendor", "dialect", "template", "optional", "escape", "time", "example"})
_EXAMPLE_KEYS = frozenset({"line", "fields", "reject"})


@dataclass(frozen=True, slots=True)
class Example:
    """One line: the `fields` read from it by raw name (times ISO 8601 in UTC), or the reason for its refusal."""

    line: str = field(repr=False)
    fields: tuple[tuple[str, str | int], ...] = field(default=(), repr=False)
    reject: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A log format. `template` is Apache's LogFormat string; the pieces in `optional` may be missing from a line."""

    name: str
    title: str
    vendor: str
    dialect: str
    template: str
    optional: tuple[str, ...] = ()
    escape: str = "apache+nginx"
    time: str = "clf"
    examples: tuple[Example, ...] = ()


def load_formats() -> dict[str, Format]:
    """The formats of the package by name, in alphabetical order."""
    found = {}
    for entry in resources.files(__package__).iterdir():
        if entry.name.endswith(".toml"):
            name = entry.name.removesuffix(".toml")
            found[name] = parse_format(name, entry.read_text(encoding="utf-8"))
    return dict(sorted(found.items()))


def named_format(name: str) -> Format | None:
    """The format of that name; None for "auto": detect it. ConfigurationError with the nearest name for another."""
    if name == "auto":
        return None
    formats = load_formats()
    if name not in formats:
        near = difflib.get_close_matches(name, formats, n=1)
        fix = f'Did you mean "{near[0]}"?' if near else f"Known are auto, {', '.join(formats)}"
        raise ConfigurationError(f'no log format is named "{name}"', where="--format", fix=fix)
    return formats[name]


def parse_format(name: str, text: str) -> Format:
    """The format that a TOML file's `text` describes; ConfigurationError (78) names what is wrong in it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _mistake(name, str(error)) from None
    unknown = sorted(set(data) - _KEYS)
    if unknown:
        raise _mistake(name, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    for key in ("title", "vendor", "dialect", "template"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise _mistake(name, f"{key!r} must be a text")
    for key, allowed in (("dialect", DIALECTS), ("escape", ESCAPES), ("time", TIMES)):
        if key in data and data[key] not in allowed:
            raise _mistake(name, f"{key!r} must be one of {', '.join(allowed)}")
    optional = tuple(str(piece) for piece in data.get("optional", ()))
    for piece in optional:
        if piece not in data["template"]:
            raise _mistake(name, "each piece of 'optional' must stand in the template")
    return Format(
        name=name,
        title=data["title"],
        vendor=data["vendor"],
        dialect=data["dialect"],
        template=data["template"],
        optional=optional,
        escape=data.get("escape", "apache+nginx"),
        time=data.get("time", "clf"),
        examples=tuple(_example(name, entry) for entry in data.get("example", ())),
    )


def _example(name: str, entry: Mapping[str, object]) -> Example:
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
