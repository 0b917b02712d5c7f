"""loganon: keeps of an access log what a written policy permits, counts it, and deletes it on time.

The public interface is what `__all__` names; it is loaded on first use, so that the command starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import loganon.forking  # noqa: F401 - what is forked from now on is known to be

if TYPE_CHECKING:
    from loganon.api import Result, anonymize, batches, run, scan, sealed_through
    from loganon.errors import LoganonError
    from loganon.policy import Policy, load_policy
    from loganon.summary import Summary

__version__ = "0.1.0"
__all__ = [
    "LoganonError",
    "Policy",
    "Result",
    "Summary",
    "__version__",
    "anonymize",
    "batches",
    "load_policy",
    "run",
    "scan",
    "sealed_through",
]

_HOMES = {
    "LoganonError": "errors",
    "Policy": "policy",
    "Result": "api",
    "Summary": "summary",
    "anonymize": "api",
    "batches": "api",
    "load_policy": "policy",
    "run": "api",
    "scan": "api",
    "sealed_through": "api",
}


if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
