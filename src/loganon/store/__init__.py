"""The store: one table of permitted counts, one journal, one record a source, one cutoff."""

from loganon.store.balance import Balance
from loganon.store.batch import Batch, SourceBatch
from loganon.store.cell import DamagedCellError, join_notes
from loganon.store.cells import CellInfo, Partition
from loganon.store.contract import HeldStore, Store
from loganon.store.files import Files
from loganon.store.folds import Limits
from loganon.store.held import Held
from loganon.store.layout import check_writer
from loganon.store.local import WAIT, LocalStore
from loganon.store.manifest import PolicyStamp
from loganon.store.mend import LostRecordsError
from loganon.store.outcomes import Committed, ConflictError, OutdatedError, SealError
from loganon.store.places import (
    Place,
    as_directory,
    check_place,
    create_store,
    open_or_none,
    open_standing,
    parse_place,
    require_directory,
)
from loganon.store.quarantine import Quarantined, restored_file
from loganon.store.records import Record
from loganon.store.replacement import Replaced, Rewrite, Size
from loganon.store.reset import Reset
from loganon.store.retention import Deleted, Drop, Failure, Plan, plan_retention

__all__ = [
    "WAIT",
    "Balance",
    "Batch",
    "CellInfo",
    "Committed",
    "ConflictError",
    "DamagedCellError",
    "Deleted",
    "Drop",
    "Failure",
    "Files",
    "Held",
    "HeldStore",
    "Limits",
    "LocalStore",
    "LostRecordsError",
    "OutdatedError",
    "Partition",
    "Place",
    "Plan",
    "PolicyStamp",
    "Quarantined",
    "Record",
    "Replaced",
    "Reset",
    "Rewrite",
    "SealError",
    "Size",
    "SourceBatch",
    "Store",
    "as_directory",
    "check_place",
    "check_writer",
    "create_store",
    "join_notes",
    "open_or_none",
    "open_standing",
    "parse_place",
    "plan_retention",
    "require_directory",
    "restored_file",
]
