"""What the real servers write of hostile requests is read back as it was sent.

Each server is started on a loopback port; where it is not installed its tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from loganon.chunks import Chunk
from loganon.formats.given import resolve
from loganon.parse import make_parser
from support.servers import ask, free_port, program, running

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
COMBINED = r"apache:%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
NGINX = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
JSON = '{"t":"$time_iso8601","c":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"a":"$http_user_agent"}'


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent: the path and the agent; None for the agent: bytes that are no HTTP at all."""

    rule: str
    path: bytes
    agent: bytes | None


CASES = (
    Case("plain", b"/a?x=1", b"Mozilla/5.0 (X11; Linux)"),
    Case("quotes and a backslash", b"/q", b'a "b" c\\d'),
    Case("what looks like an escape", b"/e", b'\\x22 \\" \\\\ #22 %22 \\u0041 \\n'),
    Case("a backslash at the end", b"/b", b"ends\\"),
    Case("a quote at the end", b"/b", b'ends"'),
    Case("a forged line end", b"/f", b'x" 200 1 "-" "y'),
    Case("a tab", b"/t", b"a\tb"),
    Case("UTF-8", b"/u", "Zürich 日本".encode()),
    Case("no UTF-8", b"/l", b"Z\xfcrich \xff\xfe"),
    Case("braces and hashes", b"/h", b"{a|b} #{c}"),
    Case("a path with a percent-encoded quote", b"/%22%5C%41", b"x"),
    Case("a long path", b"/" + b"a" * 3000, b"x"),
    Case("a path in UTF-8", "/ü/日本".encode(), b"x"),
    Case("a path with a quote and a backslash", b'/"\\', b"x"),
    Case("TLS", b"\x16\x03\x01\x02\x05\x01\x01\x02\x03\xfc\x03\x03" + bytes(range(0x21, 0x60)), None),
)


def sent(case: Case) -> bytes:
    if case.agent is None:
        return case.path + b"\r\n\r\n"
    return (
        b"GET "
        + case.path
        + b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "
        + case.agent
        + b"\r\nConnection: close\r\n\r\n"
    )


def nginx(folder: Path, port: int, log: Path, escape: str, template: str) -> list[str]:
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; large_client_header_buffers 4 32k;
    log_format of_the_test {escape}
        '{template[:40]}'
        '{template[40:]}';
    access_log {log} of_the_test;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }}
}}
""")
    return [program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def nginx_default(folder: Path, port: int, log: Path) -> list[str]:
    return nginx(folder, port, log, "", NGINX)


def nginx_json(folder: Path, port: int, log: Path) -> list[str]:
    return nginx(folder, port, log, "escape=json", JSON)


def apache(folder: Path, port: int, log: Path) -> list[str]:
    binary = program("apache2")
    modules = Path("/usr/lib/apache2/modules")
    (folder / "apache.conf").write_text(rf"""
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
Mutex pthread
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
User www-data
Group www-data
ErrorLog {folder}/error.log
LimitRequestLine 16000
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{{Referer}}i\" \"%{{User-Agent}}i\"" of_the_test
CustomLog {log} of_the_test
""")
    return [binary, "-D", "FOREGROUND", "-f", str(folder / "apache.conf")]


def lighttpd(folder: Path, port: int, log: Path) -> list[str]:
    (folder / "lighttpd.conf").write_text(f"""
server.modules = ("mod_accesslog")
server.document-root = "{folder}"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{folder}/error.log"
accesslog.filename = "{log}"
""")
    return [program("lighttpd"), "-D", "-f", str(folder / "lighttpd.conf")]


def haproxy(folder: Path, port: int, log: Path) -> list[str]:  # noqa: ARG001 - its log is its output
    (folder / "haproxy.cfg").write_text(f"""
global
    log stdout len 65535 format raw daemon
    tune.bufsize 32768
    tune.http.logurilen 8000
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend test
    bind 127.0.0.1:{port}
    log global
    option httplog
    option accept-invalid-http-request
    http-request return status 200
