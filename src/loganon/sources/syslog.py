"""Syslog datagrams as lines: a UDP or a Unix socket, read by a thread of its own, RFC 3164 and 5424.

One datagram is one line: its message, without the envelope. A datagram that has none is the line. A line end or a NUL
within makes it a `binary` line, more than 1 MiB one that is `too_long`: both are counted where lines are. What the
kernel or we had to drop, because it came faster than it was read, is counted here.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from loganon.chunks import MAX_LINE_BYTES
from loganon.envelopes import message_of
from loganon.errors import CannotWriteError, ConfigurationError, MissingInputError

QUEUE_BYTES = 16 << 20
"""What is held at most until it is read into rows; further datagrams are dropped and counted."""

RECEIVE_BYTES = 8 << 20
"""The receive buffer that is asked of the kernel (`net.core.rmem_max` may bound it, unless we may override that)."""

SOCKET_MODE = 0o660
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_DROPS = 8  # the place of SK_MEMINFO_DROPS
_ROUND = 256  # datagrams that are read before the queue's lock is taken


@dataclass(frozen=True, slots=True)
class Address:
    """Where syslog is received: a host and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def loopback(self) -> bool:
        """Only this machine's processes can send to it."""
        return bool(self.path) or ip_address(self.host).is_loopback


def parse_address(text: str) -> Address:
    """The address in `udp://127.0.0.1:5514`, `udp://:5514` (loopback), `unix:///path` or `unixgram:///path`."""
    try:
        parts = urlsplit(text)
        if parts.scheme == "udp" and parts.port and not parts.path.strip("/"):
            host = parts.hostname or "127.0.0.1"
            return Address(str(ip_address("127.0.0.1" if host == "localhost" else host)), parts.port)
        if parts.scheme in ("unix", "unixgram") and not parts.netloc and parts.path.startswith("/"):
            return Address(path=parts.path)
    except ValueError:
        pass
    raise ConfigurationError(
        "this is no address to receive syslog at", where=f"--syslog {text}", fix="Write udp://IP:PORT or unix:///PATH"
    )


