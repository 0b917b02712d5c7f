"""Values of delimited and JSON lines, in every place of a line, are in nothing that loganon writes or says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leaks import search_tree
from support.cli import Command
from support.runs import NOW

DAY = NOW.date().isoformat()


def w3c() -> tuple[bytes, list[bytes]]:
    """A log with an address, a name or a token of its own in each value, in forged headers and in broken lines."""
    needles = [b"198.51.100.%d" % n for n in range(1, 40)] + [b"jane%d@example.org" % n for n in range(1, 40)]
    address, mail = iter(needles[:39]), iter(needles[39:])
    head = b"#Fields: date time c-ip cs-username cs-uri-stem cs-uri-query sc-status cs(User-Agent) cs(Cookie)\n"
    start = b"%s 01:00:00 " % DAY.encode()
    good = [start + b"%s %s /a/%s q=%s 200 agent-%s %s" % (*[next(address), next(mail)] * 3,) for _ in range(5)]
    odd = [
        start + b"%s - /a - %s x y" % (next(address), next(address)),
        start + next(address),
        b'"' + next(mail) + b'" ' + good[0],
        b"\xff\xfe" + next(address),
        b"#Fields: date time " + next(address) + b" " + next(mail),
        b"#Date: " + next(address),
        start + next(mail) + b"\0",
    ]
    return head + b"".join(line + b"\n" for line in [*good, *odd[:4], odd[6]] * 4 + odd[4:6] + good), needles


def json_lines() -> tuple[bytes, list[bytes]]:
    """The same as JSON."""
    needles = [b"198.51.100.%d" % n for n in range(1, 40)] + [b"jane%d@example.org" % n for n in range(1, 40)]
    address, mail = iter(map(bytes.decode, needles[:39])), iter(map(bytes.decode, needles[39:]))
    lines = []
    for status in ("200", 404, "x" + next(mail), next(address), None, [next(address)]):
        record = {"time_iso8601": f"{DAY}T01:00:00Z", "remote_addr": next(address), "remote_user": next(mail)}
        record |= {"request": f"GET /a/{next(address)}?{next(mail)} HTTP/1.1", "http_user_agent": f"a {next(mail)}"}
        lines.append(json.dumps(record | {"status": status, "x": {next(mail): next(address)}}))
    lines += [lines[0][:-1], lines[0] + lines[1], lines[0].replace("a ", "\\x22 "), lines[1].replace("GET", "\\ud800")]
    lines += [f'{{"{next(mail)}', "[" * 100 + next(address), lines[0].replace("01:00:00Z", next(address))]
    return "\n".join(lines * 4).encode(), needles


@pytest.mark.parametrize("log", [w3c, json_lines])
def test_no_value_is_written_or_said(tmp_path: Path, log: object) -> None:
    """Neither the store nor standard output nor standard error of `run` and `preview` has any of the values."""
    assert callable(log)
    data, needles = log()
    path, store = tmp_path / "access.log", tmp_path / "out"
    path.write_bytes(data)
    command = Command(tmp_path)
    store.mkdir()
    done = [
        command("run", path, "--store", store / "store", "--now", NOW.isoformat(), "--final", "--json"),
        command("preview", path),
        command("preview", path, "--json"),
    ]
    assert done[0].json["counted"] > 0
    assert done[0].json["rejected"]["malformed"] > 0
    (store / "said").write_text("".join(each.out + each.err for each in done))
    assert search_tree(store, needles) == []
    (store / "said").write_bytes(needles[0])
    assert search_tree(store, needles) != []
