"""A store in an S3 bucket: no lock and no rename; docs/object-storage.md says how it works and why.

It is loaded on first use: most stores are directories.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loganon.store.s3.copying import copy_store
    from loganon.store.s3.held import S3Held
    from loganon.store.s3.store import S3Store

__all__ = ["S3Held", "S3Store", "copy_store"]

_HOMES = {"S3Held": "held", "S3Store": "store", "copy_store": "copying"}

if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
