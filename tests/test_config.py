"""The configuration file: what it says, and everything that is wrong with it, at once."""

from __future__ import annotations

import re
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loganon.errors import ConfigurationError
from loganon.exclude import Rule
from loganon.patterns import SITE, check_pattern, is_site, log_files, site_of
from loganon.settings import InputSettings, Settings, SettingsError, load_settings, overridden, parse_settings

FILE = Path("/etc/loganon/loganon.toml")
ONE = '[[input]]\nlogs = "/var/log/{site}.log*"\nstore = "/var/lib/loganon/{site}"\n'
ALL = """
key_file = "key"
writer = "web-1"
group = "adm"
lead = "1d"
wait = "5m"
provider_db = "asn.mmdb"
exclude = [{ path = "/healthz" }]
format = "combined"

[[input]]
logs = ["{site}.log*", "/var/log/{site}/access.log*"]
store = "stores/{site}"
policy = "./p.toml"
format_file = "my.toml"
timezone = "Europe/Berlin"
date = 2026-11-20
final = true
trusted_proxy = "10.0.0.0/8"
raw = "/var/log/{site}.error.log*"
fields = "date time c-ip"

[[input]]
logs = "/var/log/other.log*"
store = "/var/lib/other"
stream = "other"
provider_db = []
exclude = [{ client = "10.0.0.0/8", method = "HEAD" }, { browser = "bots" }]
remove_source = true
"""


def mistakes(text: str) -> list[str]:
    """What is said of a configuration, each mistake by itself; all name the file."""
    with pytest.raises(SettingsError) as raised:
        parse_settings(text, where=FILE)
    assert raised.value.exit_code == 78
    found = [str(mistake) for mistake in raised.value.mistakes]
    assert all(str(FILE) in each for each in found)
    return found


def test_all_keys() -> None:
    """Defaults are filled in; what an input says goes before; paths are from the folder of the file."""
    settings = parse_settings(ALL, where=FILE)
    one, other = settings.input
    assert (settings.key_file, settings.writer, settings.group) == ("/etc/loganon/key", "web-1", "adm")
    assert (settings.lead, settings.wait) == (timedelta(days=1), timedelta(minutes=5))
    assert one.logs == ("/etc/loganon/{site}.log*", "/var/log/{site}/access.log*")
    assert (one.store, one.policy) == ("/etc/loganon/stores/{site}", "/etc/loganon/p.toml")
    assert (one.format, one.format_file) == ("auto", "/etc/loganon/my.toml")  # one way to name it leaves no other
    assert (one.timezone, one.date, one.final) == (ZoneInfo("Europe/Berlin"), date(2026, 11, 20), True)
    assert (one.provider_db, one.trusted_proxy) == (("/etc/loganon/asn.mmdb",), ("10.0.0.0/8",))
    assert (one.exclude, one.fields) == ((Rule(path="/healthz"),), ("date", "time", "c-ip"))
    assert one.raw == ("/var/log/{site}.error.log*",)
    assert (other.format, other.provider_db, other.stream, other.policy) == ("combined", (), "other", None)
    assert (other.remove_source, one.remove_source) == (True, False)
    assert other.exclude == (Rule(client=ip_network("10.0.0.0/8"), method="HEAD"), Rule(browser="bots"))


