"""Names of hosts as a server logs them: of one's own sites, without port and closing dot."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?:[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?\.)*[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_LONGEST = 253


def site_name(text: str) -> str | None:
    """The host's name in small letters, without port and closing dot; None where it is none, or an address."""
    name = _PORT.sub("", text.strip().lower()).removesuffix(".")
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        return None
    return None if name.rpartition(".")[2].isdigit() else name
