"""Many runs on one store at once, and readers all the while: no read above the truth, none falling, all in the end."""

from __future__ import annotations

import fcntl
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl

from faults.counts import Tally, count_of
from faults.scene import Place, Writer, difference, make_place, moments, told, truth_of
from faults.warm import Running, Warm
from support.runs import NOW

WRITERS = 8
LINES = 24


def duckdb_total(pattern: str) -> int:
    """The requests that DuckDB finds."""
    found = duckdb.execute(f"SELECT sum(requests) FROM '{pattern}'").fetchone()
    assert found is not None
    return int(found[0])


def polars_total(pattern: str) -> int:
    """The requests that polars finds."""
    return int(pl.scan_parquet(pattern).select(pl.col("requests").sum()).collect().item())


def total_of(reader: Callable[[str], int], place: Place) -> int | None:
    """What a reader finds. None: it failed. Both open a cell by its name for its schema and again for its rows, and may
    meet two versions of it; then the read must be made again.
    """
    if not any(place.store.glob("access/*/*.parquet")):
        return 0
    try:
        return reader(f"{place.store}/access/*/*.parquet")
    except (duckdb.Error, pl.exceptions.PolarsError):
        return None


READERS: tuple[Callable[[str], int], ...] = (duckdb_total, polars_total)


def read_while(place: Place, running: list[Running], most: int) -> str:
    """What is wrong with what readers find until all have ended."""
    last = [0] * len(READERS)
    more = True
    while more:
        more = any(each.pause(0) for each in running)
        for number, reader in enumerate(READERS):
            total = total_of(reader, place)
            if total is None and more:
                continue
            if total is None:
                return f"{reader.__name__} cannot read what nobody changes"
            if total > most:
                return f"{reader.__name__} is {total}, of {most}"
            if total < last[number]:
                return f"{reader.__name__} fell from {last[number]} to {total}"
            last[number] = total
    return "" if last == [most] * len(READERS) else f"in the end {last}, of {most}"


def test_many_at_once(folder: Path, warm: Warm) -> None:
    """Eight runs, each with its own log and one for all, some with writers' names; a new or a standing store."""
    tally = Tally("concurrency")
    for number in range(count_of("concurrency")):
        dice = random.Random(number)
        writer = Writer(number)
        contents = [b"".join(writer.lines(moments(NOW - timedelta(hours=6), LINES, 14))) for _ in range(WRITERS + 1)]
        place = make_place(folder / "place", warm.run, writer.needles)
        place.logs = tuple(place.folder / f"{'abcdefghi'[n]}.log" for n in range(WRITERS + 1))
        for log, content in zip(place.logs, contents, strict=True):
            log.write_bytes(content)
        standing = place.logs[dice.randrange(WRITERS)]
        said = told(place.run(logs=[standing])) if number % 4 else ""
        running = []
        for n in range(WRITERS):
            words = place.words("--wait", "120s", logs=[place.logs[n], place.logs[-1]])
            words += ["--writer", f"w{n}"] if dice.random() < 0.6 else []
            running.append(warm.start(place.command, *words))
        said = said or read_while(place, running, (WRITERS + 1) * LINES)
        for done in [each.wait() for each in running]:
            said = said or told(done) or (f"ended with {done.code}: {done.err}" if done.code else "")
        off = difference(place.hours(), truth_of(contents))
        said = said or off.wrong or place.leaks()
        tally.add(f"round {number}", lost=off.lost, twice=off.twice, wrong=said)
        warm.clear()
        shutil.rmtree(place.folder)
    tally.close()


def test_one_waits_for_another(folder: Path, warm: Warm) -> None:
    """A run that does not get the store within `--wait` ends with 75 and says so; nothing is counted."""
    writer = Writer()
    content = b"".join(writer.lines(moments(NOW - timedelta(hours=6), LINES)))
    place = make_place(folder / "place", warm.run, writer.needles)
    place.logs = (place.folder / "a.log",)
    place.logs[0].write_bytes(content)
    assert place.run().code == 0
    with (place.store / "_loganon" / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place.run()
    assert done.code == 75
    assert done.out == ""
    assert told(done) == ""
    assert not difference(place.hours(), truth_of([content])).twice
