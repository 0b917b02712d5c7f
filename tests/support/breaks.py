"""For each rule of a policy a break, planted into a copy of a healthy store that is held under that policy.

A break is found by the key of its clause; a clause without one here fails `test_verify_clauses.py`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from loganon.policy import Policy
from loganon.policy.clauses import Clause, Kind
from support.defects import Change, extra_column, put, rewrite
from support.runs import NOW, ingest, line

SEALED, OPEN = date(2026, 11, 17), date(2026, 11, 20)
_CLIENTS = ("p5B2C1A0B.dip0.t-ipconnect.de", "91.44.26.11")


@dataclass(slots=True)
class Case:
    """A store, its policy, the folder of all other files, and how `verify` is to be asked."""

    store: Path
    policy: Policy
    folder: Path
    now: datetime = NOW
    raw: list[str] = field(default_factory=list)

    def cell(self, day: date = OPEN) -> Path:
        """The cell of ten o'clock."""
        return self.store / f"access/date={day}/hour-10.parquet"


def make_store(folder: Path, policy: Policy) -> Path:
    """Three days, the first of them sealed; each value of them stands often enough."""
    log = folder / "a.log"
    hour = [
        line(at, client=_CLIENTS[n % 2]) for at in map(_ten, (SEALED, OPEN, date(2026, 11, 21))) for n in range(120)
    ]
    log.write_bytes(b"".join(hour))
    ingest(folder / "store", [log], policy=policy)
    return folder / "store"


def _ten(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10, tzinfo=UTC)


# --- breaks -----------------------------------------------------------------------------------------------------------

Break = Callable[[Case, Clause], object]

STRANGERS: Mapping[str, object] = {
    "domain": "fam-schmidt.de",
    "network": "91.44.26.11/32",
    "file": "/search?q=jane",
    "browser": "sess-8f3a9c2d7e11bot",
    "bytes": -1,
    "method": "BREW",
    "protocol": "HTCPCP/1.0",
    "status": "999",
    "referrer": "fam-schmidt.de",
    "system": "Windows of Jane",
    "country": "Deutschland",
    "host": "other.example",
    "response_time": -1,
}
"""By field: what may not stand in its column. The others have a break of their own."""
RARE: Mapping[str, str] = {
    "domain": "vodafone-ip.de",
    "network": "203.0.113.0/24",
    "file": "/only",
    "browser": "Opera",
    "method": "PUT",
    "protocol": "HTTP/2",
    "status": "503",
    "referrer": "google.com",
    "system": "Windows",
    "country": "SE",
}
"""By field: what may stand in its column, and does not stand often enough."""


def _in_cell(change: Change) -> Break:
    return lambda case, _: rewrite(case.cell(), change)


def _with_null(table: pa.Table) -> pa.Table:
    nullable = pa.schema([each.with_nullable(True) for each in table.schema])
    rows = table.to_pylist()
    rows[0]["success"] = None
    return pa.Table.from_pylist(rows, schema=nullable)


def _stranger(case: Case, clause: Clause) -> None:
    """A value in the field's column that is of no list and no form."""
    name = clause.key.split(".")[1]
    change = _with_null if name == "success" else put(name, STRANGERS[name])
    if name in ("bytes", "response_time"):
        change = _lower(name)
    rewrite(case.cell(), change)


def _lower(column: str) -> Change:
    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        rows[0][column] = -1
        return pa.Table.from_pylist(rows, schema=table.schema)

    return change


def _rare(case: Case, clause: Clause) -> None:
    """A value that few accesses of a sealed day had."""
    name = clause.key.split(".")[1]
    routes = getattr(getattr(case.policy.fields, name), "routes", ())
    rewrite(case.cell(SEALED), _one_of(name, routes[-1] if routes else RARE[name]))


def _one_of(column: str, value: str) -> Change:
    """One access of the first row has another value."""

    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        one = rows[0] | {column: value, "requests": 1, "bytes": 0}
        rows[0] = rows[0] | {"requests": rows[0]["requests"] - 1}
        keys = table.column_names[: table.column_names.index("requests")]
        return pa.Table.from_pylist(sorted([*rows, one], key=lambda row: [row[key] for key in keys]), table.schema)

    return change


