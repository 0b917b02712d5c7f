"""Counted at most once, always, and exactly once what can be read again: through renaming, compression, growth, copies.

Every `ingest` also holds the balance of its answer and the conservation of the store.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from loganon import job
from loganon.clock import Clock
from loganon.lookups import open_lookups
from loganon.reading import Input, Reading
from loganon.summary import Summary
from support.cli import TIMEOUT, Command, Inside
from support.runs import KEY, NOW, check_balance, check_store, counts_of, hours_of, ingest, line, lines

LOG = lines(60)  # some 12 KiB: its beginning is longer than the 4,096 bytes of a fingerprint
SHORT = lines(12)


def write(path: Path, content: list[bytes] | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
    return path


def skipped(summary: Summary) -> list[tuple[str, str]]:
    return [(Path(log).name, reason) for log, reason in summary.skipped]


def one_source(store: Path) -> bool:
    return len(list((store / "_loganon" / "sources").iterdir())) == 1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_the_same_log_twice(store: Path, tmp_path: Path) -> None:
    """The second run counts nothing, and says that all was counted before."""
    log = write(tmp_path / "x.log", LOG)
    assert ingest(store, [log]).counted == 60
    again = ingest(store, [log])
    assert (again.counted, again.already_counted, again.lines_read, again.cells_written) == (0, 60, 60, 0)
    assert hours_of(store) == counts_of(LOG)


@pytest.mark.parametrize("content", [LOG, SHORT], ids=["long", "short"])
def test_rotated_and_compressed(store: Path, tmp_path: Path, content: list[bytes]) -> None:
    """`x.log`, then `x.log.1`, then `x.log.1.gz` (and as bzip2 and xz) are one source."""
    log = write(tmp_path / "x.log", content)
    first = ingest(store, [log])
    assert first.counted == len(content)
    for name, pack in (
        ("x.log.1", bytes),
        ("x.log.1.gz", gzip.compress),
        ("x.log.2.bz2", bz2.compress),
        ("x.log-20261121.xz", lzma.compress),
    ):
        summary = ingest(store, [write(tmp_path / name, pack(b"".join(content)))])
        assert (summary.exit_code, summary.counted, summary.already_counted) == (0, 0, len(content)), name
        assert summary.logs[0].source == first.logs[0].source
    assert one_source(store)
    assert hours_of(store) == counts_of(content)


def test_rotation_between_two_runs(store: Path, tmp_path: Path) -> None:
    """A log that grew, was renamed, and was followed by a new one: the rest of the old and all the new count."""
    log = write(tmp_path / "x.log", LOG[:20])
    ingest(store, [log])
    write(log, LOG[:40]).rename(tmp_path / "x.log.1")
    new = write(log, LOG[40:])
    summary = ingest(store, [new, tmp_path / "x.log.1"])
    assert (summary.counted, summary.already_counted) == (40, 20)
    write(tmp_path / "x.log.2.gz", gzip.compress((tmp_path / "x.log.1").read_bytes()))
    new.rename(tmp_path / "x.log.1")
    summary = ingest(store, [write(log, b""), tmp_path / "x.log.1", tmp_path / "x.log.2.gz"])
    assert (summary.exit_code, summary.counted, summary.already_counted) == (0, 0, 60)
    assert skipped(summary) == [("x.log", "empty")]
    assert hours_of(store) == counts_of(LOG)


def test_a_log_that_grows(store: Path, tmp_path: Path) -> None:
    """Line by line at first, then by many: each line is counted by the run after it came."""
    log = tmp_path / "x.log"
    seen = 0
    for upto in (1, 2, 3, 10, 11, 40, 60):
        summary = ingest(store, [write(log, LOG[:upto])])
        assert (summary.counted, summary.already_counted) == (upto - seen, seen)
        seen = upto
    assert one_source(store)
    assert hours_of(store) == counts_of(LOG)


def test_a_compressed_log_that_grows(store: Path, tmp_path: Path) -> None:
    """A second member at the end of a gzip file: gone on from the decompressed offset."""
    log = write(tmp_path / "x.log.gz", gzip.compress(b"".join(LOG[:30])))
    ingest(store, [log])
    with log.open("ab") as file:
        file.write(gzip.compress(b"".join(LOG[30:])))
    assert ingest(store, [log]).counted == 30
    assert hours_of(store) == counts_of(LOG)


@pytest.mark.parametrize("shorter", [False, True])
def test_truncated_and_replaced(store: Path, tmp_path: Path, shorter: bool) -> None:
    """`copytruncate`: what then stands in the file is another log, whether shorter or longer than what was counted."""
    log = write(tmp_path / "x.log", LOG[:30])
    ingest(store, [log])
    other = lines(5 if shorter else 50, tag="q")
    summary = ingest(store, [write(log, other)])
    assert (summary.counted, summary.already_counted) == (len(other), 0)
    assert hours_of(store) == counts_of([*LOG[:30], *other])


def test_a_copy_under_another_name(store: Path, tmp_path: Path) -> None:
    """A copy named unlike its original is set aside (65), and the message names the label under which it is known;
    with that label it counts as known, with a new one as another log: the operator's word."""
    ingest(store, [write(tmp_path / "shop.access.log", LOG)])
    copy = write(tmp_path / "backup.log", LOG)
    summary = ingest(store, [copy])
    assert (summary.exit_code, summary.lines_read, summary.logs) == (65, 0, [])
    assert skipped(summary) == [("backup.log", "set_aside")]
    text = str(summary.errors[0])
    assert "shop.access.log" in text
    assert "--stream" in text
    known = ingest(store, [copy], stream="shop.access.log")
    assert (known.exit_code, known.counted, known.already_counted) == (0, 0, 60)
    assert hours_of(store) == counts_of(LOG)
    other = ingest(store, [copy], stream="another-site")
    assert (other.exit_code, other.counted) == (0, 60)
    assert hours_of(store) == counts_of([*LOG, *LOG])


