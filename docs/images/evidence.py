"""The picture of the evidence's page: a sample log under the policy imos, kept until two days are deleted.

    python docs/images/evidence.py

writes `evidence.png` beside this script.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from loganon import __version__
from loganon.evidence import Evidence, load_evidence, write
from loganon.verify import verify

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from support.browser import Browser  # noqa: E402 - of tests

POLICY = (ROOT / "configs" / "imos.toml").read_text("utf-8")
FILLED = 'name = "Shop Ltd"\ncontact = "privacy@shop.example"'
PLACE = "/var/lib/loganon/shop"
FIRST, LATER = "2026-11-21T06:00:00Z", "2026-12-31T01:00:00Z"


def call(folder: Path, *words: str) -> None:
    """The command ends well."""
    subprocess.run([sys.executable, "-m", "loganon", *words, "--quiet"], cwd=folder, check=True)


def page(folder: Path) -> Path:
    """The page of a store that the log was counted into, and of which two days are gone."""
    (folder / "shop.toml").write_text(POLICY.replace('name = ""\ncontact = ""', FILLED), "utf-8")
    samples = ROOT / "sample_logs"
    first = ("--provider-db", str(samples / "providers.mmdb"), "--key-file", "key", "--now", FIRST)
    call(folder, "run", str(samples / "shop.access.log"), "--policy", "./shop.toml", "--store", "shop", *first)
    call(folder, "retain", "--store", "shop", "--now", LATER)
    store, now = folder / "shop", datetime.fromisoformat(LATER)
    found = load_evidence(store, verify(store, now=now))
    assert isinstance(found, Evidence)
    made = folder / "evidence.html"  # as `verify --report` writes it, with a store's usual place
    made.write_text(
        write(".html", [replace(found, head=replace(found.head, store=PLACE))], now, version=__version__), "utf-8"
    )
    return made


def main() -> None:
    """Make the store, the page and the picture."""
    with TemporaryDirectory(prefix="loganon-") as name:
        folder = Path(name)
        made = page(folder)
        (folder / "browser").mkdir()
        with Browser(folder / "browser") as browser:
            target = HERE / "evidence.png"
            browser.open(made, width=1100, height=1500).screenshot(target)
            print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
