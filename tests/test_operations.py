"""The commands of docs/operations.md, run as they stand there: what they promise holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from support.cli import Command, Done
from support.runs import NOW, lines
from support.servers import program

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
PLACES = ("/var/lib/loganon/site", "/srv/loganon/site", "/backup/site", "/etc/loganon/key", "/var/log/nginx")


def blocks() -> dict[str, list[str]]:
    """The command blocks by the heading they stand under."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)
    return {
        title: re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


class Machine:
    """A place for all that the page names, and a shell that finds `loganon`; its clock is `NOW`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for place in PLACES:
            (folder / place[1:]).parent.mkdir(parents=True, exist_ok=True)
        self.log = self.at("/var/log/nginx") / "access.log"
        self.log.parent.mkdir()
        tools = folder / "tools"
        tools.mkdir()
        script = tools / "loganon"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m loganon "$@"\n')
        script.chmod(0o755)
        variables = {f"LOGANON_{name}_NOW": NOW.isoformat() for name in ("RUN", "VERIFY", "STATUS")}
        self.environment = {**Command(folder).environment(), **variables, "PATH": f"{tools}:{os.environ['PATH']}"}

    def at(self, place: str) -> Path:
        return self.folder / place[1:]

    def shell(self, block: str, code: int = 0) -> Done:
        """The block, line by line up to the first that fails; it ends with `code`."""
        for place in PLACES:
            block = re.sub(rf"(?<=[ =]){place}", str(self.at(place)), block)
        ended = subprocess.run(
            ["sh", "-eu", "-c", block],
            env=self.environment,
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
        )
        self.within_a_second()
        assert ended.returncode == code, (block, ended.stdout, ended.stderr)
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def within_a_second(self) -> None:
        """All of the store and of its copies is as old: what compares times to the second sees no difference."""
        for place in PLACES[:3]:
            for file in self.at(place).rglob("*"):
                os.utime(file, (NOW.timestamp(), NOW.timestamp()))

    def write(self, data: list[bytes]) -> None:
        with self.log.open("ab") as file:
            file.write(b"".join(data))

    def run(self, store: str, code: int = 0) -> Done:
        return self.shell(f"loganon run --store {store} --key-file /etc/loganon/key /var/log/nginx/access.log*\n", code)

    def count(self, store: str) -> int:
        table = f"{self.at(store)}/access/*/*.parquet"
        with duckdb.connect() as database:
            return int(database.execute(f"select sum(requests) from '{table}'").fetchall()[0][0])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    program("rsync")
    program("flock")
    return Machine(tmp_path)


def test_the_page_is_walked(machine: Machine) -> None:
    """Each section in turn: no line is lost, none is twice, and `verify` finds nothing after each."""
    page = blocks()
    old, new = PLACES[0], PLACES[1]
    machine.write(lines(100, start=NOW - timedelta(hours=28)))
    machine.run(old)
    machine.shell(page["Back up"][0])

    machine.write(lines(40, start=NOW - timedelta(hours=7), tag="later"))
    machine.run(old)
    assert machine.count(old) == 140
    restored = machine.shell(page["Restore"][0])
    assert "40 counted, 100 already counted" in restored.out
    assert machine.count(old) == 140

    machine.shell(page["Back up"][0])
    machine.shell(page["Move"][0])
    assert not machine.at(old).exists()
    assert machine.count(new) == 140
    machine.shell(page["Upgrade"][0])

    damage(machine, new, page["A damaged cell"])

    rebuilt = machine.shell(page["Lost source records"][0])
    assert "147 already counted" in rebuilt.out
    assert machine.count(new) == 147

    machine.shell(page["Back up"][0].replace("/var/lib", "/srv"))
    lines_of = page["A missing part"][0].splitlines()
    machine.shell(lines_of[0])
    assert "access. Restore the whole store" in machine.run(new, code=74).err
    whole = machine.shell("\n".join(lines_of[1:]))
    assert "147 already counted" in whole.out
    assert machine.count(new) == 147

    shutil.copy(machine.at("/etc/loganon/key"), machine.folder / "key.backup")
    machine.shell(page["A lost key"][0].splitlines()[0])
    assert "the key of this store is missing" in machine.run(new, code=78).err
    reset = machine.shell("\n".join(page["A lost key"][0].splitlines()[1:]))
    assert "expired" in reset.out
    assert machine.count(new) == 147
    machine.write(lines(5, start=NOW + timedelta(hours=2), tag="after", minutes=1))
    machine.run(new)
    assert machine.count(new) == 152


def damage(machine: Machine, store: str, commands: list[str]) -> None:
    """A cell is damaged, met by new lines, quarantined, and brought back from the backup."""
    name = re.search(r"access/(date=\S+/hour-10)\.parquet", commands[0])
    assert name is not None
    cell = machine.at(store) / "access" / f"{name[1]}.parquet"
    found = bytearray(cell.read_bytes())
    found[len(found) // 2 - 40 : len(found) // 2 + 40] = bytes(80)
    found[-8:-4] = b"\xff\xff\xff\x7f"
    cell.write_bytes(found)
    machine.write(lines(7, start=NOW.replace(day=20, hour=10, minute=5), tag="x", minutes=1))
    assert "quarantine" in machine.run(store, code=74).err
    back = machine.shell(commands[0])
    assert "147 already counted" in back.out
    assert machine.count(store) == 147
    machine.shell(commands[1])


def test_the_page_is_whole() -> None:
    """Each section that has commands is walked, and no other."""
    with_commands = [title for title, found in blocks().items() if found]
    walked = Path(__file__).read_text()
    assert with_commands
    assert all(f'page["{title}"]' in walked for title in with_commands)
