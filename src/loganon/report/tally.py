"""What is counted of accesses, and the sums that become one: `requests`, and what else the policy keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from loganon.aggregate import TableSpec

REQUESTS, SUCCEEDED = "requests", "succeeded"
BYTES, MILLISECONDS = "bytes", "response_time"


@dataclass(frozen=True, slots=True)
class Tally:
    """Accesses, and of them: bytes, successful ones, milliseconds; None where the policy keeps no such thing."""

    requests: int = 0
    bytes: int | None = None
    succeeded: int | None = None
    response_time: int | None = None

    @property
    def failed(self) -> int | None:
        """Accesses that did not succeed."""
        return None if self.succeeded is None else self.requests - self.succeeded

    @property
    def mean_ms(self) -> float | None:
        """Milliseconds of an access, on average; None without accesses."""
        return None if self.response_time is None or not self.requests else self.response_time / self.requests

    def __add__(self, other: Self) -> Tally:
        return Tally(
            self.requests + other.requests,
            _sum(self.bytes, other.bytes),
            _sum(self.succeeded, other.succeeded),
            _sum(self.response_time, other.response_time),
        )

    def as_dict(self) -> dict[str, int]:
        """What is known, by name."""
        found = {
            "requests": self.requests,
            "bytes": self.bytes,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "response_time": self.response_time,
        }
        return {name: value for name, value in found.items() if value is not None}


def measures_of(spec: TableSpec) -> tuple[str, ...]:
    """What can be counted of a policy's table, by the names in `Tally`."""
    found = [name for name in (REQUESTS, BYTES, MILLISECONDS) if name in spec.measures]
    return (*found, SUCCEEDED) if "success" in spec.keys else tuple(found)


def empty_tally(spec: TableSpec) -> Tally:
    """No access, with a zero for all that the policy keeps."""
    return Tally(**dict.fromkeys(measures_of(spec), 0))


def sums_of(spec: TableSpec) -> list[pl.Expr]:
    """The expressions that sum the rows of a cell."""
    found = [pl.col(name).sum() for name in measures_of(spec) if name != SUCCEEDED]
    if "success" in spec.keys:
        found.append(pl.col(REQUESTS).filter(pl.col("success")).sum().alias(SUCCEEDED))
    return found


def tally_of(row: dict[str, Any]) -> Tally:
    """The tally of a row of sums."""
    return Tally(**{name: int(row[name]) for name in (REQUESTS, BYTES, SUCCEEDED, MILLISECONDS) if name in row})


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
