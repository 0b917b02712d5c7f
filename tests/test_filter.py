"""`loganon filter`: lines in, anonymised lines out, in the same format, as soon as they come."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaks import Needles, addresses_in, names_in, spellings
from loganon.errors import UnreadableInputError
from loganon.filter import FilterSummary, filter_access
from loganon.formats import load_formats, named_format
from loganon.lookups import open_lookups
from loganon.sources.stdin import Stream
from support.cli import SAMPLES, Command
from support.runs import plain_policy
from test_render import good_lines, refused, rows, settled

T = "[10/Oct/2026:13:55:36 +0000]"
REST = f'- - {T} "GET /x?a=b HTTP/1.1" 200 368 "-" "curl/8.1.2"'
WRITTEN = '- - [10/Oct/2026:13:00:00 +0000] "GET /x HTTP/1.0" 200 368 "-" "curl/8"'
WAIT = 60.0  # seconds for a line to come back, the start of the process with it
BEGINNINGS = ["{0} - - {1}", "- {0} - {1}", "- - {0} {1}", "x{0} - {0} {1}", "{0}, {0} - - {1}", "[{0}]:1 - - {1}"]
REQUESTS = [
    "/{0}",
    "/a?b={0}",
    "/%2e/{0}/x",
    "http://{0}/",
    "a.{0}@ex.example",
    "/m/a@ex.example{0}",
    '/a\\"{0}',
    "{0}",
]
GOACCESS = {"common": "COMMON", "combined": "COMBINED", "combined_vhost": "VCOMBINED", "common_vhost": "VCOMMON"}
LOGS = ["shop.access.log", "vhosts.access.log", "hosts.access.log", "old.access.log"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def filtered(data: bytes, name: str = "auto") -> tuple[bytes, FilterSummary]:
    """The lines in this process, under the plain policy."""
    out = io.BytesIO()
    lookups = open_lookups([SAMPLES / "providers.mmdb"])
    source = Stream(io.BytesIO(data))

    def write(text: bytes) -> None:
        out.write(text)

    fmt = named_format(name)
    summary = filter_access("-", source, write, policy=plain_policy(), lookups=lookups, fmt=fmt, timezone=UTC)
    return out.getvalue(), summary


# --- what comes out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "domain"),
    [
        ("203.0.113.7, 10.0.0.1", "unknown"),
        ("2001:db8:1:2:3:4:5:6:443", "unknown"),
        ("[2001:db8::7]:443", "unknown"),
        ("203.0.113.7%eth0", "unknown"),
        ("p5b0c1a2f.dip0.t-ipconnect.de", "t-ipconnect.de"),
        ("fam-schmidt.de", ".de"),
    ],
)
def test_client_that_anonip_passes(command: Command, client: str, domain: str) -> None:
    """Each spelling of a client that anonip passes through unchanged leaves as its domain, or as nothing."""
    done = command("filter", stdin=f"{client} {REST}\n".encode())
    assert done.out == f"{domain} {WRITTEN}\n"
    assert done.code == 0
    assert client not in done.err


def test_json_line(command: Command) -> None:
    """A JSON line, which anonip passes through unchanged: the keys that the format knows stay, with their kinds; the
    others go with their names, which may be data, too.
    """
    line = {
        "ClientAddr": "203.0.113.7:56446",
        "ClientHost": "203.0.113.7",
        "ClientUsername": "jane",
        "DownstreamContentSize": 15,
        "DownstreamStatus": 302,
        "RequestHost": "jane.example",
        "RequestPath": "/a/jane@ex.example?x=1",
        "request_Referer": None,
        "request_User-Agent": "curl/8.1.2 (jane)",
        "request_X-203.0.113.9": "203.0.113.9",
        "time": "2026-10-10T14:25:56+02:00",
    }
    done = command("filter", stdin=json.dumps(line).encode() + b"\n")
    assert (done.code, json.loads(done.out)) == (
        0,
        {
            "ClientAddr": "unknown",
            "ClientHost": "unknown",
            "DownstreamContentSize": 15,
            "DownstreamStatus": 200,
            "RequestHost": "-",
            "RequestPath": "/a/{email}",
            "request_Referer": None,
            "request_User-Agent": "curl/8",
            "time": "2026-10-10T12:00:00Z",
        },
    )
    assert "203.0.113" not in done.err
    assert "jane" not in done.out + done.err


def test_columns_under_a_header(command: Command) -> None:
    """A W3C log comes out under a header that names the known columns; other names and comments are not passed on, and
    the header comes again where the columns change, also from one piece of the input to the next.
    """
    first = b"#Software: jane\n#Fields: date time c-ip x-jane cs-uri-stem sc-status\n"
    first += b"2026-10-10 11:55:13 203.0.113.7 jane /a?b 404\n"
    second = b"#Fields: date time cs-uri-stem c-ip sc-bytes\n2026-10-10 12:55:13 /b 203.0.113.8 9\n"
    with start(command, "--format", "w3c", "--json") as process:
        assert process.stdin is not None
        for data, lines in (
            (
                first,
                [
                    "#Version: 1.0",
                    "#Fields: date time c-ip cs-uri-stem sc-status",
                    "2026-10-10 11:00:00 unknown /a 400",
                ],
            ),
            (b"2026-10-10 11:59:59 203.0.113.7 - /c 200\n", ["2026-10-10 11:00:00 unknown /c 200"]),
            (
                second,
                ["#Version: 1.0", "#Fields: date time cs-uri-stem c-ip sc-bytes", "2026-10-10 12:00:00 /b unknown 9"],
            ),
        ):
            process.stdin.write(data)
            process.stdin.flush()
            for line in lines:
                assert next_line(process) == f"{line}\n".encode()
        _, err = process.communicate(timeout=WAIT)
    assert json.loads(err)["written"] == 3
    assert b"jane" not in err


def test_columns_by_option(command: Command) -> None:
    """`--fields` names the columns of a log without a header; all of them are written, and the header with them."""
    names = "date time c-ip cs-username cs-uri-stem"
    done = command("filter", "--fields", names, stdin=b"2026-10-10 11:55:13 203.0.113.7 jane /a\n")
    assert done.out.splitlines()[1:] == [f"#Fields: {names}", "2026-10-10 11:00:00 unknown - /a"]


@pytest.mark.parametrize("name", [name for name, fmt in load_formats().items() if fmt.dialect != "template"])
def test_round_trip_of_columns_and_keys(name: str) -> None:
    """The examples of each format come out as that format, with the same permitted values; twice is once."""
    data = good_lines(load_formats()[name])
    out, summary = filtered(data, name)
    assert summary.written == summary.lines_read > 0
    assert rows(name, out) == [settled(row) for row in rows(name, data)]
    assert filtered(out, name)[0] == filtered(filtered(out, name)[0], name)[0]
    assert filtered(out)[1].format == name
    assert b"203.0.113" not in out


@pytest.mark.parametrize(
    ("line", "out"),
    [(f"www.ex.example:443 203.0.113.7 {REST}", f"-:0 unknown {WRITTEN}\n"), ('{"ClientHost":"203.0.113.7"}', "")],
)
def test_line_of_another_format(command: Command, line: str, out: str) -> None:
    """A line with a virtual host, or of JSON, is read as what it is, or not written; never with its address."""
    alone = command("filter", stdin=f"{line}\n".encode())
    assert alone.out == out
    assert alone.code == (0 if out else 65)
    among = command("filter", "--format", "combined", stdin=f"203.0.113.8 {REST}\n{line}\n".encode())
    assert among.out == f"unknown {WRITTEN}\n"
    assert "203.0.113" not in alone.err + among.err


@pytest.mark.parametrize("name", LOGS)
def test_round_trip(name: str) -> None:
    """Each line is of the same format, in the same order, with the same permitted values, and no address or name in it.

    Filtered twice is filtered once, but for a bare public suffix, which is no host name.
    """
    data = (SAMPLES / name).read_bytes()
    out, summary = filtered(data)
    assert summary.format is not None
    assert summary.written == out.count(b"\n")
    assert summary.written + summary.rejected.total() == summary.lines_read == data.count(b"\n")
    lines = data.splitlines(keepends=True)
    accepted = [line for number, line in enumerate(lines) if number not in refused(summary.format, data)]
    before = rows(summary.format, b"".join(accepted))
    assert rows(summary.format, out) == [settled(row) for row in before]
    again, second = filtered(out)
    assert second.format == summary.format
    assert filtered(again)[0] == again
    hosts = {line.split(b" ")[0] for line in accepted}
    assert not Needles({*addresses_in(data), *names_in(hosts)}).found_in(out)


@pytest.mark.parametrize("name", GOACCESS)
def test_format_is_found_again(name: str) -> None:
    """What is written of the usual formats is taken for them; others have marks that no policy permits."""
    out, _ = filtered(good_lines(load_formats()[name]), name)
    assert filtered(out)[1].format == name


@settings(max_examples=max(settings.default.max_examples // 2, 1))
@given(
    st.lists(
        st.tuples(
            st.ip_addresses(),
            st.sampled_from(BEGINNINGS),
            st.sampled_from(REQUESTS),
            st.sampled_from(["-", "http://{0}/", "{0}"]),
            st.sampled_from(["-", "bot {0}", "Chrome/{0}", "\\xff{0}"]),
        ),
        max_size=8,
    )
)
def test_no_address_passes(parts: list[tuple]) -> None:
    """Wherever in a line an address or an e-mail stands, none is written, and each line is accounted for."""
    lines, needles = [], set()
    for address, *places in parts:
        needles |= spellings(address)
        begin, path, referrer, agent = (place.format(address, T) for place in places)
        lines.append(f'{begin} "GET {path} HTTP/1.1" 200 1 "{referrer}" "{agent}"\n')
    out, summary = filtered("".join(lines).encode(), "combined")
    assert summary.lines_read == len(parts) == summary.written + summary.rejected.total()
    assert not Needles(needles).found_in(out)
    assert b"@" not in out.replace(b"/@{user}", b"")


@pytest.mark.skipif(shutil.which("goaccess") is None, reason="GoAccess is not installed")
@pytest.mark.parametrize("fields", ["all", "time"])
@pytest.mark.parametrize(("name", "known_as"), GOACCESS.items())
def test_goaccess_reads_it(command: Command, name: str, known_as: str, fields: str) -> None:
    """GoAccess takes every line that is written, whatever the policy keeps; a domain for an address is no mistake."""
    source = next((log for log in LOGS if filtered((SAMPLES / log).read_bytes())[1].format == name), None)
    data = (SAMPLES / source).read_bytes() if source else good_lines(load_formats()[name])
    policy = command.folder / "policy.toml"
    kept = '[fields]\ntime = { as = "day" }\n'
    policy.write_text(f'name = "least"\nversion = 1\nvalid_from = 2026-11-21\nkeep_for = "1 day"\n{kept}')
    done = command("filter", "--format", name, *(["--policy", policy] if fields == "time" else []), stdin=data)
    assert done.code == 0
    log, report = command.folder / "out.log", command.folder / "report.json"
    log.write_text(done.out)
    arguments = [f"--log-format={known_as}", "--no-ip-validation", "--no-global-config", "--no-progress"]
    subprocess.run(["goaccess", log, *arguments, "-o", report], check=True, capture_output=True, timeout=120)
    general = json.loads(report.read_text())["general"]
    assert general["failed_requests"] == 0
    assert general["valid_requests"] == done.out.count("\n") > 0


# --- how it runs ----------------------------------------------------------------------------------------------------


def start(command: Command, *arguments: str) -> subprocess.Popen[bytes]:
    """A filter whose input stays open."""
    words = [*command.python, "filter", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=command.folder, env=command.environment())


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line written; AssertionError where none comes."""
    assert process.stdout is not None
    found, end = b"", time.monotonic() + WAIT
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
        assert ready, "nothing was written"
        byte = os.read(process.stdout.fileno(), 1)
        assert byte, "the output ended"
        found += byte
    return found


