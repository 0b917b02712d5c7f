r"""What syslog and container runtimes write around a line: detected and taken off in one place, before any dialect.

    syslog   `<134>Oct 10 06:05:27 host tag[123]: ` (RFC 3164, PRI or not, the time in ISO 8601 as rsyslog writes it)
             `<165>1 2026-10-10T06:05:27Z host app 123 ID [sd] ` (RFC 5424)
    cri      `2026-10-10T06:05:27.1Z stdout F `; a line that was cut into parts (`P`) is joined within its chunk
    docker   `{"log":"…\\n","stream":"stdout","time":"…"}`, the json-file driver; parts (without `\\n`) are joined, too

A chunk is taken as wrapped if half of its first lines look so, unless the format reads more of them as they are: its
template may have the prefix in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.parse.lines import plain_lines, split_lines
from loganon.parse.parsed import Parsed, Parser, ParseState

_FIRST = 20
_HEAD = 64 << 10
_PRI = rb"(?:<[0-9]{1,3}>)"
_ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_BSD = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9](?: [0-9]{4})? [0-9]{2}:[0-9]{2}:[0-9]{2}"
_TAG = rb"[^\s\[\]:\"]{1,128}(?:\[[^\]\s]{0,32}\])?: ?"
_RFC3164 = (
    _PRI + rb"?(?:" + _BSD + rb"|" + _ISO + rb") (?!(?:stdout|stderr) [FP])(?:(?:[^\s:\"]+|[0-9a-fA-F:.]+) )?" + _TAG
)
_SD = rb"(?:-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*+\"|\\.)*+\])++)"
_RFC5424 = (
    _PRI + rb"?1 (?:" + _ISO + rb"|-) [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} " + _SD + b" (?:\xef\xbb\xbf)?"
)
_SYSLOG = re.compile(rb"^(?:" + _RFC5424 + rb"|" + _RFC3164 + rb")", re.MULTILINE)
_CRI = re.compile(rb"^" + _ISO + rb" (stdout|stderr) ([FP])(?::[FP])* ", re.MULTILINE)
_CRI_PART = re.compile(rb"^" + _ISO + rb" (?:stdout|stderr) P ", re.MULTILINE)
_DOCKER = re.compile(rb'\{ ?"log": ?"')


def unwrap(data: bytes, kind: str) -> bytes:
    """The lines of `data` without what the wrapper `kind` put around them; a line that has none stays as it is."""
    return _KINDS[kind](data)


def wrapper_of(lines: Sequence[bytes]) -> str | None:
    """The wrapper that at least half of the first lines have; None: none."""
    first = [line[:2048] for line in lines[:_FIRST]]
    for kind, pattern in _PATTERNS.items():
        if first and sum(1 for line in first if pattern.match(line)) * 2 >= len(first):
            return kind
    return None


class Unwrapped:
    """A parser that reads wrapped lines, too: what is inside goes to `parser`."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    @property
    def raw(self) -> frozenset[str]:
        """The raw columns that the format has."""
        return self._parser.raw

    @property
    def size(self) -> int:
        """How much the format says of a line."""
        return int(getattr(self._parser, "size", 0))

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines."""
        first = split_lines(chunk.data[:_HEAD])[:_FIRST]
        kind = wrapper_of(first)
        if kind is None or not self._inside(b"\n".join(first) + b"\n", kind, state):
            return self._parser(chunk, state)
        return self._parser(replace(chunk, data=unwrap(chunk.data, kind)), state)

    def _inside(self, first: bytes, kind: str, state: ParseState) -> bool:
        """What is inside the first lines is the format's, at least as much as the lines are as they stand."""
        inner = unwrap(first, kind)
        rows = [self._parser(Chunk(data, 0, len(data)), state).rows for data in (inner, first)]
        return rows[0] >= rows[1]


def _without_prefix(data: bytes) -> bytes:
    text = _SYSLOG.sub(b"", data)
    return text if not _has_long_line(data) else _by_line(data, lambda line: _SYSLOG.sub(b"", line))


def _without_cri(data: bytes) -> bytes:
    if not _CRI_PART.search(data) and not _has_long_line(data):
        return _CRI.sub(b"", data)
    lines, parts = [], {b"stdout": b"", b"stderr": b""}
    ended = data.endswith(b"\n")
    for line in plain_lines(data).split(b"\n")[:-1]:
        found = _CRI.match(line) if len(line) <= MAX_LINE_BYTES else None
        if found is None:
            lines.append(line)
        elif found[2] == b"P":
            parts[found[1]] = _grown(parts[found[1]], line[found.end() :])
        else:
            lines.append(parts[found[1]] + line[found.end() :])
            parts[found[1]] = b""
    lines += [rest for rest in parts.values() if rest]  # the end of a line is in the next chunk: each part by itself
    return b"\n".join(lines) + (b"\n" if ended and lines else b"")


def _without_docker(data: bytes) -> bytes:
    lines = []
    parts: dict[str, bytes] = {}
    ended = data.endswith(b"\n")
    for line in plain_lines(data).split(b"\n")[:-1]:
        stream, text = _logged(line)
        if text is None:
            lines.append(line)
        elif not text.endswith(b"\n"):
            parts[stream] = _grown(parts.get(stream, b""), text)
        else:
            lines.append(parts.pop(stream, b"") + text[:-1].removesuffix(b"\r"))
    lines += [rest for rest in parts.values() if rest]
    return b"\n".join(lines) + (b"\n" if ended and lines else b"")


def _logged(line: bytes) -> tuple[str, bytes | None]:
    """The stream and the text of a line of the json-file driver; no text where it is none, or holds two lines."""
    if len(line) > MAX_LINE_BYTES or not _DOCKER.match(line):
        return "", None
    try:
        entry = json.loads(line)
        text = entry["log"].encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", None
    return str(entry.get("stream", "")), None if b"\n" in text[:-1] else text


def _grown(part: bytes, more: bytes) -> bytes:
    """Both, no longer than makes a line too long."""
    return (part + more)[: MAX_LINE_BYTES + 2]


def _has_long_line(data: bytes) -> bool:
    """Whether a line may be too long: it must stay so without its prefix."""
    half = MAX_LINE_BYTES // 2
    return any(data.find(b"\n", start, start + half) < 0 for start in range(0, len(data) - half + 1, half))


def _by_line(data: bytes, strip: Callable[[bytes], bytes]) -> bytes:
    return b"\n".join([line if len(line) > MAX_LINE_BYTES else strip(line) for line in data.split(b"\n")])


_PATTERNS = {"docker": _DOCKER, "cri": _CRI, "syslog": _SYSLOG}
_KINDS: Mapping[str, Callable[[bytes], bytes]] = {
    "docker": _without_docker,
    "cri": _without_cri,
    "syslog": _without_prefix,
}
