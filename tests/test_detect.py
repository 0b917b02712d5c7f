"""Which format a log has."""

from __future__ import annotations

import gzip
import random
import tarfile
from pathlib import Path

import pytest

from loganon.formats import Format, load_formats
from loganon.parse import detect as detecting
from loganon.parse.archives import archive_of
from loganon.parse.detect import Detection, detect, sample_lines
from loganon.parse.directives import pieces
from loganon.parse.literals import has_literals, literals_of
from support.cli import SAMPLES

FORMATS = load_formats()
COMMON = b'203.0.113.7 - bob [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1'
COMBINED = COMMON + b' "-" "Mozilla/5.0"'
NGINX_ERROR = b"2026/09/26 14:36:50 [error] 8409#8409: *317058 open() failed, client: 203.0.113.7"
APACHE_ERROR = b"[Fri Sep 09 10:42:29.902022 2026] [core:error] [pid 35708] [client 203.0.113.7] File does not exist"
OLD_ERROR = b"[Wed Oct 11 14:32:52 2000] [error] [client 203.0.113.7] client denied"


def found(*lines: bytes) -> Detection:
    return detect(lines, FORMATS.values())


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.sign or not fmt.like])
def test_each_example_names_its_format(name: str) -> None:
    """A log of any one line that a format reads has that format, and no other."""
    for example in FORMATS[name].examples:
        if example.reject is None:
            detection = found(*sample_lines(example.line.encode(), complete=True))
            assert detection.format is FORMATS[name], example
            assert detection.share == 1.0


def test_the_share_decides() -> None:
    """A format that takes at least 95 % of the lines is it, even if another takes some."""
    assert found(*[COMBINED] * 95, *[COMMON] * 5).format is FORMATS["combined"]
    assert found(*[COMBINED] * 94, *[COMMON] * 6).format is None


def test_the_only_one_that_fits_any_line() -> None:
    """Where no format takes 95 %, the only one that takes any line is it."""
    detection = found(COMBINED, b"x", b"y", b"z")
    assert detection.format is FORMATS["combined"]
    assert detection.share == 0.25


def test_only_the_first_thousand_lines_count() -> None:
    """What comes after 1,000 lines changes nothing."""
    lines = sample_lines(b"\n".join([COMBINED] * 1000 + [COMMON] * 1000))
    assert len(lines) == 1000
    assert detect([*lines, COMMON], FORMATS.values()).share == 1.0


def test_httperr_is_no_access_log() -> None:
    """What HTTP.sys answered itself, or closed, is in a W3C log of its own, told by the reasons in it: no accesses."""
    head = b"#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid"
    line = b"2026-10-10 08:09:10 203.0.113.7 2780 10.0.0.1 80 HTTP/1.1 GET /a 503 1"
    detection = found(b"#Software: Microsoft HTTP API 2.0", head + b" s-reason s-queuename", line + b" ConnLimit -")
    assert detection.format is None
    assert (detection.other or "").startswith("IIS's HTTPERR log")
    assert found(head, line).format is FORMATS["w3c"]


def test_the_unterminated_end_is_no_line() -> None:
    """The end of what was read of a log is no line, unless it is the log's, or there is no other."""
    assert sample_lines(b"a\r\n\nb") == [b"a"]
    assert sample_lines(b"a\nb", complete=True) == [b"a", b"b"]
    assert sample_lines(b"a") == [b"a"]
    assert sample_lines(b"") == []


@pytest.mark.parametrize(("line", "server"), [(NGINX_ERROR, "nginx"), (APACHE_ERROR, "Apache"), (OLD_ERROR, "Apache")])
def test_error_logs(line: bytes, server: str) -> None:
    """An error log has no format and names its server, also with the lines of a stack trace between."""
    detection = found(line, b"  at foo.php:7", b"  at bar.php:8")
    assert (detection.format, detection.error_log) == (None, server)
    assert found(COMBINED, line).error_log is None
    assert found(line, COMBINED).error_log is None
    assert found(line, COMBINED, line).error_log == server


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"Connect from 203.0.113.7:33312 to 10.0.3.31:8012 (www/HTTP)", "HAProxy"),
        (b"203.0.113.7:33313 [06/Feb/2026:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0", "HAProxy"),
        (b'{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","awsRegion":"eu-central-1"}', "CloudTrail"),
        (b'{"Records":[{"eventVersion":"1.08"}]}', "CloudTrail"),
    ],
)
def test_other_logs(line: bytes, what: str) -> None:
    """A log that is known and is no access log has no format, and says what it is, also in a wrapper."""
    for prefix in (b"", b"<13>Oct 10 13:55:36 web1 haproxy[12]: "):
        detection = found(prefix + line, prefix + line)
        assert detection.format is None
        assert what in (detection.other or "")


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"PK\x03\x04\x14\0", "zip"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"!<arch>\nx.log/", "ar"),
        (b"070701" + b"0012AB9f" * 13, "cpio"),
        (b"070707" + b"0" * 70, "cpio"),
        (tarfile.TarInfo("x.log").tobuf(tarfile.USTAR_FORMAT), "tar"),
        (tarfile.TarInfo("x" * 200).tobuf(tarfile.GNU_FORMAT), "tar"),
        (tarfile.TarInfo("x" * 200).tobuf(tarfile.PAX_FORMAT), "tar"),
        (tarfile.TarInfo("x.log").tobuf(tarfile.USTAR_FORMAT)[:511], None),
        (bytes(512), None),
        (b"070701 10:00:00 GET /a 200 " + COMBINED * 4, None),
        (COMBINED * 9, None),
    ],
)
def test_archives(beginning: bytes, kind: str | None) -> None:
    """An archive is told by its beginning, a tar by the sum in its header; a line that begins alike is a line's."""
    assert archive_of(beginning) == kind
    detection = found(*(beginning + COMBINED + b"\n" + COMBINED).split(b"\n"))
    assert (kind is None) or (detection.format is None and f"({kind})" in (detection.other or ""))


