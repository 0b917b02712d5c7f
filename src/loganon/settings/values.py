"""The types of what stands behind a configuration file's keys; each mistake is an error that pydantic collects."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from loganon.errors import ConfigurationError
from loganon.exclude import Rule, parse_rules
from loganon.formats.given import resolve
from loganon.lookups import open_lookups
from loganon.patterns import check_pattern, check_template
from loganon.periods import parse_duration
from loganon.spelling import nearest
from loganon.store import check_writer


def _wrong(what: str, fix: str = "") -> PydanticCustomError:
    return PydanticCustomError("said", "{what}", {"what": what, "fix": fix})


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else _listed(value)


def _format(value: str) -> str:
    try:
        resolve(value)
    except ConfigurationError as error:
        raise _wrong(error.what, error.fix) from None
    return value


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        fix = nearest(value, available_timezones()) or "Name one as Europe/Berlin"
        raise _wrong("there is no such time zone", fix) from None


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _rule(value: object) -> object:
    if not isinstance(value, dict):
        raise _wrong("an exclusion is a table", 'Write it as { path = "/healthz" }')
    try:
        return parse_rules([value], where="")[0]
    except ConfigurationError as error:
        raise _wrong(error.what, error.fix) from None


def _proxy(value: str) -> str:
    try:
        open_lookups((), (value,))
    except ConfigurationError as error:
        raise _wrong(error.what, error.fix) from None
    return value


def _path(value: str) -> str:
    if not value.strip() or value.startswith("~") or "\0" in value:
        raise _wrong("no path", "Write it in full, or from the folder of the configuration file")
    return value


def _pattern(value: str) -> str:
    try:
        check_pattern(_path(value))
    except ValueError as error:
        raise _wrong(str(error)) from None
    return value


def _template(value: str) -> str:
    try:
        check_template(_path(value))
    except ValueError as error:
        raise _wrong(str(error)) from None
    return value


def _label(value: str) -> str:
    if not value.strip():
        raise _wrong("the label is empty", "Leave it out, or name the logs")
    return value


def _writer(value: str) -> str:
    try:
        check_writer(value)
    except ConfigurationError as error:
        raise _wrong(error.what, error.fix) from None
    return value


PathText = Annotated[str, AfterValidator(_path)]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(_listed), Field(strict=False)]
Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_pattern)], ...], BeforeValidator(_listed), Field(strict=False)
]
Proxies = Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], BeforeValidator(_listed), Field(strict=False)]
Rules = Annotated[tuple[Annotated[Rule, BeforeValidator(_rule)], ...], BeforeValidator(_listed), Field(strict=False)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words), Field(strict=False)]
Store = Annotated[str, AfterValidator(_template)]
Duration = Annotated[dt.timedelta, BeforeValidator(_duration)]
Format = Annotated[str, AfterValidator(_format)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Label = Annotated[str, AfterValidator(_label)]
Writer = Annotated[str, AfterValidator(_writer)]
