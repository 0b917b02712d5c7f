"""Pages: whatever stands in a value is shown as text; a file is written whole, or not at all, and where it may be."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.errors import CannotWriteError, ConfigurationError
from loganon.pages import count, plural, rendering, share, shown, size, write_page

TEMPLATE = """{% extends "base.html" %}
{% import "parts.html" as parts %}
{% block title %}{{ text }}{% endblock %}
{% block main %}<p class="{{ text }}">{{ text }}</p>{{ parts.table(text, (text, "n"), ((text, 1),), numbers=(1,)) }}
{{ parts.facts([(text, text)]) }}{{ parts.said(text, "warn") }}{{ parts.tiles([(text, text)]) }}{% endblock %}"""


@pytest.fixture
def own_template() -> Iterator[None]:
    """A template `own.html` that shows `text` wherever a page can."""
    environment = rendering._environment()
    theirs = environment.loader
    environment.loader = jinja2.ChoiceLoader([jinja2.DictLoader({"own.html": TEMPLATE}), theirs or jinja2.BaseLoader()])
    yield
    environment.loader = theirs
    environment.cache = jinja2.utils.LRUCache(10)


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\u202eabc", "\u2066", "\x00", "\x9b", "a\nb", "\udc80", "\u200b", "\ufeff"]
)
def test_what_cannot_be_seen_is_made_visible(text: str) -> None:
    """Control and bidi characters, lone surrogates and the like are escapes: what is shown can be printed."""
    assert shown(text).isprintable()
    assert "\\" in shown(text)


@settings(max_examples=60)
@given(st.text())
def test_shown_is_one_printable_line(text: str) -> None:
    """Any text becomes one line that can be encoded; one that can be printed stays as it is."""
    found = shown(text)
    assert found.isprintable()
    found.encode("utf-8")
    assert found == text or not text.isprintable()


def test_a_long_text_is_cut() -> None:
    """A text over its length ends in `…`, and is no longer than that."""
    assert (shown("abc", 3), shown("abcd", 3)) == ("abc", "ab…")


@pytest.mark.usefixtures("own_template")
def test_a_page_shows_text_as_text() -> None:
    """Markup, quotes, ESC and bidi characters of a value are text in elements, attributes, titles and tables."""
    page = rendering.render("own.html", {"text": "<script>alert(1)</script>\x1b[31m\u202e\"'>"}, version="1")
    assert "<script" not in page
    assert not {"\x1b", "\u202e"} & set(page)
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m\\u202e&#34;&#39;&gt;") == 11


@pytest.mark.usefixtures("own_template")
def test_a_page_is_self_contained() -> None:
    """Its policy for content allows nothing but its own style; it names no address and has no script."""
    page = rendering.render("own.html", {"text": "a"}, version="1.2")
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:;" in page
    assert '<html lang="en">' in page
    assert '<meta charset="utf-8">' in page
    assert "loganon 1.2" in page
    for word in ("<script", "http:", "https:", "@import", "url(", "src=", "javascript"):
        assert word not in page.replace("img-src", ""), word


@pytest.mark.usefixtures("own_template")
def test_a_missing_value_is_an_error() -> None:
    """A value that is not given, or None, is never an empty place on the page."""
    with pytest.raises(jinja2.UndefinedError):
        rendering.render("own.html", {}, version="1")
    with pytest.raises(TypeError):
        rendering.render("own.html", {"text": None}, version="1")


def test_without_the_extra() -> None:
    """Where jinja2 is missing the error (78) says what to install."""
    rendering._environment.cache_clear()
    try:
        with mock.patch.dict(sys.modules, {"jinja2": None}), pytest.raises(ConfigurationError, match=r"\[report\]"):
            rendering.render("report.html", {}, version="1")
    finally:
        rendering._environment.cache_clear()


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (count(1234567), "1,234,567"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(999.96 * 1000), "1.0 MB"),
        (size(1234567), "1.2 MB"),
        (size(12 * 10**17), "1,200.0 PB"),
        (share(0, 10), "0.0 %"),
        (share(1, 100000), "< 0.1 %"),
        (share(99999, 100000), "> 99.9 %"),
        (share(1, 3), "33.3 %"),
        (share(10, 10), "100.0 %"),
        (share(0, 0), "-"),
        (plural(1, "day"), "1 day"),
        (plural(1200, "access", "accesses"), "1,200 accesses"),
    ],
)
def test_amounts(found: str, wanted: str) -> None:
    """Amounts have separators and units; what is not nothing, or not all, is never shown as that."""
    assert found == wanted


# --- files ----------------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_file_is_its_owners(tmp_path: Path) -> None:
    """A new file is 0600 whatever the umask; one that stands keeps its mode, but for what could be executed."""
    old = os.umask(0)
    try:
        write_page(tmp_path / "a.html", "ä\udc80", [], option="--html")
    finally:
        os.umask(old)
    assert (tmp_path / "a.html").read_bytes() == "ä\\udc80".encode()
    assert mode(tmp_path / "a.html") == 0o600
    (tmp_path / "a.html").chmod(0o755)
    write_page(tmp_path / "a.html", "b", [], option="--html")
    assert ((tmp_path / "a.html").read_text(), mode(tmp_path / "a.html")) == ("b", 0o644)
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_no_link_is_written_over(tmp_path: Path) -> None:
    """A link, a directory and a device are refused (78), and what they lead to stays."""
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(ConfigurationError, match="is not written over"):
            write_page(tmp_path / name, "theirs", [], option="--html")
    assert target.read_text() == "mine"
    assert (tmp_path / "link").is_symlink()


def test_nothing_is_written_into_a_store(tmp_path: Path) -> None:
    """A path inside a store is refused (78), by way of a link to it, too."""
    store = tmp_path / "store"
    (store / "access").mkdir(parents=True)
    (tmp_path / "way").symlink_to(store)
    for path in (store / "a.html", store / "access" / "a.html", tmp_path / "way" / "a.html"):
        with pytest.raises(ConfigurationError, match="inside the store"):
            write_page(path, "x", [str(store), "s3://bucket/store"], option="--html")
    assert list((store / "access").iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is none is 73; a failing disk leaves the old file and nothing else."""
    (tmp_path / "a.html").write_text("old")
    with pytest.raises(CannotWriteError, match="--html"):
        write_page(tmp_path / "none" / "a.html", "x", [], option="--html")
    with pytest.raises(CannotWriteError):
        write_page(tmp_path / "a.html" / "b.html", "x", [], option="--html")
    with mock.patch("os.fsync", side_effect=OSError(5, "Input/output error")), pytest.raises(CannotWriteError):
        write_page(tmp_path / "a.html", "new", [], option="--html")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.html", "old")]