""")
    return [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def squid(folder: Path, port: int, log: Path) -> list[str]:
    """Squid in front of a server that is not there; started by root it becomes `proxy`, to whom the folder is given."""
    binary = program("squid")
    if os.geteuid() == 0:
        shutil.chown(folder, "proxy", "proxy")
    (folder / "squid.conf").write_text(f"""
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log stdio:{log} squid
netdb_filename none
cache deny all
http_access deny all
pinger_enable off
visible_hostname localhost
coredump_dir {folder}
shutdown_lifetime 0 seconds
strip_query_terms off
uri_whitespace allow
""")
    return [binary, "-N", "-d", "1", "-f", str(folder / "squid.conf")]


Configure = Callable[[Path, int, Path], list[str]]
SERVERS: tuple[tuple[Configure, str, bool], ...] = (
    (nginx_default, "nginx.conf:of_the_test", True),
    (nginx_json, "nginx.conf:of_the_test", True),
    (apache, "apache.conf:of_the_test", True),
    (lighttpd, "lighttpd", True),
    (haproxy, "haproxy_http", False),
)


@pytest.mark.parametrize(("configure", "given", "agents"), SERVERS, ids=[server[0].__name__ for server in SERVERS])
def test_read_back(tmp_path: Path, configure: Configure, given: str, agents: bool) -> None:
    """Each request makes one line, of which the path and the agent are the bytes that were sent."""
    port, log = free_port(), tmp_path / "access.log"
    command = configure(tmp_path, port, log)
    with running(command, port, tmp_path / "output"):
        for case in CASES:
            ask(port, sent(case))
            time.sleep(0.02)  # so that the lines are in the order of the requests
    written = (log if log.exists() else tmp_path / "output").read_bytes()
    fmt = resolve(source=str(tmp_path / given)) if ":" in given else resolve(given)
    assert fmt is not None
    parser = make_parser(fmt, needs=frozenset({"client", "request", "agent"}), max_rejects=100)
    lines = written.splitlines(keepends=True)
    data = b"".join(line for line in lines if b"Proxy" not in line)  # HAProxy's output has what it says of itself, too
    parsed = parser(Chunk(data, 0, len(data)), ())
    assert parsed.rejected == {}, [reject.shape for reject in parsed.rejects]
    requests = parsed.columns["request"].to_pylist()
    seen = requests.copy()
    for case in CASES:
        whole = sent(case).split(b"\r\n")[0]
        if case.agent is None:
            continue
        assert whole in requests, (case.rule, whole[:100], [r[:100] for r in requests if r[:6] == whole[:6]])
        seen.remove(whole)
    for request in seen:  # what was no HTTP: a beginning of what was sent, or nothing
        starts = [sent(case) for case in CASES if case.agent is None]
        assert request.strip() in (b"", b"-", b"<BADREQ>") or any(start.startswith(request) for start in starts), (
            request[:80]
        )
    if agents:
        found = parsed.columns["agent"].to_pylist()
        for case in CASES:
            if case.agent is not None:
                pairs = list(zip(requests, found, strict=True))
                assert (sent(case).split(b"\r\n")[0], case.agent) in pairs, (case.rule, case.agent, found)
    assert set(parsed.columns["client"].to_pylist()) == {b"127.0.0.1"}


def test_squid_is_read_back() -> None:
    """Squid writes whole URLs, percent-encoded where a byte is no visible ASCII: each is the one that was asked for.

    Its native format has no agent. It runs as its own user, who cannot come into the folders of pytest.
    """
    with TemporaryDirectory(prefix="loganon-squid-") as name:
        folder, port = Path(name), free_port()
        log = folder / "access.log"
        with running(squid(folder, port, log), port, folder / "output"):
            for case in CASES:
                ask(port, sent(case))
                time.sleep(0.02)
        data = log.read_bytes()
    fmt = resolve("squid")
    assert fmt is not None
    parsed = make_parser(fmt, needs=frozenset({"client", "path", "status"}), max_rejects=100)(
        Chunk(data, 0, len(data)), ()
    )
    assert parsed.rejected == {}, [reject.shape for reject in parsed.rejects]
    asked = [b"http://localhost" + quote(case.path, safe=VISIBLE).encode() for case in CASES if case.agent is not None]
    paths = parsed.columns["path"].to_pylist()
    assert [path for path in paths if not path.startswith(b"error:")] == asked
    assert paths[-1] == b"error:invalid-request"
    assert set(parsed.columns["client"].to_pylist()) == {b"127.0.0.1"}
