"""What executors are given, and the engine that they make of it: policy, look-ups and window; never the store's key.

Databases travel as their bytes. Each Python process of an executor opens them once, whatever the number of its tasks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from loganon.addresses import Network
from loganon.chunks import Window
from loganon.errors import ConfigurationError
from loganon.exclude import Rule
from loganon.formats import Format
from loganon.lookups import Lookups
from loganon.lookups.providers import ProviderDatabase, open_database
from loganon.pipeline import Pipeline, build
from loganon.policy import Policy, from_canonical

_DATABASES = 8
_ENGINES = 2


@dataclass(frozen=True, slots=True)
class CarriedDatabase:
    """A provider database: the name of its file, the SHA-256 of its bytes, and these."""

    name: str
    sha256: str
    data: bytes = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Carried:
    """All that lines are treated by. `policy`: its canonical text."""

    policy: str
    databases: tuple[CarriedDatabase, ...]
    trusted_proxies: tuple[Network, ...]
    rules: tuple[Rule, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class How:
    """How lines are read: their format, and the zone of times without an offset."""

    format: Format
    timezone: tzinfo | None


def carry(policy: Policy, lookups: Lookups, rules: Sequence[Rule], window: Window) -> Carried:
    """What the executors need of these."""
    databases = tuple(_carry(database) for database in lookups.databases)
    return Carried(policy.canonical, databases, lookups.trusted_proxies, tuple(rules), window)


def _carry(database: ProviderDatabase) -> CarriedDatabase:
    try:
        data = database.path.read_bytes()
    except OSError as error:
        what = f"A provider database cannot be read ({error.strerror})"
        raise ConfigurationError(what, where=str(database.path), fix="Run again once it is there") from None
    return CarriedDatabase(database.path.name, hashlib.sha256(data).hexdigest(), data)


class Engine:
    """The pipelines of one job in one process, each made once."""

    def __init__(self, carried: Carried) -> None:
        self.policy = from_canonical(carried.policy, where="the policy of the job")
        self.spec = self.policy.spec
        self.window = carried.window
        self._lookups = Lookups(tuple(map(_opened, carried.databases)), carried.trusted_proxies)
        self._rules = carried.rules
        self._pipelines: dict[tuple[str, str, bool], Pipeline] = {}

    def pipeline(self, how: How, *, coded: bool) -> Pipeline:
        """The pipeline of a format; `coded` as in `pipeline.build`."""
        name = (repr(how.format), str(how.timezone), coded)
        if name not in self._pipelines:
            self._pipelines[name] = build(
                self.policy, how.format, self._lookups, coded=coded, rules=self._rules, timezone=how.timezone
            )
        return self._pipelines[name]


@lru_cache(_ENGINES)
def load_engine(carried: Carried) -> Engine:
    """The engine of a job, made once in a process."""
    return Engine(carried)


@lru_cache(_DATABASES)
def _opened(carried: CarriedDatabase) -> ProviderDatabase:
    """The database, open; its file has no name any more."""
    if hashlib.sha256(carried.data).hexdigest() != carried.sha256:
        what = "A provider database did not arrive whole"
        raise ConfigurationError(what, where=carried.name, fix="Run the job again")
    with TemporaryDirectory(prefix="loganon-") as folder:
        path = Path(folder) / carried.name
        path.write_bytes(carried.data)
        return open_database(path)
