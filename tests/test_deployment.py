"""What is given for deployment is sound: manifests fit their schemas, systemd understands the units, and each option
that is named is one.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from loganon.cli import root

ROOT = Path(__file__).parents[1]
MANIFESTS = sorted((ROOT / "configs" / "kubernetes").glob("*.yaml"))


def documents(path: Path) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def arguments(found: object) -> list[list[str]]:
    """Each list under `args` or `command` that calls loganon, at any depth."""
    calls = []
    if isinstance(found, dict):
        for key, value in found.items():
            if key in ("args", "command") and isinstance(value, list) and value[0] in root.list_commands(context()):
                calls.append(value)
            else:
                calls += arguments(value)
    elif isinstance(found, list):
        calls = [call for each in found for call in arguments(each)]
    return calls


def context() -> click.Context:
    return click.Context(root)


def options_of(name: str) -> set[str]:
    command = importlib.import_module(f"loganon.cli.{name}").command
    return {text for parameter in command.params for text in parameter.opts}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests(path: Path) -> None:
    """Each object is one of the current Kubernetes, without a key that it does not know."""
    found = documents(path)
    assert found
    for each in found:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_containers_are_confined(path: Path) -> None:
    """Each container of ours: read-only root, no capabilities, no privilege to gain, a limit of memory."""
    ours = [each for each in containers(documents(path)) if each["image"].startswith("loganon")]
    assert ours
    for each in ours:
        may = each["securityContext"]
        assert may["readOnlyRootFilesystem"] is True
        assert may["allowPrivilegeEscalation"] is False
        assert may["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in each["resources"]["limits"]


def containers(found: object) -> list[dict[str, Any]]:
    if isinstance(found, dict):
        here = [each for key in ("containers", "initContainers") for each in found.get(key, [])]
        return here + [each for key, value in found.items() if "ontainers" not in key for each in containers(value)]
    return [each for part in found for each in containers(part)] if isinstance(found, list) else []


@pytest.mark.parametrize("path", [*MANIFESTS, ROOT / "compose.yaml"], ids=lambda path: path.stem)
def test_each_option_is_one(path: Path) -> None:
    """What the containers are started with, the command takes."""
    calls = arguments(documents(path))
    assert calls
    for name, *rest in calls:
        given = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert given <= options_of(name), (name, given - options_of(name))


@pytest.mark.parametrize(
    "path", [ROOT / "configs/kubernetes/sidecar.yaml", ROOT / "compose.yaml"], ids=lambda p: p.stem
)
def test_the_raw_log_goes(tmp_path: Path, path: Path) -> None:
    """The server's container renames its log, over the last one, and has a new one opened: else the raw log stands for
    ever, or fills the memory that it lies in.
    """
    (script,) = re.findall(r"while .*?daemon off;'", " ".join(path.read_text().split()))
    (tmp_path / "access.log").write_text("new")
    (tmp_path / "access.log.1").write_text("old")
    stand_ins = "sleep() { [ -e access.log ]; }\nnginx() { echo nginx $*; }\n"  # the second hour is the last
    rotating, _, server = script.replace("/var/log/raw/", "").partition(" & exec ")
    done = subprocess.run(["sh", "-c", stand_ins + rotating], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert server == "/docker-entrypoint.sh nginx -g 'daemon off;'"
    assert done.stdout == "nginx -s reopen\n"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"access.log.1": "new"}


def test_the_image() -> None:
    """It copies what is there, starts a command that is one, and is not root; the variables that it sets are read."""
    text = (ROOT / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
    assert re.search(r"^USER 65532", text, re.MULTILINE)
    (call,) = re.findall(r'^CMD \["(\w+)"', text, re.MULTILINE)
    assert call in root.list_commands(context())
    command = importlib.import_module(f"loganon.cli.{call}").command
    read = {name for parameter in command.params for name in parameter.envvar or ()}
    assert set(re.findall(r"LOGANON_\w+", text)) <= read
    ignored = (ROOT / ".dockerignore").read_text()
    for name in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        assert all(f"!{part}" in ignored for part in name.split()[:-1])


@pytest.mark.parametrize("drop_in", [None, "remove-source.conf"])
def test_units(tmp_path: Path, drop_in: str | None) -> None:
    """systemd understands the service and the timer, and finds the service's exposure low, also as root with the right
    to remove logs.
    """
    tool = shutil.which("systemd-analyze")
    if tool is None:
        assert not os.environ.get("LOGANON_SERVERS"), (
            "systemd-analyze is missing, and LOGANON_SERVERS says that it is here"
        )
        pytest.skip("systemd-analyze is not installed")
    for unit in (ROOT / "configs" / "systemd").glob("loganon.*"):
        text = unit.read_text().replace("/usr/bin/loganon", "/bin/true")
        (tmp_path / unit.name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    service, timer = tmp_path / "loganon.service", tmp_path / "loganon.timer"
    if drop_in is not None:
        (tmp_path / "loganon.service.d").mkdir()
        shutil.copy(ROOT / "configs" / "systemd" / drop_in, tmp_path / "loganon.service.d")
    checked = subprocess.run([tool, "verify", service, timer], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposed = subprocess.run(
        [tool, "security", "--offline=true", "--threshold=15", service], capture_output=True, text=True, check=False
    )
    assert exposed.returncode == 0, exposed.stdout[-200:]
    assert ("Service runs as root user" in exposed.stdout) == (drop_in is not None)