class Syslog:
    """A feed (`sources.live`) of what is sent to `address`. `where`: the address as it was given."""

    def __init__(self, address: Address, where: str, *, queue: int = QUEUE_BYTES) -> None:
        self._where = where
        self._queue = queue
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._ended = self._closed = False
        self._received = 0
        self._overflowed = 0
        self._kernel = 0
        self._inode: tuple[int, int] | None = None
        self._path = address.path
        self._socket = self._bound(address)
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._receive, name="syslog", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Bytes of lines that were not taken."""
        with self._lock:
            return len(self._buffer)

    @property
    def ended(self) -> bool:
        """Nothing more comes."""
        with self._lock:
            return self._ended

    @property
    def received(self) -> int:
        """Datagrams that were read from the socket."""
        return self._received

    @property
    def dropped(self) -> Mapping[str, int]:
        """Datagrams lost: by the "kernel", whose receive buffer was full, and by our own "queue"."""
        return {"kernel": self._kernel_drops(), "queue": self._overflowed}

    @property
    def trouble(self) -> MissingInputError | None:
        """Why no sender that begins now can reach it: its socket file was removed or replaced."""
        if self._inode is None or self._closed or self._is_in_place():
            return None
        what = "the socket is no longer at its path, where senders look for it"
        return MissingInputError(what, where=self._where, fix="Start again, and let nothing remove it from there")

    @property
    def port(self) -> int:
        """The port that is listened on; 0 for a Unix socket."""
        name = self._socket.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def take(self, limit: int) -> bytes:
        """Whole lines that have come, at most about `limit` bytes."""
        with self._lock:
            end = len(self._buffer)
            if end > limit:
                end = self._buffer.rfind(b"\n", 0, limit) + 1 or self._buffer.find(b"\n") + 1
            data = bytes(memoryview(self._buffer)[:end])
            del self._buffer[:end]
            return data

    def stop(self) -> None:
        """Take what has come as all that comes; may be called from a signal handler."""
        if not self._closed:
            os.write(self._waker, b".")

    def close(self) -> None:
        """The socket is closed and its file gone, if it still is ours."""
        if self._closed:
            return
        self.stop()
        self._closed = True
        self._thread.join()
        self._kernel = self._kernel_drops()
        self._socket.close()
        for descriptor in (self._wake, self._waker):
            os.close(descriptor)
        if self._inode is not None and self._is_in_place():
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - a path as text, as everywhere here

    def _is_in_place(self) -> bool:
        try:
            status = os.lstat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def _bound(self, address: Address) -> socket.socket:
        family = socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in address.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0))
        try:
            _widen(found)
            if address.path:
                self._bind_path(found, address.path)
            else:
                found.bind((address.host, address.port))
        except OSError as error:
            found.close()
            why = error.strerror or "its path is too long, by bytes"  # the one error that has no number
            what = f"syslog cannot be received here: {why}"
            fix = "Take another address, or end what holds this one"
            kind = ConfigurationError if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL) else CannotWriteError
            raise kind(what, where=self._where, fix=fix) from None
        found.setblocking(False)
        return found

    def _bind_path(self, found: socket.socket, path: str) -> None:
        """Binds to a path that owner and group may write to, whatever the umask; a dead socket is replaced."""
        if _is_dead(path):
            os.unlink(path)  # noqa: PTH108 - as above
        os.fchmod(found.fileno(), 0o600)  # on Linux the file gets this mode: it never is open to others
        found.bind(path)
        status = os.lstat(path)
        self._inode = (status.st_dev, status.st_ino)
        Path(path).chmod(SOCKET_MODE)

    def _receive(self) -> None:
        room = bytearray(MAX_LINE_BYTES + 4096)
        stopped, left = False, RECEIVE_BYTES  # what can have waited at the stop; a flood goes on after it
        while True:
            ready, _, _ = select.select([self._socket.fileno(), self._wake], [], [], None)
            stopped = stopped or self._wake in ready
            lines = self._lines(room)
            with self._lock:
                for line in lines:
                    self._overflowed += not self._keeps(line)
                self._received += len(lines)
                left -= sum(map(len, lines)) if stopped else 0
                if stopped and (not lines or left <= 0 or self._closed):
                    self._ended = True
                    return

    def _lines(self, room: bytearray) -> list[bytes]:
        lines: list[bytes] = []
        with memoryview(room) as view, suppress(OSError):  # BlockingIOError: nothing more waits
            while len(lines) < _ROUND:
                size, _, _, _ = self._socket.recvmsg_into([view])
                try:
                    lines.append(line_of(bytes(view[:size])))
                except MemoryError:  # that of a whole thread, by which all that comes later was lost unsaid
                    lines.append(b"")
        return lines

    def _keeps(self, line: bytes) -> bool:
        """Whether there is room for the line, which then waits to be taken."""
        if not line or len(self._buffer) + len(line) > self._queue:
            return False
        try:
            self._buffer += line
        except MemoryError:
            return False
        return True

    def _kernel_drops(self) -> int:
        try:
            info = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
            return int(struct.unpack_from("I", info, 4 * _DROPS)[0])
        except (OSError, struct.error):  # closed, or a system that does not tell
            return self._kernel


def line_of(datagram: bytes) -> bytes:
    """The datagram's message as one line: what ends a line within it becomes NUL, so that it is counted as `binary`."""
    message = message_of(datagram.rstrip(b"\r\n\0"))[: MAX_LINE_BYTES + 2]
    return message.replace(b"\n", b"\0") + b"\n"


def _widen(found: socket.socket) -> None:
    """The receive buffer as wide as the system lets us."""
    for name in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            found.setsockopt(socket.SOL_SOCKET, name, RECEIVE_BYTES)
        except OSError:  # the first needs CAP_NET_ADMIN
            continue
        return


def _is_dead(path: str) -> bool:
    """Whether a socket is there that nobody listens on; OSError where something else is."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EADDRINUSE, "something else has this name")
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    raise OSError(errno.EADDRINUSE, "another process receives there")
