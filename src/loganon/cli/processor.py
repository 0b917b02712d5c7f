"""Whether polars runs on this processor: asked before it is imported, which would end in an illegal instruction.

polars asks the processor itself, by machine code that it writes into memory; services that forbid executable memory
(`MemoryDenyWriteExecute`) refuse that. Linux lists what a processor can do in a file.
"""

from __future__ import annotations

import os
import platform
from importlib import import_module
from pathlib import Path

from loganon.errors import ConfigurationError

CPUINFO = Path("/proc/cpuinfo")
_RUNTIMES = (
    "_polars_runtime_compat",
    "_polars_runtime_64",
    "_polars_runtime_32",
)  # polars takes the first that is there
_AS_LISTED = {"sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "cmpxchg16b": "cx16", "lzcnt": "abm"}


def check_processor() -> None:
    """ConfigurationError (78) where the processor lacks what the installed polars was built for.

    Where the system tells (Linux on x86-64), polars is told not to ask again.
    """
    if platform.machine() != "x86_64" or not (listed := _listed()):
        return
    lacking = [name for name in _wanted() if _AS_LISTED.get(name, name) not in listed]
    if lacking:
        raise ConfigurationError(
            f"this processor lacks {', '.join(lacking)}, which the installed polars needs",
            where=str(CPUINFO),
            fix="Install the build of polars for older processors: pip install 'polars[rtcompat]'",
        )
    os.environ["POLARS_SKIP_CPU_CHECK"] = "1"


def _listed() -> frozenset[str]:
    """What the first processor can do, in Linux's names; empty where the system does not tell."""
    try:
        text = CPUINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def _wanted() -> list[str]:
    """What the installed polars was built for, in its compiler's names."""
    for name in _RUNTIMES:
        try:
            flags = str(import_module(name).BUILD_FEATURE_FLAGS)
        except (ImportError, AttributeError):
            continue
        return [flag.removeprefix("+") for flag in flags.split(",") if flag.startswith("+") and flag != "+crt-static"]
    return []
