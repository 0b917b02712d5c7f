"""The page of `loganon verify --report` in a real browser: its figures, hostile texts, a phone, the dark, paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loganon import __version__
from loganon.evidence import Unread, load_evidence, write
from loganon.pages import shown
from loganon.verify import CHECKS, verify
from support.browser import Browser, Page
from support.defects import cell, copy_of, healthy_store
from support.runs import NOW, table_of
from test_evidence import HOSTILE, evidence_of, hostile_policy, store_under


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return healthy_store(tmp_path_factory.mktemp("healthy"))


def page_of(text: str, folder: Path, browser: Browser, **settings: object) -> Page:
    """The page, which has said nothing and asked for nothing but itself."""
    path = folder / "evidence.html"
    path.write_text(text, "utf-8")
    page = browser.open(path, **settings)  # type: ignore[arg-type]  # a test's settings
    assert page.messages == []
    assert page.requests == [path.as_uri()]
    return page


def test_the_figures(healthy: Path, tmp_path: Path, browser: Browser) -> None:
    """What stands in the tables is the store's; each check has its outcome, each deletion its row."""
    page = page_of(write(".html", [evidence_of(healthy)], NOW, version=__version__), tmp_path, browser)
    table = table_of(healthy)
    sizes = dict(page.table("The table"))
    assert sizes["accesses"] == f"{sum(table['requests'].to_pylist()):,}"
    assert sizes["rows"] == f"{table.num_rows:,}"
    assert {row[1]: row[3] for row in page.table("Checks of")} == {
        check: "not checked" if check in ("raw", "elsewhere") else "held" for check in CHECKS
    }
    entries = [json.loads(each) for each in (healthy / "_loganon/deletions.jsonl").read_text().splitlines()]
    done = [each for each in entries if each["state"] == "done"]
    assert [(row[0], row[1], row[2]) for row in page.table("Deletions")] == [
        (each["partition"], f"{each['rows']:,}", f"{each['bytes']:,}") for each in reversed(done)
    ]
    assert {
        section: page.evaluate(f"document.querySelectorAll('section.{section}').length")
        for section in (
            "generated",
            "attested",
        )
    } == {"generated": 8, "attested": 3}
    page.close()


def test_a_hostile_policy(tmp_path: Path, browser: Browser) -> None:
    """Every text of the policy, and the store's own path, is shown as text; nothing of it is an element."""
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    found = evidence_of(store_under(hostile_policy(), folder))
    text = write(".html", [found, Unread(HOSTILE, HOSTILE)], NOW, version=__version__)
    assert "\x1b" not in text
    page = page_of(text, tmp_path, browser)
    assert page.evaluate("document.querySelectorAll('script, img, a, b i, form, iframe').length") == 0
    body = page.text("body")
    assert shown(HOSTILE) in body
    assert "<img src=x onerror=alert(1)>" in body
    assert page.table("Attested items")[0][2] == f"{shown(HOSTILE)}, {shown(HOSTILE)}"
    assert page.evaluate("document.querySelectorAll('h2').length") == 2
    page.close()


def test_what_is_broken_is_seen(healthy: Path, tmp_path: Path, browser: Browser) -> None:
    """The first thing on the page; the finding with its clause, and the clause marked broken."""
    store = copy_of(healthy, tmp_path)
    cell(store).chmod(0o644)
    found = load_evidence(store, verify(store, now=datetime(2026, 11, 22, tzinfo=UTC)))
    page = page_of(write(".html", [found], NOW, version=__version__), tmp_path, browser)
    assert page.text(".said").startswith("Not everything holds: 2 checks failed (age, modes)")
    assert {row[3] for row in page.table("Findings")} == {"keep_for", "purpose.share"}
    clauses = {row[0]: row[4] for row in page.table("Clauses that are enforced")}
    assert (clauses["purpose.share"], clauses["keep_for"], clauses["fields"]) == ("broken", "broken", "held")
    assert ["access/date=2026-11-15", "2026-11-22"] in [row[:2] for row in page.table("Overdue")]
    page.close()


@pytest.mark.parametrize("settings", [{"width": 360}, {"dark": True}], ids=["phone", "dark"])
def test_it_can_be_read(settings: dict[str, object], healthy: Path, tmp_path: Path, browser: Browser) -> None:
    """No page is wider than its window; what is wide scrolls by itself. In the dark the ground is dark."""
    page = page_of(write(".html", [evidence_of(healthy)], NOW, version=__version__), tmp_path, browser, **settings)
    assert page.overflow() == 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(14, 18, 23)") is bool(settings.get("dark"))
    page.close()


def test_it_prints(healthy: Path, tmp_path: Path, browser: Browser) -> None:
    """As PDF, on several pages, with nothing cut at the right."""
    page = page_of(write(".html", [evidence_of(healthy)], NOW, version=__version__), tmp_path, browser)
    found = page.pdf()
    assert found.startswith(b"%PDF-")
    assert 3 <= found.count(b"/Type /Page\n") + found.count(b"/Type /Page ") <= 20
    page.close()
