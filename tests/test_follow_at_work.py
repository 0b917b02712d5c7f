"""`follow` where logs are written: behind a real Apache's pipe, beside a real nginx and the real logrotate, killed."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from faults.warm import Warm
from leaks import search_tree
from support.cli import Command
from support.object_server import CREDENTIALS, moto_server, require_server
from support.runs import PLAIN, check_store, lines, write_key
from support.servers import Site, Traffic, apache_site, nginx_site, rotated, running, until
from test_at_work import COPY, CREATE, content, counts, logs, site_of

KILLS = int(os.environ.get("LOGANON_KILLS", "3"))
NEEDLES = [b"127.0.0.1", b"203.0.113.7", b"203.0.113.9", b"jane.doe"]
Seen = dict[tuple[str, bool], list[int]]


def total(seen: Seen) -> int:
    return sum(requests for requests, _ in seen.values())


# --- behind the pipe --------------------------------------------------------------------------------------------------


class Piped:
    """Apache in a folder, whose access log goes into a pipe; the logger has a folder for temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        self.site = site_of(folder)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        write_key(folder / "key")
        found = Command(folder).environment()
        variables = {"TMPDIR": self.temporary, "HOME": self.temporary, "PYTHONPATH": found.get("PYTHONPATH", "")}
        setting = " ".join(f"{name}={value}" for name, value in variables.items() if value)
        options = f"--store {self.store} --key-file {folder}/key --format combined --flush-interval 1s"
        self.command = apache_site(
            self.site, f'"|/usr/bin/env {setting} {sys.executable} -m loganon follow - {options}"'
        )

    def loggers(self) -> list[int]:
        """The processes that follow into this store."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"follow" in words and os.fsencode(self.store) in words:
                    found.append(int(path.parent.name))
        return found

    def written(self, pid: int) -> set[str]:
        """The regular files that a process holds open for writing."""
        found = set()
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                flags = int(Path(f"/proc/{pid}/fdinfo/{path.name}").read_text().split()[3], 8)
                if path.is_file() and flags & os.O_ACCMODE:
                    found.add(str(path.readlink()))
        return found

    def stored(self) -> Seen:
        return counts(self.store) if any(self.store.glob("access/*/*.parquet")) else {}

    def commit(self, traffic: Traffic) -> Seen:
        """What the visitor has seen, once all of it is stored; he waits meanwhile."""
        with traffic.paused():
            seen = {key: list(value) for key, value in traffic.seen.items()}
            until(lambda: self.stored() == seen)
        return seen


@pytest.fixture
def piped(tmp_path: Path) -> Iterator[Piped]:
    found = Piped(tmp_path)
    yield found
    for pid in found.loggers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_apache_pipe(piped: Piped) -> None:
    """Requests before, during and after a graceful restart, by which Apache ends the logger and starts another: the
    table holds what the visitor saw; no raw line is on a disk."""
    with running(piped.command, piped.site.port, piped.folder / "output"):
        with Traffic(piped.site.port) as traffic:
            traffic.wait(2)
            piped.commit(traffic)
            (first,) = piped.loggers()
            own = {
                str(piped.folder / "output"),
                str(piped.site.folder / "log/error.log"),
            }  # Apache's, as its standard error
            assert all(name.startswith(str(piped.store)) for name in piped.written(first) - own)
            assert not search_tree(piped.temporary, NEEDLES)
            with traffic.paused():
                os.kill(int(piped.site.pid.read_text()), signal.SIGUSR1)
                until(lambda: piped.loggers() not in ([], [first]))
            traffic.wait(2)
            piped.commit(traffic)
            until(lambda: first not in piped.loggers())
            traffic.wait(2)
        seen = traffic.seen
    until(lambda: not piped.loggers())
    assert piped.stored() == seen
    check_store(piped.store)
    assert not search_tree(piped.store, NEEDLES)
    assert not search_tree(piped.temporary, NEEDLES)
    assert not piped.site.log.exists()


def test_apache_pipe_killed(piped: Piped) -> None:
    """The logger is killed (-9): Apache starts another; lost is at most what was sent since the last commit, and
    nothing is there twice."""
    with running(piped.command, piped.site.port, piped.folder / "output"):
        with Traffic(piped.site.port) as traffic:
            traffic.wait(1)
            before = total(piped.commit(traffic))
            (first,) = piped.loggers()
            os.kill(first, signal.SIGKILL)
            with traffic.paused():
                until(lambda: piped.loggers() not in ([], [first]))
                meanwhile = total(traffic.seen)
            traffic.wait(1)
            with traffic.paused():  # the other logger reads what waits in the pipe
                until(lambda: total(piped.stored()) >= before + total(traffic.seen) - meanwhile)
            traffic.wait(1)
        seen = traffic.seen
    until(lambda: not piped.loggers())
    after = total(seen) - meanwhile
    assert before + after <= total(piped.stored()) <= total(seen)
    assert all(found[0] <= seen[key][0] for key, found in piped.stored().items())
    check_store(piped.store)


# --- beside the server ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """Starts commands without the second that a start takes."""
    found = Warm()
    yield found
    found.close()


@pytest.mark.parametrize("by", ["create", "copytruncate"])
def test_sidecar_killed(tmp_path: Path, warm: Warm, by: str) -> None:
    """nginx writes, logrotate rotates, the sidecar is killed (-9) at any moment and started again: each line that is
    left is counted once. By `create` that is each request with its bytes, as the visitor saw them."""
    site, store, dice = site_of(tmp_path), tmp_path / "store", random.Random(20261122)
    kills = max(1, KILLS // 2)
    rotate = by_logrotate(site, by, kills + 2)
    command = Command(tmp_path)
    write_key(tmp_path / "key")
    words = [
        "follow",
        f"{site.log}",
        "--store",
        "store",
        "--key-file",
        "key",
        "--format",
        "combined",
        "--flush-interval",
        "1s",
    ]
    with running(nginx_site(site), site.port, tmp_path / "output"):
        with Traffic(site.port) as traffic:
            first = warm.start(command, *words, "--quiet")  # what was rotated before the store was made is not its log
            until(lambda: any(store.glob("access/*/*.parquet")))
            first.kill()
            first.close()
            for _ in range(kills):
                process = warm.start(command, *words, "--quiet")
                process.pause(dice.uniform(0.05, 0.5))
                traffic.wait(1)
                rotate()
                process.kill(after=dice.uniform(0.0, 0.3))
                process.close()
            traffic.wait(1)
        if by == "create":
            os.kill(int(site.pid.read_text()), signal.SIGUSR1)
        last = warm.start(command, *words, "--json")
        left = sum(content(log).count(b"\n") for log in logs(site))
        until(lambda: any(store.glob("access/*/*.parquet")) and total(counts(store)) >= left)
        os.kill(last.pid, signal.SIGTERM)
        done = last.wait()
    assert done.code == 0, done.err
    check_store(store)
    assert total(counts(store)) == left
    if by == "create":
        assert counts(store) == traffic.seen
    assert not search_tree(store, NEEDLES)


def by_logrotate(site: Site, by: str, count: int) -> Callable[[], None]:
    if by == "create":
        return rotated(site, CREATE, f"kill -USR1 $(cat {site.pid})", count)
    return rotated(site, COPY, "", count)


# --- into a bucket ----------------------------------------------------------------------------------------------------


def test_into_a_bucket(tmp_path: Path) -> None:
    """`follow` into `s3://`: through a rename and a kill (-9) each line is one request of the table."""
    require_server()
    log = tmp_path / "access.log"
    start = datetime.now(UTC) - timedelta(hours=3)
    parts = [lines(20, start=start, minutes=0, tag=tag) for tag in "abc"]
    write_key(tmp_path / "key")
    (tmp_path / "plain.toml").write_text(PLAIN)
    with moto_server() as server:
        client, bucket = server.client, server.new_bucket()
        setting = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": CREDENTIALS["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS["secret_access_key"],
            "AWS_REGION": CREDENTIALS["region"],
        }
        command = Command(tmp_path)
        words = [*command.python, "follow", str(log), "--store", f"s3://{bucket}/site", "--key-file", "key", "--json"]
        words += ["--policy", "plain.toml", "--format", "combined", "--flush-interval", "1s"]

        def requests() -> int:
            found = client.list_objects_v2(Bucket=bucket, Prefix="site/access/").get("Contents", ())
            bodies = [client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found]
            return sum(sum(pq.read_table(io.BytesIO(body))["requests"].to_pylist()) for body in bodies)

        for number, part in enumerate(parts):
            if number == 1:
                log.rename(tmp_path / "access.log.1")
            with log.open("ab") as file:
                file.writelines(part)
            process = subprocess.Popen(
                words,
                cwd=tmp_path,
                env={**command.environment(), **setting},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                until(lambda goal=20 * (number + 1): requests() >= goal)  # type: ignore[misc]  # bound now
                process.send_signal(signal.SIGTERM if number == 2 else signal.SIGKILL)
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
                process.communicate()
        assert process.returncode == 0, err
        assert requests() == 60
        assert json.loads(out)["counted"] == 20
