"""The store: one table of permitted counts, one journal, one record a source, one cutoff."""

from loganon.store.balance import Balance
from loganon.store.batch import Batch, SourceBatch
from loganon.store.cell import join_notes
from loganon.store.cells import CellInfo, Partition
from loganon.store.files import Files
from loganon.store.folds import Limits
from loganon.store.held import Committed, ConflictError, Held, SealError
from loganon.store.layout import check_writer
from loganon.store.local import WAIT, LocalStore
from loganon.store.manifest import PolicyStamp
from loganon.store.records import Record
from loganon.store.retention import Deleted, Drop, Failure, Plan, plan_retention

__all__ = [
    "WAIT",
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
    "join_notes",
    "plan_retention",
]
