"""The rules of the store that can be taken away from the real code, one at a time, and the schedules that miss each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from faults.schedules import rolled
from faults.stepping import Ignored, RealWorld
from loganon import ingest
from loganon.keys import Key
from loganon.sources.files import Log
from loganon.store import LocalStore, Record, held, journal, local, merging, standing
from loganon.store.batch import Batch, Placed, place
from loganon.store.change import Change
from loganon.store.files import Files
from loganon.store.layout import Layout
from loganon.store.reset import plan_reset
from loganon.store.swap import is_table
from support.runs import NOW

Play = Callable[[RealWorld, int], None]
"""Plays the schedule of this number on a world."""
Patch = tuple[object, str, object]
"""What is replaced: an object, one of its names, by what."""
WHOLE = 100_000
OTHER_KEY = Key(b"another key of the tests, 32 by.")


@dataclass(frozen=True, slots=True)
class Control:
    """One rule: how it is taken away (`patches`, or a sync that is left out), and what is played then.

    `finds`: the invariants of which one must be found broken. `numbers`: the schedules that are tried.
    `singly`: where two rules hold the same invariant, the patches that take away one of them,
    by its name.
    """

    name: str
    play: Play
    finds: tuple[str, ...]
    patches: tuple[Patch, ...] = ()
    ignored: Ignored = lambda _operation, _path: False
    numbers: range = range(40)
    singly: tuple[tuple[str, slice], ...] = ()

    @contextmanager
    def without(self) -> Iterator[None]:
        """A block in which the real code lacks the rule."""
        with ExitStack() as stack:
            for where, name, value in self.patches:
                stack.enter_context(patch.object(where, name, value))
            yield


def dice(*moves: str, length: int = 45) -> Play:
    """Schedules of these moves by dice."""

    def play(world: RealWorld, number: int) -> None:
        world.play(rolled(number, moves, length))

    return play


def without_directory(*names: str) -> Ignored:
    """The sync of directories whose name begins so is left out."""
    return lambda operation, path: operation == "sync_directory" and path.name.startswith(names)


# --- the real code without a rule -----------------------------------------------------------------------------------


def lock_without_waiting(files: Files, layout: Layout, _wait: timedelta) -> int:
    """A descriptor of the lock file, which others may hold."""
    return files.open_lock(layout.lock)


def agree_with_all(self: held.Held, batch: Batch) -> dict[str, Record | None]:
    """The standing records, whatever the batch was read by."""
    return {part.after.id: self._standing.records.get(part.after.id) for part in batch.sources}


def commit_without_journal(self: journal.Staging) -> None:
    """The files are renamed into place, one after the other, each with all syncs."""
    self._files.sync_directory(self._layout.staging)
    self._journal.make_folders(self._moves)
    for move in self._moves:
        target = self._layout.root / move.final
        self._files.rename(self._layout.staging / move.staged, target)
        self._files.sync_directory(target.parent)


def is_staged_by_name(self: journal.Journal, move: journal.Move) -> bool:
    """A file of the staged name is taken for the one that was meant."""
    return (self._layout.staging / move.staged).exists()


def place_without_cutoff(batch: Batch, spec: Any, _cutoff: object, writer: str, **options: Any) -> Placed:
    """All of the batch is stored."""
    return place(batch, spec, None, writer, **options)


SEEK = Log.seek


def seek_to_the_beginning(self: Log, done: int) -> bytes | None:
    """The bytes before `done`; the log is read from 0."""
    tail = SEEK(self, done)
    SEEK(self, 0)
    return tail


def reset_without_floor(*arguments: Any, **options: Any) -> Change:
    """The past stays open."""
    change = plan_reset(*arguments, **options)
    return replace(change, state=replace(change.state, floor=None))


def swap_without_sync(files: Files, layout: Layout, table: str) -> None:
    """The exchange, on no disk yet."""
    if not is_table(files, layout.table, table):
        files.exchange(layout.staged_table(table), layout.table)


# --- schedules that aim at a rule -----------------------------------------------------------------------------------


def two_read_the_same(world: RealWorld, number: int) -> None:
    """Two runs read a log, which may have grown since another had counted its beginning, before either commits."""
    world.write(2)
    if number % 2:
        world.advance(0, WHOLE)
        world.write(2)
    for who in (0, 1):
        world.until(who, "read", "a.log")
        world.advance(who, 2 + number // 2)
    world.together()
    world.play(())


def a_day_between(world: RealWorld, number: int) -> None:
    """A run has read a log when the next day's run, which has no logs, raises the cutoff."""
    world.write(0)
    world.advance(0, WHOLE)
    for amount in (0, 2, 4, 6, 8, 10):
        world.write(amount)
    for _ in range(1 + number):
        world.until(0, "read", "a.log")
    world.pass_night()
    logs, world.book.logs = world.book.logs, {}
    world.advance(1, WHOLE)
    world.book.logs = logs
    world.until(0, "unlink", "commit.json")
    world.play((("look", 0), ("a", WHOLE)))


def truncated_while_read(world: RealWorld, number: int) -> None:
    """A log is copied and begins anew at every operation of a run that reads it."""
    world.write(2)
    for _ in range(1 + number):
        world.until(0, "read", "a.log")
    world.truncate(4)
    world.advance(0, WHOLE)
    world.play(())


def killed_before_the_journal_is_gone(world: RealWorld, number: int) -> None:
    """The journal's name is gone, not yet on the disk; the next run stages, and then the power fails."""
    world.write(2)
    world.advance(0, WHOLE)
    world.write(2)
    world.until(0, "rename", "commit.json")
    world.until(0, "unlink", "commit.json")
    world.kill(0)
    world.write(3)
    world.until(0, "sync_directory", "staging")
    world.play((("cut", number),))


