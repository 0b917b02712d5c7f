"""What the libraries import and no command uses, left out of the process: a fifth of the time until a run begins.

Of some the libraries ask whether they are installed: they are not. Of others they take names, which are given to them
as `Unused`: whoever uses one is told so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

_NOT_INSTALLED = frozenset(
    {
        "numpy",
        "pandas",
        "pyarrow._azurefs",
        "pyarrow._gcsfs",
        "pyarrow._hdfs",
        "pyarrow._s3fs",
        "yaml",
    }
)
"""pyarrow imports the first two where they are installed, in 0.15 and 0.3 s, and its own clients of object stores in
0.01 s; ua-parser the last, in 0.02 s."""

_STAND_INS = frozenset(
    {
        "polars.catalog.unity",
        "polars.io.database",
        "polars.io.delta",
        "polars.io.iceberg",
        "polars.io.lance",
        "pyarrow.vendored.docscrape",
    }
)
"""A quarter of polars' import is for sources that are not read here; half of that of pyarrow.compute is for docs."""


class Unused(type):
    """The type of what stands for a name of such a module: it can be imported and looked at, and makes nothing."""

    def __call__(cls, *_values: object, **_named: object) -> Any:
        """Nobody gets one, except for the documentation of pyarrow's functions: that is without parameters."""
        if cls.__module__ == "pyarrow.vendored.docscrape":
            return {"Parameters": ()}
        raise ModuleNotFoundError(f"loganon does without {cls.__module__}", name=cls.__module__)


class _StandIn(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        found = Unused(name, (), {"__module__": self.__name__})
        setattr(self, name, found)
        return found


class WithoutUnused:
    """A finder that finds nothing of the first kind, stand-ins for the second, and leaves the rest to the others."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        """The spec of a stand-in; None for a module that is not meant."""
        if fullname in _NOT_INSTALLED:
            raise ModuleNotFoundError(f"loganon does without {fullname}", name=fullname)
        if fullname in _STAND_INS or fullname.rpartition(".")[0] in _STAND_INS:
            return ModuleSpec(fullname, cast("Any", self), is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The stand-in."""
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It is as it was made."""


def leave_out_unused() -> None:
    """From now on this process imports none of it."""
    sys.meta_path.insert(0, WithoutUnused())
