"""What becomes of a command whose standard output or error cannot be written: nothing that it does depends on them."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loganon.cli.output import Output
from support.cli import TIMEOUT, Command
from support.runs import cells, lines

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")

SITES = ("a", "b")
RECENT = datetime.now(UTC) - timedelta(days=1)


@contextmanager
def gone() -> Iterator[int]:
    """A pipe's end that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextmanager
def full() -> Iterator[int]:
    """A file on a disk without room."""
    writer = os.open("/dev/full", os.O_WRONLY)
    try:
        yield writer
    finally:
        os.close(writer)


def configured(folder: Path) -> Path:
    """A configuration of two sites with a log each."""
    for site in SITES:
        (folder / f"{site}.log").write_bytes(b"".join(lines(20, tag=site)))
    config = folder / "loganon.toml"
    config.write_text('[[input]]\nlogs = "{site}.log"\nstore = "store/{site}"\n')
    return config


def ended(folder: Path, *words: object, out: int, err: int = subprocess.PIPE, stdin: bytes = b"") -> tuple[int, str]:
    """The exit code, and what stands on standard error where that is a pipe."""
    command = Command(folder)
    arguments = [*command.python, *map(str, words), "--key-file", str(command.key)]
    done = subprocess.run(
        arguments,
        input=stdin,
        stdout=out,
        stderr=err,
        env=command.environment(),
        cwd=folder,
        timeout=TIMEOUT,
        check=False,
    )
    return done.returncode, (done.stderr or b"").decode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_output_full(tmp_path: Path, form: str) -> None:
    """A full disk under the summary is said once, in the form asked for, with 73; each site is counted all the same."""
    with full() as out:
        code, err = ended(
            tmp_path, "run", "--config", configured(tmp_path), "--messages", form, "--now", "2026-11-21T06:00Z", out=out
        )
    assert code == 73
    (said,) = [each for each in err.splitlines() if "standard output" in each]
    assert "No space left" in said
    assert form == "text" or json.loads(said)["level"] == "error"
    assert "inside loganon" not in err
    assert all(cells(tmp_path / "store" / site) for site in SITES)


def test_reader_gone(tmp_path: Path) -> None:
    """Where nobody reads the summary the code is 141, quietly, and each site is counted all the same."""
    with gone() as out:
        code, err = ended(
            tmp_path, "run", "--config", configured(tmp_path), "--quiet", "--now", "2026-11-21T06:00Z", out=out
        )
        assert (code, err) == (0, "")  # nothing was to be printed
        code, err = ended(tmp_path, "run", "--config", configured(tmp_path), "--now", "2026-11-21T06:00Z", out=out)
    assert code == 141
    assert "standard output" not in err
    assert all(cells(tmp_path / "store" / site) for site in SITES)


def test_help_that_cannot_be_printed(tmp_path: Path) -> None:
    """What no command prints, such as the help, is 73, too."""
    command = Command(tmp_path)
    with full() as out:
        words = [*command.python, "--help"]
        done = subprocess.run(
            words, stdout=out, stderr=subprocess.PIPE, env=command.environment(), timeout=TIMEOUT, check=False
        )
    assert done.returncode == 73
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("output", [full, gone])
def test_messages_that_cannot_be_written(tmp_path: Path, output: Callable[[], AbstractContextManager[int]]) -> None:
    """A message that cannot be written neither ends a command nor changes its exit code."""
    with output() as err:
        code, _ = ended(
            tmp_path,
            "follow",
            "-",
            "--store",
            "store",
            out=subprocess.DEVNULL,
            err=err,
            stdin=b"".join(lines(20, start=RECENT)),
        )
    assert code == 0
    assert cells(tmp_path / "store")


def test_waits_for_room() -> None:
    """An output that others made non-blocking is waited for, and takes all."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytes(1 << 20)
    found = bytearray()

    def read() -> None:
        while len(found) < len(data):
            found.extend(os.read(reader, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    output = Output(writer, ends=True)
    rest = memoryview(data)
    while rest:
        rest = rest[output.write(rest) :]
    thread.join()
    os.close(reader)
    os.close(writer)
    assert output.failed is None
    assert found == data
