"""What follows from a policy's keys for whoever carries it out: ages, holds, the shape of the table, its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from loganon.aggregate import Fold, TableSpec
from loganon.fields import FIELDS, REQUESTS

if TYPE_CHECKING:
    from loganon.fields import Options
    from loganon.periods import Period, Spans
    from loganon.policy.elsewhere import AlsoExpire
    from loganon.policy.hold import Hold


class Meaning:
    """What a policy means; its keys are attributes of whatever is of this kind."""

    if TYPE_CHECKING:  # a model would take them for keys of its own
        keep_for: Period
        also_expire: tuple[AlsoExpire, ...]
        hold: tuple[Hold, ...]
        fields: Any

        @property
        def canonical(self) -> str:
            """The policy as JSON, the same for two files that mean the same."""

    def kept(self) -> Iterator[tuple[str, Options]]:
        """Each kept field and its options, in stored order."""
        for name in FIELDS:
            options = getattr(self.fields, name)
            if options is not None:
                yield name, options

    def held(self, today: date) -> Spans:
        """The spans of days (first, last) whose partitions are not deleted today, whatever their age."""
        return tuple(each.span for each in self.hold if each.span is not None and each.stands(today))

    def goes(self, day: date) -> date:
        """The day on which a partition goes: when its age has come, and the holds on it have ended."""
        return max([self.keep_for.after(day), *(each.until for each in self.hold if each.covers(day))])

    def closed(self, day: date, today: date) -> bool:
        """Whether a hold says that a day's partition is stored but not used: `report` leaves it out."""
        return any(each.covers(day) and not each.use and each.stands(today) for each in self.hold)

    @property
    def unguarded(self) -> bool:
        """Whether files elsewhere are deleted by the clock while no cutoff moves by whose step a wrong one shows."""
        return self.keep_for.unlimited and any(entry.action == "delete" for entry in self.also_expire)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of `canonical`, in hex."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @cached_property
    def spec(self) -> TableSpec:
        """The shape of the table that this policy stores."""
        keys: dict[str, pa.DataType] = {}
        measures: dict[str, pa.DataType] = {REQUESTS: pa.int64()}
        folds = []
        for name, options in self.kept():
            row = FIELDS[name]
            columns = row.columns(options)
            (measures if row.measure else keys).update(columns)
            minimum = getattr(options, "minimum", 0)
            if minimum > 1:
                folds.append(Fold(tuple(column for column, _ in columns), minimum, row.other[: len(columns)]))
        schema = pa.schema([pa.field(column, kind, nullable=False) for column, kind in {**keys, **measures}.items()])
        unit = str(self.fields.time.as_)
        return TableSpec(schema, tuple(keys), tuple(measures), unit, tuple(folds))

    @cached_property
    def networks(self) -> dict[str, tuple[int, int]]:
        """The columns in which networks may stand, and the lengths of their prefixes (IPv4, IPv6)."""
        rows = ((FIELDS[name], options) for name, options in self.kept())
        return {
            column: row.networks(options) for row, options in rows if row.networks for column, _ in row.columns(options)
        }
