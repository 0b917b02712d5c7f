"""The store: one table of permitted counts, one journal, one record a source, one cutoff."""

from loganon.store.balance import Balance
from loganon.store.batch import Batch, SourceBatch
from loganon.store.cells import CellInfo, Partition
from loganon.store.files import Files
from loganon.store.folds import Limits
from loganon.store.held import Committed, ConflictError, Held, SealError
from loganon.store.layout import check_writer
from loganon.store.local import LocalStore
from loganon.store.manifest import PolicyStamp
from loganon.store.records import Record
from loganon.store.retention import Deleted, Drop, Failure, Plan, plan_retention

__all__ = [
    "Balance",
    "Batch",
    "CellInfo",
    "Committed",
    "ConflictError",
    "Deleted",
    "Drop",
    "Failure",
    "Files",
    "Held",
    "Limits",
    "LocalStore",
    "Partition",
    "Plan",
    "PolicyStamp",
    "Record",
    "SealError",
    "SourceBatch",
    "check_writer",
    "plan_retention",
]
