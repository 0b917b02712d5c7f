"""The sites of a configuration: each store with the logs that are there for it now, and how they are read."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from loganon import policy as policies
from loganon.errors import CannotWriteError, ConfigurationError, LoganonError, MissingInputError, UnreadableDataError
from loganon.formats import Format
from loganon.formats.given import resolve
from loganon.lookups import Lookups, open_lookups
from loganon.paths import is_there
from loganon.patterns import SITE, files_of, is_site, log_files, site_of, unreadable_folder, unreadable_folders
from loganon.policy.ready import is_file
from loganon.reading import Input, Reading
from loganon.spelling import nearest
from loganon.store.layout import PRIVATE_NAME, STORE_FILE

if TYPE_CHECKING:
    from loganon.policy import Policy
    from loganon.settings import InputSettings


_LET = "Let this user read it"


@dataclass(frozen=True, slots=True)
class Log:
    """A log, and the stream that its `{site}` names (None: as the input says). `found`: by a glob, not by its name."""

    path: str
    stream: str | None
    input: InputSettings = field(repr=False)
    found: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """A store and what belongs to it. `store`: as the configuration writes it, with `{site}` in it where nobody knows
    which stand there; `policy`: a name or a file.

    `logs`: in the order of the inputs, none twice; without any the store is only pruned. `raw`: the globs of raw logs
    that `verify` looks at. `errors`: why nothing may be read into the store.
    """

    store: str
    policy: str | None = None
    logs: tuple[Log, ...] = ()
    raw: tuple[str, ...] = ()
    errors: tuple[LoganonError, ...] = ()

    @property
    def stands(self) -> bool:
        """There is a store already, or this user may not know."""
        return "://" in self.store or self._is_any or is_there(Path(self.store) / PRIVATE_NAME)

    @property
    def _is_any(self) -> bool:
        return SITE in self.store and bool(self.errors)

    def require_known(self) -> None:
        """Nothing; the error where it stands for stores of which nobody knows whether they are there."""
        if self._is_any:
            raise self.errors[0]


@dataclass(frozen=True, slots=True)
class Sites:
    """The sites in the order of the inputs; `notes` and `errors` are of logs that belong to none."""

    sites: tuple[Site, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[LoganonError, ...] = ()


class Readings:
    """How each log is read: databases and formats are opened once for all inputs that name the same ones.

    `apart`: databases are, as in `open_database`.
    """

    def __init__(self, *, apart: bool = False) -> None:
        self._apart = apart
        self._lookups: dict[tuple[tuple[str, ...], tuple[str, ...]], Lookups | LoganonError] = {}
        self._formats: dict[tuple[str, str | None, str | None, date | None], Format | LoganonError | None] = {}
        self._readings: dict[tuple[int, str | None], tuple[InputSettings, Reading]] = {}

    def inputs(self, site: Site) -> list[Input]:
        """The site's logs to read; the first LoganonError where what an input names cannot be opened.

        Logs of one input and one stream share one Reading, at each call the same.
        """
        for error in site.errors:
            raise error
        return [Input(log.path, self._reading(log.input, log.stream), found=log.found) for log in site.logs]

    def retry(self) -> None:
        """What could not be opened is tried again when it is asked for next."""
        self._lookups = {asked: found for asked, found in self._lookups.items() if not isinstance(found, LoganonError)}
        self._formats = {named: found for named, found in self._formats.items() if not isinstance(found, LoganonError)}

    def of(self, feed: Feed) -> Reading:
        """How the logs of a feed are read, at each call the same; LoganonError where that cannot be opened."""
        return self._reading(feed.input, feed.site)

    def _reading(self, each: InputSettings, stream: str | None) -> Reading:
        key = (id(each), stream)
        if key not in self._readings:  # the settings are kept with it, so that no other gets their id
            self._readings[key] = (each, self._made(each, stream))
        return self._readings[key][1]

    def _made(self, each: InputSettings, stream: str | None) -> Reading:
        asked = (each.provider_db, each.trusted_proxy)
        named = (each.format, each.format_file, each.format_from, each.date)
        if asked not in self._lookups:
            try:
                self._lookups[asked] = open_lookups(*asked, apart=self._apart)
            except LoganonError as error:  # a broken database is looked at once, not for each of forty sites
                self._lookups[asked] = error
        if named not in self._formats:
            try:
                self._formats[named] = resolve(
                    each.format, file=each.format_file, source=each.format_from, day=each.date
                )
            except LoganonError as error:
                self._formats[named] = error
        lookups, fmt = self._lookups[asked], self._formats[named]
        for found in (lookups, fmt):
            if isinstance(found, LoganonError):
                raise found
        assert isinstance(lookups, Lookups)  # noqa: S101 - the loop has raised what is none
        assert not isinstance(fmt, LoganonError)  # noqa: S101 - as above
        return Reading(
            lookups=lookups,
            format=fmt,
            timezone=each.timezone,
            stream=stream or each.stream,
            final=each.final,
            fields=each.fields,
            exclude=each.exclude,
            remove_source=each.remove_source,
        )


def policy_of(site: Site) -> Policy | str | None:
    """The policy that the configuration names for the site, as `job.run` takes it; or ConfigurationError."""
    if not site.policy or is_file(site.policy):
        return policies.load_policy(site.policy) if site.policy else None
    if not site.stands and site.policy not in (known := policies.bundled()):
        fix = nearest(site.policy, known) or f"Take {', '.join(known)}, or a file as ./{site.policy}.toml"
        raise ConfigurationError(f'no bundled policy is named "{site.policy}"', where=site.store, fix=fix)
    return site.policy


@dataclass(slots=True)
class _Found:
    """One store while it is put together."""

    store: str
    policies: dict[str | None, None] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    raw: dict[str, None] = field(default_factory=dict)


def find_sites(inputs: Sequence[InputSettings]) -> Sites:
    """The sites of `inputs`: of each log that is there, and of each store that stands although its logs are gone."""
    found: dict[str, _Found] = {}
    notes: list[str] = []
    errors: list[LoganonError] = []
    for each in inputs:
        for pattern in each.logs:
            files = list(log_files(pattern, aside=each.remove_source))
            for path, site in files:
                if site is None or is_site(site):
                    one = _at(found, each, site)
                    one.policies[each.policy] = None
                    one.logs.setdefault(path, Log(path, site, each))
                else:
                    errors.append(_hostile(path))
            if not files:
                folder = unreadable_folder(pattern)
                notes += [] if folder else [f"{pattern}: no log is there"]
                errors += [_unreadable(folder)] if folder else []
            notes += closed_notes(pattern)
        for site in _standing(each):
            _at(found, each, site)
    shared = _shared(found)
    notes += [f"{path}: it is counted into several stores: {', '.join(stores)}" for path, stores in shared.items()]
    sites = _apart(found, shared) + _closed(inputs)
    return Sites(tuple(sites), tuple(notes), tuple({str(error): error for error in errors}.values()))


def closed_notes(pattern: str) -> list[str]:
    """What is to be said of the folders that a pattern's wild cards lead to: also others than those of logs may be."""
    return [
        f"{folder}: this user may not read this folder; logs in it are left out"
        for folder in unreadable_folders(pattern)
    ]


