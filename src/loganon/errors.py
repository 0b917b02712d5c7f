"""Errors that loganon raises on purpose: what, where, what to do; an exit code on each class.

Only `cli` catches them. A message never holds a value from a log line: paths and keys are the operator's.
"""

from __future__ import annotations

from collections.abc import Callable


class LoganonError(Exception):
    """One line for the operator: `WHAT. WHERE. WHAT TO DO.`; `exit_code` is the process's."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = printable(what)
        self.where = printable(where)
        self.fix = printable(fix)
        super().__init__(" ".join(_sentence(part) for part in (self.what, self.where, self.fix) if part))

    def __reduce__(self) -> tuple[Callable[..., LoganonError], tuple[object, ...], dict[str, object]]:
        """What makes it again, a class with other arguments, too: errors go between processes, also in summaries."""
        return _again, (type(self), self.args), self.__dict__


class CheckError(LoganonError):
    """A check did not hold: the clock guard, something overdue that still stands."""

    exit_code = 1


class UnreadableDataError(LoganonError):
    """A non-empty input has no line of the format, was set aside, or is damaged."""

    exit_code = 65


class MissingInputError(LoganonError):
    """A named input is missing or cannot be opened."""

    exit_code = 66


class GoneInputError(MissingInputError):
    """A log is not there; that is no mistake where a glob had found it."""


class InternalError(LoganonError):
    """An error inside loganon."""

    exit_code = 70


class CannotWriteError(LoganonError):
    """The store, or standard output, cannot be written: permissions, a full disk, a read-only file system."""

    exit_code = 73


class InputOutputError(LoganonError):
    """An operation on a file failed, or a file of the store is not what the journal says it is."""

    exit_code = 74


class UnreadableInputError(InputOutputError):
    """Reading an input failed: the disk or the mount, not the store; other inputs are read all the same."""


class BusyError(LoganonError):
    """Another process holds the store."""

    exit_code = 75


class ConfigurationError(LoganonError):
    """Policy, key, provider database or store configuration is wrong."""

    exit_code = 78


def printable(text: str) -> str:
    """The text on one line: control characters, and the bytes of a file name that is no text, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _again(kind: type[LoganonError], args: tuple[object, ...]) -> LoganonError:
    return kind.__new__(kind, *args)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
