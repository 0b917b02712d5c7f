"""Real servers on loopback ports, and requests to them, byte by byte; the real logrotate on their logs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

SBIN = "/usr/sbin:/usr/local/sbin:/sbin"


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Where a program lies; the test is skipped where it is not installed, and fails with LOGANON_SERVERS."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + SBIN)
    if found is None:
        assert not os.environ.get("LOGANON_SERVERS"), f"{name} is not installed, and LOGANON_SERVERS says that it is"
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(command: list[str], port: int, output: Path) -> Iterator[None]:
    """The server while it listens; it is stopped so that its log is whole."""
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        for _ in range(200):
            assert process.poll() is None, output.read_text("utf-8", "replace")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail(f"{command[0]} does not listen")
        yield
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, request: bytes, *, host: str = "127.0.0.1") -> bytes:
    """What the server answers to these bytes, up to its closing the connection."""
    found = bytearray()
    with socket.create_connection((host, port), 60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            while block := connection.recv(65536):
                found += block
        except ConnectionResetError:
            pass
    return bytes(found)


# --- a site with its log, as an operator runs it ---------------------------------------------------------------------

PAGES = {"index.html": b"<p>hello</p>" * 20, "page.html": b"x" * 3000}


@dataclass(frozen=True, slots=True)
class Site:
    """A server's folder: its pages, its configuration, its logs; `port` on 127.0.0.1 and ::1."""

    folder: Path
    port: int

    @property
    def log(self) -> Path:
        return self.folder / "log" / "access.log"

    @property
    def pid(self) -> Path:
        return self.folder / "server.pid"

    def make(self) -> None:
        """The folders and the pages."""
        for name in ("www", "log", "tmp"):
            (self.folder / name).mkdir(parents=True)
        for name, content in PAGES.items():
            (self.folder / "www" / name).write_bytes(content)


def nginx_site(site: Site, access_log: str | None = None) -> list[str]:
    """nginx with its own `combined` format; `access_log`: the directive's arguments."""
    temporary = "".join(
        f"{kind}_temp_path {site.folder}/tmp/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (site.folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 2; user root; pid {site.pid}; error_log {site.folder}/log/error.log;
events {{ }}
http {{
    {temporary}
    access_log {access_log or site.log};
    server {{
        listen 127.0.0.1:{site.port}; listen [::1]:{site.port};
        root {site.folder}/www;
    }}
}}
""")
    return [program("nginx"), "-c", str(site.folder / "nginx.conf"), "-p", str(site.folder)]


def apache_site(site: Site, custom_log: str | None = None) -> list[str]:
    """Apache with the `combined` format of its own configuration; `custom_log`: the directive's first argument."""
    modules = Path("/usr/lib/apache2/modules")
    binary = program("apache2")
    (site.folder / "apache.conf").write_text(rf"""
ServerRoot {site.folder}
ServerName localhost
PidFile {site.pid}
DefaultRuntimeDir {site.folder}/tmp
Mutex pthread
Listen 127.0.0.1:{site.port}
Listen [::1]:{site.port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
User www-data
Group www-data
DocumentRoot {site.folder}/www
ErrorLog {site.folder}/log/error.log
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{{Referer}}i\" \"%{{User-Agent}}i\"" combined
CustomLog {custom_log or site.log} combined
""")
    return [binary, "-D", "FOREGROUND", "-f", str(site.folder / "apache.conf")]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, byte by byte, and the file as the table names it."""

    file: str
    request: bytes


def _get(path: str, *headers: str, method: str = "GET", protocol: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {path} {protocol}", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


VISITS = (
    Visit("/index.html", _get("/index.html", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Firefox/120.0")),
    Visit("/page.html", _get("/page.html?mail=jane.doe@example.org&q=203.0.113.7", "Referer: http://203.0.113.9/x")),
    Visit("/index.html", b"GET /index.html HTTP/1.0\r\n\r\n"),
    Visit("/index.html", _get("/index.html", "Content-Length: 3", method="POST") + b"a=1"),
    Visit("/page.html", _get("/page.html", "Range: bytes=0-9")),
    Visit("/page.html", _get("/page.html", method="HEAD")),
    Visit("/missing.html", _get("/missing.html")),
    Visit("/caf%C3%A9.html", _get("/caf%C3%A9.html")),
    Visit("/user/{email}/p", _get("/user/jane.doe%40example.org/p", "User-Agent: curl/8.1")),
    Visit("{invalid}", b"GARBAGE\r\n\r\n"),
    Visit("{invalid}", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(0x80, 0xC0)) + b"\r\n\r\n"),
)


class Traffic:
    """Visits one after the other, in a thread, until told to stop; what the visitor himself saw of them.

    Each round of visits has a number in a query, as no two minutes of a site are alike: two logs that agree over their
    first 4,096 bytes and differ later are set aside. `seen`: requests and bytes of bodies by file and success.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._turns = threading.Condition()
        self._pausing = 0
        self._waiting = False
        self.turns = 0
        self.seen: dict[tuple[str, bool], list[int]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._turns:
            self._stop.set()
            self._turns.notify_all()
        self._thread.join(60)

    def wait(self, turns: int) -> None:
        """Until so many rounds of all visits more are through."""
        with self._turns:
            goal = self.turns + turns
            assert self._turns.wait_for(lambda: self.turns >= goal or not self._thread.is_alive(), 120)
        assert self._thread.is_alive()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A block in which there are no visits."""
        with self._turns:
            self._pausing, goal = 1, self.turns + 1
            assert self._turns.wait_for(lambda: self._waiting or self.turns >= goal or not self._thread.is_alive(), 120)
        try:
            yield
        finally:
            with self._turns:
                self._pausing = 0
                self._turns.notify_all()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for visit in VISITS:
                    self._visit(visit)
                with self._turns:
                    self.turns += 1
                    self._turns.notify_all()
                    self._waiting = True
                    self._turns.wait_for(lambda: not self._pausing or self._stop.is_set())
                    self._waiting = False
        finally:
            with self._turns:
                self._turns.notify_all()

    def _visit(self, visit: Visit) -> None:
        request = visit.request.replace(b" /index.html ", b" /index.html?turn=%d " % self.turns)
        answer = ask(self._port, request, host="::1" if self.turns % 3 == 1 else "127.0.0.1")
        head, _, body = answer.partition(b"\r\n\r\n")
        success = head.startswith(b"HTTP/1.") and 100 <= int(head.split()[1]) < 400
        found = self.seen.setdefault((visit.file, success), [0, 0])
        found[0] += 1
        found[1] += len(body)


def rotated(site: Site, options: str, postrotate: str, count: int) -> Callable[[], None]:
    """A call of the real logrotate on the site's log, whatever its age and size."""
    configuration, state = site.folder / "logrotate.conf", site.folder / "logrotate.state"
    script = f"postrotate\n{postrotate}\nendscript" if postrotate else ""
    configuration.write_text(f"{site.log} {{\nrotate {count}\n{options}\n{script}\n}}\n")
    configuration.chmod(0o644)
    command = [program("logrotate"), "--force", "--state", str(state), str(configuration)]

    def rotate() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return rotate


def until(holds: Callable[[], bool], seconds: float = 180) -> None:
    """Nothing, once `holds` does; the test fails if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)
