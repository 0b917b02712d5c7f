"""Which accepted lines are left out before anything else is done with them: by rule, or for want of consent.

A rule names what it looks at; all that it names must agree. Values are compared as they stand in the log, once for each
distinct value, and go nowhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import ip_network

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from loganon.addresses import Network
from loganon.errors import ConfigurationError
from loganon.hosts import site_name
from loganon.lookups.agents import OTHER, OTHER_BOT, UNKNOWN, Agents, is_bot, load_families
from loganon.treatments.client import read_client
from loganon.treatments.file import request_paths

BOTS = "bots"
_METHOD = r"^([A-Za-z][A-Za-z0-9_-]{0,31}) "

Columns = Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Rule:
    """Lines to leave out. `path`: a glob (`*` any text, `?` one character) of the path without its query, `client`: a
    network, `browser`: a family of the list or `bots`, `method`: in capitals or not.
    """

    path: str | None = None
    client: Network | None = None
    browser: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a line must show. `require`: it carries these (`cookie`), where the format shows them; `exclude_when`:
    signals (`DNT`, `Sec-GPC`) by which a visitor objects. Neither is consent itself.
    """

    require: tuple[str, ...] = ()
    exclude_when: tuple[str, ...] = ()


SIGNALS = {"cookie": "cookie", "DNT": "dnt", "Sec-GPC": "gpc"}
"""The raw column in which a format shows each."""


def parse_rules(entries: Iterable[Mapping[str, object]], *, where: str) -> tuple[Rule, ...]:
    """The rules that tables such as `{"client": "10.0.0.0/8"}` write; ConfigurationError says what is wrong."""
    return tuple(_rule(entry, where) for entry in entries)


def _rule(entry: Mapping[str, object], where: str) -> Rule:
    known = [field.name for field in fields(Rule)]
    given: dict[str, str] = {}
    for key, value in entry.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            fix = f'Did you mean "{near[0]}"?' if near else f"Known are {', '.join(known)}"
            raise ConfigurationError(f'an exclusion has the unknown key "{key}"', where=where, fix=fix)
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"the exclusion's {key} is no text", where=where, fix='Write it as "…"')
        given[key] = value
    if not given:
        raise ConfigurationError("an exclusion names nothing", where=where, fix=f"Name one of {', '.join(known)}")
    try:
        network = ip_network(given["client"], strict=False) if "client" in given else None
    except ValueError:
        fix = "Write it as 10.0.0.0/8 or 2001:db8::/32"
        raise ConfigurationError("the exclusion's client is no network", where=where, fix=fix) from None
    if "browser" in given:
        _check_browser(given["browser"], where)
    return Rule(given.get("path"), network, given.get("browser"), given.get("method"))


def _check_browser(name: str, where: str) -> None:
    """ConfigurationError where no agent is of that name: a rule that leaves nothing out is a mistake."""
    known = {folded: family for folded, (family, _) in load_families().items()}
    known |= {each: each for each in (BOTS, OTHER[0], OTHER_BOT[0], UNKNOWN[0])}
    if name.casefold() not in known:
        near = [m for names in ((BOTS,), known) for m in difflib.get_close_matches(name.casefold(), names, n=1)]
        fix = f'Did you mean "{known[near[0]]}"?' if near else 'Name a family of the list, as "Firefox", or "bots"'
        raise ConfigurationError("no browser of the list has the exclusion's name", where=where, fix=fix)


