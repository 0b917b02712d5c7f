"""Log formats out of a server's configuration: Apache's LogFormat, nginx's log_format, includes followed.

A reader of our own: crossplane, the one library for nginx, had its last release in 2022, and for Apache there is none.
It knows no conditions and no variables: it looks for the directives that define and use formats, wherever they stand.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loganon.errors import ConfigurationError, MissingInputError

_NGINX_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*(?:\n|$)|(?P<mark>[;{}])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<bare>(?:[^\s;{}\\"'$]|\\.|\$\{[^}]*\}|\$|(?<=[^\s;{}])["'])+))""",
    re.DOTALL,
)
_APACHE_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_ESCAPED = re.compile(r"\\([\"'\\trn])")
_CONTROLS = {"t": "\t", "r": "\r", "n": "\n"}
_MOST_FILES = 1000
_ESCAPES = {"default": "apache+nginx", "json": "json", "none": "none"}
_COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A server's ("apache", "nginx") log format: its `template`, how values are escaped, its name if it has one."""

    server: str
    template: str
    escape: str = "apache+nginx"
    name: str = ""


def parse_apache(text: str) -> LogFormat:
    r"""The format of a pasted string: bare, in quotes as in the configuration, or a whole `LogFormat` line."""
    text = text.strip()
    words = _apache_words(text)
    if words and words[0].lower() == "logformat":
        return _apache_format(words)
    named = len(words) == 2 and "%" not in words[1]
    if (len(words) == 1 or named) and text.startswith('"') and len(text) > 1:
        return LogFormat("apache", words[0])
    return LogFormat("apache", text)


def parse_nginx(text: str) -> LogFormat:
    """The format of a pasted string: bare, in several pieces in single quotes, or a whole `log_format` directive."""
    text = text.strip()
    if text.startswith(("log_format", "'", "escape=")):
        words = list(_nginx_words(text.rstrip(";") + ";"))[:-1]
        if words[0] == "log_format":
            return _nginx_format(words)
        return _nginx_format(["log_format", "", *words])
    return LogFormat("nginx", text)


def from_configuration(source: str) -> LogFormat:
    """The format that `FILE` or `FILE:NAME` names; without a name the one that is used, or the only one.

    ConfigurationError (78) where there is none or it is not certain which; MissingInputError (66) without the file.
    """
    path, name = Path(source), ""
    if not _exists(path, Path.is_file) and ":" in source:
        before, _, name = source.rpartition(":")
        path = Path(before)
    if not _exists(path, Path.is_file):
        raise MissingInputError("the configuration is missing", where=str(path), fix="Name another file")
    text = _read(path)
    found = _Nginx() if _is_nginx(text) else _Apache()
    found.read(path, root=path.parent)
    if isinstance(found, _Nginx) and name == "combined":  # it needs no definition
        found.formats.setdefault(name, LogFormat("nginx", _COMBINED, name=name))
    return found.choose(name, str(path))


class _Configuration(ABC):
    """What a configuration defines, by name, and which names it uses."""

    def __init__(self) -> None:
        self.formats: dict[str, LogFormat] = {}
        self.used: list[str] = []
        self._seen: set[Path] = set()

    def choose(self, name: str, where: str) -> LogFormat:
        """The format of that name, or the only one that is used, or defined."""
        known = ", ".join(sorted(self.formats)) or "none"
        if name:
            if name not in self.formats:
                raise ConfigurationError(f'no log format is named "{name}"', where=where, fix=f"Defined are: {known}")
            return self.formats[name]
        used = list(dict.fromkeys(each for each in self.used if each in self.formats))
        if len(used) == 1:
            return self.formats[used[0]]
        if self.used and not used:
            raise ConfigurationError(
                "the log format that is used here is defined elsewhere",
                where=where,
                fix="Name the main configuration, which includes this one",
            )
        if not self.formats:
            raise ConfigurationError(
                "the configuration defines no log format", where=where, fix="Name nginx's or Apache's main one"
            )
        if len(self.formats) == 1:
            return next(iter(self.formats.values()))
        raise ConfigurationError(
            "it is not certain which log format is meant", where=where, fix=f"Name one behind a colon: {known}"
        )

    def read(self, path: Path, *, root: Path) -> None:
        """What `path` and the files it includes define; `root` is where relative names of files begin."""
        path = path.resolve()
        if path in self._seen or len(self._seen) == _MOST_FILES:
            return
        self._seen.add(path)
        for words in self.statements(_read(path)):
            key = words[0].lower()
            if key in ("include", "includeoptional"):
                for each in _included(words, root):
                    self.read(each, root=root)
            else:
                root = self.take(key, words) or root

    @abstractmethod
    def statements(self, text: str) -> Iterator[list[str]]:
        """The directives of a file, each as its words."""

    @abstractmethod
    def take(self, key: str, words: Sequence[str]) -> Path | None:
        """Note what a directive says; the folder where relative names begin, if it says that."""


