"""Syslog as it is sent: envelopes of RFC 3164 and 5424, sockets, what is too long, what is lost; real servers."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leaks import search_tree
from loganon.chunks import MAX_LINE_BYTES
from loganon.envelopes import message_of
from loganon.errors import CannotWriteError, ConfigurationError, LoganonError
from loganon.sources.live import Live
from loganon.sources.syslog import Address, Syslog, line_of, parse_address
from support.following import Clock, Following, held
from support.runs import NOW, counts_of, hours_of, line, lines
from support.servers import ask, free_port, program, running, until

MESSAGE = line(NOW).rstrip(b"\n")


@contextmanager
def receiving(address: Address, **options: int) -> Iterator[Syslog]:
    feed = Syslog(address, "syslog", **options)
    try:
        yield feed
    finally:
        feed.close()


@pytest.mark.parametrize(
    "envelope",
    [
        b"<190>Nov 22 03:16:18 web-1 nginx: ",
        b"<190>Nov  2 03:16:18 nginx: ",
        b"<134>Nov 22 03:16:18 haproxy[4711]: ",
        b"<134>Nov 22 03:16:18 2001:db8::1 haproxy[4711]: ",
        b"<134>1 2026-11-22T03:16:18.123456+01:00 web-1 haproxy 4711 - - ",
        b'<134>1 2026-11-22T03:16:18Z web-1 haproxy 4711 ID47 [a@1 b="c\\"]"][d@2] ',
        b"<134>1 - - - - - - \xef\xbb\xbf",
        b"<134>2026-11-22T03:16:18+01:00 web-1 nginx: ",
        b"<134>",
        b"",
    ],
)
def test_envelopes(envelope: bytes) -> None:
    """What a sender puts around the message is taken off, and nothing of the message."""
    assert line_of(envelope + MESSAGE) == MESSAGE + b"\n"
    assert line_of(envelope + MESSAGE + b"\r\n\0") == MESSAGE + b"\n"


def test_what_is_no_envelope() -> None:
    """A datagram that only begins like one stays as it is: it will be rejected where lines are."""
    for odd in (b"<9999>x", b"<1", b"Nov 99", b"1 2026", b"[:]" * 5000, b"<1>1 " + b"[a" * 20000):
        assert message_of(odd).endswith(odd[-2:] if odd.startswith(b"<1>") else odd)


def test_a_line_end_within(tmp_path: Path) -> None:
    """One datagram never is two lines: a line end in it makes it `binary`, as a NUL does."""
    assert line_of(b"<190>a\nb\n") == b"a\0b\n"
    following = syslog_following(tmp_path)
    send(following, MESSAGE + b"\n" + MESSAGE, MESSAGE, b"a\0b")
    answer = following.end()
    assert (answer["counted"], answer["rejected"]["binary"], answer["lines_read"]) == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("udp://127.0.0.1:5514", Address("127.0.0.1", 5514)),
        ("udp://:5514", Address("127.0.0.1", 5514)),
        ("udp://localhost:5514", Address("127.0.0.1", 5514)),
        ("udp://[::1]:5514", Address("::1", 5514)),
        ("udp://0.0.0.0:514", Address("0.0.0.0", 514)),
        ("unix:///run/x.sock", Address(path="/run/x.sock")),
        ("unixgram:///run/x.sock", Address(path="/run/x.sock")),
    ],
)
def test_addresses(text: str, found: Address) -> None:
    """UDP without an address is the loopback's; a Unix path is absolute."""
    assert parse_address(text) == found
    assert found.loopback == ("0.0.0.0" not in text)


@pytest.mark.parametrize(
    "text", ["", "udp://", "udp://127.0.0.1", "tcp://127.0.0.1:1", "unix://x", "udp://host:1", "udp://1.2.3.4:99999"]
)
def test_wrong_addresses(text: str) -> None:
    """What is no address is a configuration error that says how to write one."""
    with pytest.raises(ConfigurationError, match="udp://IP:PORT"):
        parse_address(text)


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """A socket's path has 107 bytes at most: 73 says so, although the system gives no reason."""
    with pytest.raises(CannotWriteError, match="its path is too long"):
        Syslog(Address(path=f"{tmp_path}/{'x' * 120}"), "syslog")


