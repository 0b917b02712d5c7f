"""`loganon policy notice`: every sentence follows from a rule of the policy, in both languages; no more is claimed."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from loganon.errors import ConfigurationError
from loganon.fields import FIELDS
from loganon.notice import LANGUAGES, load_texts, notice
from loganon.policy import bundled, parse_policy
from loganon.policy.outline import known_keys
from support.cli import Inside

IMOS = (
    bundled()["imos"]
    .replace('name = ""', 'name = "Acme {0} Ltd"')
    .replace('contact = ""', 'contact = "privacy@acme.example"')
)


def said(text: str, language: str) -> str:
    """The notice of a policy, on one line."""
    paragraphs = notice(parse_policy(text, where="p"), language)
    return " ".join(sentence.text for paragraph in paragraphs for sentence in paragraph)


COPIES_HELD = """[[also_expire]]
name = "b"
path = "/d/dump-*"
age = "3 months"
owner = "x"
copies = true
[[hold]]
scope = "b"
basis = "a claim"
owner = "x"
until = 2027-03-01
[fields]"""
IMOS_SAYS = {
    "controller.name": ("Acme {0} Ltd", "Acme {0} Ltd"),
    "fields.time": ("the date and the hour", "Datum und Stunde"),
    "fields.domain": ("that of the provider", "die des Providers, wenn"),
    "fields.file": ("the name of the file", "der Name der Datei"),
    "fields.browser": ("the name and version of the browser", "Name und Version des Browsers"),
    "fields.success": ("whether the access succeeded", "ob der Zugriff erfolgreich war"),
    "fields.bytes": ("the amount of data", "die übertragene Datenmenge"),
    "fields": ("and nothing else", "und sonst nichts"),
    "no network": ("No address of a visitor and no e-mail", "keine Adresse eines Besuchers und keine E-Mail"),
    "keep_for": ("deleted after 6 weeks", "nach 6 Wochen gelöscht"),
    "raw.access": ("they are removed once they have been counted", "Sie werden entfernt, sobald sie gezählt sind"),
    "raw.error": ("they are kept for 7 days", "Sie werden 7 Tage aufbewahrt"),
    "purpose.evaluate": ("is not evaluated", "wird nicht ausgewertet"),
    "purpose.share": ("It is not passed on", "Es wird nicht weitergegeben"),
    "version": ("Version 1, valid from 2026-11-21", "Version 1, gültig ab 2026-11-21"),
    "fields.*.minimum": ("rare values of it become “other”: domain, if", "seltenen Werte zu „other“: domain, wenn"),
    "no key": ("No identifier of a visitor is stored", "Es wird kein Kennzeichen eines Besuchers gespeichert"),
    "counts": ("Accesses that agree in all of this are counted", "Zugriffe, die in all dem übereinstimmen"),
}
"""What the notice of `imos` states, in both languages."""


@pytest.mark.parametrize("at", range(len(LANGUAGES)))
def test_imos(at: int) -> None:
    """The six fields, the provider's domain, six weeks, the raw logs, no evaluation, no passing on."""
    text = said(IMOS, LANGUAGES[at])
    assert [rule for rule, each in IMOS_SAYS.items() if each[at] not in text] == []


@pytest.mark.parametrize("at", range(len(LANGUAGES)))
def test_imos_says_nothing_else(at: int) -> None:
    """Each sentence is one of those that are tied to their rules below, and is said of a key that stands there."""
    wanted = [each[at] for each in IMOS_SAYS.values()]
    for paragraph in notice(parse_policy(IMOS, where="p"), LANGUAGES[at]):
        for sentence in paragraph:
            assert any(each in sentence.text for each in wanted), sentence
    assert len(wanted) == len(IMOS_SAYS)


