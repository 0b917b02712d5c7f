"""The configuration file as a frozen value: which logs go into which stores, under which policies, and how.

What the file itself says is judged here, every mistake at once. What it names (policies, databases, format files) is
opened by `sites`, so that one site's missing file stops no other site.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from loganon.errors import ConfigurationError
from loganon.mistakes import Mistakes, mistakes_of
from loganon.patterns import SITE
from loganon.settings.values import (
    Duration,
    Format,
    Label,
    Paths,
    PathText,
    Patterns,
    Proxies,
    Rules,
    Store,
    Words,
    Writer,
    Zone,
)

_FORMATS = frozenset({"format", "format_file", "format_from"})
"""Three ways to say one thing: whoever gives one of them leaves nothing of what was said before."""
_PATHS = ("format_file", "format_from", "store")
_PATH_LISTS = ("logs", "provider_db", "raw")


_Settings = TypeVar("_Settings", bound="Common")


class SettingsError(ConfigurationError):
    """A configuration file with mistakes; `mistakes` holds one error for each."""

    def __init__(self, mistakes: Mistakes) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(str(mistake) for mistake in mistakes))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, arbitrary_types_allowed=True)


class Common(_Part):
    """What stands in an `[[input]]`, or before all of them as its default."""

    store: Store | None = Field(None, description="The store; `{site}` may stand in it")
    policy: str | None = Field(
        None, min_length=1, description="The policy of a new store (default: imos); a standing store has its own"
    )
    exclude: Rules = Field(
        (), description="Lines to leave out: tables of `path` (a glob), `client` (a network), `browser`, `method`"
    )
    format: Format = Field("auto", description="The logs' format: a name, or the server's own string")
    format_file: PathText | None = Field(None, description="A TOML file that describes the format")
    format_from: PathText | None = Field(None, description="`CONF[:NAME]`: read the format out of the server's file")
    fields: Words = Field((), description="The columns of W3C logs without a header")
    timezone: Zone | None = Field(None, description="The zone of times without an offset")
    date: dt.date | None = Field(None, description="A day of the logs, for times without a year")
    final: bool = Field(default=False, description="The logs are complete: an unterminated last line is a line")
    provider_db: Paths = Field((), description="MMDB files that know networks' providers, asked in this order")
    trusted_proxy: Proxies = Field((), description="Proxies whose forwarded addresses are believed")
    remove_source: bool = Field(default=False, description="Remove each log once all of it is committed")
    raw: Patterns = Field((), description="Raw logs that `verify` holds to the policy; `{site}` may stand in them")


class InputSettings(Common):
    """One `[[input]]`: logs of one kind, for one store or for one of each site."""

    logs: Patterns = Field(description="Globs of the logs; `{site}` names the stream")
    stream: Label | None = Field(None, description="The logs' label, where no `{site}` names it")

    @property
    def target(self) -> str:
        """The store, which a checked input always names."""
        assert self.store is not None  # noqa: S101 - `parse_settings` has seen to it
        return self.store


def _inputs(value: object) -> object:
    if isinstance(value, dict):  # one pair of brackets: a table, where an array of tables is meant
        fix = "Write [[input]], with two brackets"
        raise PydanticCustomError("said", "{what}", {"what": "it is one table", "fix": fix})
    return value


Inputs = Annotated[tuple[InputSettings, ...], BeforeValidator(_inputs)]


class Settings(Common):
    """A configuration file. What its inputs leave out is filled in: `input` is what is to be carried out."""

    key_file: PathText | None = Field(None, description="The key of the fingerprints")
    writer: Writer | None = Field(None, description="This writer's name, where several write into one store")
    group: str | None = Field(None, min_length=1, description="New stores' tables can be read by this group")
    lead: Duration | None = Field(None, description="Drop what would expire within this time, too")
    wait: Duration | None = Field(None, description="How long to wait for another process")
    input: Inputs = Field((), strict=False, description="The inputs")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mistake is: the file, and the number of the input from 1."""

    file: str
    number: int | None = None

    def __str__(self) -> str:
        return self.file if self.number is None else f"{self.file}, [[input]] {self.number}"


