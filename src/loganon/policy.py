"""A written policy as a frozen value: which fields are kept, how each is treated, for how long, for what purpose.

Everything is judged here, before the first byte of a log is read; every mistake is reported at once.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from loganon.aggregate import Fold, TableSpec
from loganon.errors import ConfigurationError
from loganon.fields import FIELDS, REQUESTS, Options
from loganon.periods import Period, parse_period

DEFAULT = "imos"
_HINTS = {
    "keep_for": ', such as "6 weeks"; there is no default age',
    "fields.time": ' = { as = "hour" }: partitions are made by it',
}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class PolicyError(ConfigurationError):
    """A policy with mistakes; `mistakes` holds one error for each."""

    def __init__(self, mistakes: tuple[ConfigurationError, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(str(mistake) for mistake in mistakes))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Controller(_Part):
    """Who is responsible; a notice needs both."""

    name: str = ""
    contact: str = ""


class Purpose(_Part):
    """What the stored data may be used for."""

    evaluate: bool = False
    share: Literal["none", "anonymous"] = "none"


def _handling(value: object) -> object:
    if isinstance(value, str) and value not in ("never written", "removed after ingest"):
        if not value.startswith("kept "):
            raise ValueError('expected "removed after ingest", "never written" or "kept 14 days"')
        parse_period(value.removeprefix("kept "))
    return value


class Raw(_Part):
    """How the raw logs are handled; they are part of the notice."""

    access: Annotated[str, BeforeValidator(_handling)] = "removed after ingest"
    error: Annotated[str, BeforeValidator(_handling)] = "kept 7 days"


class Consent(_Part):
    """Lines that are not counted for want of consent: by what the log shows of it. Neither signal is consent itself."""

    require: tuple[Literal["cookie"], ...] = Field(default=(), strict=False)
    exclude_when: tuple[Literal["DNT", "Sec-GPC"], ...] = Field(default=(), strict=False)


def _period(value: object) -> object:
    return parse_period(value) if isinstance(value, str) else value


def _slug(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("expected 1 to 64 lower-case letters, digits and hyphens")
    return value


_Fields: Any = create_model(
    "_Fields",
    __base__=_Part,
    **{name: (row.options, ...) if row.required else (row.options | None, None) for name, row in FIELDS.items()},  # type: ignore[call-overload]  # the fields are known when this runs, not to mypy
)


class Policy(BaseModel):
    """One policy. Frozen; equal where it means the same."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)

    name: Annotated[str, BeforeValidator(_slug)]
    title: str = ""
    derived_from: str = ""
    version: int = Field(ge=1)
    valid_from: date
    keep_for: Annotated[Period, BeforeValidator(_period)]
    controller: Controller = Controller()
    purpose: Purpose = Purpose()
    raw: Raw = Raw()
    consent: Consent = Consent()
    fields: _Fields

    def kept(self) -> Iterator[tuple[str, Options]]:
        """Each kept field and its options, in stored order."""
        for name in FIELDS:
            options = getattr(self.fields, name)
            if options is not None:
                yield name, options

    @cached_property
    def canonical(self) -> str:
        """The policy as JSON, the same for two files that mean the same."""
        meaning = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"keep_for"})
        return json.dumps({**meaning, "keep_for": str(self.keep_for)}, sort_keys=True, ensure_ascii=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of `canonical`, in hex."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @cached_property
    def spec(self) -> TableSpec:
        """The shape of the table that this policy stores."""
        keys: dict[str, pa.DataType] = {}
        measures: dict[str, pa.DataType] = {REQUESTS: pa.int64()}
        folds = []
        for name, options in self.kept():
            row = FIELDS[name]
            columns = row.columns(options)
            (measures if row.measure else keys).update(columns)
            minimum = getattr(options, "minimum", 0)
            if minimum > 1:
                folds.append(Fold(tuple(column for column, _ in columns), minimum, row.other[: len(columns)]))
        schema = pa.schema([pa.field(column, kind, nullable=False) for column, kind in {**keys, **measures}.items()])
        unit = str(self.fields.time.as_)
        return TableSpec(schema, tuple(keys), tuple(measures), unit, tuple(folds))


def bundled() -> Mapping[str, str]:
    """The policies that come with loganon: name -> TOML text."""
    folder = files("loganon") / "configs"
    found = {item.name.removesuffix(".toml"): item for item in folder.iterdir() if item.name.endswith(".toml")}
    return {name: found[name].read_text("utf-8") for name in sorted(found)}


def load_policy(source: str | Path) -> Policy:
    """The policy of a bundled name ("imos") or of a file.

    A path, or a text with a slash or ending in `.toml`, is a file. Raises ConfigurationError (exit code 78) where there
    is none; PolicyError, one of its kind, with every mistake in it.
    """
    if isinstance(source, str) and not _is_file(source):
        policies = bundled()
        if source not in policies:
            raise ConfigurationError(
                f'no bundled policy is named "{source}"',
                fix=f"Take {_listed(policies)}, or give a file as ./{source}.toml",
            )
        return parse_policy(policies[source], where=f"policy {source}")
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"cannot read the policy ({reason})", where=str(source), fix="Give a readable TOML file or a bundled name"
        ) from None
    return parse_policy(text, where=str(source))


