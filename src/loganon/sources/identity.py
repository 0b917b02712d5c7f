"""Which log a file is, by its content: the same through every renaming and compression. Pure; nothing is guessed.

A record of a log keeps keyed fingerprints of its beginning and a keyed marker of the bytes before the offset up to
which it was counted. Neither says anything of the content to one who has not the key.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal, Protocol

from loganon.sources.cutter import TAIL_BYTES
from loganon.sources.removal import name_before

PREFIX_BYTES = 4096
Prints = tuple[tuple[int, str], ...]
"""(length, HMAC-SHA-256 in hex) of beginnings of a log's content without `#` lines, the shortest first; of one that has
no other lines, with them."""

_LINES, _HASHES = b"prefix", b"hashes"
"""What fingerprints are of: the lines that do not begin with `#`, or, where there are none, all."""

_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zst|zstd|lzma|Z)$")
_ZONE = r"(?:Z|[-+]\d{2}:?\d{2})?"
_DATE = "|".join(
    (
        rf"\d{{8}}(?:(?:[-_.T]?\d{{2,10}}|[-_.T]\d{{2}}:\d{{2}}(?::\d{{2}})?){_ZONE})?",
        rf"\d{{4}}[-_.]\d{{2}}[-_.]\d{{2}}(?:[-_.T]\d{{2}}(?:[-_.:]?\d{{2}}){{0,2}}{_ZONE})?",
        r"\d{2}[-_.]\d{2}[-_.]\d{4}",
        r"(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2]|W\d{2})",  # a month or a week
    )
)
_ROTATED = re.compile(rf"[-_.](?:{_DATE}|\d{{10}})$|\.\d{{1,3}}$|\.(?:old|bak|save)$")
_DATED = re.compile(rf"(?:[-_.](?:{_DATE})|\.\d{{1,3}})(?=\.[A-Za-z]+$)|(?<=^u_ex)\d{{6,8}}(?=(?:_x)?\.log$)")


class Known(Protocol):
    """What a record says of a log; `prefix` are the fingerprints of its beginning."""

    @property
    def id(self) -> str:
        """Its name in the store."""
        ...

    @property
    def stream(self) -> str:
        """The name of its log without rotation."""
        ...

    @property
    def prefix(self) -> Prints:
        """The fingerprints of its beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Which log a file is. `kind` "new"; "known": by its beginning that of `record`, and its marker must be tested;
    "set_aside": it cannot be told, for `reason`, and `fix` is the way out. `record` is the record in question.
    """

    kind: Literal["new", "known", "set_aside"]
    record: str | None = None
    reason: str = ""
    fix: str = ""


TWO_RECORDS = Answer(
    "set_aside",
    reason="it begins like two known logs",
    fix="Name the stream that it belongs to with --stream",
)
OTHER_STREAM = Answer(
    "set_aside",
    reason="its content is known under the label ",
    fix="Give that label with --stream; a new label is right only for a different log",
)
ENDS_EARLY = Answer(
    "set_aside",
    reason="its content so far is that of a known log, but it ends before the part that was counted",
    fix="If it is a copy in the making, run again once it is whole; if it is a different log, name it with --stream",
)
GOES_ON_DIFFERENTLY = Answer(
    "set_aside",
    reason="it begins like a known log but goes on differently",
    fix="If it is a different log, name it with --stream",
)


GOES_ON_WITH_KNOWN = Answer(
    "set_aside",
    reason="behind what was counted of it stands the beginning of another known log, whose lines would count twice",
    fix="Give the logs that it was put together from, not their sum",
)


class Content(Protocol):
    """A log that can be read again from its beginning."""

    def blocks(self) -> Iterator[bytes]:
        """Its bytes after decompression, in blocks of any size."""
        ...


def fingerprint(key: bytes, beginning: bytes, *, done: int | None = None) -> Prints:
    """The fingerprints of a log's beginning at each line border within its first 4,096 bytes, and where those end.

    `beginning`: the log's first bytes, some more than 4,096 where it has them. `done`: only up to this offset, as a
    record needs it; there, too, if it is no line border. Lines that begin with `#` do not count, in any format,
    but where nothing else is there: in some formats a visitor writes the first character, and no log is without prints.
    """
    known = beginning if done is None else beginning[:done]
    purpose, (content, borders) = _LINES, _content(known)
    if not content:
        purpose, (content, borders) = _HASHES, _content(known, hashes=True)
    lengths = sorted({*borders, min(len(content), PREFIX_BYTES)} - {0})
    return tuple((length, _hash(key, purpose, content[:length])) for length in lengths)


def marker(key: bytes, tail: bytes) -> str:
    """The fingerprint of the last 256 bytes before an offset."""
    return _hash(key, b"marker", tail[-TAIL_BYTES:])


def batch_source(key: bytes, batch: str) -> str:
    """The id of a source that is no log but a batch of lines, known by the name that its maker gave it.

    It says nothing of the name to one who has not the key.
    """
    return f"batch-{_hash(key, b'batch', batch.encode())[:40]}"


def identify(key: bytes, beginning: bytes, stream: str, *, named: bool, records: Iterable[Known]) -> Answer:
    """Which of `records` a log that begins with `beginning` continues.

    A record of the log's own stream goes before all others. `named`: the operator gave the stream's name, so that a
    record of another stream is another log. "known" holds if the log reaches the record's offset and has its marker
    there; else it must be set aside (`ENDS_EARLY`, `GOES_ON_DIFFERENTLY`).
    """
    found = _ways(beginning)
    own: list[tuple[Known, str]] = []
    others: list[tuple[Known, str]] = []
    for record in records:
        ways = (_agreement(key, *each, record.prefix) for each in found)
        agreement = next((way for way in ways if way != "none"), "none")
        if agreement != "none":
            (own if record.stream == stream else others).append((record, agreement))
    for group in (own, [] if named else others):
        whole = [record for record, agreement in group if agreement == "whole"]
        if len(whole) > 1:
            return TWO_RECORDS
        if whole and group is others:
            return replace(OTHER_STREAM, record=whole[0].id, reason=OTHER_STREAM.reason + repr(whole[0].stream))
        if whole:
            return Answer("known", whole[0].id)
        if group:
            return replace(ENDS_EARLY, record=group[0][0].id)
    return Answer("new")


class Catalogue:
    """`records` by how their logs begin, so that a log is held against the few that it may be, not against all."""

    def __init__(self, records: Iterable[Known]) -> None:
        self._first: dict[tuple[int, str], list[tuple[int, Known]]] = {}
        self._lengths: set[int] = set()
        self._only: set[int] = set()
        for place, record in enumerate(records):
            if record.prefix:
                length, print_ = record.prefix[0]
                self._first.setdefault((length, print_), []).append((place, record))
                (self._only if len(record.prefix) == 1 else self._lengths).add(length)

    def alike(self, key: bytes, beginning: bytes) -> list[Known]:
        """All records that `identify` answers by, in their order: those whose first print is one of the beginning's.

        A first print ends with a line, where it is not the only one; so few lengths have to be tried.
        """
        found: dict[int, Known] = {}
        for purpose, content, borders in _ways(beginning):
            lengths = self._lengths.intersection(borders) | {each for each in self._only if each <= len(content)}
            for length in lengths:
                found.update(self._first.get((length, _hash(key, purpose, content[:length])), ()))
        return [found[place] for place in sorted(found)]


def goes_on_with_known(key: bytes, rest: bytes, before: Known, records: Iterable[Known]) -> bool:
    """Whether `rest`, what follows the counted part of `before`, begins with the 4,096 bytes with which another log of
    its stream begins: then the two were joined to one. Shorter beginnings do not tell.
    """
    content, _ = _content(rest)
    if len(content) < PREFIX_BYTES:
        return False
    whole = (PREFIX_BYTES, _hash(key, _LINES, content))
    return any(
        whole in record.prefix for record in records if record.stream == before.stream and record.id != before.id
    )


@dataclass(frozen=True, slots=True)
class Beginning:
    """What tells a log from others: the first 4,096 bytes of its `content` without `#` lines (`lines`), or with them
    where it has no other.
    """

    content: bytes = field(repr=False)
    lines: bool

    def is_alike(self, other: Beginning) -> bool:
        """Whether they agree over the whole of the shorter; nothing is like nothing."""
        length = min(len(self.content), len(other.content))
        return self.lines == other.lines and length > 0 and self.content[:length] == other.content[:length]


def beginning_of(start: bytes) -> Beginning:
    """What tells a log that starts with these bytes, some more than 4,096 where it has them."""
    content = _content(start)[0]
    return Beginning(content or _content(start, hashes=True)[0], bool(content))


def compare(
    first: Content, second: Content
) -> Literal["equal", "first_begins_second", "second_begins_first", "differ"]:
    """How two logs that begin alike go on, byte for byte."""
    one, other = first.blocks(), second.blocks()
    left = right = b""
    while True:
        left = left or next(one, b"")
        right = right or next(other, b"")
        length = min(len(left), len(right))
        if left[:length] != right[:length]:
            return "differ"
        if not length:
            break
        left, right = left[length:], right[length:]
    if left or right:
        return "second_begins_first" if left else "first_begins_second"
    return "equal"


def stream_name(path: str) -> str:
    """A log's name without directory, compression and rotation: `access.log` of `/var/log/access.log-20261121.gz`."""
    name = name_before(PurePath(path).name)
    while True:
        for pattern in (_COMPRESSED, _ROTATED, _DATED):
            shorter = pattern.sub("", name)
            if shorter and shorter != name:
                name = shorter
                break
        else:
            return name or str(path)


