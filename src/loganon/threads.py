"""Work beside the caller's: many items by a few threads, results in order; or one piece at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def in_order(work: Callable[[_Item], _Found], items: Iterable[_Item], *, threads: int = 2) -> Iterator[_Found]:
    """What `work` gives of each item, in their order.

    The items are taken by the thread that takes the results, `threads` ahead of it; what was taken in vain, where the
    results are no longer asked for, is not begun.
    """
    waiting: deque[Future[_Found]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="in-order") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


class Aside:
    """One piece of work at a time, in a thread beside its user's, which is the same until `close`.

    A thread that begins has no memory of its own yet: of a commit 5,000 pages more were touched for the first time.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """`work` is under way; what was before it has ended: see `settle`."""
        self.settle()
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._under_way = self._pool.submit(work)

    def settle(self) -> None:
        """Nothing is under way any more. What the work raised is raised here, once."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def close(self) -> None:
        """As `settle`, and no thread is left."""
        pool, self._pool = self._pool, None
        try:
            self.settle()
        finally:
            if pool is not None:
                pool.shutdown()
