"""A log file, plain or compressed, as chunks."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType
from typing import Self

from loganon.chunks import Chunk
from loganon.errors import ConfigurationError, GoneInputError, MissingInputError, UnreadableInputError
from loganon.sources.cutter import TAIL_BYTES, Cutter, Whole
from loganon.sources.inflate import MAGIC_BYTES, Inflater, Read, compression

CHUNK_BYTES = 16 << 20
BEGINNING_BYTES = 1 << 16
_TESTED_BYTES = 4096
_LINE_BYTES = 1 << 14
_INFLATE_BYTES = 1 << 20
_HELD = "/proc/self/fd/" if os.path.isdir("/proc/self/fd") else "/dev/fd/"  # noqa: PTH112 - a constant of the system


def open_log(path: str | os.PathLike[str], *, at: str | None = None) -> Log:
    """The log at `path`; MissingInputError (66) where it is missing, unreadable or no regular file.

    GoneInputError where nothing is there. Symbolic links are followed. What is appended after this call is not seen.
    `at`: where the log lies, if it is not at `path` any more, as `place_of` has it of one that is held; errors name
    `path`.
    """
    where = os.fspath(path)
    try:
        if at is None:  # what is held open is known to be a file
            check_regular(where, os.stat(where))  # noqa: PTH116 - a path as text, as given
        descriptor = _descriptor_of(at or where)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # of a path with NUL, which no log has
        raise GoneInputError("there is no such log", where=where, fix="Check the path") from None
    except OSError as error:
        what = f"this log cannot be opened: {error.strerror}"
        raise MissingInputError(what, where=where, fix="Check its permissions and those of its directories") from None
    try:
        return Log(where, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str, status: os.stat_result) -> None:
    """Nothing for a file; MissingInputError (66) for what is none.

    Asked before it is opened, too: whoever waits to write to a named pipe would take that for a reader, and be ended by
    SIGPIPE as it goes.
    """
    if not stat.S_ISREG(status.st_mode):
        fix = "Give the log file itself; a pipe goes to standard input, `-`"
        raise MissingInputError("this is not a regular file", where=path, fix=fix)


def place_of(descriptor: int) -> str:
    """Where the file of a descriptor that is held open can be opened, whatever its name is by now."""
    return f"{_HELD}{descriptor}"


def _descriptor_of(place: str) -> int:
    """A descriptor of the file at `place`. Of one that is held that one's copy where opening anew is no longer allowed:
    what was logged before a log's permissions changed is still ours to read; or not possible, in a root without /proc.
    """
    try:  # a named pipe would be waited for without O_NONBLOCK
        return os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        held = place.removeprefix(_HELD)
        if error.errno not in (errno.EACCES, errno.EPERM, errno.ENOENT) or held == place or not held.isdecimal():
            raise
        return os.dup(int(held))


class Log:
    """An open log file; its content is its bytes after decompression, and all offsets are in that.

    `compression`: "gzip", "bzip2", "xz", "zstd" or None. `size`, `device`, `inode`, `modified` (ns): as at the opening.
    `damaged`: the offset from which on a compressed file could not be read, once it was met.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        check_regular(path, status)
        self.device, self.inode, self.modified = status.st_dev, status.st_ino, status.st_mtime_ns
        self._descriptor = descriptor
        self._begin(path, status.st_size)

    def _begin(self, path: str, size: int) -> None:
        """The log is at its beginning; `_raw` can read it."""
        self.path = Path(path)
        self.size = size
        self.damaged: int | None = None
        self._first = self._raw(0, min(_TESTED_BYTES, self.size))
        self.compression = compression(self._first[:MAGIC_BYTES])
        self._start = 0
        self._before = b""
        self._over = b""  # inflated, and not given yet
        self._cutter = Cutter(0, b"")
        self._read, self._inflater, self._file = self._open()

    @property
    def tail(self) -> bytes:
        """The last 256 bytes before the end of the last chunk given, or before the offset sought."""
        return self._cutter.tail

    @property
    def pending(self) -> int:
        """How many bytes came after the last chunk: no whole line."""
        return self._cutter.pending

    @property
    def position(self) -> int:
        """Bytes of the file itself that were read, of its `size`."""
        return self._file.offset

    def beginning(self, limit: int = BEGINNING_BYTES) -> bytes:
        """The first `limit` bytes of the content, or all of a shorter one."""
        read, inflater, _ = self._open()
        found = bytearray()
        while len(found) < limit and (block := read(limit - len(found))):
            found += block
        if inflater is not None and inflater.damaged:
            self.damaged = len(found)
        return bytes(found[:limit])

    def end_at(self, offset: int) -> None:
        """From now on the file's own bytes end at `offset`, if not before: what comes after is not seen."""
        self.size = min(self.size, offset)

    def seek(self, done: int) -> bytes | None:
        """The at most 256 bytes before offset `done`, where `chunks` then begins; None: the content ends before it."""
        self._read, self._inflater, self._file = self._open()
        if self.compression is None:
            if done > self.size:
                return None
            start = max(0, done - TAIL_BYTES)
            before = self._raw(start, done - start)
            self._read = self._file = _Plain(self, done)
        else:
            before, found, rest = b"", 0, b""
            while found < done:
                block = self._read(_INFLATE_BYTES)
                if not block:
                    self._note_damage(found)
                    return None
                rest = block[done - found :]
                before = (before + block[: done - found])[-TAIL_BYTES:]
                found += len(block)
            self._read = _After(rest, self._read)
        self._start, self._before, self._over = done, before, b""
        self._cutter = Cutter(done, before)
        return before

    def following(self, limit: int = BEGINNING_BYTES) -> bytes:
        """The next `limit` bytes of the content, or all that is left of it; `chunks` gives them all the same."""
        if self._inflater is None:
            return self._raw(self._file.offset, max(0, min(limit, self.size - self._file.offset)))
        while len(self._over) < limit and (block := self._read(limit - len(self._over))):
            self._over += block
        return self._over[:limit]

    def chunks(
        self,
        *,
        final: bool = False,
        first: Iterable[int] = (),
        chunk_bytes: int = CHUNK_BYTES,
        whole: Whole = len,
    ) -> Iterator[Chunk]:
        """The content from the offset sought, or from 0, as chunks of about `chunk_bytes`, the `first` ones of so many,
        that end at LF, and where `whole` lets them end.

        An unterminated end is not given, except that of a compressed file that is whole, and with `final` that of a
        plain one. At damage the whole lines before it are given.
        """
        cutter = self._cutter.reading(whole)
        sizes = chain(first, repeat(chunk_bytes))
        while block := self._block(min(next(sizes), chunk_bytes)):
            chunk = cutter.push(block)
            if chunk is not None:
                yield chunk
        self._note_damage(cutter.seen)
        complete = final if self._inflater is None else not self._inflater.damaged
        last = cutter.finish() if complete else None
        if last is not None:
            yield last

    def blocks(self) -> Iterator[bytes]:
        """The content from its beginning, in blocks; apart from what `chunks` reads."""
        read, _, _ = self._open()
        while block := read(_INFLATE_BYTES):
            yield block

    def retest(self) -> bool:
        """Whether the file, by this descriptor, still is the one that was read: its beginning, the bytes before the
        offset sought and those before the end of what was given are the same, and it is no shorter.
        """
        if os.fstat(self._descriptor).st_size < self.size:
            return False
        same = self._raw(0, len(self._first)) == self._first
        if self.compression is None:
            tail, end = self._cutter.tail, self._cutter.given
            same = same and self._raw(self._start - len(self._before), len(self._before)) == self._before
            same = same and self._raw(end - len(tail), len(tail)) == tail
        return same

    def close(self) -> None:
        """Closes the descriptor; the log cannot be read any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> tuple[Read, Inflater | None, _Plain]:
        """A reader of the content from its beginning."""
        raw = _Plain(self, 0)
        if self.compression is None:
            return raw, None, raw
        try:
            inflater = Inflater(self.compression, raw, again=lambda: _Plain(self, 0))
        except ConfigurationError as error:
            raise MissingInputError(error.what, where=str(self.path), fix=error.fix) from None
        return inflater.read, inflater, raw

    def _block(self, size: int) -> bytes:
        """The next `size` bytes of the content; fewer at its end, and where a line ends shortly before."""
        if self._inflater is None:
            size = self._to_line_end(self._file.offset, size)
        found = [self._over] if self._over else []
        missing = size - len(self._over)
        while missing > 0 and (block := self._read(min(missing, _INFLATE_BYTES) if self._inflater else missing)):
            found.append(block)
            missing -= len(block)
        self._over = b""
        if len(found) == 1:
            return found[0]
        if found and (end := found[-1].rfind(b"\n") + 1):  # such a block needs no second copy
            found[-1], self._over = found[-1][:end], found[-1][end:]
        return b"".join(found)

    def _to_line_end(self, offset: int, size: int) -> int:
        """How many of the `size` bytes end with a line, if one ends near their end: such a block needs no copy."""
        end = min(offset + size, self.size)
        near = max(0, min(_LINE_BYTES, end - offset))
        behind = near - 1 - self._raw(end - near, near).rfind(b"\n")
        return size if behind == near else end - offset - behind

    def _note_damage(self, offset: int) -> None:
        if self._inflater is not None and self._inflater.damaged:
            self.damaged = offset

    def _raw(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            what, where = f"this log cannot be read: {error.strerror}", f"{self.path}, {offset}"
            raise UnreadableInputError(what, where=where, fix="Check the disk and the mount") from None


class _Plain:
    """A reader of the file's own bytes from an offset on, up to the size that it had when it was opened."""

    def __init__(self, log: Log, offset: int) -> None:
        self._log = log
        self.offset = offset

    def __call__(self, limit: int) -> bytes:
        block = self._log._raw(self.offset, max(0, min(limit, self._log.size - self.offset)))
        self.offset += len(block)
        return block


class _After:
    """A reader that gives `rest` first."""

    def __init__(self, rest: bytes, read: Read) -> None:
        self._rest = rest
        self._read = read

    def __call__(self, limit: int) -> bytes:
        if not self._rest:
            return self._read(limit)
        block, self._rest = self._rest[:limit], self._rest[limit:]
        return block