@pytest.mark.parametrize(
    ("rule", "old", "new", "instead"),
    [
        ("controller.name", "Acme {0} Ltd", "Other", ("Other", "Other")),
        ("fields.time", '"hour"', '"day"', ("the date of the access", "das Datum des Zugriffs")),
        (
            "fields.domain",
            "known_only = true",
            "known_only = false",
            ("usually the provider's", "meist die des Providers"),
        ),
        ("fields.file", '"path",', '"path", routes = ["/", "/a/*"],', ("one of a list of 2", "aus einer Liste von 2")),
        ("fields.browser", '"family+major"', '"family"', ("the name of the browser", "der Name des Browsers")),
        ("fields.success", 'success = { as = "flag" }\n', "", ("", "")),
        ("fields.bytes", 'bytes   = { as = "sum" }\n', "", ("", "")),
        (
            "no network",
            'domain  = { as = "provider", known_only = true, minimum = 50 }',
            'network = { as = "truncated", v4 = 20 }',
            ("not certified anonymous", "nicht als nachweislich anonym"),
        ),
        (
            "no key",
            'domain  = { as = "provider", known_only = true, minimum = 50 }',
            'network = { as = "truncated", v4 = 20 }',
            ("the first 20 bits", "die ersten 20 Bit"),
        ),
        ("fields.*.minimum", "minimum = 50", "minimum = 0", ("“other”: file, if", "„other“: file, wenn")),
        ("keep_for", '"6 weeks"', '"1 year"', ("deleted after 1 year", "nach 1 Jahr gelöscht")),
        ("keep_for", '"6 weeks"', '"unlimited"', ("without a time limit", "ohne zeitliche Grenze")),
        ("raw.access", '"removed after ingest"', '"kept 14 days"', ("kept for 14 days", "14 Tage aufbewahrt")),
        ("raw.access", '"removed after ingest"', '"never written"', ("never written to a disk", "nie auf einen")),
        (
            "raw.error",
            '"kept 7 days"',
            '"kept unlimited"',
            ("error logs are kept without", "Fehlerprotokolle werden ohne"),
        ),
        ("purpose.evaluate", "evaluate = false", "evaluate = true", ("evaluated as statistics", "als Statistik")),
        ("purpose.share", '"none"', '"anonymous"', ("may be passed on", "dürfen weitergegeben werden")),
        ("version", "version = 1", "version = 2", ("Version 2", "Version 2")),
    ],
)
@pytest.mark.parametrize("at", range(len(LANGUAGES)))
def test_another_rule_another_sentence(rule: str, old: str, new: str, instead: tuple[str, str], at: int) -> None:
    """Where the rule is another, the sentence goes, and what stands instead is true."""
    assert old in IMOS
    text = said(IMOS.replace(old, new, 1), LANGUAGES[at])
    assert IMOS_SAYS[rule][at] not in text
    assert instead[at] in text


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        ("sites = []", 'sites = ["a.example"]', ("other sites than a.example", "andere Websites als a.example")),
        ("[fields]", '[consent]\nrequire = ["cookie"]\n[fields]', ("without a cookie", "ohne Cookie")),
        ("[fields]", '[consent]\nexclude_when = ["DNT"]\n[fields]', ("the signal DNT ", "dem Signal DNT ")),
        (
            "[fields]",
            '[consent]\nexclude_when = ["DNT", "Sec-GPC"]\n[fields]',
            ("the signal DNT or Sec-GPC are", "dem Signal DNT oder Sec-GPC werden"),
        ),
        (
            "[fields]",
            '[[also_expire]]\nname = "b"\npath = "/d/dump-*"\nage = "3 months"\nowner = "x"\ncopies = true\n[fields]',
            ("gone after 6 weeks and then 3 months.", "nach 6 Wochen und dann 3 Monaten weg."),
        ),
        (
            "[fields]",
            COPIES_HELD,
            ("and then 3 months, but for what is not deleted", "und dann 3 Monaten weg, außer dem, was"),
        ),
        (
            "[fields]",
            '[[also_expire]]\nname = "b"\npath = "/d/dump-*"\nage = "1 day"\nowner = "x"\naction = "delete"\n[fields]',
            ("Files “b”: deleted after 1 day.", "Dateien „b“: gelöscht nach 1 Tag."),
        ),
        (
            "[fields]",
            '[[hold]]\nscope = "2026-11-20"\nbasis = "a claim"\nowner = "x"\nuntil = 2027-03-01\n[fields]',
            ("Not deleted before 2027-03-01: 2026-11-20 (a claim)", "Nicht vor dem 2027-03-01 gelöscht: 2026-11-20"),
        ),
    ],
)
@pytest.mark.parametrize("at", range(len(LANGUAGES)))
def test_further_rules(old: str, new: str, more: tuple[str, str], at: int) -> None:
    """A rule that is not set has no sentence; one that is has its own."""
    assert more[at] not in said(IMOS, LANGUAGES[at])
    assert more[at] in said(IMOS.replace(old, new, 1), LANGUAGES[at])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", list(bundled()))
