"""The generated pages of `docs/` are what the code says."""

import subprocess
import sys
from pathlib import Path

GENERATE = Path(__file__).parent.parent / "docs" / "generate.py"


def test_the_pages_are_in_step() -> None:
    """`docs/generate.py --check` finds nothing that `make docs` would change."""
    done = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    """The check fails, and names the page, where one differs."""
    copy = tmp_path / "generate.py"
    copy.write_text(GENERATE.read_text("utf-8"), "utf-8")
    for page in GENERATE.parent.glob("*.md"):
        (tmp_path / page.name).write_text(page.read_text("utf-8"), "utf-8")
    (tmp_path / "exit-codes.md").write_text("old", "utf-8")
    done = subprocess.run([sys.executable, copy, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "docs/exit-codes.md" in done.stdout
