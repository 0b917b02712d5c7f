"""What `preview` says of a log is what the log holds, not what its format could."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from loganon.cli.preview import show_rows
from loganon.lookups import Lookups
from loganon.policy import load_policy
from loganon.preview import preview
from support.cli import SAMPLES, Command, Inside

HEADER = "#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken s-ip cs(User-Agent)\n"
LINE = "2026-11-20 10:00:00 10.0.0.3 GET /a 200 5 10.0.0.1 Mozilla/5.0\n"
WIDE = """
name = "wide"
version = 1
valid_from = 2026-01-01
keep_for = "6 weeks"
[scope]
sites = ["www.example.com"]
[fields]
time    = { as = "hour" }
network = { as = "truncated" }
country = { as = "code" }
file    = { as = "path" }
method  = { as = "list" }
browser = { as = "family+major" }
system  = { as = "family" }
response_time = { as = "sum" }
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    (tmp_path / "wide.toml").write_text(WIDE)
    return Inside(tmp_path)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (HEADER + LINE, ["bytes"]),
        ("#Fields: time c-ip\n#Date: 2026-11-20\n10:00:00 10.0.0.3\n", ["file", "browser", "success", "bytes"]),
        ('203.0.113.7 - - [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5\n', ["browser"]),
        ('203.0.113.7 - - [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8"\n', []),
    ],
)
def test_fields_of_which_a_log_has_nothing(command: Command, tmp_path: Path, text: str, missing: list[str]) -> None:
    """They are named: a header without `sc-bytes` gives sums of 0, although the format knows that column."""
    (tmp_path / "a.log").write_text(text)
    assert command("preview", "a.log", "--json").json["missing"] == missing
    said = f"nothing in this log gives {', '.join(missing)}: no line has more than the empty answer"
    assert (said in command("preview", "a.log").out.splitlines()) == bool(missing)


def test_each_field_that_a_directive_gives(command: Command, tmp_path: Path) -> None:
    """A directive that several fields are made from is shown with each of them, not with the last alone."""
    (tmp_path / "a.log").write_text(
        '203.0.113.7 - - [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8"\n'
    )
    shown = command("preview", "a.log", "--policy", "wide.toml", "--json").json
    becomes = {each["directive"]: each["becomes"] for each in shown["directives"]}
    assert becomes["%h"] == "network, as truncated; country, as code"
    assert becomes["%r"] == "file, as path; method, as list"
    assert becomes["%{User-Agent}i"] == "browser, as family+major; system, as family"
    assert becomes["%u"] == "personal, dropped"


def test_what_is_left_out_was_read(command: Command, tmp_path: Path) -> None:
    """Where all lines are excluded the format fits them all the same; it was said to fit none (65)."""
    line = {"time_iso8601": "2026-11-20T10:00:00Z", "remote_addr": "203.0.113.7", "request": "GET /a H", "status": 200}
    (tmp_path / "a.log").write_text(json.dumps({**line, "host": "www.example.net"}) + "\n")
    done = command("preview", "a.log", "--policy", "wide.toml")
    assert done.code == 0
    assert "1 of 1 lines read" in done.out
    assert "rejected: 1 excluded" in done.out


def test_a_log_of_headers_has_no_line(command: Command, tmp_path: Path) -> None:
    """65, as for an empty log, and not for its format, which is known."""
    (tmp_path / "a.log").write_text(HEADER)
    done = command("preview", "a.log")
    assert done.code == 65
    done.message("the log has no line", "a.log")


def test_a_proxy_that_is_named_already(command: Command, tmp_path: Path) -> None:
    """Where all clients are private after all, the option is not proposed again: the log has no other address."""
    (tmp_path / "a.log").write_text(HEADER + LINE)
    assert "100% private: behind a proxy? Name it with --trusted-proxy." in command("preview", "a.log").out
    named = command("preview", "a.log", "--trusted-proxy", "10.0.0.0/8").out
    assert "100% private: behind a proxy? Have the server log X-Forwarded-For, too." in named


@pytest.mark.parametrize("width", [80, 100, 119, 132])
def test_a_terminal_of_this_width(width: int) -> None:
    """No line of the rows is broken, and no column is left out: one of 80 had no versions, and 87 columns."""
    seen = preview(str(SAMPLES / "shop.access.log"), load_policy("imos"), Lookups())
    console = Console(file=io.StringIO(), width=width, soft_wrap=True, markup=False, highlight=False)
    show_rows(console, seen)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert "browser_version" in words or {"browser_", "version"} <= {*words}
    assert {"2026-11-18", "141", "False", "4235"} <= {*words}
