"""Where logs are written: real nginx and Apache, the real logrotate, and `loganon run` after each rotation.

The visitor counts for himself: the table must hold exactly what he saw.
"""

from __future__ import annotations

import ctypes
import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from leaks import search_tree
from support.cli import Command
from support.runs import days, lines
from support.servers import Site, Traffic, apache_site, ask, free_port, nginx_site, program, rotated, running, until

ROTATIONS = 3
CREATE = "create\ncompress\ndelaycompress"
COPY = "copytruncate\ncompress\ndelaycompress"
REOPEN = "USR1"  # of both servers
SERVERS = pytest.mark.parametrize("serve", [nginx_site, apache_site])


def site_of(folder: Path) -> Site:
    site = Site(folder / "site", free_port())
    site.make()
    return site


def counts(store: Path) -> dict[tuple[str, bool], list[int]]:
    """Requests and bytes by file and success, as DuckDB reads them.

    It opens each file twice by its name: where a cell was replaced in between it fails, and is asked again.
    """
    query = f"select file, success, sum(requests), sum(bytes) from '{store}/access/*/*.parquet' group by all"
    for attempt in range(5):
        try:
            with duckdb.connect() as database:
                rows = database.execute(query).fetchall()
        except duckdb.Error:
            if attempt == 4:
                raise
        else:
            break
    return {(file, success): [int(requests), int(size)] for file, success, requests, size in rows}


@SERVERS
@pytest.mark.parametrize("options", [CREATE, COPY], ids=["create", "copytruncate"])
def test_rotation(tmp_path: Path, serve: Callable[[Site], list[str]], options: str) -> None:
    """Rotated while requests go on: each line that is left on the disk is counted once, and no address is stored.

    By `create` that is each request, with its bytes. What the server writes between the copy and the truncation of
    `copytruncate` is lost to every reader.
    """
    site, command, store = site_of(tmp_path), Command(tmp_path), tmp_path / "store"
    reopen = f"kill -{REOPEN} $(cat {site.pid})" if options == CREATE else ""
    rotate = rotated(site, options, reopen, ROTATIONS + 1)
    with running(serve(site), site.port, tmp_path / "output"), Traffic(site.port) as traffic:
        said = []
        for _ in range(ROTATIONS):
            traffic.wait(2)
            rotate()
            until(lambda: site.log.stat().st_size > 0)
            with traffic.paused():
                done = command("run", *logs(site), "--store", store)
            assert done.code == 0, done.err
            said.append(done.out)
        traffic.wait(2)
    done = command("run", *logs(site), "--store", store)
    assert done.code == 0, done.err
    found = counts(store)
    there = {log.name: content(log).count(b"\n") for log in logs(site)}
    sent = sum(requests for requests, _ in traffic.seen.values())
    assert sum(requests for requests, _ in found.values()) == sum(there.values()) <= sent, [
        *said,
        done.out,
        there,
        sent,
    ]
    assert found == traffic.seen or options == COPY
    assert not search_tree(store, [b"127.0.0.1", b"203.0.113.7", b"203.0.113.9", b"jane.doe"])


def logs(site: Site) -> list[Path]:
    """The log and what became of it, the live one first."""
    return sorted(site.log.parent.glob("access.log*"))


def content(log: Path) -> bytes:
    return gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes()


# --- the recipes -----------------------------------------------------------------------------------------------------

RECIPES = Path(__file__).parents[1] / "configs" / "logrotate"
PR_SET_MDWE = 65  # linux/prctl.h, since 6.3


def deny_write_execute() -> None:
    """In a child before it starts: no memory is both writable and executable, as under Debian's logrotate.service."""
    assert ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0, "this kernel has no PR_SET_MDWE"


