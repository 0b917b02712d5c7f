"""What is wrong is said in one line, `loganon: WHAT. WHERE. WHAT TO DO.`, with its exit code; nothing else happens.

The JSON object is there with 1, 65, 66, 73 and 74; with 2, 75 and 78 nothing is on standard output.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from pathlib import Path

import pytest

from support.cli import SAMPLE_NOW, SAMPLES, Command, Done, Inside, without_override
from support.runs import KEY, NOW, days, ingest, lines
from support.store_cases import snapshot

GOOD = SAMPLES / "hosts.access.log"
DATABASE = SAMPLES / "providers.mmdb"  # without one, a note on unknown domains would stand on standard error
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0\\r\xa8f" + bytes(range(256)) * 20
NGINX_ERROR = (
    b"2026/11/20 10:11:12 [error] 1234#1234: *5 open() "
    b'"/srv/x" failed (2: No such file or directory), client: 91.44.26.11, server: _, request: "GET /x HTTP/1.1"\n'
)
APACHE_ERROR = (
    b"[Fri Nov 20 10:11:12.123456 2026] [authz_core:error] [pid 1234:tid 5678] "
    b"[client 91.44.26.11:52100] AH01630: client denied by server configuration: /srv/x\n"
)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Inside(tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Command:
    return Command(tmp_path)


def run(command: Command, *words: object, **settings: object) -> Done:
    """`run` at the time of the sample logs, into `store`, with the JSON object."""
    words = ("--store", "store", "--now", SAMPLE_NOW, "--provider-db", DATABASE, "--json", *words)
    return command("run", *words, **settings)


def refused(done: Done, code: int, *parts: str) -> None:
    """One message, with these parts; nothing on standard output."""
    assert (done.code, done.out) == (code, ""), done
    done.message(*parts)


def nothing_of(data: bytes, done: Done) -> None:
    """No word of a log is in a message, but for what is every log's."""
    for word in re.findall(rb"[0-9A-Za-z_./:-]{6,}", data):
        assert word.decode() not in done.err, word


# --- logs ---------------------------------------------------------------------------------------------------------


def test_an_empty_log(command: Command, tmp_path: Path) -> None:
    """Empty is no error, since a log is empty after its rotation: `skipped`, 0; alone and beside others."""
    (tmp_path / "empty.log").write_bytes(b"")
    both = run(command, "empty.log", GOOD)
    assert (both.code, both.err, both.json["counted"]) == (0, "", 900)
    assert both.json["skipped"] == [{"log": "empty.log", "reason": "empty"}]
    alone = run(command, "empty.log")
    assert alone.json["skipped"] == [{"log": "empty.log", "reason": "empty"}]
    assert (alone.json["lines_read"], alone.json["sources"]) == (0, [])
    assert (alone.code, alone.err) == (0, "")


@pytest.mark.parametrize("beside", [True, False])
def test_a_missing_log(command: Command, beside: bool) -> None:
    """66, with its path as given; a log beside it is counted."""
    done = run(command, "logs/missing.log", *([GOOD] if beside else []))
    assert done.code == 66
    done.message("no such log", " logs/missing.log.", "Check the path")
    assert done.json["skipped"] == [{"log": "logs/missing.log", "reason": "missing"}]
    assert done.json["counted"] == (900 if beside else 0)


def test_a_directory_as_log(command: Command, tmp_path: Path) -> None:
    """66: not a regular file."""
    (tmp_path / "logs").mkdir()
    done = run(command, "logs")
    assert done.code == 66
    done.message("not a regular file", " logs.", "Give the log file itself")
    assert done.json["skipped"] == [{"log": "logs", "reason": "missing"}]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
def test_an_unreadable_log(process: Command, tmp_path: Path) -> None:
    """66, with the reason of the system."""
    (tmp_path / "secret.log").write_bytes(b"x\n")
    (tmp_path / "secret.log").chmod(0)
    done = run(process, "secret.log", preexec_fn=without_override)
    assert done.code == 66
    done.message("Permission denied", " secret.log.", "Check its permissions")


