"""The command as a process of its own: what holds for a whole interpreter is set here, and nowhere else."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from loganon import cli

_GENERATIONS = (100_000, 50, 1000)
"""Objects until a pass of the garbage collector: each of the last generation goes over all modules again."""


class _WithoutPandas(MetaPathFinder):
    """Nothing here uses pandas, but pyarrow imports it with its first array where it is installed: in 0.3 s."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        """Nothing for any module but pandas, which is not there."""
        if fullname == "pandas":
            raise ModuleNotFoundError("loganon does without pandas", name=fullname)
        return None


def main() -> None:
    """Run the command and exit."""
    gc.set_threshold(*_GENERATIONS)
    sys.meta_path.insert(0, _WithoutPandas())
    cli.main()