def syslog_following(folder: Path, **terms: float) -> Following:
    path = folder / "log.sock"
    feed = Syslog(Address(path=str(path)), f"unix://{path}")
    return Following(folder, lives=[Live(f"unix://{path}", feed)], **terms)


def send(following: Following, *messages: bytes) -> None:
    """Sends, and waits until the follower's thread has them."""
    feed = following.follower._lives[0].feed
    assert isinstance(feed, Syslog)
    before = feed.received
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        sender.connect(str(following.folder / "log.sock"))
        for message in messages:
            sender.send(message)
    until(lambda: feed.received == before + len(messages))


def test_datagrams_are_counted(tmp_path: Path) -> None:
    """Messages of several senders and forms; each once, committed by the interval and at the end."""
    following = syslog_following(tmp_path)
    content = lines(200)
    send(following, *(b"<190>Nov 22 03:16:18 web nginx: " + each.rstrip() for each in content[:120]))
    following(1)
    following(11)
    assert hours_of(following.store) == counts_of(content[:120])
    send(following, *(b"<134>1 2026-11-22T03:16:18Z web haproxy 1 - - " + each.rstrip() for each in content[120:]))
    answer = following.end()
    assert answer["counted"] == 200
    assert hours_of(following.store) == counts_of(content)
    assert [source["log"] for source in answer["sources"]] == [f"unix://{tmp_path}/log.sock"]


def test_too_long_and_malformed(tmp_path: Path) -> None:
    """A datagram beyond 1 MiB is `too_long`, one that was cut `malformed`; each is counted, nothing of it is stored."""
    following = syslog_following(tmp_path)
    biggest = int(Path("/proc/sys/net/core/wmem_max").read_text())
    messages = [MESSAGE, MESSAGE[:60], b"<190>" + MESSAGE]
    too_long = 0
    if biggest > MAX_LINE_BYTES or os.geteuid() == 0:
        try:
            send_forced(following, b"<190>" + b"x" * (MAX_LINE_BYTES + 10))
            too_long = 1
        except OSError:
            pass
    send(following, *messages)
    answer = following.end()
    assert (answer["counted"], answer["rejected"]["malformed"], answer["rejected"]["too_long"]) == (2, 1, too_long)
    assert len(line_of(b"<190>" + b"x" * (2 * MAX_LINE_BYTES))) == MAX_LINE_BYTES + 3


def send_forced(following: Following, message: bytes) -> None:
    feed = following.follower._lives[0].feed
    assert isinstance(feed, Syslog)
    before = feed.received
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE
        sender.connect(str(following.folder / "log.sock"))
        sender.send(message)
    until(lambda: feed.received == before + 1)


def test_what_our_queue_drops_is_counted(tmp_path: Path) -> None:
    """Beyond its bound nothing is held, and each datagram lost so is counted; what was held is given."""
    path = tmp_path / "s"
    with receiving(Address(path=str(path)), queue=1000) as feed, sender_to(path) as sender:
        for _ in range(20):
            sender.send(b"x" * 99)
        until(lambda: feed.received == 20)
        assert feed.dropped["queue"] == 10
        assert feed.take(1 << 20) == (b"x" * 99 + b"\n") * 10
        sender.send(b"y")
        until(lambda: feed.waiting > 0)
        assert feed.take(1 << 20) == b"y\n"


