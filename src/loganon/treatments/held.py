"""A treatment that remembers: a value that comes again has the answer that it had.

The values are numbered as they come, by the engine's own table of strings; their answers, which are few, too. So a
value that is held costs one look-up, and the answers of a chunk are a dictionary without a text being compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.masks import sure

MOST_VALUES = 400_000
MOST_BYTES = 8 << 20
"""What is held at most, by count and by length of the values; all of it is dropped when there is more."""

UNHELD = 32
"""So many chunks are answered without holding anything, after what was dropped had helped few: a flood goes on."""

_TRUE = pl.Series([True])


class Held:
    """`held(raw)` -> one String series, `held.coded(raw)` -> the same as a dictionary, each distinct answer once.

    `read`: what of the raw values (null: no valid UTF-8) the answers depend on, as String, perhaps equal for many.
    `answer`: the answers to distinct ones of these, none null. `none`: the answer where `read` gives null. `each`:
    asking for the value of each row is cheaper than finding the distinct ones first. Neither repr nor pickle shows what
    is held.
    """

    __slots__ = (
        *("_answer", "_answers", "_asked", "_bytes", "_codes", "_name", "_none", "_numbers", "_read", "_texts"),
        *("_unheld", "each"),
    )
    _asked: int
    _bytes: int
    _codes: pa.Array
    _texts: pa.Array

    def __init__(
        self,
        name: str,
        read: Callable[[pl.Series], pl.Series],
        answer: Callable[[pl.Series], Iterable[str]],
        none: str,
        *,
        each: bool = False,
    ) -> None:
        self._name = name
        self.each = each
        self._read = read
        self._answer = answer
        self._none = none
        self._unheld = 0
        self._clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def __reduce__(self) -> str:
        raise TypeError("a treatment holds raw values and is never pickled")

    def __len__(self) -> int:
        """How many values are held."""
        return len(self._codes)

    def __call__(self, raw: pl.Series) -> tuple[pl.Series, ...]:
        """The answers."""
        return (pl.Series(self._name, self.coded(raw)[0].cast(pa.string()), dtype=pl.String),)

    def coded(self, raw: pl.Series) -> tuple[pa.DictionaryArray, ...]:
        """The answers as a dictionary."""
        values = self._read(raw)
        if len(self) + len(values) > MOST_VALUES:
            self._drop()
        if self._unheld:
            self._unheld -= 1
            return (self._anew(values),)
        self._asked += len(values)
        numbers, new = self._numbers(values)
        if new is None or not self._add(new):
            return (self._anew(values),)
        codes = self._codes.take(numbers.to_arrow())
        few = codes.fill_null(0).dictionary_encode()
        answer = pa.DictionaryArray.from_arrays(few.indices, self._texts.take(few.dictionary))
        if len(self) > MOST_VALUES or self._bytes > MOST_BYTES:
            self._drop()
        return (answer,)

    def _drop(self) -> None:
        """Hold nothing; and no more for a while, if of eight values that were asked for not one was held."""
        self._unheld = UNHELD if len(self) * 8 > self._asked * 7 else 0
        self._clear()

    def _anew(self, values: pl.Series) -> pa.DictionaryArray:
        """The answers of values that are not numbered as they come; nothing is held."""
        self._clear()
        if self.each:  # answers are dear: each distinct value's once
            rows = _strings(values).dictionary_encode(null_encoding="encode")
            answers = self._anew_of(pl.Series(rows.dictionary))
            return pa.DictionaryArray.from_arrays(answers.indices.take(rows.indices), answers.dictionary)
        return self._anew_of(values)

    def _anew_of(self, values: pl.Series) -> pa.DictionaryArray:
        fresh = self._fresh(values.fill_null(""))
        if values.null_count():
            fresh = fresh.set(values.is_null(), self._none)
        return _strings(fresh).dictionary_encode()

    def _add(self, new: pl.Series) -> bool:
        """Hold new values, which are distinct, and their answers; False where these are not numbered as they come."""
        if not len(new):
            return True
        codes, texts = self._answers(self._fresh(new))
        if texts is None:
            return False
        self._codes = pa.concat_arrays([self._codes, pc.add(codes.to_arrow(), pa.scalar(1, pa.uint32()))])
        self._texts = pa.concat_arrays([self._texts, _strings(texts)])
        self._bytes += int(new.str.len_bytes().sum())
        return True

    def _fresh(self, values: pl.Series) -> pl.Series:
        return pl.Series(self._answer(values), dtype=pl.String)

    def _clear(self) -> None:
        """Hold nothing; the first answer is that to no value."""
        self._numbers, self._answers = Numbers(), Numbers()
        self._codes = pa.array([], pa.uint32())
        self._texts = pa.array([self._none], pa.string())
        self._asked = self._bytes = 0


class Numbers:
    """`numbers(values)` -> the number of each value, null for null, and the distinct values that are new, in order.

    These have the next numbers. None instead of them where the engine has numbered them otherwise: then nothing holds.
    """

    __slots__ = ("_alive", "_kind", "_known")

    def __init__(self) -> None:
        self._kind = pl.Categorical(pl.Categories.random("held"))
        self._alive = pl.Series([], dtype=self._kind)  # the table lasts as long as something is of its kind
        self._known = 0

    def __call__(self, values: pl.Series) -> tuple[pl.Series, pl.Series | None]:
        """The numbers, and what is new."""
        numbers = values.cast(self._kind).to_physical()
        new = sure(numbers >= self._known)
        if not new.any():
            return numbers, values.head(0)
        coming = numbers.filter(new)
        until = coming.cum_max()
        first = pl.concat([_TRUE, coming.slice(1) > until.head(len(until) - 1)])
        count = int(first.sum())
        if not coming.filter(first).equals(pl.int_range(self._known, self._known + count, dtype=pl.UInt32, eager=True)):
            return numbers, None
        self._known += count
        return numbers, values.filter(new).filter(first)


def _strings(series: pl.Series) -> pa.Array:
    return series.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
