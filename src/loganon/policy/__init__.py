"""Policies: what is kept, how it is treated, for how long, for what purpose; checked once, compared, explained.

What judges a policy is loaded on first use: a run under a bundled one, which is ready, needs nothing of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from loganon.policy.ready import DEFAULT, open_frozen, open_policy

if TYPE_CHECKING:
    from loganon.policy.loading import (
        PolicyError,
        bundled,
        from_canonical,
        load_policy,
        named_policy,
        parse_policy,
    )
    from loganon.policy.model import Policy

__all__ = [
    "DEFAULT",
    "Policy",
    "PolicyError",
    "bundled",
    "from_canonical",
    "load_policy",
    "named_policy",
    "open_frozen",
    "open_policy",
    "parse_policy",
]

if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.loading"), name)
