"""The last check before anything leaves memory: exactly the schema, and nothing shaped like an address or an e-mail.

It holds whatever the treatments before it did (PRIVACY.md, section 5): it looks at every distinct value of every string
column, percent-decoded too, and knows nothing of how the values came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.errors import LoganonError
from loganon.shapes import personal

REDACTED = "{redacted}"
_REMEMBERED_BYTES = 4 << 20


class GateError(LoganonError):
    """A table has not the columns, types or values of its schema: a defect of loganon, never of a log."""


def check(
    table: pa.Table,
    schema: pa.Schema,
    *,
    networks: Mapping[str, tuple[int, int]] | None = None,
    clean: dict[str, pa.Array] | None = None,
) -> tuple[pa.Table, int]:
    """The table with each address- or e-mail-shaped value as `{redacted}`, and the number of rows in which one stood.

    A column is of its schema's type, or a dictionary of it, and stays as it is encoded. `networks`: columns in which a
    network of exactly the given lengths of prefix (IPv4, IPv6), with no bit set behind it, may stand. `clean`: values
    in which nothing was found before, by column with networks; those of the table are added. Raises GateError, without
    any value, where the table is not of the schema.
    """
    _require(table, schema)
    networks = networks or {}
    texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    others = [table[name] for name in texts if name not in networks]
    closer = texts if others and _suspected(others) else [name for name in texts if name in networks]
    hit = None
    for name in closer:
        index = schema.get_field_index(name)
        column, hits = _redacted(table.column(index), _Question(name, networks, clean))
        if hits is not None:
            table = table.set_column(index, name, column)
            hit = hits if hit is None else pc.or_(hit, hits)
    return table, 0 if hit is None else pc.sum(hit).as_py()


class Gate:
    """`gate(table)` -> what `check` gives; it remembers networks in which nothing else was found.

    What `check` says of a value depends on nothing but that value, the column's type and `networks`. Only what may be a
    network is looked at one by one, so that remembering is worth it: at most 4 MiB of values of a column.
    """

    def __init__(self, schema: pa.Schema, *, networks: Mapping[str, tuple[int, int]] | None = None) -> None:
        self._schema = schema
        self._networks = networks
        self._clean: dict[str, pa.Array] = {}

    def __call__(self, table: pa.Table) -> tuple[pa.Table, int]:
        """The table, and the rows in which a value was replaced."""
        return check(table, self._schema, networks=self._networks, clean=self._clean)


def _require(table: pa.Table, schema: pa.Schema) -> None:
    if table.column_names != schema.names:
        raise GateError("A table has other columns than its schema", fix="Report this as a defect of loganon")
    for field, column in zip(schema, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if kind != field.type or column.null_count or (pa.types.is_dictionary(column.type) and _null_inside(column)):
            raise GateError(
                "A column has another type than its schema, or nulls",
                where=f"column {field.name}",
                fix="Report this as a defect of loganon",
            )


def _null_inside(column: pa.ChunkedArray) -> bool:
    return any(chunk.dictionary.null_count for chunk in column.chunks)


class _Question:
    """`question(values)` -> which of a column's distinct values must not stand."""

    def __init__(self, name: str, networks: Mapping[str, tuple[int, int]], clean: dict[str, pa.Array] | None) -> None:
        self._name = name
        self._allowed = networks.get(name)
        self._clean = clean

    def __call__(self, values: pa.Array) -> pa.Array:
        if self._clean is None or self._allowed is None:
            return _bad(pl.Series(values).cast(pl.String), self._allowed).to_arrow()
        known = self._clean.get(self._name, pa.array([], values.type))
        new = pc.invert(pc.is_in(values, value_set=known))
        if not new.true_count:
            return new
        asked = values.filter(new)
        bad = _bad(pl.Series(asked).cast(pl.String), self._allowed).to_arrow()
        good = asked.filter(pc.invert(bad))
        if known.nbytes + good.nbytes > _REMEMBERED_BYTES:
            known = pa.array([], values.type)
        if good.nbytes <= _REMEMBERED_BYTES:
            self._clean[self._name] = pa.concat_arrays([known, good])
        return pc.replace_with_mask(new, new, bad)


def _suspected(columns: Sequence[pa.ChunkedArray]) -> bool:
    """Whether any value in these columns must not stand: usually none, and then one look at all of them is enough."""
    values = [pl.Series(_distinct(chunk)).cast(pl.String) for column in columns for chunk in column.chunks]
    return bool(values) and bool(personal(pl.concat(values)).any())


def _distinct(values: pa.Array) -> pa.Array:
    return values.dictionary if pa.types.is_dictionary(values.type) else values.unique()


def _redacted(column: pa.ChunkedArray, question: _Question) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """The column, and which of its rows were replaced (None: none)."""
    chunks, hits, found = [], [], False
    for chunk in column.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        mask = question(encoded.dictionary)
        if not mask.true_count:
            chunks.append(chunk)
            hits.append(pa.repeat(pa.scalar(value=False), len(chunk)))
            continue
        found = True
        clean = pc.if_else(mask, pa.scalar(REDACTED, encoded.dictionary.type), encoded.dictionary)
        replaced = pa.DictionaryArray.from_arrays(encoded.indices, clean)
        chunks.append(replaced if pa.types.is_dictionary(chunk.type) else replaced.cast(chunk.type))
        hits.append(mask.take(encoded.indices))
    return pa.chunked_array(chunks, column.type), pa.chunked_array(hits) if found else None


def _bad(values: pl.Series, allowed: tuple[int, int] | None) -> pl.Series:
    bad = personal(values)
    if allowed is None or not bad.any():
        return bad
    places = bad.arg_true()
    still = [not _is_network(value, allowed) for value in values.gather(places)]
    return bad.clone().scatter(places, pl.Series(still, dtype=pl.Boolean))


def _is_network(value: str, allowed: tuple[int, int]) -> bool:
    try:
        network = ip_network(value, strict=True)
    except ValueError:
        return False
    return network.prefixlen == allowed[network.version == 6] and value == str(network)
