"""The page of figures: written by the campaign only, and with a row for every suite."""

from __future__ import annotations

from datetime import date

from faults.campaign import BEGIN, COLUMNS, END, PAGE, SUITES, row_of, rows_in, with_rows
from faults.counts import COUNTS
from faults.tracing import whole_calls

TODAY = date(2026, 11, 22)


def test_rows_are_replaced() -> None:
    """A suite that ran has a new row, every other one its old; the text around the table stays."""
    page = f"# Title\n\n{BEGIN}\n{END}\n\nText.\n"
    entries = [{"count": 3, "lost": 0, "twice": 1, "wrong": 1, "seconds": 2.4}] * 2
    first = row_of("kill", entries, failed=True, command="`make campaign`", today=TODAY)
    assert first == ("kill", "6", "0", "2", "2", "5", "`make campaign`", "2026-11-22")
    silent = row_of("clock", [], failed=True, command="c", today=TODAY)
    assert silent[4] == "1"
    page = with_rows(page, {"clock": silent})
    page = with_rows(page, {"kill": first})
    assert rows_in(page) == {"kill": first, "clock": silent}
    assert page.startswith(f"# Title\n\n{BEGIN}\n\n| {COLUMNS[0]} |")
    assert page.endswith(f"{END}\n\nText.\n")
    assert with_rows(page, {}) == page


def test_the_page_is_the_campaigns() -> None:
    """docs/reliability.md has one row for each suite, as the campaign writes it; nothing was lost or twice."""
    page = PAGE.read_text(encoding="utf-8")
    rows = rows_in(page)
    assert list(rows) == list(SUITES)
    assert with_rows(page, {}) == page
    for row in rows.values():
        assert len(row) == len(COLUMNS)
        assert int(row[1].replace(",", "")) > 0
        assert row[2:5] == ("0", "0", "0"), row[0]


def test_counts_name_suites() -> None:
    """Whatever has a count is a suite."""
    assert {name.removesuffix("_steps") for name in COUNTS} <= set(SUITES)


def test_a_divided_call_is_one() -> None:
    """strace divides the line of a call while another thread makes one; its number and its result are not lost."""
    lines = [
        '7 openat(AT_FDCWD, "/a", O_RDONLY <unfinished ...>',
        "8 fsync(3</b>) = 0",
        "7 <... openat resumed>) = -1 EINTR (Interrupted system call) (INJECTED)",
    ]
    assert list(whole_calls(lines)) == [
        "8 fsync(3</b>) = 0",
        '7 openat(AT_FDCWD, "/a", O_RDONLY) = -1 EINTR (Interrupted system call) (INJECTED)',
    ]
