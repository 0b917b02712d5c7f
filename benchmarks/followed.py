"""`loganon follow` as a process that is measured: its memory, processor time and open files, as the system has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; SampleBot/{0}.1)",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment: resident bytes, those among them that no file backs, seconds of processor time since its
    start, open descriptors.
    """

    resident: int
    private: int
    cpu: float
    files: int


class Followed:
    """`loganon follow` of the log in a new folder, by the interpreter `python`, with the options `words`."""

    def __init__(self, folder: Path, python: str, *words: str) -> None:
        self.folder = folder
        self.log = folder / "access.log"
        self.log.touch()
        command = [python, "-m", "loganon", "follow", str(self.log), "--store", str(folder / "store")]
        command += ["--key-file", str(folder / "key"), "--json", *words]
        with (folder / "messages").open("wb") as messages:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages)

    def ready(self) -> Followed:
        """Once it follows: what was rotated before its store was made is not its log."""
        while b"following" not in (self.folder / "messages").read_bytes():
            self.sample()
            time.sleep(0.1)
        return self

    def sample(self) -> Sample:
        """The process as it is now; SystemExit where it has ended."""
        if self.process.poll() is not None:
            raise SystemExit((self.folder / "messages").read_text(errors="replace"))
        folder = Path(f"/proc/{self.process.pid}")
        resident, shared = (int(pages) * _PAGE for pages in (folder / "statm").read_text().split()[1:3])
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        cpu = (int(times[11]) + int(times[12])) / _TICKS
        return Sample(resident, resident - shared, cpu, len(list((folder / "fd").iterdir())))

    def end(self) -> dict[str, Any]:
        """The summary after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=120)
        if self.process.returncode:
            raise SystemExit((self.folder / "messages").read_text(errors="replace"))
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    def kill(self) -> None:
        """It is gone."""
        self.process.kill()
        self.process.communicate()


class Writer:
    """Lines as a server writes them, each with its number, so that no two logs begin alike."""

    def __init__(self) -> None:
        self.written = 0

    def __call__(self, log: Path, count: int) -> None:
        """So many lines more."""
        now = datetime.now(UTC)
        stamp = f"{now:%d/%b/%Y:%H:%M:%S} +0000"
        first = self.written
        with log.open("a") as file:
            file.writelines(
                f"203.0.{n % 113}.{n % 251} - - [{stamp}] "
                f'"GET /page/{n % 997}.html?n={n} HTTP/1.1" 200 {n % 5000} '
                f'"https://www.example.org/from/{n % 311}" "{_AGENTS[n % 3].format(90 + n % 40)}"\n'
                for n in range(first, first + count)
            )
        self.written += count
