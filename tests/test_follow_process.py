"""`loganon follow` as a process: signals, pipes, kills, real servers. Nothing sleeps: conditions are polled."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from faults.warm import Warm
from loganon.cli import loop
from loganon.cli.loop import Stop
from loganon.sources.prompt import Prompt
from support.cli import SAMPLES, Command, Inside, without_override
from support.runs import PLAIN, check_balance, check_store, counts_of, hours_of, lines, write_key
from support.servers import free_port, until

KILLS = int(os.environ.get("LOGANON_KILLS", "5"))
DEADLINE = 60.0
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


def content(count: int, tag: str = "p") -> list[bytes]:
    return lines(count, start=START, minutes=0, tag=tag)


class Process:
    """`loganon follow` with a metrics page, and what the page says."""

    def __init__(
        self,
        folder: Path,
        *words: object,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self.store = folder / "store"
        write_key(folder / "key")
        (folder / "plain.toml").write_text(PLAIN)
        command = Command(folder)
        options = ["--store", "store", "--key-file", "key", "--policy", "plain.toml", "--json"]
        options += ["--flush-interval", "1s", "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*command.python, "follow", *options, *map(str, words)],
            cwd=folder,
            env=command.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before,  # noqa: PLW1509 - no thread holds a lock that the child takes
        )

    def page(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            assert self.process.poll() is None, self.process.communicate()
            return ""

    def metric(self, name: str, reason: str = "") -> float:
        for family in text_string_to_metric_families(self.page("/metrics")):
            for sample in family.samples:
                if sample.name == name and sample.labels.get("reason", "") == reason:
                    return float(sample.value)
        return -1

    def ready(self) -> Process:
        until(lambda: bool(self.page("/readyz")))
        return self

    def counted(self, count: int) -> None:
        until(lambda: self.metric("loganon_lines_counted_total") >= count)

    def end(self, number: int = signal.SIGTERM) -> tuple[dict[str, Any], str]:
        """The summary and the messages after a signal, within ten seconds."""
        self.process.send_signal(number)
        return self.over()

    def over(self) -> tuple[dict[str, Any], str]:
        out, err = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == 0, err
        answer = json.loads(out)
        check_balance(answer)
        check_store(self.store)
        return answer, err.decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def following(folder: Path, *words: object, **settings: Any) -> Iterator[Process]:
    found = Process(folder, *words, **settings)
    try:
        yield found.ready()
    finally:
        found.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop(tmp_path: Path, number: int) -> None:
    """What has come is committed, one object is printed, the exit code is 0, all within ten seconds."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(content(50)))
    with following(tmp_path, log) as process:
        process.counted(50)
        process.process.send_signal(signal.SIGHUP)
        with log.open("ab") as file:
            file.write(b"".join(content(30, "q")))
        begun = time.monotonic()
        answer, err = process.end(number)
        assert time.monotonic() - begun < 10
    assert answer["counted"] == 80
    assert hours_of(process.store) == counts_of([*content(50), *content(30, "q")])
    assert err.count("\n") == 2
    assert "following" in err


def test_patterns_and_rotation(tmp_path: Path) -> None:
    """A quoted pattern of files that come later, and a renaming, in the process with its own clock."""
    with following(tmp_path, tmp_path / "*.log") as process:
        log = tmp_path / "a.log"
        log.write_bytes(b"".join(content(40)))
        process.counted(40)
        with log.open("ab") as file:
            file.write(b"".join(content(20, "q")))
        log.rename(tmp_path / "a.log.1")
        log.write_bytes(b"".join(content(30, "r")))
        process.counted(90)
        answer, _ = process.end()
    assert answer["counted"] == 90
    assert hours_of(process.store) == counts_of([*content(40), *content(20, "q"), *content(30, "r")])


