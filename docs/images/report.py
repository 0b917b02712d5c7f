"""The pictures of the report's page: forty days of an invented shop's log, run, reported, photographed by Chromium.

    python docs/images/report.py

writes `report-light.png`, `report-dark.png` and `report-phone.png` beside this script.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "sample_logs"), str(ROOT / "tests")]

from make import Dice, combined, moments, nginx, noise, ordinary, visitors  # noqa: E402 - of sample_logs

from support.browser import Browser  # noqa: E402 - of tests

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
DAYS = 40
WEEK = (1.0, 1.08, 1.12, 1.05, 0.96, 0.62, 0.7)
"""How much of the traffic each weekday has."""
PICTURES = {
    "report-light": {"width": 1100, "height": 1950},
    "report-dark": {"width": 1100, "height": 1500, "dark": True},
    "report-phone": {"width": 390, "height": 1500},
}


def log() -> bytes:
    """Forty days up to yesterday: weeks, a slow rise, one day of a much read article, one night of a scanner."""
    dice = Dice("the pictures of the report")
    people = visitors(dice, 900)
    lines = []
    for number in range(DAYS):
        day = (NOW - timedelta(days=DAYS - number)).replace(hour=0)
        count = round(900 * WEEK[day.weekday()] * (1 + number / 120) * (1.7 if number == 26 else 1))
        for moment in moments(dice, day, 1, count):
            unasked = 0.45 if number == 14 and moment.hour < 8 else 0.06
            access = noise(dice) if dice.chance(unasked) else ordinary(dice, people)
            lines.append(combined(access, moment, nginx))
    return b"\n".join(lines) + b"\n"


def page(folder: Path) -> Path:
    """The page of a store that the log was counted into."""
    (folder / "shop.access.log").write_bytes(log())
    now = ["--now", f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "--quiet"]
    database = ["--provider-db", str(ROOT / "sample_logs" / "providers.mmdb"), "--key-file", "key"]
    call(folder, "run", "shop.access.log", "--policy", "six-weeks", "--store", "store", *database, *now)
    title = ["--title", "Access report: shop.example", "--timezone", "Europe/Berlin", "--top", "12"]
    call(folder, "report", "--store", "store", "--html", "report.html", *title, *now)
    return folder / "report.html"


def call(folder: Path, *words: str) -> None:
    """The command ends well."""
    subprocess.run([sys.executable, "-m", "loganon", *words], cwd=folder, check=True)


def main() -> None:
    """Make the log, the store, the page and the pictures."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        made = page(folder)
        (folder / "browser").mkdir()
        with Browser(folder / "browser") as browser:
            for picture, options in PICTURES.items():
                shown = browser.open(made, **options)
                target = HERE / f"{picture}.png"
                shown.screenshot(target)
                print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
