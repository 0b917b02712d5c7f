"""A log in a bucket as chunks: read range by range, so that its size costs no memory."""

from __future__ import annotations

import fnmatch
from typing import NoReturn

from loganon.buckets import Bucket, Listed, Location, is_object, parse_location
from loganon.errors import (
    ConfigurationError,
    GoneInputError,
    InputOutputError,
    MissingInputError,
    UnreadableInputError,
)
from loganon.s3service import open_bucket
from loganon.sources.files import BEGINNING_BYTES, CHUNK_BYTES, Log

_WILD = frozenset("*?[")


def expand_objects(log: str) -> list[str]:
    """The objects that an address names, in order: itself; all below it where it ends in `/`; those that fit where it
    holds `*`, `?` or `[...]`, of which none reaches past a `/`. What names none, and any other log: as it is.
    """
    if not is_object(log) or not (log.endswith("/") or _WILD & set(log)):
        return [log]
    pattern = parse_location(log).key.split("/")
    fixed = next((n for n, part in enumerate(pattern) if _WILD & set(part)), len(pattern))
    folder = Location(parse_location(log).bucket, "/".join(pattern[:fixed]))
    bucket, rest = open_bucket(folder), pattern[fixed:]
    try:
        found = [each.key for each in bucket.list("") if each.size and (not rest or _fits(each.key, rest))]
    except (ConfigurationError, InputOutputError):  # said when it is opened
        return [log]
    return [bucket.where(key) for key in found] or [log]


def open_object(url: str) -> ObjectLog:
    """The log at `s3://bucket/key`; MissingInputError (66) where there is none or it cannot be read."""
    whole = parse_location(url)
    if url.endswith("/"):
        _refuse_folder(whole, url)
    folder, _, name = whole.key.rpartition("/")
    bucket = open_bucket(Location(whole.bucket, folder))
    try:
        listed = bucket.head(name) if name else None
    except (ConfigurationError, InputOutputError) as error:
        raise _missing(url, error) from None
    if listed is None:
        raise GoneInputError("there is no such log", where=url, fix="Check bucket and key")
    return ObjectLog(url, bucket, listed)


class ObjectLog(Log):
    """The interface of `Log` over an object. All that is read is of the one version that stood when it was opened."""

    def __init__(self, url: str, bucket: Bucket, listed: Listed) -> None:
        self._url = url
        self._bucket = bucket
        self._listed = listed
        self._at, self._held = 0, b""
        self.device = self.inode = self.modified = 0
        self._begin(url, listed.size)

    def retest(self) -> bool:
        """True: a version of an object does not change, and another one cannot have been read."""
        return True

    def close(self) -> None:
        """Nothing is held but the last range."""
        self._held = b""

    def _raw(self, offset: int, length: int) -> bytes:
        """These bytes; out of the last range read, or one that begins there."""
        inside = offset - self._at
        if not 0 <= inside <= inside + length <= len(self._held):
            least = (
                BEGINNING_BYTES if offset + length <= BEGINNING_BYTES else CHUNK_BYTES
            )  # that may be all that is asked
            wanted = min(max(length, least), self.size - offset)
            self._at, self._held, inside = offset, self._range(offset, wanted), 0
        return self._held[inside : inside + length]

    def _to_line_end(self, offset: int, size: int) -> int:  # noqa: ARG002 - of `Log`: it would be one request more
        """All of it: where a line ends is not looked for."""
        return size

    def _range(self, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        try:
            data = self._bucket.read(self._listed.key, offset, length, self._listed.tag)
        except (ConfigurationError, InputOutputError) as error:
            what = f"this log cannot be read: {error.what}"
            raise UnreadableInputError(what, where=f"{self._url}, {offset}", fix=error.fix) from None
        if data is None or len(data) != length:
            what = "this log was replaced or deleted while it was read"
            raise UnreadableInputError(what, where=f"{self._url}, {offset}", fix="Run again")
        return data


def _fits(key: str, pattern: list[str]) -> bool:
    parts = key.split("/")
    return len(parts) == len(pattern) and all(map(fnmatch.fnmatchcase, parts, pattern))


def _refuse_folder(folder: Location, url: str) -> NoReturn:
    """MissingInputError: it names what lies below it, which is not found, and not the object of its name."""
    try:
        open_bucket(folder).list("")
    except (ConfigurationError, InputOutputError) as error:
        raise _missing(url, error) from None
    raise GoneInputError("there is no such log, and none below it", where=url, fix="Check bucket and key")


def _missing(url: str, error: ConfigurationError | InputOutputError) -> MissingInputError:
    return MissingInputError(f"this log cannot be opened: {error.what}", where=url, fix=error.fix)
