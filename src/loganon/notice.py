"""The paragraphs of a privacy notice made from a policy: each sentence under the rule of the policy that makes it true.

What only people can promise is left out, or said as the rule that it is. The texts are data files, one a language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from loganon.errors import ConfigurationError, printable
from loganon.fields import FIELDS, Options
from loganon.periods import Period, parse_period
from loganon.policy import Policy
from loganon.strictness import KEPT

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and the key of the policy that makes it true."""

    rule: str
    text: str


def notice(policy: Policy, language: str) -> tuple[tuple[Sentence, ...], ...]:
    """The paragraphs of the notice; ConfigurationError (78) while the policy does not say who is responsible."""
    said = {"controller.name": policy.controller.name, "controller.contact": policy.controller.contact}
    unset = [key for key, value in said.items() if not value.strip()]
    if unset:
        verb = "is" if len(unset) == 1 else "are"
        raise ConfigurationError(
            f"a notice must say who is responsible, and {' and '.join(unset)} {verb} not set",
            where=f"policy {policy.name}",
            fix=f"Set {' and '.join(unset)} in the policy",
        )
    texts = _Texts(language)
    parts = (_stored, _time, _raw, _use, _elsewhere)
    version = texts("version", "version", version=policy.version, date=policy.valid_from)
    first = texts("controller", "controller", name=said["controller.name"], contact=said["controller.contact"])
    found = (tuple(part(policy, texts)) for part in parts)
    return ((first,), *(paragraph for paragraph in found if paragraph), (version,))


@cache
def load_texts(language: str) -> Mapping[str, Mapping[str, Any]]:
    """The texts of a language: `fields`, `sentences`, `ages`."""
    return tomllib.loads(files("loganon.notices").joinpath(f"{language}.toml").read_text("utf-8"))


class _Texts:
    """`texts(key, rule, **values)` -> the sentence in one language."""

    def __init__(self, language: str) -> None:
        self._texts = load_texts(language)

    def __call__(self, key: str, rule: str, **values: object) -> Sentence:
        return Sentence(rule, self.fill(key, **values))

    def fill(self, key: str, **values: object) -> str:
        """A sentence's text."""
        text: str = self._texts["sentences"][key]
        return text.format(**{name: printable(str(value)) for name, value in values.items()})

    def field(self, name: str, options: Options, policy: Policy) -> str:
        """What is stored of a field."""
        values = {key: getattr(options, key) for key in type(options).model_fields}
        values |= {"routes": len(values.get("routes", ())), "sites": ", ".join(policy.scope.sites)}
        text: str = self._texts["fields"][_form(name, options)]
        return text.format(**values)

    def ages(self, age: Period) -> dict[str, str]:
        """An age as it stands by itself, and behind a preposition."""
        one, several, after = self._texts["ages"][age.unit]
        units = (one, one) if age.count == 1 else (several, after)
        return dict(zip(("age", "after"), (f"{age.count} {unit}" for unit in units), strict=True))


def _form(name: str, options: Options) -> str:
    """The key of a field's text: its treatment is part of it where that matters."""
    if name == "domain":
        return f"domain.{'known' if getattr(options, 'known_only', True) else 'any'}"
    if name == "file":
        return "file.routes" if getattr(options, "routes", ()) else "file"
    return f"{name}.{options.as_}" if name in ("time", "browser", "status") else name


def _stored(policy: Policy, texts: _Texts) -> Iterator[Sentence]:
    kept = list(policy.kept())
    yield texts("fields", "fields", list="; ".join(texts.field(name, options, policy) for name, options in kept))
    if policy.networks:
        yield texts("shortened", "fields.network")
    else:
        yield texts("no_address", "fields")
    yield texts("counted", "fields")
    folds = [(name, options) for name, options in kept if getattr(options, "minimum", 0) > 1]
    if folds:
        rare = (texts.fill("minimum.of", field=name, minimum=getattr(options, "minimum", 0)) for name, options in folds)
        yield texts("minimum", "fields.*.minimum", list="; ".join(rare))
    for signal in policy.consent.require:
        yield texts(f"consent.{signal}", "consent.require")
    if policy.consent.exclude_when:
        signals = f" {texts.fill('or')} ".join(policy.consent.exclude_when)
        yield texts("consent.signals", "consent.exclude_when", signals=signals)
    if policy.scope.sites:
        yield texts("sites", "scope.sites", sites=", ".join(policy.scope.sites))


def _time(policy: Policy, texts: _Texts) -> Iterator[Sentence]:
    if policy.keep_for.unlimited:
        yield texts("unlimited", "keep_for")
    else:
        yield texts("age", "keep_for", **texts.ages(policy.keep_for))
    for hold in policy.hold:
        key = "hold" if hold.use else "closed"
        yield texts(key, "hold.until" if hold.use else "hold.use", until=hold.until, scope=hold.scope, basis=hold.basis)


def _raw(policy: Policy, texts: _Texts) -> Iterator[Sentence]:
    for key, rule in (("raw", policy.raw.access), ("error", policy.raw.error)):
        name = f"raw.{'access' if key == 'raw' else 'error'}"
        if not rule.startswith(KEPT):
            yield texts(f"{key}.{rule}", name)
            continue
        age = parse_period(rule.removeprefix(KEPT))
        if age.unlimited:
            yield texts(f"{key}.unlimited", name)
        else:
            yield texts(f"{key}.kept", name, **texts.ages(age))


def _use(policy: Policy, texts: _Texts) -> Iterator[Sentence]:
    yield texts(f"evaluate.{'true' if policy.purpose.evaluate else 'false'}", "purpose.evaluate")
    yield texts(f"share.{policy.purpose.share}", "purpose.share")
    if not any(FIELDS[name].networks for name, _ in policy.kept()):
        yield texts("person", "fields")


def _elsewhere(policy: Policy, texts: _Texts) -> Iterator[Sentence]:
    for entry in policy.also_expire:
        ages = texts.ages(entry.age)
        key, rule = ("delete", "also_expire.action") if entry.action == "delete" else ("report", "also_expire.age")
        yield texts(key, rule, name=entry.name, **ages)
        if entry.copies and not policy.keep_for.unlimited:
            keep = texts.ages(policy.keep_for)["after"]
            yield texts("copies.held" if policy.hold else "copies", "also_expire.copies", keep=keep, **ages)