@pytest.mark.parametrize("arguments", [[], ["--format", "combined"]])
def test_written_while_the_input_stays_open(command: Command, arguments: list[str]) -> None:
    """Each line comes back before the next is sent; a line cut in two comes back when it is whole."""
    with start(command, *arguments) as process:
        assert process.stdin is not None
        for number in range(3):
            process.stdin.write(f"203.0.113.{number} {REST}\n".encode())
            process.stdin.flush()
            assert next_line(process) == f"unknown {WRITTEN}\n".encode()
        process.stdin.write(b"203.0.113.7 - - ")
        process.stdin.flush()
        time.sleep(0.1)
        process.stdin.write(f"{REST.removeprefix('- - ')}\n".encode())
        process.stdin.flush()
        assert next_line(process) == f"unknown {WRITTEN}\n".encode()
        process.stdin.close()
        assert process.wait(WAIT) == 0


def test_error_log_while_the_input_stays_open(command: Command) -> None:
    """A masked message comes back at once, too."""
    begin = "[Wed Oct 11 14:32:52.123456 2026] [core:error] [pid 7] "
    with start(command, "--error-log", "apache") as process:
        assert process.stdin is not None
        process.stdin.write(f"{begin}[client 203.0.113.7:1] no such file\n".encode())
        process.stdin.flush()
        assert next_line(process) == f"{begin}[client {{ip}}] no such file\n".encode()
        process.stdin.close()
        assert process.wait(WAIT) == 0


