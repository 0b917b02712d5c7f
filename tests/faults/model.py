"""The protocol of the store as a small program on an abstract disk.

Every operation on the disk, on the lock and on a log is a step; between two steps the other run may have its turn, the
process may be killed, the power may fail. Each rule of the protocol can be left out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from itertools import count

from faults.disk import Disk, File, folder_of
from faults.schedules import AGE, Begun, World

RULES = (
    "sync of files",
    "sync of staging",
    "sync of _loganon",
    "sync of targets",
    "sync of parents",
    "sync of a journal that is repeated",
    "lock",
    "identity under the lock",
    "generation",
    "journal",
    "cutoff under the lock",
    "done range",
    "retest",
)
Steps = Generator[None, None, None]
Line = tuple[int, str]
"""A line and the source that counted it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A source: its first line, its lines done, the last of them; of the lines those counted, expired and deleted."""

    id: str
    first: int
    done: int = 0
    last: int = -1
    counted: int = 0
    expired: int = 0
    deleted: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a run has read of one log, by the record that stood then."""

    before: Record | None
    id: str
    first: int
    lines: tuple[int, ...]


@dataclass(slots=True)
class Actor:
    """One of the two processes: where its run stands."""

    begun: Begun
    steps: Steps
    cutoff: int
    clean: bool = True


class Broken(Exception):  # noqa: N818 - a finding
    """A commit of which a file is neither staged nor in place."""


