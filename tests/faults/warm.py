"""Commands that begin at once, in processes of their own: forks of one that has imported loganon (`warm_server.py`)."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.cli import TIMEOUT, Command, Done

SERVER = Path(__file__).with_name("warm_server.py")


@dataclass(slots=True)
class Running:
    """A command that stands at its gate, works, or has ended."""

    pid: int
    out: IO[bytes]
    err: IO[bytes]
    gate: int
    status: IO[bytes]
    code: int | None = None

    def release(self) -> None:
        """It begins."""
        if self.gate >= 0:
            with suppress(BrokenPipeError):
                os.write(self.gate, b"\n")
            os.close(self.gate)
            self.gate = -1

    def pause(self, seconds: float) -> bool:
        """So many seconds of its work have passed; False if it has ended before."""
        return not select.select([self.status], [], [], seconds)[0]

    def kill(self, after: float = 0.0) -> bool:
        """SIGKILL after so many seconds of its work; False if it has ended before."""
        if not self.pause(after):
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return True

    def wait(self) -> Done:
        """How it ended: the exit code, or less than 0 for a signal; what it said."""
        self.release()
        if self.code is None:
            if not select.select([self.status], [], [], TIMEOUT)[0]:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"a command did not end within {TIMEOUT} s")
            self.code = os.waitstatus_to_exitcode(int(self.status.readline()))
            self.status.close()
        said = []
        for stream in (self.out, self.err):
            stream.seek(0)
            said.append(stream.read().decode())
        return Done(self.code, *said)

    def close(self) -> None:
        """Ended and cleared away."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with suppress(TimeoutError):
                self.wait()
        self.out.close()
        self.err.close()


class Warm:
    """`warm.run(command, "run", log, …)`: as `command(...)` of `support.cli`, without the second that a start takes."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        with there:
            self._server = subprocess.Popen([sys.executable, str(SERVER)], stdin=there.fileno(), env=dict(os.environ))
        self._requests = here
        self._running: list[Running] = []

    def start(self, command: Command, *words: object, held: bool = False) -> Running:
        """A command that has begun, or with `held` waits for `release`."""
        texts = command._words(words)
        request = {"words": texts, "cwd": str(command.folder), "env": self._environment(command)}
        out, err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - `Running.close` closes them
        gate_end, gate = os.pipe()
        status, status_end = os.pipe()
        socket.send_fds(
            self._requests, [json.dumps(request).encode()], [out.fileno(), err.fileno(), gate_end, status_end]
        )
        os.close(gate_end)
        os.close(status_end)
        stream = os.fdopen(status, "rb", buffering=0)
        found = Running(int(stream.readline()), out, err, gate, stream)
        self._running.append(found)
        if not held:
            found.release()
        return found

    def run(self, command: Command, *words: object) -> Done:
        """A command that has ended."""
        running = self.start(command, *words)
        done = running.wait()
        running.close()
        self._running.remove(running)
        return done

    def clear(self) -> None:
        """No command of a test outlives it."""
        for running in self._running:
            running.close()
        self._running.clear()

    def close(self) -> None:
        """The server has ended."""
        self.clear()
        self._requests.close()
        self._server.wait(TIMEOUT)

    @staticmethod
    def _environment(command: Command) -> Mapping[str, str]:
        return command.environment()