class Blocks:
    """A stream of blocks, each followed by a pause that `let` ends; then an error, if there is one."""

    def __init__(
        self, blocks: list[bytes], *, let: threading.Event | None = None, error: OSError | None = None
    ) -> None:
        self._blocks = iter(blocks)
        self._let = let
        self._error = error
        self._begun = False

    def read(self, _limit: int) -> bytes:
        if self._begun and self._let is not None:
            self._let.wait(WAIT)
        self._begun = True
        block = next(self._blocks, b"")
        if not block and self._error is not None:
            raise self._error
        return block


def filter_blocks(blocks: Blocks, write: Callable[[bytes], None]) -> FilterSummary:
    lookups = open_lookups([])
    fmt = named_format("combined")
    return filter_access("x", Stream(blocks), write, policy=plain_policy(), lookups=lookups, fmt=fmt)


def test_the_lines_stay_in_their_order() -> None:
    """While one chunk is written the next is parsed; what comes out is in the order of what went in."""
    lines = [f"203.0.113.7 {REST.replace('/x', f'/{chr(97 + n % 26)}{n}')}\n".encode() for n in range(300)]
    out: list[bytes] = []
    summary = filter_blocks(Blocks(lines), out.append)
    files = [line.split()[6] for line in b"".join(out).splitlines()]
    assert files == [f"/{chr(97 + n % 26)}{n}".encode() for n in range(300)]
    assert (summary.written, summary.errors) == (300, [])


