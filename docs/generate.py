"""The generated parts of the documentation: formats, options, exit codes.

`python docs/generate.py` writes them; with `--check` it exits 1 where a file differs from what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from loganon import errors
from loganon.cli import root
from loganon.formats import load_formats

HERE = Path(__file__).parent
_NOTE = "<!-- written by docs/generate.py; `make docs` renews it -->\n"


def formats() -> str:
    """The table of log formats."""
    rows = ["# Log formats", "", _NOTE, "| name | what it is | example |", "|---|---|---|"]
    for fmt in load_formats().values():
        line = next((example.line for example in fmt.examples if not example.reject), "")
        shown = line.splitlines()[-1] if line else ""
        rows.append(f"| `{fmt.name}` | [{_cell(fmt.title)}]({fmt.vendor}) | `{_cell(shown)}` |")
    return "\n".join(rows) + "\n"


def options() -> str:
    """The table of options of each command."""
    rows = ["# Options", "", _NOTE]
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        rows += [f"## loganon {name}", "", str(command.help).split("\n\n")[0], ""]
        rows += ["| option | environment | what it does |", "|---|---|---|"]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                form, text = parameter.get_help_record(context) or ("", "")
                variables = parameter.envvar if isinstance(parameter.envvar, list) else []
                rows.append(f"| `{_cell(form)}` | {', '.join(f'`{v}`' for v in variables)} | {_cell(text)} |")
        rows.append("")
    return "\n".join(rows)


def exit_codes() -> str:
    """The table of exit codes, from the errors that carry them."""
    rows = ["# Exit codes", "", _NOTE, "| code | when |", "|---|---|", "| 0 | all is well |"]
    found: dict[int, list[str]] = {2: ["The command line is wrong."], 70: ["An error inside loganon."]}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.LoganonError) and kind is not errors.LoganonError:
            found.setdefault(kind.exit_code, []).append(str(kind.__doc__).split("\n\n")[0].replace("\n    ", " "))
    rows += [f"| {code} | {_cell(' '.join(texts))} |" for code, texts in sorted(found.items())]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {"formats.md": formats, "options.md": options, "exit-codes.md": exit_codes}


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
