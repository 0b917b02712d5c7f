"""A plain script: count logs into a store, then hand on what became final since the last time.

    python daily_counts.py STORE EXPORT LOG...

`EXPORT` gets one Parquet file for each sealed day (`2026-11-17.parquet`), each written once. Copies are not under
loganon's retention, so a day that has gone from the store is deleted here, too. Run it nightly.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path

import polars as pl

import loganon


def main(store: Path, export: Path, logs: list[Path], *, key: Path | None = None, now: datetime | None = None) -> int:
    """The process's exit code: that of the run."""
    summary = loganon.run(logs, policy="six-weeks", store=store, key=key, now=now)
    for error in summary.errors:  # of single logs; the others are counted
        print(error, file=sys.stderr)
    print(f"{summary.counted} accesses counted, {summary.already_counted} known before")
    for day in hand_on(store, export):
        print(f"{day} handed on")
    for name in take_back(store, export):
        print(f"{name} deleted, as in the store")
    return summary.exit_code


def hand_on(store: Path, export: Path) -> list[date]:
    """The sealed days that were not handed on yet, now in `export`."""
    export.mkdir(parents=True, exist_ok=True)
    through = loganon.sealed_through(store)
    if through is None:
        return []
    known = {path.stem for path in export.glob("*.parquet")}
    sealed = loganon.scan(store, sealed=True).filter(pl.col("date") <= through)
    days = [day for day in sealed.select(pl.col("date").unique().sort()).collect()["date"] if str(day) not in known]
    for day in days:
        part = export / f".{day}.part"
        sealed.filter(pl.col("date") == day).sink_parquet(part)
        part.rename(export / f"{day}.parquet")  # whole or not at all
    return days


def take_back(store: Path, export: Path) -> list[str]:
    """The copies of days that the store has no more, deleted."""
    standing = {str(day) for day in loganon.scan(store).select(pl.col("date").unique()).collect()["date"]}
    gone = sorted(path for path in export.glob("*.parquet") if path.stem not in standing)
    for path in gone:
        path.unlink()
    return [path.name for path in gone]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(each) for each in sys.argv[3:]]))
