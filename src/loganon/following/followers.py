"""The followers of a configuration: one for each store, more as sites appear, none of which spoils another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from loganon.errors import LoganonError
from loganon.following.figures import Figures, Totals, figures_of
from loganon.following.follower import Follower
from loganon.following.pace import Ticker
from loganon.following.troubles import Teller, Troubles
from loganon.patterns import SITE, site_of
from loganon.policy import Policy
from loganon.settings import InputSettings
from loganon.sites import Feed, Readings, Site, find_feeds, find_sites, policy_of, store_key
from loganon.summary import Summary

SEARCH_EVERY = 10.0
"""Seconds between two looks for sites that are new."""

AGAIN = 60.0
"""Seconds after which what could not be opened is tried again; in that time nothing is said twice."""


class Make(Protocol):
    """What makes followers."""

    def __call__(self, store: str, policy: Policy | str | None, teller: Teller, *, prune: bool) -> Follower | None:
        """The follower of a store, not open yet; with `prune` None where there is no store to be pruned."""
        ...


@dataclass(slots=True)
class _Followed:
    """A store, its follower where it has one, and the feeds that this was given."""

    site: Site
    follower: Follower | None = None
    feeds: set[tuple[int, str | None]] = field(default_factory=set)
    errors: list[LoganonError] = field(default_factory=list)
    tried: bool = False


class Followers:
    """Follows all that `inputs` lead to; `make` gives the follower of a store.

    `fault` makes an error of ours of an exception that nobody expected; `only`: this store and no other.
    """

    def __init__(
        self,
        inputs: Sequence[InputSettings],
        make: Make,
        *,
        ticker: Ticker,
        teller: Teller,
        fault: Callable[[Exception], LoganonError],
        only: str | None = None,
    ) -> None:
        self._inputs = tuple(inputs)
        self._make = make
        self._ticker = ticker
        self._teller = _OneVoice(teller, ticker)
        self._troubles = Troubles(self._teller)
        self._fault = fault
        self._only = only
        self._readings = Readings(apart=True)
        self._followed: dict[str, _Followed] = {}
        self._blind: dict[Follower, Exception] = {}
        self._errors: tuple[LoganonError, ...] = ()
        self._next_search = self._next_try = float("-inf")
        self._stopped = False

    def __len__(self) -> int:
        return len(self._followed)

    @property
    def ended(self) -> bool:
        """Never: a log may always be written to."""
        return False

    @property
    def hurried(self) -> bool:
        """More waits than should until the next tick."""
        return any(follower.hurried for follower in self._live())

    @property
    def figures(self) -> tuple[Figures, ...]:
        """How each store stands, also one that nothing can be read into."""
        return tuple(self._figures_of(one) for one in tuple(self._followed.values()))

    @property
    def errors(self) -> tuple[LoganonError, ...]:
        """Of logs that belong to no store, as they were last seen."""
        return self._errors

    def tick(self, *, look: bool = True) -> None:
        """Sites that are new are followed, and every follower ticks."""
        if self._ticker.seconds() >= self._next_search:
            self._search()
        for follower in self._live():
            try:
                if blind := self._blind.pop(follower, None):
                    raise blind  # noqa: TRY301 - as what a tick meets
                follower.tick(look=look)
            except Exception as error:  # noqa: BLE001 - a fault of ours in one site must not keep the others waiting
                follower.fail(self._fault(error))

    def look(self) -> None:
        """Only look at the logs; what that meets in one site the next tick tells."""
        for follower in self._live():
            try:
                follower.look()
            except Exception as error:  # noqa: BLE001 - as above
                self._blind[follower] = error

    def stop(self) -> None:
        """Nothing more is read after some seconds; may be called from a signal handler."""
        self._stopped = True
        for follower in self._live():
            follower.stop()

    def finish(self) -> list[Summary]:
        """The last rounds are done: what was done in each store, with why nothing could be read into it."""
        self.stop()
        summaries = []
        for one in self._followed.values():
            summary = Summary(one.site.policy or "", one.site.store)
            if one.follower is not None:
                try:
                    summary = one.follower.finish()
                except Exception as error:  # noqa: BLE001 - as above
                    summary.report(self._fault(error))
            for found in one.errors:
                summary.report(found)
            summaries.append(summary)
        return summaries

    def close(self) -> None:
        """All descriptors are free."""
        for follower in self._live():
            follower.close()

    def _live(self) -> Iterator[Follower]:
        return (one.follower for one in tuple(self._followed.values()) if one.follower is not None)

    def _search(self) -> None:
        """Every store of the inputs has its follower, as far as what they name can be opened."""
        moment = self._ticker.seconds()
        self._next_search = moment + SEARCH_EVERY
        again = moment >= self._next_try
        if again:
            self._next_try = moment + AGAIN
            self._readings.retry()
        found = find_sites(self._inputs)
        for text in found.notes:
            self._troubles.note(text)
        self._errors = found.errors
        sites = {store_key(site.store): site for site in found.sites}
        feeds: dict[str, list[Feed]] = {}
        for feed in find_feeds(self._inputs):
            key = store_key(feed.store)
            feeds.setdefault(key, []).append(feed)
            sites.setdefault(key, Site(feed.store, feed.input.policy))  # its logs are still to come
        if self._only is not None:
            key = store_key(self._only)
            sites = {key: sites.get(key) or Site(self._only)}
        for key, site in sites.items():
            if not self._stopped:
                self._follow(self._followed.setdefault(key, _Followed(site)), site, feeds.get(key, ()), again=again)
        self._tell()

    def _follow(self, one: _Followed, site: Site, feeds: Sequence[Feed], *, again: bool) -> None:
        new = [feed for feed in feeds if _name(feed) not in one.feeds]
        if one.tried and not (again if one.errors or one.follower is None else new):
            return
        one.tried = True
        try:
            self._open(one, site, new)
        except LoganonError as error:
            one.errors.append(error)
        except Exception as error:  # noqa: BLE001 - as in `tick`
            one.errors.append(self._fault(error))

    def _open(self, one: _Followed, site: Site, new: Sequence[Feed]) -> None:
        """The store's follower gets what is new; where nothing can be read it prunes a store that stands."""
        one.errors = list(site.errors)
        usable = []
        for feed in new if not site.errors else ():
            try:
                usable.append((feed, self._readings.of(feed)))
            except LoganonError as error:
                one.errors.append(error)
        policy: Policy | str | None = None
        try:
            policy = policy_of(site) if not site.errors else None
        except LoganonError as error:
            one.errors.append(error)
            usable = []
        if one.follower is not None and not one.feeds and usable:  # it only pruned
            one.follower.close()
            one.follower = None
        fresh = one.follower is None
        if one.follower is None and (usable or site.stands):
            one.follower = self._make(site.store, policy if usable else None, self._teller, prune=not usable)
        if one.follower is None:
            return
        for feed, reading in usable:
            one.follower.add(feed.patterns, reading, partial(self._is_of_another, feed))
            one.feeds.add(_name(feed))
        if fresh:
            one.follower.open(raising=False)

    def _is_of_another(self, feed: Feed, log: str) -> bool:
        """Whether an input that stands before the feed's names the log for the same store; it does, site or no site."""
        for each in self._inputs:
            if each is feed.input:
                return False
            for pattern in each.logs:
                site = site_of(pattern, log) if SITE in pattern else None
                if site is not None and store_key(each.target.replace(SITE, site)) == store_key(feed.store):
                    return True
        return False

    def _tell(self) -> None:
        """Each error once, however many stores have it, and once more after it was over."""
        standing = {str(error): error for one in self._followed.values() for error in one.errors}
        standing |= {str(error): error for error in self._errors}
        for text, error in standing.items():
            self._troubles.met(text, error)
        for text in self._troubles.of(""):
            if text not in standing:
                self._troubles.over(text, f"no longer: {text}")

    def _figures_of(self, one: _Followed) -> Figures:
        if one.follower is not None:
            figures = one.follower.figures
            return replace(figures, troubles=figures.troubles + len(one.errors)) if one.errors else figures
        return figures_of(
            Totals("", one.site.store),
            None,
            (),
            bytes_read=0,
            lag=0,
            logs=0,
            troubles=len(one.errors),
            failures=1,
            backoff=AGAIN,
            ready=False,
            ticked=self._ticker.seconds(),
        )


class _OneVoice:
    """Says nothing again that it said within the last minute: many stores may have one trouble."""

    def __init__(self, teller: Teller, ticker: Ticker) -> None:
        self._teller = teller
        self._ticker = ticker
        self._said: dict[str, float] = {}

    def error(self, error: LoganonError) -> None:
        """Something failed."""
        if self._is_new(str(error)):
            self._teller.error(error)

    def note(self, text: str) -> None:
        """Something is worth knowing."""
        if self._is_new(text):
            self._teller.note(text)

    def _is_new(self, text: str) -> bool:
        moment = self._ticker.seconds()
        self._said = {said: at for said, at in self._said.items() if moment - at < AGAIN}
        new = text not in self._said
        self._said.setdefault(text, moment)
        return new


def _name(feed: Feed) -> tuple[int, str | None]:
    """What tells feeds of one store apart: the input, which lasts, and the site."""
    return id(feed.input), feed.site
