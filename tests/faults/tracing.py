"""strace on one command: which calls it makes that change a file system, and what happens in place of one of them.

Ready means: Debian's strace, attached while the command stands at its gate. `when=N` counts each system call by itself.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.warm import Running, Warm
from support.cli import TIMEOUT, Command, Done

CHANGES = (
    "write", "pwrite64", "writev", "pwritev", "copy_file_range", "sendfile", "ftruncate", "fallocate",
    "fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
    "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "openat", "chmod", "fchmod", "fchmodat", "chown", "fchown",
)  # fmt: skip
STRACE = ("strace", "-f", "-y", "-s", "256", "-e", "signal=none")
_CALL = re.compile(r"(\d+)\s+(\w+)\((.*)\)\s+= (.*)")
_KILLED = re.compile(r"(\d+)\s+(\w+)\((.*)\)?\s+= \?")
_BEGUN = " <unfinished ...>"
_RESUMED = re.compile(r"(\d+)\s+<\.\.\. (\w+) resumed>(.*)")
_PATH = re.compile(r'<(/[^>]*)>|"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: the `number`th of its name in the main thread; all paths in its arguments."""

    name: str
    number: int
    paths: tuple[str, ...]
    text: str
    result: str

    @property
    def makes(self) -> bool:
        """True if it changes a file system: an `openat` only where it may make a file."""
        return self.name != "openat" or "O_CREAT" in self.text

    @property
    def injected(self) -> bool:
        return "(INJECTED)" in self.result

    def within(self, folder: Path) -> bool:
        """True if it works on something below `folder`."""
        return any(path.startswith(f"{folder}/") or path == str(folder) for path in self.paths)


@dataclass(frozen=True, slots=True)
class Traced:
    """A command that has ended, and the calls that its main thread made."""

    done: Done
    calls: list[Call]


def attach(running: Running, trace: Path, *inject: str) -> subprocess.Popen[bytes]:
    """strace on a command that waits at its gate; it ends with the command."""
    options = [word for each in inject for word in ("-e", f"inject={each}")]
    names = ",".join(f"?{name}" for name in CHANGES)
    tracer = subprocess.Popen(
        [*STRACE, "-p", str(running.pid), "-o", str(trace), "-e", f"trace={names}", *options],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    assert b"attached" in said, said
    return tracer


def traced(warm: Warm, command: Command, *words: object, inject: tuple[str, ...] = ()) -> Traced:
    """A command under strace, with something injected or not."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        running = warm.start(command, *words, held=True)
        tracer = attach(running, trace, *inject)
        done = running.wait()
        running.close()
        tracer.communicate(timeout=TIMEOUT)
        return Traced(done, calls_of(trace, running.pid))


def calls_of(trace: Path, pid: int) -> list[Call]:
    """The calls of the main thread, in order."""
    numbers: Counter[str] = Counter()
    found = []
    for line in whole_calls(trace.read_text(errors="replace").splitlines()):
        match = _CALL.match(line) or _KILLED.match(line)
        if match is None or int(match[1]) != pid:
            continue
        numbers[match[2]] += 1
        paths = tuple(one or other for one, other in _PATH.findall(match[3]))
        found.append(Call(match[2], numbers[match[2]], paths, match[3], line.rpartition(" = ")[2]))
    return found


def whole_calls(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a trace, each call in one: strace divides those during which another thread makes one."""
    begun: dict[str, str] = {}
    for line in lines:
        if line.endswith(_BEGUN):
            begun[line.split(maxsplit=1)[0]] = line.removesuffix(_BEGUN)
        elif match := _RESUMED.match(line):
            yield begun.pop(match[1], f"{match[1]} {match[2]}(") + match[3]
        else:
            yield line
    yield from begun.values()
