"""An independent reader of access logs: what the counts of the pipeline are compared with.

It shares no code and no method with `src/`: lines are read by a scanner that walks over positions, times by a month
table and day counts. It is slow and plain.

Rules where the formats leave a choice: a user name may hold spaces, and ends where a bracketed time and a quote follow,
but does not begin with `- `; a quoted part ends at the first quote that no backslash escapes; a leap second is the
second before it; the status is three digits, `-` or `-1`; bytes are up to 15 digits or `-` (0); nothing follows the
last part; a virtual host is a name without brackets, with or without a port.
"""

from __future__ import annotations

import bz2
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

MIB = 1024 * 1024
REASONS = ("too_long", "binary", "partial", "malformed")
FORMATS = ("common", "combined", "common_vhost", "combined_vhost")
MONTH_NUMBER = {
    b"Jan": 1, b"Feb": 2, b"Mar": 3, b"Apr": 4, b"May": 5, b"Jun": 6,
    b"Jul": 7, b"Aug": 8, b"Sep": 9, b"Oct": 10, b"Nov": 11, b"Dec": 12,
}  # fmt: skip
DAYS_BEFORE = (0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class NotThisFormatError(ValueError):
    """The line does not have the format. Carries nothing of it."""


@dataclass(slots=True)
class Hour:
    """What one UTC hour adds up to."""

    requests: int = 0
    bytes: int = 0
    successes: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """One accepted line. `second` is a Unix time."""

    client: bytes
    second: int
    request: bytes
    status: int
    size: int
    agent: bytes | None
    referrer: bytes | None
    host: bytes | None

    @property
    def success(self) -> bool:
        return 100 <= self.status < 400


@dataclass(slots=True)
class Reading:
    """What a log adds up to. `lines` = `counted` + all of `rejected`; `clients` by first appearance."""

    hours: dict[datetime, Hour] = field(default_factory=dict)
    clients: list[bytes] = field(default_factory=list)
    lines: int = 0
    counted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    pending_bytes: int = 0
    damaged: bool = False

    @property
    def malformed(self) -> int:
        return self.rejected["malformed"]

    @property
    def requests(self) -> int:
        return sum(hour.requests for hour in self.hours.values())

    @property
    def bytes(self) -> int:
        return sum(hour.bytes for hour in self.hours.values())

    @property
    def successes(self) -> int:
        return sum(hour.successes for hour in self.hours.values())


class _Scanner:
    """A position in a line that only moves on over what was expected."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.at = 0

    def literal(self, text: bytes) -> None:
        if self.line[self.at : self.at + len(text)] != text:
            raise NotThisFormatError
        self.at += len(text)

    def until_space(self) -> bytes:
        end = self.line.find(b" ", self.at)
        end = len(self.line) if end < 0 else end
        if end == self.at:
            raise NotThisFormatError
        token, self.at = self.line[self.at : end], end
        return token

    def until_time(self) -> bytes:
        end = self.line.find(b" [", self.at)
        while end >= 0 and self.line[end + 28 : end + 31] != b'] "':
            end = self.line.find(b" [", end + 1)
        if end <= self.at or self.line[self.at] == 0x20 or self.line[self.at : end].startswith(b"- "):
            raise NotThisFormatError
        token, self.at = self.line[self.at : end], end
        return token

    def take(self, count: int) -> bytes:
        piece = self.line[self.at : self.at + count]
        if len(piece) != count:
            raise NotThisFormatError
        self.at += count
        return piece

    def quoted(self) -> bytes:
        self.literal(b'"')
        start = self.at
        while self.at < len(self.line):
            byte = self.line[self.at]
            if byte == 0x22:
                self.at += 1
                return self.line[start : self.at - 1]
            self.at += 2 if byte == 0x5C else 1
        raise NotThisFormatError

    def end(self) -> None:
        if self.at != len(self.line):
            raise NotThisFormatError


def _number(text: bytes, low: int, high: int) -> int:
    if not text or any(byte < 0x30 or byte > 0x39 for byte in text):
        raise NotThisFormatError
    value = 0
    for byte in text:
        value = value * 10 + byte - 0x30
    if not low <= value <= high:
        raise NotThisFormatError
    return value


def unix_second(stamp: bytes) -> int:
    """The Unix time of `01/Aug/1995:00:00:01 -0400`."""
    scan = _Scanner(stamp)
    day = _number(scan.take(2), 1, 31)
    scan.literal(b"/")
    month = MONTH_NUMBER.get(scan.take(3), 0)
    scan.literal(b"/")
    year = _number(scan.take(4), 1, 9999)
    scan.literal(b":")
    hour = _number(scan.take(2), 0, 23)
    scan.literal(b":")
    minute = _number(scan.take(2), 0, 59)
    scan.literal(b":")
    second = min(_number(scan.take(2), 0, 60), 59)
    scan.literal(b" ")
    sign = {b"+": 1, b"-": -1}.get(scan.take(1), 0)
    offset = _number(scan.take(2), 0, 23) * 3600 + _number(scan.take(2), 0, 59) * 60
    scan.end()
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not month or not sign or day > _month_length(month, leap=leap):
        raise NotThisFormatError
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += DAYS_BEFORE[month] + (1 if leap and month > 2 else 0) + day - 1
    found = (days - 719_162) * 86_400 + hour * 3600 + minute * 60 + second - sign * offset
    if not -62_135_596_800 <= found < 253_402_300_800:  # the years 1 to 9999, in UTC too
        raise NotThisFormatError
    return found


def _month_length(month: int, *, leap: bool) -> int:
    if month == 2:
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _status(text: bytes) -> int:
    if text in (b"-", b"-1"):
        return 0
    if len(text) != 3:
        raise NotThisFormatError
    return _number(text, 0, 999)


def read_line(line: bytes, style: str) -> Access:
    """The access that `line` (without its end) records; NotThisFormatError if it has not this format."""
    scan = _Scanner(line)
    host = None
    if style.endswith("_vhost"):
        host = scan.until_space()
        name, colon, port = host.partition(b":")
        if b"[" in host or not name or (colon and port != b"-" and not 0 < len(port) <= 5):
            raise NotThisFormatError
        if colon and port != b"-":
            _number(port, 0, 99_999)
        scan.literal(b" ")
    client = scan.until_space()
    scan.literal(b" ")
    scan.until_space()
    scan.literal(b" ")
    scan.until_time()
    scan.literal(b" [")
    second = unix_second(scan.take(26))
    scan.literal(b"] ")
    request = scan.quoted()
    scan.literal(b" ")
    status = _status(scan.until_space())
    scan.literal(b" ")
    size = scan.until_space()
    referrer = agent = None
    if style.startswith("combined"):
        scan.literal(b" ")
        referrer = scan.quoted()
        scan.literal(b" ")
        agent = scan.quoted()
    scan.end()
    amount = 0 if size == b"-" else _number(size, 0, 10**15 - 1)
    return Access(client, second, request, status, amount, agent, referrer, host)


def inflate(data: bytes) -> tuple[bytes, bool]:
    """What gzip members one after another inflate to, and whether they end early or are damaged."""
    out = []
    while data:
        engine = zlib.decompressobj(wbits=31)
        try:
            for start in range(0, len(data), 4096):
                out.append(engine.decompress(data[start : start + 4096]))
                if engine.eof:
                    data = engine.unused_data + data[start + 4096 :]
                    break
            else:
                return b"".join(out), True
        except zlib.error:
            return b"".join(out), True
        if data and not data.strip(b"\x00"):
            break
    return b"".join(out), False


def read_bytes(path: Path) -> tuple[bytes, bool, bool]:
    """A log's text, whether it was compressed, whether that is damaged. By content, not by name."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        text, damaged = inflate(data)
        return text, True, damaged
    if data[:3] == b"BZh":
        return bz2.decompress(data), True, False
    return data, False, False


def split_lines(data: bytes, *, final: bool) -> tuple[list[tuple[bytes, bool]], int]:
    """Lines without their ends, each with whether it had one, and the bytes left unread.

    Empty lines are none. The unterminated end is a line only if `final`.
    """
    pieces = data.split(b"\n")
    tail = pieces.pop()
    lines = [(piece[:-1] if piece[-1:] == b"\r" else piece, True) for piece in pieces]
    if final and tail:
        lines.append((tail[:-1] if tail[-1:] == b"\r" else tail, False))
    return [(line, ended) for line, ended in lines if line], 0 if final else len(tail)


def judge(line: bytes, style: str, *, ended: bool) -> Access | str:
    """The access, or why the line is not counted: the first reason that applies."""
    if len(line) > MIB:
        return "too_long"
    if 0 in line:
        return "binary"
    try:
        return read_line(line, style)
    except NotThisFormatError:
        return "malformed" if ended else "partial"


def accesses(data: bytes, style: str, *, final: bool = False) -> Iterator[Access]:
    """The accepted lines, in order."""
    for line, ended in split_lines(data, final=final)[0]:
        answer = judge(line, style, ended=ended)
        if isinstance(answer, Access):
            yield answer


def read_data(data: bytes, style: str, *, final: bool = False) -> Reading:
    """What the lines of `data` add up to."""
    assert style in FORMATS
    reading = Reading()
    lines, reading.pending_bytes = split_lines(data, final=final)
    clients: dict[bytes, None] = {}
    for line, ended in lines:
        reading.lines += 1
        access = judge(line, style, ended=ended)
        if isinstance(access, str):
            reading.rejected[access] += 1
            continue
        reading.counted += 1
        clients[access.client] = None
        moment = datetime.fromtimestamp(access.second // 3600 * 3600, UTC)
        hour = reading.hours.setdefault(moment, Hour())
        hour.requests += 1
        hour.bytes += access.size
        hour.successes += access.success
    reading.clients = list(clients)
    return reading


def read_log(path: Path, style: str, *, final: bool = False) -> Reading:
    """What a plain or compressed log adds up to.

    The unterminated end of a plain file stays unread unless `final`; of a compressed one it is a line, unless that is
    damaged.
    """
    data, compressed, damaged = read_bytes(path)
    reading = read_data(data, style, final=not damaged if compressed else final)
    reading.damaged = damaged
    return reading
