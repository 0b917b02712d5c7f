"""Policies: those that come along, what they store, and every mistake at once."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from loganon.errors import ConfigurationError
from loganon.periods import parse_period
from loganon.policy import PolicyError, bundled, from_canonical, load_policy, parse_policy
from loganon.policy.hold import Hold
from support.runs import PLAIN

CONFIGS = Path(__file__).parents[1] / "configs"
IMOS = (CONFIGS / "imos.toml").read_text("utf-8")
TIME = pa.timestamp("ms", tz="UTC")


def mistakes(text: str) -> list[str]:
    """What is said of a policy, each mistake by itself."""
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, where="p.toml")
    assert raised.value.exit_code == 78
    found = [str(mistake) for mistake in raised.value.mistakes]
    assert all("p.toml" in each for each in found)
    return found


@pytest.mark.parametrize("text", [f"version = {'9' * 5000}", f"a = {'[' * 5000}"])
def test_what_cannot_be_read_at_all(text: str) -> None:
    """A number or a nesting beyond what is read is a mistake of the policy (78), no defect of the program."""
    (found,) = mistakes(text)
    assert "too long" in found or "TOML" in found


@pytest.mark.parametrize("name", ["imos", "six-weeks"])
def test_bundled(name: str) -> None:
    """Loads by name and by path, alike; keeps six weeks; stores the table of DESIGN.md."""
    policy = load_policy(name)
    assert policy == load_policy(CONFIGS / f"{name}.toml") == load_policy(str(CONFIGS / f"{name}.toml"))
    assert (policy.name, str(policy.keep_for)) == (name, "6 weeks")
    schema = policy.spec.schema
    assert list(zip(schema.names, schema.types, strict=True)) == [
        ("time", TIME),
        ("domain", pa.string()),
        ("file", pa.string()),
        ("browser", pa.string()),
        ("browser_version", pa.string()),
        ("success", pa.bool_()),
        ("requests", pa.int64()),
        ("bytes", pa.int64()),
    ]
    assert not any(field.nullable for field in schema)
    assert policy.spec.keys == ("time", "domain", "file", "browser", "browser_version", "success")
    assert policy.spec.unit == "hour"
    assert {fold.columns: fold.minimum for fold in policy.spec.folds} == {
        ("domain",): 50,
        ("file",): 5,
        ("browser", "browser_version"): 5,
    }


def test_what_is_bundled() -> None:
    """Exactly the files of `configs/`, each under its own name."""
    assert set(bundled()) == {path.stem for path in CONFIGS.glob("*.toml")} >= {"imos", "six-weeks"}
    assert all(load_policy(name).name == name for name in bundled())


def test_the_purpose_of_each() -> None:
    """`imos` forbids evaluation, `six-weeks` permits it; neither is shared; known providers only."""
    assert not load_policy("imos").purpose.evaluate
    assert load_policy("six-weeks").purpose.evaluate
    for name in ("imos", "six-weeks"):
        assert load_policy(name).purpose.share == "none"
        assert load_policy(name).fields.domain.known_only is True


@pytest.mark.parametrize("text", [IMOS, (CONFIGS / "six-weeks.toml").read_text("utf-8"), PLAIN])
def test_the_canonical_form_round_trips(text: str) -> None:
    """What a store freezes gives the policy back, with the same hash; it is JSON with sorted keys."""
    policy = parse_policy(text, where="p.toml")
    again = from_canonical(policy.canonical, where="store")
    assert again == policy
    assert (again.canonical, again.sha256) == (policy.canonical, policy.sha256)
    assert list(json.loads(policy.canonical)) == sorted(json.loads(policy.canonical))


def test_the_same_in_other_words() -> None:
    """Comments, order, spacing and written defaults change neither equality nor hash; a meaning does."""
    policy = parse_policy(IMOS, where="a")
    fields, rest = IMOS.split("[fields]")[1], IMOS.split("[fields]")[0]
    lines = [line for line in fields.splitlines() if line]
    other = rest + "[fields]\n# otherwise\n" + "\n".join(reversed(lines)).replace("known_only = true, ", "")
    assert parse_policy(other, where="b") == policy
    assert parse_policy(other, where="b").sha256 == policy.sha256
    for old, new in (("6 weeks", "7 weeks"), ("minimum = 50", "minimum = 51"), ("version = 1", "version = 2")):
        assert parse_policy(IMOS.replace(old, new), where="c").sha256 != policy.sha256


def test_frozen() -> None:
    """A policy cannot be changed once it is read."""
    policy = load_policy("imos")
    with pytest.raises(ValidationError):
        policy.version = 2
    with pytest.raises(ValidationError):
        policy.fields.time = None


def test_a_copy_with_other_values_means_what_they_say() -> None:
    """Nothing of what the policy was asked before is left in it: a store would be frozen with the old age."""
    policy = load_policy("imos")
    assert "6 weeks" in policy.canonical
    assert policy.sha256
    assert policy.networks == {}
    assert "file" in policy.spec.schema.names
    week, pathless = parse_period("7 days"), policy.fields.model_copy(update={"file": None})
    for deep in (False, True):
        copied = policy.model_copy(update={"keep_for": week, "fields": pathless}, deep=deep)
        again = from_canonical(copied.canonical, where="store")
        assert (again, again.keep_for, again.fields.file) == (copied, week, None)
        assert copied.sha256 == again.sha256 != policy.sha256
        assert "file" not in copied.spec.schema.names
    hold = Hold(scope="2026-10-01", basis="a law", owner="the office", until=date(2027, 6, 30))
    assert hold.covers(date(2026, 10, 1))
    later = hold.model_copy(update={"scope": "2026-10-02"})
    assert [day for day in (1, 2) if later.covers(date(2026, 10, day))] == [2]


@pytest.mark.parametrize("text", ["{}", "no json", '{"name": 1}', "[]"])
def test_a_frozen_policy_that_cannot_be_read(text: str) -> None:
    """78, and where it stands."""
    with pytest.raises(ConfigurationError, match="a-store"):
        from_canonical(text, where="a-store")


@pytest.mark.parametrize(
    ("old", "new", "columns", "unit"),
    [
        ('file    = { as = "path" }\n', "", ["time", "domain", "browser", "browser_version", "success"], "hour"),
        ('"family+major"', '"family"', ["time", "domain", "file", "browser", "success"], "hour"),
        ('as = "hour"', 'as = "day"', ["time", "domain", "file", "browser", "browser_version", "success"], "day"),
    ],
)
def test_the_table_follows_the_policy(old: str, new: str, columns: list[str], unit: str) -> None:
    """A field that is not named is no column; the unit is the time's; measures come last."""
    spec = parse_policy(PLAIN.replace(old, new), where="p").spec
    assert list(spec.keys) == columns
    assert spec.schema.names == [*columns, "requests", "bytes"]
    assert spec.unit == unit
    assert spec.folds == ()


