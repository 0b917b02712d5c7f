"""What a line says of each raw column, out of the permitted ones: the same words for every dialect.

| raw column | written |
|---|---|
| `client` | the domain or the network, as it is stored |
| `time` | the start of its hour or day, in UTC, in the format's written form |
| `request` | `GET <file> HTTP/1.0`: method and protocol are stand-ins |
| `path` | the file |
| `agent` | `Chrome/120`: family and major version; `other`, `other-bot`; `-` for `unknown` |
| `status` | 200 for a success, else 400 |
| `bytes` | the number |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.render.rows import Lines, Part

Kept: TypeAlias = Mapping[str, tuple[str, ...]]
"""Raw column -> the table's columns that hold what is permitted of it."""


Write: TypeAlias = Callable[[pa.Array], pa.Array]
"""Writes some texts as a format does, so that none ends before its end."""


class Writer(Protocol):
    """Writes lines of one format."""

    def __call__(self, table: pa.Table, layouts: pa.Array | None = None) -> Lines:
        """The lines of a table of permitted columns; `layouts`: how each was laid out, for other than templates."""
        ...


METHOD, PROTOCOL = "GET", "HTTP/1.0"
SUCCESS, FAILURE = 200, 400
_TIMES = {"clf": "%d/%b/%Y:%H:%M:%S +0000", "iso": "%Y-%m-%dT%H:%M:%SZ"}  # chrono's: English, whatever the locale
_PER_SECOND = {"epoch_s": 1, "epoch_ms": 1000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
_CODES = pa.int32()
_GROUP, _MOST = 10_000, 2**32 - 1


@dataclass(frozen=True, slots=True)
class Text:
    """One text for each row: `values[codes]` (strings), or without codes `values`, which are whole numbers."""

    values: pa.Array
    codes: pa.Array | None

    def pieces(self, write: Write) -> list[Part | str]:
        """The text of each row as `write` writes it; it writes numbers as they are, or in quotes."""
        if self.codes is not None:
            return [Part(write(self.values), pl.Series(self.codes).cast(pl.UInt32, wrap_numerical=True))]
        before, _, after = write(pa.array(["0"]))[0].as_py().partition("0")
        return [before, *_digits(self.values), after]


def each(write: Callable[[str], str]) -> Write:
    """A callable that writes each of some texts as `write` does."""
    return lambda values: pa.array([write(value) for value in values.to_pylist()], pa.string())


def read_text(raw: str, table: pa.Table, columns: tuple[str, ...], *, time: str) -> Text:
    """What the lines say of the raw column; `time` is the format's written form of times."""
    first = table[columns[0]]
    if raw == "time":
        moments = _encoded(first)
        return Text(_strings(written_times(pl.Series(moments.dictionary), time)), moments.indices)
    if raw == "status":
        return Text(pa.array([str(FAILURE), str(SUCCESS)]), _whole(first).cast(pa.uint8()).cast(_CODES))
    if raw == "agent":
        return _agents([table[name] for name in columns])
    if pa.types.is_integer(first.type):  # nearly as many values as rows
        return Text(_whole(first), None)
    texts = _encoded(first)
    if raw == "request":
        files = pc.binary_join_element_wise(f"{METHOD} ", texts.dictionary, f" {PROTOCOL}", "")
        return Text(files, texts.indices)
    return Text(texts.dictionary, texts.indices)


def written_times(moments: pl.Series, form: str) -> pl.Series:
    """Moments (datetime[ms, UTC]) in the written form `form`, a name of `formats.TIMES` or strftime's (String).

    A form without an offset, too, is written in UTC: whoever reads it again must say so.
    """
    if form in _PER_SECOND:
        return (moments.dt.epoch("s") * _PER_SECOND[form]).cast(pl.String)
    return moments.dt.strftime(_TIMES.get(form, form))


def _agents(columns: Sequence[pa.ChunkedArray]) -> Text:
    parts = [_encoded(column) for column in columns]
    if len(parts) > 1 and not parts[0].indices.equals(parts[1].indices):
        joined = pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), "/").dictionary_encode()
        names, codes = joined.dictionary, joined.indices
    else:
        names = pc.binary_join_element_wise(*(part.dictionary for part in parts), "/")
        codes = parts[0].indices
    names = pc.utf8_rtrim(names, characters="/")
    return Text(pc.if_else(pc.equal(names, "unknown"), "-", names), codes)


def _digits(numbers: pa.Array) -> list[Part]:
    """Whole numbers, each four of their digits as a part: such are few, and the texts for them are made once."""
    least, most = pc.min_max(numbers).as_py().values()
    if least < 0 or most > _MOST:
        return [Part(numbers.cast(pa.string()), pl.int_range(len(numbers), dtype=pl.UInt32, eager=True))]
    parts: list[Part] = []
    rest = pl.Series(numbers).cast(pl.UInt32, wrap_numerical=True)
    while most >= _GROUP:
        above = rest // _GROUP
        codes = rest.zip_with(rest < _GROUP, rest - above * _GROUP + _GROUP)
        parts.insert(0, Part(_four_digits(last=not parts), codes))
        rest, most = above, most // _GROUP
    return [Part(_four_digits(last=not parts).slice(0, most + 1), rest), *parts]


@cache
def _four_digits(*, last: bool) -> pa.StringArray:
    """What is written for four digits before which there are none, then for those before which there are others."""
    alone = ["0" if last else "", *map(str, range(1, _GROUP))]
    return pa.array([*alone, *(f"{number:04}" for number in range(_GROUP))], pa.string())


def _strings(series: pl.Series) -> pa.StringArray:
    return series.to_arrow().cast(pa.string())


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = _whole(column)
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