def named_policy(source: str | Path | None) -> Policy | str | None:
    """What `--policy` says: the policy of a file, or the name of a bundled one, which a store may know by itself."""
    if isinstance(source, str) and source and not _is_file(source):
        return source
    return load_policy(source) if source else None


def _is_file(source: str) -> bool:
    return "/" in source or source.endswith(".toml")


def parse_policy(text: str, *, where: str) -> Policy:
    """The policy that a TOML text writes; `where` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistake = ConfigurationError(f"the policy is not TOML: {error}", where=where, fix="Mend that line")
        raise PolicyError((mistake,)) from None
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise PolicyError(tuple(_mistake(detail, where) for detail in error.errors())) from None


def from_canonical(text: str, *, where: str) -> Policy:
    """The policy whose `canonical` text a store has frozen."""
    try:
        data = json.loads(text)
        data["valid_from"] = date.fromisoformat(data["valid_from"])
        return Policy.model_validate(data)
    except (ValueError, KeyError, TypeError):  # pydantic's ValidationError is a ValueError
        raise ConfigurationError(
            "the policy frozen in the store is not readable by this version", where=where, fix="Use a newer loganon"
        ) from None


def _mistake(detail: ErrorDetails, where: str) -> ConfigurationError:
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path)
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], siblings := _siblings(path), n=1, cutoff=0.5)
        fix = f'Did you mean "{near[0]}"?' if near else f"Known here: {_listed(siblings)}"
        return ConfigurationError(f"the policy has an unknown key {key}", where=where, fix=fix)
    if detail["type"] == "missing":
        return ConfigurationError(f"the key {key} is missing", where=where, fix=f"Set {key}{_HINTS.get(key, '')}")
    if detail["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected", "")))
        near = difflib.get_close_matches(str(detail["input"]), allowed, n=1, cutoff=0.5)
        fix = f'Did you mean "{near[0]}"?' if near else f"Take {_listed(allowed)}"
        return ConfigurationError(f"the value of {key} is not one that is known", where=where, fix=fix)
    expected = detail["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"the value of {key} is wrong", where=where, fix=expected[:1].upper() + expected[1:])


def _siblings(path: list[str]) -> list[str]:
    """The keys that are known where the last part of `path` stands."""
    model: type[BaseModel] = Policy
    for part in path[:-1]:
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        annotation = field.annotation if field else None
        kinds = [k for k in (annotation, *getattr(annotation, "__args__", ())) if isinstance(k, type)]
        nested = [k for k in kinds if issubclass(k, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "nothing"
