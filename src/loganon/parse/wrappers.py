r"""What syslog and container runtimes write around a line: detected and taken off in one place, before any dialect.

    syslog   `<134>Oct 10 06:05:27 host tag[123]: ` (RFC 3164, PRI or not, the time in ISO 8601 as rsyslog writes it)
             `<165>1 2026-10-10T06:05:27Z host app 123 ID [sd] ` (RFC 5424)
    priority `<6>`, and nothing else of it (HAProxy's `format short`, sd-daemon)
    cri      `2026-10-10T06:05:27.1Z stdout F `; a line that was cut into parts (`P`) is joined
    compose  `name  | `, as `docker compose logs` shows it, and `name.1.id@node  | ` of `docker service logs`
    kubectl  `[pod/web-0/nginx] `, as `kubectl logs --prefix` shows it
    quotes   `"…"`, a quote before the line and one behind it, as LiteSpeed's and CyberPanel's log formats have them
    stamp    `2026-10-10T06:05:27.1Z `, as `kubectl logs --timestamps` and `docker logs -t` do; behind these two, too
    docker   `{"log":"…\\n","stream":"stdout","time":"…"}`, the json-file driver; parts (without `\\n`) are joined, too

A chunk is taken as wrapped if half of its first lines look so, unless the format reads more of them as they are: its
template may have the prefix in it. Of several wrappers the one is taken within which it reads most; where it reads none
of the first lines, all are asked. `whole_lines` says where a chunk may end, so that all parts of a line are in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.envelopes import ISO, PRIORITY, SYSLOG
from loganon.parse.lines import BOM, split_lines
from loganon.parse.marks import has_long_line
from loganon.parse.parsed import Parsed, Parser, ParseState

TIMES = "times"
"""The wrapper that is nothing but a time."""
_FIRST = 20
_HEAD = 64 << 10
_CRI = re.compile(rb"^" + ISO + rb" (stdout|stderr) ([FP])(?::[FP])* ", re.MULTILINE)
_CRI_PART = re.compile(rb"^" + ISO + rb" (?:stdout|stderr) P ", re.MULTILINE)
_CRI_MARKS = ((b" P ",), (b" stdout P ", b" stderr P "))
_COMPOSE = re.compile(rb"^[a-z0-9][a-z0-9_.-]{0,127}(?:@[A-Za-z0-9_.-]{1,253})? +\| ", re.MULTILINE)
_POD = re.compile(rb"^\[pod/[a-z0-9][a-z0-9.-]{0,252}/[a-z0-9][a-z0-9-]{0,62}\] ", re.MULTILINE)
_STAMP = re.compile(rb"^" + ISO + rb" ", re.MULTILINE)
_QUOTES = re.compile(rb'^"([^" \r\n]++ [^\n]*)"(?=\r?$)', re.MULTILINE)
_STAMPED_COMPOSE = re.compile(_COMPOSE.pattern + _STAMP.pattern[1:], re.MULTILINE)
_STAMPED_POD = re.compile(_POD.pattern + _STAMP.pattern[1:], re.MULTILINE)
_DOCKER = re.compile(rb'\{ ?"log": ?"')
_DOCKER_PART = re.compile(rb'^\{ ?"log": ?"(?![^\n]*(?<!\\)(?:\\\\)*\\n")', re.MULTILINE)

_DOCKER_MARKS = ((b"{",), (b'"log":',))
"""Of each group one stands in every part; they are found much faster, and backwards faster still."""

_OPEN_BYTES = 2 * MAX_LINE_BYTES + 4096
"""What is open at an end began within so many bytes before it: a line, and what is no longer than one."""

_Part = tuple[bytes, bytes, bool]
"""A stream, a text, and whether the line ends there."""
_Read = Callable[[bytes], _Part | None]


def unwrap(data: bytes, kind: str) -> bytes:
    """The lines of `data` without what the wrapper `kind` put around them; a line that has none stays as it is."""
    return _KINDS[kind](data)


def wrapper_of(lines: Sequence[bytes]) -> str | None:
    """The wrapper that at least half of the first lines have; None: none."""
    return next(iter(wrappers_of(lines)), None)


def wrappers_of(lines: Sequence[bytes]) -> list[str]:
    """The wrappers that at least half of the first lines may have, the one that takes most off before its likes."""
    first = [line[:2048] for line in lines[:_FIRST]]
    if not first:
        return []
    return [
        kind for kind, pattern in _PATTERNS.items() if sum(1 for line in first if pattern.match(line)) * 2 >= len(first)
    ]


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
        """The chunk's lines; a byte order mark at the beginning of the log is no part of the first."""
        if not chunk.start and chunk.data.startswith(BOM):
            chunk = replace(chunk, data=chunk.data[len(BOM) :])
        first = split_lines(chunk.data[:_HEAD])[:_FIRST]
        kinds = wrappers_of(first)
        data = b"\n".join(first) + b"\n"
        rows = [self._rows(unwrap(data, kind), state) for kind in kinds]
        plain = self._rows(data, state) if kinds else 1
        if not plain and not any(rows):  # the first lines do not tell: all do
            return max((self._within(chunk, state, kind) for kind in (*kinds, None)), key=lambda parsed: parsed.rows)
        kind = kinds[rows.index(max(rows))] if kinds and max(rows) >= plain else None
        return self._within(chunk, state, kind)

    def _within(self, chunk: Chunk, state: ParseState, kind: str | None) -> Parsed:
        """The chunk's lines without that wrapper; as they stand without one."""
        return self._parser(chunk if kind is None else replace(chunk, data=unwrap(chunk.data, kind)), state)

    def _rows(self, data: bytes, state: ParseState) -> int:
        return self._parser(Chunk(data, 0, len(data)), state).rows