def load_settings(path: Path) -> Settings:
    """The settings of a configuration file; ConfigurationError (78) if it cannot be read, with every mistake in it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        fix = "Give a readable TOML file with --config"
        raise ConfigurationError(f"cannot read the configuration ({reason})", where=str(path), fix=fix) from None
    return parse_settings(text, where=path)


def parse_settings(text: str, *, where: Path) -> Settings:
    """The settings that a TOML text writes; paths in it are from the folder of the file `where`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistake = ConfigurationError(f"the configuration is not TOML: {error}", where=str(where), fix="Mend that line")
        raise SettingsError((mistake,)) from None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise SettingsError(mistakes_of(error, Settings, lambda loc: _place(str(where), loc))) from None
    settings = settings.model_copy(update={"input": tuple(_filled(settings, each) for each in settings.input)})
    mistakes = tuple(_contradictions(settings, str(where)))
    if mistakes:
        raise SettingsError(mistakes)
    return _absolute(settings, where.absolute().parent)


def overridden(each: InputSettings, given: Mapping[str, Any]) -> InputSettings:
    """The input, with what is `given` (by options) in place of what the file says."""
    return each.model_copy(update=_replacing(given)) if given else each


def _replacing(given: Mapping[str, Any]) -> dict[str, Any]:
    cleared = {name: Common.model_fields[name].default for name in _FORMATS} if given.keys() & _FORMATS else {}
    return {**cleared, **given}


def _filled(settings: Settings, own: InputSettings) -> InputSettings:
    """The input, with the file's defaults for what it leaves out."""
    said = own.model_fields_set
    skipped = said | (_FORMATS if said & _FORMATS else frozenset())
    defaults = {n: getattr(settings, n) for n in Common.model_fields if n in settings.model_fields_set - skipped}
    return own.model_copy(update=defaults) if defaults else own


def _contradictions(settings: Settings, file: str) -> Iterator[ConfigurationError]:
    """What the inputs say that cannot be carried out together."""
    if not settings.input:
        fix = "Add one: [[input]], then logs = … and store = …"
        yield ConfigurationError("the configuration has no [[input]]", where=file, fix=fix)
    policies: dict[str, str | None] = {}
    for number, each in enumerate(settings.input, 1):
        where = str(Place(file, number))
        if each.store is None:
            yield ConfigurationError("the key store is missing", where=where, fix='Set store = "/var/lib/loganon/…"')
            continue
        if not each.logs:
            fix = 'Set logs = "/var/log/nginx/{site}.access.log*"'
            yield ConfigurationError("the key logs is empty", where=where, fix=fix)
        ways = [name for name in sorted(_FORMATS) if getattr(each, name) not in (None, "auto")]
        if len(ways) > 1:
            yield ConfigurationError(f"{' and '.join(ways)} both name a format", where=where, fix="Keep one of them")
        if each.date is not None and not ways:
            fix = "Name it with the key format"
            yield ConfigurationError("the key date needs a format whose times have no year", where=where, fix=fix)
        sited = [SITE in pattern for pattern in each.logs]
        if any(SITE in text for text in (each.store, *each.raw)) and not all(sited):
            what = f"{SITE} stands in the store or in raw, and not in all of the logs"
            yield ConfigurationError(what, where=where, fix=f"Write {SITE} into each of the logs")
        if each.stream is not None and any(sited):
            fix = "Leave stream out"
            yield ConfigurationError(f"both {SITE} and stream name the stream", where=where, fix=fix)
        if policies.setdefault(each.store, each.policy) != each.policy:
            fix = "A store has one policy: name the same in both, or take another store"
            yield ConfigurationError("another input of this store names another policy", where=where, fix=fix)


def _place(file: str, loc: tuple[int | str, ...]) -> tuple[str, tuple[int | str, ...]]:
    """Where a mistake at `loc` is, and the key from there."""
    if len(loc) > 1 and loc[0] == "input" and isinstance(loc[1], int):
        return str(Place(file, loc[1] + 1)), loc[2:]
    return file, loc


def _absolute(settings: Settings, folder: Path) -> Settings:
    """The settings, their paths from the folder of the file."""
    inputs = tuple(_rooted(each, folder) for each in settings.input)
    key = str(folder / settings.key_file) if settings.key_file else None
    return _rooted(settings.model_copy(update={"input": inputs, "key_file": key}), folder)


def _rooted(each: _Settings, folder: Path) -> _Settings:
    update: dict[str, Any] = {}
    for name in _PATHS:
        value = getattr(each, name)
        update[name] = _from(folder, value) if value else value
    for name in _PATH_LISTS:
        if name in type(each).model_fields:
            update[name] = tuple(_from(folder, value) for value in getattr(each, name))
    if each.policy and ("/" in each.policy or each.policy.endswith(".toml")):
        update["policy"] = _from(folder, each.policy)
    return each.model_copy(update=update)


def _from(folder: Path, path: str) -> str:
    return path if "://" in path else str(folder / path)
