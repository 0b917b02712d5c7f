"""Work on many cells by two threads, its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_THREADS = 2


def in_order(work: Callable[[_Item], _Found], items: Iterable[_Item]) -> Iterator[_Found]:
    """What `work` gives of each item, in their order; it must touch no file, which is its caller's alone.

    The items are taken by the thread that takes the results, so few ahead that they cost no more memory than three
    cells.
    """
    waiting: deque[Future[_Found]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="cells") as threads:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) > _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