def test_memory_that_runs_out_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram for which there is no memory is counted as dropped, and those that follow are read."""

    def short(datagram: bytes) -> bytes:
        if datagram == b"large":
            raise MemoryError
        return line_of(datagram)

    monkeypatch.setattr("loganon.sources.syslog.line_of", short)
    path = tmp_path / "s"
    with receiving(Address(path=str(path))) as feed, sender_to(path) as sender:
        for text in (b"a", b"large", b"b"):
            sender.send(text)
        until(lambda: feed.received == 3)
        assert feed.dropped["queue"] == 1
        assert feed.take(1 << 20) == b"a\nb\n"


def test_drops_are_told(tmp_path: Path) -> None:
    """Whoever looks at no metrics learns of them, too: at once that there are some, at the end how many."""
    path = tmp_path / "s"
    with receiving(Address(path=str(path)), queue=1000) as feed, sender_to(path) as sender:
        following = Following(tmp_path, lives=[Live("syslog", feed)])
        for _ in range(20):
            sender.send(b"x" * 99)
        until(lambda: feed.received == 20)
        following(0, times=3)
        assert following.said.notes == ["syslog: datagrams come faster than they are read, and are dropped"]
        summary = following.follower.finish()
    assert "10 datagrams were dropped unread: 10 by the queue." in summary.warnings


def test_what_the_kernel_drops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A UDP receive buffer that is full: the kernel's own count of what it dropped."""
    monkeypatch.setattr("loganon.sources.syslog.RECEIVE_BYTES", 4096)
    monkeypatch.setattr("loganon.sources.syslog.Syslog._receive", lambda _self: None)  # nobody reads
    with receiving(Address("127.0.0.1", 0)) as feed, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(200):
            sender.sendto(b"x" * 1000, ("127.0.0.1", feed.port))
        assert 0 < feed.dropped["kernel"] <= 200
        rows = Path("/proc/net/udp").read_text().splitlines()[1:]
        found = next(row.split() for row in rows if row.split()[1].endswith(f":{feed.port:04X}"))
        assert feed.dropped["kernel"] == int(found[-1])
        feed._ended = True


