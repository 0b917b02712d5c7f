"""What syslog and container runtimes write around a line changes nothing of what is read from it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.formats import Format, load_formats
from loganon.parse import Parsed, ParseState, make_parser, whole_lines
from loganon.parse.detect import detect, sample_lines
from loganon.parse.lines import BOM
from loganon.parse.wrappers import unwrap, wrapper_of
from loganon.sources.cutter import Cutter
from support.cli import Inside

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
    "the priority alone": b"<190>",
    "RFC 3164 with CEE": b"<190>Oct 10 06:05:27 web1 nginx: @cee:",
    "RFC 5424 with CEE": b"<165>1 2026-10-10T06:05:27.003Z web1 nginx 8710 ID47 - @cee: ",
    "docker service logs": b"web.1.3z9k@Node-1.example    | ",
    "CRI": b"2026-10-10T06:05:27.123456789Z stdout F ",
    "docker compose": b"web-1  | ",
    "journalctl -o short-precise": b"Oct 10 06:05:27.123456 web1 nginx[12]: ",
    "journalctl -o short-iso": b"2026-10-10T06:05:27+0200 web1 nginx[12]: ",
    "kubectl logs --prefix": b"[pod/web-5d9c7f-x2x/nginx] ",
    "kubectl logs --timestamps": b"2026-10-10T06:05:27.123456789Z ",
    "kubectl logs --prefix --timestamps": b"[pod/web-0/nginx] 2026-10-10T06:05:27.123456789Z ",
    "docker compose logs -t": b"web-1  | 2026-10-10T06:05:27.123456789Z ",
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
@pytest.mark.parametrize("prefix", [*PREFIXES, "docker", "quotes"])
def test_every_format_in_every_wrapper(name: str, prefix: str) -> None:
    """A wrapped line gives what the line gives, in the format that it has."""
    fmt = FORMATS[name]
    line = next(example.line for example in fmt.examples if example.reject is None).encode()
    wrapped = PREFIXES[prefix] + line if prefix in PREFIXES else docker(line) if prefix == "docker" else b'"%s"' % line
    assert values(read(fmt, wrapped + b"\n")) == values(read(fmt, line + b"\n"))
    found, plain = detect([wrapped], FORMATS.values()), detect([line], FORMATS.values())
    assert found.format is plain.format
    assert found.wrapper is not None
    assert plain.wrapper is None


def test_a_line_in_quotes() -> None:
    """A quote before a line and one behind it are no part of it, nor the CR behind it; a line that begins or ends with
    a quote of its own keeps it, also among others.
    """
    expected = values(read(FORMATS["combined"], LINE + b"\n"))
    for end in (b"\n", b"\r\n", b""):
        assert values(read(FORMATS["combined"], b'"' + LINE + b'"' + end)) == expected
    listed = b'"198.51.100.1, 10.0.0.1"' + LINE.removeprefix(b"203.0.113.7") + b"\n"
    assert values(read(FORMATS["combined"], listed))["client"] == [b'"198.51.100.1, 10.0.0.1"']
    both = (b'"' + LINE + b'"\n') * 3 + LINE + b"\n"
    assert values(read(FORMATS["combined"], both)) == values(read(FORMATS["combined"], (LINE + b"\n") * 4))
    long = b'"a %s"\n' % (b"b" * MAX_LINE_BYTES)
    parsed = read(FORMATS["combined"], both + long)
    assert (parsed.rows, parsed.rejected) == (4, {"too_long": 1})


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


@pytest.mark.parametrize("before", [b"2026-10-10T06:05:27Z ", b"Oct 10 06:05:27 ", b"Oct 10 06:05:27 web1 "])
@pytest.mark.parametrize("client", [b"2001:db8::7", b"203.0.113.7:50000", b"[2001:db8::7]:50000"])
def test_a_client_is_no_tag(before: bytes, client: bytes) -> None:
    """No part of an address goes with a prefix: behind a time the client is read whole, or the line is none."""
    parsed = read(FORMATS["combined"], before + LINE.replace(b"203.0.113.7", client) + b"\n")
    assert values(parsed).get("client", []) in ([client], [])


def test_no_client_behind_other_words() -> None:
    """What stands before a client is not taken for one, nor the client for a user of several words."""
    for before in (b"a ", b"a b ", b"a b c ", b"[pod] 2026-10-10 ", b"stdout F "):
        for rest in (b"- -", b"- bob"):
            for client in (b"203.0.113.7", b"2001:db8::7"):
                line = before + LINE.replace(b"203.0.113.7 - -", client + b" " + rest)
                assert read(FORMATS["combined"], line + b"\n").rows == 0, line
    line = LINE.replace(b"- - [", b"- bob of 10.0.0.1 [")
    assert read(FORMATS["combined"], line + b"\n").rows == 1


@pytest.mark.parametrize("name", ["combined", "w3c", "nginx_json"])
def test_a_byte_order_mark(name: str) -> None:
    """One at the beginning of a log is no part of its first line, of what else is around it, or of its header; one that
    stands elsewhere is.
    """
    fmt = FORMATS[name]
    data = next(example.line for example in fmt.examples if example.reject is None).encode() + b"\n"
    parser = make_parser(fmt, needs=NEEDS)

    def told(data: bytes, start: int = 0) -> tuple[object, ...]:
        parsed = parser(Chunk(data, start, start + len(data)), ())
        return values(parsed), parsed.lines, parsed.rejected

    assert told(BOM + data) == told(data)
    assert told(BOM + PREFIXES["CRI"] + data) == told(PREFIXES["CRI"] + data)
    assert detect(sample_lines(BOM + data), FORMATS.values()).format is fmt
    assert told(BOM + data, 9) != told(data, 9)
    assert told(data + BOM + data) != told(data + data)


def test_first_lines_that_do_not_tell() -> None:
    """Where none of a chunk's first lines is the format's, wrapped or not, the others say what is around them."""
    line = next(example.line for example in FORMATS["heroku"].examples if example.reject is None).encode() + b"\n"
    other = b"2026-10-10T13:55:36.123456+00:00 app[web.1]: Started\n"
    assert read(FORMATS["heroku"], other * 30 + line * 3).rows == 3
    assert read(FORMATS["combined"], other * 30 + (PREFIXES["rsyslog"] + LINE + b"\n") * 3).rows == 3


@settings(max_examples=300, deadline=None)
@given(
    data=st.lists(st.sampled_from([*PREFIXES.values(), LINE, b"\n", b"P ", b'{"log":"', b'\\n"}', b"\xff", b'"'])).map(
        b"".join
    )
)
def test_unwrapping_never_raises(data: bytes) -> None:
    """Whatever the bytes, no line is added."""
    for kind in ("syslog", "cri", "docker", "quotes", "times", "kubectl with times", "compose with times"):
        assert unwrap(data, kind).count(b"\n") <= data.count(b"\n") + 1
    read(FORMATS["combined"], data)


CRI = b"2026-10-10T06:05:27Z %s %s %s\n"


def entry(stream: str, text: str) -> bytes:
    return json.dumps({"log": text, "stream": stream, "time": "2026-10-10T06:05:27Z"}).encode() + b"\n"


def cri_parts(parts: list[tuple[str, bool, int]]) -> bytes:
    return b"".join(CRI % (stream.encode(), b"F" if end else b"P", _piece(at, end)) for stream, end, at in parts)


def docker_parts(parts: list[tuple[str, bool, int]]) -> bytes:
    return b"".join(entry(stream, (_piece(at, end) + b"\n" * end).decode()) for stream, end, at in parts)


def _piece(at: int, end: bool) -> bytes:
    return LINE[at:] if end else LINE[:at]


def in_blocks(data: bytes, size: int) -> tuple[Counter[bytes], list[int]]:
    """The lines that come of `data` in blocks of `size` bytes, unwrapped, and the sizes of what was held back."""
    kind = "docker" if data.startswith(b"{") else "cri"
    cutter, lines, held = Cutter(0, b"", whole_lines), Counter[bytes](), []
    for at in range(0, len(data), size):
        chunk = cutter.push(data[at : at + size])
        held.append(cutter.pending)
        if chunk is not None:
            assert chunk.data == data[chunk.start : chunk.end]
            assert cutter.tail == data[: chunk.end][-256:]
            lines.update(unwrap(chunk.data, kind).splitlines())
    last = cutter.finish()
    if last is not None:
        lines.update(unwrap(last.data, kind).splitlines())
    assert (cutter.given, cutter.pending, cutter.tail) == (len(data), 0, data[-256:])
    return lines, held


PARTS = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.booleans(), st.sampled_from([0, 30, 60])), max_size=12
)


@settings(deadline=None)
@given(data=st.one_of(PARTS.map(cri_parts), PARTS.map(docker_parts)), size=st.integers(1, 400))
def test_the_size_of_chunks_changes_nothing(data: bytes, size: int) -> None:
    """However a log is cut into blocks, the same parts are joined."""
    assert in_blocks(data, size)[0] == in_blocks(data, max(1, len(data)))[0]


@pytest.mark.parametrize("make", [cri_parts, docker_parts])
def test_a_chunk_ends_where_no_line_is_open(make: Any) -> None:
    """A line whose parts lie in different blocks is read as one line."""
    data = make([("stdout", False, 30), ("stderr", True, 60), ("stdout", True, 30)] * 3)
    for size in (1, 50, 100, 333):
        cutter, rows, state = Cutter(0, b"", whole_lines), 0, ParseState()
        parser = make_parser(FORMATS["combined"], needs=NEEDS)
        for at in range(0, len(data), size):
            if (chunk := cutter.push(data[at : at + size])) is not None:
                parsed = parser(chunk, state)
                rows, state = rows + parsed.rows, parsed.state
        assert rows == 3, size


@pytest.mark.parametrize("size", [100_000, 1 << 20, 3_000_000, 1 << 24])
def test_what_is_held_back_is_bounded(size: int) -> None:
    """Parts without an end are held back no longer than a line may be, wherever the blocks end; then each is a line."""
    part = CRI % (b"stdout", b"P", b"a" * 16_000)
    other = CRI % (b"stderr", b"F", LINE)
    data = part * 200 + other + CRI % (b"stdout", b"F", b"end") + part + other * 20_000 + part
    found, held = in_blocks(data, size)
    assert found == in_blocks(data, len(data))[0]
    assert max(held) <= MAX_LINE_BYTES + size
    assert found[LINE] == 20_001
    assert max(map(len, found)) < MAX_LINE_BYTES


def test_an_overlong_line_is_cut_between_parts() -> None:
    """A line that is too long, whatever is open before it, stays one too long line; offsets count all of it."""
    part = CRI % (b"stdout", b"P", LINE[:30])
    data = part + b"x" * (3 * MAX_LINE_BYTES) + b"\n" + part + CRI % (b"stdout", b"F", LINE[30:])
    for size in (1000, 1 << 20, len(data)):
        cutter = Cutter(0, b"", whole_lines)
        chunks = [c for at in range(0, len(data), size) if (c := cutter.push(data[at : at + size])) is not None]
        lines = [line for chunk in chunks for line in unwrap(chunk.data, "cri").splitlines()]
        assert (cutter.given, cutter.tail) == (len(data), data[-256:])
        assert [lines[0], lines[-1]] == [LINE[:30], LINE]
        assert len(lines) == 3
        assert len(lines[1]) > MAX_LINE_BYTES


def test_a_part_at_the_end_waits_for_the_next_run(tmp_path: Path) -> None:
    """A part whose end is not there yet is pending; the run after its end was written counts the line once."""
    run, log = Inside(tmp_path), tmp_path / "access.log"
    words = ("run", log, "--store", tmp_path / "store", "--now", "2026-10-11T12:00:00Z", "--json")
    whole, part = CRI % (b"stdout", b"F", LINE), CRI % (b"stdout", b"P", LINE[:30])
    log.write_bytes(whole * 3 + part)
    first = run(*words).json["sources"][0]
    assert (first["counted"], first["lines_read"], first["pending_bytes"]) == (3, 3, len(part))
    log.write_bytes(whole * 3 + part + CRI % (b"stdout", b"F", LINE[30:]))
    then = run(*words).json["sources"][0]
    assert (then["counted"], then["already_counted"], then["pending_bytes"]) == (1, 3, 0)
