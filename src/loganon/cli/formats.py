"""`loganon formats`: the log formats that loganon reads."""

from __future__ import annotations

import json

import click

from loganon.cli.messages import reported
from loganon.cli.options import option


@click.command(name="formats")
@option("formats", "--example", metavar="NAME", help="Show a format's example lines, and what is read from each.")
@option("formats", "--json", "as_json", is_flag=True, help="Print one JSON object.")
@reported
def command(example: str | None, as_json: bool) -> int:
    """List the log formats that loganon reads."""
    from loganon.formats import load_formats, named_format  # noqa: PLC0415 - start-up: not imported for --help

    if example is not None:
        fmt = named_format(example)
        formats = load_formats() if fmt is None else {fmt.name: fmt}
    else:
        formats = load_formats()
    if as_json:
        entries = [
            {"name": f.name, "title": f.title, "vendor": f.vendor, "dialect": f.dialect} for f in formats.values()
        ]
        click.echo(json.dumps({"formats": entries}, ensure_ascii=False))
        return 0
    width = max(map(len, formats))
    for fmt in formats.values():
        click.echo(f"{fmt.name:{width}}  {fmt.title}")
        for line in fmt.examples if example else ():
            click.echo(f"\n  {line.line}")
            if line.reject:
                click.echo(f"    rejected: {line.reject}")
            for name, value in line.fields:
                click.echo(f"    {name} = {value}")
    return 0
