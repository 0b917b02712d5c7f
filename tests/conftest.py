"""What all tests share: hypothesis profiles, the folder of real logs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