def _older(case: Case, _: Clause) -> None:
    """The clock goes on, and nobody deletes."""
    if case.policy.keep_for.unlimited:
        _edit_policy(case, lambda text: text["fields"].update(network={"as": "truncated"}))
    else:
        goes = case.policy.keep_for.after(SEALED)
        case.now = datetime(goes.year, goes.month, goes.day, tzinfo=UTC)


def _raw(name: str) -> Break:
    def plant(case: Case, _: Clause) -> None:
        path = case.folder / "logs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x\n")
        moment = (NOW - timedelta(days=400)).timestamp()
        os.utime(path, (moment, moment))
        case.raw = [str(path)]

    return plant


def _overdue(case: Case, clause: Clause) -> None:
    entry = next(each for each in case.policy.also_expire if f'"{each.name}"' in clause.key)
    path = Path(entry.path.replace("*", "2001-01-01"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def _ended(case: Case, clause: Clause) -> None:
    until = next(each.until for each in case.policy.hold if f'"{each.scope}"' in clause.key)
    case.now = datetime(until.year, until.month, until.day, tzinfo=UTC)


def _edit_policy(case: Case, change: Callable[[dict[str, Any]], object]) -> None:
    """The frozen policy says something else, by another hand than loganon's."""
    path = case.store / "_loganon/store.json"
    document = json.loads(path.read_text())
    text = json.loads(document["policy"]["text"])
    change(text)
    document["policy"]["text"] = json.dumps(text, sort_keys=True)
    path.write_text(json.dumps(document) + "\n")


def _otherwise(table: str, key: str, value: object) -> Break:
    """The frozen policy has another value for a key."""

    def change(text: dict[str, Any]) -> None:
        part = text[table][0] if isinstance(text[table], list) else text[table]
        part[key] = value

    return lambda case, _: _edit_policy(case, change)


BREAKS: Mapping[str, Break] = {
    "version": lambda case, _: rewrite(case.cell(), policy_sha256="0" * 64),
    "keep_for": _older,
    "purpose.evaluate": _otherwise("purpose", "evaluate", True),
    "purpose.share": lambda case, _: case.cell().chmod(0o644),
    "raw.access": _raw("access.log.1"),
    "raw.error": _raw("error.log.1"),
    "consent.require": _otherwise("consent", "require", []),
    "consent.exclude_when": _otherwise("consent", "exclude_when", []),
    "scope.sites": _in_cell(put("host", "other.example")),
    "also_expire.age": _overdue,
    "also_expire.action": _overdue,
    "hold.until": _ended,
    "hold.use": _otherwise("hold", "use", True),
    "fields": _in_cell(extra_column),
    "fields.*": _stranger,
    "fields.*.minimum": _rare,
    "fields.time": _in_cell(put("time", datetime(2026, 11, 20, 9, tzinfo=UTC))),
    "fields.domain.known_only": _in_cell(put("domain", "fam-schmidt.de")),
    "fields.domain.known": _in_cell(put("domain", "example.org")),
    "fields.network.v4": _in_cell(put("network", "91.44.26.128/25")),
    "fields.network.v6": _in_cell(put("network", "2003:0:ab:1::/64")),
    "fields.file.routes": _in_cell(put("file", "/not/listed")),
    "fields.referrer.known": _in_cell(put("referrer", "example.org")),
}
"""By key, entries of lists without their names; `fields.*` for each field that has none of its own."""


def breaks_of(clause: Clause) -> Break | None:
    """The break of a clause; None where there is none, or nothing that could be broken but by people."""
    if clause.kinds == (Kind.ATTESTED,):
        return None
    pattern = re.sub(' "[^"]*"', "", clause.key)
    if pattern in BREAKS:
        return BREAKS[pattern]
    first, _, rest = pattern.partition(".")
    _, dot, key = rest.partition(".")
    return BREAKS.get(f"{first}.*{dot}{key}")