def test_formats_that_fit_a_part(command: Command, tmp_path: Path) -> None:
    """A log of which several formats take some lines, and none 95 %, is refused with each one's share: 65."""
    common = b'203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /secret HTTP/1.1" 200 1'
    (tmp_path / "mixed.log").write_bytes((common + b"\n") + (common + b' "-" "Mozilla/5.0"\n') * 3)
    done = run(command, "mixed.log")
    assert done.code == 65
    done.message("no known format fits 95 % of the first 4 lines", "combined 75%", " mixed.log.", "--format")
    assert done.json["skipped"] == [{"log": "mixed.log", "reason": "no_format"}]
    assert (done.json["lines_read"], done.json["sources"]) == (0, [])


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("picture.log", PNG, "no_format"),
        ("binary.log", bytes(range(256)) * 400, "no_format"),
        ("noise.log", b"nxthxng of any kxnd, jane.doe@example.org\n" * 50, "no_format"),
        ("long.log", b"x" * (3 << 20), "no_format"),
        ("nginx.error.log", NGINX_ERROR * 20, "error_log"),
        ("apache.error.log", APACHE_ERROR * 20, "error_log"),
    ],
)
def test_no_access_log(command: Command, tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """A picture, a binary file, noise, an endless line, an error log: 65, the reason told, nothing of it repeated, and
    nothing of it stored."""
    (tmp_path / name).write_bytes(data)
    done = run(command, name)
    assert done.code == 65
    wanted = {"no_format": "no known format fits any line", "error_log": "an error log"}[reason]
    done.message(wanted, f" {name}")
    nothing_of(data, done)
    assert done.json["skipped"] == [{"log": name, "reason": reason}]
    assert (done.json["lines_read"], done.json["sources"]) == (0, [])
    assert not list((tmp_path / "store" / "access").iterdir())
    assert not list((tmp_path / "store" / "_loganon" / "sources").iterdir())


def test_error_logs_in_a_list(command: Command, tmp_path: Path) -> None:
    """Met beside an access log they are skipped, without an error."""
    (tmp_path / "nginx.error.log").write_bytes(NGINX_ERROR)
    (tmp_path / "apache.error.log").write_bytes(APACHE_ERROR)
    done = run(command, "nginx.error.log", GOOD, "apache.error.log")
    assert (done.code, done.err, done.json["counted"]) == (0, "", 900)
    assert {each["reason"] for each in done.json["skipped"]} == {"error_log"}


def test_a_name_that_is_no_text(process: Command, tmp_path: Path) -> None:
    """A file's name that is no valid UTF-8 keeps neither itself nor the logs beside it from being counted."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.log"))
    odd.write_bytes(b"".join(lines(5)))
    for words in ((odd, GOOD), (GOOD, odd, "--quiet")):
        done = run(process, *words)
        assert (done.code, done.err) == (0, "")
        assert done.json["lines_read"] == 905
    assert run(process, odd, odd.parent / "missing.log").code == 66


def test_a_name_of_two_lines(command: Command) -> None:
    """A path with a newline or an escape does not make two lines of a message, nor a forged one."""
    done = run(command, "x\nloganon: all is well. \x1b[2J.log")
    assert done.code == 66
    done.message("no such log")
    assert "\x1b" not in done.err


def test_the_wrong_format(command: Command) -> None:
    """A format given that fits no line: 65, and nothing of the log is stored; with the right one it then counts."""
    done = run(command, GOOD, "--format", "combined_vhost")
    assert done.code == 65
    done.message("combined_vhost", str(GOOD), "--format")
    assert (done.json["lines_read"], done.json["sources"]) == (0, [])
    assert run(command, GOOD, "--format", "common").json["counted"] == 900


def test_an_unknown_format(command: Command) -> None:
    """78, with the nearest name."""
    refused(run(command, GOOD, "--format", "combind"), 78, '"combind"', 'Did you mean "combined"?')
    assert not (command.folder / "store").exists()


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--stor", "x"), ("--stor", "--store")),
        (("--polcy=imos",), ("--polcy", "--policy")),
        (("--now", "yesterday"), ("--now", "2026-11-21T00:05:00Z")),
        (("--now", "2026-13-01"), ("--now",)),
        (("--now", "9999-12-31T23:59:59Z"), ("--now",)),
        (("--now", "0001-01-01T00:00:00+14:00"), ("--now",)),
        (("--lead", "999999999d"), ("--lead", "60s")),
        (("--lead", "5 days"), ("--lead", "60s")),
        (("--wait", "1.5h"), ("--wait",)),
        (("--accept-cutoff", "soon"), ("--accept-cutoff", "2026-11-21")),
        (("--timezone", "Europe/Atlantis"), ("--timezone", "Europe/Berlin")),
        (("--messages", "xml"), ("--messages", "text")),
    ],
)
def test_a_bad_option(command: Command, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """2, one line with the option and what was expected, and where help is; no store is made."""
    refused(run(command, GOOD, *words), 2, *parts, "Try 'loganon run --help'")
    assert not (command.folder / "store").exists()


def test_a_call_without_what_it_needs(command: Command) -> None:
    """No log, no store, no such command: 2."""
    refused(command("run", "--store", "store"), 2, "LOG", "--help")
    refused(command("run", GOOD), 2, "--store", "--help")
    refused(command("retain"), 2, "--store", "--help")
    refused(command("ingest", GOOD), 2, "ingest", "--help")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--provider-db", "missing.mmdb"), ("missing.mmdb",)),
        (("--provider-db", str(GOOD)), (str(GOOD),)),
        (("--trusted-proxy", "10.0.0.0/40"), ("10.0.0.0/40", "--trusted-proxy")),
        (("--policy", "imso"), ('"imso"', '"imos"')),
        (("--policy", "./missing.toml"), ("./missing.toml",)),
        (("--writer", "../x"), ("--writer",)),
        (("--group", "no-such-group-here"), ("--group",)),
    ],
)
def test_a_bad_value(command: Command, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """78, and no line of any log is counted."""
    refused(run(command, GOOD, *words), 78, *parts)
    assert not list((command.folder / "store").glob("access/*"))


MISTAKES = """
name = "Shop"
version = 1
valid_from = 2026-11-21
titel = "x"
[purpose]
share = "anonymos"
[fields]
time = { as = "hour" }
browsr = { as = "family" }
file = { as = "paths", minimum = 5 }
success = { as = "flag", minimun = 5 }
domain = { as = "provider", minimum = -1 }
"""


def test_a_policy_with_mistakes(command: Command, tmp_path: Path) -> None:
    """78: every mistake at once, each on its own line with file, key, what was expected and the nearest spelling."""
    (tmp_path / "shop.toml").write_text(MISTAKES)
    done = run(command, GOOD, "--policy", "./shop.toml")
    assert (done.code, done.out) == (78, "")
    said = done.err.splitlines()
    wanted = [
        ("name", "lower-case"),
        ("keep_for", "missing", "6 weeks"),
        ("titel", '"title"'),
        ("purpose.share", '"anonymous"'),
        ("fields.browsr", '"browser"'),
        ("fields.file.as", '"path"'),
        ("fields.success.minimun",),
        ("fields.domain.minimum", "0"),
    ]
    for parts in wanted:
        assert any(all(part in text for part in parts) for text in said), (parts, said)
    assert len(said) == len(wanted)
    for text in said:
        assert re.fullmatch(r"loganon: \S.*\. \./shop\.toml\. \S.*[.?]", text), text
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("name = ", "not TOML"),
        ("", "missing"),
        ('name = "x"\nversion = 1\nvalid_from = 2026-11-21\nkeep_for = "6 weeks"\n[fields]\n', "fields.time"),
    ],
)
def test_a_policy_that_is_none(command: Command, tmp_path: Path, text: str, part: str) -> None:
    """78 with the reason: no TOML, nothing in it, no time."""
    (tmp_path / "p.toml").write_text(text)
    done = run(command, GOOD, "--policy", "p.toml")
    assert (done.code, done.out) == (78, "")
    assert part in done.err
    assert "p.toml" in done.err


# --- store and key ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
class TestUnwritable:
    """A store that cannot be written: 73, with the JSON object; for root, too, by dropping a capability."""

    def test_where_it_would_be_made(self, process: Command, tmp_path: Path) -> None:
        """A new store in a directory that cannot be written."""
        (tmp_path / "closed").mkdir(mode=0o500)
        done = run(process, GOOD, "--store", "closed/store", preexec_fn=without_override)
        assert done.code == 73
        done.message("Permission denied", str(tmp_path / "closed"))
        assert (done.json["lines_read"], done.json["store"]) == (0, "closed/store")

    def test_a_standing_one(self, process: Command, tmp_path: Path) -> None:
        """A standing store whose directories cannot be written: 73, and what was committed stands."""
        assert run(process, SAMPLES / "shop.access.log.1.gz", "--quiet").code == 0
        before = snapshot(tmp_path / "store")
        (tmp_path / "store" / "_loganon" / "staging").chmod(0o500)
        done = run(process, GOOD, "--quiet", preexec_fn=without_override)
        assert done.code == 73
        done.message("Permission denied", "staging", "what was committed stands")
        assert done.json["counted"] == 0
        assert snapshot(tmp_path / "store") == before
        (tmp_path / "store" / "_loganon" / "staging").chmod(0o700)
        assert run(process, GOOD, "--quiet").json["counted"] == 900

    def test_the_key(self, process: Command, tmp_path: Path) -> None:
        """A key that cannot be made: 73, and no store is made."""
        (tmp_path / "closed").mkdir(mode=0o500)
        done = run(process, GOOD, "--key-file", "closed/key", preexec_fn=without_override)
        assert done.code == 73
        done.message("key", "closed/key", "--key-file")
        assert not (tmp_path / "store").exists()


def test_a_damaged_store(command: Command, tmp_path: Path) -> None:
    """74 where a file of the store is not what it should be, with the JSON object and the file's name."""
    assert run(command, GOOD).code == 0
    state = tmp_path / "store" / "_loganon" / "state.json"
    state.write_bytes(b"{")
    done = run(command, GOOD)
    assert done.code == 74
    done.message(str(state))
    assert done.json["counted"] == 0


def test_a_directory_that_is_no_store(command: Command, tmp_path: Path) -> None:
    """78: what is in it is not touched."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "letter.txt").write_text("dear")
    refused(run(command, GOOD), 78, "no store", "--store")
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["letter.txt"]


def test_a_store_that_is_a_file(command: Command, tmp_path: Path) -> None:
    """78, for `run` and `retain`."""
    (tmp_path / "store").write_text("dear")
    refused(run(command, GOOD), 78, "store is not a directory", "--store")
    refused(command("retain", "--store", "store"), 78, "no store", "--store")


def test_a_key_inside_the_store(command: Command, tmp_path: Path) -> None:
    """78, whether the store stands or not, and by whatever path; nothing is made."""
    for key in ("store/key", "store/_loganon/key", "x/../store/key"):
        refused(run(command, GOOD, "--key-file", key), 78, "key lies inside the store", key, "--key-file")
        assert not (tmp_path / "store").exists()
    assert run(command, GOOD).code == 0
    (tmp_path / "link").symlink_to(tmp_path / "store" / "_loganon")
    refused(run(command, GOOD, "--key-file", "link/key"), 78, "key lies inside the store")
    assert "key" not in {path.name for path in (tmp_path / "store").rglob("*")}


def test_a_lost_key(command: Command, tmp_path: Path) -> None:
    """78 rather than a new key by which every log would look new; another key, and half of one, are refused alike."""
    assert run(command, GOOD).code == 0
    before = snapshot(tmp_path / "store")
    key = command.key.read_bytes()
    command.key.unlink()
    refused(run(command, GOOD), 78, "key of this store is missing", str(command.key), "--key-file")
    assert not command.key.exists()
    command.key.write_bytes(b"0" * 64)
    refused(run(command, GOOD), 78, "not the one that this store was made with", "--key-file")
    command.key.write_bytes(key[:10])
    refused(run(command, GOOD), 78, "shorter than 16 bytes", str(command.key))
    assert snapshot(tmp_path / "store") == before
    command.key.write_bytes(key)
    assert run(command, GOOD).json["already_counted"] == 900


@pytest.mark.parametrize("kind", ["log", "device"])
def test_what_is_too_long_for_a_key(command: Command, tmp_path: Path, kind: str) -> None:
    """A file of more than 4 KiB is no key (78): a log is another tomorrow, a device without end was read for ever."""
    (tmp_path / "long.log").write_text("203.0.113.7 is no part of any key\n" * 200)
    given = tmp_path / "long.log" if kind == "log" else Path("/dev/zero")
    refused(run(command, GOOD, "--key-file", given), 78, "no key", str(given))
    assert not (tmp_path / "store" / "access").exists()


def test_retention_needs_no_key(command: Command) -> None:
    """Deletion goes on although the key is lost."""
    assert run(command, GOOD).code == 0
    command.key.unlink()
    done = command("retain", "--store", "store", "--now", "2026-12-31", "--json")
    assert (done.code, done.json["partitions_dropped"]) == (0, ["2026-11-18", "2026-11-19"])


def test_another_policy(command: Command, tmp_path: Path) -> None:
    """78 for any but the frozen one; the same by name, or a file that means the same, is accepted."""
    assert run(command, GOOD).code == 0
    refused(run(command, GOOD, "--policy", "six-weeks"), 78, '"imos"', " store.", "--policy")
    text = (Path(__file__).parents[1] / "configs" / "imos.toml").read_text()
    (tmp_path / "same.toml").write_text("# the same in other words\n" + text.replace('"6 weeks"', "'6 weeks'"))
    (tmp_path / "looser.toml").write_text(text.replace("minimum = 50", "minimum = 49"))
    refused(run(command, GOOD, "--policy", "./looser.toml"), 78, '"imos"')
    assert run(command, GOOD, "--policy", "./same.toml").json["already_counted"] == 900
    assert run(command, GOOD, "--policy", "imos").json["already_counted"] == 900


def test_a_busy_store(command: Command, tmp_path: Path) -> None:
    """75 while another process holds the lock, for `run` and `retain`; nothing on standard output, nothing changed."""
    ingest(tmp_path / "store", [GOOD], now=NOW)
    command.key.write_bytes(KEY.secret)
    before = snapshot(tmp_path / "store")
    lock = os.open(tmp_path / "store" / "_loganon" / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(run(command, GOOD, "--wait", "0s"), 75, "another process holds the store", "--wait")
        done = command("retain", "--store", "store", "--now", SAMPLE_NOW, "--wait", "0s", "--json")
        refused(done, 75, "another process holds the store")
    finally:
        os.close(lock)
    assert snapshot(tmp_path / "store") == before
    assert run(command, GOOD).json["already_counted"] == 900


def test_preview_says_it_alike(command: Command, tmp_path: Path) -> None:
    """`preview` has the same messages and codes, and writes nothing."""
    (tmp_path / "picture.log").write_bytes(PNG)
    (tmp_path / "error.log").write_bytes(NGINX_ERROR)
    (tmp_path / "empty.log").write_bytes(b"")
    before = sorted(path.name for path in tmp_path.iterdir())
    for log, code, part in (
        ("picture.log", 65, "no known format"),
        ("error.log", 65, "an error log"),
        ("empty.log", 65, "no line"),
        ("missing.log", 66, "no such log"),
    ):
        done = command("preview", log)
        assert (done.code, done.out) == (code, "")
        done.message(part, f" {log}")
    refused(command("preview", GOOD, "--policy", "imso"), 78, '"imos"')
    refused(command("preview"), 2, "LOG")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def closed(folder: Path, *streams: str) -> Command:
    """The command as a process that was started with these descriptors closed."""
    shell = ("sh", "-c", f'exec "$@" {" ".join(streams)}', "sh")
    return Command(folder, python=(*shell, sys.executable, "-m", "loganon"))


@pytest.mark.parametrize("words", [("filter",), ("filter", "-"), ("filter", "--error-log", "nginx"), ("preview", "-")])
def test_closed_standard_input(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A process without standard input that is to read it says so (66)."""
    refused(closed(tmp_path, "<&-")(*words), 66, "standard input is closed")


def test_closed_standard_output(tmp_path: Path) -> None:
    """A filter without standard output says so (73); what others would print goes nowhere."""
    refused(closed(tmp_path, ">&-")("filter", "--quiet", GOOD), 73, "standard output is closed")
    for words in (("policy", "show", "imos"), ("formats",), ("preview", GOOD, "--provider-db", DATABASE)):
        assert closed(tmp_path, ">&-")(*words) == Done(0, "", ""), words


def test_all_streams_closed(tmp_path: Path) -> None:
    """A run without any of the three counts, and its exit codes are those of any other."""
    daemon = closed(tmp_path, "<&-", ">&-", "2>&-")
    assert daemon("run", GOOD, "--store", "store", "--now", SAMPLE_NOW).code == 0
    assert run(closed(tmp_path, "<&-", "2>&-"), GOOD).json["already_counted"] > 0
    assert daemon("run", "no.log", "--store", "store", "--now", SAMPLE_NOW).code == 66
    assert daemon("run", "--no-option").code == 2


def test_no_file_takes_a_standard_streams_number(tmp_path: Path) -> None:
    """Descriptors 0 to 2 are held, so that what a library says on 2 never stands in a file of the store."""
    script = (
        "from loganon.cli import start; start._hold_standard_streams(); n = open('out', 'w'); print(n.fileno(), file=n)"
    )
    shell = Command(tmp_path, python=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c"))
    assert shell(script).code == 0
    assert int((tmp_path / "out").read_text("ascii")) > 2


def test_a_failure_inside_says_no_value(tmp_path: Path) -> None:
    """An exception whose message quotes a log line: 70, kind and place only, no traceback, no line."""
    (tmp_path / "x.log").write_bytes(b"".join(lines(3)))
    code = (
        "import sys; import loganon.ingest as i; from loganon.cli import main\n"
        "def bad(*_): raise ValueError('91.44.26.11 - - jane.doe@example.org')\n"
        "i.Ingest._read = bad\nsys.argv[0] = 'loganon'\nmain()"
    )
    done = Command(tmp_path, python=(sys.executable, "-c", code))(
        "run", "x.log", "--store", "store", "--now", SAMPLE_NOW
    )
    assert (done.code, done.out) == (70, "")
    said = done.message("ValueError")
    assert "91.44" not in said
    assert "jane" not in said
    assert days(tmp_path / "store") == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", GOOD, "--store", "closed/s"), 73, "closed/s/"),
        (("run", GOOD, "--store", "s", "--format-from", "closed/nginx.conf"), 78, "closed/nginx.conf"),
        (("run", GOOD, "--store", "s", "--format-from", "closed/nginx.conf:main"), 78, "closed/nginx.conf"),
        (("run", GOOD, "--store", "s", "--policy", "closed/p.toml"), 78, "closed/p.toml"),
        (("run", GOOD, "--store", "s", "--key-file", "closed/key"), 78, "closed/key"),
        (("run", "closed/a.log", "--store", "s"), 66, "closed/a.log"),
        (("run", "--config", "closed/a.toml"), 78, "closed/a.toml"),
        (("status", "--store", "closed/s"), 73, "closed/s/"),
        (("retain", "--store", "closed/s"), 73, "closed/s/"),
        (("policy", "show", "closed/s"), 78, "closed/s"),
    ],
    ids=lambda value: " ".join(map(str, value))[-40:] if isinstance(value, tuple) else None,
)
def test_a_folder_that_is_closed_to_this_user(
    process: Command, words: tuple[object, ...], code: int, said: str
) -> None:
    """Whatever lies in a folder that may not be entered is named as such, and is no error of ours (70)."""
    (process.folder / "closed").mkdir(mode=0)
    done = process(*words, preexec_fn=without_override)
    (process.folder / "closed").chmod(0o700)
    assert done.code == code
    done.message(said)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