def _ways(beginning: bytes) -> list[tuple[bytes, bytes, list[int]]]:
    """What fingerprints of a log that begins so can be of: the purpose, the content, its line borders."""
    found = [(_LINES, *_content(beginning))]
    if beginning.startswith(b"#"):
        found.append((_HASHES, *_content(beginning, hashes=True)))
    return found


def _content(beginning: bytes, *, hashes: bool = False) -> tuple[bytes, list[int]]:
    """The first 4,096 bytes without `#` lines, or with them (`hashes`), and the line borders in them."""
    kept: list[bytes] = []
    borders: list[int] = []
    length = start = 0
    while start < len(beginning) and length < PREFIX_BYTES:
        end = beginning.find(b"\n", start) + 1 or len(beginning)
        line = beginning[start:end]
        start = end
        if line.startswith(b"#") and not hashes:
            continue
        kept.append(line)
        length += len(line)
        if line.endswith(b"\n") and length <= PREFIX_BYTES:
            borders.append(length)
    return b"".join(kept)[:PREFIX_BYTES], borders


def _agreement(
    key: bytes, purpose: bytes, content: bytes, borders: Sequence[int], prefix: Prints
) -> Literal["whole", "so_far", "none"]:
    """Whether they agree. "whole": the content begins with all that `prefix` stands for; "so_far": it ends before that,
    and nothing in it differs: each print within it is its own, and each of its line borders has a print.
    """
    within = [(length, print_) for length, print_ in prefix if length <= len(content)]
    if not within:
        return "none"
    if len(within) == len(prefix):
        within = within[-1:]
    elif not set(borders) <= {length for length, _ in prefix}:
        return "none"
    for length, print_ in within:
        if not hmac.compare_digest(_hash(key, purpose, content[:length]), print_):
            return "none"
    return "whole" if within[-1] == prefix[-1] else "so_far"


def _hash(key: bytes, purpose: bytes, content: bytes) -> str:
    return hmac.digest(key, purpose + b"\0" + content, "sha256").hex()