def recipe(site: Site, name: str, folder: Path, store: Path) -> Callable[[], str]:
    """A call of logrotate by the recipe, with this site's paths; it returns what is printed.

    `loganon` and `invoke-rc.d` are found first on the PATH: the one with the recipe's own configuration, the other
    without a system's services.
    """
    text = (RECIPES / name).read_text()
    (given,) = re.findall(r"^#     (logs = .*)$", text, re.MULTILINE)
    (live,) = re.findall(r"^(/.*) \{$", text, re.MULTILINE)
    where = str(Path(live).parent)
    (folder / "loganon.toml").write_text(
        f'key_file = "{folder}/key"\n[[input]]\n{given.replace(where, str(site.log.parent))}\n'
        f'store = "{store}"\nremove_source = true\n'
    )
    tools = folder / "tools"
    tools.mkdir()
    script(tools / "loganon", f'LOGANON_CONFIG={folder}/loganon.toml exec {sys.executable} -m loganon "$@"')
    script(tools / "invoke-rc.d", f"kill -USR1 $(cat {site.pid})")
    configuration = folder / "recipe"
    configuration.write_text(
        text.replace(where, str(site.log.parent)).replace("www-data adm", "root root").replace("root adm", "root root")
    )
    configuration.chmod(0o644)
    command = [program("logrotate"), "--force", "--state", str(folder / "state"), str(configuration)]
    environment = {**Command(folder).environment(), "PATH": f"{tools}:{os.environ['PATH']}"}

    def rotate() -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, preexec_fn=deny_write_execute
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return rotate


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("serve", "name"), [(nginx_site, "nginx"), (apache_site, "apache2"), (nginx_site, "fail2ban-tmpfs")]
)
def test_recipes(tmp_path: Path, serve: Callable[[Site], list[str]], name: str) -> None:
    """By the recipe, under the restrictions of Debian's logrotate.service, and with requests all the while: nothing is
    printed, each request is counted once, and in the end the live log alone is left.

    The server has a day to open its new log; here the next rotation comes when it has. (Apache drops a signal that
    comes while it still restarts, and logrotate leaves an empty log alone: the lines would wait in the old one.)
    """
    site, store = site_of(tmp_path), tmp_path / "store"
    rotate = recipe(site, name, tmp_path, store)
    with running(serve(site), site.port, tmp_path / "output"):
        with Traffic(site.port) as traffic:
            for _ in range(2):
                traffic.wait(2)
                assert rotate() == ""
                until(lambda: site.log.stat().st_size > 0)
            traffic.wait(2)
        visits = 0
        for _ in range(2):  # what was still written to the old log at the first is counted at the second
            visits += visited(site)
            assert rotate() == ""
    assert {log.name for log in logs(site) if log.stat().st_size} <= {"access.log.1"}
    found = counts(store)
    assert sum(found.pop(("/", success), [0])[0] for success in (True, False)) == visits
    assert found == traffic.seen


def visited(site: Site) -> int:
    """How many visits it took until one stood in the live log."""
    visits = 0

    def visit() -> bool:
        nonlocal visits
        visits += 1
        ask(site.port, b"GET / HTTP/1.0\r\n\r\n")
        return site.log.stat().st_size > 0

    until(visit)
    return visits


def test_a_day_without_a_rotation(tmp_path: Path) -> None:
    """logrotate starts nothing where no log is rotated. The timer's service does, as root with the one right that
    `remove-source.conf` leaves: what was written late is counted, its log removed, and what is past its day goes.
    """
    site, store = site_of(tmp_path), tmp_path / "store"
    (site.log).write_bytes(b"".join(lines(30, start=datetime.now(UTC) - timedelta(days=41, hours=20), minutes=60)))
    rotate = recipe(site, "nginx", tmp_path, store)
    script(tmp_path / "tools" / "invoke-rc.d", "true")
    assert rotate() == ""
    oldest, *_ = days(store)
    late = site.log.with_name("access.log.1")
    late.write_bytes(b"".join(lines(5, start=datetime.now(UTC) - timedelta(hours=5), tag="late")))
    os.chown(late, 33, 4)  # www-data, adm
    assert rotate() == ""
    assert late.exists()
    unit = (RECIPES.parent / "systemd" / "remove-source.conf").read_text()
    (rights,) = re.findall(r"^CapabilityBoundingSet=CAP_(\w+)$", unit, re.MULTILINE)
    confined = (program("setpriv"), f"--bounding-set=-all,+{rights.lower()}", "--groups", "4", "--no-new-privs")
    command = Command(tmp_path, python=(*confined, sys.executable, "-m", "loganon"))
    done = command(
        "run", "--config", "loganon.toml", "--quiet", "--now", f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}"
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert not late.exists()
    assert ("/late/0.html", True) in counts(store)
    assert oldest not in days(store)


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    """A store that cannot be written: logrotate reports the failure, one line says why, and the log stays."""
    site, store = site_of(tmp_path), tmp_path / "store"
    store.write_text("no directory")
    (site.log).write_bytes(b"".join(lines(3)))
    rotate = recipe(site, "nginx", tmp_path, store)
    (tmp_path / "tools" / "invoke-rc.d").write_text("#!/bin/sh\n")
    with pytest.raises(AssertionError) as failed:
        rotate()
    said = [line for line in str(failed.value).split("\\n") if "loganon:" in line]
    assert len(said) == 1
    assert "the store is not a directory" in said[0]
    assert [log.name for log in logs(site) if log.stat().st_size] == ["access.log.1"]
