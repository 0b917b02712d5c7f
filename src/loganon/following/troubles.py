"""What stands in the way of following, said once when it begins and once when it is over."""

from __future__ import annotations

from typing import Protocol

from loganon.errors import LoganonError
from loganon.refusals import SkippedError

_MOST_NOTES = 1000


class Teller(Protocol):
    """Where messages go."""

    def error(self, error: LoganonError) -> None:
        """Something failed."""
        ...

    def note(self, text: str) -> None:
        """Something is worth knowing."""
        ...


class Troubles:
    """The troubles that last, by what they concern (a log's path, a store, a database)."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._said: dict[str, tuple[type[LoganonError], str]] = {}
        self._unsaid: dict[str, int] = {}
        self._notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._said)

    def of(self, prefix: str) -> list[str]:
        """The subjects in trouble that begin so."""
        return [subject for subject in self._said if subject.startswith(prefix)]

    def note(self, text: str) -> None:
        """Something worth knowing, said once however often it is found."""
        if text not in self._notes:
            self._notes = (*self._notes[-_MOST_NOTES:], text)
            self._teller.note(text)

    def met(self, subject: str, error: LoganonError, *, times: int = 1) -> None:
        """The subject fails; said if it did not fail so before, and only when it was met so many `times` in a row."""
        without_format = isinstance(error, SkippedError) and error.reason == "no_format"
        kind = type(error), "" if without_format else error.what  # its details differ with the lines of a pipe
        if self._said.get(subject) == kind:
            return
        met = self._unsaid.get(subject, 0) + 1
        if met < times:
            self._unsaid[subject] = met
            return
        self._unsaid.pop(subject, None)
        self._said[subject] = kind
        self._teller.error(error)

    def over(self, subject: str, text: str = "") -> None:
        """The subject is well; `text` is said if that is news."""
        self._unsaid.pop(subject, None)
        if self._said.pop(subject, None) is not None and text:
            self._teller.note(text)
