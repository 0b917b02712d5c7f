"""`loganon.batches`: the rows of `anonymize`, one bounded piece after another, as they are asked for."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import loganon
from loganon.errors import ConfigurationError, MissingInputError, UnreadableDataError, UnreadableInputError
from loganon.recognition import SAMPLE_BYTES
from support.cli import SAMPLES
from support.runs import ingest, lines, plain_policy

LOG = lines(100)
WHOLE = b"".join(LOG)
W3C = (
    b"#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes\n"
    b"2026-10-10 11:55:13 203.0.113.7 GET /a 200 355\n2026-10-10 11:55:14 203.0.113.7 GET /b 404 1\n"
    b"#Fields: date time cs-uri-stem c-ip sc-bytes sc-status cs-method\n"
    b"2026-10-10 11:55:15 /c 203.0.113.7 7 304 GET\n2026-10-10 11:55:16 /d 203.0.113.7 8 500 GET\n"
)


def joined(results: list[loganon.Result]) -> pa.Table:
    return pa.concat_tables([result.table for result in results])


def batches(given: Any, **options: Any) -> list[loganon.Result]:
    return list(loganon.batches(given, policy=plain_policy(), **options))


class Duck:
    """An open file that is none of `io`'s, as those of tempfile and codecs are, and gives one thing."""

    def __init__(self, *given: Any) -> None:
        self._given = [*given]

    def read(self, _limit: int) -> Any:
        return self._given.pop(0) if self._given else b""


class Views(io.BytesIO):
    """A file whose bytes are of another type."""

    def read(self, limit: int | None = -1, /) -> Any:
        return memoryview(super().read(limit))


def views(borders: list[int]) -> pa.ChunkedArray:
    column = pa.array([each.decode() for each in LOG]).cast(pa.string_view())
    return pa.chunked_array([column.slice(at, end - at) for at, end in pairwise(borders)])


FORMS = {
    "bytes": lambda: WHOLE,
    "lines": lambda: iter(LOG),
    "texts without LF": lambda: (each.decode().rstrip("\n") for each in LOG),
    "pieces of whole lines": lambda: (b"".join(LOG[n : n + 7]) for n in range(0, 100, 7)),
    "an open file": lambda: io.BytesIO(WHOLE),
    "an open file of memory views": lambda: Views(WHOLE),
    "an open file, gzip": lambda: io.BytesIO(gzip.compress(WHOLE)),
    "a table": lambda: pa.table({"line": [each.decode() for each in LOG]}),
    "a series of polars": lambda: pl.Series([each.decode() for each in LOG]),
    "a series of pandas": lambda: pd.Series([each.decode() for each in LOG]),
    "tables": lambda: (pa.table({"line": LOG[n : n + 50]}) for n in range(0, 100, 50)),
    "a column of views, a part of it empty": lambda: views([0, 40, 40, 100]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1000, 8 << 20])
def test_the_rows_of_anonymize(form: str, size: int) -> None:
    """Whatever the size of a batch, in order; with a small one there are many."""
    found = batches(FORMS[form](), batch_bytes=size)
    assert joined(found).equals(loganon.anonymize(WHOLE, policy=plain_policy()).table)
    assert all(sum(each.rejected.values()) == 0 for each in found)
    assert (len(found) > 10) if size == 1000 else (len(found) <= 4)


@pytest.mark.parametrize("step", [1, 17, 4000])
def test_blocks(step: int) -> None:
    """Pieces of one stream of bytes may be cut anywhere if `blocks` says so."""
    blocks = (WHOLE[at : at + step] for at in range(0, len(WHOLE), step))
    found = batches(blocks, blocks=True, batch_bytes=4000)
    assert joined(found).equals(loganon.anonymize(WHOLE, policy=plain_policy()).table)


