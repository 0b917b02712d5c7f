"""loganon in Spark: the same engine in the executors of a job; the driver alone commits, once.

`anonymize` and `rejected` give DataFrames, `write` counts a DataFrame of lines into a store, `python -m loganon.spark`
counts logs that the executors read themselves. The names are loaded on first use: PySpark is needed only then.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from loganon.errors import ConfigurationError

if TYPE_CHECKING:
    from loganon.spark.rowlevel import anonymize, rejected
    from loganon.spark.writing import write

__all__ = ["anonymize", "rejected", "write"]

_HOMES = {"anonymize": "rowlevel", "rejected": "rowlevel", "write": "writing"}


def require_pyspark() -> None:
    """ConfigurationError (78) where PySpark is not installed."""
    if find_spec("pyspark") is None:
        fix = "pip install 'loganon-access[spark]'"
        raise ConfigurationError("PySpark is not installed", where="loganon.spark", fix=fix)


if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require_pyspark()
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
