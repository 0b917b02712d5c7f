"""The server of warm commands, folders in memory, and the parts of Debian that suites need."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.parts import MEMORY, unmount_below
from faults.warm import Warm


@pytest.fixture(scope="session")
def server() -> Iterator[Warm]:
    """The process whose forks are the commands."""
    found = Warm()
    yield found
    found.close()


@pytest.fixture
def warm(server: Warm) -> Iterator[Warm]:
    """Starts commands; none outlives the test."""
    yield server
    server.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where a sync costs nothing; on the disk where there is no such."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(prefix="loganon-faults-", dir=MEMORY))
    yield path
    unmount_below(path)
    shutil.rmtree(path)
