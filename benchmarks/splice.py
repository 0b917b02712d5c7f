"""`kernel.c` in the parser's place, with all that is behind it as it is: treatments, gate, store, writers.

What a compiled kernel would bring, measured by `kernel.py`. No part of loganon. A value is treated when the kernel
numbers it for the first time; rows carry the numbers. Nothing is bounded, and the first odd line ends it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from ctypes import CDLL, byref, c_char_p, c_int, c_long, c_void_p
from typing import Any

import polars as pl
import pyarrow as pa

from loganon import pipeline
from loganon.chunks import Chunk, Window
from loganon.parse import Parsed, ParseState
from loganon.treatments.held import Held

TEXTS = ("client", "request", "agent")  # in the kernel's order
KINDS = {
    "time": (pa.timestamp("ms", "UTC"), 8),
    **dict.fromkeys(TEXTS, (pa.int32(), 4)),
    "status": (pa.int16(), 2),
    "bytes": (pa.int64(), 8),
}
"""The columns in the order in which the kernel takes them, with their bytes a row."""
SHORTEST_LINE = 60


def splice(library: str, user: Any) -> None:
    """The pipelines that the module `user` builds have the kernel as their parser."""
    kernel, build = _load(library), user.build
    user.build = lambda *given, **named: Spliced(kernel, build(*given, **named))


def _load(path: str) -> CDLL:
    kernel = CDLL(path)
    kernel.kernel_new.restype = c_void_p
    kernel.kernel_cut.restype = kernel.kernel_new_texts.restype = c_long
    kernel.kernel_cut.argtypes = [c_void_p, c_char_p, c_long, *[c_void_p] * 7]
    kernel.kernel_new_texts.argtypes = [c_void_p, c_int, c_void_p]
    kernel.kernel_tell.argtypes = [c_void_p, c_int, c_void_p, c_void_p]
    return kernel


class Spliced:
    """Stands for `pipeline`: what is parsed is cut and numbered by the kernel, and treated value by value."""

    def __init__(self, kernel: CDLL, whole: pipeline.Pipeline) -> None:
        self._kernel, self._state = kernel, kernel.kernel_new()
        self._whole = whole
        self._waiting: deque[Mapping[str, pa.Array]] = deque()
        self._new: Mapping[str, pa.Array] = {}
        self._answers: dict[tuple[str, ...], Answers] = {}
        self._plainly = pipeline._apply
        pipeline._apply = self._apply

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """As the pipeline's."""
        return self._whole.kept

    def parse(self, chunk: Chunk, state: ParseState = ()) -> Parsed:
        """The chunk's rows, texts as numbers; the texts that are new wait for `treat`."""
        most, odd = len(chunk.data) // SHORTEST_LINE + 1, c_long(0)
        buffers = [pa.allocate_buffer(most * width) for _, width in KINDS.values()]
        places = [buffer.address for buffer in buffers]
        rows = self._kernel.kernel_cut(self._state, chunk.data, len(chunk.data), *places, byref(odd))
        if odd.value:
            raise SystemExit(f"{odd.value} odd lines: give a log that benchmarks/generate.py has made")
        columns = {
            name: pa.Array.from_buffers(kind, rows, [None, buffer])
            for (name, (kind, _)), buffer in zip(KINDS.items(), buffers, strict=True)
        }
        self._waiting.append({name: self._told(place) for place, name in enumerate(TEXTS)})
        return Parsed(columns, rows, rows, {}, (), state, 0)

    def treat(self, parsed: Parsed, window: Window) -> pipeline.Result:
        """As the pipeline's; chunks come in the order in which they were parsed."""
        self._new = self._waiting.popleft()
        return self._whole.treat(parsed, window)

    def _told(self, which: int) -> pa.Array:
        """The texts that have got a number since the last time."""
        size = c_long(0)
        count = self._kernel.kernel_new_texts(self._state, which, byref(size))
        offsets, data = pa.allocate_buffer(4 * (count + 1)), pa.allocate_buffer(size.value)
        self._kernel.kernel_tell(self._state, which, offsets.address, data.address)
        return pa.Array.from_buffers(pa.string(), count, [None, offsets, data])

    def _apply(self, step: Any, columns: Mapping[str, pa.Array], rows: int) -> dict[str, pa.Array]:
        if step.raw not in TEXTS:
            return self._plainly(step, columns, rows)
        answers = self._answers.setdefault(step.columns, Answers(step.columns))
        answers.add(step.treat, self._new[step.raw])
        return answers.of(columns[step.raw])


class Answers:
    """What became of a column's values, by their numbers."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._codes = pa.array([], pa.int32())
        self._places: dict[tuple[str, ...], int] = {}

    def add(self, treat: Any, values: pa.Array) -> None:
        """The values with the next numbers are treated."""
        if not len(values):
            return
        series = pl.Series(values)
        found = treat.coded(series) if isinstance(treat, Held) else [pipeline._strings(each) for each in treat(series)]
        texts = [each.cast(pa.string()) for each in found]
        codes, first = pipeline._distinct(texts)
        answers = zip(*(each.take(first).to_pylist() for each in texts), strict=True)
        places = pa.array([self._places.setdefault(each, len(self._places)) for each in answers], pa.int32())
        self._codes = pa.concat_arrays([self._codes, places.take(codes)])

    def of(self, numbers: pa.Array) -> dict[str, pa.Array]:
        """The stored columns of rows whose values have these numbers."""
        few = self._codes.take(numbers).dictionary_encode()
        answers = list(self._places)
        used = [answers[place] for place in few.dictionary.to_pylist()]
        return {
            name: pa.DictionaryArray.from_arrays(few.indices, pa.array([each[at] for each in used], pa.string()))
            for at, name in enumerate(self._names)
        }
