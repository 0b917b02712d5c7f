"""The footer of one cell, key by key: loganon's own keys alone, each of its form."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping

import pyarrow as pa

from loganon.store import Record
from loganon.store.documents import parse_json
from loganon.store.records import describe_record
from loganon.store.snapshots import decode_snapshots
from loganon.verify.findings import count_personal, is_personal

_ARROW = "ARROW:schema"
_SCHEMA = "the Arrow schema holds more than columns"
_MAKER = re.compile(r"parquet-cpp-arrow version [0-9]{1,3}(?:\.[0-9]{1,3}){2}(?:-SNAPSHOT)?")
_STRANGE = "a key that is none of loganon's"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")
_VERSION = r"[0-9]+(?:\.[0-9]+)*(?:[.+-]?[a-z]+\.?[0-9]*)*"
_TYPE = r"[^;\x00-\x1f]{1,120}"


def _pattern(text: str) -> Callable[[str], bool]:
    form = re.compile(text)
    return lambda value: form.fullmatch(value) is not None


def _notes(text: str) -> Callable[[str], bool]:
    return _pattern(f"{text}(?:; {text})*")


def _are_lines(text: str) -> bool:
    try:
        found = parse_json(text)
    except ValueError:
        return False
    return isinstance(found, dict) and all(_ID.fullmatch(key) and type(n) is int and n >= 0 for key, n in found.items())


def _are_records(text: str) -> bool:
    """True for copies of records that are whole, and hold nothing besides."""
    records = decode_snapshots(text)
    if not records:
        return False
    document = parse_json(text)
    known = describe_record(Record("", "")).keys()
    return document.keys() == {"records", "sha256"} and all(
        each.keys() <= known for each in document["records"].values()
    )


_FORMS: Mapping[str, Callable[[str], bool]] = {
    "store": _pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "schema": _pattern(r"[0-9]{1,4}"),
    "policy": _pattern(r"[a-z0-9][a-z0-9-]{0,63}"),
    "policy_sha256": _pattern(r"[0-9a-f]{64}"),
    "lines": _are_lines,
    "batches": _are_lines,
    "sealed": _pattern("true|false"),
    "rows": _pattern(r"[0-9]{1,9}"),
    "writer": _pattern(r"[a-z0-9-]{0,32}"),
    "records": _are_records,
    "known_providers": _notes("[0-9a-f]{12}"),
    "public_suffixes": _notes(_VERSION),
    "agents": _notes(_VERSION),
}
_VERSIONS = frozenset(("public_suffixes", "agents"))
"""Versions of packages, which may have four numbers: of their form they are no address."""
_NUMBERED = re.compile(r"provider_db_[1-9][0-9]?")
_DATABASE = _notes(rf"{_TYPE} [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}")


def find_in_footer(metadata: Mapping[bytes, bytes]) -> tuple[list[str], list[str]]:
    """What is wrong with the keys, and which of them hold the shape of an address or an e-mail."""
    wrong: list[str] = []
    texts: dict[str, list[str]] = {}
    for key, value in metadata.items():
        name, text = key.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        if name == _ARROW:
            wrong += [] if _are_columns(value) else [_SCHEMA]
            continue
        own = name.removeprefix("loganon.")
        judge = _judge(own)
        if judge is None or own == name:
            own = _STRANGE
            wrong.append(_STRANGE)
        elif not judge(text):
            wrong.append(f"the key {own} is not of its form")
        elif own in _VERSIONS:
            continue
        texts.setdefault(own, []).extend(texts_of(text) if own == "records" else [name, text])
    if not count_personal([text for several in texts.values() for text in several]):
        return wrong, []
    return wrong, [key for key, several in texts.items() if count_personal(several)]


def is_maker(text: str) -> bool:
    """True for the library's name and version as it writes them into every footer, and nothing besides."""
    return _MAKER.fullmatch(text) is not None


def _are_columns(text: bytes) -> bool:
    """True for an Arrow schema, as the library can add it to a footer, of columns alone: byte for byte, no metadata."""
    try:
        data = base64.b64decode(text, validate=True)
        schema = pa.ipc.read_schema(pa.py_buffer(data))
    except (binascii.Error, pa.ArrowException, OSError, ValueError):
        return False
    plain = pa.schema([field.remove_metadata() for field in schema])
    return bool(plain.serialize().to_pybytes() == data)


def is_sound(note: str, value: str) -> bool:
    """True for a note that is one of loganon's, of its form, and shaped like no address: it may be shown."""
    judge = _judge(note)
    return judge is not None and judge(value) and (note in _VERSIONS or not is_personal(value))


def _judge(key: str) -> Callable[[str], bool] | None:
    return _DATABASE if _NUMBERED.fullmatch(key) else _FORMS.get(key)


def texts_of(text: str) -> list[str]:
    """Every text in a JSON document, but for the labels of streams, which are the operator's."""
    try:
        return list(_texts(parse_json(text)))
    except (ValueError, RecursionError):
        return [text]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, inner in value.items() if key != "stream" for text in (str(key), *_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []
