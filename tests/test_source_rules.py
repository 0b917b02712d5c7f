"""Rules that the linters do not know: no value of a log line leaves loganon by way of a message, a log or a traceback.

Each rule is a function from a module's syntax tree (or text) to what breaks it; its docstring states it, and
`test_each_rule_can_fail` feeds it a bad snippet. Modules "that touch log data" are those of `TOUCHING`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "loganon"
MODULES = sorted(SOURCE.rglob("*.py"))
STEPS = (
    "parse",
    "treatments",
    "gate",
    "aggregate",
    "pipeline",
    "shapes",
    "lookalikes",
    "addresses",
    "render",
    "errorlog",
)
"""These see raw values and have no reason to name one in an error."""
TOUCHING = (*STEPS, "sources", "lookups", "ingest", "reading", "preview", "filter", "api", "spark")
"""These hold lines, or call what does."""

Rule: TypeAlias = Callable[[ast.Module, str], Iterator[str]]


def part(path: Path) -> str:
    """The module of the package that a file belongs to: `parse` for `parse/clock.py`."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def named(node: ast.expr) -> str:
    """The last name of what is called: `strptime` of `datetime.strptime`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


# --- the rules ------------------------------------------------------------------------------------------------------


def no_logging(tree: ast.Module, text: str) -> Iterator[str]:
    """Nothing is logged, at any level: no logging library, no `exc_info`, no `warnings.warn`, no `print`."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            silences = name == "warnings" and isinstance(node, ast.Import)  # a library's warning, which says no value
            if name.split(".")[0] in {"logging", "structlog", "loguru", "warnings", "syslog"} and not silences:
                yield f"{node.lineno}: imports {name}"
        if isinstance(node, ast.Attribute) and node.attr in {"warn", "warn_explicit"}:
            yield f"{node.lineno}: {node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{node.lineno}: print"
    yield from (f"{at}: exc_info" for at, line in enumerate(text.splitlines(), 1) if re.search(r"\bexc_info\b", line))


def no_traceback_text(tree: ast.Module, text: str) -> Iterator[str]:
    """No traceback is written as text: it ends with the message. Of `traceback` only `extract_tb` is used (places)."""
    del text
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "traceback":
            yield f"{node.lineno}: from traceback import ..."
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and node.value.id == "traceback" and node.attr != "extract_tb":
            yield f"{node.lineno}: traceback.{node.attr}"
        if node.attr in {"excepthook", "add_note", "with_traceback", "print_exc"}:
            yield f"{node.lineno}: {node.attr}"


# What may stand in a message of a step's error: the operator's own words, never a value of a line.
OPERATORS = {
    "field.name": "a column of the schema",
    "route": "of the policy",
    "fmt": "a format file's name",
    "fmt.name": "of a format file",
    "letter": "of a format's time pattern",
    "text": "of a format's template",
    "MAX_V4": "a constant",
    "MAX_V6": "a constant",
}


def no_values_in_errors(tree: ast.Module, text: str) -> Iterator[str]:
    """An exception raised by a step is made of constants and of the operator's own names (`OPERATORS`).

    No f-string, `%`, `.format`, `+`, `str()` or `repr()` of anything else, and no bare variable as an argument.
    """
    del text
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for value in (*node.exc.args, *(keyword.value for keyword in node.exc.keywords)):
                for name in _shown(value):
                    if name not in OPERATORS:
                        yield f"{node.lineno}: shows {name}"


def _shown(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        return
    if isinstance(value, ast.JoinedStr):
        for piece in value.values:
            if isinstance(piece, ast.FormattedValue):
                yield from _shown(piece.value)
    elif isinstance(value, ast.Call) and named(value.func) == "join":
        for argument in value.args:
            yield from _shown(argument)
    else:
        yield ast.unparse(value)


def handled_without_cause(tree: ast.Module, text: str) -> Iterator[str]:
    """What is raised in an `except` of a module that touches log data says `from None`: the cause may hold a line.

    A bare `raise`, which lets the caught one go on, is only for `except BaseException` and `except OSError`: clean-up.
    """
    del text
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler):
            continue
        caught = ast.unparse(handler.type) if handler.type else ""
        for node in ast.walk(handler):
            if not isinstance(node, ast.Raise):
                continue
            if node.exc is None:
                if caught not in {"BaseException", "OSError", "LoganonError"}:
                    yield f"{node.lineno}: bare raise of {caught or 'anything'}"
            elif not (isinstance(node.cause, ast.Constant) and node.cause.value is None):
                yield f"{node.lineno}: raise without `from None`"


