"""The sample logs are invented, small, and come out of their scripts again byte for byte."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import maxminddb
import pytest

from oracle import Reading, accesses, read_bytes, read_log

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
FORMATS = {
    "shop.access.log": "combined",
    "shop.access.log.1.gz": "combined",
    "hosts.access.log": "common",
    "vhosts.access.log": "combined_vhost",
    "old.access.log": "common",
}


def script(name: str, target: Path) -> None:
    """Runs a script of the folder in a process of its own."""
    subprocess.run([sys.executable, SAMPLES / name, "--out", target], check=True, capture_output=True, timeout=120)


def test_the_script_gives_the_same_logs_again(tmp_path: Path) -> None:
    """`make.py` writes what is committed; a gzip file may differ in how it was deflated, not in what it holds."""
    script("make.py", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FORMATS)
    for name in FORMATS:
        new, old = (tmp_path / name).read_bytes(), (SAMPLES / name).read_bytes()
        if name.endswith(".gz"):
            assert new[:8] == old[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "no name and no time in the header"
            new, old = gzip.decompress(new), gzip.decompress(old)
        assert new == old, name


def test_the_script_gives_the_same_database_again(tmp_path: Path) -> None:
    """`make_providers.py` writes what is committed, its build date included."""
    script("make_providers.py", tmp_path / "providers.mmdb")
    assert (tmp_path / "providers.mmdb").read_bytes() == (SAMPLES / "providers.mmdb").read_bytes()


def test_the_database_answers() -> None:
    """IPv4 and IPv6 addresses give the number and name of their network; others nothing."""
    with maxminddb.open_database(str(SAMPLES / "providers.mmdb")) as database:
        assert database.get("91.44.26.11") == {
            "autonomous_system_number": 3320,
            "autonomous_system_organization": "Deutsche Telekom AG",
        }
        assert database.get("2003:0:ab::1") == database.get("91.44.26.11")
        assert database.get("192.0.2.1") is None
        assert database.get("10.0.0.1") is None
        meta = database.metadata()
        assert (meta.ip_version, meta.build_epoch) == (6, 1_795_132_800)


def test_the_folder_is_small() -> None:
    """All files together stay below 1 MiB."""
    assert sum(path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()) < 1024 * 1024


@pytest.mark.parametrize(
    ("name", "lines", "rejected", "days"),
    [
        ("shop.access.log", 3000, {}, ["2026-11-18", "2026-11-19", "2026-11-20"]),
        ("shop.access.log.1.gz", 800, {}, ["2026-11-17"]),
        ("hosts.access.log", 900, {}, ["2026-11-18", "2026-11-19", "2026-11-20"]),
        ("vhosts.access.log", 450, {}, ["2026-11-20"]),
        (
            "old.access.log",
            400,
            {"malformed": 5, "binary": 1},
            ["2026-10-08", "2026-10-09", "2026-10-10", "2026-10-11", "2026-10-12", "2026-10-13"],
        ),
    ],
)
def test_what_the_logs_add_up_to(name: str, lines: int, rejected: dict[str, int], days: list[str]) -> None:
    """Lines, rejected lines and days of each log, as its README says."""
    reading = read_log(SAMPLES / name, FORMATS[name])
    assert (reading.lines, reading.pending_bytes, reading.damaged) == (lines, 0, False)
    assert dict(reading.rejected) == rejected
    assert sorted({f"{hour:%Y-%m-%d}" for hour in reading.hours}) == days


@pytest.mark.parametrize("name", FORMATS)
def test_times_ascend(name: str) -> None:
    """A log is written in the order of its times."""
    seconds = [access.second for access in accesses(read_bytes(SAMPLES / name)[0], FORMATS[name])]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("an e-mail in a path", lambda text: b"/newsletter/abmelden/jane.doe@example.org" in text),
        ("an encoded e-mail in a path", lambda text: b"/user/jane.doe%40example.org/profil" in text),
        ("an e-mail in a query", lambda text: b"?email=" in text),
        ("a session in a path", lambda text: b";jsessionid=" in text),
        ("a signed token", lambda text: b"/login/eyJhbGciOiJIUzI1NiJ9.eyJ" in text),
        ("a mapped client", lambda text: b"\n::ffff:" in text),
        ("an IPv6 client", lambda text: b"\n2003:" in text),
        ("a private client", lambda text: b"\n192.168.178.20 " in text),
        ("an encoded path", lambda text: b"/produkte/Gr%C3%BCner%20Tee" in text),
        ("bytes that are no HTTP", lambda text: b'"\\x16\\x03\\x01' in text),
        ("a quote as nginx writes it", lambda text: b"\\x22Gr\\xC3\\xBC\\xC3\\x9Fe\\x22/1.0" in text),
        ("a user", lambda text: b" - jane.doe [" in text),
        ("no bytes", lambda text: b'" 200 - "' in text),
        ("a crawler", lambda text: b"Googlebot/2.1" in text),
    ],
)
def test_what_the_shop_log_holds(what: str, holds: Callable[[bytes], bool]) -> None:
    """Each kind of personal or odd value is there to be treated."""
    assert holds((SAMPLES / "shop.access.log").read_bytes()), what


def test_clients_have_providers() -> None:
    """At least nine in ten distinct public clients of the shop are in the database, so that a demo shows domains."""
    reading: Reading = read_log(SAMPLES / "shop.access.log", "combined")
    public = [client.decode() for client in reading.clients if not client.startswith((b"10.", b"192.168.", b"::1"))]
    with maxminddb.open_database(str(SAMPLES / "providers.mmdb")) as database:
        known = sum(database.get(client.removeprefix("::ffff:")) is not None for client in public)
    assert known > 0.9 * len(public) > 100


def test_apache_escapes() -> None:
    """The other logs escape as Apache does."""
    text = (SAMPLES / "vhosts.access.log").read_bytes()
    assert b'\\"Gr\\xc3\\xbc\\xc3\\x9fe\\"/1.0"' in text
    assert b"\\\\Pro\\\\" in text
