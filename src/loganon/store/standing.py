"""State and records of a store as its holder knows them, in step with the disk; they change by commits alone."""

from __future__ import annotations

from loganon.errors import LoganonError
from loganon.store.cells import Cells, Partition
from loganon.store.change import Change
from loganon.store.files import PRIVATE, Files, failure
from loganon.store.journal import Journal, Staging
from loganon.store.layout import SOURCES, STATE_FILE, Layout, record_file
from loganon.store.manifest import State, decode_state, encode_state
from loganon.store.mend import LostRecordsError, is_behind, plan_mend
from loganon.store.quarantine import Quarantine
from loganon.store.records import Record, encode_record, read_records_safely


class Standing:
    """The store's `state`, the `records` that can be read, and the ids of those that cannot (`unreadable`).

    `lost`: why nothing can be counted, None where it can.
    """

    def __init__(self, files: Files, layout: Layout, journal: Journal) -> None:
        self._files = files
        self._layout = layout
        self._journal = journal
        self.state = State()
        self.records: dict[str, Record] = {}
        self.unreadable: tuple[str, ...] = ()
        self.lost: LoganonError | None = None

    def read(self) -> None:
        """What stands on the disk is what is known; an unfinished commit is finished first."""
        for folder in (self._layout.staging, self._layout.sources):
            if not folder.exists():  # a backup may leave out what is empty
                self._files.mkdir(folder, PRIVATE)
                self._files.sync_directory(self._layout.private)
        self._journal.recover()
        self.state = decode_state(self._files.read(self._layout.state), self._layout.state)
        self.records, self.unreadable = read_records_safely(self._files, self._layout)

    def mend(self, cells: Cells, quarantine: Quarantine) -> str:
        """What was made good, "" for nothing; state and records agree, or `lost` says why not.

        That they do not keeps nothing from being deleted, only from being counted.
        """
        self.lost = None
        whole = not any(quarantine.folders())
        try:
            mend = plan_mend(self.state, self.records, self.unreadable, cells.partitions, whole=whole)
            if mend is not None:
                self.apply(mend.change)
        except LostRecordsError:
            self.lost = LostRecordsError(str(self._layout.sources))
            return ""
        except (LoganonError, OSError) as error:
            self.lost = failure(error, self._layout.root) if isinstance(error, OSError) else error
            self.read()
            return ""
        if mend is None or not mend.rebuilt:
            return ""
        what = "source record was" if mend.rebuilt == 1 else "source records were"
        return f"{mend.rebuilt} {what} lost or older than the state says, and made again from the table."

    def compare(self, found: Partition) -> None:
        """State and records are held against the footers of a day, which may know of later commits."""
        if self.lost is None and is_behind(self.state, self.records, found):
            self.lost = LostRecordsError(str(self._layout.sources))

    def require_records(self) -> None:
        """Nothing where all records are known; 74 otherwise."""
        if self.lost is not None:
            raise self.lost

    def apply(self, change: Change, staging: Staging | None = None) -> None:
        """The change is committed, with what waits in `staging`."""
        staging = staging or self._journal.begin()
        for record in change.records.values():
            staging.add(f"{SOURCES}/{record_file(record.id)}", encode_record(record))
        if change.state != self.state:
            staging.add(STATE_FILE, encode_state(change.state))
        staging.commit()
        self.state = change.state
        self.records |= change.records

    def remove(self, sources: list[str]) -> None:
        """The files of buried records are gone."""
        for source in sources:
            self._files.unlink(self._layout.record(source))
            self.records.pop(source, None)
        self._files.sync_directory(self._layout.sources)