@pytest.mark.parametrize(("most", "least"), [(128, 64), (24, 1)])
def test_more_logs_than_may_be_open(tmp_path: Path, most: int, least: int) -> None:
    """What cannot be held open is said once; the others are counted, and the store, the page and a stop work."""
    for n in range(150):
        (tmp_path / f"{n:03}.log").write_bytes(b"".join(content(2, f"{n}")))

    def so_few() -> None:  # in a child before it starts, and that is not to be raised
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    with following(tmp_path, "*.log", before=so_few) as process:
        answer, err = process.end()
    assert 2 * least <= answer["counted"] < 2 * most
    assert err.count("more logs are here than can be held open") == 1
    assert "Too many" not in err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
def test_permission_lost_and_regained(tmp_path: Path) -> None:
    """Of a log that is held each line is read, whoever may open it by now; one that may not be opened is told, and is
    read once it may."""
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(content(10)))
    with following(tmp_path, log, before=without_override) as process:
        with log.open("ab") as file:
            log.chmod(0)
            file.write(b"".join(content(10, "more")))
        process.counted(20)
        log.rename(tmp_path / "access.log.1")
        log.write_bytes(b"".join(content(10, "new")))
        log.chmod(0)
        until(lambda: process.metric("loganon_troubles") == 1)
        log.chmod(0o600)
        process.counted(30)
        answer, err = process.end()
    assert answer["counted"] == 30
    told = [text for text in err.splitlines() if "access.log" in text][1:]
    assert [text.partition(": ")[2].partition(".")[0] for text in told] == [
        "this log cannot be opened: Permission denied",
        f"{tmp_path}/access",
    ]


def test_a_database_cut_off_while_in_use(tmp_path: Path) -> None:
    """A provider database that is written over in place, as `cp` does, ends nothing: what was read of it holds."""
    database = tmp_path / "providers.mmdb"
    shutil.copyfile(SAMPLES / "providers.mmdb", database)
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(content(10)))
    with following(tmp_path, log, "--provider-db", database) as process:
        os.truncate(database, 0)
        with log.open("ab") as file:
            file.write(b"".join(content(10, "more")).replace(b"91.44.26.11", b"84.128.7.9"))
        process.counted(20)
        answer, err = process.end()
    assert answer["counted"] == 20
    assert err.count("A provider database") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
def test_a_pattern_that_leads_nowhere(tmp_path: Path) -> None:
    """No log yet is said at the start; a folder that may not be read, until it may."""
    (tmp_path / "closed").mkdir(mode=0)
    with following(tmp_path, "none/*.log", "closed/*.log", before=without_override) as process:
        until(lambda: process.metric("loganon_troubles") == 1)
        (tmp_path / "closed").chmod(0o700)
        (tmp_path / "closed" / "a.log").write_bytes(b"".join(content(10)))
        process.counted(10)
        _, err = process.end()
    assert err.count("none/*.log: no log is there yet") == 1
    assert err.count("the folder of the logs cannot be read. closed.") == 1


STOPPED = """
import os, signal, sys
from loganon.cli.loop import Stop

class Nothing:
    ended = hurried = False
    ticks = 0

    def tick(self, *, look):
        self.ticks += 1
        if self.ticks == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    look = stop = lambda self: None

def signalled(frame, event, argument):
    if frame.f_code.co_name == "wait" and frame.f_back.f_code.co_name == "wait":  # where an Event has taken its lock
        os.kill(os.getpid(), signal.SIGTERM)

stop = Stop()
with stop.signals():
    sys.settrace(signalled)
    stop.loop(Nothing())
"""


def test_a_signal_at_any_moment() -> None:
    """The loop takes no lock that its signal handler takes, too: such a stop would wait for itself for ever."""
    subprocess.run([sys.executable, "-c", STOPPED], check=True, timeout=DEADLINE)


def test_a_thread_that_fails() -> None:
    """Where nothing can be looked at any more the loop ends with the error; it does not go on as if it saw its logs."""

    class Blind:
        ended = hurried = False
        ticks = 0

        def tick(self, *, look: bool = True) -> None:
            assert not look
            self.ticks += 1
            self.ended = self.ticks == 10

        def look(self) -> None:
            raise ZeroDivisionError

        def stop(self) -> None: ...

    with pytest.raises(ZeroDivisionError):
        Stop().loop(Blind())


