"""Many open logs as one batch: their rows together, what its footers say, and what its commit did to each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import pyarrow as pa

from loganon.aggregate import TableSpec, merge
from loganon.openlog import OpenLog, texts_of
from loganon.store import Committed, join_notes
from loganon.summary import Summary

FLUSH_ROWS = 500_000
"""Rows that a batch may hold before it is committed: what bounds the memory of a run."""
FLUSH_TEXTS = 8 << 20
"""Bytes of distinct texts that it may hold: of a log of which each line has a path of its own, about 150,000 rows."""

_DOMAIN = "domain"
_SUM = [("requests", "sum")]


def share_of(rows: int, texts: int) -> float:
    """How much of what a batch may hold so many rows, and bytes of distinct texts, are."""
    return max(rows / FLUSH_ROWS, texts / FLUSH_TEXTS)


class Fill:
    """How much of what a batch may hold it holds.

    Its logs may be thousands: they are asked only where the most that they can hold would fill it.
    """

    def __init__(self) -> None:
        self._rows = self._texts = 0  # of the batch, or more

    def of(self, logs: Sequence[OpenLog]) -> float:
        """The share that these logs, which are the batch, take."""
        self._rows, self._texts = sum(log.rows for log in logs), sum(log.texts for log in logs)
        return share_of(self._rows, self._texts)

    def is_full(self, logs: Sequence[OpenLog], more: pa.Table) -> bool:
        """Whether they fill it now that one of them has taken `more`."""
        self._rows += more.num_rows
        self._texts += texts_of(more)
        return share_of(self._rows, self._texts) >= 1 and self.of(logs) >= 1


def gather(logs: Sequence[OpenLog], spec: TableSpec) -> pa.Table:
    """The rows of all logs that wait for a commit, counted together; their strings are dictionaries."""
    tables = [table for log in logs for table in log.tables]
    return tables[0] if len(tables) == 1 and logs[0].compacted else merge(tables, spec, coded=True)


def versions(logs: Sequence[OpenLog]) -> Mapping[str, str]:
    """What the footers say of the look-ups that a batch was made with."""
    lookups = {id(log.reading.lookups): log.reading.lookups for log in logs}
    return reduce(join_notes, (each.versions for each in lookups.values()))


def account(logs: Sequence[OpenLog], rows: pa.Table, done: Committed, summary: Summary) -> None:
    """The commit of `rows` is noted in each log and in the summary."""
    for log in logs:
        summary.redacted += log.redacted
        log.committed(done.records[log.id], done.expired.get(log.id, 0))
    summary.cells_written += done.cells_written
    summary.capped += done.capped
    if _DOMAIN in rows.schema.names:
        summary.domains.update(coverage(rows))


def coverage(rows: pa.Table) -> dict[str, int]:
    """Requests by what their provider is: a "domain", a public "suffix", "unknown" or "other"."""
    domains = rows[_DOMAIN].combine_chunks()
    coded = domains if pa.types.is_dictionary(domains.type) else domains.dictionary_encode()
    sums = pa.table([coded.indices, rows["requests"]], ["code", "requests"]).group_by("code").aggregate(_SUM)
    found = dict.fromkeys(("domain", "suffix", "unknown", "other"), 0)
    names = coded.dictionary.take(sums["code"]).to_pylist()
    for domain, requests in zip(names, sums["requests_sum"].to_pylist(), strict=True):
        found[_kind(domain)] += requests
    return found


def _kind(domain: str) -> str:
    if domain == "unknown":
        return "unknown"
    if domain.startswith("."):
        return "suffix"
    return "domain" if "." in domain else "other"  # `other`, `{redacted}`
