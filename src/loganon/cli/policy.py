"""`loganon policy`: check, show, compare and apply policies; their JSON Schema."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import DAY, DURATION, MOMENT, message_options, option
from loganon.errors import printable

if TYPE_CHECKING:
    from loganon.policy import Policy
    from loganon.policy.changes import Change
    from loganon.rewrite import Applied

_SOURCE = "NAME|FILE|STORE"
_WIDTH = 120  # of a table that goes into a file


@click.group(name="policy")
def command() -> None:
    """Check, show, compare and apply policies: what is kept, how, how long, what for."""


@command.command(name="check", short_help="say all mistakes of a policy, and what its author should know")
@click.argument("source", metavar="NAME|FILE")
@option("policy_check", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option("policy_check", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("policy_check")
@reported
def check(source: str, now: datetime | None, as_json: bool, quiet: bool, messages: str) -> int:
    """Say every mistake of a policy at once (78), or that it is valid, and what its author should know (0)."""
    from loganon.policy import load_policy  # noqa: PLC0415 - start-up: pydantic is not imported for --help
    from loganon.policy.advice import warnings_of  # noqa: PLC0415 - as above

    policy = load_policy(source)
    warnings = warnings_of(policy, (now or datetime.now(UTC)).astimezone(UTC).date())
    if as_json:
        found = {"policy": policy.name, "sha256": policy.sha256, "warnings": [asdict(each) for each in warnings]}
        click.echo(json.dumps(found, ensure_ascii=False))
        return 0
    said = Messages(messages, quiet=quiet)
    for warning in warnings:
        said.note(f"{warning.key}: {warning.text}.")
    if not quiet:
        count = {0: "", 1: ", with 1 warning"}.get(len(warnings), f", with {len(warnings)} warnings")
        click.echo(f"{policy.name} is valid{count}")
    return 0


@command.command(name="show", short_help="what is kept, how, how long, what for")
@click.argument("source", metavar=_SOURCE)
@option("policy_show", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("policy_show")
@reported
def show(source: str, as_json: bool, quiet: bool, messages: str) -> int:  # noqa: ARG001 - the options that all take
    """Show what a policy keeps, how each field is anonymised, for how long and for what purpose."""
    from loganon.policy.outline import facts, kept_fields  # noqa: PLC0415 - start-up, as above

    policy = _policy_of(source)
    if as_json:
        found = {"policy": policy.name, "says": facts(policy), "kept": [asdict(each) for each in kept_fields(policy)]}
        click.echo(json.dumps(found, ensure_ascii=False))
        return 0
    _table((), list(facts(policy).items()))
    rows = [
        (
            each.field,
            ", ".join(each.columns),
            each.treatment + (f" ({each.parameters})" if each.parameters else ""),
            each.technique,
            str(each.minimum or ""),
        )
        for each in kept_fields(policy)
    ]
    _table(("field", "columns", "treatment", "technique (RFC 6235)", "minimum"), rows)
    click.echo("Nothing else of an access is kept. Each row counts the accesses that agree in all of its columns.")
    return 0


@command.command(name="notice", short_help="the paragraphs for your web page")
@click.argument("source", metavar=f"[{_SOURCE}]", default="imos")
@option(
    "policy_notice", "--lang", type=click.Choice(["en", "de"]), default="en", show_default=True, help="The language."
)
@option("policy_notice", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("policy_notice")
@reported
def notice(source: str, lang: str, as_json: bool, quiet: bool, messages: str) -> int:  # noqa: ARG001 - as above
    """Write the privacy notice that a policy makes true, for your web page.

    Each sentence follows from a key of the policy; what only people can promise is not claimed. Refused (78) while the
    policy does not say who is responsible.
    """
    from loganon.notice import notice as write_notice  # noqa: PLC0415 - start-up, as above

    policy = _policy_of(source)
    paragraphs = write_notice(policy, lang)
    if as_json:
        told = [[asdict(sentence) for sentence in paragraph] for paragraph in paragraphs]
        found = {"policy": policy.name, "sha256": policy.sha256, "lang": lang, "paragraphs": told}
        click.echo(json.dumps(found, ensure_ascii=False))
        return 0
    click.echo("\n\n".join(" ".join(each.text for each in paragraph) for paragraph in paragraphs))
    return 0


@command.command(name="diff", short_help="what a change of policy tightens and what it loosens")
@click.argument("old", metavar=_SOURCE)
@click.argument("new", metavar=_SOURCE)
@option("policy_diff", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("policy_diff")
@reported
def diff(old: str, new: str, as_json: bool, quiet: bool, messages: str) -> int:  # noqa: ARG001 - as above
    """Say of each change from OLD to NEW whether it is tighter, looser or neither; exit 1 if any is looser."""
    from loganon.policy.changes import compare, loosened  # noqa: PLC0415 - start-up, as above

    before, after = _policy_of(old), _policy_of(new)
    changes = compare(before, after, datetime.now(UTC).date())
    looser = loosened(changes)
    if as_json:
        found = {"old": before.name, "new": after.name, "changes": _listed(changes), "looser": len(looser)}
        click.echo(json.dumps(found, ensure_ascii=False))
    elif not quiet:
        _print_changes(changes)
    return 1 if looser else 0


@command.command(name="apply", short_help="bring a standing store under a tighter policy")
@click.argument("store", metavar="STORE")
@click.argument("policy", metavar="NAME|FILE")
@option("policy_apply", "--dry-run", is_flag=True, help="Say what would be changed and deleted; change nothing.")
@option("policy_apply", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option(
    "policy_apply",
    "--wait",
    type=DURATION,
    default="60s",
    show_default=True,
    help="How long to wait for another process.",
)
@option(
    "policy_apply",
    "--accept-cutoff",
    type=DAY,
    metavar="DATE",
    help="Let the cutoff move up to this date by more than 60 days.",
)
@option(
    "policy_apply",
    "--accept-hold",
    is_flag=True,
    help="Admit holds that are new or end later, and the end of one that closes days to use.",
)
@option("policy_apply", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("policy_apply")
@reported
def apply(
    store: str,
    policy: str,
    dry_run: bool,
    now: datetime | None,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_hold: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Bring a standing store under a tighter policy, and what is stored in it; refuse (78) what loosens anything.

    The table is rebuilt beside the standing one and exchanged for it in one step; whatever interrupts it, the store is
    under the old policy with the old table, or under the new one with the new.
    """
    from loganon.clock import Clock  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.policy import load_policy  # noqa: PLC0415 - as above
    from loganon.rewrite import apply_policy  # noqa: PLC0415 - as above
    from loganon.store import require_directory  # noqa: PLC0415 - as above

    clock = Clock(now or datetime.now(UTC), accept_cutoff=accept_cutoff)
    place = require_directory(store, "the policy of a store")
    applied = apply_policy(place, load_policy(policy), clock=clock, wait=wait, dry_run=dry_run, accept_hold=accept_hold)
    said = Messages(messages, quiet=quiet)
    if as_json:
        click.echo(json.dumps(_as_dict(applied, dry_run=dry_run), ensure_ascii=False))
    elif not quiet:
        _print_applied(applied, dry_run=dry_run)
    if applied.replaced.capped:
        said.note(f"{applied.replaced.capped:,} rows went into `other`: a cell held more than it may.")
    said.errors(applied.errors)
    return applied.exit_code