def _without_prefix(data: bytes, pattern: re.Pattern[bytes]) -> bytes:
    return pattern.sub(b"", data) if not has_long_line(data) else _by_line(data, lambda line: pattern.sub(b"", line))


def _without_quotes(data: bytes) -> bytes:
    whole = not has_long_line(data)
    return _QUOTES.sub(rb"\1", data) if whole else _by_line(data, lambda line: _QUOTES.sub(rb"\1", line))


def _without_cri(data: bytes) -> bytes:
    if not _CRI_PART.search(data) and not has_long_line(data):
        return _CRI.sub(b"", data)
    return _without_parts(data, _cri_part)


def _without_docker(data: bytes) -> bytes:
    return _without_parts(data, _docker_part)


def _without_parts(data: bytes, read: _Read) -> bytes:
    """The lines of `data`, those joined that came in parts; a part whose end is not there is a line of its own."""
    lines: list[bytes] = []
    joined = _Joined(read)
    for line in _raw_lines(data):
        lines += joined(line)
    lines += joined.left()
    return b"\n".join(lines) + (b"\n" if data.endswith(b"\n") and lines else b"")


def whole_lines(data: bytes) -> int:
    """How many bytes of `data`, lines that each end with LF, hold no part of a line whose end could still follow."""
    near = max(0, len(data) - _OPEN_BYTES)
    ends = [
        _closed(data, read)
        for marks, parts, read in ((_CRI_MARKS, _CRI_PART, _cri_part), (_DOCKER_MARKS, _DOCKER_PART, _docker_part))
        if all(any(data.rfind(mark, near) >= 0 for mark in group) for group in marks) and parts.search(data)
    ]
    return min(ends, default=len(data))


def _closed(data: bytes, read: _Read) -> int:
    joined = _Joined(read)
    for line in _raw_lines(data):
        joined(line)
    return len(data) - joined.open


def _raw_lines(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines[:-1] if not lines[-1] else lines


class _Joined:
    """`joined(line)` -> the lines that end with it. Each stream's parts are joined by themselves.

    What is open never is longer than the longest line: from its first line on, others in between included. Otherwise
    each part is a line of its own. So where a chunk begins changes nothing, if it begins where nothing is open.
    """

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._parts: dict[bytes, list[bytes]] = {}
        self.open = 0  # bytes since all was closed

    def __call__(self, raw: bytes) -> list[bytes]:
        lines: list[bytes] = []
        self.open += len(raw) + 1
        if self._parts and self.open > MAX_LINE_BYTES:
            lines, self.open = self.left(), len(raw) + 1
        line = raw.removesuffix(b"\r")
        part = self._read(line) if len(line) <= MAX_LINE_BYTES else None
        if part is None:
            lines.append(line)
        elif part[2]:
            lines.append(b"".join((*self._parts.pop(part[0], ()), part[1])))
        else:
            self._parts.setdefault(part[0], []).append(part[1])
        if not self._parts:
            self.open = 0
        return lines

    def left(self) -> list[bytes]:
        """The parts that are still open, each as a line."""
        parts = [text for texts in self._parts.values() for text in texts]
        self._parts.clear()
        return parts


def _cri_part(line: bytes) -> _Part | None:
    found = _CRI.match(line)
    return None if found is None else (found[1], line[found.end() :], found[2] == b"F")


def _docker_part(line: bytes) -> _Part | None:
    """Of an entry of the json-file driver; none where it holds two lines."""
    if not _DOCKER.match(line):
        return None
    try:
        entry = json.loads(line)
        text, stream = entry["log"].encode(), str(entry.get("stream", "")).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if b"\n" in text[:-1]:
        return None
    return stream, text[:-1].removesuffix(b"\r") if text.endswith(b"\n") else text, text.endswith(b"\n")


def _by_line(data: bytes, strip: Callable[[bytes], bytes]) -> bytes:
    return b"\n".join([line if len(line) > MAX_LINE_BYTES else strip(line) for line in data.split(b"\n")])


_PREFIXES = {
    "compose with times": _STAMPED_COMPOSE,
    "compose": _COMPOSE,
    "syslog": SYSLOG,
    "priority": PRIORITY,
    "kubectl with times": _STAMPED_POD,
    "kubectl": _POD,
    TIMES: _STAMP,
}
_PATTERNS = {"docker": _DOCKER, "cri": _CRI, "quotes": _QUOTES, **_PREFIXES}
_KINDS: Mapping[str, Callable[[bytes], bytes]] = {
    "docker": _without_docker,
    "cri": _without_cri,
    "quotes": _without_quotes,
    **{kind: partial(_without_prefix, pattern=pattern) for kind, pattern in _PREFIXES.items()},
}