def test_pieces_that_may_be_cut_are_refused() -> None:
    """Several lines without LF at the end, and then another element: whether the last line was whole is not known."""
    with pytest.raises(ConfigurationError, match="blocks=True") as raised:
        batches([WHOLE[:1000], WHOLE[1000:]])
    assert "91.44" not in str(raised.value)
    assert joined(batches([WHOLE[:-1]])).num_rows == 100


def test_lazy_and_bounded() -> None:
    """Of lines without end only as many are drawn as the batches need that were asked for."""
    drawn = count()

    def endless() -> Iterator[bytes]:
        while True:
            next(drawn)
            yield LOG[0]

    results = loganon.batches(endless(), policy=plain_policy(), format="combined", batch_bytes=10_000)
    assert next(drawn) == 0
    rows = [next(results).table.num_rows for _ in range(3)]
    assert sum(rows) <= next(drawn) <= 4 * (10_000 // len(LOG[0]) + 2)
    results.close()  # type: ignore[attr-defined]  # what is given is a generator
    detected = loganon.batches(endless(), policy=plain_policy(), batch_bytes=10_000)
    next(detected)
    assert next(drawn) < 5 * (1 << 19) // len(LOG[0])


def test_a_header_holds_for_the_batches_after_it() -> None:
    """The columns of a W3C log are those of the last header, in whichever batch that stood."""
    whole = loganon.anonymize(W3C, policy=plain_policy())
    assert whole.table["file"].to_pylist() == ["/a", "/b", "/c", "/d"]
    assert whole.table["bytes"].to_pylist() == [355, 1, 7, 8]
    for size in (1, 60, 150):
        found = batches(io.BytesIO(W3C), batch_bytes=size)
        assert joined(found).equals(whole.table)
        assert len(found) > 1
    assert joined(batches(W3C.splitlines(keepends=True), batch_bytes=1)).equals(whole.table)


def test_fields() -> None:
    """The columns of a W3C log without a header can be named."""
    bare = b"".join(each for each in W3C.splitlines(keepends=True)[2:4])
    names = ["date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status", "sc-bytes"]
    for options in ({"format": "w3c"}, {}):
        result = loganon.anonymize(bare, policy=plain_policy(), fields=names, **options)  # type: ignore[arg-type]  # of one kind each
        assert result.table["file"].to_pylist() == ["/a", "/b"]


def test_files(tmp_path: Path) -> None:
    """Each file is a log of its own: its compression, format and header are its own; a path alone is one, too."""
    (tmp_path / "a.log").write_bytes(WHOLE[:-1])  # the unterminated end is a line: nobody comes back for it
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(W3C))
    (tmp_path / "c.bin").write_bytes(bz2.compress(b"".join(lines(3, tag="c"))))
    paths = [tmp_path / "a.log", tmp_path / "b.log.gz", tmp_path / "c.bin", SAMPLES / "hosts.access.log"]
    parts = [loganon.anonymize(path, policy=plain_policy()).table for path in paths]
    assert [part.num_rows for part in parts[:3]] == [100, 4, 3]
    assert joined(batches(paths)).equals(pa.concat_tables(parts))
    files = [path.open("rb") for path in paths]
    try:
        assert joined(batches(files)).equals(pa.concat_tables(parts))
    finally:
        for file in files:
            file.close()


def test_a_damaged_file(tmp_path: Path) -> None:
    """Its whole lines before the damage are given, then comes the error."""
    log = tmp_path / "x.log.gz"
    log.write_bytes(gzip.compress(b"".join(lines(3000)))[:-2000])
    for given in (log, io.BytesIO(log.read_bytes())):
        rows: list[int] = []
        results = (rows.append(each.table.num_rows) for each in loganon.batches(given, batch_bytes=50_000))
        with pytest.raises(UnreadableDataError, match="damaged"):
            list(results)
        assert 1000 < sum(rows) < 3000


def test_rejects_are_of_their_batch() -> None:
    """They add up to those of the whole."""
    odd = [LOG[0], b"no line\n", *LOG[1:50], b"a\0b\n", *LOG[50:]]
    found = batches(odd, batch_bytes=1000)
    whole = loganon.anonymize(odd, policy=plain_policy()).rejected
    assert {name: sum(each.rejected[name] for each in found) for name in whole} == whole
    assert (whole["malformed"], whole["binary"]) == (1, 1)


