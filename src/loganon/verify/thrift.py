"""What Thrift's compact protocol holds, in which Parquet writes its footer and the head of each page.

Read by the fields' numbers, so that what a library does not know, and leaves out, is seen too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

Value: TypeAlias = "bool | int | bytes | list[Value] | dict[int, Value]"
"""A field: numbers whatever their width, `bytes` for texts and doubles, a dict for a struct by its fields' numbers."""
Struct: TypeAlias = dict[int, Value]

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = (*range(1, 11), 12)
_DEEPEST = 16
"""Parquet's own structs lie eight deep."""


def read_struct(data: bytes, at: int = 0) -> tuple[Struct, int]:
    """The struct that begins at `at`, and where it ends; ValueError where there is none."""
    try:
        return _struct(data, at, 0)
    except IndexError:
        raise ValueError("a struct ends early") from None


def texts_in(value: Value, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Every text in it, with the numbers of the fields that lead to it; those of a list all have the list's."""
    if isinstance(value, bytes):
        yield path, value
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner, path)
    elif isinstance(value, Mapping):
        for number, inner in value.items():
            yield from texts_in(inner, (*path, number))


def _struct(data: bytes, at: int, depth: int) -> tuple[Struct, int]:
    found: Struct = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if not head:
            return found, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        if number in found:
            raise ValueError("a field stands twice")
        found[number], at = _value(data, at, head & 15, depth)


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Value, int]:
    if depth > _DEEPEST:
        raise ValueError("structs or lists lie too deep")
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in (_I16, _I32, _I64):
        return _zigzag(data, at)
    if kind == _STRUCT:
        return _struct(data, at, depth + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, depth)
    if kind == _BYTE:
        return data[at], at + 1
    size = 8
    if kind == _BINARY:
        size, at = _varint(data, at)
    elif kind != _DOUBLE:
        raise ValueError("a field is of no kind that Parquet has")
    if at + size > len(data):
        raise ValueError("a text ends early")
    return data[at : at + size], at + size


def _list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    head = data[at]
    at += 1
    size = head >> 4
    if size == 15:
        size, at = _varint(data, at)
    found: list[Value] = []
    for _ in range(size):
        each: Value
        if head & 15 in (_TRUE, _FALSE):  # within a list a flag is a byte
            each, at = data[at] == _TRUE, at + 1
        else:
            each, at = _value(data, at, head & 15, depth + 1)
        found.append(each)
    return found, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
