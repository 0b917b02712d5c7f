"""Copies of source records in the footers of cells: from them records that are lost can be made again.

Each commit writes the record of each of its sources, as of that commit, into the newest cell that the source touched in
it. The fingerprints in it are keyed: whoever reads the table learns nothing from them. A Parquet footer has no checksum
of its own and a wrong fingerprint would make a log look new, so the copies carry one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from loganon.shapes import decode, holds_personal
from loganon.store.documents import dump, parse_json
from loganon.store.records import Record, describe_record, parse_record_document

Snapshots = Mapping[str, Record]
"""Records by id, as of some commit."""


def may_be_copied(record: Record) -> bool:
    """False where the log's name has the shape of an address or an e-mail: no footer holds one either."""
    return not holds_personal(decode(record.stream).text)


def encode_snapshots(records: Snapshots) -> str:
    """The records as a footer holds them."""
    documents = {source: describe_record(record) for source, record in sorted(records.items())}
    return dump({"records": documents, "sha256": _digest(documents)}).decode().rstrip()


def decode_snapshots(text: str) -> dict[str, Record]:
    """The records of a footer; none where they are damaged: what cannot be trusted rebuilds nothing."""
    try:
        document = parse_json(text)
        documents = document["records"]
        if document["sha256"] != _digest(documents):
            return {}
        return {source: parse_record_document(found) for source, found in documents.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def join_snapshots(several: Iterable[Snapshots]) -> dict[str, Record]:
    """Of each source the newest of its records."""
    newest: dict[str, Record] = {}
    for records in several:
        for source, record in records.items():
            if source not in newest or record.generation > newest[source].generation:
                newest[source] = record
    return newest


def _digest(documents: Mapping[str, object]) -> str:
    return hashlib.sha256(dump(dict(documents))).hexdigest()
