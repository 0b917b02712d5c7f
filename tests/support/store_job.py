"""A nightly job on a store, small and whole: cutoff, deletion, commit of what is new, seal, deletion, twice over."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

from loganon.periods import parse_period
from loganon.store import Batch, Files, LocalStore, plan_retention
from support.store_cases import KEY, NOW, SPEC, STAMP, TODAY, at, back, part, requests_of, table

AGE = parse_period("7 days")
NIGHTS = (NOW, NOW + timedelta(days=2))
LOGS = {
    "first-log": [
        (at(back(6), 1), "/old"),  # gone by the second night
        (at(back(3), 4), "/often"),
        *[(at(back(3), 5), "/often")] * 5,
        (at(back(3), 5), "/rare"),  # folded by the seal of the first night
        *[(at(back(1), 9), "/b")] * 4,
    ],
    "second-log": [(at(back(6), 1), "/old"), *[(at(back(1), 9), "/b")] * 2, (at(back(1), 9), "/c")],
}
LATER = {
    "first-log": [(at(back(6), 1), "/late"), (at(back(3), 4), "/often"), (at(back(3), 4), "/new")],
    "third-log": [(at(TODAY, 20), "/b")],
}


def read(night: int) -> dict[str, list[tuple[datetime, str]]]:
    """The logs as they are that night: by the second they have grown."""
    names = sorted({*LOGS, *(LATER if night else {})})
    return {name: LOGS.get(name, []) + (LATER.get(name, []) if night else []) for name in names}


def run(path: Path, files: Files, nights: tuple[int, ...] = (0, 1)) -> None:
    """The nights' jobs, one after the other; a job run again does only what is left to do."""
    for night in nights:
        now = NIGHTS[night]
        store = LocalStore.open_or_none(path, files=files)
        if store is None:
            store = LocalStore.create(path, STAMP, key_check=KEY, now=now, files=files)
        with store.locked(timedelta(0)) as held:
            held.raise_cutoff(AGE.cutoff(now.date()))
            held.retain(plan_retention(held.partitions(), held.cutoff), now)
            records = held.records()
            parts = []
            lines = []
            for source, log in read(night).items():
                before = records.get(source)
                new = log[sum(before.lines.values()) if before else 0 :]
                if new:
                    parts.append(part(source, before, new))
                    lines += new
            if parts:
                held.commit(Batch(table(lines), tuple(parts)), SPEC, now=now, writer=None, footer={})
            held.seal(SPEC, now=now)
            held.retain(plan_retention(held.partitions(), held.cutoff), now)


def last_night(path: Path) -> int:
    """The night whose job has come furthest: a clock does not run back."""
    store = LocalStore.open_or_none(path)
    cutoff = store.cutoff() if store else None
    return int(cutoff is not None and cutoff >= AGE.cutoff(NIGHTS[1].date()))


def resume(path: Path, files: Files) -> None:
    """The jobs from the night on at which they were interrupted."""
    run(path, files, (0, 1)[last_night(path) :])


State = tuple[Counter[tuple[object, object]], dict[str, tuple[dict[str, int], int]], date | None]


def overdue(path: Path) -> list[date]:
    """Days before the cutoff that still stand."""
    store = LocalStore.open(path)
    return [found.day for found in store.partitions() if found.day < (store.cutoff() or date.min)]


def outcome(path: Path) -> State:
    """What counts: requests by time and file, lines and deleted lines by source, the cutoff. Conservation holds."""
    store = LocalStore.open(path)
    with store.locked(timedelta(0)) as held:
        assert all(balance.holds for balance in held.balances().values())
        records = {name: (dict(record.lines), record.deleted) for name, record in held.records().items()}
        return requests_of(path), records, held.cutoff
