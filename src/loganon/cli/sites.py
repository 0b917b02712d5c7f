"""Which stores a command is about: the one of `--store`, or all of a configuration file.

A command on a store takes `config_option` and `--store` (not required), calls `choose`, and goes through
`chosen.sites`; `chosen.many` says whether its answer is one object or `{"stores": [...]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from loganon.cli.messages import Messages
from loganon.cli.options import option
from loganon.cli.unsaid import no_settings, only_input
from loganon.paths import is_there

if TYPE_CHECKING:
    from loganon.errors import LoganonError
    from loganon.settings import InputSettings, Settings
    from loganon.sites import Site
    from loganon.summary import Summary

DEFAULT_CONFIG = Path("/etc/loganon/loganon.toml")

_F = TypeVar("_F", bound=Callable[..., Any])
_Value = TypeVar("_Value")
_NUMBER = re.compile("[0-9,]+ ")
_KEYS = {
    "policy": "policy",
    "format_name": "format",
    "format_file": "format_file",
    "format_from": "format_from",
    "day": "date",
    "fields": "fields",
    "timezone": "timezone",
    "provider_db": "provider_db",
    "trusted_proxy": "trusted_proxy",
    "stream": "stream",
    "final": "final",
    "remove_source": "remove_source",
}
"""The parameters that say how logs are read, and their keys in a configuration file."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sites that a command is about. `many`: they are those of a configuration, not the one of `--store`.

    `notes` and `errors` are of logs that belong to no site.
    """

    sites: tuple[Site, ...]
    settings: Settings
    many: bool
    notes: tuple[str, ...] = ()
    errors: tuple[LoganonError, ...] = field(default=())


def config_option(command: str) -> Callable[[_F], _F]:
    """The option `--config`: `config`, a path or None."""
    return option(
        command,
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"The configuration file of many sites (default: {DEFAULT_CONFIG}, where no store is named).",
    )


def choose(config: Path | None, store: str | None, *, logs: tuple[str, ...] | None = None) -> Chosen:
    """The sites of the command that is running: of its options, the environment and the configuration file.

    `logs`: those that are named; they go into one store; None: the command takes none. What options say of how logs
    are read goes before what the file says. ConfigurationError (78) where the file is wrong.
    """
    from loganon.sites import Site, find_sites, same_store  # noqa: PLC0415 - start-up: not imported for --help

    settings = settings_of(config, named=bool(logs) or store is not None)
    given = given_readings()
    if logs or settings is None:
        if logs is not None and not logs:
            raise click.UsageError("Missing argument 'LOG...'.", ctx=click.get_current_context())
        store = store or (settings.store if settings is not None else None)
        if store is None:
            raise click.UsageError("Missing option '--store'.", ctx=click.get_current_context())
        return Chosen((_named(store, logs or (), settings, given),), settings or no_settings(), many=False)
    from loganon.settings import overridden  # noqa: PLC0415 - start-up: pydantic is imported where there is a file

    if "stream" in given:
        what = "Option '--stream' is for logs that are named; in a configuration the key stream or {site} names it."
        raise click.UsageError(what, ctx=click.get_current_context())
    found = find_sites([overridden(each, given) for each in settings.input])
    if store is None:
        return Chosen(found.sites, settings, many=True, notes=found.notes, errors=found.errors)
    one = next((site for site in found.sites if same_store(site.store, store)), Site(store))
    return Chosen((one,), settings, many=False)


def settings_of(config: Path | None, *, named: bool) -> Settings | None:
    """The configuration to go by: of `config`, or, where nothing is `named`, of the default file if there is one."""
    if config is None and not named and is_there(DEFAULT_CONFIG):
        config = DEFAULT_CONFIG
    if config is None:
        return None
    from loganon.settings import load_settings  # noqa: PLC0415 - start-up: pydantic is imported where there is a file

    return load_settings(config)


def is_given(name: str) -> bool:
    """Whether the running command's parameter was set by an option or by the environment."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)


def preferred(name: str, value: _Value, setting: _Value | None) -> _Value:
    """The parameter's value if it was given, else the configuration's, else the parameter's default."""
    return value if setting is None or is_given(name) else setting


def given_readings() -> dict[str, Any]:
    """What the running command's options say of how logs are read, under the keys of a configuration file."""
    parameters = click.get_current_context().params
    return {key: _plain(key, parameters[name]) for name, key in _KEYS.items() if name in parameters and is_given(name)}


def print_json(answers: Iterable[Mapping[str, Any]], *, many: bool) -> None:
    """One object on standard output: the one answer, or all of them under `stores`."""
    found = list(answers)
    click.echo(json.dumps({"stores": found} if many else found[0]))


def tell(chosen: Chosen, say: Messages) -> None:
    """Say what belongs to no site."""
    for note in chosen.notes:
        say.note(note)
    say.errors(chosen.errors)


def is_fatal(code: int) -> bool:
    """An exit code with which a store's answer has no figures: nothing was done, or only what retention did."""
    return code in (75, 78)


def answer_of(summary: Summary) -> dict[str, Any]:
    """A store's object among those of many: what it has alone, its exit code, and its errors as they are said."""
    return {**summary.as_dict(), "exit_code": summary.exit_code, "errors": [str(error) for error in summary.errors]}


class Told:
    """Says what becomes of each site, nothing twice, since many may have one error. `first` are said before all."""

    def __init__(self, say: Messages, first: Iterable[LoganonError | None] = ()) -> None:
        self._say = say
        self._said: set[str] = set()
        self._errors(first)

    def __call__(self, summary: Summary) -> None:
        """Say a site's warnings and errors."""
        for warning in summary.warnings:
            kind = _NUMBER.sub("", warning)  # such as how many addresses had no database: one advice is enough
            if kind not in self._said:
                self._said.add(kind)
                self._say.note(warning)
        self._errors(summary.errors)

    def _errors(self, errors: Iterable[LoganonError | None]) -> None:
        for error in errors:
            if error is not None and str(error) not in self._said:
                self._said.add(str(error))
                self._say.error(error)


def _named(store: str, logs: tuple[str, ...], settings: Settings | None, given: Mapping[str, Any]) -> Site:
    """The store of logs that are named; what the configuration has for all inputs holds for them."""
    from loganon.sites import Log, Site  # noqa: PLC0415 - start-up: not imported for --help

    each = only_input(store, logs, given) if settings is None else _input_of(settings, store, logs, given)
    return Site(store, each.policy, tuple(Log(log, None, each, found=False) for log in logs), each.raw)


def _input_of(settings: Settings, store: str, logs: tuple[str, ...], given: Mapping[str, Any]) -> InputSettings:
    from loganon.settings import Common, InputSettings, overridden  # noqa: PLC0415 - start-up: as where it is read

    common = {name: getattr(settings, name) for name in Common.model_fields}
    return overridden(InputSettings.model_construct(**{**common, "store": store, "logs": logs}), given)


def _plain(key: str, value: Any) -> Any:
    if key == "fields":
        return tuple((value or "").split())
    if key in ("provider_db", "trusted_proxy"):
        return tuple(map(str, value))
    return str(value) if isinstance(value, Path) else value