@dataclass(frozen=True, slots=True)
class Feed:
    """Logs of one input and one stream for one store: what a follower watches. `site` names the stream, if it does."""

    store: str
    patterns: tuple[str, ...]
    site: str | None
    input: InputSettings = field(repr=False)


def find_feeds(inputs: Sequence[InputSettings]) -> list[Feed]:
    """What is to be followed: of an input with `{site}` each site that has a log by now, of another its globs."""
    feeds: list[Feed] = []
    for each in inputs:
        if not any(SITE in pattern for pattern in each.logs):
            feeds.append(Feed(each.target, each.logs, None, each))
            continue
        found = {site for pattern in each.logs for _, site in log_files(pattern) if site is not None and is_site(site)}
        for site in sorted(found):
            patterns = tuple(pattern.replace(SITE, glob.escape(site)) for pattern in each.logs)
            feeds.append(Feed(each.target.replace(SITE, site), patterns, site, each))
    return feeds


def _at(found: dict[str, _Found], each: InputSettings, site: str | None) -> _Found:
    """The store of an input, for a site; it is made to look at the site's raw logs, too."""
    store = each.target.replace(SITE, site or "")
    one = found.setdefault(store_key(store), _Found(store))
    one.raw.update((raw.replace(SITE, glob.escape(site or "")), None) for raw in each.raw)
    return one