SPEAKING = {
    "ip_address", "ip_network", "ip_interface", "IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network",
    "strptime", "fromisoformat", "fromtimestamp", "int", "float", "Decimal", "UUID",
}  # fmt: skip
"""Calls whose exception repeats what they were given."""
# Calls on what is no text of a line, or on text that was tested; one reason each.
GUARDED = {
    ("addresses", "_bounds"): "the networks of this module",
    ("addresses", "embedded"): "numbers and addresses",
    ("addresses", "is_global"): "an address",
    ("addresses", "is_private"): "an address",
    ("addresses", "truncate"): "an address",
    ("addresses", "_ipv6"): "an address",
    ("addresses", "_ipv4"): "numbers within 32 and 128 bits",
    ("parse", "count_controls"): "a count",
    ("parse", "_offset"): "two digits each, as matched",
    ("parse", "read_json_layout"): "a number that the layout's own writer wrote",
    ("render", "_lines"): "a number that the skeleton's own writer wrote",
    ("lookalikes", "_meant"): "a number of _ZEROS, which stands in the module",
    ("shapes", "decode"): "two or four characters of _HEX",
    ("shapes", "is_octet"): "what _OCTET matched: at most five digits",
    ("issued", "_checksum_holds"): "what _IBAN matched, letter by letter",
}
_TESTS = {"isdigit", "isdecimal", "fullmatch", "match", "search", "issuperset", "finditer"}
_MATCHES = {"found", "match", "parts", "written", "digits"}


def no_speaking_errors(tree: ast.Module, text: str) -> Iterator[str]:
    """`int(`, `ip_address(`, `strptime(` and the like, whose errors repeat the text, are guarded where it is a line's.

    Guarded: within a `try` that catches ValueError (or more) and does not let it go on; or on groups of a match
    (`found[1]`); or in a function that tests the text itself (`isdigit`, `fullmatch`); or listed in `GUARDED`.
    """
    module = text.split("\n", 1)[0].removeprefix("# ") if text.startswith("# ") else ""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        tested = {named(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)} & _TESTS
        safe = {id(call) for node in ast.walk(function) if isinstance(node, ast.Try) for call in _within(node)}
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or named(node.func) not in SPEAKING or not node.args:
                continue
            if id(node) in safe or tested or (module, function.name) in GUARDED or _is_group(node.args[0]):
                continue
            yield f"{node.lineno}: {ast.unparse(node)} in {function.name}"


def _within(node: ast.Try) -> Iterator[ast.AST]:
    caught = {name for handler in node.handlers for name in _names(handler.type)}
    if caught & {"ValueError", "Exception", "BaseException"}:
        for statement in node.body:
            yield from ast.walk(statement)


def _names(kind: ast.expr | None) -> Iterator[str]:
    for each in kind.elts if isinstance(kind, ast.Tuple) else [kind]:
        yield named(each) if each is not None else "BaseException"


def _is_group(value: ast.expr) -> bool:
    """Whether it is made of groups of a match, or of numbers."""
    if isinstance(value, ast.Call) and named(value.func) in {"sum", "len", "round", "bool", "getattr", "knows"}:
        return True
    names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    return bool(names) and names <= _MATCHES


REASON = re.compile(
    r"#\s*(?:noqa(?:: *[A-Z]+[0-9]+(?:, *[A-Z]+[0-9]+)*)?|type: *ignore(?:\[[a-z-]+(?:, *[a-z-]+)*\])?)(.*)"
)


def reasons_given(tree: ast.Module, text: str) -> Iterator[str]:
    """Every `noqa` and `type: ignore` names its rule and says why, on its line."""
    del tree
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or not re.match(r"#\s*(?:noqa|type: *ignore)", token.string):
            continue
        found = REASON.match(token.string)
        bare = re.match(r"#\s*(?:noqa(?!:)|type: *ignore(?!\[))", token.string)
        if bare or found is None or not re.search(r"[A-Za-z]{3,}", found[1]):
            yield f"{token.start[0]}: {token.string}"


POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]*\})\+")


def no_possessive_group(tree: ast.Module, text: str) -> Iterator[str]:
    """No possessive repeat of a group, `(?:...)*+`: CPython before 3.11.5 (Debian 12) matches it wrongly (gh-106052).

    An atomic group around the plain repeat, `(?>(?:...)*)`, says the same; of a single character or class it is right.
    """
    del text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            pattern = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            yield from (f"{node.lineno}: {found[0]}" for found in POSSESSIVE_GROUP.finditer(pattern))


_SKIPS = ("skip", "skipif", "xfail")


def skips_given(tree: ast.Module, text: str) -> Iterator[str]:
    """Every skip and xfail of a test carries its reason."""
    del text
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {f"pytest.mark.{name}" for name in _SKIPS}:
            calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and call.func is node]
            if not any(keyword.arg == "reason" for call in calls for keyword in call.keywords):
                yield f"{node.lineno}: {ast.unparse(node)} without reason"


# --- applied --------------------------------------------------------------------------------------------------------


