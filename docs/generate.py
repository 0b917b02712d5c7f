"""The generated parts of the documentation: formats, options, exit codes.

`python docs/generate.py` writes them; with `--check` it exits 1 where a file differs from what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import click
from pydantic.fields import FieldInfo

from loganon import errors
from loganon.cli import root
from loganon.formats import load_formats
from loganon.formats.columns import RAW
from loganon.policy import bundled, load_policy
from loganon.policy.outline import known_keys
from loganon.report import KEYS as REPORT_KEYS
from loganon.settings import Common, InputSettings, Settings
from loganon.status import KEYS
from loganon.status.metrics import LINES, LINES_HELP, METRICS
from loganon.verify import CHECKS, FIGURES

HERE = Path(__file__).parent
_NOTE = "<!-- written by docs/generate.py; `make docs` renews it -->\n"


_OWN_FORMAT = """
## A format of your own

The server's own string, in single quotes, so that the shell leaves it alone; or the file where it stands:

```sh
loganon preview access.log --format 'nginx:$remote_addr - [$time_local] "$request" $status $request_time'
loganon preview access.log --format-from /etc/nginx/nginx.conf
loganon preview access.log --format-from /etc/apache2/apache2.conf:combined
```

All else is a TOML file for `--format-file`, or `format_file` in the configuration. JSON lines under keys of your own:

```toml
title    = "Access log of our API gateway"
vendor   = "https://wiki.example.org/gateway-log"  # where the format is described
dialect  = "jsonlines"
requires = ["client", "path", "status"]            # lines without these are malformed

[keys]                                             # of several names the first that a line has is read
time   = ["requestTime", "@timestamp"]
client = ["identity.sourceIp", "ip"]               # a dot goes into an object, [0] into a list
path   = ["request|target", '"url.path"']          # the target of a request line; a key with a dot in it
status = ["status"]
bytes  = ["responseLength"]
agent  = ["headers.User-Agent[0]"]
```

`a.b[*]` is all texts of a list, `, ` between them; `time = ["date clock"]` a date and a time of day under two keys.

Columns between blanks, tabs or commas, with a header (`#Fields:`, or a first row) or without:

```toml
title     = "Export of our CDN"
vendor    = "https://wiki.example.org/cdn-export"
dialect   = "delimited"
delimiter = "comma"                                # or "tab"; "blank": a tab or spaces
header    = "row"                                  # with "comma"; "fields": lines that begin with `#Fields:`
fields    = ["date", "time", "ip", "uri", "code"]  # the columns of a log without header
zone      = "utc"                                  # times without an offset

