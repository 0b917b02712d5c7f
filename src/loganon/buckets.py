"""A prefix of a bucket as a few operations: conditional writes, tried again until an answer comes, in bounds.

A write answers None where its condition does not hold. That may be because an earlier attempt of the same write took
place and its reply was lost: whoever gets None reads the object again and looks whether it is its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from loganon.errors import BusyError, CannotWriteError, ConfigurationError, InputOutputError

SCHEME = "s3://"
_WITHOUT_TLS = "allow_http"
_CONTROL = frozenset(map(chr, (*range(32), 127)))  # which the client takes in no key
_ATTEMPTS = 10
_ROUNDS = 40
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
Options = tuple[tuple[str, str], ...]
"""Settings of the S3 client, as `obstore` names them (`endpoint`, `region`, `access_key_id`, ...), and their values."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key or prefix in it, without slashes around it, and how it is opened.

    `accept_versioned`: also where the bucket keeps old versions of its objects.
    """

    bucket: str
    key: str
    options: Options = field(default=(), repr=False)
    accept_versioned: bool = False

    @property
    def url(self) -> str:
        """`s3://bucket/key`."""
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Found:
    """An object's bytes and the tag by which a later write recognises them."""

    data: bytes = field(repr=False)
    tag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object's key (under the prefix), its size in bytes and its tag; `modified`: as a listing has it."""

    key: str
    size: int
    tag: str
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A write that took place: the object's tag, and its version where the bucket keeps versions."""

    tag: str
    version: str | None = None


class MissingError(Exception):
    """There is no such object."""


class RefusedError(Exception):
    """The condition of a write or of a read does not hold, or another write was under way (409)."""


class DeniedError(Exception):
    """The credentials do not permit it, or there are none."""


class NoBucketError(Exception):
    """There is no such bucket."""


class OddNameError(Exception):
    """Of the objects that are listed one has a name that the client cannot read."""


class RejectedError(Exception):
    """The service does not take the request, and will not the next time; the text is its status."""


class UnclearError(Exception):
    """No answer, or one that says to try again: a write may have taken place. The text is the status, if any."""


class Service(Protocol):
    """The operations of an object store on one prefix; they raise the errors above and never try again."""

    def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
        """An object, or `length` bytes of it from `start` on; `tag`: only if it still is the one of this tag."""
        ...

    def head(self, key: str) -> Listed:
        """Size and tag of an object."""
        ...

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        """The object is written in place of the one of this tag; None: only where there is none."""
        ...

    def delete(self, key: str) -> None:
        """There is no such object."""
        ...

    def list(self, prefix: str) -> list[Listed]:
        """All objects under the folder `prefix`, in any order."""
        ...


