"""What a directive of a template writes."""

from __future__ import annotations

from dataclasses import dataclass, replace

LIST = 9
"""The rank of a list of forwarded addresses among what may be the client."""


@dataclass(frozen=True, slots=True)
class Directive:
    """`column`: the raw column that it gives (None: nothing of it is ever kept). `kind`: its shape in a line.

    `personal`: it tells of a person. `rank`: of several that give one column the lowest is read. `form`: of a time,
    the written form: a name of `formats.TIMES`, or strftime's.
    """

    column: str | None
    kind: str
    personal: bool = False
    rank: int = 0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A literal `text`, or a `directive` as it is written; `enclosed`: the quotes or brackets around its value."""

    text: str
    directive: Directive | None = None
    enclosed: str = ""

    @property
    def quoted(self) -> bool:
        """The value stands in quotes."""
        return self.enclosed == '""'

    @property
    def closed(self) -> bool:
        """The value ends where its enclosure does."""
        return bool(self.enclosed)

    def with_column(self, column: str | None) -> Token:
        """The token, with its value in another column; None: nothing of it is kept."""
        return self if self.directive is None else replace(self, directive=replace(self.directive, column=column))
