"""Addresses in an object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from loganon.buckets import parse_location
from loganon.errors import ConfigurationError
from loganon.store import parse_place


@pytest.mark.parametrize("key", ["a\tb", "a\nb", "a\x7fb", "a//b", "a/../b"])
def test_a_key_that_the_client_cannot_name(key: str) -> None:
    """It is 78, before the client is asked, whose own error would be a traceback."""
    with pytest.raises(ConfigurationError, match="no address of an object store"):
        parse_location(f"s3://bucket/{key}")


@pytest.mark.parametrize(
    "store",
    ["S3://bucket/x", "s3a://bucket/x", "gs://bucket/x", "file:///srv/x", "s3:/bucket/x", Path("s3://bucket/x")],
)
def test_an_address_of_something_else(store: str | Path) -> None:
    """It is 78, and no directory of that name, in which the data would lie unseen."""
    with pytest.raises(ConfigurationError, match="no address of a store"):
        parse_place(store)


@pytest.mark.parametrize("store", ["./s3:/x", "/srv/s3:/x", "a:b/c", "srv/x:/y"])
def test_a_directory_with_a_colon(store: str) -> None:
    """A path that does not begin as an address does is a directory."""
    assert parse_place(store) == Path(store)
