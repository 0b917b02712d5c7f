"""What a suite needs of the machine: skipped visibly without it; a missing part of Debian fails in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SBIN = "/usr/sbin:/sbin"
MEMORY = Path("/dev/shm")
"""A file system in memory, where a sync costs nothing."""


def program(name: str) -> str:
    """Where a program lies. LOGANON_SERVERS=1, which CI sets: a missing one is a failure."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
    if found is None:
        if os.environ.get("LOGANON_SERVERS") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def needs_root(what: str) -> None:
    """Mounting and attaching to a process that has made itself unreadable are for root."""
    if os.geteuid() != 0:
        pytest.skip(f"{what} needs root")


def sh(*words: object) -> str:
    """What a program printed; it must end well."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@contextmanager
def mounted(at: Path, *words: object) -> Iterator[Path]:
    """A mount for the block, and no longer, whatever happens in it."""
    needs_root("mounting")
    at.mkdir(exist_ok=True)
    done = subprocess.run([program("mount"), *map(str, words), str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        unmount(at)


def unmount_below(folder: Path) -> None:
    """Nothing is mounted below a folder, whatever a test that failed has left."""
    mounts = [Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for at in reversed([at for at in mounts if folder in at.parents]):
        sh(program("umount"), "--lazy", at)


def unmount(at: Path) -> None:
    """Nothing is mounted there."""
    if os.path.ismount(at):
        sh(program("umount"), at)
