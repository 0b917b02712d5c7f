"""What a store says of its accesses, for policies that allow evaluation: figures, tables, a page.

Nothing is changed; nothing is read that is over its age, or that a hold closes.
"""

from __future__ import annotations

from loganon.report.figures import KEYS, Report
from loganon.report.loading import load_report
from loganon.report.question import Question, Since, parse_since

__all__ = ["KEYS", "Question", "Report", "Since", "load_report", "parse_since"]
