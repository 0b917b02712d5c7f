"""A process that dies at one of its operations on files, without being one: thousands of crashes in little time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

OPERATIONS = ("write", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate", "link", "posix_fallocate")


class Died(BaseException):
    """The process is gone: nothing in the code may catch this."""


@contextmanager
def dying(at: int | None) -> Iterator[list[str]]:
    """A block whose `at`th operation on files, and every one after it, raises Died; the operations that it made.

    An fsync does nothing: that is for the power cuts.
    """
    made: list[str] = []

    def instead(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            if at is not None and len(made) >= at:
                raise Died
            made.append(name)
            return None if name == "fsync" else real(*arguments, **options)

        return operation

    changes = {name: instead(name, getattr(os, name)) for name in OPERATIONS if hasattr(os, name)}
    with ExitStack() as place:
        for name, operation in changes.items():
            place.enter_context(mock.patch.object(os, name, operation))
        yield made
