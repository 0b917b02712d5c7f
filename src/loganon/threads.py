"""Work on many items by a few threads, its results in order."""

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