@contextmanager
def sender_to(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        yield sender


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_socket_file(tmp_path: Path, mask: int) -> None:
    """0660 whatever the umask; a dead one is replaced, a living one and any other file are not; gone at the end."""
    path = tmp_path / "s"
    before = os.umask(mask)
    try:
        with receiving(Address(path=str(path))):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with pytest.raises(LoganonError, match="syslog cannot be received here"):
                Syslog(Address(path=str(path)), "again")
        assert not path.exists()
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        dead.bind(str(path))
        dead.close()
        with receiving(Address(path=str(path))):
            path.unlink()
            path.write_text("another's")
        assert path.read_text() == "another's"
        with pytest.raises(LoganonError):
            Syslog(Address(path=str(path)), "a file")
        assert path.read_text() == "another's"
    finally:
        os.umask(before)


def test_the_socket_file_is_removed(tmp_path: Path) -> None:
    """By others, while it is in use: senders that begin now cannot reach it, which is said once. Another's socket at
    the path is left there at the end."""
    path = tmp_path / "s"
    with receiving(Address(path=str(path))) as feed, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        following = Following(tmp_path, lives=[Live("unix:///s", feed)])
        following(times=2)
        assert not following.said.errors
        path.unlink()
        following(times=2)
        other.bind(str(path))
        following(times=2)
        assert [error.what for error in following.said.errors] == [
            "the socket is no longer at its path, where senders look for it"
        ]
        assert following.follower.figures.troubles == 1
        following.follower.finish()
    assert path.exists()


def test_the_socket_file_is_put_back(tmp_path: Path) -> None:
    """What was wrong with it is said to be over."""
    path, away = tmp_path / "s", tmp_path / "away"
    with receiving(Address(path=str(path))) as feed:
        following = Following(tmp_path, lives=[Live("unix:///s", feed)])
        path.rename(away)
        following(times=2)
        assert following.follower.figures.troubles == 1
        away.rename(path)
        following(times=2)
        assert following.follower.figures.troubles == 0
        assert "unix:///s: the socket is at its path again" in following.said.notes
        following.follower.finish()


def test_nothing_left_open(tmp_path: Path) -> None:
    """Opening and closing many times leaves no descriptor and no file."""
    before = len(held())
    for _ in range(5):
        with receiving(Address(path=str(tmp_path / "s"))):
            pass
    assert len(held()) == before
    assert not list(tmp_path.iterdir())


def test_a_flood_does_not_keep_it_open() -> None:
    """While a sender goes on and on, a stop takes what can have waited, and the end comes."""
    stop = threading.Event()
    with receiving(Address("127.0.0.1", 0)) as feed:

        def flood() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                while not stop.is_set():
                    sender.sendto(b"<190>x: " + b"y" * 1000, ("127.0.0.1", feed.port))

        senders = [threading.Thread(target=flood, daemon=True) for _ in range(2)]
        for sender in senders:
            sender.start()
        until(lambda: feed.received > 100)
        feed.stop()
        until(lambda: not feed._thread.is_alive(), 30)
        stop.set()
        for sender in senders:
            sender.join()


# --- real servers -----------------------------------------------------------------------------------------------------

NGINX = """
daemon off; {user} pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}
http {{
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  access_log syslog:server={server} combined;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}
}}
"""
HAPROXY = """
global
  log {server} len 4096 format {format} local0
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  log global
  option httplog
  option dontlognull
frontend web
  bind 127.0.0.1:{port}
  http-request return status 200
"""
REQUESTS = (b"/", b"/a?x=1", b"/%22quoted%22", b"/" + b"long" * 100, b"/\xc3\xbc", b"/jane@example.org/page")


def visit(port: int, agent: bytes) -> int:
    for path in REQUESTS:
        request = b"GET %b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %b\r\nConnection: close\r\n\r\n"
        assert ask(port, request % (path, agent)).startswith(b"HTTP/1.1 ")
    return len(REQUESTS)


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_what_nginx_sends(tmp_path: Path, kind: str) -> None:
    """Every request that nginx answered is counted once, with its quotes and escapes, and no address is stored."""
    nginx, port = program("nginx"), free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # the socket is for its owner and group
    with received(kind, "combined", tmp_path) as (following, feed, server):
        (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port, server=server, user=user))
        with running([nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)], port, tmp_path / "out"):
            sent = visit(port, b'Mozilla/5.0 "quoted" \\ Firefox/120.0')
            until(lambda: feed.received >= sent)
        answer = following.end()
    assert answer["counted"] == sent
    assert not search_tree(following.store, [b"127.0.0.1", b"jane@example.org"])


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424"])
@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_what_haproxy_sends(tmp_path: Path, kind: str, form: str) -> None:
    """As with nginx, in both RFCs' forms, which HAProxy writes itself."""
    haproxy, port = program("haproxy"), free_port()
    with received(kind, "haproxy_http", tmp_path) as (following, feed, server):
        (tmp_path / "haproxy.cfg").write_text(
            HAPROXY.format(port=port, server=server.removeprefix("unix:"), format=form)
        )
        with running([haproxy, "-db", "-f", str(tmp_path / "haproxy.cfg")], port, tmp_path / "out"):
            sent = visit(port, b"Firefox/120.0")
            until(lambda: feed.received >= sent)
        answer = following.end()
    assert answer["lines_read"] == sent
    assert answer["counted"] >= sent - 1, answer["rejected"]  # a path that is no ASCII it refuses


@contextmanager
def received(kind: str, format_name: str, folder: Path) -> Iterator[tuple[Following, Syslog, str]]:
    """A follower of a socket, and the socket as servers name it."""
    path = folder / "s.sock"
    address = Address("127.0.0.1", free_port()) if kind == "udp" else Address(path=str(path))
    feed = Syslog(address, "syslog")
    clock = Clock(datetime.now(UTC))
    following = Following(folder, lives=[Live("syslog", feed)], format=format_name, clock=clock)
    yield following, feed, f"127.0.0.1:{address.port}" if kind == "udp" else f"unix:{path}"
