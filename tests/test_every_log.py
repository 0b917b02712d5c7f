"""Every log of the corpus through `loganon run`: a log is read, what is none is skipped or refused, each says why.

`cases/corpus_logs.toml` names the options that a file needs, and the reason of each line that is not counted; the table
is printed with `pytest tests/test_every_log.py -s`.
"""

from __future__ import annotations

import fnmatch
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cli import Done, Inside
from support.runs import PLAIN, check_balance

pytestmark = pytest.mark.corpus

CASES = Path(__file__).parent / "cases"
NOW = "2027-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Ran:
    """A file of the corpus, what is known of it ("log", "refuse", None), and what `run` did with it."""

    name: str
    kind: str | None
    case: dict[str, Any]
    done: Done

    @property
    def source(self) -> dict[str, Any]:
        """The log's own numbers; empty where it was skipped."""
        found = self.done.json["sources"]
        return dict(found[0]) if found else {}

    @property
    def rejected(self) -> dict[str, int]:
        return {reason: count for reason, count in self.source.get("rejected", {}).items() if count}

    @property
    def skipped(self) -> str:
        return ", ".join(each["reason"] for each in self.done.json["skipped"])

    def row(self) -> str:
        """A line of the table."""
        rejects = ", ".join(f"{count} {reason}" for reason, count in self.rejected.items())
        why = f" ({self.case['why']})" if "why" in self.case else ""
        read, counted = self.source.get("lines_read", ""), self.source.get("counted", "")
        what = self.source.get("format") or self.skipped
        return f"{self.name[-64:]:<66}{what:<16}{read:>7}{counted:>8}  {rejects}{why}"


@pytest.fixture(scope="module")
def ran(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    """Each file that is a log, is to be refused, or is not known, into a store of its own."""
    folder = tmp_path_factory.mktemp("logs")
    (folder / "policy.toml").write_text(PLAIN.replace("6 weeks", "unlimited"))
    cases = tomllib.loads((CASES / "corpus_logs.toml").read_text("utf-8"))
    run, every = Inside(folder), []
    for number, path in enumerate(sorted((corpus / "logs").rglob("*"))):
        name = path.relative_to(corpus / "logs").as_posix()
        kind, case = _known(cases, name)
        if not path.is_file() or kind == "other":
            continue
        words = ("--store", folder / f"store-{number}", "--policy", folder / "policy.toml", "--now", NOW)
        every.append(Ran(name, kind, case, run("run", path, *words, "--final", "--json", *case.get("words", ()))))
    print("\n" + "\n".join(each.row() for each in every))
    return every


def _known(cases: dict[str, list[dict[str, Any]]], name: str) -> tuple[str | None, dict[str, Any]]:
    for kind in ("other", "refuse", "log"):
        for case in cases[kind]:
            patterns = case["path"] if isinstance(case["path"], list) else [case["path"]]
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                return kind, case
    return None, {}


def test_the_balance(ran: list[Ran]) -> None:
    """Nothing ends in an exception, and every line of each log is counted or rejected for a reason."""
    assert len(ran) > 50
    for each in ran:
        assert each.done.code in (0, 65), (each.name, each.done.err)
        check_balance(each.done.json)
        assert bool(each.source) == (each.done.code == 0), each.name


def test_every_log_is_read(ran: list[Ran]) -> None:
    """A log is counted, but for those of its lines that the data file explains."""
    for each in ran:
        if each.kind == "log":
            assert each.done.code == 0, (each.name, each.done.err)
            assert each.source["counted"] > 0, each.name
            assert each.rejected == each.case.get("rejected", {}), each.name
            assert each.source["format"] == each.case.get("format", each.source["format"]), each.name


def test_what_is_no_access_log_is_refused(ran: list[Ran]) -> None:
    """Error logs and what else is none give no line; no format claims them."""
    for each in ran:
        if each.kind == "refuse":
            assert (each.done.code, each.done.json["lines_read"]) == (65, 0), (each.name, each.source)
            assert each.skipped in ("error_log", "no_format"), each.name


def test_no_format_claims_what_it_does_not_read(ran: list[Ran]) -> None:
    """A file that the data file does not know is refused, or most of its lines are read; it is listed in any case."""
    unknown = [each for each in ran if each.kind is None]
    print("\nnot in cases/corpus_logs.toml:\n" + "\n".join(each.row() for each in unknown))
    for each in unknown:
        assert not each.source or each.source["counted"] * 2 > each.source["lines_read"], each.row()