def test_an_error_of_the_source_ends_it_behind_what_came() -> None:
    """What came before a log cannot be read any further is written, and the error is told."""
    out: list[bytes] = []
    lines = [f"203.0.113.7 {REST}\n".encode()] * 5
    summary = filter_blocks(Blocks(lines, error=OSError(errno.EIO, "broken")), out.append)
    assert b"".join(out).count(b"\n") == summary.written == 5
    assert [type(error) for error in summary.errors] == [UnreadableInputError]


def test_a_reader_that_has_gone_ends_it_at_once() -> None:
    """It does not wait for the input's next line to end when nobody reads what it writes."""
    let = threading.Event()

    def write(_text: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        filter_blocks(Blocks([f"203.0.113.7 {REST}\n".encode()] * 2, let=let), write)
    assert not let.is_set()
    let.set()


def test_lines_wait_for_a_format(command: Command) -> None:
    """Lines before the first that tells the format are not lost: they are counted, and written if they are of it."""
    with start(command, "--json") as process:
        assert process.stdin is not None
        process.stdin.write(b"no line of any format\n")
        process.stdin.flush()
        time.sleep(1)
        process.stdin.write(f"203.0.113.7 {REST}\n".encode())
        process.stdin.flush()
        assert next_line(process) == f"unknown {WRITTEN}\n".encode()
        _, err = process.communicate(timeout=WAIT)
    summary = json.loads(err)
    assert summary["lines_read"] == 2
    assert summary["rejected"]["malformed"] == 1


def test_terminated(command: Command) -> None:
    """SIGTERM ends it in order: what was sent before is written, the summary is said, the exit code is 0."""
    with start(command, "--format", "combined") as process:
        assert process.stdin is not None
        process.stdin.write(f"203.0.113.7 {REST}\n".encode())
        process.stdin.flush()
        next_line(process)
        process.stdin.write(f"203.0.113.8 {REST}\n".encode() * 1000)
        process.stdin.flush()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.read() == f"unknown {WRITTEN}\n".encode() * 1000
        assert process.wait(WAIT) == 0
        assert process.stderr is not None
        assert b"1,001 lines, 1,001 written" in process.stderr.read()


def test_reader_gone(command: Command) -> None:
    """Where nobody reads any more it ends, quietly, with 141."""
    with start(command, "--format", "combined") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.close()
        process.stdin.write(f"203.0.113.7 {REST}\n".encode())
        process.stdin.close()
        assert process.wait(WAIT) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_output_full(command: Command) -> None:
    """A full disk is 73, with one line that says so."""
    with Path("/dev/full").open("wb") as full:
        words = [*command.python, "filter", "--quiet"]
        data = f"203.0.113.7 {REST}\n".encode()
        done = subprocess.run(
            words, input=data, stdout=full, stderr=subprocess.PIPE, env=command.environment(), check=False, timeout=WAIT
        )
    assert done.returncode == 73
    assert done.stderr.count(b"\n") == 1


def test_large_and_compressed(command: Command) -> None:
    """A file, the same through a pipe, and both compressed give the same bytes; an unterminated line is a line."""
    data = (SAMPLES / "shop.access.log").read_bytes() * 8
    data = data.removesuffix(b"\n")
    (command.folder / "a.log").write_bytes(data)
    (command.folder / "a.log.gz").write_bytes(gzip.compress(data))
    outs = [
        command("filter", "a.log").out,
        command("filter", "a.log.gz").out,
        command("filter", stdin=data).out,
        command("filter", "-", stdin=gzip.compress(data)).out,
    ]
    assert outs[0].count("\n") == data.count(b"\n") + 1
    assert len(set(outs)) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_from_a_file(command: Command, pack: Callable[[bytes], bytes]) -> None:
    """A file on standard input is read from where it stands to its end, also after SIGTERM, and gives the same."""
    data = (SAMPLES / "shop.access.log").read_bytes() * 8
    path = command.folder / "a.log"
    path.write_bytes(b"read before" + pack(data))
    with path.open("rb", buffering=0) as file:
        file.seek(len(b"read before"))
        process = subprocess.Popen(
            [*command.python, "filter", "--quiet"], stdin=file, stdout=subprocess.PIPE, env=command.environment()
        )
        with process:
            assert process.stdout is not None
            begin = next_line(process)
            process.send_signal(signal.SIGTERM)
            out = begin + process.stdout.read()
        assert process.returncode == 0
        assert file.tell() == path.stat().st_size
    assert out.decode() == command("filter", stdin=data).out


# --- what it says ---------------------------------------------------------------------------------------------------


def test_summary(command: Command) -> None:
    """Lines not written are counted by reason, on standard error; `--quiet` says nothing, `--json` one object."""
    data = (
        f"203.0.113.7 {REST}\n\n203.0.113.7 what\n203.0.113.7 \0\n{'x' * (1 << 20)}x\n203.0.113.7 {REST[:20]}".encode()
    )
    told = command("filter", stdin=data)
    assert told.err == (
        "loganon: standard input (combined): 5 lines, 1 written, 1 malformed, not written, 1 binary, not written, "
        "1 too long, not written, 1 partial, not written\n"
    )
    assert command("filter", "--quiet", stdin=data).err == ""
    summary = json.loads(command("filter", "--json", stdin=data).err)
    assert summary["lines_read"] == summary["written"] + sum(summary["rejected"].values()) == 5
    assert told.out == f"unknown {WRITTEN}\n"


@pytest.mark.parametrize(
    ("arguments", "data", "code"),
    [
        ([], b"", 0),
        ([], b"no line of any format\n", 65),
        (["--format", "common"], f"203.0.113.7 {REST}\n".encode(), 65),
        (["--error-log", "nginx"], f"203.0.113.7 {REST}\n".encode(), 65),
        ([], b"2026/10/10 13:55:36 [error] 123#123: *1 x, client: 203.0.113.7\n", 65),
        (["--strict"], f"203.0.113.7 {REST}\nx\n".encode(), 1),
        (["--strict"], f"203.0.113.7 {REST}\n".encode(), 0),
        (["missing.log"], b"", 66),
        (["--format", "combind"], b"", 78),
        (["--policy", "imoss"], b"", 78),
        (["--error-log", "iis"], b"", 2),
    ],
)
def test_exit_code(command: Command, arguments: list[str], data: bytes, code: int) -> None:
    """The exit codes are those of `run`; no message holds anything of a line."""
    done = command("filter", *arguments, stdin=data)
    assert done.code == code
    assert "203.0.113" not in done.out + done.err
    if code not in (0, 1):
        assert done.out == ""


def test_no_format_in_the_first_thousand_lines(command: Command) -> None:
    """After a thousand lines without a format it ends (65) rather than hold lines for ever."""
    with start(command) as process:
        assert process.stdin is not None
        process.stdin.write(b"no line of any format\n" * 1000)
        process.stdin.flush()
        assert process.wait(WAIT) == 65


def test_options_by_environment(command: Command) -> None:
    """Its options can be set by variables, as those of every command."""
    named = Command(command.folder, variables={"LOGANON_FILTER_FORMAT": "combined", "LOGANON_FILTER_QUIET": "1"})
    done = named("filter", stdin=f"203.0.113.7 {REST}\nx\n".encode())
    assert (done.code, done.out, done.err) == (0, f"unknown {WRITTEN}\n", "")


def test_help_says_what_does_not_apply(command: Command) -> None:
    """`--help` says that minimum and age do not apply."""
    text = " ".join(command("filter", "--help").out.split())
    assert "`minimum` and `keep_for` do not apply" in text