@pytest.mark.parametrize("verb", ["run", "retain"])
def test_a_store_that_is_closed_to_this_user(process: Command, verb: str) -> None:
    """It stops no other site, and nobody takes it for one that is not there: what is due in it would stay, unsaid."""
    inputs = "".join(f"[[input]]\nlogs = '{GOOD}'\nstore = '{name}/s'\n" for name in ("closed", "open"))
    (process.folder / "a.toml").write_text(f'key_file = "key"\nprovider_db = "{DATABASE}"\n{inputs}')
    assert process("run", "--config", "a.toml", "--now", SAMPLE_NOW).code == 0
    if verb == "retain":  # the logs are gone, the stores stand
        config = process.folder / "a.toml"
        config.write_text(config.read_text().replace(str(GOOD), "/nothing/*"))
    (process.folder / "closed").chmod(0)
    done = process(verb, "--config", "a.toml", "--now", SAMPLE_NOW, "--json", preexec_fn=without_override)
    (process.folder / "closed").chmod(0o700)
    assert done.code == 73, done.err
    assert [each["exit_code"] for each in done.json["stores"]] == [73, 0]
    assert f"{process.folder}/closed/s/" in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
@pytest.mark.parametrize("mode", [0, 0o300, 0o400])
@pytest.mark.parametrize("verb", ["run", "retain", "status"])
def test_a_folder_of_stores_that_is_closed_to_this_user(process: Command, verb: str, mode: int) -> None:
    """Which stores stand in it nobody knows, and what is due in them stays: that is an error (73)."""
    (process.folder / "closed" / "s").mkdir(parents=True)
    (process.folder / "closed").chmod(mode)
    (process.folder / "a.toml").write_text("[[input]]\nlogs = 'none/{site}.log'\nstore = 'closed/{site}'\n")
    done = process(verb, "--config", "a.toml", "--quiet", preexec_fn=without_override)
    (process.folder / "closed").chmod(0o700)
    assert done.code == 73, done.err
    done.message("the folder of the stores cannot be read", f"{process.folder}/closed.")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LOGANON_STOR", "LOGANON_STORE"),
        ("LOGANON_STATUS_MAXAGE", "LOGANON_STATUS_MAX_AGE"),
        ("LOGANON_TRUSTED_PROXY", "LOGANON_RUN_TRUSTED_PROXY"),
        ("LOGANON_RUN_LEED", "LOGANON_RUN_LEAD"),
        ("LOGANON_RUN_LEAD", ""),
        ("LOGANON_SERVICE_PORT", ""),
        ("LOGANON_PORT_9464_TCP", ""),
        ("LOGANON_SOMETHING_ELSE", ""),
    ],
)
def test_a_variable_that_no_option_has(tmp_path: Path, name: str, meant: str) -> None:
    """It is named with the one that is near, of the running command before others; what is near to none is somebody
    else's, and so is what Kubernetes says of a service named loganon. It is no error.
    """
    ingest(tmp_path / "s", [])
    command = Inside(tmp_path, variables={name: "1h"})
    done = command("status", "--store", "s", "--now", NOW.isoformat())
    assert done.code == 0
    if meant:
        done.message(f"{name}: no option has this variable", f"Did you mean {meant}?")
    else:
        assert done.err == ""
    assert command("retain", "--store", "s", "--now", NOW.isoformat(), "--quiet").err == ""


@pytest.mark.parametrize("words", [(), ("policy",), ("key",)], ids=repr)
def test_nothing_asked(command: Command, words: tuple[str, ...]) -> None:
    """Without a command its help is shown as it is, on standard error (2)."""
    done = command(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == command(*words, "--help").out
