"""The family and major version that an agent string names, from a closed list; never a part of the string itself.

The rules are uap-core's (see `agent_rules`). Nearly half of them take the name from the string; so a name is only given
if it stands in `data/browsers.txt`, and in that file's spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args
from urllib.parse import quote, unquote

import polars as pl
import ua_parser_builtins

from loganon.errors import ConfigurationError
from loganon.lookups.lists import DATA, load_list

if TYPE_CHECKING:
    from loganon.lookups.agent_columns import AgentColumns

Kind: TypeAlias = Literal["browser", "bot", "library"]
Answer: TypeAlias = tuple[str, str]

UNKNOWN: Answer = ("unknown", "")
OTHER: Answer = ("other", "")
OTHER_BOT: Answer = ("other-bot", "")
KINDS = frozenset(get_args(Kind))

LONGEST = 2048  # characters of an agent that are looked at; real ones are below 1,000
CAPACITY = 16_384  # answers kept; with the longest agents of one byte a character 32 MiB
MANY = 4096
"""Of so many agents those that a column can answer are not asked for one by one."""

_MAJOR = re.compile(r"[0-9]{1,3}", re.ASCII)
_PLACED = re.compile(  # the place of a name (the beginning, after `compatible; `), and one word
    r"(\A|(?<=compatible; )|(?<=compatible;))?(?<![0-9A-Za-z_.@/-])"
    r"([A-Za-z][0-9A-Za-z_-]*(?:\.[A-Za-z][0-9A-Za-z_-]*)*)"
)
_SLASH = re.compile(r"/v?(?:([0-9]{1,3})(?![0-9]))?")  # behind a name: a slash, the major version
_WITHOUT_RULE = {
    *("akregator", "amaya", "apple-pubsub", "cyberdog", "discord", "emclient", "feeddemon", "feedreader", "kmail"),
    *("kodi", "librewolf", "netflix", "netsurf", "newsbeuter", "newsboat", "plex", "readkit", "reddit", "rssbandit"),
    *("rssowl", "w3m", "zoom"),
}
"""Browsers and applications of the list that no rule names, in small letters."""
_WEB_VIEWS = frozenset(("Chrome Mobile WebView", "Mobile Safari UI/WKWebView"))
"""A page in an application on a telephone: its name at the end, be it that of a service with robots, is a person's."""
_PRODUCTS_WITHIN = 512  # characters of an agent
_WORDS_OF_NAME = 4
_ENDING = 96  # characters that hold a name of so many words, and a version
_BEHIND = frozenset(("", *" /;,()"))  # what may stand behind a name of several words
_BOT = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[-_./;)0-9]|robot|crawl|spider|slurp|scrap(?:e|y|ing)\b|scraper|archiver|indexer"
    r"|validator|linkcheck|link ?checker|(?:health|site|uptime|status)[-_ ]?check|monitor(?:ing)?\b"
    r"|feed ?(?:fetch|pars|read)|favicon|https?://|@[0-9a-z-]{1,64}\.[a-z]|screenshot|preview|checker|fetcher"
    r"|scanner|research|headless|thumbnail|lighthouse|newspaper|outbrain|zabbix|aggregator|selenium|playwright"
    r"|puppeteer|analy[sz]er|survey|sitemap|synthetic|subscribers?\b|prefetch|[;( ]\+[0-9a-z-]{1,63}\.[a-z]"
    r"|(?:\A|[ (;])(?:www\.[a-z]|[0-9a-z-]+(?:\.[0-9a-z-]+)*\.(?:com|org|io|ai)(?![0-9a-z_.-]))",
    re.IGNORECASE | re.ASCII,
)
_WORDS = (
    *("bot", "crawl", "spider", "slurp", "scrap", "archiver", "indexer", "validator", "check", "monitor", "feed"),
    *("favicon", "://", "@", "screenshot", "preview", "fetcher", "scanner", "research", "headless", "thumbnail"),
    *("lighthouse", "newspaper", "outbrain", "zabbix", "aggregator", "selenium", "playwright", "puppeteer"),
    *("analyzer", "analyser", "survey", "sitemap", "synthetic", "subscriber", "prefetch"),
    *("www.", ".com", ".org", ".io", ".ai", ";+", "(+", " +"),
)
"""One of these, in small letters, is in all that `_BOT` finds: they are looked for in a tenth of its time."""
_SURE_WORDS = (
    *("bot", "crawler", "spider", "://", "headless", "lighthouse", "selenium", "playwright", "puppeteer"),
    *("linkcheck", "feed fetcher", "@", " compatible;", " (compatible;", ";+", "(+", " +"),
)
"""The same of `_SURE_BOT`."""
_SURE_BOT = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot/|crawler|spider|\+https?://|[; (]https?://|headless|lighthouse|selenium|playwright"
    r"|puppeteer|robots/|linkcheck|feed fetcher|@[0-9a-z-]{1,64}\.[a-z]"
    r"|[;( ]\+[0-9a-z-]{1,63}\.[a-z]|(?:gecko\)?;|safari/[0-9.]{1,16};?) \(?compatible;",
    re.IGNORECASE | re.ASCII,
)