@command.command(name="schema", short_help="the JSON Schema of a policy's file, for editors")
@message_options("policy_schema")
@reported
def schema(quiet: bool, messages: str) -> int:  # noqa: ARG001 - as above
    """Print the JSON Schema (draft 2020-12) of a policy's file, for editors."""
    from loganon.policy.schema import json_schema  # noqa: PLC0415 - start-up, as above

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


def _policy_of(source: str) -> Policy:
    """The policy of a bundled name or a file, or the one that a store is held under."""
    from loganon.buckets import is_object  # noqa: PLC0415 - as above
    from loganon.job import frozen_policy  # noqa: PLC0415 - start-up, as above
    from loganon.policy import bundled, load_policy  # noqa: PLC0415 - as above
    from loganon.store import open_standing, parse_place  # noqa: PLC0415 - as above

    if is_object(source) or (os.path.isdir(source) and source not in bundled()):  # noqa: PTH112 - Path.is_dir raises where the folder is closed to this user
        return frozen_policy(open_standing(parse_place(source)))
    return load_policy(source)


def _listed(changes: Sequence[Change]) -> list[dict[str, str]]:
    return [
        {"key": each.key, "change": str(each.direction), "old": each.old, "new": each.new, "sentence": each.sentence}
        for each in changes
    ]


def _print_changes(changes: Sequence[Change]) -> None:
    if not changes:
        click.echo("The policies say the same.")
        return
    rows = [(str(each.direction), each.key, each.old or "-", each.new or "-", each.effect) for each in changes]
    _table(("change", "key", "old", "new", "what it does"), rows)


def _as_dict(applied: Applied, *, dry_run: bool) -> dict[str, object]:
    replaced, plan = applied.replaced, applied.plan
    return {
        "store": applied.store,
        "old": applied.old,
        "policy": applied.new,
        "dry_run": dry_run,
        "changes": _listed(applied.changes),
        "cutoff": plan.cutoff.isoformat() if plan.cutoff else None,
        "cells": {"before": replaced.before.cells, "after": replaced.after.cells},
        "rows": {"before": replaced.before.rows, "after": replaced.after.rows},
        "partitions_due": [drop.day.isoformat() for drop in plan.drops],
        "partitions_dropped": [day.isoformat() for day in applied.dropped],
    }


def _print_applied(applied: Applied, *, dry_run: bool) -> None:
    _print_changes(applied.changes)
    if applied.changes:
        before, after = applied.replaced.before, applied.replaced.after
        verb = "would be" if dry_run else "was"
        click.echo(
            f"The table {verb} rebuilt: {before.cells:,} cells with {before.rows:,} rows -> "
            f"{after.cells:,} cells with {after.rows:,} rows."
        )
    for drop in applied.plan.drops:
        fate = "would be deleted" if dry_run else "deleted" if drop.day in applied.dropped else "still there"
        click.echo(f"{drop.day}  {drop.rows:,} rows: {fate} ({drop.rule})")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The rows as a table on standard output; no text in them is taken for markup or sent as a control character."""
    from rich.console import Console  # noqa: PLC0415 - start-up, as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(*heads, show_header=bool(heads), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    click.echo()