def test_a_look_that_took_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a look hung, with a mount or a process that was stopped, the next follows within a minute: there was
    none for twenty times as long, and what was rotated away meanwhile was never seen."""
    clock = [0.0]
    pauses: list[float] = []

    class Hanging:
        def look(self) -> None:
            clock[0] += 3600.0 if len(pauses) == 2 else 0.1

    class Over:
        def wait(self, pause: float) -> bool:
            pauses.append(pause)
            return len(pauses) == 4

    monkeypatch.setattr("loganon.cli.loop.time.monotonic", lambda: clock[0])
    loop._look(Hanging(), Over(), [])  # type: ignore[arg-type]  # what it asks of them
    assert pauses == pytest.approx([0, 2, 60, 2])


def test_messages_as_json(tmp_path: Path) -> None:
    """Each message is one object on standard error."""
    with following(tmp_path, tmp_path / "x.log", "--messages", "json") as process:
        _, err = process.end()
    said = [json.loads(text) for text in err.splitlines()]
    assert [each["level"] for each in said] == ["error", "note", "note"]
    assert said[0]["where"] == str(tmp_path / "x.log")


def test_nothing_to_follow(tmp_path: Path) -> None:
    """Neither a log nor syslog is a usage error; an address in use or a wrong policy is 78, before anything is read."""
    command = Inside(tmp_path)
    assert command("follow", "--store", "store").code == 2
    done = command("follow", "x", "--store", "store", "--key-file", "key", "--listen", "nonsense")
    assert done.code == 78
    done = command("follow", "x", "--store", "new", "--key-file", "key", "--policy", "no-such.toml")
    assert done.code == 78


# --- the pipe ---------------------------------------------------------------------------------------------------------


def test_the_end_of_the_pipe(tmp_path: Path) -> None:
    """At the end of the input all of it is committed, the last line also without its end, and the exit code is 0."""
    read, write = os.pipe()
    with following(tmp_path, "-", stdin=read) as process:
        os.close(read)
        os.write(write, b"".join(content(60)[:-1]))
        process.counted(59)
        os.write(write, content(60)[-1].rstrip())
        os.close(write)
        answer, _ = process.over()
    assert (answer["counted"], len(answer["sources"])) == (60, 1)
    assert hours_of(process.store) == counts_of(content(60))


def test_the_pipe_and_sigterm(tmp_path: Path) -> None:
    """SIGTERM commits what is in the pipe, although the writer is still there."""
    read, write = os.pipe()
    with following(tmp_path, "-", stdin=read) as process:
        os.close(read)
        os.write(write, b"".join(content(60)))
        answer, _ = process.end()
    os.close(write)
    assert answer["counted"] == 60


def test_what_a_kill_of_the_pipe_can_lose(tmp_path: Path) -> None:
    """At most the lines since the last commit: all that was reported as committed is there, nothing is there twice."""
    read, write = os.pipe()
    with following(tmp_path, "-", "--format", "combined", stdin=read) as process:
        os.close(read)
        os.write(write, b"".join(content(60)))
        process.counted(60)
        os.write(write, b"".join(content(40, "q")))
        process.kill()
        os.close(write)
    check_store(process.store)
    kept = sum(requests for requests, _, _ in hours_of(process.store).values())
    assert kept in (60, 100)
    Process(tmp_path, "-", "--format", "combined").over()
    assert sum(requests for requests, _, _ in hours_of(process.store).values()) == kept


def test_no_raw_line_on_a_disk(tmp_path: Path) -> None:
    """While lines of a pipe wait for their commit no file of the store holds any."""
    read, write = os.pipe()
    process = Process(tmp_path, "-", "--flush-interval", "1h", "--format", "combined", stdin=read).ready()
    os.close(read)
    os.write(write, b"".join(content(60)))
    until(lambda: process.metric("loganon_lag_bytes") > 0)
    for path in process.store.rglob("*"):
        if path.is_file():
            assert b"91.44" not in path.read_bytes()
            assert b"/p/" not in path.read_bytes()
    process.kill()
    os.close(write)


def test_strict(tmp_path: Path) -> None:
    """With `--strict` a line that cannot be read makes the exit code 1 at the end; all others are counted."""
    write_key(tmp_path / "key")
    command = Command(tmp_path)
    words = ["follow", "-", "--store", "store", "--key-file", "key", "--format", "combined", "--strict", "--json"]
    done = subprocess.run(
        [*command.python, *words],
        cwd=tmp_path,
        env=command.environment(),
        input=b"".join([*content(9), b"nonsense\n"]),
        capture_output=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["counted"], answer["rejected"]["malformed"]) == (1, 9, 1)


def test_a_pipe_is_read_ahead_up_to_a_bound() -> None:
    """What is not taken is held up to a bound; beyond it the writer waits."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    feed = Prompt(read)
    sent = 0
    still = 0
    while still < 50:
        try:
            sent += os.write(write, b"x" * 65536)
            still = 0
        except BlockingIOError:
            still += 1
            time.sleep(0.01)
    assert 16 << 20 <= sent <= 18 << 20
    taken = 0
    os.close(write)
    while not (feed.ended and not feed.waiting):
        taken += len(feed.take(1 << 20))
    assert taken == sent
    os.close(read)


