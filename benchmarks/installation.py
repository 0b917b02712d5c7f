"""The project as users install it, without the developers' tools: what is measured of it is what they get."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def install(environment: Path) -> str:
    """The interpreter of a new environment in which the project is installed, without extras."""
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    command = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install"]
    subprocess.run([*command, str(Path(__file__).parents[1])], check=True)
    return str(python)


def sizes(environment: Path) -> list[tuple[str, float]]:
    """MB of the environment, and of its largest parts."""
    (packages,) = environment.glob("lib/python*/site-packages")
    parts = {path.name: _size(path) / 1e6 for path in packages.iterdir()}
    return [("all of it", _size(environment) / 1e6), *sorted(parts.items(), key=lambda each: -each[1])[:6]]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    return sum(file.lstat().st_blocks * 512 for file in files)