def test_of_each_policy(name: str, language: str) -> None:
    """Every policy has a notice; each rule that it names is a key of the policy; no placeholder is left."""
    text = bundled()[name].replace('name = ""', 'name = "Me"').replace('contact = ""', 'contact = "me@acme.example"')
    paragraphs = notice(parse_policy(text, where=name), language)
    keys = {key.path for key in known_keys()} | {"version", "fields.*.minimum"}
    for sentence in (each for paragraph in paragraphs for each in paragraph):
        assert sentence.rule in keys
        assert not re.search(r"[{}]", sentence.text)
        assert sentence.text.endswith(".")
    for word in ("anonymous data", "anonyme Daten", "consent to", "Einwilligung", "GDPR", "DSGVO", "legal"):
        assert word not in " ".join(sentence.text for paragraph in paragraphs for sentence in paragraph)


def test_both_languages_say_the_same() -> None:
    """They have the same keys with the same places to fill; each field has a text."""
    english, german = (load_texts(language) for language in LANGUAGES)
    places = [
        {
            (part, key): {field.removesuffix("_") for _, field, _, _ in string.Formatter().parse(text) if field}
            - {"age", "after"}
            for part in ("fields", "sentences")
            for key, text in texts[part].items()
        }
        for texts in (english, german)
    ]
    assert places[0] == places[1]
    assert {key.partition(".")[0] for key in english["fields"]} >= set(FIELDS)


@pytest.mark.parametrize(
    ("old", "unset"),
    [('"Acme {0} Ltd"', ["controller.name"]), ('"privacy@acme.example"', ["controller.contact"])],
)
def test_who_is_responsible(old: str, unset: list[str]) -> None:
    """Without it there is no notice (78), and the keys are named."""
    with pytest.raises(ConfigurationError) as raised:
        notice(parse_policy(IMOS.replace(old, '" "'), where="p"), "en")
    assert raised.value.exit_code == 78
    assert all(key in str(raised.value) for key in unset)


def test_the_command(tmp_path: Path) -> None:
    """Paragraphs on standard output, or one object with the rule of each sentence; 78 for one that comes along."""
    command = Inside(tmp_path)
    (tmp_path / "p.toml").write_text(IMOS, "utf-8")
    done = command("policy", "notice", "p.toml", "--lang", "de")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Verantwortlich: Acme {0} Ltd")
    found = command("policy", "notice", "p.toml", "--json").json
    rules = [each["rule"] for paragraph in found["paragraphs"] for each in paragraph]
    assert {"fields", "keep_for", "raw.access", "purpose.evaluate", "purpose.share", "version"} <= set(rules)
    refused = command("policy", "notice")
    assert refused.code == 78
    refused.message("controller.name", "controller.contact", "imos")
    assert command("policy", "notice", "p.toml", "--lang", "fr").code == 2