def test_small_tables_of_lines_are_batches_together() -> None:
    """A batch is made from about `batch_bytes` of lines, also where tables hold one line each; by 1 each is one."""
    for text in (pa.string(), pa.dictionary(pa.int32(), pa.string_view())):
        tables = [_table(each.decode().strip(), text) for each in LOG]
        assert len(list(loganon.batches(tables, policy=plain_policy(), format="combined", batch_bytes=1))) == len(LOG)
        (whole,) = loganon.batches(tables, policy=plain_policy(), format="combined")
        assert whole.table.equals(loganon.anonymize(LOG, policy=plain_policy()).table)


def _table(text: str, kind: pa.DataType) -> pa.Table:
    column = pa.array([text], pa.string_view() if pa.types.is_dictionary(kind) else kind)
    return pa.table(
        {"line": pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), column)}
        if pa.types.is_dictionary(kind)
        else {"line": column}
    )


@pytest.mark.parametrize("at", [0, 1])
def test_none_is_no_line_wherever_it_stands(at: int) -> None:
    """An element that is None is an error, also as the first: it would else end the lines, and nothing be counted."""
    with pytest.raises(TypeError, match="NoneType"):
        loganon.anonymize([*LOG[:at], None, *LOG[at:]], format="combined")  # type: ignore[list-item]  # the case


def test_what_is_wrong_with_the_arguments_is_said_by_the_call() -> None:
    """Not when the first batch is asked for, which may be elsewhere."""
    for options in (
        {"format": "combind"},
        {"provider_db": ["/no/such"]},
        {"batch_bytes": 0},
        {"policy": "no-such"},
        {"timezone": "Europe/Berlin"},
    ):
        with pytest.raises(loganon.LoganonError):
            loganon.batches(LOG, **options)  # type: ignore[arg-type]  # that is the case
    for given in ("access.log", 4711, None):
        with pytest.raises(TypeError):
            loganon.batches(given)  # type: ignore[arg-type]  # that is the case


@pytest.mark.parametrize("name", ["fields", "provider_db", "trusted_proxies", "exclude"])
def test_one_is_not_several(name: str) -> None:
    """A text or a table where several are taken is an error: `fields="date time"` would name columns of one letter."""
    with pytest.raises(TypeError, match=name):
        loganon.batches(LOG, **{name: {"path": "/x"} if name == "exclude" else "date time"})  # type: ignore[arg-type]  # as a caller errs
    with pytest.raises(TypeError, match="logs"):
        loganon.run("access.log", store="/no/such")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("access.log", TypeError),
        (4711, TypeError),
        ([1, 2], TypeError),
        ([b"a", None], TypeError),
        (Path("/no/such.log"), MissingInputError),
        (io.StringIO("a\n"), ConfigurationError),
        (Duck("a\n"), ConfigurationError),
        ([io.BytesIO(WHOLE), "access.log"], TypeError),
        ([io.BytesIO(WHOLE), None], TypeError),
        ([io.BytesIO(WHOLE), Duck("a\n")], ConfigurationError),
        (Duck(None), UnreadableInputError),
        (pa.table({"a": [1], "b": [2]}), ConfigurationError),
        (pa.table({"line": [1]}), ConfigurationError),
        (b"jane.doe@example.org was here\n", UnreadableDataError),
        (b"2026/11/21 12:00:00 [error] 7#7: *1 open() failed, client: 203.0.113.9\n" * 3, UnreadableDataError),
    ],
)
def test_what_is_no_log(given: Any, error: type[Exception]) -> None:
    """An error that says so, without a word of the input."""
    with pytest.raises(error) as raised:
        batches(given)
    assert "jane" not in str(raised.value)
    assert "203.0" not in str(raised.value)


