"""What the start of a process leaves out, and that what stands for it says the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import publicsuffixlist
import pytest

from loganon.cli.unsaid import Unsaid
from loganon.cli.unused import WithoutUnused
from loganon.fields import FIELDS
from loganon.formats import load_formats, with_examples
from loganon.lookups.agents import load_rules_version
from loganon.lookups.suffixes import load_suffixes
from loganon.policy import bundled, load_policy, parse_policy
from loganon.policy.ready import Ready, open_frozen, open_policy
from loganon.settings import InputSettings, Settings
from support.cli import SAMPLE_NOW, SAMPLES

LOG = SAMPLES / "shop.access.log"
READY = [name for name in bundled() if not (load_policy(name).also_expire or load_policy(name).hold)]
UNUSED = {
    *("asyncio", "email", "http", "importlib.metadata", "importlib.resources", "jinja2", "maxminddb", "numpy"),
    *("obstore", "pandas", "prometheus_client", "pyarrow._s3fs", "pydantic", "rich", "urllib.request", "xml"),
    *("loganon.parse.jsonlines", "loganon.settings", "loganon.store.s3.store"),
}
_LISTED = """
import os, sys
ended = os._exit
def end(code):
    sys.stdout.flush()
    print(*sys.modules, file=sys.stderr, flush=True)
    ended(code)
os._exit = end
from loganon.cli.start import main
main()
"""


@pytest.mark.parametrize(
    "words", [("run", "--store", "store", "--key-file", "key", "--now", SAMPLE_NOW, "--json"), ("filter",)]
)
def test_what_a_run_does_not_import(words: tuple[str, ...], tmp_path: Path) -> None:
    """A run on a local log, and a filter, load nothing that serves other inputs, other stores or other commands."""
    code = [sys.executable, "-c", _LISTED, words[0], str(LOG), *words[1:], "--quiet"]
    done = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    loaded = set(done.stderr.split())
    assert "polars" in loaded
    assert loaded & UNUSED == set()


def test_stand_ins_make_nothing() -> None:
    """What a module is replaced by has every name and a module below it, and says what it is when it is used."""
    finder = WithoutUnused()
    spec = finder.find_spec("polars.io.delta", None)
    assert spec is not None
    module: Any = finder.create_module(spec)
    assert isinstance(module, ModuleType)
    assert isinstance(module.scan_delta, type)
    assert finder.find_spec("polars.io.delta._dataset", None) is not None
    assert finder.find_spec("polars.io.parquet", None) is None
    with pytest.raises(ModuleNotFoundError, match=r"without polars\.io\.delta"):
        module.scan_delta("table")
    with pytest.raises(AttributeError):
        module.__wrapped__  # noqa: B018 - looked for by `inspect`
    with pytest.raises(ModuleNotFoundError, match="without numpy"):
        finder.find_spec("numpy", None)


@pytest.mark.parametrize("name", READY)
def test_ready_policies(name: str) -> None:
    """A policy that is ready says in all that a run asks of it what the judged one says."""
    judged, ready = load_policy(name), open_policy(name)
    assert isinstance(ready, Ready)
    assert (ready.canonical, ready.sha256) == (judged.canonical, judged.sha256)
    assert (ready.spec, ready.networks) == (judged.spec, judged.networks)
    keys = type(judged).model_fields.keys() - {"fields"}
    for key in keys:
        one, other = getattr(ready, key), getattr(judged, key)
        assert one == other if not hasattr(other, "model_dump") else vars(one) == dict(other), key
    kept, same = dict(ready.kept()), dict(judged.kept())
    assert list(kept) == list(same)
    assert {field: vars(options) for field, options in kept.items()} == {
        field: {key: getattr(options, key) for key in type(options).model_fields} for field, options in same.items()
    }
    assert {field for field in FIELDS if getattr(ready.fields, field) is None} == FIELDS.keys() - same.keys()


def test_ready_policies_are_values() -> None:
    """One is equal to what means the same, judged or not, and to nothing else; a store's own comes back as it was."""
    ready, judged, other = open_policy("imos"), load_policy("imos"), load_policy("truncated")
    assert ready == judged
    assert judged == ready
    assert ready != other
    assert other != ready
    assert hash(ready) == hash(open_frozen(judged.canonical, where="store"))
    assert ready == open_frozen(judged.canonical, where="store")


def test_what_is_not_ready_is_judged() -> None:
    """A policy of another meaning, or one in a file, goes the way on which every key is judged."""
    changed = parse_policy(bundled()["imos"].replace('"6 weeks"', '"5 weeks"'), where="test")
    found = open_frozen(changed.canonical, where="store")
    assert found == changed
    assert not isinstance(found, Ready)
    assert not isinstance(open_policy("with-backups"), Ready)


def test_defaults_without_a_file() -> None:
    """What holds without a configuration file is what the keys of one default to."""
    known = InputSettings.model_fields | Settings.model_fields
    assert {each.name for each in fields(Unsaid)} == known.keys()
    required = {"logs": ()}
    assert {each.name: each.default for each in fields(Unsaid)} == {
        name: required.get(name, key.default) for name, key in known.items()
    }


def test_formats_without_examples() -> None:
    """Formats read without their examples are otherwise the same."""
    bare = load_formats(examples=False)
    assert list(bare) == list(load_formats())
    for name, fmt in load_formats().items():
        assert fmt.examples
        assert bare[name] == replace(fmt, examples=())
        assert with_examples(bare[name]) == fmt


def test_rules_version() -> None:
    """The version of the agents' rules is the one that is recorded for their package."""
    assert load_rules_version() == version("ua-parser-builtins")


def test_ascii_rules() -> None:
    """Of names below an ASCII rule of the public suffix list the part that is read says what the whole list says."""
    whole = publicsuffixlist.PublicSuffixList(accept_unknown=False, only_icann=True)
    suffixes = load_suffixes()
    assert suffixes._rules("www.xn--bcher-kva.de") is suffixes._every
    rules = [rule.lstrip("!").replace("*", "any") for rule in whole._publicsuffix if rule.isascii()]
    names = [name for rule in rules if "xn--" not in rule for name in (rule, f"a.{rule}", f"b.a.{rule}")]
    assert len(names) > 10_000
    part = suffixes._ascii
    assert [name for name in names if part.privatesuffix(name) != whole.privatesuffix(name)] == []
    assert [name for name in names if part.publicsuffix(name) != whole.publicsuffix(name)] == []
