"""Pages for people: self-contained HTML out of templates and frozen values, and files that are written whole.

A page has no script and asks for nothing from anywhere. Whatever stands in a value is shown as text.
"""

from __future__ import annotations

from loganon.pages.amounts import count, plural, share, size
from loganon.pages.rendering import render
from loganon.pages.text import shown
from loganon.pages.writing import write_page

__all__ = ["count", "plural", "render", "share", "shown", "size", "write_page"]