class Bucket:
    """The objects of one prefix. `lanes`: how many requests may be under way at once."""

    def __init__(
        self,
        service: Service,
        location: Location,
        *,
        lanes: int = 8,
        pause: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.location = location
        self._service = service
        self._lanes = lanes
        self._pause = pause
        self._chance = chance

    def over(self, service: Callable[[Service], Service]) -> Bucket:
        """The same objects through what `service` makes of their service."""
        return Bucket(service(self._service), self.location, lanes=self._lanes, pause=self._pause, chance=self._chance)

    def where(self, key: str = "") -> str:
        """The URL of an object, as messages name it."""
        return f"{self.location.url}/{key}" if key else self.location.url

    def get(self, key: str) -> Found | None:
        """The object; None where there is none."""
        try:
            return self._tried(lambda: self._service.get(key), key)
        except MissingError:
            return None

    def read(self, key: str, start: int, length: int, tag: str) -> bytes | None:
        """Some bytes of the object of this tag; None where it is gone or another."""
        try:
            return self._tried(lambda: self._service.get(key, start=start, length=length, tag=tag), key).data
        except (MissingError, RefusedError):
            return None

    def head(self, key: str) -> Listed | None:
        """Size and tag of the object; None where there is none."""
        try:
            return self._tried(lambda: self._service.head(key), key)
        except MissingError:
            return None

    def create(self, key: str, data: bytes) -> Written | None:
        """The new object; None where one stands there, which may be this one."""
        return self._put(key, data, None)

    def replace(self, key: str, data: bytes, tag: str) -> Written | None:
        """The object in place of that of this tag; None where that is no more, which may be this one's doing."""
        return self._put(key, data, tag)

    def delete(self, key: str) -> None:
        """The object is gone, if there was one: some services answer 404 where there was none."""
        with suppress(MissingError):
            self._tried(lambda: self._service.delete(key), key, writing=True)

    def list(self, prefix: str, *, holding: str | None = None) -> list[Listed]:
        """The objects under the folder `prefix`, in the order of their keys.

        `holding`: a key that must be among them. An answer without it is none: what is no listing at all, such as a
        proxy's page or an error that comes with the status 200, reads as an empty one.
        """

        def listed() -> list[Listed]:
            found = self._service.list(prefix)
            if holding is not None and all(each.key != holding for each in found):
                raise UnclearError("a listing without what must be in it")
            return found

        return sorted(self._tried(listed, prefix), key=lambda found: found.key)

    def change(self, key: str, next_of: Callable[[bytes | None], bytes | None]) -> bytes | None:
        """The object as it then stands, after `next_of` has given its next bytes from those that stand (None: none).

        `next_of` is asked again whenever another writer was faster; where it gives None, nothing is written. So it must
        look whether what it would do is done. 75 where other writers are always faster.
        """
        for round_ in range(_ROUNDS):
            found = self.get(key)
            data = next_of(found.data if found else None)
            if data is None:
                return found.data if found else None
            if (self.replace(key, data, found.tag) if found else self.create(key, data)) is not None:
                return data
            self.wait(round_)
        raise self.busy(key)

    def wait(self, round_: int) -> None:
        """Some time passes, at random, longer from round to round."""
        self._pause(self._chance() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**round_))

    def busy(self, key: str) -> BusyError:
        """The error where other writers are always faster."""
        return BusyError("other processes keep changing the store", where=self.where(key), fix="Run it again")

    def map(self, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """What `work` gives for each, in order; several at a time."""
        if self._lanes == 1:
            yield from map(work, items)
            return
        with ThreadPoolExecutor(self._lanes) as pool:
            yield from pool.map(work, items)

    def _put(self, key: str, data: bytes, tag: str | None) -> Written | None:
        try:
            return self._tried(lambda: self._service.put(key, data, tag=tag), key, writing=True)
        except (RefusedError, MissingError):
            return None

    def _tried(self, act: Callable[[], _Out], key: str, *, writing: bool = False) -> _Out:
        """What `act` gives; tried again while it is unclear; the operator's error where it cannot be had."""
        where, status = self.where(key), ""
        for attempt in range(_ATTEMPTS):
            try:
                return act()
            except UnclearError as error:
                status = str(error)
                self.wait(attempt)
            except DeniedError:
                fix = "Check the credentials (AWS_ACCESS_KEY_ID and so on, or the role) and the bucket's policy"
                if writing:
                    raise CannotWriteError("the object store permits no writing", where=where, fix=fix) from None
                raise InputOutputError("the object store permits no reading", where=where, fix=fix) from None
            except NoBucketError:
                raise ConfigurationError(
                    "there is no such bucket", where=where, fix="Check the name; make it"
                ) from None
            except OddNameError:
                what = "an object has a name that cannot be read: an empty part, `.`, `..` or a control character"
                fix = "Delete it, or take a prefix without it"
                raise InputOutputError(what, where=where, fix=fix) from None
            except RejectedError as error:
                what = f"the object store rejects a request ({error})"
                raise InputOutputError(what, where=where, fix="Check region, endpoint and bucket") from None
        what = f"the object store does not answer, or says to wait ({status or 'no reply'}), after {_ATTEMPTS} attempts"
        raise InputOutputError(what, where=where, fix="Run it again; what was committed stands")


def client_settings(given: Mapping[str, str]) -> dict[str, str]:
    """The settings of an S3 client by their names in small letters, as clients take them in any; with the one that an
    endpoint without TLS needs, unless it is among them.
    """
    settings = {name.lower(): value for name, value in given.items()}
    plain = any(value.lower().startswith("http://") for name, value in settings.items() if "endpoint" in name)
    said = any(name.removeprefix("aws_") == _WITHOUT_TLS for name in settings)
    return {**settings, f"aws_{_WITHOUT_TLS}": "true"} if plain and not said else settings


def is_object(path: str) -> bool:
    """True for `s3://...`."""
    return path.startswith(SCHEME)


def parse_location(url: str) -> Location:
    """The bucket and the key or prefix of `s3://bucket/key`; 78 for anything else."""
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    key = key.strip("/")
    odd = any(part in ("", ".", "..") for part in key.split("/") if key) or _CONTROL & set(url)
    if not is_object(url) or not bucket or odd:
        raise ConfigurationError("this is no address of an object store", where=url, fix="Write s3://BUCKET/PREFIX")
    return Location(bucket, key)
