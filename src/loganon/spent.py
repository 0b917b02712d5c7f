"""Logs that were read to their very end: whose reading says so are removed once all of them is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from loganon.reading import Input
from loganon.sources import STDIN, Source
from loganon.sources.files import Log
from loganon.sources.identity import stream_name
from loganon.sources.removal import Counted, left_behind, remove_counted
from loganon.store import Record
from loganon.summary import COUNTED, LogSummary, Summary


class Spent:
    """The logs of one round that were read to their end, by where they lie."""

    def __init__(self) -> None:
        self._ends: dict[str, Counted] = {}

    def clear(self) -> None:
        """None was read yet."""
        self._ends.clear()

    def note(self, place: str, source: Source, *, whole: bool) -> None:
        """The log was read; `whole`: as far as it goes. Only a file that left nothing unread is spent."""
        self._ends.pop(place, None)
        if isinstance(source, Log) and source.damaged is None and whole and not source.pending:
            self._ends[place] = Counted(source.path, source.device, source.inode, source.size, source.modified)

    def remove(
        self,
        inputs: Mapping[str, Input],
        logs: Mapping[str, LogSummary],
        records: Mapping[str, Record],
        summary: Summary,
    ) -> None:
        """What is wholly counted, and whose reading says so, is gone; what stays is told in the summary.

        `inputs` and `logs`: how each is read and what was done with it, by where it lies.
        """
        for place, end in self._ends.items():
            log = logs[place]
            record = records.get(log.source or "")
            if not inputs[place].reading.remove_source or log.failed or record is None:
                continue
            if record.lines.get(COUNTED) or record.lines.get("expired"):
                reason = remove_counted(end)
            else:
                reason = "every line of it was rejected"
            if reason is None:
                summary.removed.append(log.log)
            else:
                summary.warnings.append(f"{log.log}: it was counted and stays: {reason}.")


def find_left_behind(inputs: Sequence[Input]) -> list[Input]:
    """What a removal that was killed left aside: it is known, and goes."""
    found: dict[str, Input] = {}
    for reading in {each.reading for each in inputs if each.reading.remove_source}:
        logs = [Path(each.log) for each in inputs if each.reading is reading and each.log != STDIN]
        found.update((str(path), Input(str(path), reading, found=True)) for path in left_behind(logs, stream_name))
    return list(found.values())
