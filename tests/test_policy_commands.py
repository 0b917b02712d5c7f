"""`loganon policy check, show, diff, schema`, and the page of policies: enough to write one by."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loganon.policy import bundled, load_policy, parse_policy
from loganon.policy.advice import warnings_of
from loganon.policy.outline import known_keys
from support.cli import Inside
from support.runs import NOW, ingest, lines
from support.store_cases import snapshot

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "policies.md").read_text("utf-8")
IMOS = bundled()["imos"]
TODAY = date(2026, 11, 21)


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    """The command in a folder of its own."""
    return Inside(tmp_path)


# --- check ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(bundled()))
def test_the_bundled_are_valid(command: Inside, name: str) -> None:
    """0, and what their author should know, on standard error."""
    done = command("policy", "check", name)
    assert done.code == 0
    assert done.out.startswith(f"{name} is valid, with ")
    assert len(done.err.splitlines()) == len(warnings_of(load_policy(name), TODAY))
    told = command("policy", "check", name, "--json").json
    assert (told["policy"], told["sha256"]) == (name, load_policy(name).sha256)
    assert command("policy", "check", name, "--quiet").err == ""


AWKWARD = {
    "nothing": ("", ["name", "version", "valid_from", "keep_for", "fields"]),
    "a list for a table": ("fields = []\n", ["fields", "name"]),
    "a text for a field": (IMOS.replace('{ as = "sum" }', '"sum"'), ["fields.bytes"]),
    "a table without as": (IMOS.replace('{ as = "sum" }', "{}"), ["fields.bytes.as is missing"]),
    "each part": (
        IMOS.replace("evaluate", "evalute")
        .replace("6 weeks", "six weeks")
        .replace('"family+major"', '"familiy"')
        .replace("access =", "acess =")
        .replace("minimum = 50", "minimum = -1")
        .replace("name  =", "nam ="),
        [
            'purpose.evalute is unknown. PATH. Did you mean "evaluate"?',
            "keep_for is wrong",
            'fields.browser.as is not one that is known. PATH. Did you mean "family"?',
            'raw.acess is unknown. PATH. Did you mean "access"?',
            "fields.domain.minimum is wrong",
            'nam is unknown. PATH. Did you mean "name"?',
            "name is missing",
        ],
    ),
    "a route without a slash": (
        IMOS.replace('"path",', '"path", routes = ["blog/*"],'),
        ["fields.file.routes", "blog/*"],
    ),
    "a domain that is none": (
        IMOS.replace("known_only = true", 'known = ["https://example.com/"]'),
        ["fields.domain.known", "registrable"],
    ),
    "a host for a domain": (IMOS.replace("known_only = true", 'known = ["www.example.com"]'), ["fields.domain.known"]),
    "a longer prefix": (
        IMOS.replace('{ as = "sum" }', '{ as = "sum" }\nnetwork = { as = "truncated", v4 = 25, v6 = 49 }'),
        ["fields.network.v4", "fields.network.v6"],
    ),
    "twice": (IMOS + "\nname = 1\n[fields]\n", ["not TOML", "line"]),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_mistakes(command: Inside, tmp_path: Path, case: str) -> None:
    """78, one line a mistake, all at once, the file named in each; nothing on standard output, whatever is asked."""
    text, wanted = AWKWARD[case]
    path = tmp_path / "p.toml"
    path.write_text(text, "utf-8")
    for options in ((), ("--json",)):
        done = command("policy", "check", "p.toml", *options)
        assert (done.code, done.out) == (78, "")
        said = done.err.splitlines()
        assert len(said) >= (1 if "TOML" in wanted[0] else len([each for each in wanted if "." in each or " " in each]))
        for part in wanted:
            assert any(part.replace("PATH", "p.toml") in each for each in said), (part, said)
        assert all("p.toml" in each for each in said)
    as_json = [json.loads(each) for each in command("policy", "check", "p.toml", "--messages", "json").err.splitlines()]
    assert all(each["level"] == "error" for each in as_json)


def warned(old: str, new: str, text: str = IMOS) -> dict[str, str]:
    """The warnings that a change of the policy brings."""
    assert old in text
    before = {each.key for each in warnings_of(parse_policy(text, where="p"), TODAY)}
    found = warnings_of(parse_policy(text.replace(old, new, 1), where="p"), TODAY)
    return {each.key: each.text for each in found if each.key not in before}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("6 weeks", "2 years", "keep_for"),
        ("6 weeks", "unlimited", "keep_for"),
        ('"removed after ingest"', '"kept 7 weeks"', "raw.access"),
        ('"kept 7 days"', '"kept 7 weeks"', "raw.error"),
        ("minimum = 50", "minimum = 1", "fields.domain.minimum"),
        (", minimum = 5 }\nbrowser", " }\nbrowser", "fields.file.minimum"),
        ("known_only = true", "known_only = false", "fields.domain.known_only"),
        ("[fields]", '[consent]\nrequire = ["cookie"]\n[fields]', "consent"),
        ("[fields]", '[fields]\nnetwork = { as = "truncated", v4 = 16, minimum = 9 }', "fields.network.v6"),
        ("[fields]", '[fields]\nnetwork = { as = "truncated", v6 = 32, minimum = 9 }', "fields.network.v4"),
    ],
)
def test_a_warning(old: str, new: str, key: str) -> None:
    """Each by itself: nothing else is warned of."""
    assert list(warned(old, new)) == [key]


HOLD = '[[hold]]\nscope = "2026-11-01 to 2026-11-07"\nbasis = "a claim"\nowner = "legal"\nuntil = 2027-03-01\n[fields]'


def test_a_hold_that_has_ended(command: Inside, tmp_path: Path) -> None:
    """From its day on it is warned of, by the clock of the command; so is one that ends before it keeps anything."""
    (tmp_path / "p.toml").write_text(IMOS.replace("[fields]", HOLD), "utf-8")
    for day, warned_of in (("2027-02-28", False), ("2027-03-01", True)):
        done = command("policy", "check", "p.toml", "--now", f"{day}T12:00:00Z")
        assert done.code == 0
        assert ('hold "2026-11-01 to 2026-11-07".until: the hold ended on 2027-03-01' in done.err) is warned_of
    (tmp_path / "p.toml").write_text(IMOS.replace("[fields]", HOLD.replace("2027-03-01", "2026-12-13")), "utf-8")
    assert "it keeps nothing" in command("policy", "check", "p.toml", "--now", "2026-11-21").err


def test_a_household() -> None:
    """A /48 is named as what it often is."""
    said = warned("[fields]", '[fields]\nnetwork = { as = "truncated", minimum = 9 }')
    assert "household" in said["fields.network.v6"]


def test_no_warning() -> None:
    """The policy imos, with its controller, has none; an age of a year, of a leap year even, is no long one."""
    text = IMOS.replace('name = ""', 'name = "x"').replace('contact = ""', 'contact = "y"')
    for age in ("6 weeks", "1 year", "12 months", "365 days"):
        assert warnings_of(parse_policy(text.replace("6 weeks", age), where="p"), TODAY) == ()


# --- show -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(bundled()))
def test_show(command: Inside, name: str) -> None:
    """Each kept field with its columns and technique, age, raw logs and purpose; nothing that is not kept."""
    policy = load_policy(name)
    done = command("policy", "show", name)
    assert (done.code, done.err) == (0, "")
    for column in policy.spec.keys:
        assert column in done.out
    for part in (
        str(policy.keep_for),
        policy.raw.access,
        "RFC 6235",
        "allowed" if policy.purpose.evaluate else "refused",
    ):
        assert part in done.out
    told = command("policy", "show", name, "--json").json
    assert [each["field"] for each in told["kept"]] == [field for field, _ in policy.kept()]
    assert all(each["technique"] for each in told["kept"])
    assert [column for each in told["kept"] for column in each["columns"]] == [
        column for column in policy.spec.schema.names if column != "requests"
    ]
    assert told["says"]["kept for"].startswith(str(policy.keep_for))


def test_show_a_store(command: Inside, tmp_path: Path) -> None:
    """Of a store the policy that it is held under; nothing in it is changed."""
    (tmp_path / "x.log").write_bytes(b"".join(lines(3)))
    ingest(tmp_path / "store", [tmp_path / "x.log"], policy=load_policy("six-weeks"), now=NOW)
    before = snapshot(tmp_path / "store")
    assert command("policy", "show", "store", "--json").json["policy"] == "six-weeks"
    assert command("policy", "diff", "store", "six-weeks", "--json").json["changes"] == []
    assert snapshot(tmp_path / "store") == before


def test_hostile_texts_are_shown_as_text(command: Inside, tmp_path: Path) -> None:
    """A policy's title is neither markup nor control characters to the terminal."""
    (tmp_path / "p.toml").write_text(IMOS.replace("Access statistics,", "[red]\\u001b[31m"), "utf-8")
    done = command("policy", "show", "p.toml")
    assert "[red]" in done.out
    assert "\x1b" not in done.out