@cache
def load_families() -> Mapping[str, tuple[str, Kind]]:
    """The closed list: case-folded name -> (name as stored, kind)."""
    families: dict[str, tuple[str, Kind]] = {}
    text = (DATA / "browsers.txt").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind, _, name = line.partition(" ")
        if kind not in KINDS or not name or name.casefold() in families:
            raise ConfigurationError(
                "A line of the list of browsers is not understood, or repeats a name",
                where=f"browsers.txt, line {number}",
                fix="Install loganon again",
            )
        families[name.casefold()] = (name, kind)  # type: ignore[assignment]  # `kind` was tested against KINDS
    return families


@cache
def load_rules_version() -> str:
    """The version of the rules that are installed: the folder of their record has it in its name, by the packaging
    specifications; only where that is not so is the record read, by what takes 10 ms to import.
    """
    folders = Path(str(ua_parser_builtins.__file__)).parents[1].glob("ua_parser_builtins-*.dist-info")
    found = [folder.name.removesuffix(".dist-info").partition("-")[2] for folder in folders]
    return found[0] if len(found) == 1 else str(import_module("importlib.metadata").version("ua-parser-builtins"))


@cache
def _rules() -> Any:
    """The module `agent_rules`, loaded for the first agent: a run with nothing new has none."""
    return import_module("loganon.lookups.agent_rules")


@cache
def _columns() -> AgentColumns:
    """The rules for the usual ones of many agents: what is neither listed, nor a program, nor a bot is `other`."""
    families = load_families()
    programs = [name for name in families if _is_program(name) and name[0].isalpha()]
    columns: AgentColumns = _rules().make_columns(
        lambda family: families.get(family.strip().casefold(), OTHER)[0],
        others=(_BOT.pattern, _SURE_BOT.pattern),
        texts=programs,
        names=_own_names(),
        most=LONGEST,
    )
    return columns


class Agents:
    """`agents(agent)` -> (family, major version): the answer for one agent string, remembered for the latest ones.

    Family: a name of the closed list, `other-bot` (says that it is one), `other`, or `unknown` (empty, `-`, no string).
    Version: one to three digits, else empty; always empty without a name.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._known: dict[str, Answer] = {}

    def __call__(self, agent: str | None) -> Answer:
        """The family and major version."""
        agent = (agent or "")[:LONGEST]
        answer = self._known.get(agent)
        if answer is None:
            if len(self._known) >= self._capacity:  # a flood of unique agents costs a cache, not the memory
                self._known.clear()
            answer = self._known[agent] = _resolve(agent)
        return answer

    def column(self, agents: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The families and the major versions of a column of distinct agents (String)."""
        if len(agents) < MANY:
            known = self._known
            return _as_columns([known.get(agent) or self(agent) for agent in agents.to_list()])
        family, major = _columns()(agents)
        left = family.is_null().arg_true()
        families, majors = _as_columns([self(agent) for agent in agents.gather(left).to_list()])
        return family.scatter(left, families), major.scatter(left, majors)


def _as_columns(answers: list[Answer]) -> tuple[pl.Series, pl.Series]:
    family = pl.Series([name for name, _ in answers], dtype=pl.String)
    return family, pl.Series([major for _, major in answers], dtype=pl.String)


