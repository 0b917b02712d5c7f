"""Process-wide protection of the command: no core file, no reading by other processes, files for the owner only."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Umask 077, no core dumps (`RLIMIT_CORE` 0 and, on Linux, `PR_SET_DUMPABLE` 0)."""
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
