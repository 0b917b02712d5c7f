"""`/metrics`, `/healthz` and `/readyz`: read by Prometheus's own parser; what is documented is there and moves."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loganon.errors import ConfigurationError
from loganon.following import server as serving
from loganon.following.server import MOST_CONNECTIONS, REQUEST_BYTES, Server, parse_listen, serve
from support.following import Following
from support.runs import NOW, line, lines

DOCUMENT = Path(__file__).parents[1] / "docs" / "follow.md"
Samples = dict[tuple[str, str], float]


@contextmanager
def served(following: Following) -> Iterator[Server]:
    with serve("127.0.0.1:0", lambda: (following.follower.figures,), following.clock.seconds) as server:
        yield server


def get(server: Server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scrape(server: Server) -> Samples:
    """Samples by name and reason."""
    _, text = get(server, "/metrics")
    return {
        (sample.name, sample.labels.get("reason", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def documented() -> set[str]:
    return set(re.findall(r"^\| `((?:loganon|process)_[a-z_]+)", DOCUMENT.read_text("utf-8"), re.MULTILINE))


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    """A store whose path has bytes that are no UTF-8, or a line end, is a label like another: the page is served."""
    folder = tmp_path / "a\udcffb\nc"
    folder.mkdir()
    following = Following(folder, folder / "x.log")
    following()
    with served(following) as server:
        assert scrape(server)["loganon_ready", ""] == 1
        assert "a\\\\udcffb\\\\nc/store" in get(server, "/metrics")[1]
    following.end()


def test_each_metric_is_there_and_moves(tmp_path: Path) -> None:
    """Every metric of the document is served, and nothing of ours that is not in it; lines move their figures."""
    log = tmp_path / "x.log"
    following = Following(tmp_path, log)
    with served(following) as server:
        before = scrape(server)
        following.write(log, [*lines(30), b"no line of any format\n", line(NOW + timedelta(days=3))])
        following(1)
        following.write(log, line(NOW)[:-20])
        following(1)
        after = scrape(server)
        assert {name for name, _ in after if not name.startswith("process_")} == {
            name for name in documented() if not name.startswith("process_")
        }
        assert documented() <= {name for name, _ in after}
        moved = {key: after[key] - before.get(key, 0) for key in after}
        assert moved["loganon_lines_read_total", ""] == 32
        assert moved["loganon_lines_counted_total", ""] == 30
        assert moved["loganon_lines_rejected_total", "malformed"] == 1
        assert moved["loganon_lines_rejected_total", "future"] == 1
        assert (
            moved["loganon_lines_by_provider_total", "unknown"]
            + moved["loganon_lines_by_provider_total", "suffix"]
            + moved["loganon_lines_by_provider_total", "domain"]
            == 30
        )
        assert moved["loganon_read_bytes_total", ""] == log.stat().st_size - len(line(NOW)) + 20
        assert moved["loganon_lag_bytes", ""] == len(line(NOW)) - 20
        assert moved["loganon_logs", ""] == 1
        assert moved["loganon_ready", ""] == 1
        assert after["loganon_last_commit_timestamp_seconds", ""] == following.clock.time.timestamp() - 1
        assert after["loganon_last_retention_timestamp_seconds", ""] > NOW.timestamp()
        assert after["loganon_oldest_partition_age_seconds", ""] > 0
        assert after["process_resident_memory_bytes", ""] > 50e6
        log.unlink()
        log.mkdir()
        following(1)
        assert scrape(server)["loganon_troubles", ""] == 1
    following.end()


def test_nothing_of_a_log(tmp_path: Path) -> None:
    """Labels are the store's path and reasons; no client, path or agent of a line is served."""
    log = tmp_path / "x.log"
    following = Following(tmp_path, log)
    following.write(log, line(NOW, "/secret-path", client="203.0.113.77"))
    following(1)
    with served(following) as server:
        status, text = get(server, "/metrics")
        assert status == 200
        for part in ("203.0.113", "secret-path", "Firefox", "Mozilla"):
            assert part not in text
        labels = {
            (name, value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            for name, value in sample.labels.items()
        }
    assert {value for name, value in labels if name == "store"} == {str(following.store)}
    assert {name for name, _ in labels} == {"store", "reason"}
    following.end()


def test_probes(tmp_path: Path) -> None:
    """Alive while the loop ticks, ready after the first round; other paths are 404."""
    following = Following(tmp_path, tmp_path / "x.log")
    with served(following) as server:
        assert get(server, "/healthz")[0] == 200
        assert get(server, "/readyz")[0] == 503
        following(1)
        assert get(server, "/readyz")[0] == 200
        assert get(server, "/")[0] == 404
        following.clock.go(serving.STALE + 1)
        assert get(server, "/healthz")[0] == 503
        following(1)
        assert get(server, "/healthz?verbose")[0] == 200
    following.end()


def raw(server: Server, request: bytes) -> bytes:
    host, port = server.server_address[:2]
    with socket.create_connection((str(host), int(port)), 10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while block := connection.recv(65536):
                found += block
        except ConnectionResetError:
            pass
        return found


REFUSED = b"HTTP/1.0 400 Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REQUESTS = {
    "nothing": b"",
    "blank": b"\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00",
    "word": b"GET\r\n\r\n",
    "post": b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\nabc",
    "long": b"GET /" + b"a" * REQUEST_BYTES + b" HTTP/1.1\r\n\r\n",
    "version": b"GET /%0d%0aSet-Cookie:x HTTP/9.9\r\n\r\n",
    "headers": b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_hostile_requests(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    """Whatever is sent, nothing is said about it, nothing of it comes back, and the next scrape succeeds."""
    following = Following(tmp_path, tmp_path / "x.log")
    with served(following) as server:
        answer = raw(server, REQUESTS[name])
        assert b"Set-Cookie" not in answer
        assert b"aaaa" not in answer
        assert get(server, "/metrics")[0] == 200
    following.end()
    assert capfd.readouterr() == ("", "")


def test_slow_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that send nothing take only as many threads as there may be, each for a short while."""
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 0.3)
    following = Following(tmp_path, tmp_path / "x.log")
    with served(following) as server:
        host, port = server.server_address[:2]
        idle = [socket.create_connection((str(host), int(port)), 10) for _ in range(3 * MOST_CONNECTIONS)]
        for connection in idle:  # each is closed by the server: those beyond the eighth at once, the others soon
            connection.settimeout(10)
            with suppress(ConnectionResetError):
                assert connection.recv(1000) in (b"", REFUSED)
            connection.close()
        assert get(server, "/healthz")[0] == 200
    following.end()


def test_silent_clients_are_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections stand and say nothing, for as long as they may, a probe is answered."""
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 600.0)
    following = Following(tmp_path, tmp_path / "x.log")
    with served(following) as server, ExitStack() as opened:
        host, port = server.server_address[:2]
        for _ in range(2 * MOST_CONNECTIONS):
            opened.enter_context(socket.create_connection((str(host), int(port)), 10))
            assert get(server, "/healthz") == (200, "alive\n")
    following.end()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("9464", ("127.0.0.1", 9464)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:9464", ("::1", 9464)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    """Without a host it is the loopback's; another address must be written out."""
    assert parse_listen(text) == found


@pytest.mark.parametrize("text", ["", "host:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1"])
def test_wrong_addresses(text: str) -> None:
    """What is no address is a configuration error, before anything is read."""
    with pytest.raises(ConfigurationError):
        parse_listen(text)
