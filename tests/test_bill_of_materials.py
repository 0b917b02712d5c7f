"""The build writes a bill of materials: every package a release depends on, at its locked version, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def _named(text: str) -> str:
    return re.split(r"[<>=; \[]", text.strip())[0].lower().replace("_", "-")


def test_the_bill(tmp_path: Path) -> None:
    """All direct dependencies stand in it, with the lock's versions; what only development needs does not."""
    subprocess.run(["make", "sbom", f"DIST={tmp_path}"], cwd=_ROOT, check=True, capture_output=True)
    bill = json.loads((tmp_path / "loganon-access.cdx.json").read_text())
    found = {part["name"].lower().replace("_", "-"): part["version"] for part in bill["components"]}
    lock = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (_ROOT / "requirements.lock").read_text(), re.MULTILINE))
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    direct = {_named(text) for text in project["dependencies"]}
    assert direct <= found.keys()
    assert found.items() <= {name.lower().replace("_", "-"): version for name, version in lock.items()}.items()
    assert not {"pytest", "hypothesis", "mypy"} & found.keys()
    assert bill["metadata"]["component"]["name"] == project["name"]
