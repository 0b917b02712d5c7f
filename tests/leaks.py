"""A search for what must not be stored: every spelling of an address, in every byte of a folder.

Shares no code with `src/`. Parquet files are searched as they lie, page by page as they inflate, and by their decoded
values: a page may hold values that no row uses, and an encoding may split a value that stands whole in a row.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHORTEST = 6
"""A needle is at least as long as this: `::1` and the like would be found everywhere."""
_PIECE = 8 << 20
_WORD = frozenset(b"0123456789abcdefABCDEF")
_DIGITS = frozenset(b"0123456789")

_DOTTED = re.compile(rb"(?<![0-9.])(?<![vV])[0-9]{1,4}(?:\.[0-9]{1,4}){3}(?![0-9])(?!\.[0-9])")
_DASHED = re.compile(rb"(?<![0-9])(?<![0-9]-)[0-9]{1,3}(?:-[0-9]{1,3}){3}(?![0-9])(?!-[0-9])")
_COLONS = re.compile(rb"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\.[0-9]{1,3}){3})?")
_HEX = re.compile(rb"(?<![0-9A-Za-z])0[xX]([0-9A-Fa-f]{8})(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A needle that was found: in which file, in what of it ("name", "raw", "page COLUMN", "values COLUMN")."""

    path: str
    where: str
    needle: bytes


