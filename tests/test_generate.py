"""The generator of the benchmarks: what it draws is what the measurements say they measured."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from oracle import accesses, read_data

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "generate.py"
LINES = 5000


def generate(target: Path, *options: str) -> dict[str, object]:
    """What the script prints, having written `target`."""
    command = [sys.executable, SCRIPT, "--lines", str(LINES), "--out", target, *options]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The log of the default seed."""
    target = tmp_path_factory.mktemp("generated") / "combined.log"
    printed = generate(target)
    data = target.read_bytes()
    assert printed == {"lines": LINES, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return data


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, combined: bytes) -> None:
    """Bytes and hash are those of the seed, compressed or not; another seed gives others."""
    printed = generate(tmp_path / "again.gz", "--gzip")
    assert gzip.decompress((tmp_path / "again.gz").read_bytes()) == combined
    assert printed["sha256"] == hashlib.sha256(combined).hexdigest()
    assert generate(tmp_path / "other", "--seed", "8")["sha256"] != printed["sha256"]


def test_combined(combined: bytes) -> None:
    """All lines parse; times ascend over three days; shares and lengths are those that the script states."""
    found = list(accesses(combined, "combined"))
    assert len(found) == LINES
    assert [one.second for one in found] == sorted(one.second for one in found)
    assert len({one.second // 3600 for one in found}) == 72
    assert abs(len(combined) / LINES - 327) < 8
    assert abs(sum(b":" in one.client for one in found) / LINES - 0.15) < 0.03
    assert abs(sum(b"?" in one.request for one in found) / LINES - 0.2) < 0.03
    assert abs(sum(one.success for one in found) / LINES - 0.95) < 0.02
    assert Counter(one.client for one in found).most_common(1)[0][1] > 40
    assert len({one.client for one in found}) > LINES // 3
    assert 200 < len({one.agent for one in found}) <= 558


def test_hostile(tmp_path: Path) -> None:
    """Every path and every agent stands in one line only."""
    generate(tmp_path / "log", "--hostile")
    found = list(accesses((tmp_path / "log").read_bytes(), "combined"))
    assert len({one.agent for one in found}) == LINES
    assert len({one.request.split()[1].split(b"?")[0] for one in found}) == LINES


def test_the_formats_say_the_same(tmp_path: Path, combined: bytes) -> None:
    """Common, JSON and W3C lines hold the accesses of the combined ones."""
    expected = list(accesses(combined, "combined"))
    for style in ("common", "json", "w3c"):
        generate(tmp_path / style, "--format", style)
    assert read_data((tmp_path / "common").read_bytes(), "common").hours == read_data(combined, "combined").hours
    rows = [json.loads(line) for line in (tmp_path / "json").read_text(encoding="utf-8").splitlines()]
    assert [(row["remote_addr"], row["request"], row["status"], row["body_bytes_sent"]) for row in rows] == [
        (one.client.decode(), one.request.decode(), one.status, one.size) for one in expected
    ]
    assert [row["http_user_agent"].encode() for row in rows] == [one.agent for one in expected]
    lines = (tmp_path / "w3c").read_text(encoding="utf-8").splitlines()
    names = next(line for line in lines if line.startswith("#Fields:")).split()[1:]
    table = [dict(zip(names, line.split(" "), strict=True)) for line in lines if not line.startswith("#")]
    for row, one in zip(table, expected, strict=True):
        query = "" if row["cs-uri-query"] == "-" else "?" + row["cs-uri-query"]
        assert f"{row['cs-method']} {row['cs-uri-stem']}{query}" == one.request.decode().rpartition(" ")[0]
        assert (row["c-ip"], row["sc-bytes"]) == (one.client.decode(), str(one.size))