def test_a_json_array_is_not_half_read() -> None:
    """Objects with a comma behind them are no lines: the last, which has none, alone would be counted."""
    line = b'{"timestamp":"2026-10-10T13:55:36Z","httpRequest":{"remoteIp":"::1","requestUrl":"/a","status":200}}'
    assert found(line, line).format is FORMATS["gcp_lb_json"]
    for lines in (
        [b"[", line + b",", line, b"]"],
        [b"[" + line + b",", line, b"]"],
        [b"[", b"  {", b'  "status": 200'],
    ):
        detection = found(*lines)
        assert detection.format is None
        assert "a JSON array" in (detection.other or "")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_log_in_utf_16(codec: str) -> None:
    """What PowerShell's `>` makes of a log is refused by its name, with the way out; one such line hides no log."""
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[codec]
    lines = (mark + (COMBINED.decode() + "\n").encode(codec) * 3).split(b"\n")
    detection = found(*lines)
    assert detection.format is None
    assert "iconv" in (detection.other or "")
    beside = found(lines[0], *[COMBINED] * 30)
    assert beside.format is not None
    assert beside.format.name == "combined"


def test_candidates_hold_offsets() -> None:
    """Where no format fits, the nearest come first, each with the place where it failed and no text."""
    detection = found(COMBINED[:-1], b"\x89PNG\r\x1a")
    assert detection.format is detection.error_log is None
    assert detection.candidates[0].at is not None
    assert [c.share for c in detection.candidates] == [0.0] * len(FORMATS)
    assert "203" not in repr(detection.candidates)
    failed = {candidate.name: candidate.at for candidate in detection.candidates}
    assert failed["combined"] == COMBINED.index(b'"Mozilla')
    assert failed["common"] == len(COMMON)


def test_no_lines() -> None:
    """Nothing has no format."""
    assert found().format is None
    assert found(b"a\0b", b"x" * ((1 << 20) + 1)).format is None


def judged(lines: list[bytes]) -> tuple[Format | None, float, str | None, str | None]:
    """What is found where every format is asked for all lines."""
    whole = detecting._choose(lines, tuple(FORMATS.values()))
    return whole.format, whole.share, whole.error_log, whole.other


def seen(lines: list[bytes]) -> tuple[Format | None, float, str | None, str | None]:
    """What is found by what the lines show first."""
    quick = detecting._detect(lines, tuple(FORMATS.values()))
    return quick.format, quick.share, quick.error_log, quick.other


@pytest.mark.parametrize("log", sorted(SAMPLES.glob("*.log*")), ids=lambda path: path.name)
def test_the_quick_way_finds_the_same_in_logs(log: Path) -> None:
    """The formats that are not asked, since what the first lines show excludes them, would not have been found."""
    lines = sample_lines(gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes())
    for some in (lines, lines[:65], lines[:3]):
        assert seen(some) == judged(some)
        assert judged(some)[0] in detecting._likely(some, tuple(FORMATS.values()))


@pytest.mark.parametrize("seed", range(12))
def test_the_quick_way_finds_the_same_in_mixtures(seed: int) -> None:
    """So it is for lines of all formats, good and bad ones, of one format, of two, or of many."""
    draw = random.Random(seed)
    examples = {name: sample_lines("\n".join(e.line for e in fmt.examples).encode()) for name, fmt in FORMATS.items()}
    for _ in range(6):
        kinds = draw.sample(sorted(examples), draw.choice((1, 1, 2, 5)))
        lines = [draw.choice(examples[draw.choice(kinds)]) for _ in range(draw.choice((1, 4, 30, 90)))]
        if draw.random() < 0.5:
            lines = [line[: draw.randrange(1, len(line) + 1)] if draw.random() < 0.1 else line for line in lines]
        assert seen(lines) == judged(lines), lines
        found, share, *_ = judged(lines)
        assert found is None or share < detecting.SHARE or found in detecting._likely(lines, tuple(FORMATS.values()))


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.dialect == "template"])
def test_every_line_has_the_literals_of_its_template(name: str) -> None:
    """The texts by which a line is excluded stand in each line that the format takes."""
    literals = literals_of(pieces(FORMATS[name]))
    lines = [e.line.encode() for e in FORMATS[name].examples if e.reject is None]
    assert literals
    assert lines
    assert all(has_literals(line, literals) for line in lines)
    assert not has_literals(b"-", literals)


def test_most_lines_decide_between_inside_and_whole() -> None:
    """Where neither is sure, the lines as they stand are compared with what is inside of them: most lines decide."""
    router = next(example.line for example in FORMATS["heroku"].examples if example.reject is None).encode()
    before = b"2026-10-10T13:55:36.123456+00:00 app[web.1]: "
    app = before + b'10.1.32.85 - - [10/Oct/2026 13:55:36] "GET /a HTTP/1.1" 200 -'
    mixed, other = found(router, router, app), found(router, app, app)
    assert (mixed.format, mixed.wrapper) == (FORMATS["heroku"], None)
    assert (other.format, other.wrapper) == (FORMATS["python_http"], "syslog")