def test_a_copy_set_aside_by_the_command(tmp_path: Path) -> None:
    """Exit code 65, one message, and the log in `skipped` of the JSON object."""
    command = Inside(tmp_path)
    words = ("--store", tmp_path / "store", "--now", NOW.isoformat(), "--json", "--quiet")
    assert command("run", write(tmp_path / "a.log", LOG), *words).code == 0
    done = command("run", write(tmp_path / "b.log", LOG), *words)
    assert done.code == 65
    done.message("set aside", str(tmp_path / "b.log"), "a.log", "--stream")
    assert done.json["skipped"] == [{"log": str(tmp_path / "b.log"), "reason": "set_aside"}]
    assert (done.json["sources"], done.json["lines_read"]) == ([], 0)


@pytest.mark.parametrize("upto", [1, 5, 30, 59])
def test_a_copy_in_the_making(store: Path, tmp_path: Path, upto: int) -> None:
    """What agrees with a record but ends before what was counted is set aside, plain or compressed; it is known once
    it is whole."""
    ingest(store, [write(tmp_path / "x.log", LOG)])
    for name, pack in (("x.log.1", bytes), ("x.log.1.gz", gzip.compress)):
        part = ingest(store, [write(tmp_path / name, pack(b"".join(LOG[:upto])))])
        assert (part.exit_code, skipped(part)) == (65, [(name, "set_aside")])
        whole = ingest(store, [write(tmp_path / name, pack(b"".join(LOG)))])
        assert (whole.exit_code, whole.counted, whole.already_counted) == (0, 0, 60)
    assert hours_of(store) == counts_of(LOG)


def test_changed_before_what_was_counted(store: Path, tmp_path: Path) -> None:
    """Its beginning agrees and its marker does not: set aside, never counted a second time."""
    ingest(store, [write(tmp_path / "x.log", LOG)])
    changed = [*LOG[:50], line(NOW - timedelta(hours=5), "/changed"), *LOG[51:], line(NOW, "/new")]
    summary = ingest(store, [write(tmp_path / "x.log", changed)])
    assert (summary.exit_code, skipped(summary)) == (65, [("x.log", "set_aside")])
    assert hours_of(store) == counts_of(LOG)


