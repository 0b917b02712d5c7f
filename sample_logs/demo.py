"""The demonstration: preview one sample log, ingest all of them under `imos`, read the table back with polars.

    python sample_logs/demo.py FOLDER

FOLDER gets the store and a key of its own. The clock stands at the day after the last sample line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl

import loganon

HERE = Path(__file__).resolve().parent
NOW = "2026-11-21T06:00:00Z"


def main(folder: Path) -> None:
    """Run the commands, and show what they leave behind."""
    logs = [shown(log) for log in sample_logs()]
    database = ["--provider-db", shown(HERE / "providers.mmdb")]
    show(["preview", shown(HERE / "shop.access.log"), *database])
    show(["run", *logs, *database, "--store", f"{folder}/store", "--key-file", f"{folder}/key", "--now", NOW])
    table = loganon.scan(f"{folder}/store")
    print("\n$ loganon.scan(...)  # the stored table: the newest day, by requests")
    newest = table.filter(pl.col("date") == pl.col("date").max()).sort("requests", "time", "file", descending=True)
    with pl.Config(tbl_rows=15, tbl_width_chars=132, fmt_str_lengths=40, tbl_hide_dataframe_shape=True):
        print(newest.drop("date").head(15).collect())
    totals = table.select(pl.len().alias("rows"), pl.col("requests").sum(), pl.col("bytes").sum())
    print("in all:", ", ".join(f"{value:,} {name}" for name, value in totals.collect().row(0, named=True).items()))


def shown(path: Path) -> str:
    """The path as one would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def sample_logs() -> list[Path]:
    """The logs beside this script, by name."""
    return sorted(log for log in HERE.iterdir() if ".log" in log.name)


def show(arguments: list[str]) -> None:
    """Print a command as one would type it, and run it."""
    print(f"\n$ loganon {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "loganon", *arguments], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
