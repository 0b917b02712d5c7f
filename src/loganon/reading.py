"""How logs are read: everything, besides the policy, that says how their lines become rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from loganon.errors import ConfigurationError
from loganon.exclude import Rule
from loganon.formats import Format
from loganon.lookups import Lookups


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
