"""The wheel, installed elsewhere, is whole: policies, formats and lists come with it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.cli import SAMPLE_NOW, SAMPLES, TIMEOUT, Command

ROOT = Path(__file__).parents[1]
LOG = SAMPLES / "shop.access.log.1.gz"


def call(*words: object, cwd: Path) -> None:
    """A tool of the development environment, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], cwd=cwd, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    call("build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Command:
    """The command of the installed wheel: its path is the only one in PYTHONPATH, and not that of the checkout."""
    target = wheel.parent / "target"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet", "--target", target)
    call("pip", "install", *options, wheel, cwd=wheel.parent)
    command = Command(wheel.parent, variables={"PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"})
    where = "import loganon; print(loganon.__file__)"
    found = Command(wheel.parent, python=(sys.executable, "-c", where), variables=command.variables)()
    assert Path(found.out.strip()).is_relative_to(target), found
    return command


def test_its_name_and_content(wheel: Path) -> None:
    """The distribution has a name of its own; the package has no tests and no sample logs, and all of its data."""
    assert wheel.name.startswith("loganon_access-")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"loganon/configs/imos.toml", "loganon/configs/six-weeks.toml", "loganon/formats/combined.toml"} <= set(
        names
    )
    assert {name.split("/")[0].split("-")[0] for name in names} == {"loganon", "loganon_access"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".log", ".mmdb"))]
    missing = [
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "loganon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and str(path.relative_to(ROOT / "src")) not in names
    ]
    assert missing == []


def test_preview(installed: Command) -> None:
    """Detection, lists and the policy of a name work."""
    done = installed("preview", LOG, "--policy", "six-weeks", "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["format"], done.json["counted"]) == ("combined", 800)


def test_run(installed: Command, tmp_path: Path) -> None:
    """A whole run under the default policy, with a provider database."""
    words = (LOG, "--store", tmp_path / "store", "--now", SAMPLE_NOW, "--provider-db", SAMPLES / "providers.mmdb")
    done = installed("run", *words, "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["policy"], done.json["counted"]) == ("imos", 800)
    frozen = json.loads((tmp_path / "store" / "_loganon" / "store.json").read_text())
    assert frozen["policy"]["name"] == "imos"


def test_report(installed: Command, tmp_path: Path) -> None:
    """A page is made of the templates that come with it."""
    store, page = tmp_path / "store", tmp_path / "page.html"
    assert installed("run", LOG, "--store", store, "--policy", "six-weeks", "--now", SAMPLE_NOW, "--quiet").code == 0
    done = installed("report", "--store", store, "--now", SAMPLE_NOW, "--html", page, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "</html>" in page.read_text("utf-8")


def test_version_and_help(installed: Command) -> None:
    """`--version` is the wheel's; `--help` names the commands."""
    assert "0.1.0" in installed("--version").out
    said = installed("--help").out
    assert all(name in said for name in ("preview", "run", "retain"))