class Exclude:
    """`exclude(columns, rows)` -> a mask of the lines that the rules leave out, and one of those without consent.

    `sites`: where they are named, lines of other hosts are left out, as far as the format shows the host. None stands
    for no line. `trusted`: as the treatments of a client have them, so that a list is of the same client here. `raw`:
    the raw columns that are looked at.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        consent: Consent | None = None,
        sites: Iterable[str] = (),
        trusted: Sequence[Network] = (),
    ) -> None:
        self._rules = tuple(rules)
        self._trusted = tuple(trusted)
        self._consent = consent or Consent()
        self._agents = Agents()
        self._sites = frozenset(sites)
        self.raw = frozenset(raw for rule in self._rules for raw in _raw(rule)) | frozenset(
            SIGNALS[name] for name in (*self._consent.require, *self._consent.exclude_when)
        )
        self.raw |= {"host"} if self._sites else frozenset()

    def __call__(self, columns: Columns, rows: int) -> tuple[pa.Array | None, pa.Array | None]:
        """The masks for the rows of a chunk."""
        excluded = None
        if self._sites and "host" in columns:
            excluded = _by_value(columns, "host", self._is_foreign, unread=True)
        for rule in self._rules:
            excluded = _either(excluded, self._matches(rule, columns, rows))
        return excluded, self._refuses(columns)

    def _is_foreign(self, hosts: pl.Series) -> pl.Series:
        """A host that is none of one's own sites; also one that the line leaves out."""
        return pl.Series([host is None or site_name(host) not in self._sites for host in hosts], dtype=pl.Boolean)

    def _matches(self, rule: Rule, columns: Columns, rows: int) -> pa.Array:
        found = pa.repeat(pa.scalar(value=True), rows)
        for test in self._tests(rule, columns):
            found = pc.and_(found, test)
        return found

    def _tests(self, rule: Rule, columns: Columns) -> list[pa.Array]:
        request = "request" in columns
        tests = []
        if rule.path is not None:
            pattern = _glob(rule.path)
            raw = "request" if request else "path"
            tests.append(_by_value(columns, raw, lambda s: request_paths(s, raw=raw).str.contains(pattern)))
        if rule.method is not None:
            wanted = rule.method.upper()
            raw = "request" if request else "method"
            tests.append(_by_value(columns, raw, lambda s: _methods(s, request=request) == wanted))
        if rule.client is not None:
            network = rule.client
            tests.append(_by_value(columns, "client", lambda s: _each(s, lambda value: self._within(value, network))))
        if rule.browser is not None:
            tests.append(_by_value(columns, "agent", lambda s: _each(s, self._is_browser(str(rule.browser)))))
        return tests

    def _within(self, value: str, network: Network) -> bool:
        address, _ = read_client(value, self._trusted)
        return address is not None and address.version == network.version and address in network

    def _is_browser(self, wanted: str) -> Callable[[str], bool]:
        if wanted.casefold() == BOTS:
            return is_bot
        return lambda agent: self._agents(agent)[0].casefold() == wanted.casefold()

    def _refuses(self, columns: Columns) -> pa.Array | None:
        refused = None
        for names, test in ((self._consent.require, _missing), (self._consent.exclude_when, _set)):
            for raw in (SIGNALS[name] for name in names):
                if raw in columns:
                    refused = _either(refused, _by_value(columns, raw, test))
        return refused


def _missing(values: pl.Series) -> pl.Series:
    return values.is_in(["", "-"]) | values.is_null()


def _set(values: pl.Series) -> pl.Series:
    return values == "1"


def _raw(rule: Rule) -> tuple[str, ...]:
    named = {
        ("request", "path"): rule.path,
        ("request", "method"): rule.method,
        ("client",): rule.client,
        ("agent",): rule.browser,
    }
    return tuple(name for names, value in named.items() if value is not None for name in names)


def _by_value(columns: Columns, raw: str, test: Callable[[pl.Series], pl.Series], *, unread: bool = False) -> pa.Array:
    """What `test` says of each row's value, `unread` of one that it cannot; False for all where the format has none."""
    if raw not in columns:
        return pa.repeat(pa.scalar(value=False), len(next(iter(columns.values()))))
    column = columns[raw]
    values = pl.Series([_text(value) for value in column.dictionary.to_pylist()], dtype=pl.String)
    return test(values).fill_null(value=unread).to_arrow().take(column.indices)


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _each(values: pl.Series, test: Callable[[str], bool]) -> pl.Series:
    return pl.Series([value is not None and test(value) for value in values], dtype=pl.Boolean)


def _methods(values: pl.Series, *, request: bool) -> pl.Series:
    return (values.str.extract(_METHOD) if request else values).str.to_uppercase()


def _glob(pattern: str) -> str:
    """The glob as a regular expression of the Rust engine: linear in the length of the path."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return f"(?s)^{''.join(parts)}$"


def _either(one: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    if one is None or other is None:
        return other if one is None else one
    return pc.or_(one, other)
