"""`loganon preview`: what loganon would make of a log; no store, no key, nothing written."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import click

from loganon.cli.messages import Messages, reported
from loganon.cli.options import option, single_log_options
from loganon.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

    from loganon.lookups import Lookups
    from loganon.preview import Preview


_JUSTIFY: dict[str, Literal["right"]] = {"bytes": "right"}
_FLEXIBLE = {"domain": 3, "file": 4, "browser": 2}
"""Of a narrow terminal, the columns that share what the others leave, and how."""
_WIDTH = 132  # of what is not a terminal
_NARROW = 120  # less than the columns of `imos` take with their names
_NARROWEST = 76  # in less nothing could be read


@click.command(name="preview")
@click.argument("log", metavar="LOG")
@single_log_options("preview")
@option("preview", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@reported
def command(
    log: str,
    policy: str,
    format_name: str,
    format_file: Path | None,
    format_from: str | None,
    day: date | None,
    fields: str | None,
    timezone: ZoneInfo | None,
    provider_db: tuple[Path, ...],
    trusted_proxy: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show what would be stored of LOG (a file, or - for standard input), and what would not."""
    from rich.console import Console  # noqa: PLC0415 - start-up: not imported for --help

    from loganon.formats.given import resolve  # noqa: PLC0415 - start-up, as above
    from loganon.lookups import open_lookups  # noqa: PLC0415 - start-up, as above
    from loganon.policy import load_policy  # noqa: PLC0415 - start-up, as above
    from loganon.preview import preview  # noqa: PLC0415 - start-up, as above

    lookups = open_lookups(provider_db, trusted_proxy)
    names = tuple((fields or "").split())
    fmt = resolve(format_name, file=format_file, source=format_from, day=day)
    seen = preview(log, load_policy(policy), lookups, fmt=fmt, timezone=timezone, fields=names)
    for warning in seen.warnings:
        Messages("text", quiet=False).note(warning)
    if as_json:
        click.echo(json.dumps(_object(seen), ensure_ascii=False))
        return 0
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, markup=False, width=_WIDTH)
    _head(console, seen)
    show_rows(console, seen)
    _directives(console, seen)
    _rest(console, seen, lookups)
    return 0


def _head(console: Console, seen: Preview) -> None:
    sure = "as given" if seen.fit is None else f"takes {seen.fit:.1%} of the first lines"
    console.print(
        f"{printable(seen.log)}: format {seen.format.name} ({sure}); {seen.read:,} of {seen.lines:,} lines read"
    )


def show_rows(console: Console, seen: Preview) -> None:
    """Print the rows as they would be stored: a narrow terminal's lines are not broken."""
    from rich.box import SIMPLE  # noqa: PLC0415 - start-up: not imported for --help
    from rich.table import Table  # noqa: PLC0415 - start-up: not imported for --help
    from rich.text import Text  # noqa: PLC0415 - start-up, as above

    narrow = console.width < _NARROW
    rows = Table(
        title=f"the first {seen.table.num_rows} rows as they would be stored",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1, 0, 0) if narrow else (0, 1),
        width=max(_NARROWEST, console.width) if narrow else None,
    )
    for name in seen.table.column_names:
        rows.add_column(
            Text(name.replace("_", "_\n") if narrow else name),
            overflow="ellipsis",
            no_wrap=True,
            justify=_JUSTIFY.get(name, "left"),
            ratio=_FLEXIBLE.get(name) if narrow else None,
        )
    for row in seen.table.to_pylist():
        shown = (f"{v:%Y-%m-%d %H:%M}" if hasattr(v, "hour") else str(v) for v in row.values())
        rows.add_row(*(Text(value) for value in shown))
    console.print(rows)


def _directives(console: Console, seen: Preview) -> None:
    from rich.box import SIMPLE  # noqa: PLC0415 - start-up: not imported for --help
    from rich.table import Table  # noqa: PLC0415 - start-up: not imported for --help
    from rich.text import Text  # noqa: PLC0415 - start-up, as above

    directives = Table(title="what becomes of each directive", title_justify="left", box=SIMPLE)
    directives.add_column("directive")
    directives.add_column("becomes")
    for directive, fate in seen.directives:
        directives.add_row(Text(directive), fate)
    console.print(directives)


def _rest(console: Console, seen: Preview, lookups: Lookups) -> None:
    if seen.missing:
        console.print(f"nothing in this log gives {', '.join(seen.missing)}: no line has more than the empty answer")
    console.print("shares: " + ", ".join(f"{share:.0%} {name}" for name, share in seen.shares.items()))
    if seen.shares.get("private client", 0) > 0.5:
        proxies = lookups.trusted_proxies
        fix = "Have the server log X-Forwarded-For, too." if proxies else "Name it with --trusted-proxy."
        console.print(f"{seen.shares['private client']:.0%} private: behind a proxy? {fix}")
    elif seen.shares.get("unknown domain", 0) > 0.5 and all(each.kind == "country" for each in lookups.databases):
        console.print(
            "No database with providers was given: an address by itself is `unknown`. Give one with --provider-db."
        )
    if "country" in seen.table.column_names and not any(each.countries for each in lookups.databases):
        console.print("No database with countries was given: `country` stays `unknown`. Give one with --provider-db.")
    if seen.redacted:
        console.print(f"{seen.redacted:,} lines redacted: a value still looked like an address or an e-mail")
    if seen.rejected:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in seen.rejected.items())
        console.print(f"rejected: {counts}")
    for reject in seen.rejects:
        console.print(f"  {printable(seen.log)}:{reject.line + 1}: {reject.reason}: {reject.shape}")


def _object(seen: Preview) -> dict[str, object]:
    rows = [
        {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in seen.table.to_pylist()
    ]
    return {
        "log": seen.log,
        "format": seen.format.name,
        "fit": seen.fit,
        "lines": seen.lines,
        "counted": seen.counted,
        "redacted": seen.redacted,
        "rows": rows,
        "shares": seen.shares,
        "rejected": dict(seen.rejected),
        "rejects": [{"line": r.line + 1, "reason": r.reason, "at": r.at, "shape": r.shape} for r in seen.rejects],
        "missing": list(seen.missing),
        "directives": [{"directive": d, "becomes": f} for d, f in seen.directives],
    }