@pytest.mark.parametrize("names", [("x.log", "x.log.1"), ("x.log.1.gz", "x.log"), ("a.log", "b.log")])
def test_one_is_the_beginning_of_the_other(store: Path, tmp_path: Path, names: tuple[str, str]) -> None:
    """Of two files of one run of which one is the beginning of the other the longer is read, in either order."""
    logs = []
    for name, content in zip(names, (LOG[:40], LOG), strict=True):
        data = b"".join(content)
        logs.append(write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data))
    for order in (logs, logs[::-1]):
        summary = ingest(store, order)
        assert summary.exit_code == 0
        assert hours_of(store) == counts_of(LOG)
    assert one_source(store)


def test_two_equal_files_of_one_run(store: Path, tmp_path: Path) -> None:
    """A log, a link to it and its compressed form in one run count once; so does a path given twice."""
    log = write(tmp_path / "x.log", LOG)
    (tmp_path / "x.log.1").symlink_to(log)
    packed = write(tmp_path / "x.log.2.gz", gzip.compress(b"".join(LOG)))
    summary = ingest(store, [log, log, tmp_path / "x.log.1", packed])
    assert (summary.exit_code, summary.counted) == (0, 60)
    assert hours_of(store) == counts_of(LOG)


@pytest.mark.parametrize("order", [*permutations(("short.log", "whole.log", "other.log", "copy.log"))], ids="-".join)
def test_three_that_begin_alike(store: Path, tmp_path: Path, order: tuple[str, ...]) -> None:
    """Of a log, its beginning and one that parts from both the beginning is read, in whatever order they are given; of
    what is set aside nothing is stored, and neither of its copy.
    """
    other = [*LOG[:38], line(NOW, "/other"), *LOG[38:]]
    for name, content in (("short.log", LOG[:40]), ("whole.log", LOG), ("other.log", other), ("copy.log", other)):
        write(tmp_path / name, content)
    summary = ingest(store, [tmp_path / name for name in order])
    assert sorted(skipped(summary)) == [(name, "set_aside") for name in ("copy.log", "other.log", "whole.log")]
    assert [Path(log.log).name for log in summary.logs] == ["short.log"]
    assert summary.counted == 40
    assert hours_of(store) == counts_of(LOG[:40])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_two_known_logs_joined_to_one(store: Path, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A log that goes on with another of its stream where it was counted to is set aside: `cat x.log.2 x.log.1`."""
    parts = b"".join(LOG), b"".join(lines(60, tag="q"))
    logs = [write(tmp_path / f"x.log.{n}", part) for n, part in zip((2, 1), parts, strict=True)]
    assert ingest(store, logs).counted == 120
    joined = write(tmp_path / "x.log.3", b"".join(map(pack, parts)))
    summary = ingest(store, [joined])
    assert skipped(summary) == [("x.log.3", "set_aside")]
    assert hours_of(store) == counts_of(b"".join(parts))
    other = line(NOW - timedelta(hours=2), "/other")
    assert ingest(store, [write(joined, b"".join(map(pack, (parts[0], other))))]).counted == 1


@pytest.mark.parametrize("named", [True, False])
def test_a_log_may_repeat_itself(store: Path, tmp_path: Path, named: bool) -> None:
    """A log that goes on as it began, as under load, is read on; and so beside another of the same lines that the
    operator has named.
    """
    same = [line(NOW, "/same")] * 60
    log = write(tmp_path / "x.log", same)
    for stream in ("one", "two") if named else (None,):
        assert ingest(store, [log], stream=stream).counted == 60
    write(log, same * 2)
    for stream in ("one", "two") if named else (None,):
        assert ingest(store, [log], stream=stream).counted == 60


def packed(log: Path, kind: str) -> Path:
    """An archive that holds the log as it is."""
    archive = log.with_name(f"x.log.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:  # which compresses nothing unless it is told to
            file.write(log, log.name)
    else:
        form = tarfile.PAX_FORMAT if kind == "tar.xz" else tarfile.USTAR_FORMAT
        with tarfile.open(archive, f"w:{kind.removeprefix('tar').removeprefix('.')}", format=form) as tar:
            tar.add(log, log.name)
    return archive


@pytest.mark.parametrize("format", ["auto", "combined"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_an_archive_is_no_log(store: Path, tmp_path: Path, kind: str, format: str) -> None:  # noqa: A002 - the option's name
    """An archive that a pattern such as `x.log*` meets is refused (65), and its log's lines are counted once."""
    log = write(tmp_path / "x.log", LOG)
    summary = ingest(store, [log, packed(log, kind)], format=format)
    assert (summary.exit_code, summary.counted) == (65, 60)
    assert skipped(summary) == [(f"x.log.{kind}", "no_format")]
    assert f"an archive ({kind[:3]})" in str(summary.errors[0])
    assert hours_of(store) == counts_of(LOG)


FORWARDED = 'nginx:$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent'


def test_lines_that_visitors_begin_with_a_hash(store: Path, tmp_path: Path) -> None:
    """A format whose lines begin with what a visitor sends: a log of which each line begins with `#` is known again,
    grown, renamed, compressed and beside its copy.
    """
    hashes = [b'#%d - - [21/Nov/2026:09:00:%02d +0000] "GET /%d HTTP/1.1" 200 1\n' % (n, n, n) for n in range(3)]
    other = b'91.44.26.11 - - [21/Nov/2026:09:01:00 +0000] "GET /x HTTP/1.1" 200 1\n'
    log = write(tmp_path / "x.log", hashes[:2])
    copy = shutil.copy(log, tmp_path / "x.log.1")

    def counts(*logs: object) -> tuple[int, int]:
        words = ("--store", store, "--format", FORWARDED, "--now", NOW.isoformat())
        answer = Inside(tmp_path)("run", *logs, *words, "--json").json
        return answer["counted"], answer["already_counted"]

    assert counts(log, copy) == (2, 2)
    assert counts(log) == (0, 2)
    write(log, hashes)
    assert counts(log) == (1, 2)
    write(log, [*hashes, other])
    packed = write(tmp_path / "x.log.1.gz", gzip.compress(log.read_bytes()))
    assert counts(packed) == (1, 3)
    assert counts(log, packed) == (0, 8)
    assert one_source(store)


def test_two_files_that_part_late(store: Path, tmp_path: Path) -> None:
    """Two files of one run that agree over 4,096 bytes and then differ are both set aside; a third is counted."""
    one = write(tmp_path / "x.log", LOG)
    two = write(tmp_path / "x.log.1", [*LOG[:50], line(NOW, "/other")])
    third = write(tmp_path / "y.log", SHORT[::-1])
    summary = ingest(store, [one, two, third])
    assert summary.exit_code == 65
    assert sorted(skipped(summary)) == [("x.log", "set_aside"), ("x.log.1", "set_aside")]
    assert hours_of(store) == counts_of(SHORT)


@pytest.mark.parametrize("together", [True, False])
def test_two_logs_with_the_same_first_line(store: Path, tmp_path: Path, together: bool) -> None:
    """Logs that merely begin with the same lines and then differ are two logs; of one stream or of two."""
    one = write(tmp_path / "x.log", [*LOG[:3], *lines(20, tag="q")])
    two = write(tmp_path / "x.log.1", [*LOG[:3], *lines(20, tag="r")])
    three = write(tmp_path / "y.log", [*LOG[:1], *lines(20, tag="s")])
    logs = [[one, two, three]] if together else [[one], [two], [three]]
    for group in logs:
        assert ingest(store, group).exit_code == 0
    assert hours_of(store) == counts_of(b"".join(log.read_bytes() for log in (one, two, three)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("known", [1, 3])
def test_two_logs_that_begin_with_all_that_is_known(
    store: Path, tmp_path: Path, known: int, pack: Callable[[bytes], bytes]
) -> None:
    """Where no more of a log was counted than its successor begins with, too (requests of one second), both agree with
    its record: one of them goes on from it, the other is another log, and neither is counted again by later runs.
    """
    log = write(tmp_path / "x.log", LOG[:known])
    assert ingest(store, [log]).counted == known
    rotated = write(tmp_path / "x.log.1", pack(b"".join([*LOG[:known], *lines(9, tag="q")])))
    new = lines(15, tag="r")
    write(log, [*LOG[:known], *new[:11]])
    for counted in (9 + known + 11, 0):
        summary = ingest(store, [log, rotated])
        assert (summary.exit_code, summary.counted) == (0, counted)
    write(log, [*LOG[:known], *new])
    ingest(store, [log, rotated])
    assert hours_of(store) == counts_of([*LOG[:known] * 2, *lines(9, tag="q"), *new])


def test_pending_bytes(store: Path, tmp_path: Path) -> None:
    """The unterminated end of a plain file stays unread and is told; it is counted once it is whole, or by `--final`,
    and not again when its newline then comes."""
    data = b"".join(SHORT)
    log = write(tmp_path / "x.log", data[:-20])
    summary = ingest(store, [log])
    assert (summary.counted, summary.logs[0].pending_bytes) == (11, len(SHORT[-1]) - 20)
    write(log, data[:-1])
    summary = ingest(store, [log])
    assert (summary.counted, summary.logs[0].pending_bytes) == (0, len(SHORT[-1]) - 1)
    summary = ingest(store, [log], final=True)
    assert (summary.counted, summary.logs[0].pending_bytes) == (1, 0)
    more = lines(3, tag="m")
    write(log, [data, *more])
    summary = ingest(store, [log])
    assert (summary.counted, summary.already_counted, sum(summary.rejected.values())) == (3, 12, 0)
    assert hours_of(store) == counts_of([*SHORT, *more])


def test_the_end_of_a_final_log(store: Path, tmp_path: Path) -> None:
    """With `--final` an end that is no line is `partial`, and counted as read."""
    log = write(tmp_path / "x.log", b"".join(SHORT)[:-30])
    summary = ingest(store, [log], final=True)
    assert (summary.counted, summary.rejected["partial"], summary.logs[0].pending_bytes) == (11, 1, 0)
    assert ingest(store, [log], final=True).already_counted == 12


def test_a_log_without_a_whole_line(store: Path, tmp_path: Path) -> None:
    """One line that still lacks its end: nothing is counted and nothing is wrong."""
    log = write(tmp_path / "x.log", SHORT[0][:-1])
    summary = ingest(store, [log])
    assert (summary.exit_code, summary.lines_read, summary.logs[0].pending_bytes) == (0, 0, len(SHORT[0]) - 1)
    assert ingest(store, [write(log, SHORT)]).counted == 12
    assert hours_of(store) == counts_of(SHORT)


def test_the_end_of_a_compressed_log(store: Path, tmp_path: Path) -> None:
    """The unterminated end of a compressed file is a line, `partial` if it does not parse."""
    data = b"".join(SHORT)
    whole = ingest(store, [write(tmp_path / "x.log.gz", gzip.compress(data[:-1]))])
    assert (whole.counted, whole.logs[0].pending_bytes) == (12, 0)
    cut = ingest(tmp_path / "other", [write(tmp_path / "x.log.gz", gzip.compress(data[:-9]))])
    assert (cut.counted, cut.rejected["partial"]) == (11, 1)


def test_standard_input(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are counted, its unterminated end is a line; it has an id per process, so it is counted as it comes."""

    class Input:
        buffer = io.BytesIO(b"".join(SHORT)[:-1])

    monkeypatch.setattr("sys.stdin", Input)
    summary = ingest(store, ["-"])
    assert (summary.exit_code, summary.counted, summary.logs[0].pending_bytes) == (0, 12, 0)
    assert hours_of(store) == counts_of(SHORT)


def test_standard_input_of_the_command(tmp_path: Path) -> None:
    """Plain and compressed, through a pipe: counted, each time anew; an end that is no line is `partial`."""
    command = Command(tmp_path)
    words = ("run", "-", "--store", tmp_path / "store", "--now", NOW.isoformat(), "--json", "--quiet")
    done = command(*words, stdin=b"".join(LOG))
    check_balance(done.json)
    assert (done.code, done.json["counted"], done.json["sources"][0]["log"]) == (0, 60, "-")
    done = command(*words, stdin=gzip.compress(b"".join(SHORT)[:-5]))
    assert (done.json["counted"], done.json["rejected"]["partial"]) == (11, 1)
    assert hours_of(tmp_path / "store") == counts_of([*LOG, *SHORT[:-1]])


def test_a_gzip_that_is_cut(store: Path, tmp_path: Path) -> None:
    """The whole lines before the damage stand, 65; the whole file goes on from there by decompressed offset."""
    content = lines(400)
    packed = gzip.compress(b"".join(content))
    log = write(tmp_path / "x.log.gz", packed[: len(packed) * 2 // 3])
    summary = ingest(store, [log])
    assert summary.exit_code == 65
    assert 30 < summary.counted < 400
    assert summary.rejected["partial"] == 0, "the unterminated end stays unread"
    assert hours_of(store) == counts_of(content[: summary.counted])
    again = ingest(store, [log])
    assert (again.exit_code, again.counted, again.already_counted) == (65, 0, summary.counted)
    whole = ingest(store, [write(log, packed)])
    assert (whole.exit_code, whole.counted, whole.already_counted) == (0, 400 - summary.counted, summary.counted)
    assert ingest(store, [write(tmp_path / "x.log", content)]).already_counted == 400
    assert hours_of(store) == counts_of(content)


def test_a_gzip_damaged_within(store: Path, tmp_path: Path) -> None:
    """A second member that is none: the lines of the first stand, 65, and the mended file goes on from there."""
    content = lines(200)
    first, second = gzip.compress(b"".join(content[:100])), gzip.compress(b"".join(content[100:]))
    log = write(tmp_path / "x.log.gz", first + second[:10] + b"\xff" * 40)
    summary = ingest(store, [log])
    assert (summary.exit_code, summary.counted, summary.lines_read) == (65, 100, 100)
    assert ingest(store, [write(log, first + second)]).counted == 100
    assert hours_of(store) == counts_of(content)


def test_a_gzip_cut_early(store: Path, tmp_path: Path) -> None:
    """With less than 4,096 bytes of content it cannot be told which log it is: set aside."""
    packed = gzip.compress(b"".join(LOG))
    log = write(tmp_path / "x.log.gz", packed[:150])
    assert skipped(ingest(store, [log])) == [("x.log.gz", "set_aside")]
    assert ingest(store, [write(log, packed)]).counted == 60


def test_several_logs_together_are_several_alone(store: Path, tmp_path: Path) -> None:
    """Good logs are counted whatever stands beside them; the exit code is the first that applies."""
    good = write(tmp_path / "x.log", LOG)
    also = write(tmp_path / "y.log.gz", gzip.compress(b"".join(lines(30, tag="q"))))
    empty = write(tmp_path / "empty.log", b"")
    noise = write(tmp_path / "noise.log", b"nothing of any format\n" * 20)
    missing = tmp_path / "missing.log"
    summary = ingest(store, [noise, good, missing, empty, also])
    assert summary.exit_code == 66
    assert summary.counted == 90
    assert skipped(summary) == [("noise.log", "no_format"), ("missing.log", "missing"), ("empty.log", "empty")]
    assert hours_of(store) == counts_of([*LOG, *lines(30, tag="q")])


def test_a_store_moved_and_copied_logs(store: Path, tmp_path: Path) -> None:
    """Neither the store's place nor inode, time or folder of a log matters: only content does."""
    log = write(tmp_path / "x.log", LOG)
    ingest(store, [log])
    shutil.move(store, tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(log, tmp_path / "elsewhere" / "x.log")
    log.unlink()
    assert ingest(tmp_path / "moved", [copy]).already_counted == 60


def test_the_format_does_not_matter(store: Path, tmp_path: Path) -> None:
    """A byte in a source's done range is never read again, whatever format is given later."""
    log = write(tmp_path / "x.log", LOG)
    ingest(store, [log])
    again = ingest(store, [log], format="common")
    assert (again.exit_code, again.counted, again.already_counted) == (0, 0, 60)


def test_a_batch_that_another_run_overtook(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run counts the same log between this one's reading and its commit: the batch is dropped and the log
    read again."""
    from loganon import ingest as module  # noqa: PLC0415 - the name is taken by a function here

    log = write(tmp_path / "x.log", LOG)
    ingest(store, [write(tmp_path / "y.log", SHORT[::-1])])
    flush, met = module.Ingest._flush, []

    def late(self: module.Ingest, *args: object, **named: object) -> None:
        if not met:
            met.append(True)
            with monkeypatch.context() as patch:
                patch.setattr(module.Ingest, "_flush", flush)
                assert ingest(store, [log]).counted == 60
        flush(self, *args, **named)  # type: ignore[arg-type]  # as called

    monkeypatch.setattr(module.Ingest, "_flush", late)
    summary = ingest(store, [log])
    assert (met, summary.exit_code, summary.counted, summary.already_counted) == ([True], 0, 0, 60)
    assert hours_of(store) == counts_of([*LOG, *SHORT])


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Two processes that begin together, with no store and no key yet: one store, one key, each line once."""
    log = write(tmp_path / "x.log", LOG)
    command = Command(tmp_path)
    words = ["run", str(log), "--store", "store", "--key-file", "key", "--now", NOW.isoformat(), "--json", "--quiet"]
    processes = [
        subprocess.Popen(
            [*command.python, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=command.environment(),
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=TIMEOUT) for process in processes]
    assert [(process.returncode, err) for process, (_, err) in zip(processes, said, strict=True)] == [(0, b"")] * 2
    assert sorted(json.loads(out)["counted"] for out, _ in said) == [0, 60]
    assert sorted(json.loads(out)["already_counted"] for out, _ in said) == [0, 60]
    assert hours_of(tmp_path / "store") == counts_of(LOG)


def test_replaced_while_it_is_read(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose bytes change between reading and commit: nothing of it is kept, it is set aside."""
    from loganon.sources.files import Log  # noqa: PLC0415 - only here

    log = write(tmp_path / "x.log", LOG)
    retest = Log.retest

    def changed(self: Log) -> bool:
        write(log, lines(60, tag="q"))  # the same file, other bytes
        return retest(self)

    monkeypatch.setattr(Log, "retest", changed)
    summary = ingest(store, [log])
    assert (summary.exit_code, skipped(summary)) == (65, [("x.log", "set_aside")])
    assert hours_of(store) == {}
    monkeypatch.setattr(Log, "retest", retest)
    assert ingest(store, [log]).counted == 60
    assert hours_of(store) == counts_of(lines(60, tag="q"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("fill", [b"x", b"\0"])
@pytest.mark.parametrize("size", [600_000, 5_000_000])
def test_a_long_first_line(store: Path, tmp_path: Path, size: int, fill: bytes, pack: Callable[[bytes], bytes]) -> None:
    """One line does not cost a log, however long: what a visitor sent, or NUL bytes, as after a truncation."""
    log = write(tmp_path / "x.log", pack(fill * size + b"\n" + b"".join(LOG)))
    summary = ingest(store, [log])
    assert (summary.exit_code, summary.counted, sum(summary.rejected.values())) == (0, 60, 1)
    assert ingest(store, [log]).already_counted == 61
    assert hours_of(store) == counts_of(LOG)


@pytest.mark.parametrize("size", [600_000, 5_000_000])
def test_a_long_first_line_of_a_stream(tmp_path: Path, size: int) -> None:
    """It does not cost what comes by standard input, either, which cannot be read again."""
    run = Command(tmp_path)
    data = b"\0" * size + b"\n" + b"".join(LOG)
    done = run("run", "-", "--store", "store", "--now", NOW.isoformat(), stdin=data)
    assert done.code == 0, done.err
    assert "61 lines: 60 counted, 1 " in done.out


def renamed(folder: Path) -> None:
    (folder / "x.log.1").rename(folder / "x.log.2")
    (folder / "x.log").rename(folder / "x.log.1")


def linked(folder: Path) -> None:
    (folder / "x.log.1").unlink()
    (folder / "x.log.1").hardlink_to(folder / "x.log")


def packed_anew(folder: Path) -> None:
    (folder / "x.log.1").write_bytes(gzip.compress((folder / "x.log").read_bytes()))


def written_over(folder: Path) -> None:
    (folder / "x.log.1").write_bytes((folder / "x.log").read_bytes())


@pytest.mark.parametrize("rotate", [renamed, linked, packed_anew, written_over])
@pytest.mark.parametrize(
    "names", [("x.log", "x.log.1"), ("x.log.1", "x.log"), ("x.log.2", "x.log", "y.log", "x.log.1")]
)
@pytest.mark.parametrize("known", [0, 40])
def test_rotated_between_two_logs_of_a_run(
    store: Path, tmp_path: Path, rotate: Callable[[Path], None], names: tuple[str, ...], known: int
) -> None:
    """A log that is rotated while a run reads it, and is met again under its new name, is counted once."""
    first = write(tmp_path / "x.log", LOG[:known])
    before = write(tmp_path / "x.log.1", lines(20, tag="old"))
    write(tmp_path / "y.log", lines(10, tag="y"))
    if known:
        ingest(store, [first, before])
    write(first, LOG)
    rotated: list[str] = []

    def progress(log: str, _: int) -> None:
        if Path(log).name == "x.log" and not rotated:
            rotated.append(log)
            rotate(tmp_path)

    reading = Reading(lookups=open_lookups((), ()))
    inputs = [Input(str(tmp_path / name), reading) for name in names]
    summary = job.run(inputs, policy=None, store=store, key=KEY, clock=Clock(NOW), progress=progress)
    assert rotated
    check_balance(summary.as_dict())
    check_store(store)
    again = ingest(store, sorted(tmp_path.glob("?.log*")))
    assert again.exit_code == 0
    kept = (
        known or rotate is renamed or names.index("x.log.1") < names.index("x.log")
    )  # else it went before it was read
    assert hours_of(store) == counts_of([*LOG, *lines(10, tag="y"), *(lines(20, tag="old") if kept else ())])


@pytest.mark.parametrize("so_far", [b"", gzip.compress(b"".join(LOG))[:9]], ids=["empty", "gzip"])
@pytest.mark.parametrize("known", [0, 40])
def test_a_copy_that_is_made_during_a_run(store: Path, tmp_path: Path, so_far: bytes, known: int) -> None:
    """A copy of which nothing was there when the run began, and which is whole when it is read, is the log it is of."""
    log, copy = write(tmp_path / "x.log", LOG[:known]), tmp_path / "x.log.1.gz"
    if known:
        ingest(store, [log])
    write(log, LOG)
    write(copy, so_far)
    reading = Reading(lookups=open_lookups((), ()))
    summary = job.run(
        [Input(str(log), reading), Input(str(copy), reading)],
        policy=None,
        store=store,
        key=KEY,
        clock=Clock(NOW),
        progress=lambda _log, _bytes: write(copy, gzip.compress(b"".join(LOG))) and None,
    )
    check_balance(summary.as_dict())
    check_store(store)
    assert (summary.counted, summary.already_counted) == (60 - known, 60 + known)
    assert hours_of(store) == counts_of(LOG)


def test_another_key_is_no_way_round(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another key every log would look new: refused."""
    from loganon.errors import ConfigurationError  # noqa: PLC0415 - only here
    from loganon.keys import Key  # noqa: PLC0415 - only here

    log = write(tmp_path / "x.log", LOG)
    ingest(store, [log])
    monkeypatch.setattr("support.runs.KEY", Key(KEY.secret[::-1]))
    with pytest.raises(ConfigurationError, match="--key-file"):
        ingest(store, [log])
    assert hours_of(store) == counts_of(LOG)


def test_writers_side_by_side(store: Path, tmp_path: Path) -> None:
    """Two writers of one store each have files of their own; a log that one counted is known to the other."""
    log = write(tmp_path / "x.log", LOG)
    ingest(store, [log], writer="a")
    assert ingest(store, [log], writer="b").already_counted == 60
    ingest(store, [write(tmp_path / "y.log", SHORT[::-1])], writer="b")
    assert {path.name.split(".")[1] for path in (store / "access").glob("*/*")} == {"a", "b"}
    assert hours_of(store) == counts_of([*LOG, *SHORT])
