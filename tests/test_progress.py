"""The progress bar is for a terminal only: what is piped into a file or a mail holds no control characters."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from support.cli import SAMPLE_NOW, SAMPLES, TIMEOUT, Command

LOG = SAMPLES / "hosts.access.log"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(command: Command, *words: str, log: Path = LOG) -> tuple[int, str, str]:
    """The exit code, standard output (a pipe), and what a terminal at standard error was sent."""
    leader, follower = pty.openpty()
    environment = command.environment() | {"TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(
        [*command.python, "run", str(log), "--store", "store", "--key-file", "key", "--now", SAMPLE_NOW, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        cwd=command.folder,
        env=environment,
    ) as process:
        os.close(follower)
        shown = bytearray()
        try:
            while block := os.read(leader, 65536):
                shown += block
        except OSError:  # what Linux says when the other side is closed
            pass
        finally:
            os.close(leader)
        out, _ = process.communicate(timeout=TIMEOUT)
    return process.returncode, out.decode(), shown.decode()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    """Bytes, rate and time left, drawn in place; the summary is on standard output all the same."""
    code, out, shown = on_a_terminal(Command(tmp_path))
    assert code == 0
    assert "\x1b[2K" in shown, "drawn in place"
    text = COLOUR.sub("", shown)
    assert re.search(r"reading \S+ 105\.2/105\.2 kB (?:\?|\S+ .?B/s) 0:00:00", text), text
    assert "\x1b" not in out
    assert "900 counted" in out


def test_the_bar_of_a_compressed_log(tmp_path: Path) -> None:
    """It never goes beyond its end: what is done and the whole are bytes of the same kind."""
    code, _, shown = on_a_terminal(Command(tmp_path), log=SAMPLES / "shop.access.log.1.gz")
    assert code == 0
    seen = re.findall(r"([0-9.]+)/([0-9.]+) kB", COLOUR.sub("", shown))
    assert seen
    assert all(float(done) <= float(whole) for done, whole in seen), seen


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_no_bar_where_it_is_not_wanted(tmp_path: Path, option: str) -> None:
    """Neither with `--json` nor with `--quiet`, though there is a terminal."""
    code, _, shown = on_a_terminal(Command(tmp_path), option)
    assert code == 0
    assert "\x1b" not in shown
    assert "reading" not in shown


def test_no_bar_in_a_pipe(tmp_path: Path) -> None:
    """Without a terminal neither stream holds a control character."""
    done = Command(tmp_path)("run", LOG, "--store", tmp_path / "store", "--now", SAMPLE_NOW)
    assert done.code == 0
    assert "900 counted" in done.out
    assert "reading" not in done.err
    assert all(sign.isprintable() or sign == "\n" for sign in done.out + done.err)