def broken(rule: Rule, path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    marked = f"# {part(path)}\n{text}" if path.is_relative_to(SOURCE) and rule is no_speaking_errors else text
    return [f"{path.relative_to(ROOT)}:{found}" for found in rule(ast.parse(text), marked)]


EVERYWHERE: tuple[Rule, ...] = (no_logging, no_traceback_text, reasons_given, no_possessive_group)
OF_STEPS: tuple[Rule, ...] = (no_values_in_errors, no_speaking_errors)


@pytest.mark.parametrize("rule", [*EVERYWHERE, *OF_STEPS, handled_without_cause], ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    """No module that the rule is for breaks it."""
    wanted = {*STEPS} if rule in OF_STEPS else {*TOUCHING} if rule is handled_without_cause else None
    paths = [path for path in MODULES if wanted is None or part(path) in wanted]
    assert len(paths) > 5
    assert [found for path in paths for found in broken(rule, path)] == []


def test_no_format_has_a_possessive_group() -> None:
    """The patterns in the format files keep the rule of the modules, `no_possessive_group`."""
    paths = sorted((SOURCE / "formats").glob("*.toml"))
    assert len(paths) > 5
    assert [path.name for path in paths if POSSESSIVE_GROUP.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("rule", [reasons_given, skips_given], ids=lambda rule: rule.__name__)
def test_tests_and_benchmarks_keep_the_rule(rule: Rule) -> None:
    """The reasons stand there, too."""
    paths = [path for folder in ("tests", "benchmarks", "sample_logs") for path in (ROOT / folder).rglob("*.py")]
    assert [found for path in paths for found in broken(rule, path)] == []


BAD = [
    (no_logging, "import logging"),
    (no_logging, "from logging import getLogger"),
    (no_logging, "import warnings\nwarnings.warn(line)"),
    (no_logging, "from warnings import warn"),
    (no_logging, "log.error('x', exc_info=True)"),
    (no_logging, "print(line)"),
    (no_traceback_text, "import traceback\ntraceback.print_exc()"),
    (no_traceback_text, "from traceback import format_exc"),
    (no_traceback_text, "error.add_note(line)"),
    (no_values_in_errors, "raise ValueError(f'bad {value}')"),
    (no_values_in_errors, "raise ValueError('bad %s' % value)"),
    (no_values_in_errors, "raise ValueError('bad {}'.format(value))"),
    (no_values_in_errors, "raise ValueError('bad ' + value)"),
    (no_values_in_errors, "raise ValueError(value)"),
    (no_values_in_errors, "raise ParseError('bad', where=repr(value))"),
    (handled_without_cause, "try:\n  f()\nexcept ValueError as error:\n  raise X('a') from error"),
    (handled_without_cause, "try:\n  f()\nexcept ValueError:\n  raise X('a')"),
    (handled_without_cause, "try:\n  f()\nexcept ValueError:\n  raise"),
    (no_speaking_errors, "def f(value):\n  return int(value)"),
    (no_speaking_errors, "def f(value):\n  return ip_address(value)"),
    (no_speaking_errors, "def f(value):\n  return datetime.strptime(value, '%Y')"),
    (no_speaking_errors, "def f(value):\n  try:\n    return int(value)\n  except KeyError:\n    return 0"),
    (no_speaking_errors, "def f(value):\n  try:\n    g()\n  except ValueError:\n    return int(value)"),
    (reasons_given, "x = 1  # noqa"),
    (reasons_given, "x = 1  # noqa: S101"),
    (reasons_given, "x = 1  # type: ignore"),
    (reasons_given, "x = 1  # type: ignore[arg-type]"),
    (no_possessive_group, "X = rb'(?:[^ ]++, )*+'"),
    (no_possessive_group, "X = '(?:a)++'"),
    (no_possessive_group, "X = b'(?:' + Y + b')?+'"),
    (no_possessive_group, "X = rf'(?:{Y}){{2,3}}+'"),
    (skips_given, "@pytest.mark.skip\ndef test(): ..."),
    (skips_given, "@pytest.mark.xfail(strict=True)\ndef test(): ..."),
]


@pytest.mark.parametrize(("rule", "snippet"), BAD, ids=lambda given: getattr(given, "__name__", str(given)[:30]))
def test_each_rule_can_fail(rule: Rule, snippet: str) -> None:
    """A snippet that breaks the rule is found."""
    assert list(rule(ast.parse(snippet), snippet))


GOOD = [
    (no_values_in_errors, "raise GateError('bad', where=f'column {field.name}')"),
    (handled_without_cause, "try:\n  f()\nexcept ValueError:\n  raise X('a') from None"),
    (
        no_speaking_errors,
        "def f(value):\n  try:\n    return int(value)\n  except (ValueError, KeyError):\n    return 0",
    ),
    (no_speaking_errors, "def f(value):\n  return int(value) if value.isdigit() else 0"),
    (no_possessive_group, "X = rb'(?>(?:[^ ]++, )*)[0-9]{6,}+\\)*+'"),
    (reasons_given, "x = 1  # noqa: S101 - the type is wider"),
    (reasons_given, "x = 1  # type: ignore[arg-type]  # a test's options"),
]


@pytest.mark.parametrize(("rule", "snippet"), GOOD, ids=lambda given: getattr(given, "__name__", str(given)[:30]))
def test_a_rule_lets_pass_what_keeps_it(rule: Rule, snippet: str) -> None:
    """No rule is so wide that it must be switched off."""
    assert list(rule(ast.parse(snippet), snippet)) == []
