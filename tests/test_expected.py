"""What is read from the lines of other projects' test suites, before treatment, is what those suites expect.

Every disagreement is listed with its reason in `cases/expected_disagreements.toml`; the table is printed with
`pytest tests/test_expected.py -s`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from loganon.chunks import Chunk
from loganon.formats import Format, load_formats
from loganon.formats.given import resolve
from loganon.parse import make_parser
from loganon.parse.detect import detect

pytestmark = pytest.mark.corpus

CASES = Path(__file__).parent / "cases"
FORMATS = load_formats()
ASPECTS = ("client", "time", "path", "status", "bytes", "agent")
NEEDS = frozenset({"client", "request", "path", "status", "bytes", "agent"})
NEVER = "not read"


@dataclass(slots=True)
class Compared:
    """One record: what was read, and the aspects in which that is not what the suite expects."""

    record: dict[str, Any] = field(repr=False)
    format: str | None
    right: set[str]
    wrong: set[str]


def test_agreement(corpus: Path) -> None:
    """The shares of records that agree, by suite and format; every disagreement has a reason, and no reason is idle."""
    compared = list(_compare(corpus))
    listed = _listed()
    print(_table(compared))
    found = {(each.record["id"], aspect) for each in compared for aspect in each.wrong}
    unexplained = sorted(found - listed.keys())
    shown = {each.record["id"]: each for each in compared}
    assert not unexplained, [
        (*pair, shown[pair[0]].format, shown[pair[0]].record["line"][:200]) for pair in unexplained
    ]
    assert not sorted(listed.keys() - found), "listed, but they agree"


def test_what_must_be_rejected(corpus: Path) -> None:
    """A line that a suite must reject is taken by no format."""
    records = [record for record in _records(corpus) if not record["accept"]]
    assert len(records) == 4
    for record in records:
        assert detect([record["line"].encode()], FORMATS.values()).format is None, record["id"]


def _compare(corpus: Path) -> Iterator[Compared]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    heads: dict[str, tuple[Format | None, bytes]] = {}
    for record in _records(corpus):
        if record["accept"]:
            fmt, head = _format(corpus, record)
            key = f"{fmt.name if fmt else None} {fmt.template if fmt else ''} {head!r}"
            heads[key] = (fmt, head)
            groups[key].append(record)
    for key, records in groups.items():
        fmt, head = heads[key]
        yield from (_against(record, fmt, row) for record, row in zip(records, _rows(fmt, head, records), strict=True))


def _records(corpus: Path) -> Iterator[dict[str, Any]]:
    for text in (corpus / "expected/unified_expected.jsonl").read_text("utf-8").splitlines():
        yield json.loads(text)


def _format(corpus: Path, record: dict[str, Any]) -> tuple[Format | None, bytes]:
    """The format of a record's line, by the options of the data file, else by detection; and the header before it."""
    for option in _options():
        named = option.get("suite", record["src"]) == record["src"] and option["format"] == record["format"]
        if named and re.search(option.get("line", ""), record["line"]):
            return resolve(option["option"]), option.get("header", "").encode()
    if record["format"] == "common":
        return FORMATS["common"], b""
    head = _header(corpus, str(record.get("file")), record["line"])
    lines = [*head.splitlines(), record["line"].encode()]
    return detect(lines, FORMATS.values()).format, head


@lru_cache
def _options() -> list[dict[str, str]]:
    return list(tomllib.loads((CASES / "expected_options.toml").read_text("utf-8"))["option"])


@lru_cache(maxsize=10_000)
def _header(corpus: Path, file: str, line: str) -> bytes:
    """The header that stands before the line in its file."""
    path = corpus / "logs" / file
    if not path.is_file():
        return b""
    header: list[bytes] = []
    lines = path.read_bytes().splitlines()
    for each in lines:
        if each.startswith(b"#"):
            header.append(each)
        elif each == line.encode():
            return b"".join(text + b"\n" for text in header[-10:])
    return b""


