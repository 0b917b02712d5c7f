"""Room on the disk that is given up when the cutoff must rise and no other is left: deletion waits for no disk."""

from __future__ import annotations

import secrets
from contextlib import suppress

from loganon.store.files import PRIVATE, Files, put
from loganon.store.layout import Layout

SIZE = 256 * 1024
_NO_TEXT = bytes(number | 128 for number in range(256))


class Reserve:
    """`_loganon/reserve` of one store; only under its lock."""

    def __init__(self, files: Files, layout: Layout) -> None:
        self._files = files
        self._layout = layout

    def keep(self) -> None:
        """The reserve exists, if there is room for it.

        Its bytes are random, so that no file system stores them as nothing, and none is a character of ASCII, so that
        they spell nothing.
        """
        if self._layout.reserve.exists():
            return
        waiting = self._layout.staging / f"{secrets.token_hex(16)}-reserve"
        try:
            put(self._files, waiting, secrets.token_bytes(SIZE).translate(_NO_TEXT), PRIVATE)
            self._files.rename(waiting, self._layout.reserve)
            self._files.sync_directory(self._layout.private)
        except OSError:  # the next holder of the lock tries again
            with suppress(OSError):
                self._files.unlink(waiting)

    def release(self) -> None:
        """Its room is free."""
        with suppress(FileNotFoundError):
            self._files.unlink(self._layout.reserve)
            self._files.sync_directory(self._layout.private)
