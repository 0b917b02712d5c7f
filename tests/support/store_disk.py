"""Files that are counted, killed, failed, or lost in a power cut: layers under a store for its tests.

`Disk` is a model of what a power cut may leave: an operation on a directory that was not synced survives or not, each
by itself; bytes of a file that was not synced survive whole, in half, or not at all. No real fsync is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loganon.store import Files
from loganon.store.files import Modes


class Killed(BaseException):
    """The process is gone: nothing in the code may catch this."""


class Counted(Files):
    """Every operation that changes the disk is a step; `act(step, operation, path)` may raise in its place."""

    def __init__(self, act: Callable[[int, str, Path], None] | None = None) -> None:
        self.steps: list[tuple[str, Path]] = []
        self.act = act
        self._paths: dict[int, Path] = {}

    def step(self, operation: str, path: Path) -> None:
        self.steps.append((operation, path))
        if self.act is not None:
            self.act(len(self.steps) - 1, operation, path)

    def create(self, path: Path, modes: Modes) -> int:
        self.step("create", path)
        return self._known(super().create(path, modes), path)

    def append(self, path: Path, modes: Modes) -> int:
        self.step("append", path)
        return self._known(super().append(path, modes), path)

    def write(self, descriptor: int, data: bytes) -> None:
        middle = len(data) // 2
        super().write(descriptor, data[:middle])
        self.step("write", self._paths[descriptor])  # what fails here has written half
        super().write(descriptor, data[middle:])

    def sync(self, descriptor: int) -> None:
        path = self._paths.get(descriptor) or Path(f"/proc/self/fd/{descriptor}").readlink()
        self.step("sync", path)

    def sync_directory(self, path: Path) -> None:
        assert path.is_dir()
        self.step("sync_directory", path)

    def rename(self, source: Path, target: Path) -> None:
        self.step("rename", target)
        super().rename(source, target)

    def exchange(self, one: Path, other: Path) -> None:
        self.step("exchange", other)
        super().exchange(one, other)

    def unlink(self, path: Path, *, at: int | None = None) -> None:
        self.step("unlink", path)
        super().unlink(path, at=at)

    def rmdir(self, path: Path, *, at: int | None = None) -> None:
        self.step("rmdir", path)
        super().rmdir(path, at=at)

    def mkdir(self, path: Path, modes: Modes) -> None:
        self.step("mkdir", path)
        super().mkdir(path, modes)

    def open_lock(self, path: Path) -> int:
        self.step("open_lock", path)
        return super().open_lock(path)

    def pause(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits {seconds} s in these tests")

    def close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        super().close(descriptor)

    def _known(self, descriptor: int, path: Path) -> int:
        self._paths[descriptor] = path
        return descriptor


def kill_at(step: int) -> Callable[[int, str, Path], None]:
    """The process dies in place of this step."""

    def act(found: int, _operation: str, _path: Path) -> None:
        if found >= step:
            raise Killed

    return act


def fail_at(step: int, error: int) -> Callable[[int, str, Path], None]:
    """This step alone raises an OSError."""

    def act(found: int, _operation: str, path: Path) -> None:
        if found == step:
            raise OSError(error, os.strerror(error), str(path))

    return act


@dataclass(eq=False)
class Node:
    """A file (its bytes as written and as synced) or a directory (its names as they are safe on the disk)."""

    folder: bool
    live: bytes = b""
    safe: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)


Change = tuple[Node, str, Node | None]
"""In this directory this name is now this node."""


class Disk(Counted):
    """The tree under `root` as a power cut may leave it. `ignored(operation, path)`: a sync that is left out."""

    def __init__(self, root: Path, ignored: Callable[[str, Path], bool] = lambda _operation, _path: False) -> None:
        super().__init__()
        self._root = root
        self._ignored = ignored
        self._top = Node(folder=True)
        self._nodes = {root: self._top}
        self._pending: list[tuple[Change, ...]] = []  # the first change is the one whose directory's sync makes it safe
        for path in sorted(root.rglob("*")):
            data = b"" if path.is_dir() else path.read_bytes()
            node = self._nodes[path] = Node(path.is_dir(), data, data)
            self._nodes[path.parent].names[path.name] = node

    def create(self, path: Path, modes: Modes) -> int:
        descriptor = super().create(path, modes)
        self._appear(path, folder=False)
        return descriptor

    def append(self, path: Path, modes: Modes) -> int:
        descriptor = super().append(path, modes)
        if path not in self._nodes:
            self._appear(path, folder=False)
        return descriptor

    def open_lock(self, path: Path) -> int:
        descriptor = super().open_lock(path)
        if path not in self._nodes:
            self._appear(path, folder=False)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        try:
            super().write(descriptor, data)
        finally:
            path = self._paths[descriptor]
            self._nodes[path].live = path.read_bytes()

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        _, path = self.steps[-1]
        if not self._ignored("sync", path):
            self._nodes[path].safe = self._nodes[path].live

    def mkdir(self, path: Path, modes: Modes) -> None:
        super().mkdir(path, modes)
        if path not in self._nodes:
            self._appear(path, folder=True)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        node = self._nodes[target] = self._nodes.pop(source)
        here, there = self._nodes[source.parent], self._nodes[target.parent]
        self._pending.append(((there, target.name, node), (here, source.name, None)))

    def exchange(self, one: Path, other: Path) -> None:
        super().exchange(one, other)
        swapped = {}
        for path in list(self._nodes):
            for here, there in ((one, other), (other, one)):
                if here in (path, *path.parents):
                    swapped[there / path.relative_to(here)] = self._nodes.pop(path)
                    break
        self._nodes |= swapped
        first, second = self._nodes[other.parent], self._nodes[one.parent]
        self._pending.append(((first, other.name, self._nodes[other]), (second, one.name, self._nodes[one])))

    def unlink(self, path: Path, *, at: int | None = None) -> None:
        super().unlink(path, at=at)
        del self._nodes[path]
        self._pending.append(((self._nodes[path.parent], path.name, None),))

    def rmdir(self, path: Path, *, at: int | None = None) -> None:
        super().rmdir(path, at=at)
        del self._nodes[path]
        self._pending.append(((self._nodes[path.parent], path.name, None),))

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        if path not in self._nodes or self._ignored("sync_directory", path):
            return
        folder = self._nodes[path]
        for change in [c for c in self._pending if c[0][0] is folder]:
            self._settle(change)

    def cut(self, target: Path, survives: Callable[[], float]) -> None:
        """Power fails; `target` is the tree as it is found afterwards. `survives()`: 0 no, 1 yes, between: in half."""
        for change in list(self._pending):
            if survives() > 0.5:
                self._settle(change)
        self._lay(self._top, target, survives)

    def unsafe(self, name: str) -> bool:
        """True if an operation on this name is not yet safe."""
        return any(found == name for change in self._pending for _, found, _ in change)

    def _appear(self, path: Path, *, folder: bool) -> None:
        node = self._nodes[path] = Node(folder)
        self._pending.append(((self._nodes[path.parent], path.name, node),))

    def _settle(self, change: tuple[Change, ...]) -> None:
        """The change is safe; what earlier ones would have done to the same names is past."""
        position = self._pending.index(change)
        touched = {(id(folder), name) for folder, name, _ in change}
        earlier = [tuple(c for c in old if (id(c[0]), c[1]) not in touched) for old in self._pending[:position]]
        self._pending[: position + 1] = [old for old in earlier if old]
        for folder, name, node in change:
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node

    def _lay(self, node: Node, target: Path, survives: Callable[[], float]) -> None:
        target.mkdir()
        for name, child in node.names.items():
            if child.folder:
                self._lay(child, target / name, survives)
            else:
                rest = child.live[len(child.safe) :] if child.live.startswith(child.safe) else b""
                (target / name).write_bytes(child.safe + rest[: int(len(rest) * survives())])