def _rows(fmt: Format | None, head: bytes, records: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """What is read of each record's line, None where it is rejected."""
    if fmt is None:
        return [None] * len(records)
    parser = make_parser(fmt, needs=NEEDS, timezone=UTC, max_rejects=len(records) + 1)
    found: list[dict[str, Any] | None] = []
    whole = head + b"".join(record["line"].encode() + b"\n" for record in records)
    parsed = parser(Chunk(whole, 0, len(whole)), ())
    names = list(parsed.columns)
    rows = (
        dict(zip(names, row, strict=True))
        for row in zip(*(c.to_pylist() for c in parsed.columns.values()), strict=True)
    )
    if parsed.lines == parsed.rows == len(records):
        return list(rows)
    for record in records:
        data = head + record["line"].encode() + b"\n"
        parsed = parser(Chunk(data, 0, len(data)), ())
        found.append({name: column[0].as_py() for name, column in parsed.columns.items()} if parsed.rows else None)
    return found


def _against(record: dict[str, Any], fmt: Format | None, row: dict[str, Any] | None) -> Compared:
    want = _wanted(record["expect"])
    right, wrong = set(), set()
    for aspect, value in want.items():
        agrees = row is not None and _agrees(aspect, value, row)
        (right if agrees else wrong).add(aspect)
    if row is None:
        wrong = {NEVER}
    return Compared(record, fmt.name if fmt else None, right, wrong)


def _wanted(expect: dict[str, Any]) -> dict[str, Any]:
    """What a suite expects of our aspects."""
    want = {"client": expect.get("client"), "status": expect.get("status"), "bytes": expect.get("bytes")}
    want["agent"] = expect.get("ua")
    want["path"] = expect.get("path") or expect.get("url")
    if "time_utc" in expect:
        want["time"] = datetime.fromisoformat(expect["time_utc"]).astimezone(UTC)
    elif expect.get("time_local"):
        local = expect["time_local"]
        clf = re.fullmatch(r"\d+/\w+/\d+:.*", local)
        want["time"] = datetime.strptime(local, "%d/%b/%Y:%H:%M:%S %z") if clf else datetime.fromisoformat(local)
    return {aspect: value for aspect, value in want.items() if value is not None}


def _agrees(aspect: str, value: Any, row: dict[str, Any]) -> bool:
    if aspect == "time":
        read = row["time"].replace(tzinfo=UTC)
        return bool(read == value or (not value.microsecond and read.replace(microsecond=0) == value))
    if aspect == "path":
        return _path(str(value)) == _path(_target(row)) or unquote(_path(str(value))) == unquote(_path(_target(row)))
    if aspect in ("status", "bytes"):
        return bool(row.get(aspect) == int(value))
    text = row.get(aspect, b"").decode("utf-8", "replace")
    return value == text or (aspect == "client" and value in re.split(", ?", text))


def _target(row: dict[str, Any]) -> str:
    """What the request line or the path column asks for."""
    raw = row.get("request", row.get("path", b"")).decode("utf-8", "replace")
    if "request" not in row:
        return raw
    found = re.fullmatch(r"[^ ]+ +(.*?) *(?: HTTP[^ ]*)?", raw, re.DOTALL)
    return found[1] if found else raw


def _path(target: str) -> str:
    """The path of a target, without host and query."""
    if re.match(r"[a-z]+://", target):
        target = urlsplit(target).path or "/"
    return re.sub(r"[?#].*", "", target, flags=re.DOTALL) or "/"


def _listed() -> dict[tuple[str, str], str]:
    data = tomllib.loads((CASES / "expected_disagreements.toml").read_text("utf-8"))
    listed: dict[tuple[str, str], str] = {}
    for entry in data["disagreement"]:
        assert set(entry) == {"reason", "in", "records"}
        listed |= {(record, aspect): entry["reason"] for record in entry["records"] for aspect in entry["in"]}
    return listed


def _table(compared: list[Compared]) -> str:
    """For each suite and format the records, how many of them were read, and the shares that agree."""
    total: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in compared:
        counts = total[each.record["src"], each.record["format"]]
        counts["records"] += 1
        counts["read"] += NEVER not in each.wrong
        for aspect in _wanted(each.record["expect"]):
            counts[f"all {aspect}"] += 1
            counts[aspect] += aspect in each.right
    head = f"{'suite':<22}{'format':<36}{'records':>8}{'read':>7}" + "".join(f"{a:>8}" for a in ASPECTS)
    lines = [head]
    for (suite, name), counts in sorted(total.items()):
        shares = [f"{counts[a] / counts[f'all {a}']:>8.1%}" if counts[f"all {a}"] else f"{'-':>8}" for a in ASPECTS]
        lines.append(f"{suite:<22}{name:<36}{counts['records']:>8}{counts['read']:>7}" + "".join(shares))
    return "\n" + "\n".join(lines)