class ModelWorld(World):
    """The store as the protocol makes it, without the rules that are left out (`without`)."""

    def __init__(self, without: Iterable[str] = ()) -> None:
        super().__init__()
        self._rules = frozenset(RULES) - frozenset(without)
        made = {path: File(safe=True) for path in ("staging", "sources", "access")}
        self._disk = Disk(made | {"state": File(-1_000, safe=True)})
        self._actors: list[Actor | None] = [None, None]
        self._holder: Actor | None = None
        self._fresh = count()

    def running(self, who: int) -> bool:
        """True between the first and the last step."""
        return self._actors[who] is not None

    def apply(self, amount: int) -> None:
        """The model has one policy."""

    def advance(self, who: int, amount: int) -> None:
        """Steps of one run."""
        actor = self._actors[who] = self._actors[who] or self._begin()
        try:
            for _ in range(amount):
                next(actor.steps)
        except StopIteration:
            self._actors[who] = None
            if actor.clean:
                self.completed(actor.begun)
        except (Broken, FileNotFoundError, KeyError, TypeError, AttributeError) as error:
            self.wrong.append(f"stopped: {error!r}")

    def kill(self, who: int) -> None:
        """The lock goes with the process."""
        if self._holder is not None and self._holder is self._actors[who]:
            self._holder = None
        self._actors[who] = None

    def cut(self, amount: int) -> None:
        """Each operation that was not synced survives or not: none, all, or by dice."""
        dice = random.Random(amount * 7919 + self.moves)
        chance = (0.0, 0.5, 1.0, 0.2, 0.8)[amount % 5]
        self._disk = self._disk.cut(iter(lambda: dice.random() < chance, None))  # type: ignore[arg-type]  # endless

    def table(self) -> tuple[Counter[int], set[int]]:
        """All lines of all cells."""
        lines: Counter[int] = Counter()
        days = set()
        for path, file in self._disk.live.items():
            if path.startswith("access/"):
                days.add(int(path.split("/")[1]))
                if isinstance(file.content, tuple):
                    lines.update(line for line, _ in file.content)
                elif file.content is not None:
                    self.wrong.append(f"torn: {path}")
        return lines, days

    def peace(self) -> None:
        """One run, and conservation by source."""
        actor = self._actors[0] = self._begin()
        self.advance(0, 10_000)
        if self._actors[0] is not None or not actor.clean:
            self.wrong.append("stopped: the last run has set a log aside")
            return
        cutoff = self._disk.read("state")
        live: Counter[str] = Counter()
        for path, file in self._disk.live.items():
            if path.endswith("/cell") and int(path.split("/")[1]) >= cutoff:  # type: ignore[operator]  # a day
                live.update(source for _, source in file.content)  # type: ignore[attr-defined]  # a cell
        for record in self._records().values():
            if live[record.id] + record.deleted + record.expired != record.done:
                self.wrong.append(f"balance: {record}, live {live[record.id]}")

    # --- the protocol -----------------------------------------------------------------------------------------------

    def _begin(self) -> Actor:
        begun = self.begun()
        actor = Actor(begun, iter(()), begun.today - AGE + 1)  # type: ignore[arg-type]  # set next
        actor.steps = self._run(actor)
        return actor

    def _has(self, rule: str) -> bool:
        return rule in self._rules

    def _run(self, me: Actor) -> Steps:
        yield from self._prune(me)
        names = list(me.begun.logs)
        while names:
            parts = yield from self._read(me, names)
            if not parts:
                break
            yield from self._lock(me)
            records = self._records()
            if all(self._agrees(part, records) for part in parts):
                yield from self._count(me, parts, records)
                names = []
            self._holder = None
        yield from self._prune(me)

    def _lock(self, me: Actor) -> Steps:
        yield
        while self._has("lock") and self._holder is not None:
            yield
        self._holder = me
        yield from self._recover()

    def _records(self) -> dict[int, Record]:
        """By first line; of two records of one log the first."""
        found: dict[int, Record] = {}
        for path in self._disk.names("sources"):
            record = self._disk.read(path)
            if isinstance(record, Record):
                found.setdefault(record.first, record)
        return found

    def _prune(self, me: Actor) -> Steps:
        """The cutoff rises, then what is before it goes."""
        yield from self._lock(me)
        cutoff: int = self._disk.read("state")  # type: ignore[assignment]  # a day
        if me.cutoff > cutoff:
            going: Counter[str] = Counter()
            for path, file in self._disk.live.items():
                if path.endswith("/cell") and cutoff <= int(path.split("/")[1]) < me.cutoff:
                    going.update(source for _, source in file.content)  # type: ignore[attr-defined]  # a cell
            changed = [
                replace(record, deleted=record.deleted + going[record.id])
                for record in self._records().values()
                if going[record.id]
            ]
            yield from self._commit({"state": me.cutoff} | {f"sources/{each.id}": each for each in changed})
            cutoff = me.cutoff
        for folder in self._disk.names("access"):
            if int(folder.split("/")[1]) < cutoff:
                for path in self._disk.names(folder):
                    yield
                    self._disk.remove(path)
                yield
                self._disk.sync(folder)
                yield
                self._disk.remove(folder)
                yield from self._sync("access", "sync of parents")
        self._holder = None

    def _read(self, me: Actor, names: list[str]) -> Generator[None, None, list[Part]]:
        """Without the lock: what is new in each log."""
        yield
        records = self._records()
        parts = []
        for name in names:
            yield
            log = self.book.logs.get(name)
            if log is None or not log.lines:
                me.clean = False
                continue
            first = log.lines[0]
            before = records.get(first)
            done = before.done if before and self._has("done range") else 0
            yield
            if before and (len(log.lines) < before.done or log.lines[before.done - 1] != before.last):
                me.clean = False
                continue
            yield
            new = tuple(log.lines[done:])
            yield
            if self._has("retest") and (len(log.lines) < done + len(new) or log.lines[0] != first):
                me.clean = False
            elif new:
                parts.append(Part(before, before.id if before else f"{next(self._fresh):04}", first, new))
        return parts

    def _agrees(self, part: Part, records: dict[int, Record]) -> bool:
        """True if the records say of a log what they said when it was read."""
        now = records.get(part.first)
        if self._has("identity under the lock") and (now and now.id) != (part.before and part.before.id):
            return False
        if now is None or part.before is None or now.id != part.before.id or not self._has("generation"):
            return True
        return now.generation == part.before.generation

    def _count(self, me: Actor, parts: list[Part], records: dict[int, Record]) -> Steps:
        cutoff = self._disk.read("state") if self._has("cutoff under the lock") else me.cutoff
        files: dict[str, object] = {}
        cells: dict[int, list[Line]] = {}
        for part in parts:
            kept = [line for line in part.lines if self.book.days[line] >= cutoff]  # type: ignore[operator]  # a day
            for line in kept:
                cells.setdefault(self.book.days[line], []).append((line, part.id))
            old = records.get(part.first) or Record(part.id, part.first)
            files[f"sources/{part.id}"] = replace(
                old if old.id == part.id else Record(part.id, part.first),
                done=old.done + len(part.lines),
                last=part.lines[-1],
                counted=old.counted + len(kept),
                expired=old.expired + len(part.lines) - len(kept),
                generation=old.generation + 1,
            )
        for day, lines in cells.items():
            path = f"access/{day}/cell"
            standing = self._disk.live.get(path)
            files[path] = (*(standing.content if standing else ()), *lines)  # type: ignore[misc]  # a cell
        yield from self._commit(files)

    def _commit(self, files: dict[str, object]) -> Steps:
        """Steps 3 to 5."""
        disk, batch = self._disk, next(self._fresh)
        moves = tuple((f"staging/{batch}-{number}", path, files[path]) for number, path in enumerate(sorted(files)))
        for staged, _, content in moves:
            yield
            disk.create(staged, content)
            yield
            if self._has("sync of files"):
                disk.sync_file(staged)
        yield from self._sync("staging", "sync of staging")
        yield from self._folders(moves)
        if self._has("journal"):
            waiting = f"staging/{batch}-commit"
            yield
            disk.create(waiting, moves)
            yield
            if self._has("sync of files"):
                disk.sync_file(waiting)
            yield
            disk.rename(waiting, "commit")
            yield from self._sync("", "sync of _loganon")
        yield from self._finish_commit(moves, moves)

    def _folders(self, moves: Iterable[tuple[str, str, object]]) -> Steps:
        for folder in sorted({folder_of(path) for _, path, _ in moves}):
            if folder.startswith("access/") and folder not in self._disk.live:
                yield
                self._disk.create(folder)
        yield from self._sync("access", "sync of parents")

    def _finish_commit(
        self, moves: Iterable[tuple[str, str, object]], pending: Iterable[tuple[str, str, object]]
    ) -> Steps:
        disk = self._disk
        for staged, path, _ in pending:
            yield
            disk.rename(staged, path)
        for folder in sorted({folder_of(path) for _, path, _ in moves}):
            yield from self._sync(folder, "sync of targets" if folder else "sync of _loganon")
        yield from self._sync("staging", "sync of staging")
        if "commit" in disk.live:
            yield
            disk.remove("commit")
            yield from self._sync("", "sync of _loganon")

    def _sync(self, folder: str, rule: str) -> Steps:
        yield
        if self._has(rule):
            self._disk.sync(folder)

    def _recover(self) -> Steps:
        """A standing commit is finished, and staging is empty."""
        yield
        disk = self._disk
        if "commit" in disk.live:
            if self._has("sync of a journal that is repeated"):
                disk.sync_file("commit")
                yield
                disk.sync("")
            moves: tuple[tuple[str, str, object], ...] = disk.read("commit")  # type: ignore[assignment]  # a journal
            if not isinstance(moves, tuple):
                raise Broken("a torn journal")
            pending = [move for move in moves if self._stands(move[0], move[2])]
            for move in moves:
                if move not in pending and not self._stands(move[1], move[2]):
                    raise Broken(move[1])
            yield from self._folders(moves)
            yield from self._finish_commit(moves, pending)
        for path in disk.names("staging"):
            yield
            disk.remove(path)

    def _stands(self, path: str, content: object) -> bool:
        found = self._disk.live.get(path)
        return found is not None and found.content == content