def records_lost(world: RealWorld, number: int) -> None:
    """A source record is gone after a run, or is again what it was a run ago."""
    world.write(2)
    world.advance(0, WHOLE)
    (path,) = (world.store / "_loganon" / "sources").iterdir()
    old = path.read_bytes()
    world.write(2)
    world.advance(0, WHOLE)
    if number % 2:
        path.write_bytes(old)
    else:
        world.stage.unlink(path)
    world.play(())


def key_replaced(world: RealWorld, _number: int) -> None:
    """All is counted; then the store has another key."""
    world.write(2)
    world.write(3)
    world.advance(0, WHOLE)
    with LocalStore.open(world.store).locked() as standing_store:
        standing_store.reset_key(OTHER_KEY.check, unit="hour", now=NOW)
    world.key = OTHER_KEY
    world.play(())


def policy_changed_then_cut(world: RealWorld, number: int) -> None:
    """The power fails right after the commit of a change of policy, and nothing that was not synced stands."""
    world.write(2)
    world.advance(0, WHOLE)
    world.apply(0)
    world.until(0, "unlink", "commit.json")
    world.advance(0, 1 + number)
    world.play((("cut", 0),))


def killed_at_the_journal(world: RealWorld, number: int) -> None:
    """The journal stands and its name is synced; before the first file is in place the power fails."""
    world.write(2)
    world.advance(0, WHOLE)
    world.write(2)
    world.until(0, "read", "a.log")
    world.until(0, "rename", "commit.json")
    world.until(0, "sync_directory", "_loganon")
    world.play((("cut", 5 * number),))


def killed_between_renames(world: RealWorld, number: int) -> None:
    """One file of a commit is in place when the run is killed."""
    world.write(2)
    world.until(0, "rename", f"hour-0{8 - number % 3}.parquet")
    world.kill(0)
    world.play(())


def expired_then_cut(world: RealWorld, number: int) -> None:
    """A log of one line, which is expired, so that no cell knows of it; then the power fails."""
    world.write(15)
    world.advance(0, WHOLE)
    world.play((("cut", 5 * number),))


def counted_then_cut(world: RealWorld, number: int) -> None:
    """A log is counted and deleted; then the power fails."""
    world.write(2)
    world.advance(0, WHOLE)
    world.rotate(0)
    world.tidy(0)
    world.play((("cut", 5 * number),))


NIGHTLY = ("a", "write", "rotate", "night", "kill", "cut", "tidy")
CONTROLS = (
    Control(
        "the sync of files",
        counted_then_cut,
        ("stopped", "lost", "torn"),
        ignored=lambda operation, _path: operation == "sync",
    ),
    Control("the sync of staging", killed_at_the_journal, ("stopped", "lost"), ignored=without_directory("staging")),
    Control(
        "the sync of _loganon",
        dice(*NIGHTLY, length=30),
        ("stopped", "lost", "twice"),
        ignored=without_directory("_loganon"),
    ),
    Control("the sync of partitions", counted_then_cut, ("lost",), ignored=without_directory("date=")),
    Control("the sync of sources", expired_then_cut, ("twice", "stopped"), ignored=without_directory("sources")),
    Control(
        "the sync of access, parent of partitions", counted_then_cut, ("lost",), ignored=without_directory("access")
    ),
    Control("the sync of the store, parent of access", counted_then_cut, ("lost",), ignored=without_directory("s")),
    Control("the sync above the store", counted_then_cut, ("lost",), ignored=without_directory("disk-")),
    Control("the lock", dice("a", "b", "write"), ("stopped",), ((local, "_lock", lock_without_waiting),)),
    Control(
        "the repeated identity test",
        two_read_the_same,
        ("twice",),
        ((ingest.Ingest, "_recheck", lambda _self, _log: None),),
    ),
    Control("the generation test", two_read_the_same, ("twice",), ((held.Held, "_agreeing", agree_with_all),)),
    Control(
        "the journal",
        killed_between_renames,
        ("twice", "stopped"),
        ((journal.Staging, "commit", commit_without_journal),),
    ),
    Control(
        "unique staged names and the hash test behind them",
        killed_before_the_journal_is_gone,
        ("stopped", "twice", "lost"),
        (
            (journal, "secrets", SimpleNamespace(token_hex=lambda _bytes: "01" * 16)),
            (journal.Journal, "_is_staged", is_staged_by_name),
        ),
        singly=(("names", slice(0, 1)), ("hashes", slice(1, 2))),
    ),
    Control("the cutoff under the lock", a_day_between, ("back", "balance"), ((held, "place", place_without_cutoff),)),
    Control("the done range", two_read_the_same, ("twice",), ((Log, "seek", seek_to_the_beginning),)),
    Control(
        "the second test after reading", truncated_while_read, ("twice", "lost"), ((Log, "retest", lambda _self: True),)
    ),
    Control(
        "the sum of generations and the footers' copies behind it",
        records_lost,
        ("twice",),
        (
            (standing, "plan_mend", lambda *_, **__: None),
            (standing, "is_behind", lambda *_: False),
            (merging, "_knows_more", lambda *_: False),
        ),
        singly=(("the sum", slice(0, 1)), ("the copies", slice(1, 3))),
    ),
    Control("the floor after a key reset", key_replaced, ("twice",), ((held, "plan_reset", reset_without_floor),)),
    Control(
        "the syncs after the exchange",
        policy_changed_then_cut,
        ("policy", "lost"),
        ((journal, "swap_table", swap_without_sync),),
    ),
)
