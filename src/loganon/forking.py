"""Whether this process was forked while threads were at work that a child does not have.

polars and the S3 client keep pools of threads. A child that `fork` makes has the pools and none of their threads: the
first call that needs one would wait for ever. What was only imported before the fork does no harm.

It is loaded with the package, whatever is used of it, and so imports next to nothing.
"""

from __future__ import annotations

import os

from loganon.errors import ConfigurationError

_TASKS = "/proc/self/task"
_POOLS = ("tokio-", "async-executor")  # of the S3 client; polars has such, too


class _Forks:
    """What is known of the forks that made this process: `pools` of its parent are `lost` here."""

    def __init__(self) -> None:
        self.pools = False
        self.lost = False
        self.used = False

    def before(self) -> None:
        """A fork follows."""
        self.pools = self.lost or _has_pools(used=self.used)

    def in_child(self) -> None:
        """A fork has made this process."""
        self.lost = self.pools
        self.used = False


def _has_pools(*, used: bool) -> bool:
    """Whether this process has threads of a pool; where threads have no names (macOS), whether it was `used`."""
    try:
        names = [_name(task) for task in os.listdir(_TASKS)]  # noqa: PTH208 - pathlib is not loaded for this
    except OSError:
        return used
    return any(map(_is_pool, names))


def _name(task: str) -> str:
    try:
        with open(f"{_TASKS}/{task}/comm", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
            return file.read().strip()
    except OSError:  # it has ended
        return ""


def _is_pool(name: str) -> bool:
    """`polars-0` is of the pool; `polars-ooc-clea` begins with the import, and nothing waits for it."""
    return name.startswith(_POOLS) or (name.startswith("polars-") and name[7:].isdigit())


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forks.before, after_in_child=_forks.in_child)


def require_threads() -> None:
    """Nothing where the pools of threads can be used; ConfigurationError in a child that has lost them."""
    if _forks.lost:
        raise ConfigurationError(
            "this process was forked after polars was used, and has none of its threads",
            where=f"process {os.getpid()}",
            fix='Start workers by multiprocessing.get_context("spawn") or "forkserver", or fork before the first use',
        )
    _forks.used = True
