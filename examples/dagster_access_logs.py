"""Dagster assets: the counted store, and the final days as a table, with what a run found as metadata.

`counted` and `final_days` are the work; the assets only call them, and they run where Dagster is not installed. An
asset that an I/O manager writes is a copy: it is not under loganon's retention.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

import loganon

STORE = "/var/lib/loganon/shop"
LOGS = "/var/log/nginx"
KEY = "/etc/loganon/key"


def counted(
    logs: Sequence[str | Path], store: str | Path, key: str | Path, now: datetime | None = None
) -> dict[str, Any]:
    """What a run counted and rejected, as metadata of an asset; an error of a log is raised."""
    summary = loganon.run(logs, policy="six-weeks", store=store, key=key, now=now)
    for error in summary.errors:
        raise error
    answer = summary.as_dict()
    return {
        "counted": answer["counted"],
        "already_counted": answer["already_counted"],
        **{f"rejected: {reason}": lines for reason, lines in answer["rejected"].items()},
        "sealed_through": str(loganon.sealed_through(store)),
    }


def final_days(store: str | Path) -> pl.DataFrame:
    """Accesses of each sealed day and file: what can no longer change but by late lines."""
    final = loganon.scan(store, sealed=True)
    return final.group_by("date", "file").agg(pl.sum("requests", "bytes")).sort("date", "file").collect()


try:
    import dagster
except ImportError:  # the functions above are all there is to test
    pass
else:

    @dagster.asset(group_name="access")
    def access_counts() -> dagster.MaterializeResult[None]:
        """The store, brought up to date."""
        return dagster.MaterializeResult(metadata=counted(sorted(Path(LOGS).glob("*access.log*")), STORE, KEY))

    @dagster.asset(group_name="access", deps=[access_counts])
    def access_by_file() -> pl.DataFrame:
        """The final days."""
        return final_days(STORE)

    definitions = dagster.Definitions(assets=[access_counts, access_by_file])