class _Nginx(_Configuration):
    def statements(self, text: str) -> Iterator[list[str]]:
        words: list[str] = []
        for word in _nginx_words(text):
            if isinstance(word, _Mark):
                if words:
                    yield words
                words = []
            else:
                words.append(word)

    def take(self, key: str, words: Sequence[str]) -> Path | None:
        if key == "log_format" and len(words) > 2:
            self.formats[words[1]] = _nginx_format(words)
        elif key == "access_log" and len(words) > 1 and words[1] != "off":
            name = words[2] if len(words) > 2 and "=" not in words[2] else "combined"
            if name == "combined":
                self.formats.setdefault(name, LogFormat("nginx", _COMBINED, name=name))
            self.used.append(name)
        return None


class _Apache(_Configuration):
    def statements(self, text: str) -> Iterator[list[str]]:
        for line in re.sub(r"\\\r?\n", "", text).splitlines():
            if line.strip() and not line.lstrip().startswith(("#", "<")) and (words := _apache_words(line)):
                yield words

    def take(self, key: str, words: Sequence[str]) -> Path | None:
        if key == "serverroot" and len(words) > 1 and _exists(Path(words[1]), Path.is_dir):
            return Path(words[1])
        if key == "logformat" and len(words) > 2:
            self.formats[words[2]] = _apache_format(words)
        elif key == "customlog" and len(words) > 2:
            name = words[2]
            if "%" in name:  # the format itself
                self.formats[name] = LogFormat("apache", name)
            self.used.append(name)
        elif key == "transferlog":
            self.used.append("")
        return None


def _apache_format(words: Sequence[str]) -> LogFormat:
    return LogFormat("apache", words[1], name=words[2] if len(words) > 2 else "")


def _apache_words(text: str) -> list[str]:
    """The words of a line; an escaped quote or backslash in quotes is that, other escapes are mod_log_config's."""
    return [
        re.sub(r'\\(["\\])', r"\1", found[1]) if found[1] is not None else found[2]
        for found in _APACHE_TOKEN.finditer(text)
    ]


def _nginx_format(words: Sequence[str]) -> LogFormat:
    pieces = list(words[2:])
    escape = "default"
    if pieces and pieces[0].startswith("escape="):
        escape = pieces.pop(0).removeprefix("escape=")
    if escape not in _ESCAPES:
        raise ConfigurationError(f"escape={escape} is none of nginx's", fix=f"Known are {', '.join(_ESCAPES)}")
    return LogFormat("nginx", "".join(pieces), _ESCAPES[escape], words[1])


class _Mark(str):
    """`;`, `{` or `}` that stands for itself."""

    __slots__ = ()


def _nginx_words(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _NGINX_TOKEN.match(text, at)
        if found is None:
            at += 1
            continue
        at = found.end()
        if found["mark"] is not None:
            yield _Mark(found["mark"])
            continue
        word = next((found[kind] for kind in ("double", "single", "bare") if found[kind] is not None), None)
        if word is not None:
            yield _ESCAPED.sub(lambda each: _CONTROLS.get(each[1], each[1]), word)


def _is_nginx(text: str) -> bool:
    """A configuration of nginx: its directives end with a semicolon."""
    return bool(
        re.search(
            r"^\s*(?:log_format|http|events|include|access_log|user|server)\b[^\n]*[;{}'\"]\s*(?:#.*)?$",
            text,
            re.MULTILINE,
        )
    )


def _included(words: Sequence[str], root: Path) -> list[Path]:
    if len(words) < 2:
        return []
    pattern = Path(words[1])
    if pattern.is_absolute():
        root, pattern = Path(pattern.anchor), pattern.relative_to(pattern.anchor)
    if str(pattern) in (".", ""):
        return []
    found = sorted(root.glob(str(pattern)))
    folders = [each for each in found if _exists(each, Path.is_dir)]  # Apache reads all files of a folder
    files = [each for each in found if _exists(each, Path.is_file)]
    return files + [each for folder in folders for each in sorted(folder.rglob("*")) if _exists(each, Path.is_file)]


def _exists(path: Path, is_one: Callable[[Path], bool]) -> bool:
    """Whether the path leads to a file, or a folder; ConfigurationError where this user may not know."""
    try:
        return is_one(path)
    except OSError:
        raise _closed(path) from None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        raise _closed(path) from None


def _closed(path: Path) -> ConfigurationError:
    return ConfigurationError("the configuration cannot be read", where=str(path), fix="Run as a user who may")
