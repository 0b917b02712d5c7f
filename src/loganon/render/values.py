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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Kept: TypeAlias = Mapping[str, tuple[str, ...]]
"""Raw column -> the table's columns that hold what is permitted of it."""


class Writer(Protocol):
    """Writes lines of one format."""

    def __call__(self, table: pa.Table, layouts: pa.Array | None = None) -> bytes:
        """The lines of a table of permitted columns; `layouts`: how each was laid out, for other than templates."""
        ...


METHOD, PROTOCOL = "GET", "HTTP/1.0"
SUCCESS, FAILURE = 200, 400
_TIMES = {"clf": "%d/%b/%Y:%H:%M:%S +0000", "iso": "%Y-%m-%dT%H:%M:%SZ"}  # chrono's: English, whatever the locale
_PER_SECOND = {"epoch_s": 1, "epoch_ms": 1000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
_CODES = pa.int32()


@dataclass(frozen=True, slots=True)
class Text:
    """One text for each row: `values[codes]`, or without codes `values`, which are numbers. None is null."""

    values: pl.Series
    codes: pa.Array | None

    def written(self, write: Callable[[str], str]) -> pl.Series:
        """The values as `write` writes each of them; numbers, which it writes as they are or in quotes, at once."""
        if self.codes is not None:
            return pl.Series([write(value) for value in self.values], dtype=pl.String)
        before, _, after = write("0").partition("0")
        return before + self.values + after

    def rows(self, values: pl.Series) -> pa.Array:
        """The text of each row, where `values` stand for this text's."""
        texts = values.to_arrow().cast(pa.string())
        return texts if self.codes is None else texts.take(self.codes)


def read_text(raw: str, table: pa.Table, columns: tuple[str, ...], *, time: str) -> Text:
    """What the lines say of the raw column; `time` is the format's written form of times."""
    first = table[columns[0]]
    if raw == "time":
        return _mapped(first, lambda moments: written_times(moments, time))
    if raw == "status":
        codes = pc.if_else(_whole(first), pa.scalar(0, _CODES), pa.scalar(1, _CODES))
        return Text(pl.Series([str(SUCCESS), str(FAILURE)]), codes)
    if raw == "agent":
        return _agents([table[name] for name in columns])
    if pa.types.is_integer(first.type):  # nearly as many values as rows
        return Text(pl.Series(_whole(first).cast(pa.string())), None)
    if raw == "request":
        return _mapped(first, lambda files: f"{METHOD} " + files.cast(pl.String) + f" {PROTOCOL}")
    return _mapped(first, lambda values: values.cast(pl.String))


def written_times(moments: pl.Series, form: str) -> pl.Series:
    """Moments (datetime[ms, UTC]) in the written form `form`, a name of `formats.TIMES` or strftime's (String).

    A form without an offset, too, is written in UTC: whoever reads it again must say so.
    """
    if form in _PER_SECOND:
        return (moments.dt.epoch("s") * _PER_SECOND[form]).cast(pl.String)
    return moments.dt.strftime(_TIMES.get(form, form))


def _agents(columns: list[pa.ChunkedArray]) -> Text:
    parts = [_encoded(column) for column in columns]
    if len(parts) > 1 and not parts[0].indices.equals(parts[1].indices):
        joined = pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), "/").dictionary_encode()
        names = pl.Series(joined.dictionary).str.strip_suffix("/")
        codes = joined.indices
    else:
        names = pl.Series(parts[0].dictionary)
        codes = parts[0].indices
        if len(parts) > 1:
            names = (names + "/" + pl.Series(parts[1].dictionary)).str.strip_suffix("/")
    return Text(names.replace({"unknown": "-"}), codes)


def _mapped(column: pa.ChunkedArray, text: Callable[[pl.Series], pl.Series]) -> Text:
    encoded = _encoded(column)
    return Text(text(pl.Series(encoded.dictionary)), encoded.indices)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = _whole(column)
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
