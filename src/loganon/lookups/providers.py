"""Provider databases (MaxMind DB files): from an address to an AS number or a domain.

A database is opened by its path, never looked for; the keys of its first 1,000 records, read once, tell what it has.
Layouts: GeoLite2-ASN, GeoIP2-ISP, DB-IP ASN and iptoasn (`autonomous_system_number`), IPinfo and IPLocate (`asn`, as a
number or as `AS3320`, with `as_domain` or `domain`), GeoIP2-Domain (`domain`), GeoIP2-Enterprise (both under `traits`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import import_module
from io import BytesIO
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from loganon.addresses import Address
from loganon.errors import ConfigurationError
from loganon.paths import require_path

if TYPE_CHECKING:
    import maxminddb

PROBED = 1000  # records whose keys are read when a database is opened
MAX_STEPS = 10_000  # networks, with and without a record, that are looked at for them: at most about 0.2 s
_BLOCK = 1 << 20  # bytes copied at once
_HELD = Path("/proc/self/fd")
_WHOLE = 128  # bits of the longest prefix: no other address has it
SAMPLED = 1000  # addresses over the whole IPv4 space whose records are read too, to find damage

Kind = Literal["asn", "asn+domain", "domain", "country"]
_COUNTRY = re.compile(r"[A-Z]{2}")


class Candidate(NamedTuple):
    """What a record says of an address: an AS number, a domain, or both."""

    asn: int | None
    domain: str | None


@dataclass(frozen=True)
class ProviderDatabase:
    """An open database: `kind` is what it has, `countries` whether these, too; `type` and `built` (UTC): its metadata.

    It stays open on the file that it was opened on; `is_current` tells whether the path still leads there.
    """

    path: Path
    kind: Kind
    countries: bool
    built: datetime
    type: str
    description: str
    _reader: maxminddb.Reader = field(repr=False, compare=False)
    _stamp: tuple[int, int, int, int] = field(repr=False, compare=False)

    def lookup(self, address: Address | str) -> Candidate | None:
        """What it has on an address (as text: in its usual spelling); None where nothing or the record is damaged."""
        try:
            record = self._reader.get(address)
        except Exception:  # noqa: BLE001  a damaged record may raise anything, with the address in the message: no answer
            return None
        return _candidate(record)

    def network(self, address: str) -> tuple[Candidate | None, int]:
        """As `lookup`, of an address in its usual spelling, and how long a prefix is all of whose addresses have that.

        Its own bits, or more, stand for the address alone.
        """
        try:
            record, prefix = self._reader.get_with_prefix_len(address)
        except Exception:  # noqa: BLE001  as above
            return None, _WHOLE
        return _candidate(record), prefix if prefix >= 0 else _WHOLE

    def country(self, address: Address | str) -> str | None:
        """The code of the country that it has for the address, None for none."""
        try:
            return _country(self._reader.get(address))
        except Exception:  # noqa: BLE001  as above
            return None

    def is_current(self) -> bool:
        """Whether the path still leads to the file that was opened; False when it was replaced or changed."""
        try:
            return _stamp(self.path) == self._stamp
        except OSError:
            return True  # gone or unreadable: the open one is the last good one


def open_database(path: Path | str, *, apart: bool = False) -> ProviderDatabase:
    """The database at a path; ConfigurationError (78) if missing, damaged, or without AS numbers and domains.

    `apart`: it is read from a copy in memory. The library maps the file, and the kernel ends a process (SIGBUS) that
    reads where a mapped file was cut off, as `cp` does before it writes; one that runs for long must not end so.
    """
    require_path(path, "a provider database")
    path = Path(path)
    try:
        stamp = _stamp(path)
        with _copied(path) if apart else nullcontext(path) as copy:
            return _opened(path, copy, stamp)
    except OSError as error:
        raise ConfigurationError(
            f"A provider database cannot be opened ({error.strerror or 'input/output error'})",
            where=str(path),
            fix="Name a readable MaxMind DB file with --provider-db",
        ) from None


def _opened(path: Path, copy: Path | bytes, stamp: tuple[int, int, int, int]) -> ProviderDatabase:
    """The database of `path`, which is read from `copy`; OSError where that cannot be opened."""
    library = _library()
    try:
        reader = library.open_database(*_source_of(copy, library.MODE_AUTO))
    except OSError:
        raise
    except Exception:  # noqa: BLE001  the reader raises many types on what is no database
        raise _damaged(path, "it is no MaxMind DB file or is damaged") from None
    try:
        meta = reader.metadata()
        built = datetime.fromtimestamp(meta.build_epoch, UTC)
        description = meta.description.get("en") or next(iter(meta.description.values()), "")
        with library.open_database(*_source_of(copy, library.MODE_MMAP)) as checked:
            kind, countries = _probe(checked)
    except Exception:  # noqa: BLE001  as above: a broken tree or record
        reader.close()
        raise _damaged(path, "its records cannot be read") from None
    if kind is None:
        reader.close()
        raise ConfigurationError(
            f"A database of the type {meta.database_type!r} has neither AS numbers nor domains nor countries",
            where=str(path),
            fix="Name one with providers, such as GeoLite2-ASN, DB-IP ASN, IPinfo Lite, IPLocate ASN or GeoIP2-Domain",
        )
    return ProviderDatabase(path, kind, countries, built, meta.database_type, description, reader, stamp)


@cache
def _library() -> Any:
    """maxminddb, loaded for the first database: it takes 20 ms, and many runs have none."""
    return import_module("maxminddb")


def _source_of(copy: Path | bytes, mode: int) -> tuple[Path | BytesIO, int]:
    """What the library opens, and how: bytes are read by its part in Python, which is slower."""
    return (BytesIO(copy), _library().MODE_FD) if isinstance(copy, bytes) else (copy, mode)


@contextmanager
def _copied(path: Path) -> Iterator[Path | bytes]:
    """A copy of the file that no other process can reach: one that lasts as long as a map of it, or where the system
    gives no such memory, or no name for it, the bytes.
    """
    try:
        memory = os.memfd_create("loganon", os.MFD_CLOEXEC)
    except (AttributeError, OSError):  # not on Linux, or forbidden
        yield path.read_bytes()
        return
    with os.fdopen(memory, "wb") as copy, path.open("rb") as file:
        named = _HELD / str(copy.fileno())
        if not named.exists():  # in a root without /proc
            yield file.read()
            return
        copyfileobj(file, copy, _BLOCK)
        copy.flush()
        yield named


def _damaged(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"A provider database is refused: {why}", where=str(path), fix="Fetch it again")


def _stamp(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _probe(reader: maxminddb.Reader) -> tuple[Kind | None, bool]:
    """What the database has, None for nothing that serves, and whether it has countries; raises on damage.

    The reader is the library's own in Python: its C extension (3.2.0) writes beyond its memory, or ends the process, on
    some damaged trees and records, so damage has to be found before it is asked.
    """
    numbers = domains = countries = False
    for record in islice(_records(reader), PROBED):
        countries |= _country(record) is not None
        candidate = _candidate(record)
        if candidate is not None:
            numbers |= candidate.asn is not None
            domains |= candidate.domain is not None
    for at in range(0, 1 << 32, (1 << 32) // SAMPLED):
        reader.get(IPv4Address(at))
    if numbers:
        return "asn+domain" if domains else "asn", countries
    return "domain" if domains else "country" if countries else None, countries


def _records(reader: maxminddb.Reader) -> Iterator[object]:
    """The records, in the order of their networks, each found from the end of the one before."""
    at, end = 0, 1 << 32
    for _ in range(MAX_STEPS):
        record, prefix = reader.get_with_prefix_len(IPv4Address(at) if end == 1 << 32 else IPv6Address(at))
        if record is not None:
            yield record
        size = end >> max(prefix, 0)
        at = (at // size + 1) * size
        if at >= end and end == 1 << 32 and reader.metadata().ip_version == 6:
            at, end = 1 << 33, 1 << 128  # IPv6 after the addresses that embed IPv4
        if at >= end:
            return


def _country(record: object) -> str | None:
    """The code in `country_code`, `country`, or `country.iso_code`."""
    if type(record) is not dict:
        return None
    found = record.get("country_code") or record.get("country")
    code = found.get("iso_code") if isinstance(found, Mapping) else found
    return code if isinstance(code, str) and _COUNTRY.fullmatch(code) else None


def _candidate(record: object) -> Candidate | None:
    if type(record) is not dict:
        return None
    asn = record.get("autonomous_system_number") or record.get("asn")
    domain = record.get("as_domain") or record.get("domain")
    traits = record.get("traits")
    if traits is not None and isinstance(traits, Mapping):
        asn = _number(asn) or traits.get("autonomous_system_number") or traits.get("asn")
        domain = domain or traits.get("domain")
    try:
        return _read(asn, domain)
    except TypeError:  # a value that is neither a number nor a text
        return None


@lru_cache(maxsize=1 << 17, typed=True)
def _read(asn: object, domain: object) -> Candidate | None:
    """What the two values say; remembered, since a database says few things of many addresses."""
    number = _number(asn)
    name = domain if isinstance(domain, str) else None
    return None if number is None and name is None else Candidate(number, name)


def _number(value: object) -> int | None:
    """The AS number in `3320`, `"3320"` or `"AS3320"`; None for another value, and for 0, which means none."""
    if type(value) is str:
        digits = value.strip().upper().removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    return value if type(value) is int and 0 < value < 1 << 32 else None
