"""What a command that only reads asks of each store: of one a failure is raised, of many it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from loganon.cli.messages import internal_error
from loganon.errors import LoganonError

if TYPE_CHECKING:
    from loganon.cli.sites import Chosen
    from loganon.sites import Site

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Asked(Generic[_Answer]):
    """A store's answer, or the error for which there is none."""

    store: str
    answer: _Answer | None = None
    error: LoganonError | None = None

    def as_dict(self, found: dict[str, Any], code: int, errors: list[str]) -> dict[str, Any]:
        """The store's object among those of many: what it has alone (`found`), its exit code, its errors."""
        if self.error is not None:
            code, errors = self.error.exit_code, [str(each) for each in getattr(self.error, "mistakes", (self.error,))]
        return {"store": self.store, **found, "exit_code": code, "errors": errors}


def ask_each(chosen: Chosen, ask: Callable[[Site], _Answer]) -> Iterator[Asked[_Answer]]:
    """Each store's answer, in order; of many those that do not stand yet are left out, and none spoils the others."""
    for site in chosen.sites:
        if chosen.many and not site.stands:
            continue
        try:
            site.require_known()
            yield Asked(site.store, ask(site))
        except Exception as error:
            if not chosen.many:
                raise
            yield Asked(site.store, error=error if isinstance(error, LoganonError) else internal_error(error))
