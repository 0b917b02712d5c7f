"""Addresses in an object store."""

from __future__ import annotations

import pytest

from loganon.buckets import parse_location
from loganon.errors import ConfigurationError


@pytest.mark.parametrize("key", ["a\tb", "a\nb", "a\x7fb", "a//b", "a/../b"])
def test_a_key_that_the_client_cannot_name(key: str) -> None:
    """It is 78, before the client is asked, whose own error would be a traceback."""
    with pytest.raises(ConfigurationError, match="no address of an object store"):
        parse_location(f"s3://bucket/{key}")