def _standing(each: InputSettings) -> list[str | None]:
    """The sites of an input whose stores stand: [None] where it has one store, and that one stands."""
    if SITE not in each.target:
        return [None] if Site(each.target).stands and not any(SITE in raw for raw in each.raw) else []
    pattern = f"{glob.escape(each.target).replace(SITE, '*')}/{STORE_FILE}"
    sites = (site_of(each.target, file.removesuffix(f"/{STORE_FILE}")) for file in files_of(pattern))
    return [site for site in sites if site is not None and is_site(site)]


def _shared(found: Mapping[str, _Found]) -> dict[str, list[str]]:
    """The logs that belong to several stores, each with these."""
    stores: dict[str, list[str]] = {}
    for one in found.values():
        for path in one.logs:
            stores.setdefault(path, []).append(one.store)
    return {path: several for path, several in stores.items() if len(several) > 1}


def _apart(found: Mapping[str, _Found], shared: Mapping[str, list[str]]) -> list[Site]:
    """The stores as sites, each with the reasons for which nothing may be read into it."""
    removed = {path for one in found.values() for path, log in one.logs.items() if log.input.remove_source}
    sites = []
    for key, one in found.items():
        errors: list[LoganonError] = []
        torn = next((path for path in one.logs if path in shared and path in removed), None)
        if torn is not None:
            what = f"a log that is to be removed belongs to several stores: {', '.join(shared[torn])}"
            fix = "Name it in one input, or leave remove_source out"
            errors.append(ConfigurationError(what, where=torn, fix=fix))
        if len(one.policies) > 1:
            fix = "A store has one policy: name the same in all inputs that feed it, or take another store"
            errors.append(ConfigurationError("inputs of this store name different policies", where=one.store, fix=fix))
        outer = next((found[str(p)].store for p in Path(key).parents if str(p) in found), None)
        if outer is not None:
            what, fix = f"the store lies within the store {outer}", "Take a path outside of it"
            errors.append(ConfigurationError(what, where=one.store, fix=fix))
        policy = next(iter(one.policies), None) if len(one.policies) == 1 else None
        sites.append(Site(one.store, policy, tuple(one.logs.values()), tuple(one.raw), tuple(errors)))
    return sites


def same_store(one: str, other: str) -> bool:
    """Whether two spellings name one store."""
    return store_key(one) == store_key(other)


def store_key(store: str) -> str:
    """What two spellings of one store have in common."""
    return store if "://" in store else str(Path(store).resolve())


def _closed(inputs: Sequence[InputSettings]) -> list[Site]:
    """Of each folder in which stores may stand, nobody knows which, one for all of them: what is due there stays."""
    folders = {each.target: unreadable_folder(each.target) for each in inputs if SITE in each.target}
    what = "the folder of the stores cannot be read"
    return [
        Site(target, errors=(CannotWriteError(what, where=folder, fix=_LET),))
        for target, folder in folders.items()
        if folder is not None
    ]


def _hostile(path: str) -> UnreadableDataError:
    what = f"set aside, nothing of it was read: what stands for {SITE} in its path names no store"
    return UnreadableDataError(what, where=path, fix="Rename it, or name it in an input without a store for each site")


def _unreadable(folder: str) -> MissingInputError:
    return MissingInputError("the folder of the logs cannot be read", where=folder, fix=_LET)