def test_a_pipe_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped while a writer goes on and on, the reader ends, and all that it did not give is left in the pipe: for the
    next logger, as the web server starts it."""
    monkeypatch.setattr("loganon.sources.prompt._LONGEST", 0.1)
    read, write = os.pipe()
    over, written = threading.Event(), []

    def flood() -> None:
        while not over.is_set():
            written.append(os.write(write, b"x" * 999 + b"\n"))
        os.close(write)

    feed = Prompt(read)
    writer = threading.Thread(target=flood, daemon=True)
    writer.start()
    taken = len(feed.read(1 << 20))
    feed.stop()
    while not (feed.ended and not feed.waiting):
        taken += len(feed.take(1 << 20))
    over.set()
    with os.fdopen(read, "rb") as rest:
        left = len(rest.read())
    writer.join()
    assert taken + left == sum(written)


def test_a_pipe_for_which_there_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come is given, then the error; nobody waits for a thread that reads no more."""
    read, write = os.pipe()
    os.write(write, b"a\n")
    blocks = [b"a\n"]

    def short(_descriptor: int, _limit: int) -> bytes:
        if not blocks:
            raise MemoryError
        return blocks.pop()

    with monkeypatch.context() as patch:
        patch.setattr("loganon.sources.prompt.os.read", short)
        feed = Prompt(read)
        assert feed.read(100) == b"a\n"
        with pytest.raises(OSError, match="Cannot allocate memory"):
            feed.read(100)
    assert feed.ended
    os.close(read)
    os.close(write)


# --- kills ------------------------------------------------------------------------------------------------------------


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Killed while it starts, reads or commits, with rotation in between, and started again: each line once."""
    dice = random.Random(20261121)
    log = tmp_path / "x.log"
    written: list[bytes] = []
    rotations = 1

    def write(number: int) -> None:
        part = content(300, f"part-{number}")
        written.extend(part)
        with log.open("ab") as file:
            file.write(b"".join(part))

    write(0)
    with following(tmp_path, log) as process:
        process.counted(300)
    command, warm = Command(tmp_path), Warm()
    words = ["follow", log, "--store", "store", "--key-file", "key", "--flush-interval", "1s", "--quiet"]
    try:
        for number in range(1, KILLS + 1):
            running = warm.start(command, *words)
            for step in range(dice.randrange(1, 8)):
                running.pause(dice.uniform(0.01, 0.15))
                write(number * 1000 + step)
                if dice.random() < 0.1:
                    log.rename(tmp_path / f"x.log.{rotations}")
                    log.touch()
                    rotations += 1
            running.kill()
            running.close()
    finally:
        warm.close()
    with following(tmp_path, log) as process:
        until(lambda: process.metric("loganon_lag_bytes") == 0)
        process.counted(0)
        process.end()
    assert hours_of(process.store) == counts_of(written)
