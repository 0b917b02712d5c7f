"""What a delimited or JSON lines format says of its lines: where each raw column stands, and how it is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

DELIMITERS = ("blank", "tab", "comma")
HEADERS = ("fields", "row")
DECODINGS = ("plus", "percent_twice", "escapes")
RAW = (
    "time", "client", "path", "request", "status", "bytes", "agent", "host", "referrer", "method", "protocol",
    "duration_s", "duration_ms", "duration_us", "duration_ns", "cookie", "dnt", "gpc",
    "forwarded",
)  # fmt: skip
"""The raw columns: what of an access a field of a policy, or its consent, can be made from."""
FORWARDED = "forwarded"
LISTS = (FORWARDED, *(f"{FORWARDED}.{number}" for number in range(1, 8)))
"""The raw columns of `X-Forwarded-For` and `Forwarded`: personal, and read for nothing else than the client. Of several
the first is preferred; each other is read where those before it are missing.
"""
KEYS = {
    "delimited": frozenset({"columns", "delimiter", "quotes", "header", "fields", "requires", "decode", "zone"}),
    "jsonlines": frozenset({"keys", "requires", "decode", "zone"}),
}
"""The keys of a format file that only these dialects know."""

Names = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a line's raw columns stand.

    `names`: for each raw column the names of the log's own columns or keys, the preferred first; two names joined by a
    space, for `time`, are a date and a time of day. `decode`: how a raw column is written besides. `utc`: times without
    an offset are in UTC. For delimited lines: `delimiter`: "blank" is a tab in lines that have one, else spaces;
    `quotes`: values may stand in quotes; `header`: "fields" (`#Fields:` lines) or "row" (the names in a first line);
    `fields`: the columns of a log without header; `requires`: names of which a header has one each (`a|b`) if the
    format is to be detected. For JSON lines `requires` are the raw columns that a line must have.
    """

    names: Names
    requires: tuple[tuple[str, ...], ...] = ()
    decode: tuple[tuple[str, str], ...] = ()
    utc: bool = False
    delimiter: str = "blank"
    quotes: bool = False
    header: str = "fields"
    fields: tuple[str, ...] = field(default=(), repr=False)


def parse_columns(dialect: str, data: Mapping[str, object]) -> Columns:
    """The columns that a format file's `data` describe; ValueError says what is wrong in it."""
    table = "columns" if dialect == "delimited" else "keys"
    names = _names(data.get(table), table)
    if "time" not in dict(names):
        raise ValueError(f"[{table}] must name 'time'")
    _known(dict(names), RAW, table)
    decode = data.get("decode", {})
    if not isinstance(decode, Mapping) or any(how not in DECODINGS for how in decode.values()):
        raise ValueError(f"each value of [decode] must be one of {', '.join(DECODINGS)}")
    for key, allowed in (("delimiter", DELIMITERS), ("header", HEADERS), ("zone", ("utc",))):
        if key in data and data[key] not in allowed:
            raise ValueError(f"{key!r} must be one of {', '.join(allowed)}")
    if data.get("header") == "row" and data.get("delimiter") != "comma":
        raise ValueError("a header that is a 'row' needs 'comma' as delimiter")
    _known(decode, dict(names), "decode")
    requires = tuple(tuple(text.split("|")) for text in _texts(data.get("requires", ()), "requires"))
    if dialect == "jsonlines":
        _known((name for each in requires for name in each), dict(names), "requires")
    return Columns(
        names=names,
        requires=requires,
        decode=tuple((str(raw), str(how)) for raw, how in decode.items()),
        utc=data.get("zone") == "utc",
        delimiter=str(data.get("delimiter", "blank")),
        quotes=bool(data.get("quotes", False)),
        header=str(data.get("header", "fields")),
        fields=_texts(data.get("fields", ()), "fields"),
    )


def spread(columns: Columns) -> Columns:
    """The columns, with each of several names of forwarded addresses apart: that one is there, with nothing in it, says
    nothing of the others.
    """
    names = dict(columns.names)
    lists = {raw: (name,) for raw, name in zip(LISTS, names.get(FORWARDED, ()), strict=False)}
    how = dict(columns.decode).get(FORWARDED)
    decode = columns.decode if how is None else (*columns.decode, *((raw, how) for raw in lists))
    return replace(columns, names=tuple((names | lists).items()), decode=decode)


def _known(given: Iterable[object], known: Iterable[str], key: str) -> None:
    """ValueError for the first name that is not among the known ones."""
    names = tuple(known)
    for each in given:
        if each not in names:
            near = difflib.get_close_matches(str(each), names, n=1) or [", ".join(names)]
            raise ValueError(f"[{key}] names {str(each)!r}, which is no column here; expected {near[0]}")


def _names(table: object, key: str) -> Names:
    if not isinstance(table, Mapping) or not table:
        raise ValueError(f"[{key}] must be a table of lists of names")
    return tuple((str(raw), _texts(names, raw)) for raw, names in table.items())


def _texts(values: object, key: object) -> tuple[str, ...]:
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) and value for value in values):
        raise ValueError(f"{key!r} must be a list of names")
    return tuple(values)
