"""A bucket in which everything can be tried and nothing is changed: what is written stays in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from loganon.buckets import Found, Listed, MissingError, RefusedError, Service, Written


@dataclass(slots=True)
class Rehearsal:
    """`Service` over another one: reads see what was written here, before what stands there."""

    service: Service
    _written: dict[str, bytes | None] = field(default_factory=dict)

    def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
        """See `Service`."""
        if key not in self._written:
            return self.service.get(key, start=start, length=length, tag=tag)
        data = self._written[key]
        if data is None:
            raise MissingError
        if tag not in (None, _tag(data)):
            raise RefusedError
        return Found(data[start : None if length is None else start + length], _tag(data))

    def head(self, key: str) -> Listed:
        """See `Service`."""
        if key not in self._written:
            return self.service.head(key)
        found = self.get(key)
        return Listed(key, len(found.data), found.tag)

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        """See `Service`."""
        try:
            standing = self.get(key).tag
        except MissingError:
            standing = None
        if standing != tag:
            raise RefusedError
        self._written[key] = data
        return Written(_tag(data))

    def delete(self, key: str) -> None:
        """See `Service`."""
        self._written[key] = None

    def list(self, prefix: str) -> list[Listed]:
        """See `Service`."""
        kept = [each for each in self.service.list(prefix) if each.key not in self._written]
        for key, data in self._written.items():
            if data is not None and (not prefix or key.startswith(f"{prefix}/")):
                kept.append(Listed(key, len(data), _tag(data)))
        return kept


def _tag(data: bytes) -> str:
    return f"rehearsed-{hashlib.sha256(data).hexdigest()}"
