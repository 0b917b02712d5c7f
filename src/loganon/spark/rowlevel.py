"""Row-level DataFrames: the permitted columns of lines, and how many lines were rejected and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from loganon.api import any_zone, several, window_of
from loganon.exclude import parse_rules
from loganon.fields import REQUESTS
from loganon.formats.given import resolve
from loganon.lookups import open_lookups
from loganon.pipeline import REASONS
from loganon.policy import DEFAULT, Policy, load_policy
from loganon.spark.books import decode_book
from loganon.spark.carried import Carried, How, carry
from loganon.spark.cluster import context_of, translated
from loganon.spark.counting import SCHEMA_TEXT, Batches, anonymize_lines, count_lines, guarded
from loganon.spark.frames import column_of, how_of


def anonymize(
    lines: DataFrame,
    policy: Policy | str | Path = DEFAULT,
    *,
    format: str = "auto",  # noqa: A002 - the option's name everywhere
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    fields: Sequence[str] = (),
    now: datetime | None = None,
) -> DataFrame:
    """The permitted rows of a DataFrame of lines, one for each accepted line; nothing is written.

    `lines` has them in the column `value` (or `line`, or its only one), as strings or bytes. The columns are those of
    `loganon.anonymize`, whose arguments are the same; `fields`: the columns of delimited logs, whose headers a part of
    the lines does not see. Without `format` it is told by the first lines. Lazy, as DataFrames are: databases must not
    change meanwhile.
    """
    carried, how = _prepared(lines, policy, format, provider_db, timezone, trusted_proxies, exclude, fields, now)
    schema = _row_schema(policy_of(policy))
    session = lines.sparkSession
    if how is None:
        return session.createDataFrame([], from_arrow_schema(schema))
    broadcast = context_of(session).broadcast(carried)

    def step(batches: Batches) -> Batches:
        yield from guarded(lambda given: anonymize_lines(broadcast.value, how, schema, given))(batches)

    return lines.select(column_of(lines)).mapInArrow(step, from_arrow_schema(schema))


def rejected(
    lines: DataFrame,
    policy: Policy | str | Path = DEFAULT,
    *,
    format: str = "auto",  # noqa: A002 - as above
    provider_db: Sequence[str | Path] = (),
    timezone: tzinfo | None = None,
    trusted_proxies: Sequence[str] = (),
    exclude: Sequence[Mapping[str, str]] = (),
    fields: Sequence[str] = (),
    now: datetime | None = None,
) -> dict[str, int]:
    """How many of the lines `anonymize` leaves out, by reason; every reason is there.

    It reads the lines once more: each task's counts are rows of it, exact whatever Spark does twice, which an
    accumulator would not be.
    """
    carried, how = _prepared(lines, policy, format, provider_db, timezone, trusted_proxies, exclude, fields, now)
    if how is None:
        return dict.fromkeys(REASONS, 0)
    broadcast = context_of(lines.sparkSession).broadcast(carried)

    def step(batches: Batches) -> Batches:
        yield from guarded(lambda given: count_lines(broadcast.value, how, given))(batches)

    counted = lines.select(column_of(lines)).mapInArrow(step, SCHEMA_TEXT)
    total: Counter[str] = Counter()
    with translated():
        for row in counted.where("cell IS NULL").select("payload").collect():
            total += decode_book(bytes(row["payload"])).rejected
    broadcast.destroy()
    return {reason: total[reason] for reason in REASONS}


def policy_of(policy: Policy | str | Path) -> Policy:
    """The policy, loaded where it is a name or a path."""
    return policy if isinstance(policy, Policy) else load_policy(policy)


def _prepared(
    lines: DataFrame,
    policy: Policy | str | Path,
    name: str,
    provider_db: Sequence[str | Path],
    timezone: tzinfo | None,
    trusted_proxies: Sequence[str],
    exclude: Sequence[Mapping[str, str]],
    fields: Sequence[str],
    now: datetime | None,
) -> tuple[Carried, How | None]:
    chosen = policy_of(policy)
    lookups = open_lookups(several(provider_db, "provider_db"), several(trusted_proxies, "trusted_proxies"))
    rules = parse_rules(several(exclude, "exclude"), where="exclude")
    how = how_of(lines, resolve(name), any_zone(timezone), several(fields, "fields"), "the DataFrame")
    return carry(chosen, lookups, rules, window_of(chosen, now)), how


def _row_schema(policy: Policy) -> pa.Schema:
    """The policy's columns without `requests`; times in microseconds, as Spark has them."""
    fields = [field for field in policy.spec.schema if field.name != REQUESTS]
    return pa.schema([f.with_type(_spark_type(f.type)) for f in fields])


def _spark_type(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind
