"""An Airflow DAG: count yesterday's logs, then load the days that became final.

The two functions are the work; Airflow only calls them. They can be imported and run where Airflow is not installed,
and that is how they are tested. Airflow starts tasks by `fork`: loganon and polars are imported within the functions,
so that neither was used before (docs/library.md, "Threads and processes"). What is loaded elsewhere is not under
loganon's retention: delete there by `keep_for`, too.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

STORE = "/var/lib/loganon/shop"
LOGS = "/var/log/nginx"
KEY = "/etc/loganon/key"


def count_logs(logs: str = LOGS, store: str = STORE, key: str = KEY, now: datetime | None = None) -> dict[str, Any]:
    """The summary of `loganon run --json`; a failed log fails the task, and what was counted stands.

    It can be retried and run twice: what was counted is known by its content.
    """
    import loganon  # noqa: PLC0415 - in the worker, after its fork

    found = sorted(Path(logs).glob("*access.log*"))
    summary = loganon.run(found, policy="six-weeks", store=store, key=key, now=now)
    if summary.errors:
        raise RuntimeError("; ".join(map(str, summary.errors)))
    return summary.as_dict()


def load_final_days(target: str, store: str = STORE, after: str | None = None) -> str | None:
    """Sealed days later than `after` (ISO 8601) into `target`, one file a day; the last day that is there now."""
    import polars as pl  # noqa: PLC0415 - as above

    import loganon  # noqa: PLC0415 - as above

    through = loganon.sealed_through(store)
    if through is None:
        return after
    since = date.fromisoformat(after) if after else date.min
    final = loganon.scan(store, sealed=True).filter(pl.col("date") > since, pl.col("date") <= through)
    for part in final.collect().partition_by("date"):
        day = part["date"][0]
        part.write_parquet(Path(target) / f"{day}.parquet")  # the same name again: a retry replaces it
    return str(through)


try:
    from airflow.sdk import dag, task
except ImportError:  # the functions above are all there is to test
    pass
else:

    @dag(schedule="@daily", start_date=datetime(2026, 11, 1), catchup=False, max_active_runs=1)  # noqa: DTZ001 - a day
    def access_logs() -> None:
        """Count, then load."""

        @task(retries=3)
        def count() -> dict[str, Any]:
            return count_logs()

        @task(retries=3)
        def load(_counted: dict[str, Any]) -> str | None:
            return load_final_days("/srv/warehouse/access")

        load(count())

    access_logs()