# --- diff -----------------------------------------------------------------------------------------------------------


def test_diff(command: Inside) -> None:
    """Exit 1 if any change is looser, each named with its direction; the other way round 0."""
    back = command("policy", "diff", "imos", "six-weeks")
    assert (back.code, back.err) == (1, "")
    assert re.search(r"^looser +purpose\.evaluate ", back.out, re.MULTILINE)
    assert not re.search(r"\bname +.*\bname\b", back.out)
    done = command("policy", "diff", "six-weeks", "imos", "--json")
    assert done.code == 0
    changes = {each["key"]: each for each in done.json["changes"]}
    assert changes["purpose.evaluate"]["change"] == "tighter"
    assert changes["purpose.evaluate"]["old"] == "true"
    assert changes["name"]["change"] == "neither"
    assert done.json["looser"] == 0
    assert "say the same" in command("policy", "diff", "imos", "imos").out
    assert command("policy", "diff", "imos", "six-weeks", "--quiet").out == ""
    assert command("policy", "diff", "imos", "nowhere").code == 78


# --- schema ---------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A TOML value as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def test_schema(command: Inside) -> None:
    """Valid draft 2020-12, a description on every key; it takes the bundled policies and refuses what `check` does."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(command("policy", "schema").out)
    judge = jsonschema.Draft202012Validator
    judge.check_schema(schema)
    assert schema["$schema"] == judge.META_SCHEMA["$id"]
    for part in (schema, *schema["$defs"].values()):
        assert part["additionalProperties"] is False
        assert all(key["description"] for key in part["properties"].values())
    for text in bundled().values():
        judge(schema).validate(plain(tomllib.loads(text)))
    for old, new in (
        ("6 weeks", "six weeks"),
        ('"hour"', '"hours"'),
        ("minimum = 50", "minimum = -1"),
        ('name  = "imos"', 'name = "Imos"'),
        ('"kept 7 days"', '"kept"'),
        ("evaluate = false", 'evaluate = "no"'),
        ("[fields]", '[fields]\nnetwork = { as = "truncated", v4 = 25 }'),
        ('time    = { as = "hour" }', ""),
        ("[fields]", "[fields]\nreferrer = 1"),
    ):
        assert old in IMOS
        assert not judge(schema).is_valid(plain(tomllib.loads(IMOS.replace(old, new)))), new


# --- the page of policies -------------------------------------------------------------------------------------------


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_example_is_executed(command: Inside, tmp_path: Path) -> None:
    """The policy of the page is valid, its commands succeed in their order, and the change that it describes is
    applied."""
    text, _ = blocks("toml")
    (tmp_path / "shop.toml").write_text(text, "utf-8")
    changed = text.replace("version = 1", "version = 2").replace("3 months", "6 weeks").replace('"hour"', '"day"')
    changed = re.sub(r"^success.*\n", "", changed, flags=re.MULTILINE)
    (tmp_path / "shop-2.toml").write_text(changed, "utf-8")
    (tmp_path / "access.log").write_bytes(b"".join(lines(20)))
    said = [line for block in blocks("sh") for line in block.splitlines()]
    assert {tuple(line.split()[1:3])[1] for line in said if " policy " in line} == {
        "check",
        "show",
        "notice",
        "diff",
        "apply",
    }
    for line in said:
        words = shlex.split(line)[1:]
        clock = ["--now", NOW.isoformat()] if "run" in words or "apply" in words else []
        done = command(*words, *clock)
        assert done.code == 0, (line, done.err)
    assert command("policy", "show", "store", "--json").json["says"]["version"].startswith("2")
    assert not {path.name for path in (tmp_path / "store" / "access").glob("*/*")} - {"day.parquet"}


def test_the_long_example_has_everything(command: Inside, tmp_path: Path) -> None:
    """The other example is valid, and says something in each part that a policy can have; so does its notice."""
    _, text = blocks("toml")
    (tmp_path / "forum.toml").write_text(text, "utf-8")
    done = command("policy", "check", "forum.toml", "--now", "2026-12-25", "--json")
    assert (done.code, {each["key"] for each in done.json["warnings"]}) == (0, {"consent", "fields.status.minimum"})
    written = tomllib.loads(text)
    tables = {key.path for key in known_keys() if key.takes.startswith(("a table", "tables")) and "." not in key.path}
    assert tables <= set(written)
    for table in ("also_expire", "hold"):
        keys = {key.path.partition(".")[2] for key in known_keys() if key.path.startswith(f"{table}.")}
        assert keys == {key for entry in written[table] for key in entry}
    for language in ("en", "de"):
        assert "complaint 12/2026" in command("policy", "notice", "forum.toml", "--lang", language).out


@pytest.mark.parametrize("name", list(bundled()))
def test_what_a_policy_shows_in_comments_is_valid(name: str) -> None:
    """An example that a bundled policy has in its comments can be put in force as it stands."""
    text = bundled()[name]
    found = re.sub(r"^# (\[\[\w+\]\]|\w+ *= .*)$", r"\1", text, flags=re.MULTILINE)
    policy = parse_policy(found, where=name)
    assert (policy != load_policy(name)) is ("# [[" in text)


def test_every_key_is_documented() -> None:
    """The table of keys has every key of the model with what it takes, and the prose of the page names each part."""
    for key in known_keys():
        assert f"| `{key.path}` | " in PAGE
        assert key.meaning
        assert key.takes != "an age" or key.path in ("keep_for", "also_expire.age")
    for part in (
        "[controller]",
        "[purpose]",
        "[raw]",
        "[consent]",
        "[scope]",
        "[[also_expire]]",
        "[[hold]]",
        "[fields]",
        "minimum",
        "routes",
        "known",
    ):
        assert f"{part}" in PAGE.split("## The keys")[0]


def test_the_defaults_are_the_models() -> None:
    """A policy that writes out every default of the table means the same as one that leaves them out."""
    least = 'name = "x"\nversion = 1\nvalid_from = 2026-11-21\nkeep_for = "6 weeks"\n'
    fields = "[fields]\n"
    tables: dict[str, list[str]] = {}
    for key in known_keys():
        if key.takes == "a table" or not key.default:
            continue
        table, _, name = key.path.rpartition(".")
        if table in ("also_expire", "hold"):  # of which there may be several, and need not be any
            continue
        tables.setdefault(table, []).append(f"{name} = {key.default}")
    treatments = {key.path: key.takes.split('"')[1] for key in known_keys() if key.path.endswith(".as")}
    del treatments["fields.host.as"]  # it needs the names of sites
    written = least + "".join(f"{each}\n" for each in tables.pop(""))
    full = {table: entries for table, entries in tables.items() if not table.startswith("fields")}
    for table, entries in full.items():
        written += f"[{table}]\n" + "\n".join(entries) + "\n"
    written += fields
    short = least + fields
    for path, treatment in treatments.items():
        table = path.removesuffix(".as")
        name = table.removeprefix("fields.")
        short += f'{name} = {{ as = "{treatment}" }}\n'
        written += f"{name} = {{ " + ", ".join([f'as = "{treatment}"', *tables.get(table, [])]) + " }\n"
    assert parse_policy(written, where="written") == parse_policy(short, where="short")