def test_options_go_before() -> None:
    """What is given goes before what the file says; of the three ways to name a format none of the file's is left."""
    one = parse_settings(ALL, where=FILE).input[0]
    given = overridden(one, {"format": "common", "provider_db": ()})
    assert (given.format, given.format_file, given.provider_db) == ("common", None, ())
    assert given.timezone == one.timezone
    assert overridden(one, {}) is one


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["has no [[input]]"]),
        ("[[input]\n", ["is not TOML", "line 1"]),
        (ONE + 'formt = "combined"\n', ["the key formt is unknown", "[[input]] 1", 'Did you mean "format"?']),
        ("[[inputs]]\nlogs = 'a'\n", ["the key inputs is unknown", 'Did you mean "input"?']),
        ('wirter = "a"\n' + ONE, ["the key wirter is unknown", 'Did you mean "writer"?']),
        ("[[input]]\nstore = '/a'\n", ["the key logs is missing", "[[input]] 1"]),
        ("[[input]]\nlogs = '/a'\n", ["the key store is missing"]),
        ("[[input]]\nlogs = []\nstore = '/a'\n", ["the key logs is empty"]),
        ("[[input]]\nlogs = 7\nstore = '/a'\n", ["the value of logs is wrong"]),
        (ONE + 'format = "combind"\n', ['no log format is named "combind"', 'Did you mean "combined"?']),
        (ONE + 'format = "nginx:$remote_addr"\n', ["the value of format is wrong", "has no time"]),
        (ONE + 'timezone = "Europe/Berln"\n', ["no such time zone", 'Did you mean "Europe/Berlin"?']),
        (ONE + 'date = "yesterday"\n', ["the value of date is wrong"]),
        (ONE + "date = 2026-11-20\n", ["needs a format"]),
        (ONE + 'final = "yes"\n', ["the value of final is wrong"]),
        (ONE + 'trusted_proxy = ["10.0.0.0/8", "10.0.0.0/99"]\n', ["trusted_proxy[2]", "is no network"]),
        (ONE + 'exclude = [{ pth = "/a" }]\n', ["exclude[1]", 'Did you mean "path"?']),
        (ONE + 'exclude = [{ client = "x" }]\n', ["exclude[1]", "no network"]),
        (ONE + 'exclude = [{ browser = "Fierfox" }]\n', ["exclude[1]", 'Did you mean "Firefox"?']),
        (ONE + 'exclude = ["/healthz"]\n', ["exclude[1]", "is a table", "{ path ="]),
        (ONE + 'exclude = { path = "/a" }\n', ["the value of exclude is wrong", "Write a list"]),
        ("wait = 5\n" + ONE, ["the value of wait is wrong", '"60s"']),
        ("[input]\nlogs = '/a'\n", ["the value of input is wrong", "[[input]]"]),
        (ONE + 'format = "common"\nformat_file = "a.toml"\n', ["format and format_file both name a format"]),
        (ONE + 'stream = "a"\n', ["both {site} and stream"]),
        (ONE + 'stream = " "\n', ["the label is empty"]),
        ("lead = '5'\n" + ONE, ["the value of lead is wrong", "Expected a duration such as"]),
        ("writer = 'A b'\n" + ONE, ["the value of writer is wrong"]),
        ("key_file = '~/key'\n" + ONE, ["the value of key_file is wrong", "in full"]),
        (ONE + 'provider_db = "/a\\u0000b"\n', ["provider_db", "no path"]),
        ('[[input]]\nlogs = "/a\\u0000b.log"\nstore = "/b"\n', ["logs", "no path"]),
        ("[[input]]\nlogs = '/a.log'\nstore = '/b/{site}'\n", ["{site} stands in the store"]),
        ("[[input]]\nlogs = ['/{site}.log', '/a']\nstore = '/b/{site}'\n", ["not in all of the logs"]),
        ("[[input]]\nlogs = '/{site}*'\nstore = '/b'\n", ["logs[1]", "what belongs to {site} cannot be told"]),
        ("[[input]]\nlogs = '/{sit}.log'\nstore = '/b'\n", ["{sit} is unknown; did you mean {site}?"]),
        ("[[input]]\nlogs = '/a'\nstore = '/b/*'\n", ["the value of store is wrong", "without *"]),
        (ONE + ONE + "policy = 'six-weeks'\n", ["[[input]] 2", "another input of this store names another policy"]),
    ],
)
def test_mistake(text: str, said: list[str]) -> None:
    """Each mistake is one error, with the file, the input's number, the key and what was expected there."""
    (found,) = mistakes(text)
    for part in said:
        assert part in found, found


@pytest.mark.parametrize(
    "key",
    [name for name in InputSettings.model_fields if name not in ("final", "remove_source")]
    + [name for name in Settings.model_fields if name not in (*InputSettings.model_fields, "input")],
)
@pytest.mark.parametrize("value", ["true", "{ a = 1 }", "[7]", "1979-05-27T07:32:00Z"])
def test_a_value_of_another_kind(key: str, value: str) -> None:
    """Whatever kind of value stands behind a key, it is a mistake that names the key, and none inside loganon."""
    rest = "".join(f"{name} = '/a'\n" for name in ("logs", "store") if name != key)
    inside = key in InputSettings.model_fields
    found = mistakes(f"[[input]]\n{rest}{key} = {value}\n" if inside else f"{key} = {value}\n[[input]]\n{rest}")
    assert all(key in each for each in found)


