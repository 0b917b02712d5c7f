"""A descriptor read as soon as something comes, so that what was written to a pipe need not wait for more of it."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import threading
import time
from collections import deque
from contextlib import suppress

_BLOCK = 1 << 20
_AHEAD = 16 << 20  # bytes read before they are asked for
_PAUSE = 0.2  # seconds without input after which a stopped reader takes it that there is no more
_LONGEST = 3.0  # the same where input never pauses: what it left in a pipe then is for the next who reads it


class Prompt:
    """`read(limit)` gives what has come, at most `limit` bytes, and waits only while there is nothing; b"" at the end.

    A thread reads ahead meanwhile: what comes while a piece is worked on is one piece afterwards, so that a fast writer
    is read in large pieces and a slow one without delay. A piece ends with a line, if one ends shortly before its end;
    but the first `whole` bytes come in one.
    """

    def __init__(self, descriptor: int, *, whole: int = 0) -> None:
        self._descriptor = descriptor
        self._whole = whole
        self._blocks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._until: float | None = None  # once it was stopped: when it reads no more
        self._error: OSError | None = None
        self._changed = threading.Condition()
        with suppress(OSError, AttributeError):  # it is no pipe, its user has many, or the system knows no such call
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _BLOCK)
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._fill, name="reader", daemon=True)
        self._thread.start()

    def read(self, limit: int) -> bytes:
        """What has come; OSError where the descriptor cannot be read."""
        with self._changed:
            least, self._whole = max(1, min(limit, self._whole)), 0
            self._changed.wait_for(lambda: self._size >= least or self._ended)
            data = self._taken(limit, least)
            self._changed.notify_all()
            if not data and self._error is not None:
                raise self._error
            return data

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not read."""
        with self._changed:
            return self._size

    @property
    def ended(self) -> bool:
        """Nothing more comes."""
        with self._changed:
            return self._ended

    def take(self, limit: int) -> bytes:
        """As `read`, without waiting: nothing if nothing has come."""
        with self._changed:
            if not self._size and not self._ended:
                return b""
        return self.read(limit)

    def close(self) -> None:
        """Nothing: the descriptor is its owner's to close, and the thread ends with the process."""

    def stop(self) -> None:
        """Take what is already there as all that comes; may be called from a signal handler."""
        os.write(self._waker, b".")

    def _taken(self, limit: int, least: int) -> bytes:
        """What has come, without the beginning of a line at its end."""
        found: list[bytes] = []
        size = 0
        while self._blocks and size < limit:
            found.append(self._blocks.popleft())
            size += len(found[-1])
        if found:
            last = found.pop()
            most = len(last) - max(0, size - limit)
            end = last.rfind(b"\n", 0, most) + 1
            end = end if end and size - len(last) + end >= least else most
            found.append(last[:end])
            if end < len(last):
                self._blocks.appendleft(last[end:])
        data = found[0] if len(found) == 1 else b"".join(found)
        self._size -= len(data)
        return data

    def _fill(self) -> None:
        try:
            while block := self._next():
                with self._changed:
                    self._blocks.append(block)
                    self._size += len(block)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._size < _AHEAD)
        except MemoryError:  # without this thread nothing would ever come: the writer would wait, and so would we
            self._error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _next(self) -> bytes:
        """The next block; b"" at the end, on an error, and after `stop` at the first pause, or when none comes."""
        while True:
            stopped = self._until is not None
            watched = [self._descriptor] if stopped else [self._descriptor, self._wake]
            try:
                ready, _, _ = select.select(watched, [], [], _PAUSE if stopped else None)
                if self._wake in ready:
                    self._until = time.monotonic() + _LONGEST
                if self._until is not None and time.monotonic() >= self._until:
                    return b""
                if self._descriptor in ready:
                    return os.read(self._descriptor, _BLOCK)
            except BlockingIOError:  # a descriptor that others have made non-blocking
                continue
            except OSError as error:
                self._error = error
                return b""
            if stopped and not ready:
                return b""
