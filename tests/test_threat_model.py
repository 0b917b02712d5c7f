"""The threat model names a test for each promise: each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_NAMED = re.compile(r"`((?:faults/)?test_\w+\.py)::(test_\w+)`")


def _missing(text: str) -> list[str]:
    """The tests that a text names and that do not exist."""
    missing = []
    for file, name in _NAMED.findall(text):
        path = _ROOT / "tests" / file
        found = ast.walk(ast.parse(path.read_text())) if path.exists() else ()
        if not any(isinstance(node, ast.FunctionDef) and node.name == name for node in found):
            missing.append(f"{file}::{name}")
    return missing


def test_each_test_named_exists() -> None:
    """A promise without its test is no promise."""
    text = (_ROOT / "docs" / "threat-model.md").read_text()
    assert len(_NAMED.findall(text)) > 40
    assert _missing(text) == []


def test_each_promise_has_one() -> None:
    """All six promises of the design are there, each with a test."""
    text = (_ROOT / "docs" / "threat-model.md").read_text()
    promises = re.split(r"^\*\*(\d)\. ", text, flags=re.MULTILINE)
    assert promises[1::2] == list("123456")
    assert all(_NAMED.search(part) for part in promises[2::2])


def test_a_name_that_is_gone_is_found() -> None:
    """The check can fail: a renamed test, and a file that is not there."""
    assert _missing("`test_gate.py::test_gone` and `test_nowhere.py::test_x`") == [
        "test_gate.py::test_gone",
        "test_nowhere.py::test_x",
    ]
