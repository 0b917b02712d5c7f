"""docs/library.md is true: its blocks run, and its list of columns is the one that is taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import loganon
from loganon.columns import COLUMNS
from support.runs import lines

PAGE = (Path(__file__).parents[1] / "docs" / "library.md").read_text("utf-8")


def test_its_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """They run in a folder with a log; what they print holds nothing of the clients."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "access.log").write_bytes(b"".join(lines(30)))
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    for block in blocks:
        exec(
            compile(block.replace('b"..."', "__import__('pathlib').Path('access.log')"), "library.md", "exec"), {}
        )  # the page's own
    said = capsys.readouterr().out
    assert "30 rows, 0 rejected" in said
    assert "/user/{email}/profile" in said
    for personal in ("jane", "203.0.113.7", "4f2a", "p5B2C1A0B"):
        assert personal not in said


def test_its_columns() -> None:
    """Each column that is taken stands in the table of the page, and no other."""
    table = PAGE.split("| column | types | is |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([a-z_]+)`", row.split(" | ")[0])}
    assert named | {"request"} == COLUMNS


def test_its_calls() -> None:
    """The table of calls names every public function."""
    for name in loganon.__all__:
        assert re.search(rf"`(?:loganon\.)?{name}\b", PAGE) or name == "__version__", name
