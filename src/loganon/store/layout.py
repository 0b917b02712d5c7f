"""Where everything of a store lies, and which names count as its own.

STORE/access/date=YYYY-MM-DD/hour-HH[.WRITER].parquet     the table (`day[.WRITER].parquet` where time is by day)
STORE/_loganon/store.json                                 identity, frozen policy, key check
STORE/_loganon/state.json                                 cutoff, last commit, sum of generations, floor
STORE/_loganon/sources/<id>.json                          one record a source
STORE/_loganon/lock, commit.json, staging/                lock, journal, files in the making
STORE/_loganon/quarantine/date=YYYY-MM-DD/                damaged cells
STORE/_loganon/quarantine.jsonl                           which cells were put there, when, why
STORE/_loganon/reserve                                    room that the cutoff can rise in on a full disk
STORE/_loganon/deletions.jsonl                            what was deleted, when, by which rule
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from loganon.errors import ConfigurationError

TABLE = "access"
TABLE_ID = "_table.json"
PRIVATE_NAME = "_loganon"
STORE_FILE = f"{PRIVATE_NAME}/store.json"
STATE_FILE = f"{PRIVATE_NAME}/state.json"
SOURCES = f"{PRIVATE_NAME}/sources"
RESTORED = "restored"
"""The writer whose cells are good copies of damaged ones, put back from a backup."""

_WRITER = re.compile(r"[a-z0-9-]{1,32}")
_RECORD_ID = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")
_PARTITION = re.compile(r"date=([0-9]{4}-[0-9]{2}-[0-9]{2})")
_CELL = re.compile(r"(?:hour-([01][0-9]|2[0-3])|day)(?:\.([a-z0-9-]{1,32}))?\.parquet")
_STAGED = re.compile(r"[0-9a-f]{32}-[a-z0-9]{1,12}")
_STAGED_TABLE = re.compile(r"[0-9a-f]{32}-table")


@dataclass(frozen=True, slots=True, order=True)
class CellName:
    """One cell: a day in UTC, its hour (-1: the whole day), its writer ("": the only one)."""

    day: date
    hour: int = -1
    writer: str = ""

    @property
    def file(self) -> str:
        """The file's name."""
        span = "day" if self.hour < 0 else f"hour-{self.hour:02d}"
        return f"{span}.{self.writer}.parquet" if self.writer else f"{span}.parquet"

    @property
    def path(self) -> str:
        """The path under the store."""
        return f"{TABLE}/{partition_name(self.day)}/{self.file}"

    @property
    def start(self) -> datetime:
        """The moment at which the cell begins (UTC)."""
        return datetime.combine(self.day, time(max(self.hour, 0)), UTC)

    @property
    def end(self) -> datetime:
        """The moment at which the next cell begins (UTC)."""
        return self.start + (timedelta(days=1) if self.hour < 0 else timedelta(hours=1))


class Layout:
    """The paths of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.table = root / TABLE
        self.private = root / PRIVATE_NAME
        self.store = root / STORE_FILE
        self.state = root / STATE_FILE
        self.sources = root / SOURCES
        self.lock = self.private / "lock"
        self.commit = self.private / "commit.json"
        self.staging = self.private / "staging"
        self.quarantine = self.private / "quarantine"
        self.quarantine_log = self.private / "quarantine.jsonl"
        self.deletions = self.private / "deletions.jsonl"
        self.reserve = self.private / "reserve"

    def partition(self, day: date) -> Path:
        """The partition's directory."""
        return self.table / partition_name(day)

    def staged_table(self, table: str) -> Path:
        """The directory in which the table of this id waits."""
        return self.staging / f"{table}-table"

    def record(self, source: str) -> Path:
        """The file of a source's record."""
        return self.sources / record_file(source)


def partition_name(day: date) -> str:
    """`date=YYYY-MM-DD`."""
    return f"date={day.isoformat()}"


def parse_partition(name: str) -> date | None:
    """The day of a partition's directory name; None for any other name."""
    match = _PARTITION.fullmatch(name)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        return None


def parse_cell(day: date, name: str) -> CellName | None:
    """The cell of a file's name in a partition; None for any other name."""
    match = _CELL.fullmatch(name)
    if match is None:
        return None
    return CellName(day, -1 if match[1] is None else int(match[1]), match[2] or "")


def parse_record(name: str) -> str | None:
    """The source's id of a record's file name; None for any other name."""
    source, dot, ending = name.rpartition(".")
    return source if dot and ending == "json" and _RECORD_ID.fullmatch(source) else None


def record_file(source: str) -> str:
    """The name of a source's record; ValueError for an id that could lead elsewhere."""
    if not _RECORD_ID.fullmatch(source):
        raise ValueError("a source's id is 8 to 64 of a-z, 0-9 and -")
    return f"{source}.json"


def cell_of(moment: datetime, unit: str, writer: str) -> CellName:
    """The cell that starts at `moment`; ValueError for a moment within a cell."""
    moment = moment.astimezone(UTC)
    name = CellName(moment.date(), moment.hour if unit == "hour" else -1, writer)
    if name.start != moment:
        raise ValueError(f"a stored time is not the start of its {unit}")
    return name


def cell_at(moment: datetime, unit: str) -> CellName:
    """The cell in which a line of this moment lies."""
    moment = moment.astimezone(UTC)
    return CellName(moment.date(), moment.hour if unit == "hour" else -1)


def check_writer(writer: str | None) -> str:
    """The writer as it stands in names ("" for None); 78 for what cannot stand there."""
    if writer is None:
        return ""
    if writer == RESTORED:
        raise ConfigurationError(f"{RESTORED} is the name of copies from a backup", fix="Choose another --writer")
    if not _WRITER.fullmatch(writer):
        raise ConfigurationError("a writer's name is 1 to 32 of a-z, 0-9 and -", fix="Choose another --writer")
    return writer


def parse_table_file(path: str) -> CellName | None:
    """The cell of a path under the store; None for any other path."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != TABLE:
        return None
    day = parse_partition(parts[1])
    return parse_cell(day, parts[2]) if day is not None else None


def is_table_file(path: str) -> bool:
    """True for the path (under the store) of a cell."""
    return parse_table_file(path) is not None


def is_committable(path: str) -> bool:
    """True for the paths (under the store) that a commit may set: cells, records, the state, the store's own file."""
    if path in (STATE_FILE, STORE_FILE) or is_table_file(path):
        return True
    folder, _, name = path.rpartition("/")
    return folder == SOURCES and parse_record(name) is not None


def is_staged_table(name: str) -> bool:
    """True for the name of a table that waits, or of one that stood before."""
    return _STAGED_TABLE.fullmatch(name) is not None


def is_staged(name: str) -> bool:
    """True for a name that a batch gives to a file in the making."""
    return _STAGED.fullmatch(name) is not None
