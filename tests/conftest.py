"""What all tests share: hypothesis profiles, the folder of real logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

NO_YEAR = 10**12
"""Seconds since 1970 of a moment after the year 9999."""

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder that LOGANON_CORPUS names: real logs, not part of the project."""
    folder = os.environ.get("LOGANON_CORPUS")
    if not folder:
        pytest.skip("LOGANON_CORPUS names no folder of real logs")
    path = Path(folder).resolve()
    assert path.is_dir(), "LOGANON_CORPUS is set, but is no folder"
    return path


@pytest.fixture
def far_off() -> Iterator[Path]:
    """A folder of its own whose file system keeps changes of any year; ext4 keeps none beyond 2446."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        pytest.skip("this system has no file system in memory")
    with TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        os.utime(folder, (NO_YEAR, NO_YEAR))
        if folder.stat().st_mtime != NO_YEAR:
            pytest.skip("this system's file system in memory keeps no such year")
        yield folder
