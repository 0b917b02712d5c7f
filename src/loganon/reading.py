"""How logs are read: everything, besides the policy, that says how their lines become rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING

from loganon.errors import ConfigurationError
from loganon.exclude import Rule
from loganon.formats import Format
from loganon.lookups import Lookups
from loganon.summary import Summary

if TYPE_CHECKING:
    from loganon.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """How the lines of a log become rows. `format` None: detect it; `stream` None: by the log's name.

    `fields`: the columns of delimited logs without a header. `exclude`: lines that are left out. `remove_source`: a log
    goes once it is wholly counted. Two readings are the same only if they are one object: logs that share it share the
    caches of its treatments.
    """

    lookups: Lookups
    format: Format | None = None
    timezone: tzinfo | None = None
    stream: str | None = None
    final: bool = False
    fields: tuple[str, ...] = ()
    exclude: tuple[Rule, ...] = ()
    remove_source: bool = False

    def __post_init__(self) -> None:
        if self.stream is not None and not self.stream.strip():  # such as a script's unset variable
            raise ConfigurationError(
                "the stream's label is empty", where="--stream", fix="Leave it out, or name the log"
            )


@dataclass(frozen=True, slots=True)
class Input:
    """One log to read: its path as given, which is what reports call it, and how it is read.

    `at`: where it lies, if not at its path: the descriptor that holds it through a renaming, as `/proc/self/fd/7`.
    `found`: nobody named it, a glob did: that it is an error log, or gone by now, is no mistake.
    """

    log: str
    reading: Reading
    at: str | None = None
    found: bool = False

    @property
    def place(self) -> str:
        """Where it lies."""
        return self.at or self.log


def advise(summary: Summary, policy: Policy, readings: Iterable[Reading]) -> None:
    """What the operator should know of the look-ups is among the summary's warnings: what no database that was given
    could answer.
    """
    databases = [database for reading in readings for database in reading.lookups.databases]
    given = "no provider database was given" if not databases else "the database that was given has no providers"
    if summary.domains["unknown"] and all(database.kind == "country" for database in databases):
        summary.warnings.append(
            f"{summary.domains['unknown']:,} accesses came from addresses, and {given}: their domain is `unknown`. "
            "Give one with --provider-db (GeoLite2-ASN, DB-IP ASN, IPinfo Lite and others serve)."
        )
    if summary.counted and policy.fields.country and not any(database.countries for database in databases):
        summary.warnings.append(
            f"{summary.counted:,} accesses have the country `unknown`: no database with countries was given. Give one "
            "with --provider-db (GeoLite2-Country, DB-IP Country, IPinfo Lite and others serve)."
        )