BEFORE = {
    "a line": b"x" * (SAMPLE_BYTES + 1) + b"\n",
    "a line that is too long": b"x" * (3 << 20) + b"\n",
    "lines": (b"x" * (SAMPLE_BYTES + 1) + b"\n\n") * 2,
    "empty lines": b"\n" * (SAMPLE_BYTES + 1),
    "empty lines of Windows": b"\r\n" * SAMPLE_BYTES,
    "empty lines and a line": b"\n" * SAMPLE_BYTES + b"x" * SAMPLE_BYTES + b"\n",
}
"""What fills all that a format is told by, so that no line of the log stands there."""


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("size", [1000, 8 << 20])
def test_the_format_is_told_behind_what_says_nothing(before: str, size: int, tmp_path: Path) -> None:
    """However much stands before the first line that can tell it, no line is lost: `batches` and `run` count the same.
    Empty lines alone would else be taken for a log without a line."""
    log = tmp_path / "x.log"
    log.write_bytes(BEFORE[before] + WHOLE)
    summary = ingest(tmp_path / "store", [log], policy=plain_policy())
    for given in (log, log.read_bytes(), io.BytesIO(log.read_bytes())):
        found = batches(given, batch_bytes=size)
        assert joined(found).equals(loganon.anonymize(WHOLE, policy=plain_policy()).table)
        rejected = {reason: sum(each.rejected[reason] for each in found) for reason in summary.rejected}
        assert (summary.counted, summary.rejected) == (len(LOG), rejected)


def archive(kind: str) -> bytes:
    """The log in an archive in which its lines stand as they are."""
    held = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(held, "w") as packed:
            packed.writestr("access.log", WHOLE)
    else:
        with tarfile.open(fileobj=held, mode="w") as packed:
            member = tarfile.TarInfo("access.log")
            member.size = len(WHOLE)
            packed.addfile(member, io.BytesIO(WHOLE))
    return held.getvalue()


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("format_", ["auto", "combined"])
def test_an_archive_is_no_log(kind: str, format_: str) -> None:
    """It is refused as `run` refuses it, also where the format is named: its first line would be lost, and those of a
    packed one read as if they were all."""
    for given in (archive(kind), io.BytesIO(gzip.compress(archive(kind)))):
        with pytest.raises(UnreadableDataError, match=rf"an archive \({kind}\).*Give the access log"):
            batches(given, format=format_, batch_bytes=1000)


@pytest.mark.parametrize("format_", ["auto", "combined"])
def test_compressed_bytes_are_no_lines(format_: str) -> None:
    """They are refused by name, also where the format is: their pieces between two LF would be counted as malformed
    lines. As a file they are inflated."""
    for packed in (gzip.compress(WHOLE), bz2.compress(WHOLE)):
        for given, blocks in ((packed, False), ([packed], True), (pa.table({"line": [packed]}), False)):
            with pytest.raises(UnreadableDataError, match="compressed"):
                batches(given, format=format_, blocks=blocks)
        assert joined(batches(io.BytesIO(packed), format=format_)).num_rows == len(LOG)


def test_nothing() -> None:
    """Nothing gives no batch."""
    for nothing in (b"", [], iter(()), b"\n\r\n\n", io.BytesIO(b""), pa.table({"line": pa.array([], pa.string())})):
        assert batches(nothing) == []


def test_a_line_that_is_too_long() -> None:
    """It is rejected, cut to the longest line's length before it is held."""
    long = b"x" * (3 << 20)
    found = batches([LOG[0], long, LOG[1]], batch_bytes=1 << 20)
    assert sum(each.rejected["too_long"] for each in found) == 1
    assert joined(found).num_rows == 2
    blocks = iter([LOG[0], *[b"x" * (1 << 18)] * 12, b"\n", LOG[1]])
    found = batches(blocks, blocks=True, batch_bytes=1 << 20)
    assert (sum(each.rejected["too_long"] for each in found), joined(found).num_rows) == (1, 2)
