"""Logs from files and streams: chunks of whole lines, compression by content, damage, bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errors import MissingInputError
from loganon.sources.cutter import Cutter
from loganon.sources.files import Log, open_log
from loganon.sources.prompt import Prompt
from loganon.sources.regular import Regular
from loganon.sources.stdin import Stream

LINES = b"".join(b"line %d of this log\n" % i for i in range(20_000))
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the command does
}


def write(folder: Path, data: bytes) -> Path:
    path = folder / "access.log"
    path.write_bytes(data)
    return path


def joined(chunks: Iterable[Chunk]) -> bytes:
    """The data of chunks that follow one another."""
    data, end = b"", None
    for chunk in chunks:
        assert end is None or chunk.start == end
        end = chunk.end
        data += chunk.data
    return data


@settings(deadline=None)
@given(blocks=st.lists(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\r"]), max_size=6).map(b"".join)))
def test_the_size_of_blocks_changes_nothing(blocks: list[bytes]) -> None:
    """However the bytes come, the chunks are the whole lines, and what is pending is the rest."""
    data = b"".join(blocks)
    cutter = Cutter(0, b"")
    chunks = [chunk for block in blocks if block and (chunk := cutter.push(block))]
    whole = data[: data.rfind(b"\n") + 1]
    assert joined(chunks) == whole
    assert all(chunk.data.endswith(b"\n") and chunk.end - chunk.start == len(chunk.data) for chunk in chunks)
    assert (cutter.tail, cutter.pending) == (whole[-256:], len(data) - len(whole))
    last = cutter.finish()
    assert whole + (last.data if last else b"") == data
    assert (cutter.tail, cutter.pending) == (data[-256:], 0)


@pytest.mark.parametrize("block", [1000, 1 << 20, 1 << 23])
@pytest.mark.parametrize("length", [MAX_LINE_BYTES + 1, MAX_LINE_BYTES * 3])
def test_an_overlong_line_is_cut(length: int, block: int) -> None:
    """Of a line that does not fit into a block only so much is kept that it still is too long; offsets count it all."""
    data = b"a\n" + b"x" * length + b"\nb\n"
    cutter = Cutter(0, b"")
    chunks = [c for at in range(0, len(data), block) if (c := cutter.push(data[at : at + block]))]
    first, long, last = joined(chunks).split(b"\n")[:3]
    assert (first, last) == (b"a", b"b")
    assert MAX_LINE_BYTES < len(long) <= max(MAX_LINE_BYTES + 2, block)
    assert chunks[-1].end == len(data)
    assert cutter.tail == data[-256:]


@pytest.mark.parametrize("kind", [None, *COMPRESS])
@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 23])
def test_chunks(tmp_path: Path, kind: str | None, chunk_bytes: int) -> None:
    """A log gives its lines whatever its compression; the unterminated end of a compressed one is a line."""
    data = LINES + b"end"
    with open_log(write(tmp_path, COMPRESS[kind](data) if kind else data)) as log:
        assert log.compression == kind
        assert log.beginning(5000) == data[:5000]
        assert joined(log.chunks(chunk_bytes=chunk_bytes)) == (data if kind else LINES)
        assert log.pending == (0 if kind else 3)
        assert log.tail == (data if kind else LINES)[-256:]
        assert log.damaged is None
        assert log.retest()


def test_final(tmp_path: Path) -> None:
    """With `final` the unterminated end of a plain file is a line."""
    with open_log(write(tmp_path, b"a\nb")) as log:
        assert joined(log.chunks(final=True)) == b"a\nb"
        assert (log.pending, log.tail) == (0, b"a\nb")


@pytest.mark.parametrize("kind", [None, *COMPRESS])
def test_seek(tmp_path: Path, kind: str | None) -> None:
    """A log goes on at any offset of its content and gives the bytes before it and, twice, those behind it; behind its
    end there is none.
    """
    with open_log(write(tmp_path, COMPRESS[kind](LINES) if kind else LINES)) as log:
        for done in (0, 7, 100_000, len(LINES)):
            assert log.seek(done) == LINES[max(0, done - 256) : done]
            assert log.tail == LINES[max(0, done - 256) : done]
            assert log.following(5000) == LINES[done : done + 5000]
            assert joined(log.chunks()) == LINES[done:]
            assert log.retest()
        assert log.seek(len(LINES) + 1) is None


def test_members(tmp_path: Path) -> None:
    """Several gzip members are one log; zero bytes behind a member are padding, others are damage."""
    two = gzip.compress(LINES[:1000]) + gzip.compress(LINES[1000:])
    with open_log(write(tmp_path, two + bytes(700))) as log:
        assert joined(log.chunks()) == LINES
        assert log.damaged is None
    with open_log(write(tmp_path, two + b"garbage")) as log:
        assert joined(log.chunks()) == LINES
        assert log.damaged == len(LINES)


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("share", [0.2, 0.8, 0.999])
def test_truncated(tmp_path: Path, kind: str, share: float) -> None:
    """Of a compressed file that ends early the whole lines before that stand, and the end is pending."""
    whole = COMPRESS[kind](LINES)
    with open_log(write(tmp_path, whole[: int(len(whole) * share)])) as log:
        data = joined(log.chunks())
        assert LINES.startswith(data)
        assert data.endswith(b"\n") or not data
        assert log.damaged == len(data) + log.pending
    with open_log(write(tmp_path, whole)) as log:
        assert log.seek(len(data)) == data[-256:]
        assert data + joined(log.chunks()) == LINES


def test_damaged_checksum(tmp_path: Path) -> None:
    """A small gzip file with a wrong checksum still gives all lines before it."""
    whole = bytearray(gzip.compress(b"a\nb\nc"))
    whole[-5] ^= 1
    with open_log(write(tmp_path, bytes(whole))) as log:
        assert joined(log.chunks()) == b"a\nb\n"
        assert (log.damaged, log.pending) == (5, 1)


def bomb(kind: str) -> bytes:
    """64 MiB of NULs without a line end, in some kilobytes."""
    if kind == "gzip":
        engine = zlib.compressobj(9, wbits=31)
        return b"".join(engine.compress(bytes(1 << 20)) for _ in range(64)) + engine.flush()
    return COMPRESS[kind](bytes(64 << 20))


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_is_read_in_pieces(tmp_path: Path, kind: str) -> None:
    """A small file that inflates to much is given in bounded chunks, its only line cut, in bounded memory."""
    path = write(tmp_path, bomb(kind))
    assert path.stat().st_size < 1 << 18
    with open_log(path) as log:
        tracemalloc.start()
        chunks = list(log.chunks(chunk_bytes=1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [len(chunk.data) for chunk in chunks] == [MAX_LINE_BYTES + 2]
        assert chunks[0].end == 64 << 20
    assert peak < (40 if kind == "zstd" else 24) << 20, "512 bytes of zstd are 16 MiB at most"


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_byte_that_changed(tmp_path: Path, kind: str) -> None:
    """Of a compressed file with a wrong byte whole lines are given, and it is said where damage was met."""
    whole = bytearray(COMPRESS[kind](LINES))
    whole[len(whole) // 2] ^= 0xFF
    with open_log(write(tmp_path, bytes(whole))) as log:
        data = joined(log.chunks())
        assert log.damaged == len(data) + log.pending
        assert data.endswith(b"\n") or not data
        if kind in ("bzip2", "xz"):  # the others check at the end only what a wrong byte made of the rest
            assert LINES.startswith(data)


def test_zstd_frames(tmp_path: Path) -> None:
    """Several zstd frames are one log; a window over 128 MiB is damage, not memory."""
    data = zstandard.compress(LINES[:1000]) + zstandard.compress(LINES[1000:])
    with open_log(write(tmp_path, data)) as log:
        assert (log.compression, joined(log.chunks()), log.damaged) == ("zstd", LINES, None)
    wide = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=0)
    engine = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with open_log(write(tmp_path, engine.compress(LINES) + engine.flush())) as log:
        assert (joined(log.chunks()), log.damaged) == (b"", 0)


def test_no_log(tmp_path: Path) -> None:
    """What is missing, a directory or a pipe is an error (66) that names the path; a link is followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(write(tmp_path, b"a\n"))
    for name in ("missing", "", "pipe"):
        with pytest.raises(MissingInputError) as caught:
            open_log(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with open_log(tmp_path / "link") as log:
        assert joined(log.chunks()) == b"a\n"


def test_a_pipe_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named pipe in a log's place is refused unopened: whoever waits to write to it would be ended by SIGPIPE."""
    os.mkfifo(tmp_path / "pipe")

    def opened(*_: object) -> int:
        raise AssertionError

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(MissingInputError):
        open_log(tmp_path / "pipe")


@pytest.mark.parametrize(
    "change",
    [lambda data: b"X" + data[1:], lambda data: data[:100], lambda data: data[:9000] + b"X" * (len(data) - 9000)],
)
def test_retest(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """A file whose beginning, end, or bytes before the start changed, or that was cut, is another."""
    path = write(tmp_path, LINES[:10_000])
    with open_log(path) as log:
        log.seek(9100)
        list(log.chunks())
        assert log.retest()
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(change(LINES[:10_000]))
        assert not log.retest()


def test_what_is_appended_is_not_seen(tmp_path: Path) -> None:
    """Bytes appended after the opening belong to the next run, and the file is still the same."""
    path = write(tmp_path, b"a\n")
    with open_log(path) as log:
        with path.open("ab") as file:
            file.write(b"b\n")
        assert joined(log.chunks()) == log.beginning() == b"a\n"
        assert log.retest()


@pytest.mark.parametrize("kind", [None, *COMPRESS])
def test_stream(kind: str | None) -> None:
    """A stream gives the same chunks, its beginning again, and its unterminated end as a line."""
    data = LINES + b"end"
    stream = Stream(io.BytesIO(COMPRESS[kind](data) if kind else data))
    assert stream.beginning(70_000) == data[:70_000]
    assert stream.seek(0) == b""
    assert stream.seek(1) is None
    assert joined(stream.chunks(chunk_bytes=1000)) == data
    assert stream.tail == data[-256:]


def test_a_regular_file_by_its_descriptor(tmp_path: Path) -> None:
    """What stands behind the descriptor's position, in blocks that end with a line; the position goes with them."""
    path = write(tmp_path, LINES + b"end")
    with path.open("rb", buffering=0) as file:
        first = file.readline()
        feed = Regular(file.fileno())
        blocks = list(iter(lambda: feed.read(100_000), b""))
        assert first + b"".join(blocks) == LINES + b"end"
        assert all(block.endswith(b"\n") and 80_000 < len(block) <= 100_000 for block in blocks[:-1])
        assert file.tell() == len(LINES) + 3
        file.seek(0)
        assert joined(Stream(feed).chunks(chunk_bytes=1000)) == LINES + b"end"


class Waiting(io.FileIO):
    """A descriptor that tells when it was read in vain."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.empty = Event()

    def read(self, limit: int = -1, /) -> bytes | None:  # type: ignore[override]  # as FileIO does
        return self._told(super().read(limit))

    def readinto(self, buffer: Any, /) -> int | None:  # type: ignore[override]  # as FileIO does
        return self._told(super().readinto(buffer))

    def _told(self, found: Any) -> Any:
        if found is None:
            self.empty.set()
        return found


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("sent", [0, 1, 1000])
def test_a_stream_that_does_not_block(sent: int, *, buffered: bool) -> None:
    """An empty pipe is not the end of what comes through it, also where others have made it non-blocking."""
    read, write_ = os.pipe()
    os.set_blocking(read, False)
    data = LINES[:3000]

    def send() -> None:
        os.write(write_, data[:sent])
        known = waiting.empty.wait(60)
        os.write(write_, data[sent:])
        os.close(write_)
        assert known

    with Waiting(read) as waiting, ThreadPoolExecutor(1) as sender:
        sending = sender.submit(send)
        stream = Stream(io.BufferedReader(waiting) if buffered else waiting)  # type: ignore[arg-type]  # read of None
        assert joined(stream.chunks(chunk_bytes=500)) == data
        sending.result()


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 50_000, b"x" * 50_000 + b"\n" + b"y" * 50_000])
def test_a_regular_file_without_lines(tmp_path: Path, data: bytes) -> None:
    """Where no line ends near a block's end, the block is as long as it may be."""
    with write(tmp_path, data).open("rb") as file:
        feed = Regular(file.fileno())
        blocks = list(iter(lambda: feed.read(20_000), b""))
    assert b"".join(blocks) == data
    assert len(blocks) <= len(data) // 20_000 + 2


def pipe_of(data: bytes) -> int:
    """The end of a pipe from which `data` can be read, and no more."""
    read, end = os.pipe()
    os.write(end, data)
    os.close(end)
    return read


def test_a_piece_ends_with_a_line() -> None:
    """What has come is given up to the end of a line, then the rest; the first bytes that tell of a compression come in
    one piece, whatever they are.
    """
    descriptor = pipe_of(b"a\nb\nc\nd\nunended")
    feed = Prompt(descriptor, whole=6)
    assert feed.read(6) == b"a\nb\nc\n"
    pieces = list(iter(lambda: feed.read(100), b""))
    os.close(descriptor)
    assert pieces == [b"d\n", b"unended"]
    descriptor = pipe_of(b"a\nbcdef\n")
    feed = Prompt(descriptor, whole=6)
    assert feed.read(6) == b"a\nbcde"
    assert feed.waiting == 2
    assert feed.read(100) == b"f\n"
    os.close(descriptor)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"ab\ncd"]), max_size=12), st.integers(1, 60))
@settings(max_examples=max(settings.default.max_examples // 4, 1))
def test_a_pipe_gives_what_came(blocks: list[bytes], limit: int) -> None:
    """No byte is lost or given twice, and no piece is longer than what is asked for."""
    descriptor = pipe_of(b"".join(blocks))
    feed = Prompt(descriptor)
    pieces = list(iter(lambda: feed.read(limit), b""))
    os.close(descriptor)
    assert b"".join(pieces) == b"".join(blocks)
    assert all(len(piece) <= limit for piece in pieces)
    assert feed.ended
    assert not feed.waiting


def test_an_empty_log(tmp_path: Path) -> None:
    """A log without bytes has no chunks."""
    with open_log(write(tmp_path, b"")) as log:
        assert (log.beginning(), list(log.chunks()), log.seek(0), log.retest()) == (b"", [], b"", True)
    assert list(Stream(io.BytesIO(b"")).chunks()) == []


def test_a_log_prints_no_content(tmp_path: Path) -> None:
    """The representation of a log holds nothing of its lines."""
    with open_log(write(tmp_path, b"203.0.113.7\n")) as log:
        assert isinstance(log, Log)
        assert "203" not in repr(log)
