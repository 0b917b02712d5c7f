"""On a processor that polars does not run on, the command says so before it is imported."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from loganon.cli import processor
from loganon.errors import ConfigurationError
from support.cli import Inside

_ALL = "pni ssse3 sse4_1 sse4_2 popcnt cx16 avx avx2 fma bmi1 bmi2 abm pclmulqdq movbe"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="polars asks x86-64 processors only")


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of what a processor can do, in place of the system's."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "CPUINFO", path)
    monkeypatch.delenv("POLARS_SKIP_CPU_CHECK", raising=False)
    return path


def write(path: Path, flags: str) -> None:
    path.write_text(f"processor\t: 0\nmodel name\t: x\nflags\t\t: fpu vme {flags}\n\nprocessor\t: 1\n")


def test_a_sufficient_one(listed: Path) -> None:
    """Nothing is said, and polars does not ask again."""
    write(listed, _ALL)
    processor.check_processor()
    assert os.environ["POLARS_SKIP_CPU_CHECK"] == "1"


@pytest.mark.parametrize("name", _ALL.split())
def test_one_that_lacks_something(listed: Path, name: str) -> None:
    """Each thing that the installed polars was built for is asked for."""
    write(listed, " ".join(word for word in _ALL.split() if word != name))
    with pytest.raises(ConfigurationError) as error:
        processor.check_processor()
    assert "rtcompat" in str(error.value)
    assert "POLARS_SKIP_CPU_CHECK" not in os.environ


def test_a_system_that_does_not_tell(listed: Path) -> None:
    """Without the list, or with another, polars asks for itself."""
    processor.check_processor()
    listed.write_text("processor : 0\nBogoMIPS : 50\n")
    processor.check_processor()
    assert "POLARS_SKIP_CPU_CHECK" not in os.environ


def test_the_command_says_so(listed: Path, tmp_path: Path) -> None:
    """78, one line; help and version are there all the same."""
    write(listed, "sse2")
    done = Inside(tmp_path)("run", tmp_path / "x.log", "--store", "s")
    assert done.code == 78
    done.message("this processor lacks", "avx2", str(listed), "rtcompat")
    assert Inside(tmp_path)("--version").code == 0


def test_it_comes_before_the_import() -> None:
    """What the check itself imports does not load polars."""
    code = "import sys; from loganon.cli import processor; processor.check_processor(); print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
