"""Where a store lies, a directory or a prefix of a bucket, and the store that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from loganon.buckets import Location, Options, is_object, parse_location
from loganon.errors import CannotWriteError, ConfigurationError
from loganon.paths import require_path
from loganon.periods import Spans
from loganon.s3service import open_bucket
from loganon.store import s3
from loganon.store.contract import Store
from loganon.store.local import LocalStore
from loganon.store.manifest import PolicyStamp

Place = Path | Location
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def parse_place(text: str | Path, *, options: Options = (), accept_versioned: bool = False) -> Place:
    """The directory, or for `s3://bucket/prefix` the location, with how it is opened; 78 where that is none.

    What begins as the address of any other service does (`gs://`, `S3://`, `s3:/` as a path makes of it) is none, too:
    taken for a directory, such a store would be made on the disk of whoever meant to have it elsewhere.
    """
    if isinstance(text, Path) or not is_object(text):
        if _ADDRESS.match(str(text)):
            raise ConfigurationError(
                "this is no address of a store",
                where=str(text),
                fix="Write s3://BUCKET/PREFIX, or ./ before a directory's name",
            )
        require_path(text, "the store")
        return Path(text)
    return replace(parse_location(text), options=options, accept_versioned=accept_versioned)


def require_directory(text: str, what: str) -> Path:
    """The directory; 78 for a store in a bucket, of which `what` cannot be changed."""
    if is_object(text):
        raise ConfigurationError(
            f"{what} in a bucket cannot be changed", where=text, fix="Make a new store; the old one ends with its age"
        )
    return Path(text)


def open_or_none(place: Place) -> Store | None:
    """The store; None if there is none."""
    if isinstance(place, Path):
        return LocalStore.open_or_none(place)
    return s3.S3Store.open_or_none(open_bucket(place), accept_versioned=place.accept_versioned)


def open_standing(place: Place) -> Store:
    """The store; 78 if there is none."""
    if isinstance(place, Path):
        return LocalStore.open(place)
    return s3.S3Store.open(open_bucket(place), accept_versioned=place.accept_versioned)


def check_place(place: Place, group: str | None) -> None:
    """Nothing where a store could be made; 78 where it could not. It makes nothing."""
    if isinstance(place, Path):
        LocalStore.check_place(place, group)
        return
    if group is not None:
        raise ConfigurationError(
            "a group cannot be given rights in a bucket",
            where=place.url,
            fix="Leave --group out; see the bucket's policy",
        )
    s3.S3Store.check_place(open_bucket(place))


def create_store(place: Place, stamp: PolicyStamp, *, key_check: str, now: datetime, group: str | None) -> Store:
    """A new store; 78 where the place holds anything else."""
    if isinstance(place, Path):
        return LocalStore.create(place, stamp, key_check=key_check, now=now, group=group)
    check_place(place, group)
    bucket = open_bucket(place)
    return s3.S3Store.create(bucket, stamp, key_check=key_check, now=now, accept_versioned=place.accept_versioned)


@contextmanager
def as_directory(place: Place, held: Spans = ()) -> Iterator[Path]:
    """The store as a directory: its own, or for as long as the block lasts a copy of what lies in the bucket.

    In the copy all that is committed is in the table; the bucket is not changed. `held`: spans of days that stay,
    whatever the cutoff. 73 where there is no room for it.
    """
    if isinstance(place, Path):
        yield place
        return
    with ExitStack() as copied:
        try:
            folder = copied.enter_context(TemporaryDirectory(prefix="loganon-"))
            s3.copy_store(open_bucket(place), Path(folder), held)
        except OSError as error:
            raise CannotWriteError(
                f"the store cannot be copied to be read ({error.strerror})",
                where=place.url,
                fix="Give TMPDIR a directory with room for the whole store",
            ) from None
        yield Path(folder)
