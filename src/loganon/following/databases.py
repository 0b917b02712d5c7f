"""Provider databases whose files are replaced while logs are followed, and the readings that use them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loganon.errors import LoganonError
from loganon.following.troubles import Teller, Troubles
from loganon.lookups import Lookups
from loganon.lookups.providers import ProviderDatabase, open_database
from loganon.reading import Reading


class Databases:
    """Opens databases anew whose files have changed; where that fails the open one is kept, and that is told."""

    def __init__(self, teller: Teller, troubles: Troubles) -> None:
        self._teller = teller
        self._troubles = troubles

    def renewed(self, readings: Iterable[Reading]) -> dict[Reading, Reading]:
        """For each of `readings` that a new database changes the one to take in its place."""
        asked = tuple(dict.fromkeys(readings))  # each is one object, whoever shares it
        databases = {id(each): each for reading in asked for each in reading.lookups.databases}
        current = {name: self._current(database) for name, database in databases.items()}
        fresh: dict[Reading, Reading] = {}
        for before in asked:
            new = tuple(current[id(each)] for each in before.lookups.databases)
            if any(one is not other for one, other in zip(new, before.lookups.databases, strict=True)):
                fresh[before] = replace(before, lookups=Lookups(new, before.lookups.trusted_proxies))
        return fresh

    def _current(self, database: ProviderDatabase) -> ProviderDatabase:
        if database.is_current():
            return database
        subject = f"database {database.path}"
        try:
            found = open_database(database.path, apart=True)
        except LoganonError as error:
            self._troubles.met(subject, error)
            return database
        self._troubles.over(subject)
        self._teller.note(f"{database.path}: the database was opened anew (of {found.built:%Y-%m-%d})")
        return found
