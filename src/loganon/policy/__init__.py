"""Policies: what is kept, how it is treated, for how long, for what purpose; checked once, compared, explained."""

from loganon.policy.loading import (
    DEFAULT,
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
    "parse_policy",
]
