"""`loganon verify`: prove the promises on a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loganon import __version__
from loganon.cli.asked import Asked, ask_each
from loganon.cli.messages import Messages, reported
from loganon.cli.options import MOMENT, message_options, option
from loganon.cli.sites import choose, config_option, print_json
from loganon.errors import CheckError, LoganonError, printable
from loganon.pages import plural

if TYPE_CHECKING:
    from loganon.evidence import Evidence, Unread
    from loganon.verify import Check, Verification

_FORMS = (".html", ".md", ".json")
_SHOWN = 50  # findings of one check on standard error; --json has all


@click.command(name="verify")
@config_option("verify")
@option("verify", "--store", metavar="DIR|s3://…", help="The store.")
@option(
    "verify",
    "--raw",
    multiple=True,
    metavar="GLOB",
    help="Raw logs to hold to what the policy says of them, by their age; repeatable.",
)
@option(
    "verify",
    "--report",
    type=click.Path(path_type=Path),
    metavar="OUT.html|.json|.md",
    help="Write the evidence for a data-protection officer into a file; its ending says how.",
)
@option("verify", "--now", type=MOMENT, help="The time to go by (UTC without offset).")
@option("verify", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@message_options("verify")
@reported
def command(
    config: Path | None,
    store: str | None,
    raw: tuple[str, ...],
    report: Path | None,
    now: datetime | None,
    as_json: bool,
    quiet: bool,
    messages: str,
) -> int:
    """Open every file of a store, look at every value, make every sum again: exit 1 names each broken promise.

    Nothing is changed, and no run has to wait for it. Without --store all stores of a configuration file are verified.
    The file of --report has a part for each; the exit code is that of the checks.
    """
    if report is not None and report.suffix not in _FORMS:
        raise click.UsageError(f"--report takes a file that ends in {', '.join(_FORMS[:-1])} or {_FORMS[-1]}.")
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above
    from loganon.summary import first_applies  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.verify import verify  # noqa: PLC0415 - start-up, as above

    chosen, say = choose(config, store), Messages(messages, quiet=quiet)
    clock = now or datetime.now(UTC)
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    evidence: list[Evidence | Unread] = []
    for asked in ask_each(chosen, lambda site: verify(parse_place(site.store), now=clock, raw=raw or site.raw)):
        found, errors = asked.answer, [asked.error] if asked.error else []
        if report is not None:
            evidence.append(_evidence_of(asked))
        if found is not None:
            errors += _some(found)
            if not (as_json or quiet):
                _print(found, first=not answers)
        code = first_applies(error.exit_code for error in errors)
        told = found.as_dict() if found else {}
        answers.append(asked.as_dict(told, code, [str(error) for error in errors]) if chosen.many else told)
        codes.append(code)
        say.errors(errors)
    if as_json:
        print_json(answers, many=chosen.many)
    if report is not None:
        _write(report, evidence, clock, [site.store for site in chosen.sites])
    return first_applies(codes)


def _evidence_of(asked: Asked[Verification]) -> Evidence | Unread:
    from loganon.evidence import Unread, load_evidence  # noqa: PLC0415 - start-up, as above
    from loganon.store import parse_place  # noqa: PLC0415 - as above

    if asked.answer is None:
        return Unread(asked.store, str(asked.error))
    return load_evidence(parse_place(asked.store), asked.answer)


def _write(path: Path, evidence: Sequence[Evidence | Unread], now: datetime, stores: Sequence[str]) -> None:
    from loganon.evidence import write  # noqa: PLC0415 - start-up, as above
    from loganon.pages import write_page  # noqa: PLC0415 - as above

    write_page(path, write(path.suffix, evidence, now, version=__version__), stores, option="--report")


def _some(found: Verification) -> list[LoganonError]:
    """One error a finding; beyond the first of a check one that counts the rest."""
    shown: list[LoganonError] = []
    for check, errors in groupby(found.errors, key=lambda error: error.what.partition(":")[0]):
        each = list(errors)
        shown += each[:_SHOWN]
        if len(each) > _SHOWN:
            what = f"{check}: {len(each) - _SHOWN:,} more findings"
            shown.append(CheckError(what, where=found.store, fix="See them all with --json"))
    return shown


def _print(found: Verification, *, first: bool) -> None:
    from loganon.verify import CHECKS, HELD  # noqa: PLC0415 - start-up, as above

    click.echo("" if first else "\n", nl=False)
    click.echo(f"{printable(found.store)}  (policy {found.policy}, as of {found.now.astimezone(UTC):%Y-%m-%d %H:%M}Z)")
    for promise, checks in groupby(found.checks, key=lambda check: CHECKS[check.id].word):
        click.echo(f"\n{promise}")
        for check in checks:
            click.echo(f"  {_mark(check):<12} {check.id:<13} {CHECKS[check.id].holds}{_more(check)}")
    click.echo("")
    for line in _figures(found):
        click.echo(line)
    held, broken = sum(check.outcome == HELD for check in found.checks), [check.id for check in found.broken]
    click.echo(
        f"{held} {'check holds' if held == 1 else 'checks hold'}, "
        + (f"broken: {', '.join(broken)}" if broken else "none is broken")
    )


def _mark(check: Check) -> str:
    from loganon.verify import BROKEN  # noqa: PLC0415 - start-up, as above

    return "BROKEN" if check.outcome == BROKEN else check.outcome


def _more(check: Check) -> str:
    """What stands behind the check: how many findings, why it was not made, what is to be noted."""
    findings = [f"{len(check.findings):,} found"] if check.findings else []
    parts = [*findings, *([check.why] if check.why else []), *check.notes]
    return f" ({'; '.join(parts)})" if parts else ""


def _figures(found: Verification) -> list[str]:
    figures = found.figures
    rejected = sum(figures["lines_rejected"].values())
    fates = f"{figures['lines_live']:,} stored, {figures['lines_deleted']:,} deleted, {rejected:,} rejected"
    size = f"{plural(figures['rows'], 'row')}, {plural(figures['bytes'], 'byte')}"
    cells = f"{plural(figures['cells'], 'cell')} of {plural(figures['partitions'], 'day')}"
    lines = [
        f"{plural(figures['lines_done'], 'line')} of {plural(figures['sources'], 'source')}: {fates}",
        f"{cells}: {size}; {plural(figures['texts'], 'text')} searched",
    ]
    shares = [f"{name} {share:.1%}" for name, share in figures["domain"].items()]
    return [*lines, f"domains: {', '.join(shares)}"] if shares else lines