[columns]
time   = ["date time"]                             # a date and a time of day
client = ["ip"]
path   = ["uri"]
status = ["code"]
```

With `dialect = "template"` the server's string stands under `template`. A file reads nothing but what it names. What
stands on the left of a key or column is one of these:

RAW.

`path` may be a whole URL; `duration_…` is for the field `response_time`; `cookie`, `dnt` and `gpc` for a policy's
`[consent]`. Times are told apart by their shape: ISO 8601, `10/Oct/2026:13:55:36 +0000`, a number since 1970 in
anything from seconds to microseconds. `[decode]` says how a column is written besides, as in `agent = "plus"`: `plus`
(`+` for a blank), `percent_twice` (`%20`, `%2520`), `escapes` (`\\x22`, as nginx and Apache write it).
"""


def formats() -> str:
    """The table of log formats."""
    rows = ["# Log formats", "", _NOTE, "| name | what it is | example |", "|---|---|---|"]
    for fmt in load_formats().values():
        line = next((example.line for example in fmt.examples if not example.reject), "")
        shown = line.splitlines()[-1] if line else ""
        rows.append(f"| `{fmt.name}` | [{_cell(fmt.title)}]({fmt.vendor}) | `{_cell(shown)}` |")
    names = ", ".join(f"`{name}`" for name in RAW)
    return "\n".join(rows) + "\n" + _OWN_FORMAT.replace("RAW", fill(names, 118))


def options() -> str:
    """The table of options of each command."""
    rows = ["# Options", "", _NOTE]
    context = click.Context(root)
    for name, command in _commands(root, context):
        rows += [f"## loganon {name}", "", str(command.help).split("\n\n")[0], ""]
        rows += ["| option | environment | what it does |", "|---|---|---|"]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                form, text = parameter.get_help_record(context) or ("", "")
                variables = parameter.envvar if isinstance(parameter.envvar, list) else []
                rows.append(f"| `{_cell(form)}` | {', '.join(f'`{v}`' for v in variables)} | {_cell(text)} |")
        rows.append("")
    return "\n".join(rows)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its name behind `loganon`; those of a group after one another."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", found) for inner, found in _commands(command, context))
        else:
            yield name, command


def exit_codes() -> str:
    """The table of exit codes, from the errors that carry them."""
    rows = ["# Exit codes", "", _NOTE, "| code | when |", "|---|---|", "| 0 | all is well |"]
    found: dict[int, list[str]] = {2: ["The command line is wrong."]}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.LoganonError) and kind is not errors.LoganonError:
            found.setdefault(kind.exit_code, []).append(str(kind.__doc__).split("\n\n")[0].replace("\n    ", " "))
    rows += [f"| {code} | {_cell(' '.join(texts))} |" for code, texts in sorted(found.items())]
    return "\n".join(rows) + "\n"


def configuration() -> str:
    """The page of the configuration file: its prose as it stands, and the tables of its keys behind that."""
    page = (HERE / "configuration.md").read_text("utf-8")
    rows = [page[: page.index("## The keys")] + "## The keys", "", _NOTE]
    levels = (
        ("In an `[[input]]` only:", InputSettings.model_fields.keys() - Common.model_fields.keys()),
        ("In an `[[input]]`, or before the first as a default:", Common.model_fields.keys()),
        ("Before the first `[[input]]` only:", Settings.model_fields.keys() - Common.model_fields.keys() - {"input"}),
    )
    for title, names in levels:
        rows += [title, "", "| key | is |", "|---|---|"]
        rows += [f"| `{n}` | {_cell(str(f.description))} |" for n, f in _fields().items() if n in names]
        rows.append("")
    return "\n".join(rows)


def policies() -> str:
    """The page of policies: its prose as it stands, and the table of all keys behind that."""
    page = (HERE / "policies.md").read_text("utf-8")
    rows = [page[: page.index("## The keys")] + "## The keys", "", _NOTE]
    rows += ["A key without a default must be set where its table is given.", ""]
    rows += ["| key | takes | default | means |", "|---|---|---|---|"]
    for key in known_keys():
        default = f"`{key.default}`" if key.default and key.takes != "a table" else key.default
        rows.append(f"| `{key.path}` | {_cell(key.takes)} | {_cell(default)} | {_cell(key.meaning)} |")
    return "\n".join(rows) + "\n"


def verification() -> str:
    """The page of `verify`: its prose as it stands, and the tables of checks and figures behind that."""
    page = (HERE / "verify.md").read_text("utf-8")
    rows = [page[: page.index("## The checks")] + "## The checks", "", _NOTE]
    rows += ["| check | promise | holds if | if it does not |", "|---|---|---|---|"]
    rows += [f"| `{name}` | {each.word} | {_cell(each.holds)} | {_cell(each.fix)} |" for name, each in CHECKS.items()]
    rows += ["", "## The figures", "", "Under `figures` in the JSON:", "", "| key | is |", "|---|---|"]
    rows += [f"| `{name}` | {_cell(text)} |" for name, text in FIGURES.items()]
    return "\n".join(rows) + "\n"


def report() -> str:
    """The page of `report`: its prose as it stands, and the table of keys behind that."""
    page = (HERE / "report.md").read_text("utf-8")
    rows = [page[: page.index("## The keys")] + "## The keys", "", _NOTE]
    rows += ["Of `--json`; all are always there.", "", "| key | is |", "|---|---|"]
    rows += [f"| `{name}` | {_cell(text)} |" for name, text in REPORT_KEYS.items()]
    return "\n".join(rows) + "\n"


def status() -> str:
    """The page of `status`: its prose as it stands, and the tables of keys and metrics behind that."""
    page = (HERE / "status.md").read_text("utf-8")
    rows = [page[: page.index("## The keys")] + "## The keys", "", _NOTE]
    rows += ["Of `--json`; all are always there.", "", "| key | is |", "|---|---|"]
    rows += [f"| `{name}` | {_cell(text)} |" for name, text in KEYS.items()]
    rows += [
        "",
        "## The metrics",
        "",
        "All are gauges with the label `store`; `loganon_source_lines` has `reason`, too.",
    ]
    rows += ["", "| metric | is |", "|---|---|"]
    rows += [f"| `loganon_{name}` | {_cell(text)} |" for name, text in METRICS.items()]
    rows += [f"| `{LINES}` | {LINES_HELP} |"]
    return "\n".join(rows) + "\n"


def _fields() -> dict[str, FieldInfo]:
    return {**InputSettings.model_fields, **Settings.model_fields}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def ready() -> str:
    """The canonical forms of the bundled policies that a run takes as they are: those without further parts."""
    found = [load_policy(name) for name in bundled()]
    return "".join(f"{policy.canonical}\n" for policy in found if not (policy.also_expire or policy.hold))


PAGES = {
    "formats.md": formats,
    "options.md": options,
    "exit-codes.md": exit_codes,
    "configuration.md": configuration,
    "policies.md": policies,
    "report.md": report,
    "status.md": status,
    "verify.md": verification,
    "../src/loganon/policy/ready.jsonl": ready,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    stale = []
    for name, make in PAGES.items():
        path, text = HERE / name, make()
        if "--check" in arguments:
            stale += [name] if not path.exists() or path.read_text("utf-8") != text else []
        else:
            path.write_text(text, "utf-8")
    for name in stale:
        print(f"docs/{name} is not what the code says: run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
