"""The command as an operator starts it: a process with an environment of its own, and what it said.

`Command` gives every call a key file in a folder of the test; nothing of the tester's own environment reaches it.
`Inside` is the same within the tests' process, for the many calls that need none of their own: a start takes a second.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from loganon import cli

SAMPLES = Path(__file__).parents[2] / "sample_logs"
SAMPLE_NOW = "2026-11-21T06:00:00Z"
TIMEOUT = 120  # of a process that hangs
_KEPT = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_SENTENCES = re.compile(r"loganon: \S.*\.(?: \S.*[.?!])+")


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; nothing else stands there."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        found = json.loads(lines[0])
        assert isinstance(found, dict)
        return found

    def message(self, *parts: str) -> str:
        """The one line on standard error: `loganon: WHAT. WHERE. WHAT TO DO.`, with each of `parts` in it."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert _SENTENCES.fullmatch(lines[0]), self.err
        assert not re.search(r"[.?!;]\.(?: |$)|  ", lines[0]), self.err
        assert "Traceback" not in lines[0]
        for part in parts:
            assert part in lines[0], (part, self.err)
        return lines[0]


@dataclass(frozen=True, slots=True)
class Command:
    """`command("run", log, "--store", store)`. `key`: where the key lies; `home`: the process's home."""

    folder: Path
    python: tuple[str, ...] = (sys.executable, "-m", "loganon")
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def environment(self) -> dict[str, str]:
        """The tester's, without anything that names a home, a store or an option."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {"HOME": str(self.folder / "home"), "PYTHONWARNINGS": "error"} | dict(self.variables)

    def __call__(self, *arguments: object, stdin: bytes | None = None, **settings: Any) -> Done:
        """Ends with the process; `run` gets the key's path, unless it is given."""
        words = self._words(arguments)
        ended = subprocess.run(
            [*self.python, *words],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            cwd=settings.pop("cwd", self.folder),
            env=self.environment(),
            timeout=TIMEOUT,
            check=False,
            **settings,
        )
        return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def _words(self, arguments: tuple[object, ...]) -> list[str]:
        words = [str(argument) for argument in arguments]
        if words[:1] == ["run"] and "--key-file" not in words and "LOGANON_KEY_FILE" not in self.variables:
            words += ["--key-file", str(self.key)]
        return words


@dataclass(frozen=True, slots=True)
class Inside(Command):
    """The command without a process: arguments, environment, folder and streams are put in place for each call."""

    def __call__(self, *arguments: object, stdin: bytes | None = None, **settings: Any) -> Done:
        """As `Command`; it takes none of the settings of a process."""
        assert not settings
        streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8") for name in ("stdout", "stderr")}
        streams["stdin"] = io.TextIOWrapper(io.BytesIO(stdin or b""), "utf-8")
        code: object = None
        with ExitStack() as place:
            place.enter_context(mock.patch.dict(os.environ, self.environment(), clear=True))
            place.enter_context(chdir(self.folder))
            place.enter_context(mock.patch.multiple(sys, argv=["loganon", *self._words(arguments)], **streams))
            place.enter_context(mock.patch.object(cli, "harden"))  # what it does lasts as long as the process
            try:
                cli.main()
            except SystemExit as ended:
                code = ended.code
        assert isinstance(code, int)
        found = [streams[name].detach() for name in ("stdout", "stderr")]
        return Done(code, *(each.getvalue().decode() for each in found))  # type: ignore[attr-defined]  # a BytesIO


def without_override() -> None:
    """In a child before it starts: root, too, keeps to the modes of files (Linux)."""
    if os.geteuid() == 0:
        import ctypes  # noqa: PLC0415 - only in the child of a privileged tester

        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
