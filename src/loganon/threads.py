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
    """One piece of work at a time, in a thread beside its user's."""

    def __init__(self) -> None:
        self._under_way: tuple[ThreadPoolExecutor, Future[None]] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """`work` is under way; what was before it has ended: see `settle`."""
        self.settle()
        pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._under_way = pool, pool.submit(work)

    def settle(self) -> None:
        """Nothing is under way any more, and no thread left. What the work raised is raised here, once."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            pool, future = under_way
            with pool:
                future.result()
