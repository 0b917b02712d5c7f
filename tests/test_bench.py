"""The benchmarks' arithmetic: what the page of results says follows from the runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import measure


def test_a_ratio_is_taken_within_each_round() -> None:
    """A slow round is slow for both: its ratio is that of its own two runs, and lines count where they differ."""
    subjects = [measure.Subject(name, lambda _: [], lines, 1) for name, lines in (("job", 100), ("peer", 50))]
    runs = {
        "job": [measure.Run(1, 1, 1), measure.Run(10, 1, 1)],
        "peer": [measure.Run(2, 1, 1), measure.Run(20, 1, 1)],
    }
    faster = measure.Ratio("job", "peer", faster=True, least=1, aim=2)
    longer = measure.Ratio("job", "peer", faster=False, least=1, aim=2)
    assert measure.ratio_of(faster, subjects, runs) == [4, 4]
    assert measure.ratio_of(longer, subjects, runs) == [0.25, 0.25]
    assert measure.ratio_of(measure.Ratio("job", "none", True, 1, 2), subjects, runs) is None


def test_a_failed_command_has_no_figures(tmp_path: Path) -> None:
    """What does not do its job is not fast: the benchmark stops. Its folder is gone either way."""
    good, bad = (
        measure.Subject("x", lambda _, code=code: [sys.executable, "-c", f"raise SystemExit({code})"], 1, 1)
        for code in (0, 3)
    )
    assert measure.measure(good, tmp_path).wall > 0
    with pytest.raises(SystemExit, match="failed"):
        measure.measure(bad, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_peak_is_the_command_s_own(tmp_path: Path) -> None:
    """A small command started by a large process has a small peak; its exit code and processor time are told, too."""
    large = bytearray(b"x" * (300 << 20))
    words = [sys.executable, "-S", "-c", "raise SystemExit(sum(range(10**6)) % 7)"]
    none = subprocess.DEVNULL
    code, run = measure.spend(words, where=tmp_path, out=none, err=none, stdin=none)
    assert code == sum(range(10**6)) % 7
    assert 0 < run.cpu <= run.wall * 2
    assert 1 < run.peak < len(large) / (1 << 20) / 4