def test_the_least_policy() -> None:
    """Only time is needed: requests per hour."""
    spec = parse_policy(PLAIN.split("[fields]")[0] + '[fields]\ntime = { as = "hour" }\n', where="p").spec
    assert spec.schema.names == ["time", "requests"]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('keep_for = "6 weeks"', "", ("keep_for", "missing", '"6 weeks"', "no default age")),
        ('"6 weeks"', '"6 fortnights"', ("keep_for", '"6 weeks"')),
        ('"6 weeks"', "42", ("keep_for", '"6 weeks"')),
        ('"6 weeks"', "[42]", ("keep_for", '"6 weeks"')),
        ("keep_for", "keepfor", ("keepfor", '"keep_for"')),
        ("version = 1", "version = 0", ("version",)),
        ("version = 1", 'version = "1"', ("version",)),
        ("version = 1", "version = true", ("version",)),
        ("2026-11-21", '"2026-11-21"', ("valid_from",)),
        ('"plain"', '"Plain Policy"', ("name", "lower-case")),
        ('"plain"', '"../x"', ("name",)),
        ("domain ", "domains ", ("fields.domains", '"domain"')),
        ("file ", "referer ", ("fields.referer", '"referrer"')),
        ('"provider"', '"providers"', ("fields.domain.as", '"provider"')),
        ('"path"', '"url"', ("fields.file.as", '"path"')),
        ('as = "path"', 'how = "path"', ("fields.file",)),
        ('as = "path"', 'as = "path", minimum = -1', ("fields.file.minimum",)),
        ('as = "path"', 'as = "path", minimum = 1.5', ("fields.file.minimum",)),
        ('as = "path"', 'as = "path", minimun = 5', ("fields.file.minimun", '"minimum"')),
        ('as = "flag"', 'as = "flag", minimum = 5', ("fields.success.minimum",)),
        ("known_only = false", 'known_only = "no"', ("fields.domain.known_only",)),
        ('time    = { as = "hour" }\n', "", ("fields.time", "missing")),
        ("[fields]", "[feilds]", ("feilds", '"fields"')),
        ("[fields]", '[purpose]\nshare = "all"\n[fields]', ("purpose.share", '"none"', '"anonymous"')),
        ("[fields]", '[raw]\naccess = "kept"\n[fields]', ("raw.access", "kept 14 days")),
        ("[fields]", '[raw]\naccess = "kept 14 dys"\n[fields]', ("raw.access",)),
        ("[fields]", '[controller]\nnam = "x"\n[fields]', ("controller.nam", '"name"')),
    ],
)
def test_a_mistake(old: str, new: str, wanted: tuple[str, ...]) -> None:
    """Each is named by its key, with what was expected or the nearest valid spelling; none is passed over."""
    assert old in PLAIN
    found = mistakes(PLAIN.replace(old, new, 1))
    assert any(all(part in each for part in wanted) for each in found), found


def test_all_mistakes_at_once() -> None:
    """One mistake does not hide another, in whatever section."""
    text = PLAIN.replace('"6 weeks"', '"soon"').replace('"path"', '"pth"').replace("success", "succes")
    found = " ".join(mistakes("titel = 1\n" + text))
    assert all(key in found for key in ("keep_for", "fields.file.as", "fields.succes", "titel"))


def test_a_missing_time_does_not_hide() -> None:
    """That time is missing is told together with the other mistakes."""
    text = PLAIN.replace('time    = { as = "hour" }\n', "").replace('"path"', '"pth"')
    found = " ".join(mistakes(text))
    assert "fields.time" in found
    assert "fields.file.as" in found


def test_where_there_is_no_policy(tmp_path: Path) -> None:
    """An unknown name and a missing file are 78, the name with those that are known."""
    with pytest.raises(ConfigurationError, match='"imos"'):
        load_policy("imso")
    for path in (tmp_path / "missing.toml", str(tmp_path / "missing.toml"), tmp_path):
        with pytest.raises(ConfigurationError, match="cannot read the policy"):
            load_policy(path)
    (tmp_path / "latin.toml").write_bytes('title = "Zugriffszähler"'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_policy(tmp_path / "latin.toml")


def test_what_is_no_toml() -> None:
    """The parser's reason, with the line."""
    (said,) = mistakes('name = "x"\nname = "y"\n')
    assert "not TOML" in said
    assert "line 2" in said


def test_the_dates_of_the_bundled() -> None:
    """Each says from when it is valid, and that it is the first version."""
    for name in bundled():
        policy = load_policy(name)
        assert (policy.version, policy.valid_from) == (1, date(2026, 11, 21))