def test_all_at_once() -> None:
    """Mistakes of different inputs and keys are all told, in the order of the file."""
    found = mistakes('wait = "x"\n' + ONE + 'formt = 1\ntimezone = "x"\n' + ONE + "final = 1\n")
    assert [any(word in each for each in found) for word in ("wait", "formt", "timezone", "final")] == [True] * 4
    assert len(found) == 4
    assert sum("[[input]] 2" in each for each in found) == 1


def test_unreadable(tmp_path: Path) -> None:
    """A file that is missing or no text is 78, with its path."""
    (tmp_path / "x.toml").write_bytes(b"\xff")
    for name in ("missing.toml", "x.toml"):
        with pytest.raises(ConfigurationError, match="cannot read the configuration") as raised:
            load_settings(tmp_path / name)
        assert name in str(raised.value)


# --- which file is of which site ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "site"),
    [
        ("/l/{site}.access.log*", "/l/www.example.com.access.log.2.gz", "www.example.com"),
        ("/l/{site}.access.log*", "/l/access.log", None),
        ("/l/{site}.access.log*", "/l/a/b.access.log", None),
        ("/l/{site}/access.log*", "/l/shop/access.log-20261120.gz", "shop"),
        ("/l/{site}/{site}.log", "/l/shop/shop.log", "shop"),
        ("/l/{site}/{site}.log", "/l/shop/blog.log", None),
        ("/l/{site}-*.log", "/l/shop-2026-11-20.log", "shop"),
        ("/l/{site}.log", "/l/a.log.log", "a.log"),
        ("/l/{site}.log*", "/l/a.log.log", "a"),
        ("/l/[ab]{site}.log", "/l/ab.log", "b"),
        ("/l/[!ab]{site}.log", "/l/ab.log", None),
        ("/l/?{site}.log", "/l/a.log", None),
        ("/l/(x+)/{site}.log", "/l/(x+)/a\n.log", "a\n"),
        ("/l/a.log", "/l/a.log", None),
    ],
)
def test_site_of(pattern: str, path: str, site: str | None) -> None:
    """`{site}` is a part of one component, as short as the pattern allows, and the same wherever it stands."""
    assert site_of(pattern, path) == site


def test_a_site_without_rotation(tmp_path: Path) -> None:
    """Rotated and compressed logs are of one site, also where `{site}` ends the name; folders are no logs."""
    for name in ("shop", "shop.1", "shop.2.gz", "shop-20261120", "blog.old"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").write_bytes(b"")
    found = {Path(path).name: site for path, site in log_files(f"{tmp_path}/{SITE}")}
    assert found == {
        "shop": "shop", "shop.1": "shop", "shop.2.gz": "shop", "shop-20261120": "shop", "blog.old": "blog"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "a\nb", "a\x1b[2J", "a\u202e", "x" * 300, "a\udcff"])
def test_hostile_site(name: str) -> None:
    """A name that leads out of the folder, hides, or carries control characters names no store."""
    assert not is_site(name)


@pytest.mark.parametrize("name", ["shop", "www.example.com", "a b", "müller", "a..b", "-x", "_loganon"])
def test_site(name: str) -> None:
    """Any other name may."""
    assert is_site(name)


@pytest.mark.parametrize("pattern", ["/{site}{site}", "/{site}?.log", "/*{site}.log", "/{Site}.log", "/{a}.log"])
def test_unclear_pattern(pattern: str) -> None:
    """A pattern from which the site cannot be told is refused."""
    with pytest.raises(ValueError, match="site"):
        check_pattern(pattern)


def test_frozen() -> None:
    """Settings are values: nothing changes them, and equal files are equal."""
    one, other = (parse_settings(ALL, where=FILE) for _ in range(2))
    assert one == other
    with pytest.raises(ValueError, match="frozen"):
        one.input[0].final = False  # type: ignore[misc]  # the point
    assert isinstance(one.input[0], InputSettings)


def test_the_documents_example() -> None:
    """What `docs/configuration.md` shows is a configuration without a mistake, and its tables name every key."""
    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(parse_settings(example, where=FILE).input) == 2
    keys = (InputSettings.model_fields | Settings.model_fields).keys() - {"input"}
    assert {key for key in keys if f"| `{key}` |" not in page} == set()