class Needles:
    """Byte strings to look for, all at once; those shorter than `SHORTEST` are left out.

    A needle that begins or ends with a digit is found only where no further digit follows on that side: `1.2.3.4` is
    not in `11.2.3.45`. One with a colon is bounded by hexadecimal digits likewise.
    """

    def __init__(self, needles: Iterable[bytes]) -> None:
        self.all = frozenset(needle for needle in needles if len(needle) >= SHORTEST)
        self._by_start: dict[bytes, list[bytes]] = {}
        for needle in self.all:
            self._by_start.setdefault(needle[:SHORTEST], []).append(needle)
        self._reach = max(map(len, self.all), default=SHORTEST)
        self._marks = np.zeros(1 << 22, dtype=bool)
        if self.all:
            starts = np.frombuffer(b"".join(self._by_start), np.uint8).reshape(-1, SHORTEST)
            self._marks[self._hash([starts[:, column] for column in range(SHORTEST)])] = True

    @staticmethod
    def _hash(columns: list[np.ndarray]) -> np.ndarray:
        found = np.zeros(len(columns[0]), dtype=np.uint64)
        for column in columns:
            found = (found << np.uint64(8)) | column.astype(np.uint64)
        return (found * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(42)

    def found_in(self, data: bytes) -> set[bytes]:
        """The needles that stand in `data`."""
        found: set[bytes] = set()
        if not self.all:
            return found
        for base in range(0, len(data), _PIECE):
            piece = np.frombuffer(data[base : base + _PIECE + SHORTEST - 1], np.uint8)
            if len(piece) < SHORTEST:
                break
            windows = len(piece) - SHORTEST + 1
            codes = self._hash([piece[column : column + windows] for column in range(SHORTEST)])
            for at in (np.flatnonzero(self._marks[codes]) + base).tolist():
                for needle in self._by_start.get(data[at : at + SHORTEST], ()):
                    if data.startswith(needle, at) and _bounded(data, at, needle):
                        found.add(needle)
        return found


def _bounded(data: bytes, at: int, needle: bytes) -> bool:
    inner = _WORD if b":" in needle else _DIGITS
    end = at + len(needle)
    before, after = data[at - 1 : at], data[end : end + 1]
    return not (needle[0] in inner and before and before[0] in inner) and not (
        needle[-1] in inner and after and after[0] in inner
    )


def addresses_in(text: str | bytes) -> set[bytes]:
    """All spellings of all addresses that stand in `text` (percent-decoded, too), and the tokens as written.

    A dotted quad after the letter `v`, or within a longer dotted number, is a version. Plain integers are not looked
    for: `spellings` gives those of a known address. Tokens shorter than `SHORTEST` (`::1`) are nobody's.
    """
    raw = text.encode() if isinstance(text, str) else text
    found: set[bytes] = set()
    for data in {raw, unquote_to_bytes(raw)}:
        for token, address in _tokens(data):
            if len(token) >= SHORTEST:
                found.add(token)
                found |= spellings(address)
    return {needle for needle in found if len(needle) >= SHORTEST}


def _tokens(data: bytes) -> Iterator[tuple[bytes, ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    for pattern, separator in ((_DOTTED, b"."), (_DASHED, b"-")):
        for match in pattern.finditer(data):
            parts = [int(part) for part in match[0].split(separator)]
            if max(parts) < 256:
                yield match[0], ipaddress.IPv4Address(bytes(parts))
    for match in _HEX.finditer(data):
        yield match[0], ipaddress.IPv4Address(int(match[1], 16))
    for match in _COLONS.finditer(data):
        token = match[0]
        while token.count(b":") > 1:  # the longest that is an address: a port may follow
            try:
                yield token, ipaddress.IPv6Address(token.decode("ascii"))
                break
            except ValueError:
                token = token.rpartition(b":")[0]


def spellings(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> set[bytes]:
    """The ways in which a log, a URL or a host name writes `address`.

    Eight bare hexadecimal digits are left out, since fingerprints hold such by chance.
    """
    texts = _of_version_4(address) if isinstance(address, ipaddress.IPv4Address) else _of_version_6(address)
    return {text.encode("ascii") for text in texts}


def _of_version_4(address: ipaddress.IPv4Address) -> set[str]:
    packed = address.packed
    plain, padded = [str(byte) for byte in packed], [f"{byte:03}" for byte in packed]
    high, low = int(address) >> 16, int(address) & 0xFFFF
    texts = {mark.join(parts) for mark in (".", "-", "%2E", "%2e") for parts in (plain, padded)}
    texts |= {".".join(reversed(plain)), "-".join(reversed(plain)), "".join(padded)}
    texts |= {f"0x{int(address):08x}", f"0x{int(address):08X}", f"p{int(address):08X}", f"p{int(address):08x}"}
    texts |= {str(int(address)), f"0{int(address):o}"} if int(address) >= 1 << 24 else set()
    six = {f"::ffff:{high:x}:{low:x}", f"2002:{high:x}:{low:x}", f"64:ff9b::{high:x}:{low:x}"}
    return texts | six | {text.upper() for text in six} | {text.replace(":", "%3A") for text in six}


def _of_version_6(address: ipaddress.IPv6Address) -> set[str]:
    short, full = str(address), address.exploded
    plain = ":".join(f"{int(group, 16):x}" for group in full.split(":"))
    texts = {short, full, plain}
    texts |= {text.upper() for text in texts}
    texts |= {text.replace(":", mark) for text in texts for mark in ("%3A", "%3a", "-")}
    digits = full.replace(":", "")
    texts |= {digits, digits.upper(), ".".join(reversed(digits)), str(int(address))}
    for inner in (address.ipv4_mapped, address.sixtofour, address.teredo[1] if address.teredo else None):
        if inner is not None:
            texts |= _of_version_4(inner)
    if int(address) >> 32 == 0x64_FF9B << 64:
        texts |= _of_version_4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return {text for text in texts if len(text) >= SHORTEST}


def names_in(clients: Iterable[bytes]) -> set[bytes]:
    """The clients written as host names that say more than a provider's domain: four labels or more, or a digit."""
    found = set()
    for client in clients:
        labels = client.rstrip(b".").split(b".")
        digit = any(byte in _DIGITS for byte in labels[0])
        if not labels[-1].isdigit() and b":" not in client and (len(labels) > 3 or (len(labels) == 3 and digit)):
            found |= {client, client.lower()}
    return found


def search_tree(path: Path, needles: Iterable[bytes] | Needles) -> list[Hit]:
    """All needles found in the names and the bytes of all files under `path`, sorted."""
    wanted = needles if isinstance(needles, Needles) else Needles(needles)
    hits: set[Hit] = set()
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        hits |= {Hit(name, "name", needle) for needle in wanted.found_in(name.encode(errors="surrogateescape"))}
        if not file.is_file():
            continue
        data = file.read_bytes()
        hits |= {Hit(name, "raw", needle) for needle in wanted.found_in(data)}
        if data[:4] == data[-4:] == b"PAR1":  # what is torn has no pages to inflate
            for where, text in parquet_texts(data):
                hits |= {Hit(name, where, needle) for needle in wanted.found_in(text)}
    return sorted(hits)


def parquet_texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The inflated pages of all columns of a Parquet file, then the distinct values of its string columns."""
    file = pq.ParquetFile(pa.BufferReader(data))
    for group in range(file.metadata.num_row_groups):
        for index in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(index)
            for page in _pages(data, chunk):
                yield f"page {chunk.path_in_schema}", page
    table = file.read()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            values = column.cast(pa.large_binary()).unique().drop_null().to_pylist()
            yield f"values {name}", b"\n".join(values)


def _pages(data: bytes, chunk: pq.ColumnChunkMetaData) -> Iterator[bytes]:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    end = start + chunk.total_compressed_size
    while start < end:
        header, start = _read_struct(data, start)
        plain, packed = header[2], header[3]
        body = data[start : start + packed]
        start += packed
        version_2 = header.get(8)
        levels = version_2[5] + version_2[6] if version_2 else 0
        squeezed = chunk.compression != "UNCOMPRESSED" and (not version_2 or version_2.get(7, True))
        if squeezed and len(body) > levels:
            codec = pa.Codec(chunk.compression.lower())
            body = body[:levels] + codec.decompress(body[levels:], plain - levels).to_pybytes()
        yield body


def _read_struct(data: bytes, at: int) -> tuple[dict, int]:
    """A Thrift struct in the compact protocol, as field number to value, and where it ends."""
    fields: dict = {}
    number = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step:
            number += step
        else:
            number, at = _read_integer(data, at)
        fields[number], at = _read_value(data, at, kind)
    return fields, at + 1


def _read_value(data: bytes, at: int, kind: int) -> tuple[object, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _read_integer(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        size, at = _read_varint(data, at)
        return data[at : at + size], at + size
    if kind == 12:
        return _read_struct(data, at)
    raise AssertionError(f"a page header holds no value of kind {kind}")


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _read_varint(data, at)
    return (value >> 1) ^ -(value & 1), at
