"""The keys of a store's objects, under its prefix.

access/date=YYYY-MM-DD/hour-HH[.WRITER].parquet     the table, as in a directory
_loganon/store.json                                 identity, frozen policy, key check
_loganon/state.json                                 the cutoff
_loganon/births.json                                sources that are known and not yet recorded
_loganon/sources/<id>.json                          one record a source
_loganon/batches/<id>/<start offset>                batches that are committed and not yet in record and table
_loganon/seals/date=YYYY-MM-DD                      the values that stand in a sealed day
_loganon/deletions.jsonl                            what was deleted, when, by which rule
_loganon/probes/<random>                            written and deleted at once, to see how the bucket behaves
"""

from __future__ import annotations

import re
from datetime import date

from loganon.store.layout import (
    PRIVATE_NAME,
    TABLE,
    CellName,
    parse_cell,
    parse_partition,
    parse_record,
    partition_name,
    record_file,
)

STORE = f"{PRIVATE_NAME}/store.json"
STATE = f"{PRIVATE_NAME}/state.json"
BIRTHS = f"{PRIVATE_NAME}/births.json"
SOURCES = f"{PRIVATE_NAME}/sources"
BATCHES = f"{PRIVATE_NAME}/batches"
SEALS = f"{PRIVATE_NAME}/seals"
DELETIONS = f"{PRIVATE_NAME}/deletions.jsonl"
PROBES = f"{PRIVATE_NAME}/probes"
_FOLDERS = frozenset(("", TABLE, PRIVATE_NAME, SOURCES, BATCHES, SEALS, PROBES))

_BATCH = re.compile(rf"{BATCHES}/([a-z0-9][a-z0-9-]{{7,63}})/([0-9]{{20}})")


def source_key(source: str) -> str:
    """The key of a source's record; ValueError for an id that could lead elsewhere."""
    return f"{SOURCES}/{record_file(source)}"


def parse_source(key: str) -> str | None:
    """The source of a record's key; None for any other key."""
    folder, _, name = key.rpartition("/")
    return parse_record(name) if folder == SOURCES else None


def batch_key(source: str, start: int) -> str:
    """The key of the batch that goes on at this offset of the source: there can be one."""
    return f"{BATCHES}/{source}/{start:020d}"


def parse_batch(key: str) -> tuple[str, int] | None:
    """Source and start of a batch's key; None for any other key."""
    match = _BATCH.fullmatch(key)
    return (match[1], int(match[2])) if match else None


def seal_key(day: date) -> str:
    """The key of a sealed day's values."""
    return f"{SEALS}/{partition_name(day)}"


def parse_seal(key: str) -> date | None:
    """The day of a seal's key; None for any other key."""
    folder, _, name = key.rpartition("/")
    return parse_partition(name) if folder == SEALS else None


def is_folder(key: str) -> bool:
    """True for the name of a folder of a store's: an empty object of that name marks it, and is nothing."""
    folder, _, name = key.rpartition("/")
    return key in _FOLDERS or folder == BATCHES or (folder == TABLE and parse_partition(name) is not None)


def parse_cell_key(key: str) -> CellName | None:
    """The cell of its key; None for any other key."""
    day, name = split_table_key(key)
    return parse_cell(day, name) if day else None


def split_table_key(key: str) -> tuple[date | None, str]:
    """The day under which an object of the table lies (None: under none), and its name there."""
    table, _, rest = key.partition("/")
    folder, _, name = rest.partition("/")
    return (parse_partition(folder) if table == TABLE else None), name
