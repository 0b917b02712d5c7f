"""What one field is: raw columns, options, stored columns, treatment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from loganon.lookups import Lookups
from loganon.treatments import Treatment
from loganon.treatments.again import Again

if TYPE_CHECKING:
    from loganon.fields.options import Options


@dataclass(frozen=True, slots=True)
class Row:
    """One field: `raw` columns in order of preference, the `keys` a policy may give, what they store, and who treats.

    `columns(options)` are the stored columns; `other` is what a rare value becomes in each of them, where the field may
    have a minimum; `measure`: summed rather than grouped by. `written`: `filter` writes
    it into lines again; of other fields their lines have stand-ins. `required`: no policy without it.
    `networks(options)`: the lengths of prefix (IPv4, IPv6) of the networks that alone may stand in its column.
    `technique(options)`: how it is anonymised, in the words of RFC 6235. `again(old, new)`: from the distinct values of
    its first column as stored under `old` options to those under tighter `new` ones; None where options cannot differ.
    """

    raw: tuple[str, ...]
    keys: str
    columns: Callable[[Any], tuple[tuple[str, pa.DataType], ...]]
    make: Callable[[Any, str, Lookups], Treatment]
    other: tuple[str, ...] = ()
    measure: bool = False
    written: bool = True
    required: bool = False
    networks: Callable[[Any], tuple[int, int]] | None = None
    technique: Callable[[Any], str] = lambda _: ""
    again: Callable[[Any, Any], Again] | None = None

    @property
    def options(self) -> type[Options]:
        """What a policy may say of the field: `keys` names it in `fields.options`, which is loaded when asked for."""
        found: type[Options] = getattr(import_module("loganon.fields.options"), self.keys)
        return found


def one(name: str, kind: pa.DataType) -> Callable[[Any], tuple[tuple[str, pa.DataType], ...]]:
    """The columns of a field that has one, whatever its options."""
    return lambda _: ((name, kind),)
