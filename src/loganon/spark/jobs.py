"""One job on one store: logs that executors read, counted, sealed, and what is past its day deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from loganon import job
from loganon.chunks import Window
from loganon.clock import Clock
from loganon.keys import Key
from loganon.policy import Policy
from loganon.reading import Input, Reading
from loganon.sources.objects import expand_objects
from loganon.spark.cluster import context_of
from loganon.spark.pieces import RANGE_BYTES
from loganon.spark.spread import SpreadIngest
from loganon.store import WAIT, Place, check_writer
from loganon.summary import Summary


def count_logs(
    logs: Sequence[str],
    reading: Reading,
    *,
    policy: Policy | str | None,
    store: Place,
    key: Key | Path,
    clock: Clock,
    writer: str | None = None,
    wait: timedelta = WAIT,
    group: str | None = None,
    strict: bool = False,
    range_bytes: int = RANGE_BYTES,
    session: SparkSession | None = None,
) -> Summary:
    """What the job did, as `job.run` tells it, whose arguments these are.

    `range_bytes`: how much of a plain log one task reads. `session`: the Spark session; None: the one that stands, or
    a new one, which ends with the job.
    """
    check_writer(writer)
    given = [Input(each, reading) for log in logs for each in expand_objects(log)]
    active = session or SparkSession.getActiveSession()
    spark = active or SparkSession.builder.appName("loganon").getOrCreate()
    try:
        context_of(spark)

        def read(opened: job.Opened, window: Window, summary: Summary) -> None:
            ingest = SpreadIngest(
                spark, opened.store, opened.policy, opened.key, writer=writer, range_bytes=range_bytes
            )
            ingest(given, window=window, now=clock.now, wait=wait, summary=summary)

        return job.carry_out(
            read, [reading], policy=policy, store=store, key=key, clock=clock, wait=wait, strict=strict, group=group
        )
    finally:
        if active is None:
            spark.stop()