class Systems:
    """`systems(agent)` -> the family of the operating system: one of the closed list, `other`, or `unknown`."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._known: dict[str, str] = {}
        self._names = {name.casefold(): name for name in load_list("systems")}

    def __call__(self, agent: str | None) -> str:
        """The family."""
        agent = (agent or "")[:LONGEST]
        if agent.strip() in {"", "-"}:
            return UNKNOWN[0]
        answer = self._known.get(agent)
        if answer is None:
            if len(self._known) >= self._capacity:
                self._known.clear()
            found = _rules().find_system(agent)
            answer = self._names.get(found.casefold(), OTHER[0]) if found is not None else OTHER[0]
            self._known[agent] = answer
        return answer


def _resolve(agent: str) -> Answer:
    if agent.strip() in {"", "-"}:
        return UNKNOWN
    own = _own(agent)
    if own is not None:
        return own
    found = _rules().find_browser(agent)
    named = load_families().get(found[0].strip().casefold()) if found is not None else None
    if found is None or named is None:
        return _program(agent) or (OTHER_BOT if _is_bot(agent) else OTHER)
    name, kind = named
    if kind == "browser" and "Mozilla/" in agent:
        if _is_surely_bot(agent):
            return _program(agent) or OTHER_BOT
        find = _ending if agent.startswith("Mozilla/") else _beginning
        if name not in _WEB_VIEWS and (bot := find(agent)) is not None:
            return bot
    major = found[1]
    return name, major if _MAJOR.fullmatch(major) else ""


def _is_bot(agent: str) -> bool:
    small = agent.lower()
    return any(word in small for word in _WORDS) and _BOT.search(agent) is not None


def _is_surely_bot(agent: str) -> bool:
    small = agent.lower()
    return any(word in small for word in _SURE_WORDS) and _SURE_BOT.search(agent) is not None


def _own(agent: str) -> Answer | None:
    """The answer for an agent that says no more than one, as `loganon filter` writes it (`Mobile Safari/17`)."""
    family, slash, major = agent.rpartition("/")
    if not (slash and _MAJOR.fullmatch(major)):
        family, major = agent, ""
    name = _own_names().get(family)
    return None if name is None else (name, major)


@cache
def _own_names() -> Mapping[str, str]:
    """Each name of the list as a log may have it -> the name: as it is, percent-encoded, or decoded once too often."""
    names = [name for name, _ in load_families().values()]
    printable = "".join(map(chr, range(0x20, 0x7F)))
    encoded = {quote(name, safe=printable): name for name in names}
    return {unquote(name): name for name in names} | encoded | {name: name for name in names}


def _is_program(name: str) -> bool:
    """Whether a name (in small letters) is that of a listed bot or library, or of what no rule names."""
    return load_families().get(name, ("", "browser"))[1] != "browser" or name in _WITHOUT_RULE


@cache
def _programs() -> Mapping[str, tuple[str, ...]]:
    """The first word of each program of the list -> the names that begin with it, the longest first."""
    programs: dict[str, list[str]] = {}
    for name in sorted(filter(_is_program, load_families()), key=len, reverse=True):
        if (word := _PLACED.match(name)) is not None:
            programs.setdefault(word[2], []).append(name)
    return {word: tuple(names) for word, names in programs.items()}


def _program(agent: str) -> Answer | None:
    """The first program of the list that stands in the agent as a product, where the rules know none."""
    within = agent[:_PRODUCTS_WITHIN]
    for word in _PLACED.finditer(within):
        for name in _programs().get(word[2].lower(), ()):
            end = word.start(2) + len(name)
            if within[word.start(2) : end].lower() == name and (end == word.end(2) or within[end : end + 1] in _BEHIND):
                slash = _SLASH.match(within, end)
                if word[1] is not None or slash is not None:
                    return load_families()[name][0], (slash and slash[1]) or ""
    return _ending(agent) if agent.startswith("Mozilla/") else None


def _beginning(agent: str) -> Answer | None:
    """The bot of the list at the beginning of an agent, before the browser's that it quotes."""
    found = _program(agent)
    if found is None or load_families()[found[0].casefold()][1] != "bot":
        return None
    return found if agent[: len(found[0])].casefold() == found[0].casefold() else None


@cache
def _last_words() -> frozenset[str]:
    return frozenset(name.rpartition(" ")[2] for name, kind in load_families().values() if kind == "bot")


def _ending(agent: str) -> Answer | None:
    """The bot of the list that stands last in an agent, behind what it says of a browser (`… Chrome-Lighthouse`)."""
    end = agent[-_ENDING:].rstrip(" ;)").replace("(", " ")
    if end[end.rfind(" ") + 1 :].partition("/")[0] not in _last_words():
        return None
    words = end.rsplit(" ", _WORDS_OF_NAME)[1:]
    for first in range(len(words)):
        text = " ".join(words[first:])
        name = text.partition("/")[0]
        listed, kind = load_families().get(name.casefold(), ("", "browser"))
        if kind == "bot" and listed == name and name[0].isalpha():
            slash = _SLASH.match(text, len(name))
            return name, (slash and slash[1]) or ""
    return None


def is_bot(agent: str | None) -> bool:
    """Whether an agent is a bot of the list, or says that it is one."""
    family, _ = _resolve((agent or "")[:LONGEST])
    return family == OTHER_BOT[0] or load_families().get(family.casefold(), ("", "browser"))[1] == "bot"
