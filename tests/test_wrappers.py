"""What syslog and container runtimes write around a line changes nothing of what is read from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.formats import Format, load_formats
from loganon.parse import Parsed, make_parser
from loganon.parse.detect import detect
from loganon.parse.wrappers import unwrap, wrapper_of

FORMATS = load_formats()
NEEDS = frozenset({"client", "request", "path", "status", "bytes", "agent"})
LINE = b'203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 368 "-" "Mozilla/5.0"'
PREFIXES = {
    "RFC 3164": b"Oct  1 06:05:27 web1 nginx: ",
    "RFC 3164 with PRI": b"<190>Oct 10 06:05:27 web1 nginx[12]: ",
    "RFC 3164 without a host": b"<190>Oct 10 06:05:27 nginx: ",
    "RFC 3164 from an address": b"Oct 10 06:05:27 2001:db8::5 haproxy[6801]: ",
    "rsyslog": b"2026-10-10T06:05:27.123456+02:00 web1 apache2[12]: ",
    "RFC 5424": b"<165>1 2026-10-10T06:05:27.003Z web1 nginx 8710 ID47 - ",
    "RFC 5424 without PRI": b"1 2026-10-10T06:05:27Z web1 nginx - - - \xef\xbb\xbf",
    "RFC 5424 with data": b'<165>1 2026-10-10T06:05:27Z web1 nginx - - [a@1 b="c\\]d" e="f"][g@2] ',
    "CRI": b"2026-10-10T06:05:27.123456789Z stdout F ",
    "CRI with an offset": b"2026-10-10T06:05:27.1+02:00 stdout F ",
}


def docker(line: bytes) -> bytes:
    entry = {"log": line.decode() + "\n", "stream": "stdout", "time": "2026-10-10T06:05:27.1Z"}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()


def read(fmt: Format, data: bytes) -> Parsed:
    return make_parser(fmt, needs=NEEDS, max_rejects=10)(Chunk(data, 0, len(data)), ())


def values(parsed: Parsed) -> dict[str, list[Any]]:
    return {name: column.to_pylist() for name, column in parsed.columns.items()}


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.dialect == "template"])
@pytest.mark.parametrize("prefix", [*PREFIXES, "docker"])
def test_every_format_in_every_wrapper(name: str, prefix: str) -> None:
    """A wrapped line gives what the line gives, in the format that it has."""
    fmt = FORMATS[name]
    line = next(example.line for example in fmt.examples if example.reject is None).encode()
    wrapped = docker(line) if prefix == "docker" else PREFIXES[prefix] + line
    assert values(read(fmt, wrapped + b"\n")) == values(read(fmt, line + b"\n"))
    found, plain = detect([wrapped], FORMATS.values()), detect([line], FORMATS.values())
    assert found.format is plain.format
    assert found.wrapper is not None
    assert plain.wrapper is None


def test_a_line_cut_into_parts_is_one() -> None:
    """Parts of one line are joined, each stream's by itself; a part whose end is not there is a line of its own."""
    cri = b"2026-10-10T06:05:27Z %s %s %s\n"
    parts = cri % (b"stdout", b"P", LINE[:30]) + cri % (b"stderr", b"F", b"x") + cri % (b"stdout", b"F", LINE[30:])
    parsed = read(FORMATS["combined"], parts * 3 + cri % (b"stdout", b"P", b"rest"))
    assert (parsed.rows, parsed.lines, parsed.rejected) == (3, 7, {"malformed": 4})
    text = docker(LINE).replace(b"\\n", b"")
    parsed = read(
        FORMATS["combined"], text.replace(LINE[30:].replace(b'"', b'\\"'), b"") + b"\n" + docker(LINE[30:]) + b"\n"
    )
    assert (parsed.rows, parsed.lines) == (1, 1)


def test_no_line_can_be_forged() -> None:
    """A line end within an entry makes no second line, and a line that is too long stays so."""
    two = docker(LINE + b"\n" + LINE)
    assert read(FORMATS["combined"], docker(LINE) + b"\n" + two + b"\n").rejected == {"malformed": 1}
    for prefix in PREFIXES.values():
        long = prefix + LINE.replace(b"/a", b"/" + b"a" * (MAX_LINE_BYTES - len(LINE)))
        parsed = read(FORMATS["combined"], prefix + LINE + b"\n" + long + b"\n")
        assert (parsed.rows, parsed.rejected) == (1, {"too_long": 1})


def test_a_template_may_have_the_prefix_in_it() -> None:
    """Lines that a format reads as they are are not unwrapped."""
    line = PREFIXES["RFC 3164"] + b"hello"
    assert wrapper_of([line]) == "syslog"
    assert wrapper_of([LINE, LINE, line]) is None


@settings(max_examples=300, deadline=None)
@given(
    data=st.lists(st.sampled_from([*PREFIXES.values(), LINE, b"\n", b"P ", b'{"log":"', b'\\n"}', b"\xff"])).map(
        b"".join
    )
)
def test_unwrapping_never_raises(data: bytes) -> None:
    """Whatever the bytes, no line is added."""
    for kind in ("syslog", "cri", "docker"):
        assert unwrap(data, kind).count(b"\n") <= data.count(b"\n") + 1
    read(FORMATS["combined"], data)
