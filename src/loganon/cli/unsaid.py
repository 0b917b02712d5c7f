"""What holds where no configuration file says otherwise: the defaults of its keys, for logs that are named.

Most runs have no such file, and need nothing of what reads one. A test holds these defaults to those of `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from loganon.exclude import Rule
    from loganon.settings import InputSettings, Settings


@dataclass(frozen=True)
class Unsaid:
    """The keys of a configuration file and of its inputs."""

    store: str | None = None
    policy: str | None = None
    exclude: tuple[Rule, ...] = ()
    format: str = "auto"
    format_file: str | None = None
    format_from: str | None = None
    fields: tuple[str, ...] = ()
    timezone: ZoneInfo | None = None
    date: date | None = None
    final: bool = False
    provider_db: tuple[str, ...] = ()
    trusted_proxy: tuple[str, ...] = ()
    remove_source: bool = False
    raw: tuple[str, ...] = ()
    key_file: str | None = None
    writer: str | None = None
    group: str | None = None
    lead: timedelta | None = None
    wait: timedelta | None = None
    input: tuple[InputSettings, ...] = ()
    logs: tuple[str, ...] = ()
    stream: str | None = None


def no_settings() -> Settings:
    """The settings of no configuration file."""
    return cast("Settings", Unsaid())


def only_input(store: str, logs: tuple[str, ...], given: Mapping[str, Any]) -> InputSettings:
    """The input of logs that are named, without a configuration file; `given`: what options say."""
    return cast("InputSettings", replace(Unsaid(), store=store, logs=logs, **given))
